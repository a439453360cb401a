"""How fast a continuous metric moves where the score of the same answers jumps, against just before.

Part of the artifact check: a continuous metric that suddenly moves several times as fast breaks, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.analysis import Analysis
from saltus.emergence.axis import TRAINING

Floats = NDArray[np.float64]

_BREAK = 3.0  # times the rate before: a continuous metric that is so much faster breaks
_SHORT = 0.5  # units of the axis a break may take where that is more than a gap between scales
_MATTERS = 0.1  # share of its whole way that a break must be


@dataclass(frozen=True, slots=True)
class Pace:
    """One window of the continuous metric.

    Attributes:
        window: Plain axis values; `values` the metric there.
        ratio: Rate in the window over the rate in the same length before; None where nothing lies before.
        sure: The ratio's lower end is above 1; with nothing before: all happens in one gap.
    """

    window: tuple[float, float]
    values: tuple[float, float]
    ratio: float | None
    sure: bool

    @property
    def breaks(self) -> bool:
        """Whether it is a break."""
        return self.ratio is not None and self.ratio >= _BREAK and self.sure


@dataclass(frozen=True, slots=True)
class _Line:
    """The continuous metric by scale: places, means, their errors, and the values as recorded."""

    u: Floats
    place: Floats
    mean: Floats
    sd: Floats
    shown: Floats
    x: Floats


def pace_of(analysis: Analysis, there: NDArray[np.bool_], z: Floats, raw: Floats, error: Floats) -> Pace:
    """The window of the score's own jump (20 to 80 % of its rise) or, if it breaks, the fastest one near it.

    The score of many tokens follows the metric late: it can jump when a break of the metric ends. So windows
    are searched that end in the jump or where it begins, that are one gap between scales or no longer than
    half a decade (along training, where rates are per plain step, one gap), and that make up a tenth of the
    metric's whole way. A smooth metric is fastest before any of them.

    Args:
        analysis: The series of the score.
        there: Its points that have the metric.
        z: The metric at those, turned so that up is better, scaled to a range of 1.
        raw: As recorded.
        error: Standard errors of z.
    """
    line = _by_scale(analysis, there, z, raw, error)
    a, b = _jump(analysis, line)
    pace = _window(line, a, b)
    if pace.breaks or a == 0:
        return pace
    training = analysis.series.axis in TRAINING
    whole = float(np.ptp(line.mean))
    found = []
    for j in range(a, b + 1):
        for i in range(j):
            short = j == i + 1 or (not training and line.u[j] - line.u[i] <= _SHORT)
            if i > 0 and short and line.mean[j] - line.mean[i] >= _MATTERS * whole:
                found.append(_window(line, i, j))
    broken = [one for one in found if one.breaks]
    return max(broken, key=lambda one: one.ratio or 0.0) if broken else pace


def _jump(analysis: Analysis, line: _Line) -> tuple[int, int]:
    """The scales between which the score goes from 20 to 80 % of its rise."""
    scales = np.unique(analysis.u)
    fit = analysis.refined.fit
    curve = fit.at(fit.best.row, scales)
    share = (curve - curve[0]) / max(curve[-1] - curve[0], 1e-9)
    end = int(np.argmax(share >= 0.8))
    start = max(int(np.flatnonzero(share[: max(end, 1)] < 0.2).max(initial=0)), 0)
    a = int(np.argmin(np.abs(line.u - scales[start])))
    b = max(int(np.argmin(np.abs(line.u - scales[end]))), min(a + 1, len(line.u) - 1))
    return a, b


def _by_scale(analysis: Analysis, there: NDArray[np.bool_], z: Floats, raw: Floats, error: Floats) -> _Line:
    u = analysis.u[there]
    scales = np.unique(u)
    groups = [u == s for s in scales]
    x = analysis.axis.back(scales)
    return _Line(
        scales,
        x if analysis.series.axis in TRAINING else scales,  # along training, a rate is one per plain step
        np.array([z[g].mean() for g in groups]),
        np.array([error[g].mean() / np.sqrt(g.sum()) for g in groups]),
        np.array([raw[g].mean() for g in groups]),
        x,
    )


def _window(line: _Line, a: int, b: int) -> Pace:
    window = (float(line.x[a]), float(line.x[b])), (float(line.shown[a]), float(line.shown[b]))
    if a == 0:
        return Pace(*window, None, sure=b == 1)
    length = line.place[b] - line.place[a]
    before = max(int(np.searchsorted(line.place, line.place[a] - length, side="right")) - 1, 0)
    sd = np.maximum(line.sd, _local_error(line, a, b))
    rate, rate_error = _rate(line, sd, a, b)
    old, old_error = _rate(line, sd, before, a)
    ratio = rate / max(old, 0.02 * abs(rate), 1e-300)
    low = (rate - 1.645 * rate_error) / max(max(old, 0.0) + 1.645 * old_error, 1e-300)
    return Pace(*window, float(ratio), sure=bool(low > 1))


def _local_error(line: _Line, a: int, b: int) -> float:
    """What neighbours outside a window differ by from a straight line (median), as an error of one mean.

    A fit of the whole curve would not do: where the metric moves in two stages, its misfit is no noise.
    """
    u, mean = line.u, line.mean
    inner = np.arange(1, len(u) - 1)
    inner = inner[(inner + 1 <= a) | (inner - 1 >= b)]
    if len(inner) < 3:
        return 0.0
    part = (u[inner] - u[inner - 1]) / (u[inner + 1] - u[inner - 1])
    off = mean[inner] - (1 - part) * mean[inner - 1] - part * mean[inner + 1]
    squared = off**2 / (1 + part**2 + (1 - part) ** 2)
    return float(np.sqrt(float(np.median(squared)) / 0.455))


def _rate(line: _Line, sd: Floats, a: int, b: int) -> tuple[float, float]:
    length = max(float(line.place[b] - line.place[a]), 1e-9)
    return float(line.mean[b] - line.mean[a]) / length, float(np.hypot(sd[a], sd[b])) / length
