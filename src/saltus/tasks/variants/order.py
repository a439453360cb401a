"""Variants of order: choices, worked examples, premises, sentences, documents, tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from saltus.records.evidence import Sample
from saltus.tasks.variants.draw import Draw
from saltus.tasks.variants.item import Call, Item, Parameter, VariantInfo, anatomy
from saltus.tasks.variants.protect import about_form

T = TypeVar("T")

_ABOUT_OTHERS = re.compile(
    r"\b(?:all|none|both|neither|any) of (?:the|these|them)|\bboth [A-J]\b|\babove\b", re.I
)
_OPTION = re.compile(r"^([ \t]*(?:\(?([A-J])[).:]|[-*•])[ \t]+)(.*\S)([ \t]*)$", re.MULTILINE)
_LABELLED = re.compile(r"[A-Z][\w ]{0,24}:")
_SENTENCE = re.compile(r"(?<=[.!?])[ \t]+(?=[A-Z\"“])")
_TIED = re.compile(
    r"\b(?:he|she|it|they|him|her|them|his|hers|its|their|this|that|these|those|then|next|after\w*|before|later|"
    r"first|second|third|last|finally|again|now|also|so|but|however|therefore|because|instead|still|former|"
    r"latter|previous\w*|following|above|below|another|other|left|remaining|more|meanwhile|when|until|once)\b",
    re.IGNORECASE,
)
# A state, which may be told at any time; what happens has its place among other happenings.
_STATE = re.compile(
    r"\b(?:is|are|was|were|has|have|costs?|owns?|likes?|lives?|works?|collects?|contains?|weighs?|means?)\b"
    r"|^(?:all|no|some|every|each|if) ",
    re.IGNORECASE,
)
_SEQUENCE = re.compile(r"\b(?:order|steps?|sequence|turns?|rounds?)\b", re.IGNORECASE)
_NUMBERED = re.compile(r"^(\s*(?:\d{1,2}[.)]|[-*•])\s+)(.*)$")


def reorder(item: Item, call: Call) -> Item | None:
    """Put one sort of part into another order."""
    what, draw = str(call.options["what"]), call.draw
    match what:
        case "choices":
            sample = _choices(item.sample, draw)
            return None if sample is None else msgspec.structs.replace(item, sample=sample)
        case "shots":
            moved = _shuffled(item.shots, draw)
            return None if moved is None else msgspec.structs.replace(item, shots=tuple(moved))
        case "documents" | "tools":
            parts = _shuffled(item.sample.extra.get(what) or (), draw)
            return None if parts is None else item.with_extra(**{what: parts})
    text = item.sample.input
    found = anatomy(text)
    change = _premises if what == "premises" else _sentences
    tied = about_form(text) or _SEQUENCE.search(text) or not found.natural
    body = None if tied else change(found.body, draw)
    return None if body is None else item.with_input(found.label + body + found.cue)


def _shuffled(parts: Sequence[T], draw: Draw) -> list[T] | None:
    return [parts[i] for i in draw.order(len(parts))] if len(parts) > 1 else None


def _choices(sample: Sample, draw: Draw) -> Sample | None:
    """The choices in another order, with the right one followed; listed options move with them."""
    choices = sample.choices
    bare = [choice.strip() for choice in choices]
    listed = _listing(sample.input, bare)  # without a list there is no order that a model could see
    texts = [match[3] for match in listed]
    letters = [match[2] for match in listed] == bare
    unique = len(set(bare)) == len(bare) > 1 and sample.target.strip() == bare[sample.answer]
    if not unique or not listed or any(map(_ABOUT_OTHERS.search, (*choices, *texts))):
        return None
    order = draw.order(len(choices))
    answer = order.index(sample.answer)
    text = _relisted(sample.input, listed, [texts[i] for i in order])
    moved = choices if letters else tuple(choices[i] for i in order)
    target = moved[answer] if letters else sample.target
    return msgspec.structs.replace(sample, input=text, choices=moved, answer=answer, target=target)


def _listing(text: str, choices: Sequence[str]) -> list[re.Match[str]]:
    """The options in a text that are the choices, or whose letters are; none where they are not all there."""
    found = list(_OPTION.finditer(text))
    for start in range(len(found) - len(choices) + 1):
        run = found[start : start + len(choices)]
        if [match[3] for match in run] == choices or [match[2] for match in run] == choices:
            return run
    return []


def _relisted(text: str, listed: Sequence[re.Match[str]], options: Sequence[str]) -> str:
    for match, option in reversed(list(zip(listed, options, strict=True))):
        text = text[: match.start(3)] + option + text[match.end(3) :]
    return text


def _premises(body: str, draw: Draw) -> str | None:
    """The first run of two or more lines that are statements of their own, in another order."""
    lines = body.split("\n")
    run: list[int] = []
    for number, line in enumerate([*lines, ""]):
        if _stands_alone(line.rstrip()) and not _OPTION.match(line) and not _LABELLED.match(line):
            run.append(number)
        elif len(run) > 1:
            break
        else:
            run = []
    if len(run) < 2:
        return None
    marks = [match[1] if (match := _NUMBERED.match(lines[i])) else "" for i in run]
    words = [lines[i][len(mark) :] for i, mark in zip(run, marks, strict=True)]
    for place, mark, source in zip(run, marks, draw.order(len(run)), strict=True):
        lines[place] = mark + words[source]
    return "\n".join(lines)


def _sentences(body: str, draw: Draw) -> str | None:
    """The statements of the first line that has two or more of them; a question at its end stays there."""
    lines = body.split("\n")
    for number, line in enumerate(lines):
        label = _LABELLED.match(line)
        start = label.end() if label else len(line) - len(line.lstrip())
        told = _SENTENCE.split(line[start:].strip())
        asked = [] if _stands_alone(told[-1]) and number + 1 < len(lines) else [told.pop()]
        if len(told) > 1 and all(map(_stands_alone, told)):
            lead = line[:start] + " " * bool(label)
            lines[number] = lead + " ".join([*(told[i] for i in draw.order(len(told))), *asked])
            return "\n".join(lines)
    return None


def _stands_alone(sentence: str) -> bool:
    """Whether a sentence tells a state and points to no other sentence."""
    bare = _NUMBERED.sub(r"\2", sentence)
    return bare.endswith(".") and not _TIED.search(bare) and _STATE.search(bare) is not None


VARIANTS = (
    VariantInfo(
        name="reorder",
        group="perturbation",
        summary="Choices, worked examples, premises, sentences, documents or tools in another order.",
        keeps="Every part; answer and target follow the right choice; the question stays last.",
        step=reorder,
        parameters=(
            Parameter(
                "what",
                "choices",
                "what is put into another order; statements only where none refers to another",
                ("choices", "shots", "premises", "sentences", "documents", "tools"),
            ),
        ),
    ),
)
