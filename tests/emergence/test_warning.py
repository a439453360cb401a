"""Early warnings: which series, which samples, when none is due; and two training runs replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from saltus.emergence.detect import detect_all
from saltus.emergence.warning import DEFAULT, KINDS, MEASURED, early_warnings
from saltus.records import InputError, UsageError

GOLDEN = Path(__file__).parents[1] / "golden" / "early_warning" / "runs.parquet"
STEPS = np.arange(25, 1001, 25)
N = 256


def rows(
    score: np.ndarray, logprob: np.ndarray | None = None, *, name: str = "m", task: str = "t", **more: Any
) -> list[dict[str, Any]]:
    """Points of one run."""
    metrics = {"exact_match": score} | ({} if logprob is None else {"target_logprob": logprob}) | more
    return [
        {
            "family": "f",
            "name": name,
            "model": f"{name}@{step}",
            "task": task,
            "metric": metric,
            "value": float(value),
            "n": N,
            "chance": 0.25 if metric == "exact_match" else None,
            "step": float(step),
        }
        for metric, values in metrics.items()
        for step, value in zip(STEPS, values, strict=False)
    ]


def late(at: float, by: float, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return by * np.maximum(STEPS - at, 0) / 100 + noise * rng.standard_normal(len(STEPS))


CHANCE = 0.25 + 0.01 * np.random.default_rng(1).standard_normal(len(STEPS))
JUMP = np.where(STEPS > 800, 0.99, CHANCE)


def test_the_continuous_metric_warns_before_the_score_moves() -> None:
    (warning,) = early_warnings(rows(JUMP, -2 + late(500, 0.2)))
    assert (warning.indicator, warning.task, warning.series, warning.family) == ("continuous", "t", "m", "f")
    assert 500 < warning.at <= 650
    assert warning.p <= 0.05
    assert warning.reason.startswith(f"At step {warning.at:.0f} target_logprob rises faster than before")


def test_less_may_be_better_and_the_axis_may_be_tokens() -> None:
    ppl = np.exp(2 - late(500, 0.2))
    points = [
        row | {"tokens": 1000 * row["step"], "metric": row["metric"].replace("target_logprob", "ppl")}
        for row in rows(JUMP, ppl)
    ]
    (by_step,), (by_tokens,) = early_warnings(points), early_warnings(points, axis="tokens")
    assert by_step.indicator == by_tokens.indicator == "continuous"
    assert by_tokens.at == 1000 * by_step.at
    assert by_tokens.reason.startswith("At ")
    assert by_tokens.axis == "tokens"


def test_steady_learning_is_no_sign() -> None:
    learned = -2 + 1.5 * (1 - np.exp(-STEPS / 300)) + late(9999, 0)
    assert early_warnings(rows(CHANCE, learned)) == []


def test_no_warning_while_the_score_moves_or_at_the_top() -> None:
    moving = np.clip(0.25 + np.maximum(STEPS - 400, 0) / 500, 0, 1)
    assert early_warnings(rows(moving, -2 + late(500, 0.5))) == []
    assert early_warnings(rows(np.full(len(STEPS), 0.95), -2 + late(500, 0.5))) == []


def test_scalars_come_from_the_argument_or_from_unknown_metrics() -> None:
    head = 0.05 + late(500, 0.1, 0.001)
    assert early_warnings(rows(JUMP), scalars={"head": (STEPS, head)}) == []  # not by default
    (given,) = early_warnings(rows(JUMP), scalars={"head": (STEPS, head)}, indicators=("progress",))
    (found,) = early_warnings(rows(JUMP, head=head), indicators=("progress",))
    assert given.indicator == found.indicator == "progress:head"
    assert given.at == found.at
    assert 500 < given.at <= 600
    assert "head has left its floor" in given.reason


def marks(flip: np.ndarray, seed: int = 0) -> dict[str, list[Any]]:
    """Marks of samples, of which a share is drawn anew at each checkpoint."""
    rng = np.random.default_rng(seed)
    now = rng.random(N) < 0.25
    out: dict[str, list[Any]] = {k: [] for k in ("model", "task", "metric", "sample", "epoch", "value")}
    for step, share in zip(STEPS, flip, strict=True):
        now = np.where(rng.random(N) < share, rng.random(N) < 0.25, now)
        out["model"] += [f"m@{step}"] * N
        out["task"] += ["t"] * N
        out["metric"] += ["exact_match"] * N
        out["sample"] += [f"s{i}" for i in range(N)]
        out["epoch"] += [0] * N
        out["value"] += now.astype(float).tolist()
    return out


def test_flicker_is_told_from_samples() -> None:
    calm, restless = np.full(len(STEPS), 0.2), np.where(STEPS > 500, 0.9, 0.2)
    (warning,) = early_warnings(rows(CHANCE), samples=marks(restless), indicators=("flicker",))
    assert 500 < warning.at <= 700
    assert early_warnings(rows(CHANCE), samples=marks(calm), indicators=("flicker",)) == []
    others = marks(restless) | {"task": ["another"] * N * len(STEPS)}
    assert early_warnings(rows(CHANCE), samples=pa.table(others), indicators=("flicker",)) == []


def test_samples_may_name_steps_and_runs() -> None:
    given = marks(np.where(STEPS > 500, 0.9, 0.2))
    by_model = early_warnings(rows(CHANCE), samples=given, indicators=("flicker",))
    steps = {k: v for k, v in given.items() if k != "model"}
    steps["step"] = np.repeat(STEPS, N).tolist()
    assert early_warnings(rows(CHANCE), samples=steps, indicators=("flicker",)) == by_model
    twice = {
        k: (["r1"] * len(v) + ["r2"] * len(v) if k == "run" else v + v)
        for k, v in (given | {"run": given["task"]}).items()
    }
    twice["value"] = given["value"] + [0.0] * len(given["value"])
    first = [row | {"run": "r1"} for row in rows(CHANCE)]
    assert early_warnings(first, samples=twice, indicators=("flicker",)) == by_model


def test_graded_marks_do_not_flicker() -> None:
    given = marks(np.where(STEPS > 500, 0.9, 0.2))
    given["value"] = [value / 2 for value in given["value"]]
    assert early_warnings(rows(CHANCE), samples=given, indicators=("flicker",)) == []


def test_each_run_and_task_has_its_own() -> None:
    points = [
        *rows(JUMP, -2 + late(500, 0.2), name="a"),
        *rows(CHANCE, -2 + late(9999, 0), name="b"),
        *rows(JUMP, -2 + late(600, 0.2, seed=3), name="a", task="u"),
    ]
    assert [(w.series, w.task) for w in early_warnings(points)] == [("a", "t"), ("a", "u")]
    assert [(w.series, w.task) for w in early_warnings(points, task="u")] == [("a", "u")]


def test_few_checkpoints_say_nothing() -> None:
    for count in (1, 2, 5):
        points = [row for row in rows(JUMP, -2 + late(0, 1)) if row["step"] <= 25 * count]
        assert early_warnings(points, indicators=KINDS) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"axis": "params"}, "step or tokens"),
        ({"indicators": ("entropy",)}, "no indicator 'entropy'"),
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"scalars": {"head": ([1, 2], [1])}}, "one value a place"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        early_warnings(rows(CHANCE), **given)


def test_scalars_of_which_run_must_be_plain() -> None:
    points = [*rows(CHANCE, name="a"), *rows(CHANCE, name="b")]
    with pytest.raises(UsageError, match="scalars belong to one training run"):
        early_warnings(points, scalars={"head": (STEPS, CHANCE)})


@pytest.mark.parametrize(
    ("samples", "message"),
    [([1, 2], "Arrow table or a mapping"), ({"model": ["a"]}, "lack the column 'task'")],
)
def test_samples_that_cannot_be_read_are_refused(samples: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        early_warnings(rows(CHANCE), samples=samples)


def run_of(name: str) -> tuple[list[dict[str, Any]], dict[str, tuple[list[float], list[float]]]]:
    """Points and scalars of one training run of the embedded family."""
    points: list[dict[str, Any]] = []
    scalars: dict[str, tuple[list[float], list[float]]] = {}
    for row in pq.read_table(GOLDEN, filters=[("name", "=", name), ("epochs", "=", 1)]).to_pylist():
        if row["task"]:
            points.append(row | {"model": f"{name}@{row['step']}", "family": "tiro"})
        else:
            places, values = scalars.setdefault(row["metric"], ([], []))
            places.append(row["step"])
            values.append(row["value"])
    return points, scalars


def samples_of(name: str) -> pa.Table:
    """Its marks."""
    table = pq.read_table(GOLDEN, filters=[("name", "=", name), ("epochs", "=", 1)]).to_pylist()
    rows = [row for row in table if row["marks"]]
    return pa.table(
        {
            "step": np.repeat([float(row["step"]) for row in rows], N),
            "task": np.repeat([row["task"] for row in rows], N),
            "metric": np.repeat([row["metric"] for row in rows], N),
            "sample": np.tile(np.arange(N), len(rows)),
            "epoch": np.zeros(N * len(rows), int),
            "value": np.concatenate(
                [np.unpackbits(np.frombuffer(row["marks"], np.uint8))[:N] for row in rows]
            ).astype(float),
        }
    )


def until(given: Any, step: float) -> Any:
    """What was known at a step."""
    points, scalars, samples = given
    known = {name: sum(x <= step for x in places) for name, (places, _) in scalars.items()}
    return (
        [row for row in points if row["step"] <= step],
        {name: (xs[: known[name]], ys[: known[name]]) for name, (xs, ys) in scalars.items()},
        samples.filter(pc.less_equal(samples["step"], step)),
    )


@pytest.mark.parametrize("name", ["tiro-2x64-seed12", "tiro-1x48-seed12"])
def test_a_replayed_run_withdraws_nothing(name: str) -> None:
    whole = (*run_of(name), samples_of(name))
    before: list[Any] = []
    for step in sorted({row["step"] for row in whole[0]}):
        points, scalars, samples = until(whole, step)
        now = early_warnings(points, task="recall", scalars=scalars, samples=samples, indicators=KINDS[:4])
        assert now[: len(before)] == before
        assert all(warning.at == step for warning in now[len(before) :])
        before = now
    assert before


@pytest.mark.parametrize("name", ["tiro-2x64-seed12", "tiro-2x64-seed13"])
def test_warnings_come_before_the_jump_by_the_lead_that_is_claimed(name: str) -> None:
    points, _ = run_of(name)
    warnings = early_warnings(points)
    assert {(warning.task, warning.indicator) for warning in warnings} == {("recite", "continuous")}
    (warning,) = warnings
    (finding,) = detect_all(points, axis="step", tasks=["recite"], bootstraps=200)
    assert finding.verdict == "emergent"
    assert finding.onset is not None
    assert warning.lead is not None
    assert warning.false_alarms is not None
    assert 1 < warning.lead.low - 0.01 <= finding.onset.value / warning.at <= warning.lead.high + 0.01


def test_scalars_move_before_the_jump_and_without_one_and_say_so() -> None:
    points, scalars = run_of("tiro-2x64-seed12")
    raised = early_warnings(points, task="recall", scalars=scalars, indicators=("progress",))
    assert "progress:previous_token" in {warning.indicator for warning in raised}
    points, scalars = run_of("tiro-1x48-seed14")
    raised = early_warnings(points, task="recall", scalars=scalars, indicators=("progress",))
    assert "progress:previous_token" in {warning.indicator for warning in raised}
    for warning in raised:
        assert warning.false_alarms is not None
        assert warning.false_alarms > 0.1
        assert "warned all the same" in warning.reason


def test_what_was_measured_is_said() -> None:
    assert set(DEFAULT) <= set(KINDS)
    for name, known in MEASURED.items():
        assert name.partition(":")[0] in KINDS or name in KINDS
        assert 0 <= known.wrong <= known.still
        assert 0 <= known.warned <= known.jumps
        assert (known.lead is None) == (known.warned == 0)
    assert {"continuous", "flicker", "flicker:epochs", "variance", "autocorrelation"} <= set(MEASURED)
