"""Axes of the charts: scale, domain and ticks, chosen here so that specs are complete and testable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from saltus.records.metrics import metric_info
from saltus.report.words import AXIS_TITLES, metric_axis

_LABELS = {
    "flops": "replace(format(datum.value, '.0e'), '+', '')",
    "loss": "format(datum.value, '~g')",
    "released": "format(datum.value, '~f')",
    "capability": "format(datum.value, '~g')",
}
_SHORT = "replace(format(datum.value, '~s'), 'G', 'B')"


class AxisScale(msgspec.Struct, frozen=True):
    """One positional scale: its type, its domain in plain units, and where its ticks stand."""

    kind: str  # "linear", "log" or "symlog"
    low: float
    high: float
    ticks: tuple[float, ...]
    constant: float = 1.0  # symlog: linear below this
    reverse: bool = False

    def clamp(self, value: float) -> float:
        """The nearest value inside the domain, so that open intervals can be drawn."""
        return min(max(value, self.low), self.high)

    def place(self, value: float) -> float:
        """Where a value stands between the ends of the axis, 0 to 1 (not reversed)."""
        low, high = self._bend(self.low), self._bend(self.high)
        return (self._bend(value) - low) / (high - low)

    def value(self, place: float) -> float:
        """What stands at a place between the ends of the axis: the inverse of `place`."""
        low, high = self._bend(self.low), self._bend(self.high)
        bent = low + place * (high - low)
        if self.kind == "log":
            return math.exp(bent)
        if self.kind == "symlog":
            return math.copysign(math.expm1(abs(bent)) * self.constant, bent)
        return bent

    def _bend(self, value: float) -> float:
        if self.kind == "log":
            return math.log(max(value, 1e-300))
        if self.kind == "symlog":
            return math.copysign(math.log1p(abs(value) / self.constant), value)
        return value

    def spec(self) -> dict[str, Any]:
        """The Vega-Lite scale."""
        scale: dict[str, Any] = {"type": self.kind, "domain": [self.low, self.high], "nice": False}
        if self.kind == "linear":
            scale["zero"] = False
        if self.kind == "symlog":
            scale["constant"] = self.constant
        if self.reverse:
            scale["reverse"] = True
        return scale


def x_scale(axis: str, values: Sequence[float]) -> AxisScale:
    """The scale of a model axis: logarithmic for sizes, and for steps that span more than two decades."""
    finite = [value for value in values if math.isfinite(value)] or [1.0]
    low, high = min(finite), max(finite)
    positive = min((value for value in finite if value > 0), default=1.0)
    wide = high / positive > (100 if axis == "step" else 3)
    if axis in ("params", "tokens", "flops", "step") and wide and low >= 0:
        if low > 0:
            room = max((high / low) ** 0.05, 1.08)
            low, high = low / room, high * room
            return AxisScale("log", _round(low), _round(high), log_ticks(low, high))
        high *= (high / positive) ** 0.04
        ticks = (0.0, *(tick for tick in log_ticks(positive * 2, high) if tick > positive))
        return AxisScale("symlog", _round(-0.25 * positive), _round(high), ticks, constant=_round(positive))
    room = (high - low) * 0.04 or max(abs(high) * 0.1, 0.5)
    low, high = low - room, high + room
    ticks = linear_ticks(low, high)
    if axis in ("layers", "width", "step", "params"):
        ticks = tuple(tick for tick in ticks if tick >= 0 and (axis == "params" or tick == int(tick)))
    return AxisScale("linear", _round(low), _round(high), ticks, reverse=axis == "loss")


def y_scale(metric: str, values: Sequence[float]) -> AxisScale:
    """The scale of a metric: 0 to 1 for shares (less if all are small), logarithmic for wide perplexities."""
    info = metric_info(metric)
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if info.unit == "share" and low >= -0.05 and high <= 1.05:
        top = next(step for step in (0.05, 0.1, 0.25, 0.5, 1.0, 2.0) if high <= step or step == 2.0)
        top = min(top, 1.0)
        return AxisScale("linear", 0.0, top, linear_ticks(0.0, top, 4))
    if info.unit == "perplexity" and low > 0 and high / low > 30:
        return AxisScale("log", _round(low / 1.3), _round(high * 1.3), log_ticks(low / 1.3, high * 1.3))
    room = (high - low) * 0.07 or max(abs(high) * 0.1, 0.05)
    from_zero = info.low == 0 and 0 <= low < 0.5 * high
    up_to_zero = info.high == 0 and low < 0 and 0.5 * low < high <= 0
    low, high = (0.0 if from_zero else low - room), (0.0 if up_to_zero else high + room)
    return AxisScale("linear", _round(low), _round(high), linear_ticks(low, high, 5))


def x_encoding(axis: str, scale: AxisScale, *, ticks: int = 8) -> dict[str, Any]:
    """The Vega-Lite x channel of field `x`."""
    labels = _LABELS.get(axis, _SHORT)
    values = list(scale.ticks)
    return {
        "field": "x",
        "type": "quantitative",
        "scale": scale.spec(),
        "axis": {
            "title": f"{AXIS_TITLES[axis]} →",
            "values": values[:: max(1, -(-len(values) // ticks))],
            "labelExpr": labels,
        },
    }


def y_encoding(metric: str, scale: AxisScale, *, title: bool = True) -> dict[str, Any]:
    """The Vega-Lite y channel of field `y`."""
    labels = (
        "replace(format(datum.value, '~s'), 'G', 'B')" if scale.high >= 1e4 else "format(datum.value, '~g')"
    )
    return {
        "field": "y",
        "type": "quantitative",
        "scale": scale.spec(),
        "axis": {
            "title": metric_axis(metric) if title else None,
            "values": list(scale.ticks),
            "labelExpr": labels,
        },
    }


def linear_ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """Round values between two ends, at most `most` + 1 of them.

    Examples:
        >>> linear_ticks(0, 2000)
        (0.0, 500.0, 1000.0, 1500.0, 2000.0)
    """
    raw = (high - low) / most
    unit = 10 ** math.floor(math.log10(raw))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(_round(index * step) for index in range(first, last + 1))


def log_ticks(low: float, high: float, most: int = 7) -> tuple[float, ...]:
    """Values 1, 2, 5 or 1, 3 or only powers of ten between two positive ends, at most `most` of them.

    Examples:
        >>> log_ticks(1500, 300_000)
        (2000.0, 5000.0, 10000.0, 20000.0, 50000.0, 100000.0, 200000.0)
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks: tuple[float, ...] = ()
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = tuple(
            float(f"{factor}e{power}")
            for power in range(first, last + 1)
            for factor in factors
            if low <= float(f"{factor}e{power}") <= high
        )
        if len(ticks) <= most:
            return ticks
    return ticks[:: -(-len(ticks) // most)]


def outline(
    scale: AxisScale, x: Sequence[float], curves: Sequence[Sequence[float]], height: float
) -> list[int]:
    """Vertices that a polyline needs to look the same: the others are within 1/500 of the chords.

    Args:
        scale: Of x; chords are straight on the screen.
        x: Shape (n,), rising.
        curves: One or more y of shape (n,), thinned together.
        height: Extent of the y axis.

    Returns:
        Indices to keep, rising.
    """
    if len(x) < 3:
        return list(range(len(x)))
    places = [scale.place(value) for value in x]
    keep, spans = {0, len(x) - 1}, [(0, len(x) - 1)]
    while spans:
        start, end = spans.pop()
        run = (places[end] - places[start]) or 1.0
        worst, at = 0.0, -1
        for index in range(start + 1, end):
            share = (places[index] - places[start]) / run
            gap = max(abs(y[start] + share * (y[end] - y[start]) - y[index]) for y in curves)
            if gap > worst:
                worst, at = gap, index
        if worst > height / 500 and at > 0:
            keep.add(at)
            spans += [(start, at), (at, end)]
    return sorted(keep)


def _round(value: float) -> float:
    return float(f"{value:.6g}")
