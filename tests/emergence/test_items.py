"""Models that answered the same items: their common luck is no trend, and a smaller jump is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtri

from saltus.emergence import detect_all
from saltus.stats import ItemScores

X = np.geomspace(1e8, 1.2e10, 8)


def asked(mean: np.ndarray, items: int, rng: np.random.Generator) -> np.ndarray:
    """Answers of models of mean score `mean` on items of a shared difficulty."""
    latent = np.sqrt(0.9) * rng.standard_normal((items, 1)) + np.sqrt(0.1) * rng.standard_normal(
        (items, len(mean))
    )
    return (latent < ndtri(mean)).astype(float)


def shared(scores: np.ndarray) -> dict[tuple[str, str, str, str], ItemScores]:
    models = tuple(f"model-{i}" for i in range(scores.shape[1]))
    return {("made", "task", "exact_match", ""): ItemScores(models, scores)}


def test_a_small_step_is_found_more_often_with_the_items(made: Any) -> None:
    rng = np.random.default_rng(0)
    found = {True: 0, False: 0}
    for _ in range(24):
        scores = asked(np.where(X < 9e8, 0.25, 0.35), 200, rng)
        points = made(X, scores.mean(0), n=200)
        for with_items in found:
            items = shared(scores) if with_items else None
            finding = detect_all(points, axis="params", tau=0.005, bootstraps=400, items=items)[0]
            found[with_items] += finding.verdict == "emergent"
    assert found[True] >= found[False] + 6


def test_a_flat_series_stays_flat_and_the_finding_says_that_items_are_shared(made: Any) -> None:
    rng = np.random.default_rng(1)
    verdicts = []
    for _ in range(30):
        scores = asked(np.full(8, 0.3), 200, rng)
        held = shared(scores)
        finding = detect_all(
            made(X, scores.mean(0), n=200),
            axis="params",
            bootstraps=200,
            items=lambda *key, held=held: held.get(key),
        )[0]
        verdicts.append(finding.verdict)
        assert any("answered the same items" in reason for reason in finding.reasons)
    assert verdicts.count("emergent") + verdicts.count("accelerating") <= 2


def test_items_that_miss_a_model_are_not_used(made: Any) -> None:
    scores = asked(np.full(8, 0.3), 200, np.random.default_rng(2))
    key, whole = next(iter(shared(scores).items()))
    items = {key: ItemScores(whole.models[:-1], scores[:, :-1])}
    points = made(X, scores.mean(0), n=200)
    with_items = detect_all(points, axis="params", bootstraps=99, items=items)
    assert with_items == detect_all(points, axis="params", bootstraps=99)
