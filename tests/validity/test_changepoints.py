"""False changes on curves without one, how often changes are found, and whether their intervals cover."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from saltus.emergence.lags import _estimate
from saltus.stats.changepoints import ChangeFit, change_points

from .change_truths import NULLS, Curve, changed_curve, null_curve

SIZES = (20, 40)


def fit(curve: Curve) -> ChangeFit:
    return change_points(curve.x, curve.y, variance=curve.variance)


@pytest.mark.slow
def test_curves_without_a_change_show_none() -> None:
    rates = {}
    for code, kind in enumerate(NULLS):
        curves = [
            null_curve(kind, size, np.random.default_rng([1, code, size, i]))
            for size in SIZES
            for i in range(40)
        ]
        rates[kind] = float(np.mean([bool(fit(curve).changes) for curve in curves]))
        print(f"{kind}: a false change in {rates[kind]:.3f} of {len(curves)} curves")
    pooled = float(np.mean(list(rates.values())))
    print(f"pooled {pooled:.3f}")
    assert pooled <= 0.05
    assert max(rates.values()) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 80)


# Kind, checkpoints, size in standard deviations of one value; least share with the right number of changes.
POWER = [
    ("one step", 20, 5, 0.6),
    ("one step", 20, 10, 0.95),
    ("one step", 40, 3, 0.55),
    ("one step", 40, 5, 0.8),
    ("two steps", 20, 10, 0.5),
    ("two steps", 40, 5, 0.6),
    ("two steps", 40, 10, 0.9),
    ("three steps", 40, 10, 0.75),
    ("sigmoid", 40, 5, 0.75),
    ("onset", 40, 20, 0.85),
]


@pytest.mark.slow
def test_changes_are_found_and_their_intervals_cover() -> None:
    covered: dict[str, list[bool]] = defaultdict(list)
    for kind, size, sigmas, least in POWER:
        right, hits, truths = 0, 0, 0
        for i in range(30):
            curve = changed_curve(kind, size, sigmas, np.random.default_rng([2, size, sigmas, i]))
            found = fit(curve).changes
            truths += len(curve.changes)
            hits += sum(near(curve, c.at, t) for t in curve.changes for c in found)
            if len(found) != len(curve.changes):
                continue
            right += 1
            covered[kind] += [
                c.low * 0.9999 <= t <= c.high * 1.0001 for c, t in zip(found, curve.changes, strict=True)
            ]
        print(
            f"{kind}, {size} checkpoints, {sigmas} sigma: right number {right / 30:.2f}, "
            f"within one checkpoint {hits / truths:.2f}"
        )
        assert right / 30 >= least - 2 * np.sqrt(least * (1 - least) / 30), (kind, size, sigmas)
    for kind, all_ in covered.items():
        print(f"{kind}: 90 % intervals cover {np.mean(all_):.3f} of {len(all_)}")
    pooled = float(np.mean([one for all_ in covered.values() for one in all_]))
    print(f"pooled {pooled:.3f}")
    assert pooled >= 0.88
    assert min(np.mean(all_) for all_ in covered.values()) >= 0.8


def near(curve: Curve, at: float, truth: float) -> bool:
    """Whether a place is within one checkpoint of the truth."""
    index = np.interp(np.log([at, truth]), np.log(curve.x), np.arange(len(curve.x)))
    return bool(abs(index[1] - index[0]) <= 1)


@pytest.mark.parametrize("runs", [2, 3, 6])
def test_intervals_of_lags_cover_the_mean_over_runs(runs: int) -> None:
    rng = np.random.default_rng(3)
    hit, false = 0, 0
    for _ in range(1000):
        value = 1.0 + 0.3 * rng.standard_normal(runs)  # runs differ by .3, each place by .1 beyond
        draws = (value + 0.1 * rng.standard_normal(runs))[:, None] + 0.1 * rng.standard_normal((runs, 50))
        interval, _ = _estimate(draws.mean(1), draws)
        hit += interval.low <= 1 <= interval.high
        _, p = _estimate(draws.mean(1) - 1, draws - 1)
        false += p <= 0.05
    print(f"{runs} runs: covers {hit / 1000:.3f}, order claimed where there is none {false / 1000:.3f}")
    assert 0.87 <= hit / 1000 <= (0.97 if runs > 2 else 1.0)
    assert false / 1000 <= 0.065
