"""An ensemble of curves that may be extrapolated: Bayesian averaging over shapes, with room for being wrong.

y(u) = c + A h(u; theta) + B(u) + noise. The shapes h are sane beyond the data: flat, straight, saturating,
or a sigmoid from the floor to a ceiling. c and A have normal priors, so that for each theta on a grid the
fit, its marginal likelihood and its prediction are closed form. B is a random walk along the axis: no shape
is the truth, and what they all miss grows with the distance to the last score.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saltus.stats.mixture import Mixture, bounded_mixture
from saltus.stats.noise import Noise, pilot

Floats = NDArray[np.float64]

MEMBERS = ("floor", "flat", "linear", "saturating", "logistic", "gompertz")
SIGMOIDAL = ("logistic", "gompertz")

_EXPONENTS = np.array([0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.5, 2.2, 3.0])
_WIDTHS = np.array([0.3, 0.6, 1.0, 1.5, 2.2, 3.0, 4.5, 6.0])
_BEFORE, _AFTER, _MIDS = 1.0, 2.0, 31  # decades before and after the data in which a midpoint may lie
# Standard deviation of the random walk over one decade: a half-Cauchy prior (Gelman 2006) on a grid.
_WALKS = np.array([0.003, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32])
_WALK_SCALE = 0.02
# Between-model noise as a multiple of the one that is assumed: a log-normal prior of one factor of two.
_NOISES = np.array([0.5, 1.0, 2.0, 4.0])
_LEVEL_SD = 0.3  # of the level and rise of straight and saturating curves, in units of the score
_SLOPE_SD = 0.15  # of the slope a decade
_FLOOR_SD = 0.02  # by which a floor differs from chance
_RISE, _RISE_SD = 0.6, 0.25  # of a sigmoid, as shares of the room above its floor
_LOGISTIC = float(np.log(81))
_GOMPERTZ = float(np.log10(np.log(0.1) / np.log(0.9)))
_LN2 = float(np.log(2))
_KEPT = 0.999  # share of the weight that predictions are made from


@dataclass(frozen=True, slots=True)
class _Rows:
    """Every curve of the ensemble: its kind, parameters, log prior, and the prior of c and A."""

    kind: NDArray[np.int64]
    theta: Floats
    log_prior: Floats
    centre: Floats
    variance: Floats


class CurveEnsemble:
    """Curves weighted by how well they predict the scores, ready to be asked beyond them.

    Attributes:
        u: Coordinates of the scores, shape (n,).
        y: Scores, shape (n,).
        noise: Their noise; `noise.tau` is where the prior of the between-model noise is centred.
        weights: Posterior share of each member of `MEMBERS`.

    Args:
        u: Coordinates, decades of the axis.
        y: Scores: shares, or progress scaled to a range of about one.
        noise: Their noise.
        floor: Score of guessing; None where unknown.
    """

    def __init__(self, u: Floats, y: Floats, noise: Noise, *, floor: float | None = None) -> None:
        order = np.argsort(u, kind="stable")
        self.u, self.y = np.asarray(u, float)[order], np.asarray(y, float)[order]
        self.noise = noise.at(order)
        self.floor = floor
        weight = np.ones_like(self.y) if self.noise.n is None else self.noise.n
        self._bare = Noise(self.noise.n, self.noise.se, 0.0)
        mean = pilot(self.u, self.y, weight)
        self._sampling = np.maximum(self._bare.variance(mean), 1e-10)
        self._spread = _spread(mean, self.noise)
        self._rows = _rows(self.u, self.y, floor, share=self.noise.n is not None)
        self._h = _shapes(self._rows, self.u, self.u)
        self._cells = [self._fit(walk, times) for walk in _WALKS for times in _NOISES]
        evidence = np.array([cell.evidence for cell in self._cells])
        share = np.exp(evidence - evidence.max())
        self._share = share / share.sum()
        by_row = self._share.sum(axis=0)
        self.weights = {
            name: float(by_row[self._rows.kind == code].sum()) for code, name in enumerate(MEMBERS)
        }

    def predict(self, at: Floats, *, samples: float | None = None, members: Collection[str] = ()) -> Mixture:
        """Distribution of a new model's measured score at each of `at`.

        Args:
            at: Coordinates, shape (m,).
            samples: Behind the new score; as many as behind the median one when None.
            members: Only these kinds of curves (as if the truth were one of them); all when empty.
        """
        at = np.atleast_1d(np.asarray(at, float))
        wanted = np.isin(self._rows.kind, [MEMBERS.index(m) for m in members]) if members else None
        h = _shapes(self._rows, self.u, at)
        share = self._share if wanted is None else np.where(wanted, self._share, 0.0)
        share = share / share.sum()
        descending = np.sort(share, axis=None)[::-1]
        least = descending[min(int((descending.cumsum() < _KEPT).sum()), descending.size - 1)]
        weights, means, variances = [], [], []
        for cell, weight in zip(self._cells, share, strict=True):
            keep = weight >= least
            if not keep.any():
                continue
            mean, variance = self._at(cell, keep, h[keep], at)
            weights.append(weight[keep])
            means.append(mean)
            variances.append(variance + self._new(mean, cell.times, samples))
        weight = np.concatenate(weights)
        weight = weight / weight.sum()
        mean, variance = np.vstack(means), np.vstack(variances)
        if self.noise.n is None:
            return Mixture(weight, mean, np.sqrt(variance), False)
        return bounded_mixture(weight, mean, variance, 0.25 / (float(np.median(self.noise.n)) + 1))

    def _fit(self, walk: float, times: float) -> _Cell:
        """All curves under one random walk and one between-model noise."""
        from scipy.linalg import solve_triangular

        rows, n = self._rows, len(self.u)
        root = np.sqrt(self._spread)
        way = self.u - self.u[0]
        covariance = walk**2 * np.minimum.outer(way, way) * np.outer(root, root)
        covariance += np.diag(self._sampling + (times * self.noise.tau) ** 2 * self._spread)
        factor = np.linalg.cholesky(covariance)
        white = solve_triangular(factor, np.column_stack([np.ones(n), self.y, self._h.T]), lower=True)
        one, y, h = white[:, 0], white[:, 1], white[:, 2:]
        residual = y[:, None] - one[:, None] * rows.centre[:, 0] - h * rows.centre[:, 1]
        a11, a12, a22 = one @ one + 1 / rows.variance[:, 0], one @ h, (h**2).sum(0) + 1 / rows.variance[:, 1]
        b1, b2 = one @ residual, (h * residual).sum(0)
        determinant = a11 * a22 - a12**2
        dc, da = (a22 * b1 - a12 * b2) / determinant, (a11 * b2 - a12 * b1) / determinant
        evidence = (
            -0.5 * (residual**2).sum(0)
            + 0.5 * (b1 * dc + b2 * da)
            - 0.5 * np.log(determinant * rows.variance.prod(axis=1))
            - np.log(np.diag(factor)).sum()
            + rows.log_prior
            + np.log(walk / (1 + (walk / _WALK_SCALE) ** 2))
            - 0.5 * (np.log(times) / np.log(2)) ** 2
        )
        centre = rows.centre + np.column_stack([dc, da])
        precision = np.column_stack([a11, a12, a22])
        return _Cell(walk, times, evidence, factor, white, centre, precision)

    def _at(self, cell: _Cell, keep: NDArray[np.bool_], h: Floats, at: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of the expected score at `at` for some of the curves, shape (K, m)."""
        from scipy.linalg import solve_triangular

        first, root = self.u[0], np.sqrt(self._spread)
        end = root[-max(len(root) // 3, 1) :].mean()
        reach = np.minimum.outer(np.maximum(at - first, 0), self.u - first)
        across = cell.walk**2 * reach * root * end
        pull = solve_triangular(cell.factor, across.T, lower=True)
        one, y, white = cell.white[:, 0], cell.white[:, 1], cell.white[:, 2:][:, keep]
        c, a = cell.centre[keep, :1], cell.centre[keep, 1:]
        residual = y[:, None] - one[:, None] * c.T - white * a.T
        mean = c + a * h + residual.T @ pull
        f1, f2 = 1 - one @ pull, h - white.T @ pull
        a11, a12, a22 = (cell.precision[keep, i : i + 1] for i in range(3))
        variance = (f1**2 * a22 - 2 * f1 * f2 * a12 + f2**2 * a11) / (a11 * a22 - a12**2)
        wander = (cell.walk * end) ** 2 * np.maximum(at - first, 0) - (pull**2).sum(0)
        return mean, variance + np.maximum(wander, 0)

    def _new(self, mean: Floats, times: float, samples: float | None) -> Floats:
        """Variance of a new score about its expected one: sampling, and what differs between models."""
        tau = (times * self.noise.tau) ** 2
        if self.noise.n is None:
            assert self.noise.se is not None  # noqa: S101 - one of the two is always given
            return np.full_like(mean, float(np.median(self.noise.se)) ** 2 + tau)
        n = float(np.median(self.noise.n)) if samples is None else samples
        clipped = np.clip(mean, 0, 1)
        spread = np.maximum(clipped * (1 - clipped), 1 / (n + 2))
        return np.asarray(spread / n + tau * np.minimum(1.0, 4 * spread))


@dataclass(frozen=True, slots=True)
class _Cell:
    """All curves fitted under one random walk and one between-model noise."""

    walk: float
    times: float
    evidence: Floats
    factor: Floats
    white: Floats
    centre: Floats
    precision: Floats


def _spread(mean: Floats, noise: Noise) -> Floats:
    """How between-model noise and the random walk shrink towards 0 and 1; 1 at one half."""
    if noise.n is None:
        return np.ones_like(mean)
    clipped = np.clip(mean, 0, 1)
    return np.asarray(np.minimum(1.0, 4 * np.maximum(clipped * (1 - clipped), 1 / (noise.n + 2))))


def _rows(u: Floats, y: Floats, floor: float | None, *, share: bool) -> _Rows:
    """The curves and their priors; every member is as likely as any other, whatever the size of its grid."""
    base = floor if floor is not None else (0.0 if share else float(y.min()))
    room = 1 - base if share else 1.0
    level, about = float(y.mean()), _LEVEL_SD**2
    base_sd = _FLOOR_SD if floor is not None else (0.15 if share else _LEVEL_SD)
    parts: list[tuple[int, Floats, tuple[float, float], tuple[float, float]]] = []
    for name, theta in _grid(u):
        match name:
            case "floor":
                prior = ((base, 0.0), (base_sd**2, 1e-12))
            case "flat":
                prior = ((level, 0.0), (about, 1e-12))
            case "linear":
                prior = ((level, 0.0), (about, _SLOPE_SD**2))
            case "saturating":
                prior = ((level, 0.0), (about, _LEVEL_SD**2))
            case _:
                prior = ((base, _RISE * room), (base_sd**2, (_RISE_SD * room) ** 2))
        if name != "floor" or floor is not None:
            parts.append((MEMBERS.index(name), theta, *prior))
    sizes = [len(theta) for _, theta, _, _ in parts]
    return _Rows(
        np.repeat([code for code, _, _, _ in parts], sizes),
        np.vstack([theta for _, theta, _, _ in parts]),
        -np.log(np.repeat(sizes, sizes)),
        np.repeat([centre for _, _, centre, _ in parts], sizes, axis=0),
        np.repeat([variance for _, _, _, variance in parts], sizes, axis=0),
    )


def _grid(u: Floats) -> Iterator[tuple[str, Floats]]:
    nothing = np.zeros((1, 2))
    yield "floor", nothing
    yield "flat", nothing
    yield "linear", nothing
    yield "saturating", np.column_stack([_EXPONENTS, np.zeros_like(_EXPONENTS)])
    mids = np.linspace(float(u[0]) - _BEFORE, float(u[-1]) + _AFTER, _MIDS)
    pairs = np.array([(middle, width) for middle in mids for width in _WIDTHS])
    yield "logistic", pairs
    yield "gompertz", pairs


def _shapes(rows: _Rows, u: Floats, at: Floats) -> Floats:
    """Every curve at `at`, shape (K, m)."""
    low, high = float(u[0]), float(u[-1])
    out = np.zeros((len(rows.kind), len(at)))
    for code in np.unique(rows.kind):
        here = rows.kind == code
        first, second = rows.theta[here, :1], rows.theta[here, 1:]
        x = at[None, :]
        match MEMBERS[code]:
            case "linear":
                out[here] = x - (low + high) / 2
            case "saturating":
                out[here] = (1 - 10 ** (-first * (x - low))) / (1 - 10 ** (-first * (high - low)))
            case "logistic":
                out[here] = 1 / (1 + np.exp(-np.clip((x - first) * _LOGISTIC / second, -50, 50)))
            case "gompertz":
                out[here] = np.exp(-_LN2 * 10 ** np.clip(-_GOMPERTZ / second * (x - first), -9, 9))
    return out
