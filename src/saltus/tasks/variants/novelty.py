"""Variants that a model cannot have seen: new names, numbers and words, in the item and its answer alike."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from saltus.records.evidence import Sample
from saltus.tasks.variants.draw import Draw
from saltus.tasks.variants.item import Call, Item, VariantInfo, split
from saltus.tasks.variants.protect import about_form
from saltus.tasks.variants.words import NAMES, NEW_NAMES, NONCE, THINGS

_NAME = re.compile(
    r"(?<![\w.'\u2019-])(?:" + "|".join(name for names in NAMES for name in names) + r")(?![\w-])"
)
_FULL_NAME = re.compile(r"[A-Z][\w'\u2019]+ \Z")
_THING = re.compile(r"\b(?:" + "|".join([*THINGS, *THINGS.values()]) + r")\b")
_KNOWLEDGE = re.compile(
    r"\b(?:legs?|wheels?|weigh\w*|colou?rs?|made of|kinds?|types?|dozens?|packs?|decks?|eat\w*|ate|drink\w*|"
    r"fruits?|animals?|grow\w*|bak\w*|juice|seeds?|pages?|minutes?|hours?|days?|years?)\b",
    re.IGNORECASE,
)
_EXPRESSION = re.compile(
    r"(?<![\w.,])\(*\d+(?:[ ]*(?:[-+*\u00d7%]|mod|plus|minus|times)[ ]*\(*\d+\)*)+(?![\w,]|\.\d)"
)
_SIGNS = {"\u00d7": "*", "mod": "%", "plus": "+", "minus": "-", "times": "*"}
_TEXTS = ("system", "turns", "documents", "references", "calls", "constraints")
_TITLE = re.compile(
    r"\b(?:King|Queen|Saint|St\.?|Pope|President|Sir|Lord|Lady|Prince|Princess|Emperor|Dr\.?) \Z"
)


def rename(item: Item, call: Call) -> Item | None:
    """Give every first name of the item a new one, everywhere."""
    sample = item.sample
    if sample.extra.get("pair") or sample.extra.get("tests") or about_form(sample.input):
        return None
    matches = [match[0] for match in _NAME.finditer(sample.input)]
    found = [name for name in dict.fromkeys(matches) if matches.count(name) > 1]  # a person, not a fact
    if not found or any(_is_full(sample.input, match) for match in _NAME.finditer(sample.input)):
        return None
    new: dict[str, str] = {}
    for names, fresh in zip(NAMES, NEW_NAMES, strict=True):
        mine = [name for name in found if name in names]
        taken = [name for name in fresh if name not in sample.input]
        if len(mine) > len(taken):
            return None
        new |= dict(zip(mine, call.draw.some(taken, len(mine)), strict=True))
    pattern = re.compile(r"(?<![\w-])(?:" + "|".join(map(re.escape, new)) + r")(?![\w-])")
    return _everywhere(item, lambda text: pattern.sub(lambda match: new[match[0]], text))


def _is_full(text: str, match: re.Match[str]) -> bool:
    """Whether a name is part of a longer one, which may be that of somebody in particular."""
    after = text[match.end() :]
    if _TITLE.search(text[: match.start()]):
        return True
    before = _FULL_NAME.search(text[: match.start()])
    starts = before is not None and text[: before.start()].rstrip()[-1:] not in ("", ".", "?", "!", ":", "\n")
    return bool(re.match(r" (?:[A-Z][a-z]|[A-Z]\.|of |the [A-Z]|[IVX]+\b)", after)) or starts


def nonce(item: Item, call: Call) -> Item | None:
    """Give the things that an item only counts names that mean nothing."""
    sample = item.sample
    text = sample.input
    counted = re.fullmatch(r"\s*-?\d+\s*", sample.target) and len(re.findall(r"\d+", text)) >= 2
    if not counted or sample.extra.get("tests") or about_form(text) or _KNOWLEDGE.search(text):
        return None
    singles = {plural: single for single, plural in THINGS.items()}
    found = list(dict.fromkeys(singles.get(match[0], match[0]) for match in _THING.finditer(text)))
    free = [word for word in NONCE if word not in text.lower()]
    if not found or len(found) > len(free):
        return None
    new = dict(zip(found, call.draw.some(free, len(found)), strict=True))
    forms = new | {THINGS[single]: word + "s" for single, word in new.items()}
    changed = _everywhere(item, lambda part: _THING.sub(lambda match: forms.get(match[0], match[0]), part))
    asked = re.sub(r"\b(a|an)(?= (?:" + "|".join(new.values()) + r")\b)", "a", changed.sample.input)
    return changed.with_input(asked)


def renumber(item: Item, call: Call) -> Item | None:
    """Give an item whose target is the value of its one expression other numbers of as many digits."""
    sample = item.sample
    found = _expression(sample)
    if found is None or any(sample.extra.get(key) for key in ("tests", "turns", "references")):
        return None
    if any(not _is_value(one) for one in call.pool[:20]):
        return None  # the task writes its answers in another way, and this one is right by chance
    expression, (start, end) = found[0], found.span()
    value = evaluate(expression)
    if value is None or not _is_value(sample):
        return None
    for _ in range(20):
        new = re.sub(r"\d+", lambda match: _like(match[0], call.draw), expression)
        result = evaluate(new)
        if new != expression and result is not None and (result < 0) == (value < 0):
            changed = msgspec.structs.replace(
                sample,
                input=sample.input[:start] + new + sample.input[end:],
                target=sample.target.replace(str(value), str(result)),
            )
            return msgspec.structs.replace(item, sample=changed)
    return None


def _expression(sample: Sample) -> re.Match[str] | None:
    """The one expression of an item that has no other number and no choices."""
    found = list(_EXPRESSION.finditer(sample.input))
    if len(found) != 1 or sample.choices or found[0][0].count("(") != found[0][0].count(")"):
        return None
    start, end = found[0].span()
    return None if re.search(r"\d", sample.input[:start] + sample.input[end:]) else found[0]


def _is_value(sample: Sample) -> bool:
    """Whether the target is the value of the item's expression; also where it has none that can be read."""
    found = _expression(split(sample).sample)
    value = None if found is None else evaluate(found[0])
    return value is None or sample.target.strip() == str(value)


def _like(number: str, draw: Draw) -> str:
    first = draw.below(10) if len(number) == 1 else 1 + draw.below(9)
    return str(first) + "".join(str(draw.below(10)) for _ in number[1:])


def evaluate(expression: str) -> int | None:
    """The value of whole numbers joined by +, -, *, mod and brackets; None when it is something else.

    Examples:
        >>> evaluate("(12 + 7) mod 5"), evaluate("3 times 4"), evaluate("1 / 2")
        (4, 12, None)
    """
    for word, sign in _SIGNS.items():
        expression = expression.replace(word, sign)
    expression = re.sub(r"\b0+(?=\d)", "", expression)
    try:
        return _value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError):
        return None  # not an expression of this sort: the variant does not apply


def _value(node: ast.AST) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.BinOp(left=left, op=operator, right=right):
            a, b = _value(left), _value(right)
            match operator:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Mod():
                    return a % b
    raise ValueError("not a sum, difference, product or remainder of whole numbers")


def _everywhere(item: Item, change: Callable[[str], str]) -> Item:
    """Change every text of the item, its answer included."""
    sample = item.sample
    extra = {key: _deep(value, change) if key in _TEXTS else value for key, value in sample.extra.items()}
    changed: Sample = msgspec.structs.replace(
        sample,
        input=change(sample.input),
        target=change(sample.target),
        choices=tuple(map(change, sample.choices)),
        extra=extra,
    )
    return msgspec.structs.replace(item, sample=changed)


def _deep(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: one if key == "id" else _deep(one, change) for key, one in value.items()}
    return [_deep(one, change) for one in value] if isinstance(value, list | tuple) else value


VARIANTS = (
    VariantInfo(
        name="rename",
        group="novelty",
        summary="First band: people have names that hardly any text has.",
        keeps="Who is who, in the item, its choices and its answer; numbers and facts; full names.",
        step=rename,
    ),
    VariantInfo(
        name="renumber",
        group="novelty",
        summary="Second band: other numbers, and the answer that goes with them.",
        keeps="The operations and how many digits each number has; the target is worked out anew.",
        step=renumber,
    ),
    VariantInfo(
        name="nonce",
        group="novelty",
        summary="Third band: what is counted has a name that means nothing.",
        keeps="Every number and relation, and so the answer.",
        step=nonce,
    ),
)
