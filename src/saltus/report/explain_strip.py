"""When the heads took up their roles: a heat strip of heads by checkpoints under the score of the task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

from saltus.records.explanations import Effect, Explanation, parse_components
from saltus.records.findings import Finding
from saltus.report.explain_marks import SCHEMA
from saltus.report.explain_rows import ROLES, details, is_head, named_parts, value_text
from saltus.report.layers import Spec, band_layers, chance_layers, fit_layers, onset_layers
from saltus.report.rows import Row, axis_values, band_rows, curves, extent, fit_rows, point_rows, short
from saltus.report.scales import AxisScale, x_encoding, x_scale, y_encoding, y_scale
from saltus.report.theme import theme
from saltus.report.words import number, place_text

LAYERS = "logit_lens"  # the one score that is of layers, not heads
MOST_HEADS = 48
_LEFT = 58  # room of both y axes, so that the checkpoints of both panels stand under each other
_TOPS = (0.05, 0.1, 0.25, 0.5, 1.0)

Scores = Mapping[str, Mapping[str, Effect]]  # head -> checkpoint -> its score


def head_scores(effects: Sequence[Effect]) -> dict[str, dict[str, dict[str, Effect]]]:
    """Scores of heads by role, head and checkpoint; the row over all probe lengths where there are more."""
    found: dict[str, dict[str, dict[str, Effect]]] = {}
    for one in effects:
        layer = one.method == LAYERS and one.metric == "first_correct"
        if one.method not in ROLES or not (layer or is_head(one.component)):
            continue
        slot = found.setdefault(one.method, {}).setdefault(one.component, {})
        if one.model not in slot or not details(one).get("length"):
            slot[one.model] = one
    return {role: found[role] for role in ROLES if role in found}


def strip_chart(
    explanation: Explanation,
    role: str,
    scores: Scores,
    places: Mapping[str, float],
    *,
    finding: Finding | None = None,
    points: Sequence[Row] = (),
) -> Spec:
    """Heads by checkpoints, colour for the score of one role, under the score of the task on the same axis.

    Args:
        explanation: Whose onset, chance and named heads are marked.
        role: A key of `ROLES`.
        scores: Of that role.
        places: Where the checkpoints stand on the axis.
        finding: Gives the points and the fit of the upper panel.
        points: The points of the upper panel where there is no finding: rows of model, x, y, low, high.

    Returns:
        A Vega-Lite spec with one or two panels in `vconcat`, rows in `datasets`, the answer as its title.
    """
    rows = point_rows(finding) if finding is not None else list(points)
    models = checkpoints(explanation, places)
    x = x_scale(
        explanation.axis,
        [*(places[model] for model in models), *(row["x"] for row in rows if row["x"] is not None)],
    )
    heads = shown_heads(scores)
    panels: list[Spec] = []
    datasets: dict[str, list[Row]] = {"cells": strip_cells(scores, heads, models, places, x)}
    if rows:
        upper, more = _score_panel(explanation, finding, rows, x)
        panels.append(upper)
        datasets |= more
    panels.append(_strip_panel(explanation, role, scores, heads, x))
    return {
        "$schema": SCHEMA,
        "title": {"text": strip_answer(explanation, role, scores, models, places)},
        "config": theme(),
        "datasets": datasets,
        "spacing": 14,
        "vconcat": panels,
    }


def strip_answer(
    explanation: Explanation, role: str, scores: Scores, models: Sequence[str], places: Mapping[str, float]
) -> str:
    """The chart's title: which head plays the role at the checkpoint that was taken apart, and how much."""
    at = explanation.model if any(explanation.model in own for own in scores.values()) else models[-1]
    known = {head: own[at] for head, own in scores.items() if at in own}
    if not known:
        return f"{ROLES[role][0]}: no score at {where(explanation.axis, at, places)}"
    head = max(known, key=lambda name: (known[name].effect, name))
    one = known[head]
    even = "by chance" if role == "copying" else "if attention were even"
    held = "" if one.baseline is None or role == LAYERS else f", {number(one.baseline)} {even}"
    place = where(explanation.axis, at, places)
    if role == LAYERS:
        return f"{ROLES[role][0]}: {value_text(one)} of the answers can be read off after {head} at {place}"
    return f"{ROLES[role][0]}: {head} stands highest at {place}, {value_text(one)}{held}"


def strip_cells(
    scores: Scores, heads: Sequence[str], models: Sequence[str], places: Mapping[str, float], scale: AxisScale
) -> list[Row]:
    """One row a head and checkpoint; each cell reaches halfway to its neighbours on the drawn axis."""
    ends = cell_edges(scale, [places[model] for model in models])
    rows: list[Row] = []
    for head in heads:
        for place, model in enumerate(models):
            one = scores[head].get(model)
            if one is not None:
                span = {"x": short(ends[place]), "x2": short(ends[place + 1])}
                score = {
                    name: _three(value)
                    for name, value in (("y", one.effect), ("low", one.low), ("high", one.high))
                }
                rows.append({"head": head, "model": model, **span, **score})
    return rows


def cell_edges(scale: AxisScale, values: Sequence[float]) -> list[float]:
    """Ends of cells around rising values: halfway between neighbours as drawn, and the ends of the axis."""
    shares = [scale.place(value) for value in values]
    middles = [scale.value((left + right) / 2) for left, right in pairwise(shares)]
    return [scale.low, *middles, scale.high]


def shown_heads(scores: Scores) -> list[str]:
    """Heads in order of layer and place; of many, those whose score is ever highest."""
    highest = {head: max((one.effect for one in own.values()), default=0.0) for head, own in scores.items()}
    kept = sorted(highest, key=lambda head: (-highest[head], head))[:MOST_HEADS]
    return sorted(kept, key=lambda head: parse_components(head)[0])


def checkpoints(explanation: Explanation, places: Mapping[str, float]) -> list[str]:
    """Checkpoints that have a place on the axis, in its order."""
    return sorted(
        (model for model in explanation.checkpoints if model in places), key=lambda model: places[model]
    )


def where(axis: str, model: str, places: Mapping[str, float]) -> str:
    """A checkpoint in words: its place on the axis, or its id."""
    return place_text(axis, places[model]) if model in places else model


def _score_panel(
    explanation: Explanation, finding: Finding | None, rows: list[Row], x: AxisScale
) -> tuple[Spec, dict[str, list[Row]]]:
    """The score of the task over the checkpoints, with the fit of its finding."""
    chance = [] if explanation.chance is None else [explanation.chance]
    y = y_scale(explanation.metric, extent(rows) + chance)
    datasets: dict[str, list[Row]] = {"points": rows}
    fits: list[Spec] = []
    if finding is not None:
        best, _ = curves(finding)
        height = y.high - y.low
        datasets |= {
            "band": band_rows(finding, x, height),
            "fits": [] if best is None else fit_rows(best, x, height),
        }
        fits = [*band_layers(finding), *(fit_layers([best], "fit") if datasets["band"] or best else [])]
    across = x_encoding(explanation.axis, x)
    across["axis"] |= {"title": None, "labels": False}
    up = y_encoding(explanation.metric, y)
    up["axis"] |= {"minExtent": _LEFT, "maxExtent": _LEFT, "values": [y.low, y.high]}
    low_to_high = {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
    data = {"name": "points"}
    bar = {"data": data, "mark": {"type": "rule", "style": "bar", "clip": True}, "encoding": low_to_high}
    dot = {"data": data, "mark": {"type": "point", "style": "score-point", "filled": True}}
    layers = [*onset_layers(explanation, x), *chance_layers(explanation, label=False), *fits, bar, dot]
    return {
        "left": _LEFT,
        "width": 600,
        "height": 84,
        "encoding": {"x": across, "y": up},
        "layer": layers,
    }, datasets


def _strip_panel(
    explanation: Explanation, role: str, scores: Scores, heads: Sequence[str], x: AxisScale
) -> Spec:
    """The cells, layers parted by a gap, named heads in bold, the onset as lines."""
    names = _with_gaps(heads)
    highest = max((one.effect for own in scores.values() for one in own.values()), default=1.0)
    lowest = min((one.effect for own in scores.values() for one in own.values()), default=0.0)
    top = next((step for step in _TOPS if highest <= step), short(highest) or 1.0)
    colour = {
        "field": "y",
        "type": "quantitative",
        "scale": {"domain": [0.0 if lowest >= 0 else short(lowest), top]},
        "legend": {
            "title": ROLES[role][0],
            "orient": "bottom",
            "direction": "horizontal",
            "gradientLength": 160,
            "gradientThickness": 8,
        },
    }
    named = [name for name in named_parts(explanation) if name in heads]
    axis = {
        "title": None,
        "domain": False,
        "minExtent": _LEFT,
        "maxExtent": _LEFT,
        "labelOverlap": False,
        "labelExpr": "substring(datum.label, 0, 1) === '-' ? '' : datum.label",
        "labelFontSize": 11 if len(heads) <= 16 else 9.5,
        "labelFontWeight": {
            "condition": {"test": f"indexof({json.dumps(named)}, datum.value) >= 0", "value": "bold"},
            "value": "normal",
        },
    }
    size = 18 if len(heads) <= 8 else 14 if len(heads) <= 24 else 11
    y = {
        "field": "head",
        "type": "ordinal",
        "sort": names,
        "scale": {"domain": names, "padding": 0.08},
        "axis": axis,
    }
    cells = {
        "data": {"name": "cells"},
        "mark": {"type": "rect", "style": "cell", "clip": True},
        "encoding": {"x2": {"field": "x2"}, "y": y, "color": colour, "tooltip": [{"field": "head"}]},
    }
    return {
        "left": _LEFT,
        "width": 600,
        "height": size * len(names),
        "encoding": {"x": x_encoding(explanation.axis, x)},
        "layer": [cells, *_onset_lines(explanation, x)],
    }


def _onset_lines(explanation: Explanation, x: AxisScale) -> list[Spec]:
    """The onset and the ends of its interval, over the cells: a band would change their colour."""
    at = explanation.onset
    if at is None:
        return []
    ends = {"data": {"values": [{"x": short(x.clamp(at.low))}, {"x": short(x.clamp(at.high))}]}}
    middle = {"data": {"values": [{"x": short(x.clamp(at.value))}]}}
    return [
        {**ends, "mark": {"type": "rule", "style": "onset-end"}},
        {**middle, "mark": {"type": "rule", "style": "onset-middle"}},
    ]


def _with_gaps(heads: Sequence[str]) -> list[str]:
    """Names with an empty row, which begins with a dash, between the layers."""
    names: list[str] = []
    for before, head in zip([None, *heads], heads, strict=False):
        if before is not None and is_head(head) and _layer(before) != _layer(head):
            names.append(f"-{head}")
        names.append(head)
    return names


def _layer(name: str) -> int:
    return parse_components(name)[0].layer


def _three(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def places_of_axis(finding: Finding | None) -> dict[str, float]:
    """Where a finding's points stand, by model."""
    return (
        {}
        if finding is None
        else {point.model: x for point, x in zip(finding.points, axis_values(finding), strict=True)}
    )
