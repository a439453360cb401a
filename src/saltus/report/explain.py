"""The pages on explanations: what carries an ability, from records and rows of effects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.records.explanations import Effect, Explanation
from saltus.records.findings import Finding, Interval
from saltus.records.metrics import metric_info
from saltus.report.evidence import rows_of
from saltus.report.explain_parts import circuit_rows, view_rows
from saltus.report.explain_rows import ROLES, named_parts, role_word
from saltus.report.explain_sections import METHODS, bare, effect_sections, level_text
from saltus.report.explain_strip import (
    Scores,
    checkpoints,
    head_scores,
    places_of_axis,
    shown_heads,
    strip_chart,
    where,
)
from saltus.report.rows import PartnerPoint, Row, partner_rows
from saltus.report.words import interval_on_axis, interval_text, metric_title, number

if TYPE_CHECKING:
    from saltus.store import Store

VERDICTS = {"carried": "Carried by named parts", "nothing": "Nothing carries it", "unclear": "Unclear"}
STANDINGS = {"shown": "shown", "correlated": "correlated", "not_tested": "not tested"}

_EFFECTS = """
select distinct * from effects where run in (select unnest(?)) and method in (select unnest(?))
order by run, model, task, method, metric, component, detail
"""


def explain_pages(store: Store, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """One entry an explanation: words, charts, circuit, attention and examples.

    Args:
        store: Holds explanations and their effects; only read.
        findings: Of the report; an explanation is linked with the finding of its task and series.
    """
    from saltus.store import load_explanations

    explanations = sorted(load_explanations(store), key=_rank)
    if not explanations:
        return []
    effects = load_effects(store, [one.id for one in explanations])
    return [
        explain_page(one, effects.get(one.id, []), finding_of(one, findings), *_along(store, one))
        for one in explanations
    ]


def explain_page(
    explanation: Explanation,
    effects: Sequence[Effect],
    finding: Finding | None,
    places: Mapping[str, float],
    points: Sequence[Row] = (),
) -> dict[str, Any]:
    """What the page of one explanation shows.

    Args:
        explanation: What was found.
        effects: Its rows.
        finding: Of the same task and series, None where the report has none.
        places: Where the checkpoints stand on the axis.
        points: The task's score over the checkpoints, for an explanation without a finding.
    """
    known = {**places_of_axis(finding), **places}
    return {
        **_words(explanation, finding, known),
        "strip": _strip(explanation, effects, finding, known, points),
        "circuit": circuit_rows(explanation, effects),
        "views": view_rows(explanation, known),
        "examples": [msgspec.to_builtins(one) for one in explanation.examples[:40]],
        **effect_sections(explanation, effects, known),
    }


def load_effects(store: Store, runs: Sequence[str]) -> dict[str, list[Effect]]:
    """The rows of these explanations, by explanation; only of methods that a page shows."""
    found: dict[str, list[Effect]] = {}
    for row in store.sql(_EFFECTS, [sorted(set(runs)), [*ROLES, *METHODS]]).to_pylist():
        effect = msgspec.convert({name: row[name] for name in Effect.__struct_fields__}, Effect)
        found.setdefault(effect.run, []).append(effect)
    return found


def finding_of(explanation: Explanation, findings: Sequence[Finding]) -> Finding | None:
    """The finding that an explanation belongs to: by id, else the same task, metric, series and axis."""
    named = [one for one in findings if explanation.finding and one.id == explanation.finding]
    same = [one for one in findings if _same(one, explanation)]
    return next(iter(named or same), None)


def _same(finding: Finding, explanation: Explanation) -> bool:
    """Whether both speak of one score along one axis; an explanation knows its own series."""
    score = (finding.task, finding.metric, finding.axis, finding.family, finding.variant)
    series = (
        finding.series in ("", explanation.series)
        if finding.axis != "step"
        else finding.series == explanation.series
    )
    return (
        score == (explanation.task, explanation.metric, explanation.axis, explanation.family, "") and series
    )


def _rank(one: Explanation) -> tuple[Any, ...]:
    return list(VERDICTS).index(one.verdict), one.task, one.model, one.metric, one.id


def _words(explanation: Explanation, finding: Finding | None, places: Mapping[str, float]) -> dict[str, Any]:
    unit = metric_info(explanation.metric).unit
    onset = explanation.onset
    named = list(named_parts(explanation))
    return {
        "id": explanation.id,
        "task": explanation.task,
        "model": explanation.model,
        "series": explanation.series or explanation.family,
        "axis": explanation.axis,
        "finding": None if finding is None else finding.id,
        "verdict": explanation.verdict,
        "word": VERDICTS[explanation.verdict],
        "headline": explanation.headline,
        "metric": metric_title(explanation.metric),
        "score": interval_text(explanation.score, unit),
        "level": _percent(explanation.score),
        "chance": None if explanation.chance is None else number(explanation.chance, unit),
        "n": explanation.n,
        "named": named,
        "before": explanation.before and where(explanation.axis, explanation.before, places),
        "after": where(explanation.axis, explanation.model, places),
        "onset": None if onset is None else interval_on_axis(onset, explanation.axis),
        "onset_level": None if onset is None else _percent(onset),
        "checkpoints": len(explanation.checkpoints),
        "seed": explanation.seed,
        "version": explanation.version,
        "statements": [[one.standing, STANDINGS[one.standing], one.text] for one in explanation.statements],
        "text": "" if explanation.statements else explanation.text,
        "roles": [
            {
                "component": one.component,
                "role": role_word(one.role),
                "score": interval_text(one.score),
                "baseline": number(one.baseline),
            }
            for one in explanation.roles
        ],
    }


def _along(store: Store, explanation: Explanation) -> tuple[dict[str, float], list[Row]]:
    """Where the checkpoints stand on the axis, and the score of each."""
    models = {*explanation.checkpoints, explanation.model, explanation.before} - {""}
    rows = {row["id"]: row for row in rows_of(store, "models", models, "id")}
    places = {}
    for model in sorted(models):
        value = rows.get(model, {}).get(explanation.axis)
        step = re.search(r"@step(\d+)$", model) if explanation.axis == "step" else None
        if value is None and step:
            value = float(step[1])
        if value is not None:
            places[model] = float(value)
    table = store.points(task=explanation.task, metric=explanation.metric, model=sorted(places), variant="")
    columns = ("model", "run", "value", "stderr", "n")
    points = [
        PartnerPoint(explanation.metric, model, run, places[model], value, stderr, n)
        for model, run, value, stderr, n in zip(*(table[name].to_pylist() for name in columns), strict=True)
    ]
    return places, partner_rows(points)


def _strip(
    explanation: Explanation,
    effects: Sequence[Effect],
    finding: Finding | None,
    places: Mapping[str, float],
    points: Sequence[Row],
) -> dict[str, Any] | None:
    """One spec a role; the cells as short rows, which the page spells out."""
    found = head_scores(effects)
    models = checkpoints(explanation, places)
    roles = {role: _at(scores, models) for role, scores in found.items()}
    roles = {role: scores for role, scores in roles.items() if scores}
    if not roles or len(models) < 2:
        return None
    linked = {point.model for point in finding.points} if finding is not None else set()
    entries: list[dict[str, Any]] = []
    spans: dict[str, list[Any]] = {}
    shared: dict[str, list[Row]] = {}
    for role, scores in roles.items():
        spec = strip_chart(explanation, role, scores, places, finding=finding, points=points)
        shared = spec["datasets"]
        cells = shared.pop("cells")
        spans |= {row["model"]: [row["x"], row["x2"]] for row in cells}
        heads = shown_heads(scores)
        entries.append(
            {
                "role": role,
                "word": ROLES[role][0],
                "says": ROLES[role][1],
                "spec": {name: value for name, value in bare(spec).items() if name != "datasets"},
                "heads": heads,
                "of": len(scores),
                "cells": [
                    [heads.index(row["head"]), models.index(row["model"]), row["y"], row["low"], row["high"]]
                    for row in cells
                ],
            }
        )
    return {
        "models": [[model, places[model], model in linked, spans.get(model)] for model in models],
        "datasets": shared,
        "roles": entries,
        "level": level_text(effects, ROLES),
    }


def _at(scores: Scores, models: Sequence[str]) -> dict[str, dict[str, Effect]]:
    """The scores at checkpoints of the axis, without heads that have none there."""
    known = {head: {model: own[model] for model in models if model in own} for head, own in scores.items()}
    return {head: own for head, own in known.items() if own}


def _percent(interval: Interval) -> str:
    return f"{interval.level * 100:g} %"
