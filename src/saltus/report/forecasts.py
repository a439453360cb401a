"""The page on forecasts: what was measured, the predictive band beyond it, the forecast or its refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saltus.records.forecasts import Forecast
from saltus.records.metrics import metric_info
from saltus.report.layers import Spec, point_layers
from saltus.report.rows import Row, extent, point_rows, short
from saltus.report.scales import x_encoding, x_scale, y_encoding, y_scale
from saltus.report.words import AXIS_TITLES, metric_title, number, place_text, quantity, task_title

_LOW_TO_HIGH = {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}


def forecast_chart(forecasts: Sequence[Forecast]) -> Spec:
    """Measured points, the predictive band, and each forecast with its interval.

    Args:
        forecasts: Of one task, metric, series and axis, at one or more places.

    Returns:
        A Vega-Lite spec, rows in `datasets`, the answer as its title.
    """
    widest = max(forecasts, key=lambda one: (one.band is not None, one.at))
    points, told = point_rows(widest), [_told(one) for one in forecasts]
    band = _band(widest)
    x = x_scale(widest.axis, [*(row["x"] for row in points), *(one.at for one in forecasts)])
    heights = extent([row for row in [*points, *told, *band] if row["y"] is not None])
    y = y_scale(widest.metric, heights + ([] if widest.chance is None else [widest.chance]))
    layers: list[Spec] = []
    if band:
        area = {"type": "area", "style": "band", "clip": True}
        line = {"type": "line", "style": "fit", "clip": True}
        order = {"order": {"field": "x", "type": "quantitative"}}
        layers += [
            {"data": {"name": "band"}, "mark": area, "encoding": _LOW_TO_HIGH},
            {"data": {"name": "band"}, "mark": line, "encoding": order},
        ]
    return {
        "title": {"text": forecast_answer(max(forecasts, key=lambda one: one.at))},
        "datasets": {"points": points, "band": band, "forecasts": told},
        "width": "container",
        "height": 240,
        "encoding": {"x": x_encoding(widest.axis, x), "y": y_encoding(widest.metric, y)},
        "layer": [*_edge(points), *_chance(widest), *layers, *point_layers("points"), *_told_layers()],
    }


def forecast_page(forecasts: Sequence[Forecast]) -> list[dict[str, Any]]:
    """What the page shows: one entry a task, metric, series and axis, refusals last."""
    groups: dict[tuple[str, ...], list[Forecast]] = {}
    for one in forecasts:
        groups.setdefault((one.task, one.metric, one.family, one.series, one.axis), []).append(one)
    order = sorted(groups, key=lambda key: (all(one.refused for one in groups[key]), key))
    return [_entry(sorted(groups[key], key=lambda one: one.at)) for key in order]


def forecast_answer(one: Forecast) -> str:
    """The chart's title: the score that is expected and where, or that it cannot be told."""
    at = one.model or place_text(one.axis, one.at)
    if one.refused is not None or one.value is None:
        return f"{task_title(one.task)} at {at}: cannot be told"
    return f"{task_title(one.task)} at {at}: {_score(one)}"


def _entry(forecasts: Sequence[Forecast]) -> dict[str, Any]:
    last = forecasts[-1]
    who = last.series or last.family or "all models"
    return {
        "task": last.task,
        "who": f"{who} by {AXIS_TITLES[last.axis].split(',')[0].lower()}",
        "metric": metric_title(last.metric),
        "spec": forecast_chart(forecasts),
        "level": f"{last.level * 100:g} %",
        "band": last.band is not None,
        "rows": [
            {
                "at": one.model or quantity(one.at, one.axis),
                "score": "–" if one.refused else _score(one),  # noqa: RUF001
                "left": _span(one) if one.refused else "",
                "method": one.method,
                "refused": one.refused or "",
            }
            for one in forecasts
        ],
        "reasons": list(last.reasons),
    }


def _score(one: Forecast) -> str:
    return f"{number(one.value, metric_info(one.metric).unit)} {_span(one)}"


def _span(one: Forecast) -> str:
    unit = metric_info(one.metric).unit
    return f"[{number(one.low, unit)}, {number(one.high, unit)}]"


def _told(one: Forecast) -> Row:
    ends = {
        name: None if value is None else short(value)
        for name, value in (("low", one.low), ("high", one.high))
    }
    value = None if one.value is None or one.refused else short(one.value)
    words = f"{'not told' if one.refused else 'forecast'}, {one.method}"
    return {
        "model": one.model or quantity(one.at, one.axis),
        "x": short(one.at),
        "y": value,
        **ends,
        "words": words,
    }


def _band(one: Forecast) -> list[Row]:
    if one.band is None:
        return []
    columns = zip(one.band.x, one.band.y, one.band.low, one.band.high, strict=True)
    return [{"x": short(x), "y": short(y), "low": short(a), "high": short(b)} for x, y, a, b in columns]


def _edge(points: Sequence[Row]) -> list[Spec]:
    """A thin line where the measurements end."""
    if not points:
        return []
    data = {"values": [{"x": max(row["x"] for row in points)}]}
    return [{"data": data, "mark": {"type": "rule", "style": "edge"}, "encoding": {"y": None}}]


def _chance(one: Forecast) -> list[Spec]:
    if one.chance is None:
        return []
    y = {"field": "y", "type": "quantitative"}
    data = {"values": [{"y": short(one.chance)}]}
    return [{"data": data, "mark": {"type": "rule", "style": "chance"}, "encoding": {"x": None, "y": y}}]


def _told_layers() -> list[Spec]:
    data = {"name": "forecasts"}
    bar = {"data": data, "mark": {"type": "rule", "style": "forecast-bar"}, "encoding": _LOW_TO_HIGH}
    tip = [{"field": "model", "title": "At"}, {"field": "y", "type": "quantitative", "title": "Forecast"}]
    dot = {
        "data": data,
        "transform": [{"filter": "datum.y !== null"}],
        "mark": {"type": "point", "style": "forecast-point", "filled": True},
        "encoding": {"tooltip": tip},
    }
    return [bar, dot]
