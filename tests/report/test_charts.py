"""Specs against golden files; SALTUS_GOLDEN=write writes them anew: then read the difference."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from saltus.records.findings import Band, Finding, Fit, Interval, Point
from saltus.report.charts import emergence_chart, heatmap, onsets, timeline
from saltus.report.rows import PartnerPoint, column_names, row_names
from saltus.report.theme import theme

GOLDEN = Path(__file__).parent / "golden"


def a_finding(task: str = "recall", axis: str = "params", **changes: Any) -> Finding:
    xs = {"params": (2e6, 2e7, 3e8, 2e9, 12e9), "step": (0.0, 100.0, 400.0, 500.0, 2000.0)}[axis]
    ys = (0.24, 0.26, 0.25, 0.8, 0.97)
    points = tuple(
        Point(f"toy-{place}", "run1", x, y, y - 0.02, y + 0.02, 256.0, used=place > 0)
        for place, (x, y) in enumerate(zip(xs, ys, strict=True))
    )
    finding = Finding(
        id=f"{task}-{axis}",
        family="toy",
        axis=axis,  # type: ignore[arg-type]
        task=task,
        metric="exact_match",
        n_scales=4,
        n_samples=256.0,
        verdict="emergent",
        artifact="jump_persists",
        headline="a jump",
        onset=Interval(xs[3], xs[2], xs[4]),
        rise=Interval(0.72, 0.6, 0.8),
        chance=0.25,
        fits=(
            Fit("step", 10.0, 8.0, {"at": xs[3]}, excluded=False, x=xs[1:], y=(0.25, 0.25, 0.9, 0.9)),
            Fit("hinge", 14.0, 11.0, {"knee": xs[2]}, excluded=False, x=xs[1:], y=(0.2, 0.3, 0.8, 1.0)),
            Fit("flat", 99.0, 90.0, {}, excluded=True, x=xs[1:], y=(0.5, 0.5, 0.5, 0.5)),
        ),
        partner="target_logprob",
        points=points,
        band=Band(xs[1:], (0.25, 0.25, 0.9, 0.9), (0.2, 0.2, 0.8, 0.8), (0.3, 0.3, 1.0, 1.0)),
    )
    return msgspec.structs.replace(finding, **changes)


def partners(finding: Finding) -> list[PartnerPoint]:
    return [
        PartnerPoint("target_logprob", p.model, p.run, p.x, -2.0 * (1 - p.y), 0.05, p.n)
        for p in finding.points
    ]


def golden(name: str, spec: dict[str, Any]) -> None:
    assert spec.pop("config") == theme()
    text = json.dumps(spec, indent=1, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("SALTUS_GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def test_emergence_chart_by_parameters() -> None:
    finding = a_finding()
    golden("emergence_params", emergence_chart(finding, partners(finding)))


def test_emergence_chart_by_step_without_partner_points() -> None:
    golden("emergence_step", emergence_chart(a_finding(axis="step", band=None)))


def test_timeline() -> None:
    golden("timeline", timeline(a_finding(axis="step", series="toy-2x64")))


def test_heatmap_with_a_missing_cell() -> None:
    flat = a_finding("parity", onset=None, verdict="no_change", artifact=None)
    golden("heatmap", heatmap([msgspec.structs.replace(flat, points=flat.points[:-1]), a_finding()]))


def test_onsets_are_sorted() -> None:
    late = a_finding("sort", onset=Interval(9e9, 2e9, float("inf")))
    golden("onsets", onsets([late, a_finding(), a_finding("parity", onset=None)]))


def marks(layers: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(layer["mark"]["type"], layer["mark"]["style"]) for layer in layers]


def test_no_line_ever_joins_the_points() -> None:
    finding = a_finding()
    for panel in emergence_chart(finding, partners(finding))["hconcat"]:
        for layer in panel["layer"]:
            if layer["mark"]["type"] in ("line", "area", "trail"):
                assert layer["data"]["name"] in ("band", "fits")


def test_panels_share_their_x_axis_and_onset_band() -> None:
    finding = a_finding()
    left, right = emergence_chart(finding, partners(finding))["hconcat"]
    assert left["encoding"]["x"] == right["encoding"]["x"]
    assert left["layer"][0] == right["layer"][0]
    assert ("rect", "onset") in marks(left["layer"])
    assert ("rule", "chance") in marks(left["layer"])
    assert ("rule", "chance") not in marks(right["layer"])


def test_excluded_fits_are_not_drawn_and_rivals_are() -> None:
    spec = emergence_chart(a_finding())
    assert {row["shape"] for row in spec["datasets"]["fits"]} == {"hinge"}  # the best one is the band's curve
    assert marks(spec["hconcat"][0]["layer"]).count(("line", "rival")) == 1


def test_unused_points_are_hollow() -> None:
    layers = emergence_chart(a_finding())["hconcat"][0]["layer"]
    hollow = [layer["transform"] for layer in layers if layer["mark"]["style"] == "unused"]
    assert hollow == [[{"filter": "!datum.used"}]]


def test_values_that_are_not_numbers_are_left_out() -> None:
    bad = Point("toy-x", "run1", 5e8, float("nan"), float("nan"), float("nan"), 10.0)
    finding = a_finding(points=(*a_finding().points, bad), onset=Interval(2e9, 0.0, float("inf")))
    spec = emergence_chart(finding)
    assert len(spec["datasets"]["points"]) == 5
    json.dumps(spec, allow_nan=False)
    json.dumps(timeline(finding), allow_nan=False)
    assert len(heatmap([finding])["datasets"]["missing"]) == 1


@pytest.mark.parametrize("axis", ["tokens", "flops", "step", "loss", "released", "layers", "width"])
def test_every_axis_has_a_chart(axis: Any) -> None:
    xs = {
        "loss": (3.5, 2.9, 2.1),
        "released": (2022.5, 2023.1, 2024.9),
        "layers": (1.0, 2.0, 3.0),
        "width": (8.0, 16.0, 80.0),
    }
    values = xs.get(axis, (1e3, 1e6, 1e9))
    points = tuple(Point(f"m{x}", "r", x, 0.5, 0.4, 0.6, 10.0) for x in values)
    finding = a_finding(points=points, onset=None, band=None, fits=())
    spec = emergence_chart(msgspec.structs.replace(finding, axis=axis))
    x = spec["hconcat"][0]["encoding"]["x"]
    low, high = x["scale"]["domain"]
    assert low < min(values) <= max(values) < high
    assert x["axis"]["title"].endswith("→")
    assert 1 <= len(x["axis"]["values"]) <= 8
    assert all(low <= tick <= high for tick in x["axis"]["values"])


def test_a_single_point_and_equal_scores_can_be_drawn() -> None:
    point = Point("only", "r", 1e9, 0.0, 0.0, 0.0, 1.0)
    spec = emergence_chart(a_finding(points=(point,), onset=None, band=None, fits=(), chance=None))
    low, high = spec["hconcat"][0]["encoding"]["x"]["scale"]["domain"]
    assert low < 1e9 < high


def test_rows_and_columns_have_different_names() -> None:
    findings = [a_finding(), a_finding(metric="token_accuracy"), a_finding("sort"), a_finding(id="other")]
    assert len(set(row_names(findings))) == 4
    assert row_names(findings)[2] == "sort"
    models = ["pythia-70m@s1", "pythia-70m-deduped@s1", "pythia-1b@s1"]
    assert column_names(models, dict.fromkeys(models, 1.0), "params") == ["70m", "70m-deduped", "1b"]
    assert column_names(["a", "b"], {"a": 1.4e9, "b": 1e3}, "params") == ["1.4B", "1,000"]


def test_both_themes_style_the_same_things() -> None:
    light, dark = theme("light"), theme("dark")
    assert light["style"].keys() == dark["style"].keys()
    assert light["style"]["point"]["color"] != dark["style"]["point"]["color"]
    finding = a_finding()
    panels = emergence_chart(finding, partners(finding))["hconcat"]
    specs = [*panels, timeline(finding), heatmap([finding]), onsets([finding])]
    used = {layer["mark"]["style"] for spec in specs for layer in spec["layer"]}
    assert used <= light["style"].keys()
