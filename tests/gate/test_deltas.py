"""Comparisons of two runs, or two models, on what both measured."""

import numpy as np
import pytest

import saltus
from saltus.gate import Question, compare, pairings
from saltus.records import Sample, Score
from saltus.records.errors import UsageError
from saltus.stats import holm, paired_difference


@pytest.fixture
def store(tmp_path):
    with saltus.open(tmp_path / "evidence") as opened:
        yield opened


def scores(run, values, model="m", task="t", metric="exact_match", **more):
    return [
        Score(run=run, model=model, task=task, sample=f"s{i}", metric=metric, value=float(v), **more)
        for i, v in enumerate(values)
    ]


def test_differences_are_paired_clustered_and_corrected(store):
    rng = np.random.default_rng(0)
    names = [f"c{i // 4}" for i in range(40)]
    store.append(
        "samples",
        [
            Sample(task="t", task_version="v", id=f"s{i}", input="", target="", slices={"cluster": c})
            for i, c in enumerate(names)
        ],
    )
    a, b = rng.integers(0, 2, 40), rng.integers(0, 2, 40)
    loss = rng.gamma(2, size=40)
    store.append("scores", scores("aa", a) + scores("bb", b))
    store.append(
        "scores",
        scores("aa", loss, task="u", metric="ppl") + scores("bb", loss - 0.5, task="u", metric="ppl"),
    )
    found = compare(store, pairings(store, ["a", "b"]))
    clustered, lower = found.deltas
    expected = paired_difference(a, b, names)
    assert (clustered.difference, clustered.stderr, clustered.low, clustered.p) == pytest.approx(
        (expected.difference, expected.stderr, expected.low, expected.p)
    )
    assert (clustered.n, clustered.clusters, clustered.test) == (40, 10, "t")
    assert [clustered.p_holm, lower.p_holm] == pytest.approx(list(holm([clustered.p, lower.p])))
    assert (lower.metric, lower.better, lower.wins, lower.losses) == ("ppl", "b", 40, 0)  # lower is better
    assert lower.difference == pytest.approx(-0.5)
    assert found.tests == 2


def test_epochs_are_averaged_and_what_one_side_lacks_is_counted(store):
    store.append("scores", scores("aa", [1, 0, 1]) + scores("aa", [0, 0, 1], epoch=1))
    store.append("scores", scores("bb", [1, 1]) + scores("bb", [1], task="only-b"))
    found = compare(store, pairings(store, ["aa", "bb"]), Question(flips=5))
    (delta,) = found.deltas
    assert (delta.n, delta.only_a, delta.only_b) == (2, 1, 0)
    assert (delta.mean_a, delta.mean_b) == (0.25, 1.0)
    assert [(flip.sample, flip.a, flip.b) for flip in delta.flips] == [("s1", 0.0, 1.0), ("s0", 0.5, 1.0)]
    assert found.unpaired == ("only-b exact_match: only b",)


def test_an_undecided_difference_says_what_would_decide_it(store):
    store.append("scores", scores("aa", [0, 1] * 20) + scores("bb", [1, 0, 0, 1] * 9 + [1, 1, 0, 1]))
    (delta,) = compare(store, pairings(store, ["aa", "bb"])).deltas
    assert (delta.test, delta.better) == ("mcnemar", "")
    assert delta.n == 40
    assert delta.detectable > abs(delta.difference)
    assert delta.needed > 100 * delta.n
    assert delta.low < 0 < delta.high


def test_two_models_of_one_run(store):
    store.append(
        "scores", scores("aa", [0, 1, 0], model="m@step1") + scores("aa", [1, 1, 1], model="m@step2")
    )
    (pair,) = pairings(store, ["aa"], ["m@step1", "m@step2"])
    (delta,) = compare(store, [pair]).deltas
    assert (delta.a.model, delta.b.model, delta.wins) == ("m@step1", "m@step2", 2)
    (across,) = pairings(store, ["aa", "aa"], ["m@step1", "m@step2"])
    assert across == pair


def test_two_runs_of_one_model_each_are_paired(store):
    store.append("scores", scores("aa", [0, 1], model="old") + scores("bb", [1, 1], model="new"))
    (pair,) = pairings(store, ["aa", "bb"])
    assert (pair.a.model, pair.b.model) == ("old", "new")


@pytest.mark.parametrize(
    ("runs", "models", "message"),
    [
        (["zz"], [], "no run with scores of samples has the id 'zz'"),
        (["a"], [], "begins the ids of 2 runs"),
        (["a1"], [], "stands on both sides; name two of its models"),
        (["a1"], ["x", "x"], "the same model of the same run"),
        (["a1"], ["x", "q"], "'q' names no model of run a1"),
        (["a1", "b1"], [], "no model in common"),
        (["a1"], ["v", "x"], "'v' names 2 models"),
    ],
)
def test_what_is_not_clear_is_asked(store, runs, models, message):
    store.append(
        "scores",
        scores("a1", [1], model="x") + scores("a1", [1], model="v@1") + scores("a1", [1], model="v@2"),
    )
    store.append("scores", scores("a2", [1], model="x") + scores("b1", [1], model="k"))
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        pairings(store, runs, models)


def test_nothing_in_common_is_an_error(store):
    store.append("scores", scores("aa", [1], task="t") + scores("bb", [1], task="u"))
    with pytest.raises(UsageError, match="no scored sample in common"):
        compare(store, pairings(store, ["aa", "bb"]))
    with pytest.raises(UsageError, match="no scored sample in common"):
        compare(store, pairings(store, ["aa", "bb"]), Question(task="v*"))
