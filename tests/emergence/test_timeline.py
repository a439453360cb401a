from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saltus.emergence.lags import draw_places, lags
from saltus.emergence.timeline import timelines
from saltus.emergence.training import training_curves
from saltus.records import Change, InputError, Interval, Timeline, UsageError
from saltus.store import load_timelines, record_timelines
from saltus.store import open as open_store

STEPS = np.arange(200, 6200, 200)


def rows(
    metric: str,
    value: np.ndarray,
    *,
    name: str = "a",
    task: str = "internals",
    n: float | None = None,
    steps: np.ndarray = STEPS,
    **more: Any,
) -> list[dict[str, Any]]:
    return [
        {
            "family": "f",
            "name": name,
            "task": task,
            "metric": metric,
            "value": float(v),
            "n": n,
            "step": float(s),
        }
        | more
        for s, v in zip(steps, value, strict=True)
    ]


def run(seed: int, *, head: float = 2100, score: float = 3300, name: str = "") -> list[dict[str, Any]]:
    """A run in which a head forms and a score moves later; a norm grows without a change."""
    rng = np.random.default_rng(seed)
    induction = 0.02 + 0.6 * (head < STEPS) + 0.03 * rng.standard_normal(30)
    norm = 100 + 30 * np.log(STEPS) + rng.standard_normal(30)
    share = rng.binomial(500, 0.1 + 0.7 * (score < STEPS)) / 500
    name = name or f"run{seed}"
    return [
        *rows("induction_score", induction, name=name),
        *rows("weight_norm", norm, name=name),
        *rows("exact_match", share, name=name, task="recall", n=500.0),
    ]


def test_scores_and_scalars_of_any_range_are_dated() -> None:
    induction, norm, score = timelines(run(0))
    assert (induction.metric, norm.metric, score.metric) == ("induction_score", "weight_norm", "exact_match")
    assert [(c.at.low, c.at.high) for c in induction.changes] == [(2000, 2200)]
    assert norm.changes == ()
    assert [(c.kind, c.at.low, c.at.high) for c in score.changes] == [("level", 3200, 3400)]
    assert score.reasons[0].startswith("It jumps up by 0.701, beginning between step 3,200 and 3,400 (p < ")
    assert norm.reasons[0].startswith("A smooth curve without a change describes it")


def test_a_loss_that_bends_has_no_change_and_one_that_drops_has() -> None:
    rng = np.random.default_rng(1)
    smooth = 2 + 9 * STEPS**-0.3 + 0.005 * rng.standard_normal(30)
    drops = smooth - 0.2 * (STEPS > 3000)
    plain, changed = timelines([*rows("loss", smooth, task="a"), *rows("loss", drops, task="b")])
    assert plain.changes == ()
    (change,) = changed.changes
    assert (change.at.low, change.at.high) == (3000, 3200)
    assert change.size == pytest.approx(-0.2, abs=0.03)


def test_seeds_of_one_name_are_runs_of_their_own_and_step_0_is_left_out() -> None:
    steps = np.array([0, *STEPS])
    value = np.array([0.0, *np.where(STEPS > 1000, 0.9, 0.1)])
    points = [
        *rows("exact_match", value, task="t", n=100.0, steps=steps, model_seed=0),
        *rows("exact_match", value, task="t", n=100.0, steps=steps, model_seed=1),
    ]
    found = timelines(points)
    assert [line.series for line in found] == ["a (seed 0)", "a (seed 1)"]
    assert all(line.n_points == 30 for line in found)
    assert any("Step 0" in reason for reason in found[0].reasons)


def test_two_stages_give_two_changes() -> None:
    rng = np.random.default_rng(2)
    share = rng.binomial(400, np.select([STEPS < 1500, STEPS < 4100], [0.02, 0.4], 0.95)) / 400
    (line,) = timelines(rows("exact_match", share, task="t", n=400.0))
    assert [(c.at.low, c.at.high) for c in line.changes] == [(1400, 1600), (4000, 4200)]


def test_few_checkpoints_and_still_curves_say_so() -> None:
    short, still = timelines([*rows("s", np.arange(4.0), steps=STEPS[:4]), *rows("t", np.full(30, 7.0))])
    assert short.reasons == ("4 checkpoints are too few to look for changes; 6 are needed.",)
    assert still.reasons == ("The value is the same at all checkpoints.",)


def test_many_flat_curves_together_show_hardly_a_change() -> None:
    rng = np.random.default_rng(3)
    points = [row for i in range(60) for row in rows(f"s{i}", rng.standard_normal(30))]
    assert sum(bool(line.changes) for line in timelines(points)) <= 2


def test_a_scalar_at_very_many_steps_is_averaged() -> None:
    steps = np.arange(20, 10_020, 20)
    rng = np.random.default_rng(6)
    (line,) = timelines(rows("norm", 5.0 * (steps > 4000) + rng.standard_normal(500), steps=steps))
    (change,) = line.changes
    assert change.at.low <= 4000 <= change.at.high
    assert change.at.high - change.at.low < 300


def test_a_value_that_stands_alone_is_named() -> None:
    value = np.random.default_rng(5).standard_normal(30)
    value[12] = 60.0
    (line,) = timelines(rows("norm", value))
    assert line.changes == ()
    assert (
        "The value at step 2,600 stands alone, far from those around it, and counts for nothing."
        in line.reasons
    )


def test_the_head_forms_before_the_score_moves_in_one_run() -> None:
    (lag,) = lags(run(6))
    assert (lag.leader, lag.follower) == ("induction_score", "recall exact_match")
    assert lag.lag.low <= 1200 <= lag.lag.high
    assert 900 < lag.lag.low < lag.lag.high < 1500
    assert lag.share == 1.0
    assert lag.q is not None
    assert lag.q < 0.05
    assert "before recall exact_match, in one run (run6)" in lag.reason


def test_several_runs_scatter_and_the_interval_covers_their_mean() -> None:
    points = [
        row
        for seed, (head, score) in enumerate([(2100, 3300), (1700, 2700), (2300, 3700), (1900, 2900)])
        for row in run(seed, head=head, score=score)
    ]
    (lag,) = lags(timelines(points))
    assert lag.series == ("run0", "run1", "run2", "run3")
    assert lag.lag.low < 1150 < lag.lag.high
    assert lag.share == 1.0
    assert "in 4 of 4 runs" in lag.reason


def test_curves_that_change_together_are_not_put_in_order() -> None:
    (lag,) = lags(run(7, head=3300, score=3300))
    assert lag.reason.startswith("Which of ")
    assert lag.lag.low < 0 < lag.lag.high


def test_lags_take_timelines_of_the_store(tmp_path) -> None:
    found = timelines(run(8))
    with open_store(tmp_path / "store", create=True) as store:
        assert record_timelines(store, found) == 3
        assert record_timelines(store, found) == 0
        assert lags(load_timelines(store)) == lags(found)


def test_which_change_speaks_for_a_curve() -> None:
    def change(at: float, p: float) -> Change:
        return Change(kind="level", at=Interval(at, at * 0.95, at * 1.05), size=1.0, p=p)

    two = Timeline(
        family="f", series="a", task="t", metric="m", changes=(change(100, 0.01), change(900, 1e-9))
    )
    one = Timeline(family="f", series="a", task="u", metric="m", changes=(change(400, 1e-9),))
    assert lags([two, one])[0].leader == "u m"
    assert lags([two, one], which="first")[0].leader == "t m"
    with pytest.raises(UsageError, match="choose main, first or last"):
        lags([two, one], which="middle")  # type: ignore[arg-type]
    assert lags([two]) == []


def test_draws_keep_the_median_and_the_ends_of_an_interval() -> None:
    drawn = draw_places(Interval(500, 450, 800), 40_000, np.random.default_rng(0))
    assert np.quantile(drawn, [0.05, 0.5, 0.95]) == pytest.approx([450, 500, 800], rel=0.01)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"axis": "params"}, UsageError, "step or tokens"),
        ({"alpha": 0}, UsageError, "between 0 and 1"),
        ({"metrics": ["nope"]}, InputError, "No point is of the metric 'nope'"),
        ({"axis": "tokens"}, InputError, "two checkpoints along tokens"),
    ],
)
def test_what_cannot_be_used_is_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        timelines(run(0), **options)


def test_default_metrics_are_the_headline_its_companion_and_scalars() -> None:
    value = np.linspace(0.1, 0.9, 30)
    names = ("exact_match", "token_accuracy", "target_logprob", "f1", "my_scalar")
    points = [
        row for name in names for row in rows(name, -value if name == "target_logprob" else value, task="t")
    ]
    assert [c.metric for c in training_curves(points)] == ["exact_match", "my_scalar", "target_logprob"]


def test_recall_of_the_embedded_family_is_dated(family_points) -> None:
    found = timelines(family_points(seeds=(0, 1, 2)), tasks=["recall"], metrics=["exact_match"])
    at = {line.series: line.changes for line in found}
    (change,) = at["tiro-2x64"]
    assert change.kind == "level"
    assert 450 <= change.at.value <= 500
    assert change.at.low >= 350
    assert change.at.high <= 550
    for name, low, high in (("tiro-2x32", 550, 600), ("tiro-2x16", 1000, 1200)):
        assert any(c.at.low <= high and c.at.high >= low for c in at[name]), name
    for name in ("tiro-1x8", "tiro-1x16", "tiro-1x48"):
        assert at[name] == ()


def test_published_training_curves(pythia_points) -> None:
    tasks = ("lambada_openai", "sciq", "arc_easy", "logiqa")
    points = [
        row for row in pythia_points(steps=None) if row["task"] in tasks and row["name"] == "pythia-6.9b"
    ]
    found = {line.task: line.changes for line in timelines(points, metrics=["acc"])}
    for task in ("lambada_openai", "sciq", "arc_easy"):
        main = min(found[task], key=lambda change: change.p)
        assert 256 <= main.at.value <= 3000, task
    assert found["logiqa"] == ()
