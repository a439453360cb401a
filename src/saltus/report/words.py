"""Numbers and verdicts as people read them: 1B, step 475 [450, 550], "Recall appears at ...".

Charts and pages take every word from here, so that the title of a chart and the row of a table say the same.
"""

from __future__ import annotations

import math

from saltus.emergence.axis import count
from saltus.records.findings import Finding, Interval
from saltus.records.metrics import metric_info

JUMPS = ("breakthrough", "unresolved", "emergent", "metric_explained", "metric_artifact")

KINDS: dict[str, str] = {
    "breakthrough": "Breakthrough",
    "unresolved": "Unresolved jump",
    "emergent": "Emergent, unchecked",
    "metric_explained": "Metric explained",
    "metric_artifact": "Metric artifact",
    "accelerating": "Accelerating",
    "gradual": "Gradual",
    "declining": "Declining",
    "u_shaped": "U-shaped",
    "below_threshold": "Below threshold",
    "not_above_chance": "Not above chance",
    "no_change": "No change",
    "too_few_scales": "Too few scales",
}

ARTIFACTS: dict[str, str] = {
    "jump_persists": "Jump persists",
    "metric_artifact": "Metric artifact",
    "metric_explained": "Metric explained",
    "unresolved": "Unresolved",
}

AXIS_TITLES: dict[str, str] = {
    "params": "Parameters",
    "tokens": "Training tokens",
    "flops": "Training FLOPs",
    "step": "Training step",
    "loss": "Loss, falling",
    "released": "Release date",
    "layers": "Layers",
    "width": "Width",
    "capability": "Capability (first component of other benchmarks)",
}

_AT: dict[str, str] = {
    "params": "{} parameters",
    "tokens": "{} training tokens",
    "flops": "{} FLOPs",
    "step": "step {}",
    "loss": "a loss of {}",
    "released": "{}",
    "layers": "{} layers",
    "width": "width {}",
    "capability": "capability {}",
}

_METRICS = {
    "exact_match": "Exact match",
    "acc": "Accuracy",
    "accuracy": "Accuracy",
    "acc_norm": "Length-normalised accuracy",
    "choice_correct": "Choice correct",
    "choice_grade": "Choice grade",
    "target_logprob": "Target log-probability",
    "choice_logprob": "Choice log-probability",
    "token_accuracy": "Token accuracy",
    "token_edit_distance": "Token edit distance",
    "brier": "Brier score",
    "ppl": "Perplexity",
}


def kind(finding: Finding) -> str:
    """The one word for a finding, a key of `KINDS`: of jumps the artifact check, of others the verdict."""
    if finding.verdict != "emergent":
        return finding.verdict
    return "breakthrough" if finding.artifact == "jump_persists" else finding.artifact or "emergent"


def number(value: float | None, unit: str = "share") -> str:
    """A score: two decimals for shares, three significant digits for everything else, a dash for none.

    Examples:
        >>> number(0.978), number(-3.8234, "nats"), number(float("inf"))
        ('0.98', '-3.82', '∞')
    """
    if value is None or math.isnan(value):
        return "–"  # noqa: RUF001
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:.2f}" if unit == "share" else f"{value:.3g}"
    return text[1:] if text.startswith("-") and float(text) == 0 else text


def place_text(axis: str, value: float) -> str:
    """A place on an axis in words: "12B parameters", "step 500"."""
    return _AT[axis].format(quantity(value, axis))


def quantity(value: float, axis: str = "params") -> str:
    """A place on an axis, short and as the reasons write it: 12k, 1.4B, 2e21, 2024-03.

    Examples:
        >>> quantity(1_400_000_000), quantity(475, "step"), quantity(2.1e21, "flops"), quantity(2.314, "loss")
        ('1.4B', '475', '2.1e21', '2.31')
    """
    return count(axis, value) if math.isfinite(value) else number(value)


def onset_text(finding: Finding) -> str:
    """The onset with its interval in axis units, or a dash."""
    return "–" if finding.onset is None else interval_on_axis(finding.onset, finding.axis)  # noqa: RUF001


def interval_on_axis(at: Interval, axis: str) -> str:
    """A place with its interval, in units of the axis."""
    low, high = (quantity(end, axis) for end in (at.low, at.high))
    return f"{quantity(at.value, axis)} [{low}, {high}]"


def rise_text(finding: Finding) -> str:
    """The rise with its interval and its sign, or a dash."""
    return interval_text(finding.rise, metric_info(finding.metric).unit, sign=True)


def interval_text(interval: Interval | None, unit: str = "share", *, sign: bool = False) -> str:
    """`value [low, high]` of a score or a difference of scores."""
    if interval is None:
        return "–"  # noqa: RUF001
    value = number(interval.value, unit)
    plus = "+" if sign and interval.value > 0 and value.strip("0.") else ""
    return f"{plus}{value} [{number(interval.low, unit)}, {number(interval.high, unit)}]"


def q_text(value: float | None) -> str:
    """A q-value: three decimals, never a bare zero."""
    if value is None or math.isnan(value):
        return "–"  # noqa: RUF001
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def metric_title(metric: str) -> str:
    """A metric's name as an axis shows it."""
    return _METRICS.get(metric, metric.replace("_", " ").capitalize() if metric.islower() else metric)


def metric_axis(metric: str) -> str:
    """`↑ Score` for a metric: what grows upwards, in which unit, and whether that is progress."""
    info = metric_info(metric)
    unit = {"nats": " (nats)", "bits": " (bits)"}.get(info.unit, "")
    return f"↑ {metric_title(metric)}{unit}" + ("" if info.higher_is_better else ", lower is better")


def task_title(task: str) -> str:
    """A task's name at the start of a sentence."""
    return task.capitalize() if task.isalpha() and task.islower() else task


def answer(finding: Finding) -> str:
    """The chart's title: the question's answer in one line."""
    task = task_title(finding.task)
    metric = metric_title(finding.metric)
    at = finding.onset
    where = ""
    if at is not None:
        low, high = (quantity(end, finding.axis) for end in (at.low, at.high))
        where = f" at {_AT[finding.axis].format(quantity(at.value, finding.axis))} [{low}, {high}]"
    rise = finding.rise
    unit = metric_info(finding.metric).unit
    by = f" by {number(abs(rise.value), unit)}" if rise is not None else ""
    floor = f" ({number(finding.chance)})" if finding.chance is not None else ""
    sentences = {
        "breakthrough": f"{task} appears{where}",
        "unresolved": f"{task} jumps{where}; model or metric is unresolved",
        "emergent": f"{task} jumps{where}; no continuous metric to check it",
        "metric_explained": f"{task}: the metric explains the jump in {metric.lower()}{where}",
        "metric_artifact": f"{task}: the jump in {metric.lower()}{where} is an artifact of the metric",
        "accelerating": f"{task} accelerates{where}"
        if where
        else f"{task} accelerates, without an onset to date",
        "gradual": f"{task} rises gradually{by}",
        "declining": f"{task} declines{by}",
        "u_shaped": f"{task} falls, then rises",
        "below_threshold": f"{task} rises{by}, too little to call",
        "not_above_chance": f"{task} stays at chance{floor}",
        "no_change": f"{task} does not change",
        "too_few_scales": f"{task}: {finding.n_scales} scales are too few to tell",
    }
    return sentences[kind(finding)]


def rank(finding: Finding) -> tuple[object, ...]:
    """Sort key of the verdict list: breakthroughs first, then by kind, onset, task."""
    onset = finding.onset.value if finding.onset is not None else math.inf
    return (
        list(KINDS).index(kind(finding)),
        onset,
        finding.task,
        finding.metric,
        finding.series,
        finding.axis,
        finding.id,
    )


def group_title(finding: Finding) -> str:
    """Whose points these are along which axis: "tiro-2x64 by training step"."""
    who = " · ".join(part for part in (finding.series or finding.family, finding.variant) if part)
    return f"{who or 'all models'} by {AXIS_TITLES[finding.axis].split(',')[0].lower()}"
