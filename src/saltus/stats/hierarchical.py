"""One curve shared by groups of points, each group shifted along the axis and up or down by a random amount.

y_fi = c + a_f + A h(u_fi - d_f; theta) + noise, d_f ~ N(0, shift^2), a_f ~ N(0, level^2): families of models
differ in how much scale they need for the same ability, and share its course (partial pooling, Gelman and
Hill 2007, chapter 12). Levels are integrated out in closed form; shifts lie on a grid of quadrature nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saltus.stats.noise import Noise
from saltus.stats.shapes import DEGREES, KINDS, ShapeGrid

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

NODES = np.linspace(-2.5, 2.5, 11)  # of the shifts, in standard deviations
_PRIOR = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()
SHIFTS = (0.03, 0.1, 0.2, 0.35, 0.55, 0.8, 1.2)  # standard deviations that are tried, in units of u
LEVELS = (0.0, 0.01, 0.025, 0.05, 0.1)
_SHIFT_SCALE, _LEVEL_SCALE = 0.5, 0.05  # half-normal priors, which matter where families are few
_PASSES = 3
_EM = 15
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Spread:
    """How far groups differ: standard deviations along the axis (`shift`) and of the scores (`level`)."""

    shift: float
    level: float


@dataclass(frozen=True, slots=True)
class Marginal:
    """Every shape fitted to one data set, the groups' shifts integrated out.

    Attributes:
        deviance: -2 log likelihood, shape (K,); noise taken at its word.
        level: c, shape (K,).
        amplitude: A, shape (K,).
        shifts: Posterior weights of the shift nodes, shape (groups, K, nodes).
    """

    deviance: Floats
    level: Floats
    amplitude: Floats
    shifts: Floats


class SharedCurve:
    """Shapes at the points of all groups, for all shifts, whitened; ready for many data sets.

    Args:
        grid: Shapes; any of its rows can be evaluated anywhere.
        rows: Rows of the grid to use, shape (K,).
        u: Coordinates, shape (n,).
        group: Group of each point, 0 to F - 1, shape (n,).
        variance: Of each point, shape (n,).
        spread: How far groups differ.
    """

    def __init__(
        self, grid: ShapeGrid, rows: Index, u: Floats, group: Index, variance: Floats, spread: Spread
    ) -> None:
        self.grid, self.rows, self.u, self.group, self.spread = grid, rows, u, group, spread
        self.variance = variance
        self.members = [np.flatnonzero(group == f) for f in range(int(group.max()) + 1)]
        self._root: list[Floats] = []
        self._h: list[Floats] = []
        self.one_one = np.zeros(len(self.members))
        self.log_det = 0.0
        nodes, count = len(NODES), len(rows)
        self.one_h = np.zeros((len(self.members), count, nodes))
        self.h_h = np.zeros_like(self.one_h)
        for f, some in enumerate(self.members):
            cover = np.diag(variance[some]) + spread.level**2
            factor = np.linalg.cholesky(cover)
            self.log_det += 2 * float(np.log(np.diag(factor)).sum())
            root = np.linalg.inv(factor)
            at = u[some][None, :] - spread.shift * NODES[:, None]
            h = grid.curves(rows, at.ravel()).reshape(count, nodes, len(some)) @ root.T
            one = root.sum(1)
            self._root.append(root)
            self._h.append(h.reshape(count * nodes, len(some)))
            self.one_one[f] = one @ one
            self.one_h[f] = h @ one
            self.h_h[f] = (h**2).sum(2)

    def _data(self, y: Floats) -> tuple[Floats, Floats, Floats]:
        """Products of data sets with themselves, the level and the shapes, by group."""
        size, nodes = len(y), len(NODES)
        y_y, one_y = np.zeros((2, len(self.members), size))
        h_y = np.zeros((len(self.members), size, len(self.rows), nodes))
        for f, some in enumerate(self.members):
            white = y[:, some] @ self._root[f].T
            y_y[f] = (white**2).sum(1)
            one_y[f] = white @ self._root[f].sum(1)
            h_y[f] = (white @ self._h[f].T).reshape(size, len(self.rows), nodes)
        return y_y, one_y, h_y

    def flat(self, y: Floats) -> Floats:
        """Sum of squares of the flat line, shape (len(y),)."""
        y_y, one_y = np.zeros((2, len(y)))
        for some, root in zip(self.members, self._root, strict=True):
            white = y[:, some] @ root.T
            y_y += (white**2).sum(1)
            one_y += white @ root.sum(1)
        return np.asarray(y_y - one_y**2 / self.one_one.sum())

    def profile(self, y: Floats) -> tuple[Floats, Floats]:
        """Penalized sum of squares and amplitude of each shape at its best shifts, shape (len(y), K) each."""
        parts = [self._profile(y[i : i + _BATCH]) for i in range(0, len(y), _BATCH)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _profile(self, y: Floats) -> tuple[Floats, Floats]:
        y_y, one_y, h_y = self._data(y)
        size, count = len(y), len(self.rows)
        pick = np.full((len(self.members), size, count), len(NODES) // 2)
        penalty = NODES**2
        columns = np.arange(count)[None, :]
        for step in range(_PASSES + 1):
            one_h, h_h, shape_y = np.zeros((3, size, count))
            for f in range(len(pick)):
                one_h += self.one_h[f][columns, pick[f]]
                h_h += self.h_h[f][columns, pick[f]]
                shape_y += np.take_along_axis(h_y[f], pick[f][..., None], 2)[..., 0]
            c, a = _solve(self.one_one.sum(), one_h, h_h, one_y.sum(0)[:, None], shape_y)
            if step == _PASSES:
                break
            for f in range(len(pick)):
                cost = (2 * c * a)[..., None] * self.one_h[f] + (a**2)[..., None] * self.h_h[f]
                cost += penalty
                cost -= (2 * a)[..., None] * h_y[f]
                pick[f] = cost.argmin(2)
        rss = y_y.sum(0)[:, None] - c * one_y.sum(0)[:, None] - a * shape_y
        return rss + penalty[pick].sum(0), a

    def marginal(self, y: Floats, *, dispersion: float = 1.0) -> Marginal:
        """Fit one data set by expectation-maximization over the groups' shifts.

        Args:
            y: Scores, shape (n,).
            dispersion: What variances are multiplied by for the weights of the shifts.
        """
        y_y, one_y, h_y = (part[:, 0] for part in self._data(y[None]))
        weight = np.broadcast_to(_PRIOR, self.one_h.shape)
        total = self.one_one.sum()
        c = a = np.zeros(len(self.rows))
        cost = np.zeros_like(self.one_h)
        for _ in range(_EM):
            one_h, h_h, shape_y = ((weight * part).sum((0, 2)) for part in (self.one_h, self.h_h, h_y))
            c, a = _solve(total, one_h, h_h, one_y.sum(), shape_y)
            cost = (2 * c * a)[:, None] * self.one_h + (a**2)[:, None] * self.h_h - (2 * a)[:, None] * h_y
            log = np.log(_PRIOR) - cost / (2 * dispersion)
            top = log.max(2, keepdims=True)
            weight = np.exp(log - top)
            norm = weight.sum(2, keepdims=True)
            weight = weight / norm
        log = np.log(_PRIOR) - cost / 2
        top = log.max(2, keepdims=True)
        likelihood = (top[..., 0] + np.log(np.exp(log - top).sum(2))).sum(0)
        fixed = y_y.sum() - 2 * c * one_y.sum() + c**2 * total
        return Marginal(fixed - 2 * likelihood + self.log_det, c, a, weight)

    def draw(
        self, y: Floats, log_prior: Floats, size: int, dispersion: float, rng: np.random.Generator
    ) -> tuple[Index, Floats, Floats, Floats]:
        """Shapes, levels, amplitudes and shifts of the groups in proportion to their posterior.

        Only rising shapes are drawn.

        Returns:
            Places in `rows`, c, A, shape (size,) each, and shifts, shape (size, groups).
        """
        found = self.marginal(y, dispersion=dispersion)
        rising = np.flatnonzero(found.amplitude > 0)
        rising = rising if len(rising) else np.arange(len(self.rows))
        log = log_prior[rising] - found.deviance[rising] / (2 * dispersion)
        chance = np.exp(log - log.max())
        pick = rng.choice(rising, size=size, p=chance / chance.sum())
        _, one_y, h_y = (part[:, 0] for part in self._data(y[None]))
        node = np.empty((size, len(self.members)), np.intp)
        for f in range(len(self.members)):
            ladder = found.shifts[f][pick].cumsum(1)
            node[:, f] = (ladder < rng.random((size, 1)) * ladder[:, -1:]).sum(1)
        groups = np.arange(len(self.members))[None, :]
        one_h = self.one_h[groups, pick[:, None], node].sum(1)
        h_h = self.h_h[groups, pick[:, None], node].sum(1)
        shape_y = h_y[groups, pick[:, None], node].sum(1)
        total = self.one_one.sum()
        c, a = _solve(total, one_h, h_h, one_y.sum(), shape_y)
        spare = np.sqrt(dispersion / np.maximum(h_h - one_h**2 / total, 1e-12))
        a_drawn = np.maximum(a + rng.standard_normal(size) * spare, 1e-9)
        middle = c - (a_drawn - a) * one_h / total
        c_drawn = middle + rng.standard_normal(size) * np.sqrt(dispersion / total)
        # Nodes are half a standard deviation apart; a shift lies anywhere between.
        jitter = (rng.random(node.shape) - 0.5) * (NODES[1] - NODES[0])
        return pick, c_drawn, a_drawn, (NODES[node] + jitter) * self.spread.shift


def _solve(total: float, one_h: Floats, h_h: Floats, one_y: Floats, h_y: Floats) -> tuple[Floats, Floats]:
    """Level and amplitude by least squares, from the products of the whitened columns."""
    spread = h_h - one_h**2 / total
    usable = spread > 1e-9 * h_h + 1e-12
    a = np.where(usable, (h_y - one_h * one_y / total) / np.where(usable, spread, 1.0), 0.0)
    return (one_y - a * one_h) / total, a


def estimate_spread(
    grid: ShapeGrid, rows: Index, u: Floats, group: Index, variance: Floats, y: Floats
) -> list[tuple[Spread, float]]:
    """Spreads of the groups with their posterior weights, the likeliest first.

    The marginal likelihood of the best shape at each, charged for its free parameters as by the Bayesian
    information criterion, times half-normal priors on both deviations. One level for each shift.
    """
    degrees = np.array([DEGREES[KINDS[code]] for code in grid.code[rows]])
    value = np.empty((len(SHIFTS), len(LEVELS)))
    for i, shift in enumerate(SHIFTS):
        for j, level in enumerate(LEVELS):
            spread = Spread(shift, level)
            found = SharedCurve(grid, rows, u, group, variance, spread).marginal(y)
            charge = (shift / _SHIFT_SCALE) ** 2 + (level / _LEVEL_SCALE) ** 2
            value[i, j] = float((found.deviance + degrees * np.log(len(y))).min()) + charge
    chance = np.exp((value.min() - value) / 2) * np.gradient(SHIFTS)[:, None]
    weight = chance.sum(1) / chance.sum()
    some = [
        (Spread(shift, LEVELS[int(value[i].argmin())]), float(weight[i])) for i, shift in enumerate(SHIFTS)
    ]
    return sorted(some, key=lambda one: -one[1])


def flat_level(group: Index, variance: Floats, y: Floats) -> float:
    """Standard deviation of the groups' levels where nothing depends on the axis."""
    best = (np.inf, 0.0)
    for level in (*LEVELS, 0.2, 0.35):
        deviance = one_one = one_y = y_y = 0.0
        for f in range(int(group.max()) + 1):
            some = group == f
            cover = np.diag(variance[some]) + level**2
            inverse = np.linalg.inv(cover)
            deviance += float(np.linalg.slogdet(cover)[1])
            one_one += float(inverse.sum())
            one_y += float(inverse.sum(0) @ y[some])
            y_y += float(y[some] @ inverse @ y[some])
        value = deviance + y_y - one_y**2 / one_one
        best = min(best, (value, level))
    return best[1]


def thinned(grid: ShapeGrid) -> Index:
    """Rows of a grid that differ even where groups may shift them: what `SharedCurve` compares.

    A shape stands for those in its group that share all but 1 % (.2 % of gradual ones) of its sum of squares.
    """
    centred = grid.h[grid.tested] - grid.h[grid.tested].mean(1, keepdims=True)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    kept: list[int] = []
    for group, near in ((grid.gradual, 0.998), (grid.broad, 0.99), (grid.narrow, 0.99), (grid.hinge, 0.99)):
        some = np.flatnonzero((grid.tested >= group.start) & (grid.tested < group.stop))
        alike = (unit[some] @ unit[some].T) ** 2 > near
        alive = np.ones(len(some), bool)
        for row in range(len(some)):
            if alive[row]:
                kept.append(int(grid.tested[some[row]]))
                alive &= ~alike[row]
    return np.array(kept)


def measure_anew(noise: Noise, mean: Floats, dispersion: float, rng: np.random.Generator) -> Floats:
    """New measurements of points whose expected scores differ from data set to data set.

    Args:
        noise: Of the points.
        mean: Expected scores, shape (size, n).
        dispersion: Variance is this times that of the noise.
        rng: Source of randomness.
    """
    z = rng.standard_normal(mean.shape)
    if noise.n is None:
        return np.asarray(mean + z * np.sqrt(noise.variance(mean) * dispersion))
    share = np.clip(mean, 0, 1)
    variance = noise.variance(share)
    between = variance * dispersion - Noise(noise.n, None, 0.0).variance(share)
    p = np.clip(share + z * np.sqrt(np.maximum(between, 0)), 0, 1)
    count = np.maximum(np.rint(noise.n), 1).astype(np.int64)
    return np.asarray(rng.binomial(count, p) / count)
