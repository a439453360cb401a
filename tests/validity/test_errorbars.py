"""How often clustered and naive intervals cover, and how often the paired test calls what is none."""

import math

import numpy as np
import pytest

from saltus.stats import clustered_mean, minimum_detectable_effect, paired_difference

SERIES = 2000


def _grouped(rng, sizes, icc):
    """Normal scores of mean 0 and variance 1, correlated by `icc` within a cluster."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    shared = rng.normal(0, math.sqrt(icc), len(sizes))
    return shared[labels] + rng.normal(0, math.sqrt(1 - icc), labels.size), labels


@pytest.mark.parametrize(
    ("name", "sizes", "icc", "naive_at_most"),
    [
        ("independent", [5] * 20, 0.0, 0.97),
        ("20 clusters of 5", [5] * 20, 0.3, 0.85),
        ("5 clusters of 10", [10] * 5, 0.3, 0.72),
        ("12 clusters of 1 to 12", list(range(1, 13)), 0.3, 0.78),
        ("one large of 20", [100] + [5] * 19, 0.3, 0.45),
    ],
)
def test_clustered_intervals_cover_and_naive_ones_do_not(name, sizes, icc, naive_at_most):
    rng = np.random.default_rng(0)
    covered = naive = 0
    for _ in range(SERIES):
        y, labels = _grouped(rng, sizes, icc)
        found, alone = clustered_mean(y, labels), clustered_mean(y)
        covered += found.low <= 0 <= found.high
        naive += alone.low <= 0 <= alone.high
    print(f"{name}, correlation {icc}: clustered {covered / SERIES:.3f}, naive {naive / SERIES:.3f} of .95")
    assert 0.93 <= covered / SERIES <= 0.99
    assert naive / SERIES <= naive_at_most


@pytest.mark.parametrize("n", [20, 100, 400])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_the_paired_test_keeps_its_error_rate_on_full_marks_or_none(n, share):
    rng = np.random.default_rng(1)
    called = 0
    for _ in range(SERIES):
        hard = rng.random(n) < 0.5  # half of the samples are answered alike
        a, b = (np.where(hard, share, rng.random(n) < share).round() for _ in range(2))
        called += paired_difference(a, b).p <= 0.05
    print(f"McNemar, n = {n}, share {share}: {called / SERIES:.3f} called of .05")
    assert called / SERIES <= 0.06


@pytest.mark.parametrize("sizes", [[5] * 20, [10] * 6, list(range(1, 13))])
def test_the_clustered_paired_test_keeps_its_error_rate(sizes):
    rng = np.random.default_rng(2)
    called = naive = 0
    for _ in range(SERIES):
        gap, labels = _grouped(rng, sizes, 0.3)
        called += paired_difference(np.zeros(gap.size), gap, labels).p <= 0.05
        naive += paired_difference(np.zeros(gap.size), gap).p <= 0.05
    print(
        f"clusters {sizes[:3]}...: clustered {called / SERIES:.3f}, naive {naive / SERIES:.3f} called of .05"
    )
    assert called / SERIES <= 0.07
    assert naive / SERIES >= 0.12


def test_the_smallest_detectable_effect_is_found_as_often_as_promised():
    rng = np.random.default_rng(3)
    n, sd = 200, 0.6
    effect = minimum_detectable_effect(sd, n)
    found = sum(paired_difference(np.zeros(n), rng.normal(effect, sd, n)).p <= 0.05 for _ in range(SERIES))
    print(f"smallest detectable effect at 80 %: found {found / SERIES:.3f}")
    assert found / SERIES == pytest.approx(0.8, abs=0.03)
