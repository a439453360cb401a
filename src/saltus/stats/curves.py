"""Closed-form fits of every shape of a grid at once: weighted, or generalised for shared items."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from saltus.stats.noise import Noise, pilot
from saltus.stats.shapes import CODE, DEGREES, KINDS, ShapeGrid, concave_curve, whitened, with_concave

Floats = NDArray[np.float64]

_PRIOR_DF = 8.0  # weight of "the noise is as stated" in the dispersion: few points say little of it


@dataclass(frozen=True, slots=True)
class ClassFit:
    """The best shape of one kind: its row in the grid (-1 for flat), weighted RSS and free parameters."""

    kind: str
    row: int
    rss: float
    degrees: int


class CurveFit:
    """All shapes of a grid fitted to one series; new data of the same points are one matrix product away.

    Attributes:
        grid: The shapes.
        y: Scores, shape (n,).
        noise: Their noise.
        weight: Inverse variances, shape (n,).
        root: What makes the errors independent and of variance one, shape (n,) or (n, n).
        mean: Weighted mean score.
        total: Weighted sum of squares about the mean (the RSS of the flat line).
        amplitude: A of every shape, shape (K,).
        rss: Residual sum of squares of every shape, shape (K,).
        dispersion: How much more the points scatter about the best curve than their noise says, at least 1.

    Args:
        grid: The shapes at the points.
        y: Scores, shape (n,).
        noise: Their noise.
        keep: Points to use; the others get no weight. None: all.
        concave: Add the best concave curve of the plain count to the gradual shapes (training axes).
    """

    def __init__(
        self,
        grid: ShapeGrid,
        y: Floats,
        noise: Noise,
        keep: NDArray[np.bool_] | None = None,
        *,
        concave: bool = False,
    ) -> None:
        weight_n = np.ones_like(y) if noise.n is None else noise.n
        self._guess = guess = pilot(grid.u, y, weight_n)
        self.variance = noise.variance(guess)
        self.weight = 1 / self.variance
        if keep is not None:  # a point left out has no weight
            self.weight = np.where(keep, self.weight, 0.0)
        self.root = noise.root(guess, keep)
        if concave:
            grid = with_concave(grid, y, self.root)
        self.grid, self.y, self.noise, self.keep = grid, y, noise, keep
        self.n = int((self.weight > 0).sum())
        one = whitened(self.root, np.ones_like(y))
        self.sum_weight = float(one @ one)
        scores = whitened(self.root, y)
        self.mean = float(scores @ one) / self.sum_weight
        scores = scores - self.mean * one
        self.total = float(scores @ scores)
        shapes, self.shape_mean, self.shape_norm = self._centred(grid.h)
        score = np.einsum("ij,j->i", shapes, scores) / self.shape_norm
        self.amplitude = score / self.shape_norm
        self.rss = np.maximum(self.total - score**2, 0.0)
        self.classes = best_of_class(self)
        best = self.best
        excess = (best.rss + _PRIOR_DF) / (max(self.n - best.degrees, 1) + _PRIOR_DF)
        self.dispersion = max(1.0, excess)

    @property
    def best(self) -> ClassFit:
        """The shape with the smallest information criterion, noise taken at its word."""
        return min(self.classes, key=lambda c: c.rss + c.degrees * np.log(self.n))

    def bic(self, fit: ClassFit) -> float:
        """Bayesian information criterion in units of the dispersed noise."""
        return float(fit.rss / self.dispersion + fit.degrees * np.log(self.n))

    def basis(self, rows: NDArray[np.intp]) -> Floats:
        """What data sets are multiplied with to see what each shape explains of them.

        Args:
            rows: Shapes.

        Returns:
            Shape (len(rows), n); its product with a data set is the signed root of the explained squares.
        """
        shapes, _, norm = self._centred(self.grid.h[rows])
        shapes /= norm[:, None]
        return shapes @ self.root if self.root.ndim == 2 else shapes * self.root

    def rss_of(self, h: Floats) -> Floats:
        """Residual sums of squares of other shapes, given at the points, shape (len(h),)."""
        shapes, _, norm = self._centred(h)
        score = np.einsum("ij,j->i", shapes, whitened(self.root, self.y)) / norm
        return np.asarray(np.maximum(self.total - score**2, 0.0))

    def release(self) -> None:
        """Forget the shapes at the points, which are most of the memory; nothing can be tested after that."""
        self.grid = replace(self.grid, h=np.empty((0, len(self.y))))

    def _centred(self, h: Floats) -> tuple[Floats, Floats, Floats]:
        """Shapes in units of the noise without their mean, these means, and norms (inf where flat)."""
        one = whitened(self.root, np.ones_like(self.y))
        shapes = h @ self.root.T if self.root.ndim == 2 else h * self.root
        mean = np.einsum("ij,j->i", shapes, one) / self.sum_weight
        shapes -= mean[:, None] * one
        norm = np.sqrt(np.einsum("ij,ij->i", shapes, shapes))
        return shapes, mean, np.where(norm > 1e-6 * np.sqrt(self.sum_weight), norm, np.inf)

    @property
    def covariance(self) -> Floats:
        """Covariance of the points about their curve, shape (n, n)."""
        return self.noise.covariance(self._guess)

    def curve(self, row: int) -> Floats:
        """Fitted scores at the points for one shape; row -1 is the flat line."""
        if row < 0:
            return np.full(len(self.y), self.mean)
        return self.at(row, self.grid.u)

    def at(self, row: int, u: Floats) -> Floats:
        """Fitted scores at other coordinates."""
        if row < 0:
            return np.full(len(u), self.mean)
        shape = self.grid.curves(np.array([row]), u)[0]
        return np.asarray(self.mean + self.amplitude[row] * (shape - self.shape_mean[row]))

    def concave_misfit(self) -> float:
        """P-value of the free concave curve as a description of the points (1 without such a curve).

        Chi-square of its RSS over the scatter about the best non-decreasing curve; degrees of freedom are the
        points less level and corners used. A jump along training needs this to be small: the rate per plain
        step must rise somewhere.
        """
        from scipy.special import chdtrc

        rows = np.flatnonzero(self.grid.code == CODE["concave"])
        if not len(rows):
            return 1.0
        slope = np.diff(self.grid.concave) / np.diff(10**self.grid.knots)
        corners = 1 + int((np.diff(slope) < -1e-9 * max(slope.max(), 1e-300)).sum())
        rss = float(self.rss[rows].min()) / self.monotone_dispersion()
        return float(chdtrc(max(self.n - 1 - corners, 1), rss))

    def monotone_dispersion(self) -> float:
        """Scatter about the best non-decreasing curve, at least 1: noise alone, in however many stages."""
        from scipy.optimize import isotonic_regression

        order = np.argsort(self.grid.u, kind="stable")
        result = isotonic_regression(self.y[order], weights=np.maximum(self.weight[order], 1e-12))
        rss = float(self.weight[order] @ (self.y[order] - result.x) ** 2)
        free = max(self.n - (len(result.blocks) - 1), 1)
        return max(1.0, (rss + _PRIOR_DF) / (free + _PRIOR_DF))

    def null_row(self, *, broad: bool) -> int:
        """The best shape of the null of T1 (or of T2, which also holds rising broad sigmoids)."""
        rows = np.arange(self.grid.gradual.start, self.grid.gradual.stop)
        if broad:
            extra = np.arange(self.grid.broad.start, self.grid.broad.stop)
            rows = np.concatenate([rows, extra[self.amplitude[extra] > 0]])
        return int(rows[np.argmin(self.rss[rows])])


def best_of_class(fit: CurveFit) -> tuple[ClassFit, ...]:
    """The best member of each kind of shape, with "flat" first."""
    out = [ClassFit("flat", -1, fit.total, DEGREES["flat"])]
    for kind in KINDS:
        rows = np.flatnonzero(fit.grid.code == CODE[kind])
        if len(rows):
            row = int(rows[np.argmin(fit.rss[rows])])
            out.append(ClassFit(kind, row, float(fit.rss[row]), DEGREES[kind]))
    return tuple(out)


def steady_lag(u: Floats, curve: Floats) -> float:
    """How far a rising curve stays behind steady learning, as a share of its rise.

    Steady learning is the concave curve of the plain count 10^u nearest to it in plain least squares; the
    lag is the largest by which the curve lies under that. A curve whose rate never rises has 0, growth as
    N^2 at most .09, as N^3 .13, a step near the middle about .5.

    Args:
        u: Coordinates (log10 of steps or tokens), shape (n,).
        curve: Fitted scores there.
    """
    rise = float(np.ptp(curve))
    if rise <= 0:
        return 0.0
    knots, base = np.unique(u), float(curve.min()) - 2 * rise
    return float((concave_curve(u, knots, curve - base, np.ones(len(u)))[0] + base - curve).max()) / rise
