"""A model that breaks the axis: one point extremely far from the curve that all others follow.

A control that has the parameters but not the depth is such a model. It is named, set aside, and the recorded
attribute that does order the family is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.axis import TRAINING, count, noun, place
from saltus.emergence.series import ATTRIBUTES, Series, number
from saltus.stats import CurveFit, Noise, refine

Floats = NDArray[np.float64]

_FAR = 6.0  # standard deviations from the nearest curve that the other points support
_FEWEST = 6
_CLEARLY = 30.0  # chi-square by which one point must explain more than the next
_GAP = 0.1  # and no less than this on the scale of scores


@dataclass(frozen=True, slots=True)
class Outlier:
    """One point that the others' curve cannot reach.

    Attributes:
        index: Row of the series.
        expected: Score on the nearest curve that the other points support.
        distance: Standard deviations between them.
        reasons: Sentences that name the model, and the attribute that orders the family if there is one.
    """

    index: int
    expected: float
    distance: float
    reasons: tuple[str, ...]


def find_outlier(
    series: Series,
    used: NDArray[np.int64],
    u: Floats,
    y: Floats,
    noise: Noise,
    coarse: CurveFit,
    full: CurveFit,
) -> Outlier | None:
    """Look for exactly one point without which a bad fit of all becomes good.

    All must hold: no curve fits all points (chi-square p below 1e-4 / n); without the point one does (p above
    .01); the point lies between the others and 6 standard deviations from every curve that they support; no
    other point would do, or of those that would it alone was recorded as a control.
    """
    from scipy.special import chdtrc

    if len(used) < _FEWEST or len(np.unique(u[used])) < 4:
        return None
    if chdtrc(max(len(used) - full.best.degrees, 1), full.best.rss) > 1e-4 / len(used):
        return None
    found: list[tuple[float, int, float, float]] = []
    for row, fit in _without_each(full, coarse):
        index = int(used[row])
        if chdtrc(max(fit.n - fit.best.degrees, 1), fit.best.rss) < 0.01:
            continue
        expected, distance = _nearest(fit, u[index], y[index], noise, index)
        if distance > _FAR and abs(y[index] - expected) > _GAP:
            found.append((fit.best.rss, index, expected, distance))
    found.sort()
    alike = [one for one in found if one[0] < found[0][0] + _CLEARLY]
    if len(alike) > 1:  # the data cannot say which model is odd; one that was recorded as a control is
        alike = [one for one in alike if series.rows[one[1]].get("role") == "control"]
    if len(alike) != 1:
        return None
    _, index, expected, distance = alike[0]
    return Outlier(index, expected, distance, _reasons(series, used, y, index, expected, distance))


def _without_each(full: CurveFit, coarse: CurveFit) -> Iterator[tuple[int, CurveFit]]:
    """Fits without one inner point each, those that may be good enough."""
    u = coarse.grid.u
    fits = []
    for row in range(len(u)):
        rest = np.arange(len(u)) != row
        if len(np.unique(u[rest])) >= 3 and u[rest].min() < u[row] < u[rest].max():
            fits.append((row, CurveFit(coarse.grid, coarse.y, coarse.noise, rest)))
    if not fits:
        return
    mesh = 2 * max(coarse.best.rss - full.best.rss, 0.0)  # what refining may still gain
    least = min(fit.best.rss for _, fit in fits)
    for row, fit in fits:
        if fit.best.rss <= least + mesh + _CLEARLY:
            yield row, refine(fit).fit


def _nearest(fit: CurveFit, u: float, y: float, noise: Noise, index: int) -> tuple[float, float]:
    """The closest supported curve's score at the point, and the distance in standard deviations."""
    rows = np.flatnonzero(fit.rss <= fit.best.rss + 10)
    inside = np.clip(u, fit.grid.low, fit.grid.high)
    shapes = fit.grid.curves(rows, np.array([inside]))[:, 0]
    curves = fit.mean + fit.amplitude[rows] * (shapes - fit.shape_mean[rows])
    variance = noise.at(index).variance(curves[:, None])[:, 0] * fit.dispersion
    distance = np.abs(y - curves) / np.sqrt(variance)
    best = int(np.argmin(distance))
    return float(curves[best]), float(distance[best])


def _reasons(
    series: Series, used: NDArray[np.int64], y: Floats, index: int, expected: float, distance: float
) -> tuple[str, ...]:
    row = series.rows[index]
    name = str(row["name"]) + (" (recorded as a control)" if row.get("role") == "control" else "")
    far = (
        f"scores {y[index]:.2f} where the curve through the others says {expected:.2f} ({distance:.0f} "
        "standard "
        "deviations)"
    )
    if series.axis in TRAINING:
        at = place(series.axis, float(series.x[index]))
        return (f"{name} at {at} {far}: this one checkpoint is left out of the fit.",)
    what = noun(series.axis, capital=True)
    verb = "do" if what.endswith("s") and series.axis != "loss" else "does"
    first = f"{name} {far}: it is left out of the fit. {what} alone {verb} not order these models."
    attribute = _ordering_attribute(series, used, y)
    return (first,) if attribute is None else (first, attribute)


def _ordering_attribute(series: Series, used: NDArray[np.int64], y: Floats) -> str | None:
    """A recorded attribute that splits all models, the outlier too, into those that can and the others."""
    values = y[used]
    middle = float(values.min() + values.max()) / 2
    can = values > middle
    names = [a for a in ATTRIBUTES if a != series.axis]
    tried = []
    for name in names:
        column = np.array([number(series.rows[i].get(name)) for i in used], float)
        same_order = np.array_equal(_ranks(column), _ranks(series.x[used]))  # it says nothing new
        if np.isfinite(column).all() and len(np.unique(column)) > 1 and not same_order:
            tried.append((name, column))
    for name, column in tried:
        if column[can].min() > column[~can].max():
            p = 1 / comb(len(used), int(can.sum()))
            many = (
                f"; {min(1.0, p * len(tried)):.3f} for {len(tried)} attributes tried"
                if len(tried) > 1
                else ""
            )
            low, high = count(name, column[~can].max()), count(name, column[can].min())
            return (
                f"{noun(name, capital=True)} order them: every model with {high} {noun(name)} or more scores "
                f"above {middle:.2f}, every one with {low} or fewer below "
                f"(exact permutation p = {p:.3f}{many})."
            )
    return None


def _ranks(values: Floats) -> NDArray[np.intp]:
    return np.unique(values, return_inverse=True)[1]
