"""The capability axis: which benchmarks it is made of, who has a place on it, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.emergence import build_series, detect_all, usable_axes
from saltus.emergence.capability import same_benchmark
from saltus.emergence.scores import blur_of, noise_of, progress_of
from saltus.records import InputError

ABILITY = np.linspace(-1, 1, 24)


def table(
    benchmarks: dict[str, np.ndarray], *, metric: str = "acc", families: int = 3, **more: Any
) -> list[dict[str, Any]]:
    """Rows of models, one a place of `ABILITY`, in families; NaN scores are left out."""
    return [
        {
            "family": f"family-{i % families}",
            "name": f"model-{i}",
            "task": task,
            "metric": metric,
            "value": float(value),
            "n": 1000.0,
            "chance": 0.25,
            **more,
        }
        for task, values in benchmarks.items()
        for i, value in enumerate(values)
        if np.isfinite(value)
    ]


def made(count: int = 4, spread: float = 0.01, seed: int = 0) -> dict[str, np.ndarray]:
    """Benchmarks that rise with ability, and a target that jumps in the middle."""
    rng = np.random.default_rng(seed)
    out = {
        f"bench{i}": 0.5 + (0.1 + 0.05 * i) * ABILITY + spread * rng.standard_normal(len(ABILITY))
        for i in range(count)
    }
    return out | {"target": 0.26 + 0.4 * (ABILITY > 0.02) + 0.01 * rng.standard_normal(len(ABILITY))}


def test_families_share_one_axis_made_of_the_other_benchmarks() -> None:
    found = {s.task: s for s in build_series(table(made()), axis="capability", tasks=["target"])}
    (series,) = found.values()
    assert (series.family, series.label) == ("pooled", "family-0, family-1, family-2")
    order = [int(row["name"].split("-")[1]) for row in series.rows]
    assert np.corrcoef(order, series.x)[0, 1] > 0.99
    told = series.notes[0]
    assert "4 other benchmarks (bench0, bench1, bench2, bench3) over 24 models" in told
    assert "0 of 96 cells were imputed" in told
    assert "target" not in told


def test_a_jump_along_capability_is_found_where_it_is() -> None:
    (finding,) = detect_all(table(made()), axis="capability", tasks=["target"], bootstraps=199)
    assert (finding.verdict, finding.sharpness) == ("emergent", "sharp")
    assert finding.onset is not None
    below = [p.x for p in finding.points if p.y < 0.4]
    above = [p.x for p in finding.points if p.y > 0.5]
    assert finding.onset.low < min(above)
    assert finding.onset.high > max(below)
    assert "capability" in finding.headline


def test_the_task_under_another_metric_or_shots_is_not_on_its_own_axis() -> None:
    data = made() | {"target_5shot": ABILITY * 0.3 + 0.5, "target-easy": ABILITY * 0.3 + 0.5}
    (series,) = build_series(table(data), axis="capability", tasks=["target"])
    assert "4 other benchmarks (bench0, bench1, bench2, bench3)" in series.notes[0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("gsm8k", "GSM8K_5shot", True),
        ("gsm8k_exact_match", "gsm8k_8_shot", True),
        ("mmlu", "mmlu_anatomy", True),
        ("arithmetic_2dm_2", "arithmetic_3ds_2", False),
        ("arc_easy", "arc_challenge", False),
        ("lambada", "lambadax", False),
    ],
)
def test_which_names_mean_the_same_benchmark(one: str, other: str, same: bool) -> None:
    assert same_benchmark(one, other) is same
    assert same_benchmark(other, one) is same


@given(st.text(max_size=12))
def test_a_benchmark_is_itself(name: str) -> None:
    assert same_benchmark(name, name)


def test_too_few_other_benchmarks_are_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match=r"target needs 3 other benchmarks .* has 2 \(bench0, bench1\)"):
        build_series(table(made(2)), axis="capability", tasks=["target"])


def test_benchmarks_near_chance_or_rarely_known_are_left_out_by_name() -> None:
    rare = np.full(len(ABILITY), np.nan)
    rare[:3] = [0.3, 0.5, 0.7]
    data = made() | {"dead": np.full(len(ABILITY), 0.26) + 0.01 * (ABILITY > 0), "rare": rare}
    (series,) = build_series(table(data), axis="capability", tasks=["target"])
    notes = " ".join(series.notes)
    assert "no model stands out on them: dead" in notes
    assert "most models lack them: rare" in notes
    assert "4 other benchmarks" in notes


def test_holes_are_imputed_and_models_with_few_scores_are_named() -> None:
    data = made()
    data["bench1"][[3, 9]] = np.nan
    for name in ("bench0", "bench1", "bench2"):
        data[name][5] = np.nan
    (series,) = build_series(table(data), axis="capability", tasks=["target"])
    notes = " ".join(series.notes)
    assert "2 of 92 cells were imputed" in notes
    assert "No value of capability is known for model-5, left out." in notes
    assert len(series.x) == 23
    order = [int(row["name"].split("-")[1]) for row in series.rows]
    assert np.corrcoef(order, series.x)[0, 1] > 0.99


def test_perplexities_are_turned_so_that_better_models_lie_further() -> None:
    rows = table(made(3))
    rows += table({"lm": np.exp(3 - ABILITY)}, metric="ppl", chance=None)
    (series,) = build_series(rows, axis="capability", tasks=["target"])
    assert "lm" in series.notes[0]
    assert not any("counts as less" in note for note in series.notes)
    order = [int(row["name"].split("-")[1]) for row in series.rows]
    assert np.corrcoef(order, series.x)[0, 1] > 0.99


def test_a_model_counts_at_its_last_checkpoint_everywhere() -> None:
    early = {name: values * 0 + 0.3 for name, values in made().items()}
    rows = table(made(), step=200.0) + table(early, step=100.0)
    (series,) = build_series(rows, axis="capability", tasks=["target"])
    (plain,) = build_series(table(made()), axis="capability", tasks=["target"])
    assert series.x == pytest.approx(plain.x)


def test_an_error_of_the_place_is_carried_to_the_score_by_the_slope() -> None:
    x = np.linspace(-1, 1, 200)
    assert blur_of(x, 0.5 + 0.2 * x, 0.1) == pytest.approx(np.full(200, 0.02**2))
    assert not blur_of(x, 0.5 + 0.2 * x, 0.0).any()
    progress = progress_of("acc", x)
    n, none = np.full(200, 100.0), np.full(200, np.nan)
    noise, _ = noise_of(progress, np.full(200, 0.5), n, none, 0.0, blur=np.full(200, 0.01**2))
    assert noise.variance(np.full(200, 0.5)) == pytest.approx(np.full(200, 0.25 / 100 + 0.01**2))


def test_capability_is_the_axis_where_nothing_else_is_known() -> None:
    assert usable_axes(table(made())) == ("capability",)


def test_published_models_line_up_by_capability(shared: Any) -> None:
    folder = shared / "data" / "obscaling"
    if not folder.is_dir():
        pytest.skip("the published scores are not here")
    import csv

    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8") as stream:
            for line in csv.DictReader(stream):
                for task, value in list(line.items())[1 if "emergent" in path.name else 5 :]:
                    if value:
                        rows.append(
                            {"name": line["Model"], "task": task, "metric": "acc", "value": float(value)}
                        )
    found = detect_all(rows, axis="capability", tasks=["arithmetic_3ds_2_acc", "HellaSwag"], bootstraps=99)
    verdicts = {f.task: f.verdict for f in found}
    assert verdicts == {"arithmetic_3ds_2_acc": "emergent", "HellaSwag": "gradual"}
