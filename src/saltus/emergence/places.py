"""Where each point lies along an axis: recorded, derived from what is recorded, or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.axis import parse_date
from saltus.emergence.points import Codes, Points
from saltus.records import InputError

Floats = NDArray[np.float64]

RECORDED, DERIVED, INFINITE = 0, 1, 2
# Values under the first are no plain numbers when others reach the second, and odd when none does.
_UNITS = {
    "params": (1e3, 1e6, "parameters", "billions"),
    "tokens": (1e3, 1e9, "tokens", "billions or trillions"),
    "flops": (1e6, 1e15, "FLOPs", "units of 1e21"),
}


@dataclass(frozen=True)
class Places:
    """Places of all points along one axis.

    Attributes:
        x: In plain units, NaN where there is none, shape (size,).
        how: `RECORDED`, `DERIVED` or `INFINITE` (an infinite value is no place), shape (size,).
        derivation: How derived places came about, a sentence after the models' names.
        notes: Sentences for every series.
        by_task: Sentences for the series of one task.
        error: Standard error of the places of one task's series, where they are estimates.
    """

    x: Floats
    how: Codes
    derivation: str = ""
    notes: tuple[str, ...] = ()
    by_task: dict[str, tuple[str, ...]] = field(default_factory=dict)
    error: dict[str, float] = field(default_factory=dict)


def places_along(points: Points, axis: str) -> Places:
    """Places of points along an axis that is a column of the models table.

    FLOPs that are not recorded are 6 x parameters x tokens (Kaplan et al. 2020, arXiv:2001.08361, section
    2.1) where both are. Tokens at a step follow from other checkpoints of the same model, where tokens and
    step are in one proportion.

    Raises:
        InputError: A place is no number or date, or some are plainly in another unit than others.
    """
    x = _dates(points) if axis == "released" else points.numbers(axis).copy()
    how = np.where(np.isinf(x), INFINITE, RECORDED)
    x[np.isinf(x)] = np.nan
    derivation = ""
    missing = np.isnan(x) & (how == RECORDED)
    if axis in ("flops", "tokens") and missing.any():
        fill = _flops(points) if axis == "flops" else _tokens(points)
        derived = missing & np.isfinite(fill)
        x[derived], how[derived] = fill[derived], DERIVED
        derivation = (
            "6 x parameters x tokens" if axis == "flops" else "tokens a step of their other checkpoints"
        )
    return Places(x, how, derivation, _check_units(points, axis, x))


def joined(*columns: Sequence[int] | NDArray[np.integer]) -> Codes:
    """Dense numbers for the distinct combinations of columns of whole numbers, in their order."""
    out = np.asarray(columns[0], np.int64)
    for column in columns[1:]:
        codes = np.asarray(column, np.int64)
        out = np.unique(out * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)[1]
    return np.unique(out, return_inverse=True)[1].astype(np.int64)


def who(points: Points) -> Codes:
    """Numbers for the models of the points, checkpoints apart: family, name and seed."""
    return joined(points.codes("family")[0], points.codes("name")[0], points.codes("model_seed")[0])


def _dates(points: Points) -> Floats:
    codes, texts = points.codes("released")
    dates = np.full(len(texts), np.nan)
    for place, text in enumerate(texts):
        if text:
            try:
                dates[place] = parse_date(text)
            except InputError as error:
                row = int(np.flatnonzero(codes == place)[0])
                names, values = points.codes("name")
                raise InputError(f"Model {values[names[row]]}: {error.message}", field="released") from None
    return np.asarray(dates[codes])


def _flops(points: Points) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        out = 6 * points.numbers("params") * points.numbers("tokens")
    return np.where(np.isfinite(out), out, np.nan)


def _tokens(points: Points) -> Floats:
    """Tokens from the step, for models whose recorded tokens and steps are in one proportion."""
    model, step, tokens = who(points), points.numbers("step"), points.numbers("tokens")
    known = np.isfinite(step) & np.isfinite(tokens) & (step > 0) & (tokens > 0)
    size = int(model.max(initial=-1)) + 1
    low, high = np.full(size, np.inf), np.zeros(size)
    with np.errstate(over="ignore"):
        ratio = tokens[known] / step[known]
    np.minimum.at(low, model[known], ratio)
    np.maximum.at(high, model[known], ratio)
    with np.errstate(invalid="ignore", over="ignore"):
        steady = (high > 0) & (high - low <= 1e-3 * high)
        out = np.where(steady, high, np.nan)[model] * step
    return np.where(np.isfinite(out), out, np.nan)


def _check_units(points: Points, axis: str, x: Floats) -> tuple[str, ...]:
    """Refuse a mixture of units, and say so where all values look like another unit."""
    known = np.isfinite(x) & (x > 0)
    if axis not in _UNITS or not known.any():
        return ()
    small, large, noun, unit = _UNITS[axis]
    top = float(x[known].max())
    odd = known & (x < small)
    if axis == "tokens":  # the first steps of training have few; no model has part of one
        odd &= x != np.rint(x)
    if not odd.any():
        return ()
    row = int(np.flatnonzero(odd)[0])
    codes, names = points.codes("name")
    if top >= large:
        raise InputError(
            f"Model {names[codes[row]]} has {axis} = {x[row]:g} and others up to {top:.3g}: it looks like "
            f"{unit}; give plain numbers of {noun} in the models table.",
            field=axis,
        )
    if top >= small:
        return ()
    told = (
        f"The largest value of {axis} is {top:g}: if these are {unit}, give plain numbers of {noun}; the "
        "verdicts stay, and the places in them change."
    )
    return (told,)
