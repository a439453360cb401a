"""The ratio of two means on the same samples, and when the denominator is too small for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_GUARD = 0.998  # two-sided, so that a denominator of mean 0 passes for a positive one at most once in 1,000


class Ratios(msgspec.Struct, frozen=True):
    """Ratios of means over one denominator.

    Attributes:
        values: One a column of the numerators; NaN throughout where `bounded` is False.
        low: Lower ends.
        high: Upper ends.
        level: Coverage of the intervals.
        denominator: Its mean.
        bounded: Whether the denominator's mean is clearly above 0; without that a ratio means nothing.
        n: Samples.
    """

    values: Floats
    low: Floats
    high: Floats
    level: float
    denominator: float
    bounded: bool
    n: int


def ratios_of_means(
    numerators: ArrayLike,
    denominators: ArrayLike,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    *,
    level: float = 0.9,
) -> Ratios:
    """Mean of each numerator over the mean of the denominator, with Fieller's interval (Fieller 1954).

    The interval holds every ratio r for which a t test does not reject that the mean of a - r b is 0. Unlike
    a bootstrap it needs no seed, and it is unbounded exactly where the denominator cannot be told from 0; the
    ratio is refused well before that, where the denominator is not above 0 by a test at one in 1,000.
    Samples of one cluster are summed first, and the degrees of freedom are those of the clusters.

    Args:
        numerators: Shape (n,) or (n, columns), finite.
        denominators: Shape (n,), finite.
        clusters: What each sample belongs to; None where all stand alone.
        level: Coverage, between 0 and 1.

    Raises:
        ValueError: There are no samples, or the shapes do not fit.

    Examples:
        >>> found = ratios_of_means([1.0, 1.6, 2.1, 1.9, 1.4, 1.0], [2.0, 3.0, 4.0, 4.0, 3.0, 2.0])
        >>> [round(float(x), 3) for x in (found.values[0], found.low[0], found.high[0])]
        [0.5, 0.475, 0.525]
        >>> ratios_of_means([1.0, 2.0], [1.0, -1.0]).bounded
        False
    """
    from scipy.special import stdtrit

    top = np.asarray(numerators, float)
    top = top[:, None] if top.ndim == 1 else top
    below = np.asarray(denominators, float)
    n = below.size
    if not n or top.shape[0] != n:
        raise ValueError(f"ratios need equally many samples above and below; found {len(top)} and {n}")
    top, below = _by_cluster(top, below, clusters)
    groups = below.size
    columns = top.shape[1]
    lost = np.full(columns, np.nan)
    mean, means = float(below.mean()), top.mean(0)
    scale = groups / n  # back to means over samples
    if groups < 2:
        return Ratios(lost, lost, lost, level, mean * scale, False, n)
    spread = float(below.var(ddof=1)) / groups
    if mean <= 0 or mean <= float(stdtrit(groups - 1, (1 + max(_GUARD, level)) / 2)) * np.sqrt(spread):
        return Ratios(lost, lost, lost, level, mean * scale, False, n)
    variance = top.var(0, ddof=1) / groups
    covariance = (top - means).T @ (below - mean) / (groups - 1) / groups
    ratio = means / mean
    t = float(stdtrit(groups - 1, (1 + level) / 2))
    g = t * t * spread / mean**2
    share = covariance / spread if spread else np.zeros(columns)
    inner = variance - 2 * ratio * covariance + ratio**2 * spread - g * (variance - share * covariance)
    half = t / mean * np.sqrt(np.maximum(inner, 0))
    centre = ratio - g * share
    return Ratios(ratio, (centre - half) / (1 - g), (centre + half) / (1 - g), level, mean * scale, True, n)


def _by_cluster(
    top: Floats, below: Floats, clusters: Sequence[Any] | NDArray[Any] | None
) -> tuple[Floats, Floats]:
    if clusters is None:
        return top, below
    _, places = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((places.max() + 1, top.shape[1]))
    np.add.at(sums, places, top)
    return sums, np.bincount(places, weights=below).astype(np.float64)
