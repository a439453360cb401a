"""Whether a number can be what it claims to be: scores within bounds, counts, errors, axis values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date

from saltus.records.errors import InputError
from saltus.records.metrics import METRICS, metric_info

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([kmbt])?", re.IGNORECASE)
_SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")
_MAY_BE_ZERO = ("tokens", "step")  # before training
_WHOLE = 1e-3  # how far a recovered count may lie from a whole number, relative


def check_score(metric: str, value: float, *, strict: bool) -> None:
    """Refuse a score that its metric cannot have.

    Args:
        metric: Its name.
        value: The score.
        strict: Take an unknown metric as a share; otherwise it only has to be finite.

    Raises:
        InputError: With the field "score".
    """
    if not math.isfinite(value):
        raise InputError(
            f"{metric} is {value}, which is no measurement; leave it out or measure again", field="score"
        )
    if metric not in METRICS and not strict:
        return
    info = metric_info(metric)
    low = -math.inf if info.low is None else info.low
    high = math.inf if info.high is None else info.high
    if low <= value <= high:
        return
    span = f"between {low:g} and {high:g}" if info.high is not None else f"at least {low:g}"
    if info.low is None:
        span = f"at most {high:g}"
    mend = "correct it"
    if (low, high) == (0, 1) and 1 < value <= 100:
        mend = "if it is a percentage, divide by 100 (in a CSV with --map score=score/100)"
    raise InputError(f"{metric} is {value:g} and must be {span}; {mend}", field="score")


def can_be_scores(metric: str, values: Iterable[float]) -> bool:
    """Whether all values lie within a metric's bounds; of an unknown metric, whether they are finite."""
    try:
        for value in values:
            check_score(metric, value, strict=False)
    except InputError:
        return False
    return True


def check_stderr(value: float | None) -> None:
    """Refuse a standard error that is negative or not finite."""
    if value is not None and not 0 <= value < math.inf:
        raise InputError(
            f"stderr is {value:g} and must be 0 or more; correct it or leave it empty", field="stderr"
        )


def check_n(value: float | None) -> None:
    """Refuse a number of samples below 1."""
    if value is not None and not 1 <= value < math.inf:
        raise InputError(f"n is {value:g} and must be 1 or more; correct it or leave it empty", field="n")


def check_chance(value: float | None) -> None:
    """Refuse a score of guessing outside [0, 1]."""
    if value is not None and not 0 <= value <= 1:
        raise InputError(
            f"chance is {value:g} and must lie between 0 and 1; correct it or leave it empty", field="chance"
        )


def check_axis(axis: str, value: float) -> None:
    """Refuse a place on a scale axis that no model can have."""
    low = "0 or more" if axis in _MAY_BE_ZERO else "above 0"
    if not math.isfinite(value) or value < 0 or (value == 0 and axis not in _MAY_BE_ZERO):
        raise InputError(f"{axis} is {value:g} and must be {low}; correct it or leave it empty", field=axis)


def to_number(text: str, name: str, *, suffix: bool = False, comma: bool = False) -> float:
    """Read a number.

    Args:
        text: What the cell says.
        name: Field, for the sentence.
        suffix: Whether "7B" may stand for 7e9.
        comma: Whether a comma may be the decimal point.

    Raises:
        InputError: It is no number.
    """
    bare = text.strip().replace("\u2212", "-")
    if comma and "." not in bare:
        bare = bare.replace(",", ".")
    elif _THOUSANDS.fullmatch(bare):
        bare = bare.replace(",", "")
    try:
        return float(bare)
    except ValueError:
        found = _NUMBER.fullmatch(bare)
    if suffix and found and found.group(2):
        return float(found.group(1)) * _SUFFIXES[found.group(2).lower()]
    what = "empty" if not bare else repr(text)
    mend = "; write the share, not the percentage" if bare.endswith("%") else "; correct the cell"
    raise InputError(f"{name} is {what} and must be a number{mend}", field=name)


def to_whole(text: str, name: str, *, comma: bool = False) -> int:
    """Read a whole number that is not negative, such as shots or a seed."""
    value = to_number(text, name, comma=comma)
    if not 0 <= value < 2**31 or value != int(value):
        raise InputError(
            f"{name} is {text!r} and must be a whole number, 0 or more; correct the cell", field=name
        )
    return int(value)


def to_date(text: str) -> str:
    """Read a date as ISO 8601; a month or a year alone stands for its first day.

    Raises:
        InputError: It is no date.
    """
    found = _DATE.fullmatch(text.strip())
    try:
        if not found:
            raise ValueError
        return date(int(found[1]), int(found[2] or 1), int(found[3] or 1)).isoformat()
    except ValueError:
        raise InputError(
            f"date is {text!r} and must look like 2023-04-03; correct the cell", field="date"
        ) from None


def recover_n(value: float, stderr: float | None) -> float | None:
    """Samples behind a share, from its standard error: n = p (1 - p) / stderr^2 + 1.

    The mean of n marks of 0 or 1 has the variance p (1 - p) / (n - 1). Where n or the number of right answers
    comes out far from whole, the score is no such mean, and nothing is claimed.

    Examples:
        >>> recover_n(0.6, (0.6 * 0.4 / 99) ** 0.5)
        100.0
        >>> recover_n(0.5, 0.0123456789) is None
        True
    """
    if stderr is None or not 0 < value < 1 or not 0 < stderr < 1:
        return None
    estimate = value * (1 - value) / stderr**2 + 1
    n = round(estimate)
    rounded = len(repr(stderr).replace(".", "").strip("0")) < 7  # printed with few digits
    if rounded:
        return float(n) if n >= 2 else None
    right = value * n
    if abs(estimate - n) > _WHOLE * n or abs(right - round(right)) > _WHOLE * n + 0.01 or n < 2:
        return None
    return float(n) if abs(estimate - n) < 0.05 else None
