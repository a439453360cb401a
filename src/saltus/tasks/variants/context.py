"""Variants that put something beside the item: sentences beside the point, wrong hints, contradictions."""

from __future__ import annotations

import re

from saltus.tasks.variants.item import Call, Item, Parameter, VariantInfo, insert
from saltus.tasks.variants.words import IRRELEVANT, NAMES, NEIGHBOUR_AGES

_OPPOSITE = {"yes": "no", "no": "yes", "true": "false", "false": "true"}
_NUMBER = re.compile(r"\s*-?\d+(?:\.\d+)?\s*")
_NAME = re.compile(
    r"(?<![\w.'\u2019-])(" + "|".join(name for names in NAMES for name in names) + r")(?= [a-z])"
)
_AGES = re.compile(r"\b(?:age|aged|old|older|oldest|young\w*|years?|neighbou?rs?|people|persons?)\b", re.I)
_OPEN = ("calls", "tests", "schema", "constraints", "refusal")  # more than one output is right
_SELF = re.compile(
    r"\bthis (?:prompt|message|text)|\b(?:the )?above\b|\bfirst (?:word|sentence|line)\b", re.I
)


def distractor(item: Item, call: Call) -> Item | None:
    """Add sentences that have nothing to do with the answer."""
    sample, draw = item.sample, call.draw
    if _SELF.search(sample.input):
        return None
    if call.options["about"] == "item":
        names = [match[1] for match in _NAME.finditer(sample.input)]
        found = next((name for name in names if sample.input.count(name) > 1), None)
        if found is None or _AGES.search(sample.input):
            return None
        ages = [age for age in NEIGHBOUR_AGES if str(age) not in sample.target]
        sentences = [f"The neighbour of {found} is {draw.one(ages)} years old."]
    else:
        sentences = draw.some(IRRELEVANT, int(call.options["n"]))
    documents = sample.extra.get("documents")
    if documents and call.options["about"] != "item":
        taken = {str(one.get("id")) for one in documents}
        new = []
        for number, sentence in enumerate(sentences, 1):
            name = next(f"extra-{i}" for i in range(number, 10_000) if f"extra-{i}" not in taken)
            taken.add(name)
            new.append({"id": name, "title": "News from the town", "text": sentence})
        return item.with_extra(documents=[*documents, *new])
    text = insert(sample.input, " ".join(sentences))
    return None if text is None else item.with_input(text)


def wrong_answer(item: Item, call: Call) -> str | None:
    """Another answer that looks like a right one: another choice, another number, another item's target."""
    sample, draw = item.sample, call.draw
    right = {sample.target.strip(), *map(str.strip, map(str, sample.extra.get("references") or ()))}
    if sample.choices:
        others = [one.strip() for one in sample.choices if one.strip() not in right]
        return draw.one(others) if others else None
    if _NUMBER.fullmatch(sample.target) and "." not in sample.target:
        return str(int(sample.target) + draw.one((-10, -2, -1, 1, 2, 3, 10)))
    if (opposite := _OPPOSITE.get(sample.target.strip().lower())) is not None:
        return opposite if sample.target.strip().islower() else opposite.capitalize()
    lower = {one.lower() for one in right}
    for _ in range(min(20, len(call.pool))):
        other = draw.one(call.pool).target.strip()
        if "\n" in other or len(other) >= 80:
            continue
        if other.lower() not in lower and _shape(other) == _shape(sample.target.strip()):
            return other
    return None


def _shape(text: str) -> tuple[bool, ...]:
    """What a wrong answer has to share with the right one, so as not to be wrong at first sight."""
    return (not text, bool(_NUMBER.fullmatch(text)), len(text) == 1, " " in text)


def misleading(item: Item, call: Call) -> Item | None:
    """Say that somebody believes in a wrong answer."""
    wrong = wrong_answer(item, call)
    return (
        None
        if wrong is None
        else _with(item, f"I am not sure, but a friend of mine thinks that the answer is {wrong}.")
    )


def contradictory(item: Item, call: Call) -> Item | None:
    """Report two opinions that exclude each other, both about a wrong answer."""
    wrong = wrong_answer(item, call)
    if wrong is None:
        return None
    return _with(
        item,
        f"One reader says that the answer is {wrong}. Another reader says that it is anything but {wrong}.",
    )


def constraint_trap(item: Item, call: Call) -> Item | None:
    """Add a rule that the right answer keeps and that names a wrong one."""
    wrong = wrong_answer(item, call)
    if wrong is None or wrong.lower() in item.sample.target.lower():
        return None
    return _with(item, f'A rule for the answer: it must not be "{wrong}".')


def _with(item: Item, sentence: str) -> Item | None:
    sample = item.sample
    if _SELF.search(sample.input) or any(key in sample.extra for key in _OPEN):
        return None
    text = insert(sample.input, sentence)
    return None if text is None else item.with_input(text)


VARIANTS = (
    VariantInfo(
        name="distractor",
        group="perturbation",
        summary="Sentences (or documents) that have nothing to do with the answer.",
        keeps="The item itself; what is added bears on nothing that is asked.",
        step=distractor,
        parameters=(
            Parameter("n", 1, "sentences", low=1, high=6),
            Parameter(
                "about", "nothing", "item: about a person of the item, with a number", ("nothing", "item")
            ),
        ),
    ),
    VariantInfo(
        name="misleading",
        group="adversarial",
        summary="Somebody is said to believe in a wrong answer.",
        keeps="The item itself and the truth: an opinion changes no fact.",
        step=misleading,
    ),
    VariantInfo(
        name="contradictory",
        group="adversarial",
        summary="Two opinions about the answer that exclude each other.",
        keeps="The item itself and the truth: opinions change no fact.",
        step=contradictory,
    ),
    VariantInfo(
        name="constraint_trap",
        group="adversarial",
        summary="A rule that forbids a wrong answer and so puts it in mind.",
        keeps="The item itself; the right answer keeps the rule.",
        step=constraint_trap,
    ),
)
