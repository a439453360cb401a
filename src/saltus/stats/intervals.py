"""Intervals for a share of right answers, and the sample sizes that would make them narrow enough."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def clopper_pearson(hits: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Exact two-sided interval of a binomial share (Clopper and Pearson 1934).

    Args:
        hits: Right answers; fractions are taken as they are (a mean of partial marks times n).
        n: Samples, at least 1.
        level: Coverage, between 0 and 1.

    Returns:
        Lower and upper ends, shape of the broadcast inputs.

    Examples:
        >>> low, high = clopper_pearson(0, 100)
        >>> float(low), round(float(high), 4)
        (0.0, 0.0362)
    """
    from scipy.special import betaincinv

    k, m = np.broadcast_arrays(np.asarray(hits, float), np.asarray(n, float))
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(k <= 0, 0.0, betaincinv(np.maximum(k, 1e-9), np.maximum(m - k + 1, 1e-9), tail))
        high = np.where(k >= m, 1.0, betaincinv(np.maximum(k + 1, 1e-9), np.maximum(m - k, 1e-9), 1 - tail))
    return low, high


def paired_share_difference(wins: int, losses: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of the difference of two shares on the same samples (Agresti and Min 2005, section 4).

    Half a sample is added to each of the four cells of the paired table, and Wald's interval taken; it keeps
    its coverage with few discordant pairs, where the plain one has no width.

    Args:
        wins: Samples right in the second only.
        losses: Samples right in the first only.
        n: Samples, at least 1.
        level: Coverage, between 0 and 1.

    Returns:
        Ends of the interval of second minus first, within -1 and 1.

    Examples:
        >>> low, high = paired_share_difference(0, 0, 256)
        >>> round(low, 4), round(high, 4)
        (-0.0076, 0.0076)
    """
    from scipy.special import ndtri

    b, c, m = wins + 0.5, losses + 0.5, n + 2.0
    centre = (b - c) / m
    half = float(ndtri(0.5 + level / 2)) * math.sqrt((b + c) - (b - c) ** 2 / m) / m
    return max(centre - half, -1.0), min(centre + half, 1.0)


def resolution(n: float, level: float = 0.95) -> float:
    """Largest true share that a score of 0 in `n` samples cannot exclude (upper Clopper-Pearson end at 0).

    Examples:
        >>> round(resolution(1003), 5)
        0.00367
    """
    return float(1 - ((1 - level) / 2) ** (1 / n))


def resolution_at(chance: float, n: float, level: float = 0.95) -> float:
    """Largest true share that a score of `chance` in `n` samples cannot exclude (upper Clopper-Pearson end).

    Examples:
        >>> round(resolution_at(0, 5000), 6), round(resolution_at(0.25, 100), 3)
        (0.000738, 0.347)
    """
    return float(clopper_pearson(chance * n, n, level)[1])


def samples_for_halfwidth(share: float, halfwidth: float, z: float = 1.645) -> int:
    """Samples a point needs so that its normal interval reaches `halfwidth` to either side."""
    spread = max(share * (1 - share), 0.02)
    return math.ceil(spread * (z / halfwidth) ** 2)
