"""Grouping points into series, and every kind of input that is refused or handled in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saltus.emergence import build_series, detect, detect_all, usable_axes
from saltus.records import InputError, UsageError
from saltus.records.arrow import POINTS

X = np.geomspace(1e8, 1e10, 6)
Y = np.array([0.25, 0.26, 0.24, 0.5, 0.52, 0.51])


def test_any_kind_of_table_gives_the_same_finding(made: Any) -> None:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    rows = made(X, Y)
    full = [{name: row.get(name) for name in POINTS.names} for row in rows]
    table = pa.Table.from_pylist(full, schema=POINTS)

    class Store:
        def points(self) -> pa.Table:
            return table

    found = [
        detect(t, axis="params").id
        for t in (
            table,
            Store(),
            pd.DataFrame(full),
            pl.DataFrame(full, schema_overrides={"shots": pl.Int32}),
            full,
        )
    ]
    assert len(set(found)) == 1


def test_each_model_counts_once_at_its_last_checkpoint(made: Any) -> None:
    rows = made(X, Y, step=100.0) + made(X, Y * 0 + 0.1, step=50.0)
    (series,) = build_series(rows, axis="params")
    assert series.y == pytest.approx(Y)
    steps = build_series(rows, axis="step")
    assert len(steps) == 6
    assert {len(s.y) for s in steps} == {2}


def test_one_metric_speaks_for_a_task_unless_others_are_asked_for(made: Any) -> None:
    rows = [
        {**r, "metric": m} for r in made(X, Y) for m in ("acc_norm", "acc", "exact_match", "token_accuracy")
    ]
    assert [s.metric for s in build_series(rows, axis="params")] == ["exact_match"]
    wanted = build_series(rows, axis="params", metrics=["acc", "token_accuracy"])
    assert [s.metric for s in wanted] == ["acc", "token_accuracy"]


def test_shots_and_variants_are_series_of_their_own(made: Any) -> None:
    rows = [{**r, "shots": s, "variant": v} for r in made(X, Y) for s in (0, 5) for v in ("", "typos")]
    found = build_series(rows, axis="params")
    assert {(s.variant, s.label) for s in found} == {
        ("", "0-shot"),
        ("", "5-shot"),
        ("typos", "0-shot"),
        ("typos", "5-shot"),
    }


def test_step_zero_is_shown_but_not_fitted(made: Any) -> None:
    steps = np.array([0, 10, 20, 40, 80, 160, 320])
    finding = detect(
        made(steps, np.array([0.0, 0.25, 0.26, 0.24, 0.5, 0.52, 0.51]), axis="step"), axis="step"
    )
    assert [p.used for p in finding.points] == [False] + [True] * 6
    assert any("Step 0" in r for r in finding.reasons)


def test_empty_cells_and_models_without_a_scale_are_named(made: Any) -> None:
    rows = made(X, Y)
    rows[1]["value"] = float("nan")
    rows[2]["params"] = None
    finding = detect(rows, axis="params")
    text = " ".join(finding.reasons)
    assert "No score is recorded for model-1" in text
    assert "model-2" in text
    assert "--axis-from" in text
    assert finding.n_scales == 4


def test_models_without_any_scale_are_refused_by_name(made: Any) -> None:
    rows = [{**row, "params": None} for row in made(X, Y)]
    with pytest.raises(InputError, match=r"No model has a value for the axis params: model-0.*--axis-from"):
        detect_all(rows, axis="params")
    with pytest.raises(InputError, match="No axis has four places"):
        usable_axes(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 87.3}, r"the score 87\.3 is outside \[0, 1\]; give shares, not percent"),
        ({"value": -0.2}, r"outside \[0, 1\]"),
        ({"params": -5.0}, "params must be above 0"),
    ],
)
def test_impossible_values_are_refused(made: Any, change: dict[str, float], message: str) -> None:
    rows = made(X, Y)
    rows[3] |= change
    with pytest.raises(InputError, match=message):
        detect_all(rows, axis="params")


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(InputError, match="no points"):
        detect_all([], axis="params")
    with pytest.raises(InputError, match="column 'value'"):
        detect_all([{"name": "m", "task": "t", "metric": "acc", "params": 1.0}], axis="params")
    with pytest.raises(InputError, match="found int"):
        detect_all(3, axis="params")


def test_options_out_of_range_are_refused(made: Any) -> None:
    rows = made(X, Y)
    for options in ({"alpha": 0.0}, {"bootstraps": 3}, {"tau": -1.0}):
        with pytest.raises(UsageError):
            detect_all(rows, axis="params", **options)
    with pytest.raises(InputError, match="No point is of the task 'other'"):
        detect_all(rows, axis="params", tasks=["other"])
    with pytest.raises(InputError, match="No point has the metric brier"):
        detect_all(rows, axis="params", metrics=["brier"])


def test_detect_takes_exactly_one_series(made: Any) -> None:
    rows = made(X, Y) + [{**r, "task": "second"} for r in made(X, Y)]
    with pytest.raises(InputError, match=r"found 2 along params: .*second"):
        detect(rows, axis="params")


def test_too_few_scales_say_how_many_are_missing(made: Any) -> None:
    finding = detect(made(X[:3], Y[:3]), axis="params")
    assert finding.verdict == "too_few_scales"
    assert "Evaluate at 1 more" in finding.reasons[0]
    single = detect(made(X[:1], Y[:1]), axis="params")
    assert (single.verdict, single.n_scales) == ("too_few_scales", 1)


def test_the_axes_worth_looking_along(made: Any) -> None:
    assert usable_axes(made(X, Y)) == ("params",)
    both = [{**r, "step": float(s)} for r in made(X, Y) for s in (1, 2, 3, 4)]
    assert usable_axes(both) == ("params", "step")
    assert usable_axes(made(np.linspace(2, 4, 6), Y, axis="loss")) == ("loss",)
