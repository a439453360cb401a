"""The one block of data inside the page, written so that nothing in it can run or end the block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.records.findings import Finding
from saltus.report.charts import emergence_chart, heatmap, onsets, timeline
from saltus.report.evidence import ALL_SAMPLES, TaskSamples, partner_points, rows_of, sample_rows
from saltus.report.explain import explain_pages
from saltus.report.forecasts import forecast_page
from saltus.report.layers import Spec
from saltus.report.pages import comparable, finding_row, groups
from saltus.report.rows import PartnerPoint
from saltus.report.theme import theme
from saltus.report.training import training_pages
from saltus.report.words import group_title, metric_title, rank

if TYPE_CHECKING:
    from saltus.store import Store


class Gathered(msgspec.Struct, frozen=True):
    """Everything that the report read from the store."""

    findings: list[Finding]
    models: list[dict[str, Any]]
    runs: list[dict[str, Any]]
    samples: dict[str, TaskSamples]
    payload: dict[str, Any]


def gather(store: Store, findings: Sequence[Finding], samples: int) -> Gathered:
    """Read the evidence behind the findings and lay it out for the page."""
    from saltus.store import load_forecasts, load_timelines, load_warnings

    ordered = sorted(findings, key=rank)
    points = [point for finding in ordered for point in finding.points]
    models = rows_of(store, "models", (point.model for point in points), "family, params, name, step, id")
    runs = rows_of(store, "runs", (point.run for point in points), "created, id")
    shown = sample_rows(store, ordered, samples)
    partners = partner_points(store, ordered)
    specs = _Specs()
    charts: dict[str, dict[str, int]] = {}
    data: dict[str, Any] = {}
    for finding in ordered:
        spec = emergence_chart(finding, partners.get(finding.id, ()))
        data[finding.id] = spec["datasets"]
        charts[finding.id] = {"main": specs.add(spec)}
        if finding.axis == "step":
            charts[finding.id]["small"] = specs.add(timeline(finding))
    payload = {
        "themes": {"light": theme("light"), "dark": theme("dark")},
        "findings": [_row(finding, partners.get(finding.id)) for finding in ordered],
        "data": data,
        "specs": specs.unique,
        "charts": charts,
        "groups": [
            _group(members)
            for _, members in sorted(groups(ordered).items(), key=lambda item: item[0][1] != "")
        ],
        "runs": {run["id"]: [run["kind"], run["source"], run["format"]] for run in runs},
        "samples": shown,
        "query": ALL_SAMPLES,
        "forecasts": forecast_page(load_forecasts(store)),
        "explanations": explain_pages(store, ordered),
        "training": training_pages(ordered, load_timelines(store), load_warnings(store)),
    }
    return Gathered(ordered, models, runs, shown, payload)


def embed(payload: object) -> str:
    """JSON that is safe inside `<script type="application/json">`.

    Only `<`, `>`, `&` and the two line separators of Unicode could end the block or change how it is read;
    JSON can write them all as escapes inside strings, and they appear nowhere else in it.
    """
    text = msgspec.json.encode(payload).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _row(finding: Finding, partners: Sequence[PartnerPoint] | None) -> dict[str, Any]:
    metric = partners[0].metric if partners else finding.partner
    return {
        **finding_row(finding),
        "partner": metric,
        "partner_title": metric_title(metric) if metric else None,
    }


def _group(members: Sequence[Finding]) -> dict[str, Any]:
    first = members[0]
    group: dict[str, Any] = {
        "title": group_title(first),
        "family": first.family,
        "series": first.series,
        "axis": first.axis,
        "ids": [finding.id for finding in members],
    }
    shown = [finding for finding in comparable(members) if finding.points]
    if shown:
        group["heat"] = _without_config(heatmap(shown))
    dated = [finding for finding in members if finding.onset is not None]
    if len(dated) > 1:
        group["onsets"] = _without_config(onsets(dated))
    return group


def _without_config(spec: Spec) -> Spec:
    return {key: value for key, value in spec.items() if key not in ("config", "$schema")}


class _Specs:
    """Specs without what the page keeps elsewhere (looks, rows, titles), each one once; many are shared."""

    def __init__(self) -> None:
        self.unique: list[Spec] = []
        self._places: dict[bytes, int] = {}

    def add(self, spec: Spec) -> int:
        """Where the spec stands in `unique`."""
        bare = {
            key: value for key, value in spec.items() if key not in ("config", "datasets", "$schema", "title")
        }
        place = self._places.setdefault(msgspec.json.encode(bare), len(self.unique))
        if place == len(self.unique):
            self.unique.append(bare)
        return place
