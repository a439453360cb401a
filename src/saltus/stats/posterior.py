"""Curves drawn from what the data allow, over all shapes: the source of the intervals on onset and rise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saltus.stats.refine import RefinedFit
from saltus.stats.shapes import CODE, ShapeGrid

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Draws:
    """Equally likely curves.

    Attributes:
        u: Coordinates, shape (m,).
        y: Curves, shape (draws, m).
    """

    u: Floats
    y: Floats

    @property
    def floor(self) -> Floats:
        """Fitted score at the bottom of the axis, a value a draw."""
        return self.y[:, 0]

    @property
    def top(self) -> Floats:
        """Fitted score at the top of the axis."""
        return self.y[:, -1]

    @property
    def rise(self) -> Floats:
        """Top less floor."""
        return self.top - self.floor

    def onset(self, threshold: float) -> Floats:
        """First coordinate at which a curve stands `threshold` above its floor; inf where it never does."""
        found, where = self._crossing(self.y[:, 0] + threshold)
        return np.where(found, where, np.inf)

    def width(self) -> Floats:
        """Distance between 10 and 90 % of the rise, in units of u."""
        _, start = self._crossing(self.floor + 0.1 * self.rise)
        _, end = self._crossing(self.floor + 0.9 * self.rise)
        return np.asarray(end - start)

    def _crossing(self, height: Floats) -> tuple[NDArray[np.bool_], Floats]:
        """Where each curve first reaches its height, straight between the places, and whether it does."""
        above = self.y >= height[:, None]
        right = np.maximum(above.argmax(1), 1)
        row = np.arange(len(self.y))
        a, b = self.y[row, right - 1], self.y[row, right]
        part = np.clip((height - a) / np.maximum(b - a, 1e-12), 0, 1)
        where: Floats = self.u[right - 1] + part * (self.u[right] - self.u[right - 1])
        return np.asarray(above.any(1)), where


def draw_curves(
    refined: RefinedFit,
    rng: np.random.Generator,
    *,
    size: int = 1000,
    rising: bool = True,
    points: int = 161,
    bounds: tuple[float, float] | None = None,
) -> Draws:
    """Draw curves in proportion to their likelihood, every kind of shape equally likely beforehand.

    Amplitude and level follow their normal distribution given the shape, and a step lies anywhere in its gap.

    Args:
        refined: The fitted series.
        rng: Source of randomness.
        size: Curves to draw.
        rising: Only shapes that rise; otherwise both directions.
        points: Even places on the axis at which the curves are given.
        bounds: Smallest and largest possible score; curves are clipped to them.
    """
    fit, grid = refined.fit, refined.fit.grid
    finite = np.isfinite(fit.shape_norm)
    rows = np.flatnonzero(finite & (fit.amplitude > 0)) if rising else np.flatnonzero(finite)
    if not len(rows):
        rows = np.flatnonzero(finite)
    log_weight = refined.log_prior[rows] - fit.rss[rows] / (2 * fit.dispersion)
    weight = np.exp(log_weight - log_weight.max())
    pick = rng.choice(rows, size=size, p=weight / weight.sum())
    spread = np.sqrt(fit.dispersion)
    amplitude = fit.amplitude[pick] + rng.standard_normal(size) * spread / fit.shape_norm[pick]
    if rising:
        amplitude = np.maximum(amplitude, 1e-9)
    level = fit.mean + rng.standard_normal(size) * spread / np.sqrt(fit.sum_weight)
    u = np.linspace(grid.low, grid.high, points)
    curves = _drawn(grid, pick, u, rng)
    curves *= amplitude[:, None]
    curves += (level - amplitude * fit.shape_mean[pick])[:, None]
    return Draws(u, curves if bounds is None else np.clip(curves, *bounds, out=curves))


def _drawn(grid: ShapeGrid, pick: NDArray[np.intp], u: Floats, rng: np.random.Generator) -> Floats:
    """Shapes at `u`, each computed once however often it was drawn; only steps differ from draw to draw."""
    rows, place = np.unique(pick, return_inverse=True)
    out = grid.curves(rows, u)[place]
    steps = grid.code[pick] == CODE["step"]
    if steps.any():
        out[steps] = grid.curves(pick[steps], u, rng)
    return out
