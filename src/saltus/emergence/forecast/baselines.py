"""What a forecast must beat: the last value, a straight line, and a least-squares sigmoid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.forecast.fitted import Fitted

Floats = NDArray[np.float64]

_LN81 = float(np.log(81))


def baselines(fitted: Fitted, u: Floats) -> dict[str, Floats]:
    """Progress that each baseline expects at coordinates `u`."""
    return {"last_value": last_value(fitted, u), "linear": linear(fitted, u), "sigmoid": sigmoid(fitted, u)}


def last_value(fitted: Fitted, u: Floats) -> Floats:
    """The mean score at the largest scale."""
    return np.full(len(u), float(fitted.y[fitted.u == fitted.u.max()].mean()))


def linear(fitted: Fitted, u: Floats) -> Floats:
    """Least squares on the axis's coordinate (its log10 for counts)."""
    slope, level = np.polyfit(fitted.u, fitted.y, 1)
    return _clipped(fitted, level + slope * u)


def sigmoid(fitted: Fitted, u: Floats) -> Floats:
    """Least squares on c + A logistic((u - m) / w), m and w on a grid, c and A in closed form.

    Midpoints lie within the scores or one span beyond, and the 10 to 90 % width is a tenth of the span or
    more: without these bounds a flat series fits a cliff just after the last score as well as anything.
    """
    span = float(np.ptp(fitted.u)) or 1.0
    m = np.linspace(fitted.u.min(), fitted.u.max() + span, 41)
    w = np.geomspace(0.1, 8, 30) * span
    mids, widths = (grid.ravel()[:, None] for grid in np.meshgrid(m, w))
    h = _logistic((fitted.u - mids) / widths)
    centred = h - h.mean(axis=1, keepdims=True)
    y = fitted.y - fitted.y.mean()
    rise = (centred @ y) / np.maximum((centred**2).sum(axis=1), 1e-12)
    best = int(((y - rise[:, None] * centred) ** 2).sum(axis=1).argmin())
    ahead = _logistic((u - mids[best]) / widths[best]) - h[best].mean()
    return _clipped(fitted, fitted.y.mean() + rise[best] * ahead)


def _logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x * _LN81, -50, 50))))


def _clipped(fitted: Fitted, y: Floats) -> Floats:
    return np.clip(y, 0, 1) if fitted.progress.share else y
