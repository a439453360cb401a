"""One line for people: what happens, where, and what to make of it."""

from __future__ import annotations

import numpy as np

from saltus.emergence.analysis import Analysis, Options
from saltus.emergence.artifact import Check
from saltus.emergence.shape import peak_of
from saltus.emergence.verdict import Decision

_ARTIFACT = {
    "jump_persists": "a breakthrough",
    "metric_artifact": "a metric artifact",
    "metric_explained": "explained by the metric",
    "unresolved": "model or metric unresolved",
}


def headline(analysis: Analysis, decision: Decision, check: Check | None, options: Options) -> str:  # noqa: PLR0911
    """Write it, e.g. "recall jumps between step 450 and 550 [90 %]: a breakthrough"."""
    task = analysis.series.task
    floor, top = (f"{float(analysis.progress.back(np.array(v))):.2f}" for v in (decision.floor, decision.top))
    chance = analysis.series.chance
    guess = "chance" if chance is None else f"chance ({chance:.2f})"
    match decision.verdict:
        case "emergent" | "accelerating":
            return _jump(analysis, decision, check)
        case "gradual":
            return f"{task} rises gradually from {floor} to {top}"
        case "declining":
            return f"{task} declines from {floor} to {top}"
        case "u_shaped":
            return f"{task} falls and then rises"
        case "not_above_chance":
            return f"{task} is not above {guess}"
        case "below_threshold":
            change = decision.rise.value * analysis.progress.scale
            return f"{task} changes by {change:+.3f}, too little to matter"
        case _ if (peak := peak_of(analysis, options)) is not None and peak.both and peak.unfit:
            return f"{task} rises to {peak.score} at {peak.place} and falls back"
        case _:
            return f"{task} does not change along {analysis.series.axis}"


def _jump(analysis: Analysis, decision: Decision, check: Check | None) -> str:
    task = analysis.series.task
    verb = "jumps" if decision.sharpness == "sharp" else "emerges"
    if decision.verdict == "accelerating":
        verb = "accelerates"
    where = ""
    if decision.onset is not None:
        level = f"{decision.onset.level * 100:.0f} %"
        where = f" between {analysis.axis.between(decision.onset.low, decision.onset.high)} [{level}]"
    tail = [] if decision.verdict == "emergent" else ["not from chance"]
    if check is not None and check.artifact is not None:
        tail.append(_ARTIFACT[check.artifact])
    return f"{task} {verb}{where}" + (f": {', '.join(tail)}" if tail else "")
