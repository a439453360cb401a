"""Samples that belong together: the standard error of a point counts each cluster once."""

import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import saltus
from saltus.records import Sample, Score
from saltus.stats import clustered_mean


def _samples(names, task="t"):
    return [
        Sample(
            task=task, task_version="v", id=str(i), input="?", target="!", slices={"cluster": c} if c else {}
        )
        for i, c in enumerate(names)
    ]


def _scores(values, task="t", **more):
    fields = {"run": "r", "model": "m", "metric": "acc"} | more
    return [Score(task=task, sample=str(i), value=float(v), **fields) for i, v in enumerate(values)]


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.integers(0, 4)), min_size=2, max_size=30),
    st.booleans(),
)
def test_points_give_the_clustered_error(rows, repeats):
    names = [name for name, _ in rows]
    values = np.asarray([value for _, value in rows], float)
    with tempfile.TemporaryDirectory() as folder, saltus.open(folder) as store:
        store.append("samples", _samples(names))
        store.append("scores", _scores(values))
        if repeats:
            store.append("scores", _scores(values + 1, epoch=1))
            values = values + 0.5
        (point,) = store.points().to_pylist()
        (in_sql,) = store.sql("SELECT stderr, n FROM points").to_pylist()
    expected = clustered_mean(values, [name or f"alone {i}" for i, name in enumerate(names)])
    assert point["value"] == pytest.approx(expected.mean)
    assert point["n"] == len(rows)
    for found in (point["stderr"], in_sql["stderr"]):
        assert (found is None) == (expected.stderr is None)
        assert found is None or found == pytest.approx(expected.stderr, rel=1e-9, abs=1e-9)


def test_tasks_without_clusters_keep_their_error(store):
    store.append("samples", _samples(["a", "a", "b", "b"]) + _samples([""] * 4, task="u"))
    for task in "tu":
        store.append("scores", _scores([1, 1, 0, 0], task=task))
    found = {point["task"]: point["stderr"] for point in store.points().to_pylist()}
    assert found == {"t": pytest.approx(0.5), "u": pytest.approx(np.std([1, 1, 0, 0], ddof=1) / 2)}
    assert store.points(task="u").to_pylist()[0]["stderr"] == pytest.approx(found["u"])


def test_one_cluster_and_infinite_scores_have_no_error(store):
    store.append("samples", _samples(["a", "a"]))
    store.append("scores", _scores([1, 0]) + _scores([-1, -float("inf")], metric="target_logprob"))
    assert {p["metric"]: p["stderr"] for p in store.points().to_pylist()} == {
        "acc": None,
        "target_logprob": None,
    }


def test_pairs_stand_side_by_side_with_their_cluster(store):
    store.append("samples", _samples(["a", "", "b"]))
    store.append(
        "scores", _scores([1, 0, 1]) + _scores([0, 0, 1], epoch=1) + _scores([1, 1], run="s", model="k")
    )
    found = store.pairs(("r", "m"), ("s", "k"), only="t").to_pylist()
    assert [(row["sample"], row["a"], row["b"], row["cluster"]) for row in found] == [
        ("0", 0.5, 1.0, "a"),
        ("1", 0.0, 1.0, None),
        ("2", 1.0, None, "b"),
    ]
    assert store.pairs(("r", "m"), ("s", "k"), only="t", filters={"metric": "f*"}).num_rows == 0
