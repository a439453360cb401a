"""How well raters agree: Cohen's kappa of two, Krippendorff's alpha of any number with gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Scale = Literal["nominal", "ordinal", "interval"]


def cohen_kappa(one: Sequence[object], other: Sequence[object]) -> float:
    """Agreement of two raters beyond chance, on categories (Cohen 1960): 1 perfect, 0 as by chance.

    NaN where both always say the same one thing, as chance agreement is then perfect too.

    Args:
        one: What the first rater said, item by item.
        other: What the second said of the same items.

    Examples:
        >>> cohen_kappa([1, 1, 0, 0], [1, 0, 0, 0])
        0.5
    """
    if len(one) != len(other) or not one:
        raise ValueError(
            f"one rater has {len(one)} items and the other {len(other)}; both need the same, one or more"
        )
    n = len(one)
    observed = sum(a == b for a, b in zip(one, other, strict=True)) / n
    expected = sum(
        (sum(a == name for a in one) / n) * (sum(b == name for b in other) / n) for name in {*one, *other}
    )
    return math.nan if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(ratings: ArrayLike, *, scale: Scale = "nominal") -> float:
    """Agreement of any number of raters with gaps (Krippendorff 2011, "Computing alpha", section E).

    NaN where no item has two ratings, or all ratings are the same.

    Args:
        ratings: Shape (raters, items); NaN where a rater did not see an item.
        scale: How far two values are apart: "nominal" (same or not), "interval" (squared distance), "ordinal"
            (squared count of the ratings between them).

    Examples:
        >>> krippendorff_alpha([[1, 2, 3, 3], [1, 2, 3, 3]])
        1.0
    """
    table = np.asarray(ratings, float)
    values = np.unique(table[~np.isnan(table)])
    counts = (
        np.stack([(table == value).sum(axis=0) for value in values], axis=1)
        if len(values)
        else np.zeros((0, 0))
    )
    counts = counts[counts.sum(axis=1) > 1].astype(float) if counts.size else counts
    if counts.size == 0:
        return math.nan
    raters = counts.sum(axis=1)
    coincidence = (counts.T / (raters - 1)) @ counts - np.diag((counts / (raters - 1)[:, None]).sum(axis=0))
    totals = coincidence.sum(axis=0)
    n = totals.sum()
    distance = _distances(values, totals, scale)
    expected = float(totals @ distance @ totals) / (n * (n - 1))
    if expected == 0:
        return math.nan
    return float(1 - (coincidence * distance).sum() / n / expected)


def _distances(values: Floats, totals: Floats, scale: Scale) -> Floats:
    match scale:
        case "nominal":
            return 1.0 - np.eye(len(values))
        case "interval":
            return np.asarray((values[:, None] - values[None, :]) ** 2)
        case "ordinal":
            below = np.cumsum(totals)
            middle = below - totals / 2
            return np.asarray((middle[:, None] - middle[None, :]) ** 2)
