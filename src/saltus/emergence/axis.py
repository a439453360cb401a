"""Axes of scale: how each is stretched for fitting, and how its values read in a sentence."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from saltus.records import AXES, InputError, UsageError

Floats = NDArray[np.float64]

LOGARITHMIC = frozenset({"params", "tokens", "flops", "step", "layers", "width"})
TRAINING = frozenset({"step", "tokens"})
_NOUNS = {
    "params": "parameters",
    "tokens": "tokens",
    "flops": "FLOPs",
    "layers": "layers",
    "width": "hidden units",
    "heads": "heads",
    "capability": "capability",
}
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?:[T ]\d{2}:.*)?", re.ASCII)
_STRETCH = 2.0  # decades that a linear axis counts as, from end to end


@dataclass(frozen=True, slots=True)
class AxisMap:
    """One axis over one series: plain units to the coordinate of the fits, and back.

    Counts are fitted along their log10. Loss, release dates and the capability component have no natural
    zero, so their range is stretched to two decades; for loss, progress points to the right.
    """

    axis: str
    low: float
    high: float

    @property
    def logarithmic(self) -> bool:
        """Whether the coordinate is log10 of the plain value."""
        return self.axis in LOGARITHMIC

    def forward(self, x: Floats) -> Floats:
        """Coordinates of plain values."""
        if self.logarithmic:
            return np.log10(x)
        share = (x - self.low) / ((self.high - self.low) or 1.0)
        return np.asarray(_STRETCH * (1 - share if self.axis == "loss" else share))

    def back(self, u: Floats) -> Floats:
        """Plain values of coordinates."""
        if self.logarithmic:
            return np.asarray(10.0**u)
        share = u / _STRETCH
        return np.asarray(self.low + (1 - share if self.axis == "loss" else share) * (self.high - self.low))

    def place(self, x: float) -> str:
        """One value in a sentence: "step 450", "6.7B parameters", "2 layers"."""
        return place(self.axis, x)

    def between(self, low: float, high: float) -> str:
        """Two values in a sentence: "step 450 and 550", "1.2B and 2.9B parameters"."""
        if self.axis == "layers":  # whole ones: the two between which it happens
            low, high = math.floor(low + 1e-9), math.ceil(high - 1e-9)
        a, b = (count(self.axis, v) for v in (low, high))
        match self.axis:
            case "step" | "loss" | "released" | "capability":
                return f"{'date' if self.axis == 'released' else self.axis} {a} and {b}"
            case _:
                return f"{a} and {b} {_NOUNS[self.axis]}"


def noun(name: str, *, capital: bool = False) -> str:
    """What an axis or attribute counts: "layers", "FLOPs"."""
    word = _NOUNS.get(name, name)
    return word[0].upper() + word[1:] if capital else word


def check_axis(axis: str) -> None:
    """Refuse an axis that does not exist.

    Raises:
        UsageError: Names the axes there are.
    """
    if axis not in AXES:
        raise UsageError(f"There is no axis {axis!r}; choose one of {', '.join(AXES)}.", field="axis")


def place(axis: str, x: float) -> str:
    """One axis value in a sentence."""
    number = count(axis, x)
    match axis:
        case "step" | "loss" | "capability":
            return f"{axis} {number}"
        case "released":
            return number
        case _:
            noun = _NOUNS[axis]
            return f"{number} {noun[:-1] if number == '1' else noun}"


def count(axis: str, x: float) -> str:
    """An axis value as people write it: 450, 34.5k, 1.2M, 6.7B, 1.5T, 2.1e23; dates as 2023-05.

    Examples:
        >>> [count("params", x) for x in (450, 34512, 1.2e6, 6.7e9)]
        ['450', '34.5k', '1.2M', '6.7B']
        >>> count("step", 143000), count("released", 2023.5), count("layers", 1.5)
        ('143,000', '2023-07', '1.5')
    """
    match axis:
        case "loss":
            return f"{x:.3g}"
        case "capability":
            return f"{x:.2f}" if abs(x) < 100 else f"{x:.3g}"
        case "released":
            return f"{int(x)}-{min(int((x % 1) * 12) + 1, 12):02d}"
        case "step" if x < 1e6:
            return f"{_three(x):,.0f}" if x >= 100 else f"{_three(x):g}"
        case _:
            return _short(x)


def parse_date(text: str) -> float:
    """Decimal year of an ISO date (YYYY, YYYY-MM or YYYY-MM-DD, with or without a time).

    Raises:
        InputError: When it is no such date; the sentence goes on after the model's name.
    """
    found = _DATE.fullmatch(text.strip())
    try:
        year, month, day = (int(p or 1) for p in found.groups()) if found else (0, 0, 0)
        return year + (date(year, month, day) - date(year, 1, 1)).days / 365.25
    except ValueError:
        raise InputError(
            f"the release date {text!r} is not YYYY-MM-DD; mend it in the models table.",
            field="released",
        ) from None


def _three(x: float) -> float:
    """Round to three digits, so that an interpolated value does not look measured."""
    return 0.0 if x == 0 else round(x, 2 - math.floor(math.log10(abs(x))))


def _short(x: float) -> str:
    if x >= 1e15:
        return f"{x:.2g}".replace("e+", "e")
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if x >= size * 0.9995:
            unit = size if letter != "k" else 1e3
            return f"{_three(x) / unit:.3g}{letter}"
    return f"{x if x == round(x) else _three(x):,.0f}" if x >= 1000 else f"{_three(x):g}"
