"""Per-item scores by series, as a detector asks for them."""

import numpy as np
import pytest

from saltus.emergence import detect_all
from saltus.records import ModelRecord, RunRecord, Sample, Score
from saltus.store import Items


def _fill(store, scores, *, clusters=None, run="r1", created=1.0, family="f"):
    """Answers of shape (items, models) as a run over models m0, m1, ..., of growing size."""
    items, models = scores.shape
    store.append("runs", [RunRecord(id=run, kind="run", created=created, source="test", format="saltus")])
    store.append(
        "models",
        [ModelRecord(name=f"m{i}", family=family, params=1e8 * 2.0**i) for i in range(models)],
    )
    names = [""] * items if clusters is None else clusters
    store.append(
        "samples",
        [
            Sample(
                task="t",
                task_version="v",
                id=str(i),
                input="?",
                target="!",
                chance=0.25,
                slices={"cluster": c} if c else {},
            )
            for i, c in enumerate(names)
        ],
    )
    rows = [
        Score(run=run, model=f"m{m}", task="t", sample=str(i), metric="acc", value=float(scores[i, m]))
        for m in range(models)
        for i in range(items)
        if np.isfinite(scores[i, m])
    ]
    store.append("scores", rows)


def test_the_scores_of_the_last_run_by_item_and_model(store):
    rng = np.random.default_rng(0)
    old, new = (rng.integers(0, 2, (12, 3)).astype(float) for _ in range(2))
    new[5, 1] = np.nan
    _fill(store, old)
    _fill(store, new, run="r2", created=2.0)
    found = Items(store)("f", "t", "acc", "")
    assert found is not None
    assert found.models == ("m0", "m1", "m2")
    assert found.clusters is None
    assert np.isnan(found.scores).sum() == 1
    assert sorted(map(tuple, np.nan_to_num(found.scores, nan=-1))) == sorted(
        map(tuple, np.nan_to_num(new, nan=-1))
    )
    assert Items(store)("other", "t", "acc", "") is None
    assert Items(store)("f", "t", "exact_match", "") is None


def test_items_without_a_cluster_stand_alone(store):
    _fill(store, np.ones((6, 2)), clusters=["a", "a", "b", "b", "", ""])
    found = Items(store)("f", "t", "acc", "")
    assert found is not None
    assert sorted(np.unique(found.clusters, return_counts=True)[1]) == [1, 1, 2, 2]


def test_an_empty_store_has_none(store):
    assert Items(store)("f", "t", "acc", "") is None


@pytest.mark.parametrize("shared", [True, False])
def test_clustered_answers_are_no_jump(store, shared):
    """Forty passages of twenty questions, right or wrong together: the points scatter, and nothing jumps."""
    rng = np.random.default_rng(3)
    luck = rng.random((40, 1, 1)) if shared else rng.random((40, 1, 8))
    own = rng.random((40, 20, 8))
    together = rng.random((40, 20, 8)) < 0.7
    scores = (np.where(together, luck, own) < 0.4).astype(float).reshape(800, 8)
    _fill(store, scores, clusters=[str(i // 20) for i in range(800)])
    points = store.points()
    stderr = np.array(points["stderr"].to_pylist())
    assert np.median(stderr / np.sqrt(0.24 / 800)) > 2
    (finding,) = detect_all(points, axis="params", items=Items(store), bootstraps=400)
    assert finding.verdict in ("no_change", "not_above_chance", "below_threshold")
    assert any("answered the same items" in reason for reason in finding.reasons)
