"""How strong the best change looks where there is none: simulated once a grid of checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from saltus.stats.changeatoms import Atoms, Grid, bases, grid_of

Floats = NDArray[np.float64]

_DRAWS = 400
_CHUNK = 25
_LAGS = (0.0, 0.3, 0.6)
_SEVERAL = 10.0  # trying two and three changes as well as one costs little of the error rate
_DISPERSION = 2.0  # of known noise in the draws: the estimate that raises it must err too
_TAIL = 0.05
PRIOR = 4.0  # weight, in degrees of freedom, of the known noise against the scatter


@dataclass(frozen=True)
class Search:
    """The best model with one change more, for each data set.

    Attributes:
        strength: Minus log of the p-value that the change would have, had it been named before, shape (B,).
        penalised: RSS and price of the terms with the atom.
        noise: Noise variance beside it, in units of the weights.
        smooth: Which smooth curve the model has.
        atom: Which atom.
    """

    strength: Floats
    penalised: Floats
    noise: Floats
    smooth: NDArray[np.int64]
    atom: NDArray[np.int64]


def search(
    atoms: Atoms,
    frames: list[Floats],
    y: Floats,
    root: Floats,
    floor: Floats,
    *,
    known: bool,
    rivals: tuple[Floats, Floats] | None = None,
) -> Search:
    """Try every atom beside every smooth curve.

    Each smooth curve pays log(n) times the noise variance a term, as in the information criterion of Schwarz
    (1978), with and without the atom, so a flat curve is not fitted by a bent one.

    Args:
        atoms: M candidates.
        frames: Orthonormal bases of the models without it, stacks (g, n, d), already weighted.
        y: Data sets, already weighted, shape (B, n).
        root: Square roots of the weights, shape (n,).
        floor: Least noise variance of each data set, in units of the weights, shape (B,).
        known: The weights are inverse variances of known noise, which the scatter may only raise.
        rivals: Residual sums of squares of more models without the atom, and their terms, each (r,).
    """
    weighted = atoms.h * root
    norm = np.einsum("mn,mn->m", weighted, weighted)
    size = y.shape[1]
    total = np.einsum("bn,bn->b", y, y)
    prior = PRIOR if known else 0.0
    floor = np.maximum(floor, 1.0) if known else np.maximum(floor, 1e-300)
    terms = np.concatenate([np.full(len(q), q.shape[2], float) for q in frames])[:, None]
    free = np.maximum(size - terms - 2, 1.0) + prior  # the amplitude and the place
    rests, rsss, bests = [], [], []
    for q in frames:
        inside = y @ q
        rest = np.maximum(total - (inside**2).sum(2), 0)
        own = norm - ((weighted @ q) ** 2).sum(2)
        scale = np.where(own > 1e-6 * norm, 1 / np.maximum(own, 1e-300), 0.0)
        residual = (y - inside @ q.swapaxes(1, 2)).reshape(-1, size)
        gain = (residual @ weighted.T).reshape(len(q), len(y), -1)
        gain *= gain
        gain *= scale[:, None, :]
        bests.append(gain.argmax(2))
        rests.append(rest)
        rsss.append(np.maximum(rest - gain.max(2), 0))
    without, rss, best = np.concatenate(rests), np.concatenate(rsss), np.concatenate(bests)
    noise = np.maximum((rss + prior) / free, floor)
    price = terms * np.log(size) * noise.min(0)
    pick = (rss + price).argmin(0)
    columns = np.arange(len(y))
    none = (without + price).min(0)
    if rivals is not None:
        others = rivals[0][:, None] + rivals[1][:, None] * np.log(size) * noise.min(0)
        none = np.minimum(none, others.min(0))
    gain = np.maximum(none - (rss + price)[pick, columns], 0)
    chosen = noise[pick, columns]
    single = np.maximum(fdtrc(1.0, free[pick, 0], gain / chosen), 1e-300)
    return Search(-np.log(single), (rss + price)[pick, columns], chosen, pick, best[pick, columns])


@dataclass(frozen=True)
class Null:
    """Strengths that chance gives on a grid, by lag-1 autocorrelation of the noise, each sorted."""

    by_lag: tuple[Floats, ...]

    def p(self, strength: float, correlation: float) -> float:
        """P-value of the best change at this strength; beyond the draws, the tail falls as exp(-strength)."""
        logs = [float(np.log(_tail(draws, strength))) for draws in self.by_lag]
        return float(np.exp(np.interp(correlation, _LAGS, logs)))

    def joint(self, strength: float, changes: int, correlation: float) -> float:
        """P-value of several changes at once, whose strength is that of an F test with as many amplitudes.

        Each is sought among as many places as one alone, so the tail of k changes is that of one with k times
        the logarithm of the number of effective trials.
        """
        logs = []
        for draws in self.by_lag:
            edge = float(np.quantile(draws, 1 - _TAIL))
            logs.append(changes * (edge + float(np.log(_TAIL))) - strength)
        return min(1.0, _SEVERAL * float(np.exp(min(np.interp(correlation, _LAGS, logs), 0.0))))


def _tail(draws: Floats, strength: float) -> float:
    edge = float(np.quantile(draws, 1 - _TAIL))
    if strength > edge:
        return max(_TAIL * float(np.exp(edge - strength)), 1e-300)
    return float((1 + (draws >= strength).sum()) / (1 + len(draws)))


def null_of(grid: Grid, *, known: bool) -> Null:
    """The null of a grid of checkpoints."""
    return _null(grid.u.tobytes(), grid.logarithmic, known)


@lru_cache(maxsize=128)
def _null(u: bytes, logarithmic: bool, known: bool) -> Null:
    grid = grid_of(u, logarithmic)
    root = np.ones(grid.size)
    frames = bases(grid, np.empty((0, grid.size)), root)
    out = []
    for correlation in _LAGS:
        rng = np.random.default_rng([20260, int(10 * correlation)])
        noise = autoregressive(rng, _DRAWS, grid.size, correlation)
        parts = []
        for start in range(0, _DRAWS, _CHUNK):
            y = noise[start : start + _CHUNK] * np.sqrt(_DISPERSION if known else 1.0)
            floor = difference_variance(grid.u, y, root)
            parts.append(search(grid.atoms, frames, y, root, floor, known=known).strength)
        out.append(np.sort(np.concatenate(parts)))
    return Null(tuple(out))


def autoregressive(rng: np.random.Generator, draws: int, size: int, correlation: float) -> Floats:
    """Noise of variance 1 with a lag-1 autocorrelation, shape (draws, size)."""
    noise = rng.standard_normal((draws, size))
    for i in range(1, size):
        noise[:, i] = correlation * noise[:, i - 1] + np.sqrt(1 - correlation**2) * noise[:, i]
    return noise


def difference_variance(u: Floats, y: Floats, root: Floats) -> Floats:
    """Noise variance from each point's distance to the line through its neighbours, robust to changes.

    Args:
        u: Coordinates, shape (n,).
        y: Weighted data sets, shape (B, n).
        root: Square roots of the weights.

    Returns:
        In units of the weights, shape (B,); 0 under five points. The median of squares resists the few
        points at a change (Rousseeuw and Croux 1993); a bent curve counts as noise, which errs on the side
        of no change where a curve has no noise at all.
    """
    if len(u) < 5:
        return np.zeros(len(y))
    share = (u[1:-1] - u[:-2]) / (u[2:] - u[:-2])
    raw = y / root
    off = raw[:, 1:-1] - (1 - share) * raw[:, :-2] - share * raw[:, 2:]
    variance = 1 / root**2
    spread = variance[1:-1] + (1 - share) ** 2 * variance[:-2] + share**2 * variance[2:]
    return np.asarray(np.median(off**2 / spread, axis=1) / 0.4549)  # median of chi-square with 1 degree
