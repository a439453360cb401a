"""Marks of the charts of effects: rows of dots with intervals, scores before and after, dashed references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saltus.records.metrics import metric_info
from saltus.report.explain_rows import heights
from saltus.report.layers import Spec
from saltus.report.rows import Row, short
from saltus.report.scales import AxisScale, linear_ticks, y_scale
from saltus.report.theme import theme
from saltus.report.words import metric_title

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
UP: dict[str, Any] = {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}

_ACROSS: dict[str, Any] = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}
_SPANS = "datum.low !== null && datum.high !== null"


def frame(answer: str, rows: list[Row], metric: str, extra: Sequence[float] = (), *, title: str = "") -> Spec:
    """Title, size and both axes of a chart with components down and a score across.

    Args:
        answer: The title.
        rows: Of the chart, in order; rows of one component share a line.
        metric: Decides the scale.
        extra: Other values that have to fit.
        title: Of the axis, where it is not the metric's name.
    """
    names = list(dict.fromkeys(row["component"] for row in rows))
    scale = across_scale(metric, [*heights(rows), *extra])
    x_axis = {
        "title": title or f"{metric_title(metric)} →",
        "values": list(scale.ticks),
        "labelExpr": "format(datum.value, '~g')",
    }
    y = {
        "field": "component",
        "type": "ordinal",
        "sort": names,
        "scale": {"domain": names, "padding": 0.06},
        "axis": {"title": None, "grid": True, "domain": False, "labelLimit": 170},
    }
    return {
        "$schema": SCHEMA,
        "title": {"text": answer},
        "config": theme(),
        "datasets": {"rows": rows},
        "data": {"name": "rows"},
        "width": "container",
        "height": max(len(names) * 22, 44),
        "encoding": {"y": y, "x": {"type": "quantitative", "scale": scale.spec(), "axis": x_axis}},
    }


def across_scale(metric: str, values: Sequence[float]) -> AxisScale:
    """Of shares 0 to 1, and beyond where a value is; of other metrics what `y_scale` gives."""
    low, high = min(values), max(values)
    if metric_info(metric).unit != "share" and metric != "recovered":
        return y_scale(metric, values)
    if low >= -0.02 and high <= 1.02:
        return AxisScale("linear", -0.02, 1.02, linear_ticks(0.0, 1.0, 5))
    low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low) * 0.05
    ticks = linear_ticks(low, high, 5)
    return AxisScale("linear", short(low - room) or 0.0, short(high + room) or 0.0, ticks)


def dumbbells() -> list[Spec]:
    """Hollow dot before, filled dot with its interval after, a thin line between; controls in grey."""
    span = {"x": {"field": "before", "type": "quantitative"}, "x2": {"field": "y"}}
    was = {"x": {"field": "before", "type": "quantitative"}, **tip()}
    treated, control = "datum.kind !== 'control'", "datum.kind === 'control'"
    return [
        {"transform": [{"filter": treated}], "mark": {"type": "rule", "style": "link"}, "encoding": span},
        {"mark": {"type": "point", "style": "before", "filled": False}, "encoding": was},
        *dots(treated),
        *dots(control, "control-"),
    ]


def dots(test: str, style: str = "") -> list[Spec]:
    """Dots with their intervals for the rows that pass a test.

    Args:
        test: An expression on `datum`.
        style: "" for measured values, "control-" for controls, "before" for hollow dots.
    """
    hollow = style == "before"
    return [
        {
            "transform": [{"filter": f"({test}) && {_SPANS}"}],
            "mark": {"type": "rule", "style": "bar" if hollow else f"{style}bar"},
            "encoding": _ACROSS,
        },
        {
            "transform": [{"filter": test}],
            "mark": {"type": "point", "style": style if hollow else f"{style}point", "filled": not hollow},
            "encoding": {"x": {"field": "y", "type": "quantitative"}, **tip()},
        },
    ]


def upright(test: str, *, hollow: bool = False) -> list[Spec]:
    """Dots with intervals that stand up, for the rows that pass a test."""
    keep = {"data": {"name": "rows"}, "transform": [{"filter": test}]}
    spans = {**keep, "transform": [{"filter": f"({test}) && {_SPANS}"}]}
    mark = {"type": "point", "style": "before" if hollow else "point", "filled": not hollow}
    return [
        {**spans, "mark": {"type": "rule", "style": "bar"}, "encoding": UP},
        {**keep, "mark": mark, "encoding": tip()},
    ]


def dashed(value: float | None, word: str) -> list[Spec]:
    """A dashed line down the chart with its word on top."""
    if value is None:
        return []
    data = {"data": {"values": [{"y": short(value)}]}}
    x = {"field": "y", "type": "quantitative"}
    label = {"type": "text", "style": "chance-label", "text": word, "dy": -7, "dx": 0, "align": "center"}
    line = {**data, "mark": {"type": "rule", "style": "chance"}, "encoding": {"x": x, "y": None}}
    return [line, *([{**data, "mark": label, "encoding": {"x": x, "y": {"value": 0}}}] if word else [])]


def tip() -> dict[str, Any]:
    """The channel that gives a mark its tooltip; the page words it."""
    return {"tooltip": [{"field": "component"}, {"field": "y", "type": "quantitative"}]}
