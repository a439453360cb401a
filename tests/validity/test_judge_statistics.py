"""Simulations with known truth: intervals from labels and a judge, and a win rate at equal length."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.stats import length_controlled_win_rate, ppi_mean

REPEATS = 600
Floats = np.ndarray


def judged(kind: str, truth: Floats, rng: np.random.Generator) -> Floats:
    match kind:
        case "good":
            return np.clip(0.85 * truth + 0.1 + rng.normal(0, 0.12, len(truth)), 0, 1)
        case "kind":  # calls a fifth of the wrong answers right
            return np.where(rng.random(len(truth)) < 0.8, truth, 1.0)
        case "noise":
            return rng.random(len(truth))
        case _:  # contrary
            return 1 - truth * rng.random(len(truth))


@pytest.mark.parametrize("kind", ["good", "kind", "noise", "contrary"])
@pytest.mark.parametrize(("n", "others"), [(50, 500), (200, 1000), (100, 100)])
def test_prediction_powered_intervals_cover(kind: str, n: int, others: int) -> None:
    rng = np.random.default_rng(7)
    hits = 0
    widths = np.zeros(2)
    for _ in range(REPEATS):
        truth = (rng.random(n + others) < 0.5).astype(float)
        scores = judged(kind, truth, rng)
        found = ppi_mean(truth[:n], scores[:n], scores[n:])
        hits += found.low <= 0.5 <= found.high
        widths += found.high - found.low, found.labels_high - found.labels_low
    ratio = widths[0] / widths[1]
    print(kind, n, others, "coverage", hits / REPEATS, "width over labels only", ratio)
    assert 0.915 <= hits / REPEATS <= 0.98
    if kind in ("good", "kind"):
        assert ratio < 0.85
    assert ratio < 1.02


def test_the_corrected_mean_is_right_where_the_judge_is_not() -> None:
    rng = np.random.default_rng(8)
    values, raw = [], []
    for _ in range(400):
        truth = (rng.random(600) < 0.4).astype(float)
        scores = judged("kind", truth, rng)
        found = ppi_mean(truth[:100], scores[:100], scores[100:])
        values.append(found.value)
        raw.append(found.judge_only)
    assert np.mean(raw) > 0.5
    assert np.mean(values) == pytest.approx(0.4, abs=0.008)


@pytest.mark.parametrize(
    ("strength", "liking", "ahead", "n"),
    [
        (0.0, 1.5, 80, 200),
        (0.0, 2.0, 150, 400),
        (1.0, 1.5, 80, 300),
        (1.0, 0.0, 80, 200),
        (-0.5, 1.0, -50, 400),
    ],
)
def test_length_is_controlled_and_a_real_difference_is_kept(
    strength: float, liking: float, ahead: float, n: int
) -> None:
    rng = np.random.default_rng(9)
    truth = 1 / (1 + np.exp(-strength))
    hits, values, raw = 0, [], []
    for _ in range(REPEATS):
        difference = rng.normal(ahead, 100, n)
        # The judge's liking for length, in units that the estimate has to find for itself.
        chance = 1 / (1 + np.exp(-(strength + liking * np.tanh(difference / difference.std()))))
        found = length_controlled_win_rate(rng.random(n) < chance, difference)
        hits += found.low <= truth <= found.high
        values.append(found.value)
        raw.append(found.raw)
    print(strength, liking, "raw", np.mean(raw), "controlled", np.mean(values), "coverage", hits / REPEATS)
    assert np.mean(values) == pytest.approx(truth, abs=0.012)
    assert 0.92 <= hits / REPEATS <= 0.98
    if liking:
        assert abs(np.mean(raw) - truth) > 0.05


def test_one_sided_verdicts_stay_finite() -> None:
    found = length_controlled_win_rate(np.ones(20), np.linspace(-3, 9, 20))
    assert 0.8 < found.value < 1
    assert found.low < 0.97
    assert found.high <= 1
    same = length_controlled_win_rate([1, 0, 1, 1], [0, 0, 0, 0])
    assert (same.raw, same.length_effect) == (0.75, 0.0)
    apart = length_controlled_win_rate([0, 0, 0, 1, 1, 1], [-3, -2, -1, 1, 2, 3])
    assert 0.3 < apart.value < 0.7
