"""Layers of the charts: which marks stand for points, fits, chance, onset and cells; `theme` styles them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saltus.records.explanations import Explanation
from saltus.records.findings import Finding, Fit
from saltus.report.rows import Row, curves, short
from saltus.report.scales import AxisScale, x_encoding, y_encoding

Spec = dict[str, Any]

_LOW_TO_HIGH = {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}


def panel(finding: Finding, x: AxisScale, y: AxisScale) -> Spec:
    """The finding's metric: onset, chance, band, rival fits, best fit, points, from the back to the front."""
    best, rivals = curves(finding)
    layers = [
        *onset_layers(finding, x),
        *chance_layers(finding),
        *band_layers(finding),
        *fit_layers(rivals, "rival"),
        *fit_layers([best], "fit"),
        *expected_layers(finding),
        *point_layers("points"),
    ]
    encoding = {"x": x_encoding(finding.axis, x), "y": y_encoding(finding.metric, y)}
    return {"width": 420, "height": 270, "encoding": encoding, "layer": layers}


def partner_panel(metric: str, finding: Finding, x: AxisScale, y: AxisScale) -> Spec:
    """The continuous metric of the same models on the same x axis: its points and the onset of the other."""
    encoding = {"x": x_encoding(finding.axis, x), "y": y_encoding(metric, y)}
    layers = [*onset_layers(finding, x), *point_layers("partner")]
    return {"width": 420, "height": 270, "encoding": encoding, "layer": layers}


def point_layers(data: str) -> list[Spec]:
    """Dots with their bars; hollow dots for points that the fit left out."""
    score = {"type": "quantitative", "format": ".3~f"}
    tooltip = [
        {"field": "model", "title": "Model"},
        {"field": "y", "title": "Score", **score},
        {"field": "low", "title": "Low", **score},
        {"field": "high", "title": "High", **score},
    ]
    rows = {"name": data}
    bar: Spec = {
        "data": rows,
        "mark": {"type": "rule", "style": "bar", "clip": True},
        "encoding": _LOW_TO_HIGH,
    }
    dot: Spec = {
        "data": rows,
        "mark": {"type": "point", "style": "point", "filled": True},
        "encoding": {"tooltip": tooltip},
    }
    if data == "partner":
        return [bar, dot]
    circle = {"type": "point", "style": "unused", "filled": False}
    hollow = {**dot, "mark": circle, "transform": [{"filter": "!datum.used"}]}
    return [bar, {**dot, "transform": [{"filter": "datum.used"}]}, hollow]


def band_layers(finding: Finding) -> list[Spec]:
    """The interval of the fitted curve."""
    if finding.band is None:
        return []
    area = {"type": "area", "style": "band", "clip": True}
    return [{"data": {"name": "band"}, "mark": area, "encoding": _LOW_TO_HIGH}]


def fit_layers(fits: Sequence[Fit | None], style: str) -> list[Spec]:
    """One line a curve; `None` stands for the fit that the band carries."""
    layers: list[Spec] = []
    for fit in fits:
        line: Spec = {"data": {"name": "band" if fit is None else "fits"}}
        if fit is not None:
            line["transform"] = [{"filter": {"field": "shape", "equal": fit.shape}}]
        line["mark"] = {"type": "line", "style": style, "clip": True}
        line["encoding"] = {"order": {"field": "x", "type": "quantitative"}}
        layers.append(line)
    return layers


def expected_layers(finding: Finding) -> list[Spec]:
    """What the link of the artifact check expects from the continuous metric: a dotted line."""
    if finding.check is None or not finding.check.predicted:
        return []
    line = {"type": "line", "style": "expected", "clip": True}
    order = {"order": {"field": "x", "type": "quantitative"}}
    return [{"data": {"name": "expected"}, "mark": line, "encoding": order}]


def chance_layers(finding: Finding | Explanation, *, label: bool = True) -> list[Spec]:
    """The dashed line of guessing, with its word at the right end."""
    if finding.chance is None:
        return []
    data = {"values": [{"y": short(finding.chance)}]}
    y = {"field": "y", "type": "quantitative"}
    line = {"data": data, "mark": {"type": "rule", "style": "chance"}, "encoding": {"x": None, "y": y}}
    mark = {"type": "text", "style": "chance-label", "text": "chance"}
    words = {"data": data, "mark": mark, "encoding": {"x": {"value": "width"}, "y": y}}
    return [line, words] if label else [line]


def onset_layers(finding: Finding | Explanation, scale: AxisScale) -> list[Spec]:
    """The amber band of the onset's interval with a line at the onset; open ends stop at the axis."""
    at = finding.onset
    if at is None:
        return []
    low, middle, high = (short(scale.clamp(value)) for value in (at.low, at.value, at.high))
    data = {"values": [{"low": low, "x": middle, "high": high}]}
    across = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}
    up = {"y": {"value": 0}, "y2": {"value": "height"}}
    band = {"data": data, "mark": {"type": "rect", "style": "onset"}, "encoding": {**across, **up}}
    line = {"data": data, "mark": {"type": "rule", "style": "onset-line"}, "encoding": {"y": None}}
    return [band, line]


def heat_layers(cells: Sequence[Row], *, words: bool) -> list[Spec]:
    """Cells of a heat map, hollow ones where there is no score, and the scores where there is room."""
    values = [cell["y"] for cell in cells] or [0.0, 1.0]
    share = min(values) >= -0.05 and max(values) <= 1.05
    low, high = (0.0, 1.0) if share else (min(values), max(values))
    legend = {
        "title": "Score",
        "orient": "bottom",
        "direction": "horizontal",
        "gradientLength": 160,
        "gradientThickness": 8,
    }
    colour = {"field": "y", "type": "quantitative", "scale": {"domain": [low, high]}, "legend": legend}
    tip = [
        {"field": "task", "title": "Task"},
        {"field": "model", "title": "Model"},
        {"field": "y", "type": "quantitative", "title": "Score"},
    ]
    filled = {"data": {"name": "cells"}, "mark": {"type": "rect", "style": "cell"}}
    layers: list[Spec] = [
        {"data": {"name": "missing"}, "mark": {"type": "rect", "style": "missing"}},
        {**filled, "encoding": {"color": colour, "tooltip": tip}},
    ]
    if words:
        middle = (low + high) / 2
        text = {"field": "y", "type": "quantitative", "format": ".2f" if share else ".2~f"}
        for style, side in (("cell-low", "<="), ("cell-high", ">")):
            layers.append(
                {
                    "data": {"name": "cells"},
                    "transform": [{"filter": f"datum.y {side} {middle:g}"}],
                    "mark": {"type": "text", "style": style},
                    "encoding": {"text": text},
                }
            )
    return layers
