"""Effects as rows of the charts: names that fit beside a chart, scores before and after, values in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from saltus.records.errors import UsageError
from saltus.records.explanations import Effect, Explanation, parse_components
from saltus.records.findings import Interval
from saltus.report.rows import Row, short
from saltus.report.words import interval_text, number

ABLATIONS = {
    "mean_ablation": "mean ablation",
    "zero_ablation": "zero ablation",
    "resample_ablation": "resample ablation",
}
SHARES = {
    "activation_patching": "activation patching",
    "path_patching": "path patching",
    "attribution_patching": "attribution patching",
}
LENSES = {"logit_lens": "logit lens", "tuned_lens": "tuned lens"}
ROLES: dict[str, tuple[str, str]] = {
    "induction": ("Induction", "attention to the token after the last time the current token stood"),
    "previous_token": ("Previous token", "attention to the token just before"),
    "source": (
        "Source of the answer",
        "attention from the answer's place to the tokens that hold the answer",
    ),
    "duplicate": ("Duplicate", "attention to earlier copies of the current token"),
    "copying": ("Copying", "share of places where the head raises the token that it attends to"),
    "delimiter": ("Delimiter", "attention to separators"),
    "fixed_distance": ("Fixed distance", "attention at one distance, which can look like induction"),
    "logit_lens": (
        "Layers",
        "share of answers whose first token the logit lens reads off the residual stream there",
    ),
}
RANDOM = "RANDOM"
MOST_ROWS = 16
_MOST_SINGLES = 10


def role_word(role: str) -> str:
    """A role as a title shows it."""
    return ROLES[role][0] if role in ROLES else role.replace("_", " ").capitalize()


def named_parts(explanation: Explanation) -> tuple[str, ...]:
    """The parts that an explanation names: the necessary ones of its circuit, else all of it."""
    circuit = explanation.circuit
    return () if circuit is None else circuit.necessary or circuit.components


def details(one: Effect) -> dict[str, Any]:
    """What the method wrote about a row; nothing where that is not a JSON object."""
    try:
        found = json.loads(one.detail) if one.detail else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_head(name: str) -> bool:
    """Whether a name is that of one head."""
    try:
        parts = parse_components(name)
    except UsageError:
        return False
    return len(parts) == 1 and parts[0].part == "head"


def is_control(one: Effect) -> bool:
    """Whether a row is of parts drawn at random: one set, or the mean over several."""
    return one.component == RANDOM or details(one).get("purpose") == "control"


def depth(component: str) -> tuple[int, int]:
    """Where a component stands: its last layer and its place there; before all if the name says nothing."""
    try:
        last = max(parse_components(component))
    except UsageError:
        return -1, -1
    return last.layer, last.index


def value_text(one: Effect, *, add: float = 0.0, unit: str = "share") -> str:
    """`value [low, high]` of an effect; `add` turns a change into the score after it."""
    if one.low is None or one.high is None:
        return number(one.effect + add, unit)
    return interval_text(Interval(one.effect + add, one.low + add, one.high + add, one.level), unit)


def after_text(one: Effect, unit: str) -> str:
    """The score after an ablation with its interval."""
    return value_text(one, add=one.baseline or 0.0, unit=unit)


def short_name(component: str) -> str:
    """A set's name, cut after two parts where it has more than three.

    Examples:
        >>> short_name("L0H0+L0H3+L1H2+MLP0"), short_name("L1H2")
        ('L0H0+L0H3+2 more', 'L1H2')
    """
    parts = component.split("+")
    return component if len(parts) <= 3 else f"{parts[0]}+{parts[1]}+{len(parts) - 2} more"


def ablation_label(one: Effect) -> str:
    """What was taken out, as the row of a chart says it."""
    found = details(one)
    purpose = found.get("purpose")
    name = short_name(one.component)
    if one.component == RANDOM:
        return f"{found.get('size', '?')} at random"
    if purpose == "control":
        return f"{one.component.count('+') + 1} at random"
    if purpose == "kept":
        return f"all but {name}"
    return f"{name} after {short_name(str(found['given']))}" if found.get("given") else name


def ablation_order(effects: Sequence[Effect]) -> list[Effect]:
    """Sets, then random sets, then single parts; the most harmful first, of single parts the strongest."""
    rest = [one for one in effects if not is_control(one)]
    sets = sorted((one for one in rest if "+" in one.component), key=_harm)
    singles = sorted((one for one in rest if "+" not in one.component), key=strength_order)
    kept = [*sets[:MOST_ROWS], *(one for one in effects if is_control(one))]
    return [*kept, *sorted(singles[:_MOST_SINGLES], key=_harm)]


def main_row(explanation: Explanation, effects: Sequence[Effect]) -> Effect | None:
    """The row that a title speaks of: the named parts, else the most harmful set, else part."""
    spoken = {"", "necessary", "set", "alone", "mlp", "collateral"}
    known = [one for one in effects if not is_control(one)]
    known = [one for one in known if str(details(one).get("purpose", "")) in spoken] or known
    named = set(named_parts(explanation))
    exact = [one for one in known if set(one.component.split("+")) == named]
    sets = [one for one in known if "+" in one.component]
    return min(exact or sets or known, key=_harm, default=None)


def after_row(one: Effect, label: str) -> Row:
    """The score after an ablation, beside the score before."""
    before = one.baseline or 0.0
    ends = {
        name: None if value is None else short(before + value)
        for name, value in (("y", one.effect), ("low", one.low), ("high", one.high))
    }
    kind = "control" if is_control(one) else "set" if "+" in one.component else "single"
    if kind == "control" and one.component != RANDOM:
        ends |= {"low": None, "high": None}  # a dot a set; their spread is what tells
    full = {
        "component": label,
        "full": one.component,
        "kind": kind,
        "task": one.task,
        "before": short(before),
    }
    return {**full, **ends, "n": one.n}


def value_row(one: Effect, label: str) -> Row:
    """The value that a method gave a component."""
    return {
        "component": label,
        "full": one.component,
        "method": {**SHARES, **LENSES}.get(one.method, one.method.replace("_", " ")),
        "y": short(one.effect),
        "low": None if one.low is None else short(one.low),
        "high": None if one.high is None else short(one.high),
        "n": one.n,
    }


def strength_order(one: Effect) -> tuple[float, str]:
    """Sort key: the largest effect of either sign first."""
    return -abs(one.effect), one.component


def heights(rows: Sequence[Row]) -> list[float]:
    """Every value of the rows that has to fit on the axis."""
    return [row[key] for row in rows for key in ("y", "low", "high", "before") if row.get(key) is not None]


def _harm(one: Effect) -> tuple[float, str]:
    return one.effect, one.component
