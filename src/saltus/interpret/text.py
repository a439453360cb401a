"""What an explanation says: what was shown by intervening, what is correlated, what was not tested.

Pure functions of records; every sentence carries its numbers and their intervals.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from saltus.interpret.circuits.circuit import CircuitFinding
from saltus.interpret.subject import Subject
from saltus.records.explanations import Effect, Explanation, Statement, parse_components, set_name
from saltus.records.findings import Interval

_WORDS = {
    "previous_token": "attends to the token before",
    "induction": "attends, as an induction head, to what followed the last occurrence",
    "duplicate": "attends to the last occurrence of the same token",
    "delimiter": "rests on the first token",
    "source": "attends to the answer's source",
}
TELLING = ("induction", "previous_token", "source")  # worth a word wherever they are
_HEADS = {
    "shown": "Shown by intervening:",
    "correlated": "Only correlated:",
    "not_tested": "Not tested:",
}
_FED = 0.1  # share of the difference that a path must carry to be spoken of
_KEPT = 0.05  # a change that small of another task's score is no harm worth a word


def headline(one: Explanation) -> str:
    """The answer in one line."""
    match one.verdict:
        case "nothing":
            against = "" if one.chance is None else f", and guessing {one.chance:.2f}"
            return f"Nothing carries {one.task} in {one.model}: it scores {one.score.value:.2f}{against}"
        case "unclear":
            scores = f"it scores {one.score.value:.2f}"
            return f"No small set was shown to carry {one.task} in {one.model}; {scores}"
        case _:
            assert one.circuit is not None  # noqa: S101 - "carried" is said of a circuit
            named = _joined([_titled(one, name) for name in one.circuit.necessary])
            fed = _feeding(one)
            named += f", fed by {_joined([_titled(one, name) for name in fed])}" if fed else ""
            out = _joined(one.circuit.necessary)
            left = _number(one.circuit.removed)
            return f"{one.model} does {one.task} with {named}: without {out} the score falls to {left}"


def statements(
    one: Explanation, found: CircuitFinding, effects: Sequence[Effect], subject: Subject
) -> tuple[Statement, ...]:
    """All sentences: shown ones first, then correlations, then what nobody looked at.

    Args:
        one: The explanation; its headline and text are not looked at.
        found: The circuit with its tests.
        effects: Rows of the explanation.
        subject: The checkpoints around the onset.
    """
    shown = [Statement("shown", text) for text in _shown(one, found, effects, subject)]
    correlated = [Statement("correlated", text) for text in _correlated(one, found, effects)]
    missing = [Statement("not_tested", text) for text in _not_tested(one, found, effects, subject)]
    return (*shown, *correlated, *missing)


def by_standing(given: Sequence[Statement]) -> tuple[Statement, ...]:
    """Statements in the order of what stands behind them, else as they are."""
    return tuple(one for standing in _HEADS for one in given if one.standing == standing)


def as_text(given: Sequence[Statement]) -> str:
    """The statements as a short text of three paragraphs."""
    parts = []
    for standing, head in _HEADS.items():
        own = [one.text for one in given if one.standing == standing]
        if own:
            parts.append(f"{head} {' '.join(own)}")
    return "\n\n".join(parts)


def _shown(one: Explanation, found: CircuitFinding, effects: Sequence[Effect], subject: Subject) -> list[str]:
    if one.verdict == "nothing":
        return [found.able.reason, "So there is nothing to take apart, and no component was taken out."]
    out = [found.able.reason]
    circuit = one.circuit
    if circuit is None:
        return [*out, "No set of heads or MLPs was found whose removal destroys the ability."]
    named = _joined(circuit.necessary)
    out.append(
        f"Without {named} (replaced by {_means(circuit.necessary)}) {one.task} goes from "
        f"{found.whole.value:.2f} to {_number(circuit.removed)} on the {found.tested} prompts that had no "
        "part in choosing them; "
        f"{circuit.random_sets} other sets of equal size leave {circuit.random.value:.2f} on average "
        f"({circuit.random.low:.2f} to {circuit.random.high:.2f}), the most harmful "
        f"{circuit.worst_random:.2f}."
    )
    if one.verdict == "unclear":
        out += [text for text in found.reasons if text.startswith("Failed")]
    out += _backups(one, effects)
    out += _other_sets(one, effects)
    out += _edges(one)
    out += _ways(one, effects)
    out += _others(one, effects)
    out += _kept(one)
    out += _patched(one, effects)
    out += _beside(one, effects, subject)
    return out


def _backups(one: Explanation, effects: Sequence[Effect]) -> list[str]:
    """Heads that hide each other: each alone leaves much, together little."""
    assert one.circuit is not None  # noqa: S101 - asked for circuits only
    if len(one.circuit.necessary) < 2:
        return []
    alone = [row for row in effects if _purpose(row) == "alone" and row.component in one.circuit.necessary]
    if not alone:
        return []
    parts = ", ".join(f"{row.component} {_after(row)}" for row in sorted(alone, key=lambda row: row.effect))
    backs = getattr(one.circuit, "backups", ())
    word = (
        f" {_joined(backs)} {'takes' if len(backs) == 1 else 'take'} over when the others are out."
        if backs
        else ""
    )
    return [f"Taken out alone, they leave: {parts}.{word}"]


def _other_sets(one: Explanation, effects: Sequence[Effect]) -> list[str]:
    """Heads that the ability hangs on too, at another stage."""
    rows = [row for row in effects if _purpose(row) == "set" and row.task == one.task]
    parts = [f"{_joined(row.component.split('+'))} {_after(row)}" for row in rows]
    if not parts:
        return []
    return [f"It hangs on others as well, at another stage; taken out, these leave: {', '.join(parts)}."]


def _edges(one: Explanation) -> list[str]:
    """What the named set reads, and from whom."""
    assert one.circuit is not None  # noqa: S101 - asked for circuits only
    words = {"q": "queries", "k": "keys", "v": "values", "": "input"}
    own = [
        edge
        for edge in one.circuit.edges
        if edge.target in one.circuit.necessary and edge.source.startswith("L") and edge.effect.value >= _FED
    ]
    return [
        f"Along the path from {edge.source} into the {words[edge.into]} of {edge.target} alone goes "
        f"{_number(edge.effect)} of the difference between the two answers' logits."
        for edge in own[:3]
    ]


def _feeding(one: Explanation) -> list[str]:
    """Heads whose writing the named set reads, by path patching."""
    assert one.circuit is not None  # noqa: S101 - asked for circuits only
    found = [
        edge.source
        for edge in one.circuit.edges
        if edge.target in one.circuit.necessary
        and edge.source.startswith("L")
        and edge.source not in one.circuit.necessary
        and edge.effect.value >= _FED
    ]
    return list(dict.fromkeys(found))[:3]


def _titled(one: Explanation, name: str) -> str:
    """A head with what it does, where that is known."""
    for role in one.roles:
        if role.component != name:
            continue
        match role.role:
            case "induction":
                return f"{name} (an induction head)"
            case "previous_token":
                return f"{name} (a previous-token head)"
            case "fixed_distance":
                return f"{name} (which looks {role.distance} tokens back)"
    return name


def _means(names: Sequence[str]) -> str:
    return "its mean" if len(names) == 1 else "their means"


def _ways(one: Explanation, effects: Sequence[Effect]) -> list[str]:
    """The same set by other ways of ablation."""
    assert one.circuit is not None  # noqa: S101 - asked for circuits only
    name = _set_of(one)
    rows = [
        row
        for row in effects
        if row.model == one.model
        and row.task == one.task
        and row.metric == one.metric
        and row.component == name
        and row.method in ("zero_ablation", "resample_ablation")
    ]
    if not rows:
        return []
    words = {"zero_ablation": "replaced by zero", "resample_ablation": "replaced by those of other prompts"}
    return ["The same set leaves " + ", ".join(f"{_after(row)} {words[row.method]}" for row in rows) + "."]


def _others(one: Explanation, effects: Sequence[Effect]) -> list[str]:
    """What the ablation does to other tasks."""
    name = _set_of(one)
    rows = [row for row in effects if _purpose(row) == "collateral" and row.component == name]
    if not rows:
        return []
    hurt = [row for row in rows if (row.high or 0.0) < 0 and row.effect < -_KEPT]
    kept = [row for row in rows if row not in hurt]
    out = []
    if kept:
        parts = ", ".join(f"{row.task} {row.baseline or 0:.2f} to {_after(row)}" for row in kept)
        out.append(f"The same ablation leaves other tasks as they were: {parts}.")
    if hurt:
        parts = ", ".join(f"{row.task} {row.baseline or 0:.2f} to {_after(row)}" for row in hurt)
        out.append(f"It harms others: {parts}; so the set is not for {one.task} alone.")
    return out


def _kept(one: Explanation) -> list[str]:
    assert one.circuit is not None  # noqa: S101 - asked for circuits only
    circuit = one.circuit
    text = (
        f"{len(circuit.components)} of {circuit.of} heads and MLPs by themselves, everything else replaced "
        f"by its mean, keep {_number(circuit.kept)}: {_joined(circuit.components)}."
    )
    if circuit.completeness is not None:
        gap = f"{circuit.completeness:.2f}"
        text += f" With the same parts out of both, circuit and model differ by {gap} at most."
    return [text]


def _patched(one: Explanation, effects: Sequence[Effect]) -> list[str]:
    rows = [
        row
        for row in effects
        if row.method == "activation_patching"
        and row.model == one.model
        and _detail(row).get("direction") == "denoise"
    ]
    if not rows:
        return []
    single = [row for row in rows if "+" not in row.component]
    heads = [row for row in single if row.component.startswith("L")]
    out = []
    best = max(heads or single, key=lambda row: row.effect)
    out.append(
        f"Put into the corrupted prompts, what {best.component} writes on the prompts themselves brings back "
        f"{_ends(best)} of the difference between the two answers' logits."
    )
    name = _set_of(one)
    out += [
        f"{_joined(row.component.split('+'))} together bring back {_ends(row)}."
        for row in rows
        if row.component == name
    ]
    return out if name != best.component else out[:1]


def _beside(one: Explanation, effects: Sequence[Effect], subject: Subject) -> list[str]:
    """The same ablation before the onset, and just after it."""
    assert one.circuit is not None  # noqa: S101 - asked for circuits only
    name = _set_of(one)
    out = []
    for record, where in ((subject.before, "before the onset"), (subject.after, "just after the onset")):
        row = next(
            (
                row
                for row in effects
                if record is not None
                and row.model == record.id
                and row.component == name
                and row.method == "mean_ablation"
            ),
            None,
        )
        if record is None or row is None:
            continue
        out.append(
            f"At {record.id}, {where}, the same ablation changes {row.baseline or 0:.2f} by "
            f"{row.effect:+.2f} [{row.low or 0:+.2f}, {row.high or 0:+.2f}]."
        )
    return out


def _correlated(one: Explanation, found: CircuitFinding, effects: Sequence[Effect]) -> list[str]:
    out = []
    named = {str(part) for part in found.named}
    near = named | (set(one.circuit.components) if one.circuit is not None else set())
    roles = [role for role in one.roles if role.role in TELLING or role.component in near]
    for role in sorted(roles, key=lambda role: role.component not in named):
        held = f"{_number(role.score)}; even attention would give {role.baseline:.2f}"
        if role.role == "fixed_distance":
            out.append(
                f"{role.component} looks {role.distance} tokens back whatever stands there ({held}): where "
                "texts repeat at that one distance it only looks like an induction head."
            )
        else:
            every = "" if role.role == "source" else " at every length of probe"
            out.append(f"{role.component} {_WORDS.get(role.role, role.role)}{every} ({held}).")
    if not {"induction", "previous_token"} & {role.role for role in one.roles}:
        out.append(
            "No head attends as an induction head or to the token before does, at every length of probe."
        )
    direct = [row for row in effects if row.method == "direct_logit" and row.model == one.model]
    parts = [row for row in direct if row.component.startswith(("L", "MLP")) and "N" not in row.component]
    if parts:
        best = max(parts, key=lambda row: row.effect)
        out.append(
            f"{best.component} writes most of the answer directly: {_ends(best)} of a "
            f"{best.metric.replace('_', ' ')} of {best.baseline or 0:.2f} (nats)."
        )
    return [*out, *_lens(one, effects)]


def _lens(one: Explanation, effects: Sequence[Effect]) -> list[str]:
    """The layer at which the answer can first be read off."""
    rows = [
        row
        for row in effects
        if row.model == one.model and row.method == "tuned_lens" and row.metric == "accuracy"
    ]
    last = max((row.baseline or 0.0 for row in rows), default=0.0)
    known = [row for row in rows if row.effect >= 0.9 * last] if last else []
    if not known or one.verdict == "nothing":
        return []
    first = min(known, key=lambda row: -1 if row.component == "EMBED" else int(row.component[1:]))
    where = f"from {first.component} on (tuned lens, {_ends(first)} right)"
    return [f"The answer can be read off the residual stream {where}."]


def _not_tested(
    one: Explanation, found: CircuitFinding, effects: Sequence[Effect], subject: Subject
) -> list[str]:
    if one.verdict == "nothing":
        return []
    out = []
    if not any(row.method == "activation_patching" for row in effects):
        out.append("Nothing was patched: the task has no corrupted prompts whose answers differ.")
    if one.circuit is not None and not one.circuit.edges:
        out.append("The ways between the components were not traced.")
    if found.exhausted:
        out.append("The search stopped at its limit, so a smaller set may exist.")
    if one.circuit is not None and one.circuit.random_sets == 0:
        out.append("No other set of equal size is left to compare with.")
    if not any(row.method == "tuned_lens" for row in effects):
        out.append("The tuned lens was left out: with this vocabulary it takes a GPU.")
    out.append(
        "Neurons were not taken out, and no other training run was looked at, which may use other heads."
    )
    return out + _not_before(one, effects, subject)


def _not_before(one: Explanation, effects: Sequence[Effect], subject: Subject) -> list[str]:
    """Why nothing was taken out of a model before the onset."""
    before, model = subject.before, subject.model
    if before is None:
        return ["No checkpoint before an onset was tried."]
    if one.circuit is None or any(row.model == before.id and "ablation" in row.method for row in effects):
        return []
    if (before.layers, before.heads, before.width) != (model.layers, model.heads, model.width):
        return [f"{before.id}, before the onset, is of another size, so it does not have the same parts."]
    return [f"Nothing was taken out of {before.id}, before the onset, which could not be read."]


def _set_of(one: Explanation) -> str:
    """The named set as rows of effects call it."""
    return set_name(parse_components("+".join(one.circuit.necessary))) if one.circuit else ""


def _purpose(row: Effect) -> str:
    return str(_detail(row).get("purpose", ""))


def _detail(row: Effect) -> dict[str, object]:
    found = json.loads(row.detail) if row.detail else {}
    return found if isinstance(found, dict) else {}


def _after(row: Effect) -> str:
    return f"{(row.baseline or 0.0) + row.effect:.2f}"


def _ends(row: Effect) -> str:
    if row.low is None or row.high is None:
        return f"{row.effect:.2f}"
    return f"{row.effect:.2f} [{row.low:.2f}, {row.high:.2f}]"


def _number(value: Interval) -> str:
    return f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}]"


def _joined(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
