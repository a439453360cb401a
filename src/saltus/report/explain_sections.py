"""The parts of an explanation's page that show effects: one entry a chart, with its rows for the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from saltus.records.explanations import Effect, Explanation
from saltus.records.metrics import metric_info
from saltus.report.explain_effects import (
    ablation_chart,
    direct_chart,
    dose_chart,
    lens_chart,
    recovered_chart,
    specificity_chart,
)
from saltus.report.explain_rows import ABLATIONS, LENSES, SHARES, details, main_row
from saltus.report.explain_strip import where
from saltus.report.layers import Spec

_DIRECT = "direct_logit"
_SCALE = "scaling"
METHODS = (*ABLATIONS, *SHARES, *LENSES, _DIRECT, _SCALE)

_MOST_ROWS = 60  # in the table of one chart; the store has all


def effect_sections(
    explanation: Explanation, effects: Sequence[Effect], places: Mapping[str, float]
) -> dict[str, Any]:
    """Ablations, patching, lenses, direct effects and strengths; None or empty where nothing was measured.

    Args:
        explanation: Whose effects they are.
        effects: Its rows.
        places: Where the checkpoints stand on the axis.
    """
    return {
        "ablations": _ablations(explanation, effects, places),
        "patching": _patching(explanation, effects),
        "lens": _one_metric(lens_chart, explanation, _of(explanation, effects, LENSES)),
        "direct": _one_metric(direct_chart, explanation, _of(explanation, effects, (_DIRECT,))),
        "dose": _doses(explanation, effects),
    }


def _ablations(
    explanation: Explanation, effects: Sequence[Effect], places: Mapping[str, float]
) -> list[dict[str, Any]]:
    """One entry a way of ablation: charts at both checkpoints, and what the same does to other tasks."""
    found = []
    for method, word in ABLATIONS.items():
        rows = [one for one in effects if one.method == method and one.baseline is not None]
        panels = []
        for model, side in ((explanation.before, "before the onset"), (explanation.model, "after the onset")):
            own = [one for one in rows if model and one.model == model and _own_score(explanation, one)]
            if own:
                at = where(explanation.axis, model, places)
                spec = ablation_chart(explanation, own, at)
                rest = _rows(own)
                panels.append(
                    {
                        "at": at,
                        "side": side if explanation.before else "",
                        "model": model,
                        "spec": bare(spec),
                        "rows": rest,
                        "of": len(own),
                    }
                )
        others = _specific(explanation, rows)
        if panels or others:
            found.append(
                {
                    "method": method,
                    "word": word,
                    "panels": panels,
                    "others": others,
                    "level": level_text(rows),
                }
            )
    return found


def _own_score(explanation: Explanation, one: Effect) -> bool:
    return one.task == explanation.task and one.metric == explanation.metric


def _specific(explanation: Explanation, rows: Sequence[Effect]) -> dict[str, Any] | None:
    """The other tasks under the ablation that the title speaks of, or the most harmful tried on them."""
    here = [one for one in rows if one.model == explanation.model]
    others = [
        one
        for one in here
        if one.task not in (explanation.task, "") and metric_info(one.metric).unit == "share"
    ]
    if not others:
        return None
    own = [one for one in here if _own_score(explanation, one)]
    names = {one.component for one in others}
    top = main_row(explanation, [one for one in own if one.component in names]) or main_row(
        explanation, others
    )
    if top is None:
        return None
    same = [one for one in others if one.component == top.component]
    first = {one.task: one for one in reversed(same)}
    spec = specificity_chart(
        explanation, [one for one in own if one.component == top.component][:1], list(first.values())
    )
    return {"component": top.component, "spec": bare(spec), "rows": _rows(others), "of": len(others)}


def _patching(explanation: Explanation, effects: Sequence[Effect]) -> dict[str, Any] | None:
    rows = _of(explanation, effects, SHARES)
    metrics = sorted({one.metric for one in rows}, key=lambda metric: (metric != "recovered", metric))
    if not rows:
        return None
    kept = [one for one in rows if one.metric == metrics[0]]
    ways = [str(details(one).get("direction", "denoise")) for one in kept]
    way = (
        "denoise" if "denoise" in ways else ways[0]
    )  # into corrupted prompts, unless only the other way was tried
    kept = [one for one, known in zip(kept, ways, strict=True) if known == way]
    spec = recovered_chart(explanation, kept, metrics[0])
    return {"spec": bare(spec), "rows": _rows(kept), "of": len(kept), "level": level_text(kept)}


def _one_metric(
    make: Callable[[Explanation, Sequence[Effect]], Spec], explanation: Explanation, rows: Sequence[Effect]
) -> dict[str, Any] | None:
    """The chart of one metric, the explanation's own where it was measured."""
    if not rows:
        return None
    wanted = (explanation.metric, "target_logprob", "logit_difference")
    metrics = sorted(
        {one.metric for one in rows},
        key=lambda name: (wanted.index(name) if name in wanted else len(wanted), name),
    )
    kept = [one for one in rows if one.metric == metrics[0]]
    spec = make(explanation, kept)
    return {"spec": bare(spec), "rows": _rows(kept), "of": len(kept), "level": level_text(kept)}


def _doses(explanation: Explanation, effects: Sequence[Effect]) -> dict[str, Any] | None:
    """One chart a task, the explanation's own first."""
    rows = [
        one
        for one in effects
        if one.method == _SCALE and one.model == explanation.model and '"scale"' in one.detail
    ]
    rows = [one for one in rows if metric_info(one.metric).unit == "share"]
    tasks = sorted({one.task for one in rows}, key=lambda task: (task != explanation.task, task))[:7]
    specs = []
    for task in tasks:
        own = [one for one in rows if one.task == task]
        first = main_row(explanation, own)
        same = [
            one for one in own if first and (one.component, one.metric) == (first.component, first.metric)
        ]
        if len(same) > 1:
            specs.append({"task": task, "spec": bare(dose_chart(explanation, same))})
    return (
        {"charts": specs, "rows": _rows(rows), "of": len(rows), "level": level_text(rows)} if specs else None
    )


def _of(
    explanation: Explanation, effects: Sequence[Effect], methods: Mapping[str, str] | Sequence[str]
) -> list[Effect]:
    """Rows of these methods on the task, at the checkpoint that was taken apart."""
    return [
        one
        for one in effects
        if one.method in methods and one.model == explanation.model and one.task == explanation.task
    ]


def _rows(effects: Sequence[Effect]) -> list[list[Any]]:
    """The table of a chart: component, task, method, metric, baseline, effect, low, high, n, detail."""
    kept = sorted(effects, key=lambda one: (-abs(one.effect), one.component, one.task))[:_MOST_ROWS]
    return [
        [
            one.component,
            one.task,
            one.method,
            one.metric,
            *(_short(value) for value in (one.baseline, one.effect, one.low, one.high)),
            one.n,
            one.detail,
        ]
        for one in kept
    ]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def level_text(effects: Sequence[Effect], methods: Mapping[str, Any] | None = None) -> str:
    """The level of the intervals in words."""
    levels = [
        one.level for one in effects if one.low is not None and (methods is None or one.method in methods)
    ]
    return f"{levels[0] * 100:g} %" if levels else ""


def bare(spec: Spec) -> Spec:
    """A spec without what the page keeps once: the looks and the schema."""
    return {key: value for key, value in spec.items() if key not in ("config", "$schema")}
