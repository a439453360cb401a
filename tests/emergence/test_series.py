"""Grouping points into series, and every kind of input that is refused or handled in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.emergence import build_series, detect, detect_all, usable_axes
from saltus.records import AXES, InputError, SaltusError, UsageError
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


def test_flops_follow_from_parameters_and_tokens_and_the_notes_say_so(made: Any) -> None:
    rows = made(X, Y, tokens=3e11, flops=None)
    rows[0]["flops"] = 1e20
    (series,) = build_series(rows, axis="flops")
    assert series.x == pytest.approx([1e20, *(6 * X[1:] * 3e11)])
    assert any("are taken as 6 x parameters x tokens" in note for note in series.notes)
    assert not any("model-0" in note for note in series.notes)


def test_tokens_follow_from_the_step_of_models_whose_other_checkpoints_tell(made: Any) -> None:
    steps = np.array([10.0, 20, 40, 80])
    rows = made(steps, Y[:4], axis="step", tokens=[1e6, None, 4e6, None])
    (series,) = build_series(rows, axis="tokens")
    assert series.x == pytest.approx(steps * 1e5)
    assert any("tokens a step of their other checkpoints" in note for note in series.notes)
    uneven = made(steps, Y[:4], axis="step", tokens=[1e6, None, 9e6, None])
    (series,) = build_series(uneven, axis="tokens")
    assert len(series.x) == 1
    assert any("2 points of model without a value of tokens left out" in note for note in series.notes)


@pytest.mark.parametrize(
    ("change", "axis", "message"),
    [
        (
            {"params": 1.4},
            "params",
            "model-3 has params = 1.4 and others up to 1e.10: it looks like billions",
        ),
        ({"flops": 84.0}, "flops", "it looks like units of 1e21"),
        (
            {"released": "last May"},
            "released",
            r"Model model-3: the release date 'last May' is not YYYY-MM-DD",
        ),
        ({"released": "2023-13-01"}, "released", "is not YYYY-MM-DD"),
        ({"params": "big"}, "params", "Row 4 of the points has params = 'big', which is no number"),
        ({"value": "high"}, "params", "value = 'high', which is no number"),
        ({"task": None}, "params", "A row of the points has no task"),
        ({"shots": 2.5}, "params", "shots = 2.5, which is no whole number"),
        ({"name": ["a"]}, "params", r"name = \['a'\], which is neither text nor a number"),
        ({"value": 0.0, "metric": "exact_match", "params": 0.0}, "params", "params must be above 0"),
    ],
)
def test_each_mistake_is_named_in_one_sentence(
    made: Any, change: dict[str, Any], axis: str, message: str
) -> None:
    rows = made(X, Y, flops=X * 1e12, released="2023-01-05")
    rows[3] |= change
    with pytest.raises(InputError, match=message):
        build_series(rows, axis=axis)


def test_parameters_that_are_all_in_billions_are_remarked_on(made: Any) -> None:
    (series,) = build_series(made(X / 1e9, Y), axis="params")
    assert any("if these are billions" in note for note in series.notes)


def test_infinite_values_are_named_and_left_out(made: Any) -> None:
    rows = made(X, Y)
    rows[1]["value"] = float("inf")
    rows[2]["params"] = float("inf")
    (series,) = build_series(rows, axis="params")
    assert len(series.x) == 4
    assert any("The score is infinite for model-1" in note for note in series.notes)
    assert any("The value of params of model-2 is infinite" in note for note in series.notes)


def test_other_shots_and_missing_tasks_are_named(made: Any) -> None:
    rows = made(X, Y)
    for row in rows[:2]:
        row["shots"] = 5
    for row in rows[2:]:
        row["shots"] = 0
    rows += [{**row, "task": "second"} for row in rows[2:]]
    found = {(s.task, s.label): " ".join(s.notes) for s in build_series(rows, axis="params")}
    assert "model-0, model-1 stand in another series of this task" in found["task", "0-shot"]
    assert "scored with 5 shots" in found["task", "0-shot"]
    assert "model-0, model-1 have no score on this task" in found["second", ""]


def test_what_counts_twice_or_comes_before_the_last_checkpoint_is_named(made: Any) -> None:
    rows = made(X, Y, step=100.0) + made(X, Y * 0 + 0.1, step=50.0) + made(X[:1], [0.3], step=100.0, n=10)
    (series,) = build_series(rows, axis="params")
    assert series.y[0] == Y[0]
    assert any("6 earlier points" in note for note in series.notes)
    assert any("1 repeated measurement of model-0" in note for note in series.notes)


def test_a_family_without_any_place_is_a_series_that_says_so(made: Any) -> None:
    rows = made(X, Y) + [{**row, "family": "other", "params": None} for row in made(X, Y)]
    found = {f.family: f for f in detect_all(rows, axis="params", bootstraps=19)}
    assert found["other"].verdict == "too_few_scales"
    assert "No value of params is known for model-0" in " ".join(found["other"].reasons)


def test_rows_go_to_another_process_without_their_table(made: Any) -> None:
    import pickle

    (series,) = build_series(made(X, Y), axis="params")
    again = pickle.loads(pickle.dumps(series))  # noqa: S301 - made on the line before
    assert [row["name"] for row in again.rows] == [row["name"] for row in series.rows]
    assert again.column("n") == pytest.approx(series.column("n"))


_NUMBER = st.one_of(
    st.none(), st.floats(0, 1), st.floats(allow_nan=True, allow_infinity=True), st.integers(-3, 9)
)
_ROW = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["m1", "m2", "m3", "m4"]),
        "task": st.sampled_from(["t", "u"]),
        "metric": st.sampled_from(["acc", "exact_match", "ppl", "mine"]),
        "value": st.one_of(st.floats(0, 1), _NUMBER),
    },
    optional={
        "family": st.sampled_from(["f", "g", "", None]),
        "model": st.sampled_from(["a@1", "a@2", None]),
        "variant": st.sampled_from(["", "typos", None]),
        "shots": st.sampled_from([None, 0, 5]),
        "model_seed": st.sampled_from([None, 0, 1]),
        "params": st.one_of(st.sampled_from([1e8, 1e9, 7e9]), _NUMBER),
        "tokens": st.one_of(st.sampled_from([1e9, 3e11]), _NUMBER),
        "flops": _NUMBER,
        "step": st.sampled_from([None, 0, 1, 2, 4]),
        "loss": _NUMBER,
        "released": st.sampled_from([None, "2023", "2023-05", "2024-01-31", "soon"]),
        "n": _NUMBER,
        "chance": _NUMBER,
        "stderr": _NUMBER,
    },
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_ROW, max_size=14), st.sampled_from(AXES))
def test_any_table_gives_series_or_one_sentence_and_loses_no_point(
    rows: list[dict[str, Any]], axis: str
) -> None:
    try:
        found = build_series(rows, axis=axis)
    except SaltusError:
        return
    for series in found:
        assert np.isfinite(series.x).all()
        assert np.isfinite(series.y).all()
        assert (np.diff(series.x) >= 0).all()
        assert len(series.rows) == len(series.x)
    notes = " ".join(note for series in found for note in series.notes)
    used = [row for series in found for row in [*series.rows, *(row for row, _ in series.aside)]]
    chosen = {(series.task, series.metric) for series in found}
    tasks = {row["task"] for row in rows}
    assert {task for task, _ in chosen} == tasks
    for row in rows:
        if (row["task"], row["metric"]) in chosen and not any(row is one for one in used):
            assert row["name"] in notes or (row.get("model") or row["name"]) in notes


def test_scalars_without_a_task_are_left_to_timelines() -> None:
    scores = [
        {"name": f"m{i}", "task": "t", "metric": "acc", "value": i / 10, "n": 100, "params": 10.0**i}
        for i in range(1, 6)
    ]
    scalars = [{**row, "task": "internals", "metric": "induction_score", "value": -0.3} for row in scores]
    assert [series.task for series in build_series(scores + scalars, axis="params")] == ["t"]
    with pytest.raises(InputError, match="saltus timeline"):
        build_series(scalars, axis="params")
