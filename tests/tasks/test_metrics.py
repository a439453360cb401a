"""Each metric against numbers worked out by hand, and what must hold for any response."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.records import METRICS as MEANINGS
from saltus.records import Response, Sample, UsageError
from saltus.tasks import METRICS, Task
from saltus.tasks.metrics import all_metrics, choice_probabilities, edit_distance, metrics_for


def sample(target: str = "abcd", choices: Sequence[str] = (), answer: int = -1) -> Sample:
    return Sample(
        task="t", task_version="1", id="s", input="q", target=target, choices=tuple(choices), answer=answer
    )


def response(
    output: str = "",
    logprobs: Sequence[float] = (),
    greedy: Sequence[bool] = (),
    choice_logprobs: Sequence[float] = (),
) -> Response:
    return Response(
        run="r",
        model="m",
        task="t",
        sample="s",
        output=output,
        logprobs=tuple(logprobs),
        greedy=tuple(greedy),
        choice_logprobs=tuple(choice_logprobs),
    )


THREE = response(choice_logprobs=[math.log(0.2), math.log(0.1), math.log(0.1)])


@pytest.mark.parametrize(
    ("metric", "asked", "answered", "value"),
    [
        ("exact_match", sample(), response(" abcd\n"), 1.0),
        ("exact_match", sample(), response("abc"), 0.0),
        ("token_edit_distance", sample(), response("abxd "), 1.0),
        ("token_edit_distance", sample(), response(""), 4.0),
        ("token_accuracy", sample(), response(greedy=[True, False, True, True]), 0.75),
        ("greedy_match", sample(), response(greedy=[True, False]), 0.0),
        ("greedy_match", sample(), response(greedy=[True, True]), 1.0),
        ("target_logprob", sample(), response(logprobs=[-1.0, -2.0, -6.0]), -3.0),
        ("choice_correct", sample(choices="abc", answer=0), THREE, 1.0),
        ("choice_correct", sample(choices="abc", answer=1), THREE, 0.0),
        ("choice_correct", sample(choices="ab", answer=1), response(choice_logprobs=[-1.0, -1.0]), 0.0),
        ("choice_grade", sample(choices="abc", answer=0), THREE, 0.5),
        ("choice_grade", sample(choices="abc", answer=2), THREE, 0.25),
        ("brier", sample(choices="abc", answer=0), THREE, 0.25 + 0.0625 + 0.0625),
        ("brier", sample(choices="abc", answer=1), THREE, 0.25 + 0.5625 + 0.0625),
        ("choice_grade", sample(choices="ab", answer=0), response(choice_logprobs=[-1e4, -2e4]), 1.0),
    ],
)
def test_by_hand(metric: str, asked: Sample, answered: Response, value: float) -> None:
    assert METRICS[metric].compute(asked, answered) == pytest.approx(value)


@given(st.lists(st.floats(-1000, 0), min_size=2, max_size=6), st.data())
def test_choice_metrics_stay_in_their_bounds(logprobs: list[float], data: st.DataObject) -> None:
    answer = data.draw(st.integers(0, len(logprobs) - 1))
    asked = sample(choices=["c"] * len(logprobs), answer=answer)
    answered = response(choice_logprobs=logprobs)
    assert math.fsum(choice_probabilities(answered)) == pytest.approx(1)
    for name in ("choice_correct", "choice_grade", "brier"):
        value = METRICS[name].compute(asked, answered)
        meaning = MEANINGS[name]
        assert meaning.low is not None
        assert meaning.high is not None
        assert meaning.low - 1e-12 <= value <= meaning.high + 1e-12


@given(st.lists(st.tuples(st.floats(-50, 0), st.booleans()), min_size=1))
def test_target_metrics_stay_in_their_bounds(tokens: list[tuple[float, bool]]) -> None:
    answered = response(logprobs=[one for one, _ in tokens], greedy=[one for _, one in tokens])
    assert METRICS["target_logprob"].compute(sample(), answered) <= 0
    accuracy = METRICS["token_accuracy"].compute(sample(), answered)
    assert 0 <= accuracy <= 1
    assert (accuracy == 1) == (METRICS["greedy_match"].compute(sample(), answered) == 1)


@given(st.text("ab", max_size=8), st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_edit_distance_is_a_distance(one: str, other: str, third: str) -> None:
    distance = edit_distance(one, other)
    assert distance == edit_distance(other, one)
    assert (distance == 0) == (one == other)
    assert abs(len(one) - len(other)) <= distance <= max(len(one), len(other))
    assert distance <= edit_distance(one, third) + edit_distance(third, other)


def test_every_metric_has_a_meaning() -> None:
    assert set(all_metrics()) - set(MEANINGS) == set()


def test_discontinuous_metrics_have_a_continuous_partner_that_exists() -> None:
    for name in all_metrics():
        info = MEANINGS[name]
        if info.kind == "discontinuous":
            assert any(MEANINGS[pair].kind == "continuous" for pair in info.pairs if pair in MEANINGS), name
            assert any(pair in all_metrics() for pair in info.pairs), name


def test_a_metric_must_fit_the_task() -> None:
    task = Task(name="t", kind="loglikelihood", items=tuple, metrics=("target_logprob",))
    assert [metric.name for metric in metrics_for(task)] == ["target_logprob"]
    assert metrics_for(task, ("exact_match", "greedy_match")) == (METRICS["greedy_match"],)
    assert metrics_for(task, ("exact_match",)) == ()
    with pytest.raises(UsageError, match="no metric is called 'blue'"):
        metrics_for(task, ("blue",))
    wrong = Task(name="t", kind="loglikelihood", items=tuple, metrics=("exact_match",))
    with pytest.raises(UsageError, match="task t is loglikelihood, which exact_match cannot score; use"):
        metrics_for(wrong)


def test_edit_distance_counts_tokens_where_the_model_says_them() -> None:
    said = Response(
        run="r",
        model="m",
        task="t",
        sample="s",
        output="abcdef",
        output_tokens=(11, 12),
        target_tokens=(11, 13, 14),
        logprobs=(-1.0, -1.0, -1.0),
    )
    assert METRICS["token_edit_distance"].compute(sample(target="abxxxxx"), said) == 2.0
    silent = msgspec.structs.replace(said, output="", output_tokens=())
    assert METRICS["token_edit_distance"].compute(sample(target="abxxxxx"), silent) == 3.0


@pytest.mark.parametrize("name", ["token_accuracy", "greedy_match"])
def test_a_server_that_does_not_say_what_was_likeliest_gives_no_score(name: str) -> None:
    sample = Sample(task="t", task_version="1", id="s", input="a", target="b")
    response = Response(run="r", model="m", task="t", sample="s", logprobs=(-0.5,))
    assert math.isnan(METRICS[name].compute(sample, response))
