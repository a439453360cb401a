"""The mean of a population of which some strata were looked at whole and others by a random draw."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special


class Stratum(msgspec.Struct, frozen=True):
    """A part of a population, and what was seen of it.

    Attributes:
        values: What was seen, a simple random draw without replacement; each in [0, 1].
        size: How many there are.
    """

    values: ArrayLike
    size: int


class StratifiedMean(msgspec.Struct, frozen=True):
    """A mean over all strata with its interval.

    Attributes:
        value: Estimate; None where nothing was seen of a stratum.
        low: Lower end, None likewise.
        high: Upper end, None likewise.
        level: Coverage.
        n: Values seen.
        size: Size of the population.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    size: int


def stratified_mean(strata: Sequence[Stratum], *, level: float = 0.95) -> StratifiedMean:
    """Unbiased mean of a stratified draw: each stratum's mean, weighted by its size (Cochran 1977, eq. 5.1).

    Each stratum has a Wilson interval with the finite population correction, which is no width when all of
    it was seen; the intervals are joined by recovery of variances (Zou and Donner 2008, eq. 4).

    Args:
        strata: Together the whole population.
        level: Coverage.

    Examples:
        >>> stratified_mean([Stratum([1, 0], 2), Stratum([1, 1, 0, 1], 6)]).value
        0.6875
    """
    strata = [one for one in strata if one.size]
    seen: list[NDArray[np.float64]] = [np.asarray(one.values, float) for one in strata]
    n, size = sum(map(len, seen)), sum(one.size for one in strata)
    if not strata or any(len(values) == 0 for values in seen):
        return StratifiedMean(None, None, None, level, n, size)
    z = math.sqrt(2) * float(special.erfinv(level))
    value = below = above = 0.0
    for values, stratum in zip(seen, strata, strict=True):
        weight = stratum.size / size
        mean = float(values.mean())
        low, high = _wilson(mean, float(values.var()), len(values), stratum.size, z)
        value += weight * mean
        below += (weight * (mean - low)) ** 2
        above += (weight * (high - mean)) ** 2
    low, high = max(0.0, value - math.sqrt(below)), min(1.0, value + math.sqrt(above))
    return StratifiedMean(value, low, high, level, n, size)


def _wilson(mean: float, variance: float, n: int, size: int, z: float) -> tuple[float, float]:
    if n >= size:
        return mean, mean
    worth = n * (size - 1) / (size - n)  # as many independent draws say as much
    centre = (mean + z * z / (2 * worth)) / (1 + z * z / worth)
    half = z * math.sqrt(variance / worth + z * z / (4 * worth * worth)) / (1 + z * z / worth)
    return min(mean, centre - half), max(mean, centre + half)
