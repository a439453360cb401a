"""A second, finer grid around the shapes that the data support.

With it an interval is as narrow as the data allow, and not as wide as the first grid's mesh.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from saltus.stats.curves import CurveFit
from saltus.stats.shapes import (
    CODE,
    KINDS,
    SIGMOIDS,
    WIDTHS,
    ShapeGrid,
    Spec,
    assemble,
    sigmoid,
    spec,
    split_by_width,
)

Floats = NDArray[np.float64]

_MIDS, _WIDTHS = 21, 9
_SUPPORT = 12.0  # chi-square distance from the best shape of a kind that still counts
_FREE = (*SIGMOIDS, "hinge")


class RefinedFit:
    """A fit on the finer grid, with the prior weight of each of its shapes.

    Attributes:
        fit: The fit; its dispersion is that of the finer grid.
        log_prior: Log prior of each shape: even over the coarse range within a kind, equal for kinds, except
            that a step is as likely as the sigmoids together.
    """

    def __init__(self, fit: CurveFit, log_prior: Floats) -> None:
        self.fit = fit
        self.log_prior = log_prior


def refine(coarse: CurveFit, *, passes: int = 2, sharp_below: float = 1.0) -> RefinedFit:
    """Zoom into the supported range of midpoint and width of hinges and sigmoids, `passes` times."""
    boxes = {kind: _full_box(coarse.grid, kind) for kind in _FREE}
    full = {kind: _volume(box) for kind, box in boxes.items()}
    fit = coarse
    for _ in range(passes):
        boxes = {kind: _zoom(fit, kind, box) for kind, box in boxes.items()}
        grid = _grid(coarse.grid, boxes, sharp_below)
        fit = CurveFit(grid, coarse.y, coarse.noise, coarse.keep)
    log_prior = np.empty(len(fit.grid.code))
    for code in np.unique(fit.grid.code):
        rows = fit.grid.code == code
        kind = KINDS[code]
        share = _volume(boxes[kind]) / full[kind] if kind in boxes else 1.0
        weight = len(SIGMOIDS) if kind == "step" else 1.0  # as likely as the sigmoids together
        log_prior[rows] = np.log(weight * share / rows.sum())
    return RefinedFit(fit, log_prior)


_Box = tuple[float, float, float, float]  # midpoints from, to; log widths from, to


def _full_box(grid: ShapeGrid, kind: str) -> _Box:
    span = grid.high - grid.low
    if kind == "hinge":
        return grid.low + 0.02 * span, grid.high - 0.02 * span, 0.0, 0.0
    return grid.low - 0.1 * span, grid.high + 0.35 * span, float(np.log(WIDTHS[0])), float(np.log(WIDTHS[-1]))


def _volume(box: _Box) -> float:
    return (box[1] - box[0]) * (box[3] - box[2] if box[3] > box[2] else 1.0)


def _zoom(fit: CurveFit, kind: str, box: _Box) -> _Box:
    """The box around the supported rows, one mesh wider on each side, within the old one."""
    rows = np.flatnonzero(fit.grid.code == CODE[kind])
    if not len(rows):
        return box
    distance = (fit.rss[rows] - fit.rss[rows].min()) / fit.dispersion
    theta = fit.grid.theta[rows]
    near = theta[distance <= _SUPPORT]
    mids = np.unique(theta[:, 0])
    mesh = float(np.diff(mids).max()) if len(mids) > 1 else 0.0
    low, high = max(box[0], near[:, 0].min() - mesh), min(box[1], near[:, 0].max() + mesh)
    if kind == "hinge":
        return float(low), float(high), 0.0, 0.0
    widths = np.unique(theta[:, 1])
    first = max(int(np.searchsorted(widths, near[:, 1].min())) - 1, 0)
    last = min(int(np.searchsorted(widths, near[:, 1].max())) + 1, len(widths) - 1)
    return float(low), float(high), float(np.log(widths[first])), float(np.log(widths[last]))


def _grid(grid: ShapeGrid, boxes: dict[str, _Box], sharp_below: float) -> ShapeGrid:
    sigmoids: list[Spec] = []
    for kind in SIGMOIDS:
        a, b, c, d = boxes[kind]
        mids, widths = np.meshgrid(np.linspace(a, b, _MIDS), np.exp(np.linspace(c, d, _WIDTHS)))
        sigmoids.append(sigmoid(kind, mids, widths, grid.low))
    a, b, _, _ = boxes["hinge"]
    gradual = [
        (KINDS[code], grid.theta[rows])
        for code in np.unique(grid.code[grid.gradual])
        if KINDS[code] != "concave" and len(rows := np.flatnonzero(grid.code == code))
    ]
    steps = spec("step", (grid.knots[:-1] + grid.knots[1:]) / 2)
    hinges = spec("hinge", np.linspace(a, b, 2 * _MIDS))
    return assemble(grid.u, (gradual, *split_by_width(sigmoids, sharp_below), [hinges]), steps)
