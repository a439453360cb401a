"""A second, finer grid around the shapes that the data support.

With it an interval is as narrow as the data allow, and not as wide as the first grid's mesh.
"""

from __future__ import annotations

from dataclasses import replace

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
    evaluate,
    sigmoid,
    spec,
    split_by_width,
)

Floats = NDArray[np.float64]

_MIDS, _WIDTHS = 21, 9
_FIRST_MIDS, _FIRST_WIDTHS = 15, 7  # of the passes before the last
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
    grid = coarse.grid
    full = {kind: _full_box(grid, kind) for kind in _FREE}
    boxes = dict(full)
    for kind in _FREE:
        rows = np.flatnonzero(grid.code == CODE[kind])
        theta, rss = grid.theta[rows], coarse.rss[rows]
        for later in range(passes):
            boxes[kind] = _zoom(theta, rss / coarse.dispersion, kind, boxes[kind])
            if later < passes - 1:
                theta = _mesh(kind, boxes[kind], _FIRST_MIDS, _FIRST_WIDTHS, grid.low)[1]
                rss = coarse.rss_of(evaluate(kind, theta, grid))
    fit = CurveFit(_grid(grid, boxes, sharp_below), coarse.y, coarse.noise, coarse.keep)
    log_prior = np.empty(len(fit.grid.code))
    for code in np.unique(fit.grid.code):
        rows = fit.grid.code == code
        kind = KINDS[code]
        share = _volume(boxes[kind]) / _volume(full[kind]) if kind in boxes else 1.0
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


def _zoom(theta: Floats, distance: Floats, kind: str, box: _Box) -> _Box:
    """The box around the supported rows, one mesh wider on each side, within the old one."""
    if not len(theta):
        return box
    near = theta[distance - distance.min() <= _SUPPORT]
    mids = np.unique(theta[:, 0])
    mesh = float(np.diff(mids).max()) if len(mids) > 1 else 0.0
    low, high = max(box[0], near[:, 0].min() - mesh), min(box[1], near[:, 0].max() + mesh)
    if kind == "hinge":
        return float(low), float(high), 0.0, 0.0
    widths = np.unique(theta[:, 1])
    first = max(int(np.searchsorted(widths, near[:, 1].min())) - 1, 0)
    last = min(int(np.searchsorted(widths, near[:, 1].max())) + 1, len(widths) - 1)
    return float(low), float(high), float(np.log(widths[first])), float(np.log(widths[last]))


def _mesh(kind: str, box: _Box, mids: int, widths: int, low: float) -> Spec:
    """Rows of one kind, evenly over a box."""
    a, b, c, d = box
    if kind == "hinge":
        return spec("hinge", np.linspace(a, b, 2 * mids))
    return sigmoid(kind, *np.meshgrid(np.linspace(a, b, mids), np.exp(np.linspace(c, d, widths))), low)


def _grid(grid: ShapeGrid, boxes: dict[str, _Box], sharp_below: float) -> ShapeGrid:
    """The gradual shapes that the tests tell apart, the steps, and finer meshes of all others."""
    free = {kind: _mesh(kind, box, _MIDS, _WIDTHS, grid.low) for kind, box in boxes.items()}
    steps = spec("step", (grid.knots[:-1] + grid.knots[1:]) / 2)
    sigmoids = split_by_width([free[kind] for kind in SIGMOIDS], sharp_below)
    fine = assemble(grid.u, ([], *sigmoids, [free["hinge"]]), steps)
    kept = grid.tested[: int(np.searchsorted(grid.tested, grid.gradual.stop))]
    kept = kept[grid.code[kept] != CODE["concave"]]
    count = len(kept)
    b, n, h = (slice(s.start + count, s.stop + count) for s in (fine.broad, fine.narrow, fine.hinge))
    return replace(
        fine,
        h=np.vstack([grid.h[kept], fine.h]),
        code=np.concatenate([grid.code[kept], fine.code]),
        theta=np.vstack([grid.theta[kept], fine.theta]),
        gradual=slice(0, count),
        broad=b,
        narrow=n,
        hinge=h,
        tested=np.arange(count + len(fine.h)),
    )
