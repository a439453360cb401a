"""How sure Krippendorff's alpha is: its interval, by drawing the items anew."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from saltus.stats.agreement import Scale, krippendorff_alpha

Floats = NDArray[np.float64]
_MOST_UNDEFINED = 0.05  # share of draws in which raters used one value only


class AlphaInterval(msgspec.Struct, frozen=True):
    """Krippendorff's alpha with its bootstrap interval.

    Attributes:
        value: Alpha; None where no item has two ratings, or all ratings are the same.
        low: Lower end; None where alpha is, with one item, or where many draws have one value only.
        high: Upper end, likewise.
        level: Coverage.
        items: Items with two ratings or more.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    items: int


def alpha_interval(
    ratings: ArrayLike,
    rng: np.random.Generator,
    *,
    scale: Scale = "nominal",
    level: float = 0.95,
    draws: int = 2000,
) -> AlphaInterval:
    """Krippendorff's alpha, with percentiles of alpha over items drawn anew with replacement.

    The standard bootstrap, which covers better than resampling disagreements (Zapf et al. 2016,
    doi:10.1186/s12874-016-0200-9).

    Args:
        ratings: Shape (raters, items); NaN where a rater did not see an item.
        rng: Source of randomness.
        scale: As for `krippendorff_alpha`.
        level: Coverage.
        draws: Bootstrap samples.
    """
    table = np.asarray(ratings, float)
    table = table[:, (~np.isnan(table)).sum(axis=0) > 1] if table.size else np.zeros((0, 0))
    items = table.shape[1]
    value = krippendorff_alpha(table, scale=scale) if items else math.nan
    if math.isnan(value):
        return AlphaInterval(None, None, None, level, items)
    if items == 1:
        return AlphaInterval(value, None, None, level, items)
    drawn = _alphas(table, rng.multinomial(items, np.full(items, 1 / items), size=draws), scale)
    defined = drawn[~np.isnan(drawn)]
    if len(defined) < (1 - _MOST_UNDEFINED) * draws:
        return AlphaInterval(value, None, None, level, items)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return AlphaInterval(value, float(low), float(high), level, items)


def _alphas(table: Floats, weights: NDArray[np.int64], scale: Scale) -> Floats:
    """Alpha of each draw; `weights` has how often each item was drawn, shape (draws, items)."""
    values = np.unique(table[~np.isnan(table)])
    counts = np.stack([(table == value).sum(axis=0) for value in values], axis=1).astype(float)
    raters = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))
    pairs /= (raters - 1)[:, None, None]
    coincidence = np.einsum("di,ijk->djk", weights.astype(float), pairs)
    totals = coincidence.sum(axis=2)
    n = totals.sum(axis=1)
    distance = _distances(values, totals, scale)
    expected = np.einsum("dj,djk,dk->d", totals, distance, totals) / (n * (n - 1))
    observed = (coincidence * distance).sum(axis=(1, 2)) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - observed / expected, np.nan)


def _distances(values: Floats, totals: Floats, scale: Scale) -> Floats:
    """Shape (draws, values, values): on the ordinal scale the distance depends on the draw's own counts."""
    match scale:
        case "nominal":
            return np.broadcast_to(1.0 - np.eye(len(values)), (len(totals), len(values), len(values)))
        case "interval":
            flat = (values[:, None] - values[None, :]) ** 2
            return np.broadcast_to(flat, (len(totals), len(values), len(values)))
        case "ordinal":
            middle = np.cumsum(totals, axis=1) - totals / 2
            return np.asarray((middle[:, :, None] - middle[:, None, :]) ** 2)
