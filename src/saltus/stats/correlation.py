"""How the sampling errors of models belong together that answered the same items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST = 0.999  # two models that agree on every item still leave a matrix that can be inverted
_FEWEST = 8  # items (or clusters) under which nothing is said of a correlation


@dataclass(frozen=True, slots=True)
class ItemScores:
    """What each model scored on each item of one task and metric.

    Attributes:
        models: Ids of the models, one a column.
        scores: Shape (items, models), NaN where a model did not answer an item.
        clusters: What each item belongs to, shape (items,); None: each stands alone.
    """

    models: tuple[str, ...]
    scores: Floats
    clusters: NDArray[np.int64] | None = None

    def columns(self, models: Sequence[str]) -> list[int] | None:
        """The columns of some models, None where one of them has no scores."""
        place = {name: column for column, name in enumerate(self.models)}
        found = [place.get(name) for name in models]
        return None if None in found else [column for column in found if column is not None]


def error_correlation(scores: Floats, clusters: NDArray[np.int64] | None = None) -> Floats | None:
    """Correlation of the errors of the models' mean scores, items being a draw from a larger pool.

    Errors of two means over the same items are correlated as the items' scores are (Miller 2024,
    arXiv:2411.00640, section 4.2, for two models); over clusters, as the clusters' summed residuals are. The
    matrix is shrunk towards one correlation for all pairs, by how uncertain its entries are against how far
    they differ (Ledoit and Wolf 2004; Schaefer and Strimmer 2005, eq. 8 with their target F, whose own
    uncertainty is left out).

    Args:
        scores: Shape (items, models), NaN where a model did not answer an item.
        clusters: What each item belongs to, shape (items,).

    Returns:
        Shape (models, models). A model that scored all items alike belongs with no other. None where fewer
        than eight items or clusters tell.
    """
    there = np.isfinite(scores)
    count = there.sum(0)
    if (count == 0).any():
        return None
    filled = np.where(there, scores, 0.0)
    residual = np.where(there, filled - filled.sum(0) / count, 0.0)
    if clusters is not None:
        _, place = np.unique(clusters, return_inverse=True)
        sums = np.zeros((int(place.max()) + 1, scores.shape[1]))
        np.add.at(sums, place, residual)
        residual = sums
    units = len(residual)
    if units < _FEWEST:
        return None
    norm = np.sqrt((residual**2).sum(0))
    varies = norm > 1e-9
    unit = residual[:, varies] / norm[varies] * np.sqrt(units)
    out = np.eye(scores.shape[1])
    if varies.sum() > 1:
        out[np.ix_(varies, varies)] = _shrunk(unit)
    return out


def _shrunk(unit: Floats) -> Floats:
    """A shrunk correlation matrix of columns with mean square one."""
    units, models = unit.shape
    found = unit.T @ unit / units
    pairs = ~np.eye(models, dtype=bool)
    middle = float(np.clip(found[pairs].mean(), 0.0, _MOST))
    uncertain = ((unit**2).T @ (unit**2) / units - found**2) / (units - 1)
    apart = float(((found - middle)[pairs] ** 2).sum())
    share = 1.0 if apart <= 0 else float(np.clip(uncertain[pairs].sum() / apart, 0.0, 1.0))
    out = np.clip(share * middle + (1 - share) * found, -_MOST, _MOST)
    np.fill_diagonal(out, 1.0)
    lowest = float(np.linalg.eigvalsh(out)[0])
    if lowest < 1 - _MOST:  # pairs that share few items, or models that agree on all
        least = 1 - _MOST
        out = (out + (least - lowest) * np.eye(models)) / (1 + least - lowest)
    return np.asarray(out)
