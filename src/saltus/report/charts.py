"""Charts as data: functions that return complete Vega-Lite specs, tested without a browser.

Every spec carries its rows in `datasets`; the page shows the same rows as the chart's table and CSV, so that
the two cannot differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from saltus.records.findings import Finding
from saltus.report.layers import (
    Spec,
    band_layers,
    chance_layers,
    fit_layers,
    heat_layers,
    onset_layers,
    panel,
    partner_panel,
)
from saltus.report.rows import (
    PartnerPoint,
    Row,
    axis_values,
    band_rows,
    column_names,
    curves,
    expected_rows,
    extent,
    fit_rows,
    partner_rows,
    point_rows,
    row_names,
    short,
)
from saltus.report.scales import AxisScale, x_encoding, x_scale, y_encoding, y_scale
from saltus.report.theme import theme
from saltus.report.words import AXIS_TITLES, answer, group_title, metric_title, rank

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


def emergence_chart(finding: Finding, partner_points: Sequence[PartnerPoint] = ()) -> Spec:
    """A finding's metric with its fit, and the continuous partner metric beside it on the same x axis.

    Args:
        finding: Points, fits, band, onset and chance to draw.
        partner_points: The partner metric of the same models; without any, the first panel stands alone.

    Returns:
        A Vega-Lite spec with one or two panels in `hconcat`, rows in `datasets`, and the answer as its title.
    """
    x, y, datasets = _measured(finding)
    panels = [panel(finding, x, y)]
    expected = expected_rows(finding)
    if expected:
        datasets["expected"] = expected
    partners = partner_rows(partner_points)
    if partners:
        metric = partner_points[0].metric
        datasets["partner"] = partners
        panels.append(partner_panel(metric, finding, x, y_scale(metric, extent(partners))))
    subtitle = f"{group_title(finding)}, {metric_title(finding.metric)}"
    return {**_head(answer(finding), datasets, subtitle), "spacing": 56, "hconcat": panels}


def timeline(finding: Finding) -> Spec:
    """One small multiple: a task over the steps of one model, with its fit and its onset band."""
    x, y, datasets = _measured(finding)
    best, _ = curves(finding)
    across = x_encoding(finding.axis, x, ticks=4)
    across["axis"]["title"] = None
    return {
        **_head(answer(finding), datasets),
        "width": "container",
        "height": 110,
        "encoding": {"x": across, "y": y_encoding(finding.metric, y, title=False)},
        "layer": [
            *onset_layers(finding, x),
            *chance_layers(finding, label=False),
            *band_layers(finding),
            *fit_layers([best], "fit"),
            {"data": {"name": "points"}, "mark": {"type": "point", "style": "small-point", "filled": True}},
        ],
    }


def heatmap(findings: Sequence[Finding]) -> Spec:
    """Tasks by models: rows by onset, columns along the axis, one hue for scores, hollow where there is none.

    Args:
        findings: Of one family, series and axis, one a task; several metrics or variants become several rows.
    """
    ordered = sorted(findings, key=lambda finding: (finding.onset is None, rank(finding)))
    axis = ordered[0].axis
    places = {point.model: point.x for finding in ordered for point in finding.points}
    models = sorted(places, key=lambda model: (places[model], model))
    columns = column_names(models, places, axis)
    tasks = row_names(ordered)
    cells, missing = _cells(ordered, tasks, models, columns)
    slanted = max(map(len, columns)) > 4 and sum(map(len, columns)) > 36
    x_axis = {
        "title": f"{AXIS_TITLES[axis]} →",
        "orient": "top",
        "labelAngle": -45 if slanted else 0,
        "domain": False,
    }
    y_axis = {"title": None, "domain": False, "labelLimit": 190}
    title = f"{group_title(ordered[0])}: score of each task, tasks in order of onset"
    return {
        **_head(title, {"cells": cells, "missing": missing}),
        "width": "container",
        "height": len(tasks) * (24 if len(tasks) <= 30 else 15),
        "encoding": {"x": _ordinal("column", columns, x_axis), "y": _ordinal("task", tasks, y_axis)},
        "layer": heat_layers(cells, words=len(columns) <= 12 and len(tasks) <= 30),
    }


def onsets(findings: Sequence[Finding]) -> Spec:
    """When each task appears: onset and its interval, one row a task, earliest first.

    Args:
        findings: Of one family, series and axis; those without an onset are left out.
    """
    dated = [(finding.onset, finding) for finding in findings if finding.onset is not None]
    dated.sort(key=lambda pair: (pair[0].value, rank(pair[1])))
    members = [finding for _, finding in dated]
    axis = members[0].axis
    scale = x_scale(axis, [value for finding in members for value in axis_values(finding)])
    tasks = row_names(members)
    data = [
        {
            "task": task,
            "finding": finding.id,
            "x": short(scale.clamp(onset.value)),
            "low": short(scale.clamp(onset.low)),
            "high": short(scale.clamp(onset.high)),
        }
        for task, (onset, finding) in zip(tasks, dated, strict=True)
    ]
    y_axis = {"title": None, "grid": True, "labelLimit": 190}
    tip = [{"field": "task", "title": "Task"}, {"field": "x", "type": "quantitative", "title": "Onset"}]
    span = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}
    return {
        **_head(f"{group_title(members[0])}: when each task appears", {"onsets": data}),
        "data": {"name": "onsets"},
        "width": "container",
        "height": len(tasks) * 24,
        "encoding": {"y": _ordinal("task", tasks, y_axis), "x": x_encoding(axis, scale), "tooltip": tip},
        "layer": [
            {"mark": {"type": "rule", "style": "onset-bar"}, "encoding": span},
            {"mark": {"type": "point", "style": "onset-point", "filled": True}},
        ],
    }


def _head(title: str, datasets: dict[str, list[Row]], subtitle: str | None = None) -> Spec:
    words = {"text": title, "subtitle": subtitle} if subtitle else {"text": title}
    return {"$schema": SCHEMA, "title": words, "config": theme(), "datasets": datasets}


def _measured(finding: Finding) -> tuple[AxisScale, AxisScale, dict[str, list[Row]]]:
    """Both scales of a finding's own metric, and its rows."""
    x = x_scale(finding.axis, axis_values(finding))
    points = point_rows(finding)
    y = y_scale(finding.metric, extent(points) + ([] if finding.chance is None else [finding.chance]))
    best, rivals = curves(finding)
    fits = [row for fit in [best, *rivals] if fit is not None for row in fit_rows(fit, x, y.high - y.low)]
    return x, y, {"points": points, "band": band_rows(finding, x, y.high - y.low), "fits": fits}


def _cells(
    findings: Sequence[Finding], tasks: Sequence[str], models: Sequence[str], columns: Sequence[str]
) -> tuple[list[Row], list[Row]]:
    """The measured and the missing cells of a heat map."""
    cells: list[Row] = []
    missing: list[Row] = []
    for finding, task in zip(findings, tasks, strict=True):
        known = {point.model: point for point in finding.points if math.isfinite(point.y)}
        for model, column in zip(models, columns, strict=True):
            cell = {"task": task, "column": column, "finding": finding.id, "model": model}
            if model in known:
                cells.append({**cell, "x": short(known[model].x), "y": short(known[model].y)})
            else:
                missing.append(cell)
    return cells, missing


def _ordinal(field: str, domain: Sequence[str], axis: dict[str, Any]) -> Spec:
    names = list(domain)
    scale = {"domain": names, "padding": 0.06}
    return {"field": field, "type": "ordinal", "sort": names, "scale": scale, "axis": axis}
