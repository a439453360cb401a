"""What interventions do: charts of ablations, patching, lenses and scaled components."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from saltus.records.explanations import Effect, Explanation
from saltus.records.metrics import metric_info
from saltus.report.explain_marks import SCHEMA, dashed, dots, dumbbells, frame, upright
from saltus.report.explain_rows import (
    LENSES,
    MOST_ROWS,
    RANDOM,
    ablation_label,
    ablation_order,
    after_row,
    after_text,
    depth,
    details,
    heights,
    main_row,
    short_name,
    strength_order,
    value_row,
    value_text,
)
from saltus.report.layers import Spec, chance_layers
from saltus.report.rows import Row, short
from saltus.report.scales import AxisScale, linear_ticks, y_encoding, y_scale
from saltus.report.theme import theme
from saltus.report.words import metric_title, number, task_title


def ablation_chart(explanation: Explanation, effects: Sequence[Effect], at: str) -> Spec:
    """The score before and after each ablation: sets first, then random sets, then single components.

    Args:
        explanation: Whose task and chance they are.
        effects: Of one method, checkpoint and metric, on the explanation's own task.
        at: The checkpoint in words, for the title.

    Returns:
        A Vega-Lite spec, rows in `datasets`, the answer as its title.
    """
    rows: list[Row] = []
    for one in ablation_order(effects):
        row = after_row(one, ablation_label(one))
        again = any(row["component"] == other["component"] for other in rows)
        if row["kind"] == "control" or not again:  # a part is ablated alone in more than one search
            rows.append(row)
    chance = [] if explanation.chance is None else [explanation.chance]
    return {
        **frame(ablation_answer(explanation, effects, at), rows, explanation.metric, chance),
        "layer": [*dashed(explanation.chance, "chance"), *dumbbells()],
    }


def ablation_answer(explanation: Explanation, effects: Sequence[Effect], at: str) -> str:
    """What the most telling ablation does to the score, and what random sets do."""
    task, unit = task_title(explanation.task), metric_info(explanation.metric).unit
    top = main_row(explanation, effects)
    if top is None:
        return f"{task} at {at}: random sets only"
    low, high = (top.effect if end is None else end for end in (top.low, top.high))
    before, after, name = number(top.baseline, unit), after_text(top, unit), short_name(top.component)
    random = next((one for one in effects if one.component == RANDOM), None)
    control = "" if random is None else f"; without random parts {after_text(random, unit)}"
    if low <= 0 <= high:
        return f"{task} at {at} stays at {before} without {name}: {after}{control}"
    return (
        f"{task} at {at} {'falls' if high < 0 else 'rises'} from {before} to {after} without {name}{control}"
    )


def specificity_chart(explanation: Explanation, own: Sequence[Effect], others: Sequence[Effect]) -> Spec:
    """What one and the same ablation does to this task and to others.

    Args:
        explanation: Whose task is the first row.
        own: The ablation on its own task: one row or none.
        others: The same component ablated, one row a task.
    """
    ordered = [*own, *sorted(others, key=lambda one: (one.effect, one.task))]
    rows = [after_row(one, one.task) for one in ordered]
    return {**frame(specificity_answer(others), rows, explanation.metric), "layer": dumbbells()}


def specificity_answer(others: Sequence[Effect]) -> str:
    """Which other task suffers most from the ablation."""
    worst = min(others, key=lambda one: (one.effect, one.task))
    name, unit = short_name(worst.component), metric_info(worst.metric).unit
    before, after = number(worst.baseline, unit), after_text(worst, unit)
    if (worst.effect if worst.high is None else worst.high) >= 0:
        return f"Without {name} no other task falls: {worst.task} goes from {before} to {after}"
    return f"Without {name} {worst.task} goes from {before} to {after}"


def recovered_chart(explanation: Explanation, effects: Sequence[Effect], metric: str) -> Spec:
    """How much of the clean answer each component brings back, strongest first; hollow where only estimated.

    Args:
        explanation: Whose task it is.
        effects: Of patching, one metric and checkpoint; attribution patching stands beside the true one.
        metric: "recovered" has lines at 0 (corrupted) and 1 (clean).
    """
    true = [one for one in effects if one.method != "attribution_patching"] or list(effects)
    names = list(dict.fromkeys(_patched(one) for one in sorted(true, key=strength_order)))[:MOST_ROWS]
    rows = [value_row(one, _patched(one)) for one in effects if _patched(one) in names]
    rows.sort(key=lambda row: names.index(row["component"]))
    share = metric == "recovered"
    marks = [(0.0, "corrupted"), (1.0, "clean")] if share else [(0.0, "")]
    title = "Share recovered →" if share else f"{_quantity(metric)} →"
    places = [place for place, _ in marks]
    estimate = "datum.method === 'attribution patching'"
    lines = [layer for place, word in marks for layer in dashed(place, word)]
    return {
        **frame(recovered_answer(explanation, effects), rows, metric, places, title=title),
        "layer": [*lines, *dots(f"!({estimate})"), *dots(estimate, "before")],
    }


def recovered_answer(explanation: Explanation, effects: Sequence[Effect]) -> str:
    """The component that brings back most."""
    true = [one for one in effects if one.method == "activation_patching"] or list(effects)
    best = max(true, key=lambda one: (one.effect, one.component))
    share = best.metric == "recovered"
    what = "of the difference between right and wrong answer" if share else best.metric.replace("_", " ")
    estimated = " by estimate" if best.method == "attribution_patching" else ""
    task, name = task_title(explanation.task), short_name(best.component)
    return f"{task}: patching {name} brings back {value_text(best)} {what}{estimated}"


def direct_chart(explanation: Explanation, effects: Sequence[Effect]) -> Spec:
    """What each component writes straight to the answer, the most helpful first."""
    kept = sorted(sorted(effects, key=strength_order)[:MOST_ROWS], key=lambda one: -one.effect)
    rows = [value_row(one, short_name(one.component)) for one in kept]
    best, metric = kept[0], kept[0].metric
    value = value_text(best, unit=metric_info(metric).unit)
    answer = (
        f"{task_title(explanation.task)}: {short_name(best.component)} writes most to the answer, {value}"
    )
    title = f"{_quantity(metric)} →"
    return {**frame(answer, rows, metric, [0.0], title=title), "layer": [*dashed(0.0, ""), *dots("true")]}


def lens_chart(explanation: Explanation, effects: Sequence[Effect]) -> Spec:
    """What the residual stream says after each layer, read by the logit lens and the tuned lens.

    Args:
        explanation: Whose task it is.
        effects: Of both lenses, one metric, at one checkpoint.
    """
    metric = effects[0].metric
    ordered = sorted(effects, key=_depth)
    layers = list(dict.fromkeys(one.component for one in ordered))
    rows = [value_row(one, one.component) for one in ordered]
    final = next((one.baseline for one in effects if one.baseline is not None), None)
    scale = y_scale(metric, [*heights(rows), *([] if final is None else [final])])
    methods = [LENSES[name] for name in LENSES if any(one.method == name for one in effects)]
    up = y_encoding(metric, scale)
    up["axis"]["title"] = f"↑ {_quantity(metric)}"
    encoding: dict[str, Any] = {
        "x": {
            "field": "component",
            "type": "ordinal",
            "sort": layers,
            "scale": {"domain": layers},
            "axis": {"title": "Layer →", "labelAngle": 0, "labelOverlap": "greedy"},
        },
        "y": up,
    }
    if len(methods) > 1:
        encoding["xOffset"] = {"field": "method", "type": "nominal", "scale": {"domain": methods}}
    dotted = [
        layer
        for method in methods
        for layer in upright(
            f"datum.method === '{method}'", hollow=method == "logit lens" and len(methods) > 1
        )
    ]
    return {
        "$schema": SCHEMA,
        "title": {"text": lens_answer(explanation, effects)},
        "config": theme(),
        "datasets": {"rows": rows},
        "width": "container",
        "height": 220,
        "encoding": encoding,
        "layer": [*_final_layers(final), *dotted],
    }


def lens_answer(explanation: Explanation, effects: Sequence[Effect]) -> str:
    """Between which layers the answer rises most, by the tuned lens where there is one."""
    best = [one for one in effects if one.method == "tuned_lens"] or list(effects)
    ordered = sorted(best, key=_depth)
    unit = metric_info(ordered[0].metric).unit
    task = task_title(explanation.task)
    if len(ordered) < 2:
        return f"{task} after {ordered[0].component}: {value_text(ordered[0], unit=unit)}"
    before, after = max(pairwise(ordered), key=lambda pair: pair[1].effect - pair[0].effect)
    values = f"{number(before.effect, unit)} to {value_text(after, unit=unit)}"
    return f"{task}: the answer rises most between {before.component} and {after.component}, {values}"


def dose_chart(explanation: Explanation, effects: Sequence[Effect]) -> Spec:
    """The score of one task at each strength of the scaled components.

    Args:
        explanation: Whose chance is drawn, where it is its own task.
        effects: Of method "scaling", one task; the strength is in their detail.
    """
    own = effects[0].task == explanation.task
    known = [(strength(one), one) for one in effects]
    ordered = sorted(((at, one) for at, one in known if at is not None), key=lambda pair: pair[0])
    rows = [{**after_row(one, one.component), "x": short(at)} for at, one in ordered]
    metric = effects[0].metric
    chance = [explanation.chance] if own and explanation.chance is not None else []
    scale = y_scale(metric, [*heights(rows), *chance])
    low, high = ordered[0][0], ordered[-1][0]
    room = (high - low) * 0.04 or 0.1
    x = AxisScale("linear", short(low - room) or 0.0, short(high + room) or 0.0, ())
    ticks = list(linear_ticks(low, high, 5)) if high > low else [low]
    axis = {
        "title": "Strength, 1 is the model as it is →",
        "values": ticks,
        "labelExpr": "format(datum.value, '~g')",
    }
    across = {"field": "x", "type": "quantitative", "scale": x.spec(), "axis": axis}
    return {
        "$schema": SCHEMA,
        "title": {"text": dose_answer(ordered)},
        "config": theme(),
        "datasets": {"rows": rows},
        "width": "container",
        "height": 170,
        "encoding": {"x": across, "y": y_encoding(metric, scale)},
        "layer": [*(chance_layers(explanation, label=False) if own else []), *upright("true")],
    }


def dose_answer(ordered: Sequence[tuple[float, Effect]]) -> str:
    """The score at the lowest strength."""
    at, one = ordered[0]
    score = after_text(one, metric_info(one.metric).unit)
    return f"{task_title(one.task)} with {short_name(one.component)} at strength {at:g}: {score}"


def strength(one: Effect) -> float | None:
    """The factor of a row of method "scaling"."""
    value = details(one).get("scale")
    return float(value) if isinstance(value, int | float) else None


def _final_layers(final: float | None) -> list[Spec]:
    """The dashed line of what the last layer says, with its word on the left, far from the last points."""
    if final is None:
        return []
    data = {"data": {"values": [{"y": short(final)}]}}
    y = {"field": "y", "type": "quantitative"}
    word = {
        "type": "text",
        "style": "chance-label",
        "text": "final layer",
        "align": "left",
        "dy": 9,
        "dx": 2,
    }
    off = {"xOffset": None, "y": y}
    return [
        {**data, "mark": {"type": "rule", "style": "chance"}, "encoding": {"x": None, **off}},
        {**data, "mark": word, "encoding": {"x": {"value": 0}, **off}},
    ]


def _patched(one: Effect) -> str:
    """What was patched, and where in the prompt if not everywhere."""
    places = details(one).get("places", "all")
    where = "" if places == "all" else f", {places}"
    return short_name(one.component) + where + (" by path" if one.method == "path_patching" else "")


def _quantity(metric: str) -> str:
    unit = " (nats)" if metric in ("logit_difference", "target_logit", "target_logprob") else ""
    return f"{metric_title(metric)}{unit}"


def _depth(one: Effect) -> tuple[int, int, str]:
    """Order of residual streams: the embedding, then layer by layer."""
    return *depth(one.component), one.method
