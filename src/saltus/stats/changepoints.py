"""All changes of a curve measured at checkpoints: how many, where with an interval, what kind, how certain.

A curve is one smooth curve that never changes plus jumps, kinks and new rises, each from its place on
(`stats.changeatoms`). Changes are added while chance would hardly give such strong ones (`stats.changenull`),
moved to where they fit best together, and dropped when the others do without them (`stats.changesearch`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saltus.stats.changeatoms import Grid, basis, grid_of
from saltus.stats.changenull import difference_variance
from saltus.stats.changeplace import place_interval
from saltus.stats.changesearch import ChangeSearch, Model, without

Floats = NDArray[np.float64]

FEWEST, MOST = 6, 400
_ODD, _IGNORED = 6.0, 1e-4
_ONE_JUMP = 2.0  # checkpoints between two jumps that are one
_ONE_BEND = 0.5  # checkpoints between the beginnings of two bends that are one


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """One change.

    Attributes:
        kind: "level" (a jump, over within three gaps between checkpoints), "slope" (the rate changes),
            "onset" (the same from a floor).
        at: Where it begins, plain units: median; `low` and `high` its interval.
        size: Of the fitted curve: for "level" top less foot, for "onset" the rise up to the next change, for
            "slope" the mean rate a decade up to the next change less that since the one before (a unit of the
            axis where it is not logarithmic).
        p: P-value of this change given the others.
    """

    kind: str
    at: float
    low: float
    high: float
    size: float
    p: float


@dataclass(frozen=True, slots=True)
class ChangeFit:
    """A curve with its changes.

    Attributes:
        changes: In order of place.
        fitted: The curve at the points, in order of x, shape (n,).
        noise: Standard deviation about it: as a factor of the known one, or in units of y.
        correlation: Lag-1 autocorrelation of the noise, shrunk.
        p: P-value of the strongest change against none; the false alarm rate of the whole curve.
        odd: Positions of single values far outside those around them, which count for nothing.
    """

    changes: tuple[ChangePoint, ...]
    fitted: Floats
    noise: float
    correlation: float
    p: float
    odd: tuple[int, ...] = ()


def change_points(
    x: ArrayLike,
    y: ArrayLike,
    *,
    variance: ArrayLike | None = None,
    logarithmic: bool = True,
    alpha: float = 0.05,
    level: float = 0.9,
) -> ChangeFit:
    """Find all changes of a curve.

    Args:
        x: Places on the axis, plain units, distinct, increasing, above 0 if logarithmic, shape (n,).
        y: Values.
        variance: Known variance of each value (sampling); the scatter may raise it. Without it the noise is
            estimated.
        logarithmic: Smooth curves and kinks are looked for along log10(x) and along x, else along x only.
        alpha: Chance of any change where there is none.
        level: Coverage of the intervals.

    Raises:
        ValueError: For under six values or over 400, places out of order, or what is not finite.

    Examples:
        >>> steps = [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200]
        >>> score = [0.02, 0.01, 0.02, 0.0, 0.01, 0.02, 0.61, 0.6, 0.63, 0.59, 0.61, 0.6]
        >>> fit = change_points(steps, score)
        >>> [(c.kind, round(c.low), round(c.high), round(c.size, 1)) for c in fit.changes]
        [('level', 600, 700, 0.6)]
    """
    grid, values = _checked(x, y, logarithmic)
    known = variance is not None
    root = 1 / np.sqrt(np.asarray(variance, float)) if known else np.ones(len(values))
    middle, spread = float(values.mean()), float(np.ptp(values))
    if spread <= 1e-12 * float(np.abs(values).max()):
        return ChangeFit((), values, 0.0, 0.0, 1.0)
    scale = 1.0 if known else spread
    values = (values - middle) / scale
    odd = _odd(grid, values, root, known)
    root = np.where(odd, _IGNORED * root, root)
    job = ChangeSearch(grid, values * root, root, known)
    model, first = job.forward(alpha)
    model, tests = job.backward(model, alpha)
    fit = job.fit(model)
    changes = tuple(
        replace(change, size=change.size * scale) for change in _described(job, model, tests, fit, level)
    )
    correlation = job.correlation(fit, model)
    plain = [_plain(change, np.asarray(x, float), grid) for change in changes]
    noise = float(np.sqrt(job.noise(fit, model)))
    return ChangeFit(
        tuple(plain),
        middle + fit / root * scale,
        noise * scale,
        correlation,
        first,
        tuple(np.flatnonzero(odd).tolist()),
    )


def _checked(x: ArrayLike, y: ArrayLike, logarithmic: bool) -> tuple[Grid, Floats]:
    places, values = np.asarray(x, float), np.asarray(y, float)
    if places.shape != values.shape or places.ndim != 1 or len(places) < FEWEST:
        raise ValueError(f"change points need {FEWEST} places and as many values; found {places.shape}")
    if not (np.isfinite(places).all() and np.isfinite(values).all()):
        raise ValueError("places and values must be finite")
    if len(places) > MOST:
        raise ValueError(f"{len(places)} places are more than the {MOST} that fit; average neighbours first")
    if (np.diff(places) <= 0).any() or (logarithmic and places[0] <= 0):
        raise ValueError("places must increase, and be above 0 along a logarithm")
    u = np.log10(places) if logarithmic else 2 * (places - places[0]) / (places[-1] - places[0])
    return grid_of(np.round(u, 9).tobytes(), logarithmic), values


def _odd(grid: Grid, values: Floats, root: Floats, known: bool) -> NDArray[np.bool_]:
    """Single values six standard deviations off both neighbours on either side, which agree."""
    out = np.zeros(len(values), bool)
    floor = float(difference_variance(grid.u, (values * root)[None], root)[0])
    error = np.sqrt(max(floor, 1.0 if known else 1e-300)) / root
    for i in range(2, len(values) - 2):
        around = values[[i - 2, i - 1, i + 1, i + 2]]
        excess = max(float(values[i] - around.max()), float(around.min() - values[i]))
        out[i] = excess > _ODD * error[i] and excess > 2 * float(np.ptp(around))
    return out


def _plain(change: ChangePoint, x: Floats, grid: Grid) -> ChangePoint:
    """Places from coordinates to plain units; an end at a checkpoint is that checkpoint to the last digit."""
    unit = (x[-1] - x[0]) / 2

    def back(u: float) -> float:
        value = float(10**u) if grid.logarithmic else float(x[0] + u * unit)
        near = float(x[int(np.abs(x - value).argmin())])
        return near if abs(near - value) <= 1e-6 * max(abs(near), unit) else value

    low, high = max(back(change.low), float(x[0])), min(back(change.high), float(x[-1]))
    size = change.size / unit if change.kind == "slope" and not grid.logarithmic else change.size
    return replace(change, at=back(change.at), low=low, high=high, size=size)


def _described(
    job: ChangeSearch, model: Model, tests: Floats, fit: Floats, level: float
) -> list[ChangePoint]:
    """Each change in words of place, kind and size, in order; places as coordinates u."""
    correlation = job.correlation(fit, model)
    noise = job.noise(fit, model) * (1 + correlation) / (1 - correlation)
    order = np.argsort(model.atoms.place, kind="stable")
    out = []
    for j in order:
        q = basis(job.grid, model.smooth, without(model.atoms, j).h, job.root)
        low, at, high = place_interval(
            job.grid,
            bool(model.atoms.smooth[j]),
            job.between(model.atoms.place, j),
            q,
            job.y - q @ (q.T @ job.y),
            job.root,
            noise,
            level,
        )
        name, size = _kind(job, model, int(j), fit)
        out.append(ChangePoint(name, at, low, high, size, float(tests[j])))
    spans = [_span(h) for h in model.atoms.h[order]]
    return _merged(out, model.atoms.place[order], spans, fit / job.root)


def _kind(job: ChangeSearch, model: Model, j: int, fit: Floats) -> tuple[str, float]:
    """Name of a change, and its size on the fitted curve."""
    here, h = float(model.atoms.place[j]), model.atoms.h[j]
    curve = fit / job.root
    if not model.atoms.smooth[j]:
        foot, top = _span(h)
        return "level", float(curve[top] - curve[foot])
    start, end = (float(v) for v in job.between(model.atoms.place, j))
    at, u = np.array([np.ceil(start), here, np.floor(end)]), job.grid.u
    heights, places = np.interp(at, np.arange(len(u)), curve), job.grid.at(at)
    before = curve[: int(np.floor(here)) + 1]
    rises = model.atoms.smooth & (model.atoms.place < here)
    noise = np.sqrt(job.noise(fit, model)) / float(np.median(job.root))
    if not rises.any() and np.ptp(before) <= max(0.1 * float(np.ptp(curve)), noise):
        return "onset", float(heights[2] - heights[1])
    rates = np.diff(heights) / np.maximum(np.diff(places), 1e-9)
    return "slope", float(rates[1] - rates[0])


def _span(h: Floats) -> tuple[int, int]:
    """Last checkpoint before a jump and first one after it."""
    return int(np.flatnonzero(h <= 0)[-1]), int((h < 1 - 1e-9).sum()) if h[-1] >= 1 else len(h) - 1


def _merged(
    changes: list[ChangePoint], positions: Floats, spans: list[tuple[int, int]], curve: Floats
) -> list[ChangePoint]:
    """Jumps within two checkpoints of each other are one: a transition that no single form describes.

    So are bends that begin at one place.
    """
    out: list[ChangePoint] = []
    last, foot = -np.inf, 0
    for change, position, span in zip(changes, positions, spans, strict=True):
        if out and position - last < _ONE_BEND and out[-1].kind == change.kind != "level":
            sharper = min(out[-1], change, key=lambda c: c.p)
            low, high = min(out[-1].low, change.low), max(out[-1].high, change.high)
            out[-1] = replace(sharper, low=low, high=high)
            continue
        near = bool(out) and position - last <= _ONE_JUMP and out[-1].kind == change.kind == "level"
        last = float(position)
        if not near:
            out.append(change)
            foot = span[0]
            continue
        one, other = sorted((out[-1], change), key=lambda c: c.p)
        low, high = min(one.low, other.at), max(one.high, other.at)
        out[-1] = replace(one, low=low, high=high, size=float(curve[span[1]] - curve[foot]))
    return out
