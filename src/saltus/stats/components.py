"""Principal components of a table of scores with holes in it: models in rows, benchmarks in columns.

A few components hold most of what the scores of many benchmarks say about a model (Ruan et al. 2024,
arXiv:2405.10938, section 3.2); the first is a capability axis on which models of any recipe have a place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_PASSES = 2000
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Components:
    """Components of a table, its holes filled.

    Attributes:
        mean: Of each benchmark after filling, shape (benchmarks,).
        scale: What each benchmark is divided by, shape (benchmarks,).
        loadings: Orthonormal columns, shape (benchmarks, k); the first sums to more than 0, and so do the
            others (or, where a sum is 0, the largest entry is positive).
        explained: Share of the variance that each component holds, shape (k,).
        scores: Place of each model, shape (models, k); NaN for models without any score.
        imputed: The table with its holes filled, shape (models, benchmarks).
        filler: How holes are filled: mean, scale and loadings (benchmarks, r) of the filling components.
        bounds: Filled values are kept between these.
    """

    mean: Floats
    scale: Floats
    loadings: Floats
    explained: Floats
    scores: Floats
    imputed: Floats
    filler: tuple[Floats, Floats, Floats]
    bounds: tuple[float, float] | None = None

    def fill(self, rows: Floats) -> Floats:
        """New rows, shape (m, benchmarks), with their holes (NaN) filled; rows of holes alone stay NaN.

        A hole is filled from the place that least squares gives the row on the filling components, which is
        where filling, projecting and filling again settles.
        """
        mean, scale, loadings = self.filler
        table = np.atleast_2d(np.asarray(rows, float))
        out = table.copy()
        for i, row in enumerate(table):
            there = np.isfinite(row)
            if there.all() or not there.any():
                continue
            place = np.linalg.lstsq(loadings[there], ((row - mean) / scale)[there], rcond=1e-6)[0]
            out[i, ~there] = (loadings @ place * scale + mean)[~there]
            out[i, ~there] = _bounded(out[i, ~there], self.bounds)
        return out

    def project(self, rows: Floats) -> Floats:
        """Places of new rows, holes being NaN, shape (m, k); a row of holes alone has none (NaN)."""
        return np.asarray(((self.fill(rows) - self.mean) / self.scale) @ self.loadings)


def principal_components(
    scores: Floats,
    count: int,
    *,
    standardize: bool = False,
    filling: int = 1,
    bounds: tuple[float, float] | None = None,
) -> Components:
    """Principal components by iterative filling of the holes.

    Holes start at the benchmark's mean; the standardized table is projected on `filling` components and the
    holes take the projected values, until they stay (Ruan et al. 2024, appendix B.2, after Troyanskaya et
    al. 2001). The components are then those of the filled table.

    Args:
        scores: Shape (models, benchmarks), NaN for missing. Up must be better in every column.
        count: Components wanted; fewer come back where the table has no more.
        standardize: Divide each benchmark by its standard deviation before taking components. Shares need
            not be: those that vary most say most.
        filling: Components for filling holes; 1 is robust where few benchmarks are known.
        bounds: Keep filled values between these, e.g. (0, 1) for shares.

    Raises:
        ValueError: The table is not two-dimensional, a benchmark has no score, or fewer than two models have
            one.
    """
    table = np.asarray(scores, float)
    if table.ndim != 2:
        raise ValueError(f"scores has {table.ndim} dimensions; it must have two: models and benchmarks")
    there = np.isfinite(table)
    known = there.any(axis=1)
    if known.sum() < 2 or not there.any(axis=0).all():
        raise ValueError("components need two models with scores, and a score on every benchmark")
    filled, filler = _filled(table[known], max(1, filling), bounds)
    mean = filled.mean(axis=0)
    scale = _scale(filled) if standardize else np.ones(table.shape[1])
    loadings, variance = _axes((filled - mean) / scale)
    k = min(count, len(variance))
    total = variance.sum()
    explained = variance[:k] / total if total > 0 else np.zeros(k)
    places = np.full((len(table), k), np.nan)
    places[known] = ((filled - mean) / scale) @ loadings[:, :k]
    imputed = np.full(table.shape, np.nan)
    imputed[known] = filled
    return Components(mean, scale, loadings[:, :k], explained, places, imputed, filler, bounds)


def _filled(
    table: Floats, filling: int, bounds: tuple[float, float] | None
) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
    """Fill the holes by iteration, and say how new rows are to be filled."""
    holes = ~np.isfinite(table)
    mean = np.nanmean(table, axis=0)
    spread = np.nanstd(table, axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    z = np.where(holes, 0.0, (table - mean) / scale)
    centre = np.zeros(table.shape[1])
    for _ in range(_MOST_PASSES if holes.any() else 1):
        centre = z.mean(axis=0)
        loadings, _ = _axes(z - centre, filling)
        guess = (z - centre) @ loadings @ loadings.T + centre
        moved = np.abs(guess - z)[holes].max(initial=0.0)
        z[holes] = guess[holes]
        if moved < _TOLERANCE:
            break
    out = np.where(holes, _bounded(z * scale + mean, bounds), table)
    return out, (mean + centre * scale, scale, loadings)


def _axes(centred: Floats, count: int | None = None) -> tuple[Floats, Floats]:
    """Loadings in order of variance, their signs fixed, and the variances."""
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    loadings = axes[:count].T
    total = loadings.sum(axis=0)
    largest = loadings[np.abs(loadings).argmax(axis=0), np.arange(loadings.shape[1])]
    sign = np.where(np.abs(total) > 1e-9, np.sign(total), np.sign(largest))
    return loadings * np.where(sign == 0, 1.0, sign), singular[:count] ** 2 / max(len(centred) - 1, 1)


def _scale(table: Floats) -> Floats:
    spread = table.std(axis=0)
    return np.where(spread > 0, spread, 1.0)


def _bounded(values: Floats, bounds: tuple[float, float] | None) -> Floats:
    return values if bounds is None else np.clip(values, *bounds)
