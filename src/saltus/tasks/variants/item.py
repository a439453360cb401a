"""What a step of a variant works on: the item itself apart from the worked examples before it.

`anatomy` splits an item's text further into its label ("Q: "), its body and its final cue ("Answer:").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from saltus.records.evidence import Sample
from saltus.tasks.task import Kind
from saltus.tasks.variants.draw import Draw

Group = Literal["style", "perturbation", "adversarial", "novelty"]
Value: TypeAlias = str | int | float

LABEL = re.compile(r"\s*(?:Q|Question|Problem|Task|Exercise|Riddle)[ \t]?\d{0,3}:[ \t]*", re.IGNORECASE)
_CODE = re.compile(r"\s*(?:#|//|def\b|class\b|import\b|from\b[^\n]*\bimport\b|>>>|```)")
_CUE = re.compile(r"\s*\n[^\n\d]{0,30}(?::|=|->|=>|→)[ \t]*\n?\Z|\s*(?:=|->|=>|→)[ \t]*\n?\Z")


class Item(msgspec.Struct, frozen=True):
    """A sample whose `input` holds the item alone.

    Attributes:
        sample: The item; its input has no worked examples.
        head: What stands before the first worked example.
        shots: Worked examples, each with its answer.
        gap: What stands between two of them.
    """

    sample: Sample
    head: str = ""
    shots: tuple[str, ...] = ()
    gap: str = "\n\n"

    def joined(self) -> Sample:
        """The sample as it is asked."""
        if not self.shots and not self.head:
            return self.sample
        return self.with_input(self.head + self.gap.join((*self.shots, self.sample.input))).sample

    def with_input(self, text: str) -> Item:
        """The same with another text."""
        return msgspec.structs.replace(self, sample=msgspec.structs.replace(self.sample, input=text))

    def with_extra(self, **changes: Any) -> Item:
        """The same with other values in the sample's `extra`."""
        extra = {**self.sample.extra, **changes}
        return msgspec.structs.replace(self, sample=msgspec.structs.replace(self.sample, extra=extra))


class Call(msgspec.Struct, frozen=True):
    """With what a step is called: its options, its randomness, and the other items of the task."""

    options: Mapping[str, Value]
    draw: Draw
    pool: Sequence[Sample] = ()


class Parameter(msgspec.Struct, frozen=True):
    """One option of a variant: its default says its type, the rest what is allowed."""

    name: str
    default: Value
    help: str
    allowed: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0


class VariantInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of variant.

    Attributes:
        name: As it is written.
        group: "style", "perturbation", "adversarial" or "novelty".
        summary: What it does.
        keeps: What has to stay the same.
        parameters: Its options.
        seeded: Whether chance has a part in it.
        kinds: Kinds of task it makes sense for.
        step: Does it; None when it does not apply.
    """

    name: str
    group: Group
    summary: str
    keeps: str
    step: Callable[[Item, Call], Item | None]
    parameters: tuple[Parameter, ...] = ()
    seeded: bool = True
    kinds: tuple[Kind, ...] = ("generation", "multiple_choice", "loglikelihood")


class Parts(msgspec.Struct, frozen=True):
    """An item's text in three parts that make it up again: label, body, cue."""

    label: str
    body: str
    cue: str

    @property
    def natural(self) -> bool:
        """Whether the body is prose, so that a sentence may stand beside it: words, and no code."""
        return " " in self.body.strip() and _CODE.match(self.body) is None

    @property
    def closed(self) -> bool:
        """Whether the body ends, so that the answer does not simply go on writing it."""
        return self.cue.strip()[-1:] == ":" or self.body.rstrip()[-1:] in (".", "?", "!")


def anatomy(text: str) -> Parts:
    r"""Split an item's text.

    Examples:
        >>> anatomy("Q: What is 2 + 2?\nA:")
        Parts(label='Q: ', body='What is 2 + 2?', cue='\nA:')
        >>> anatomy("12 + 7 =")
        Parts(label='', body='12 + 7', cue=' =')
    """
    label = LABEL.match(text)
    start = label.end() if label else 0
    cue = _CUE.search(text, start)
    end = cue.start() if cue else len(text)
    return Parts(text[:start], text[start:end], text[end:])


def split(sample: Sample) -> Item:
    """Tell the worked examples that a sample brings from the item itself.

    Examples are blocks between blank lines that begin with the item's own label and hold an answer where the
    item has its cue.
    """
    if "\n\n" not in sample.input:
        return Item(sample)
    *blocks, last = sample.input.split("\n\n")
    parts = anatomy(last)
    if not parts.label.strip() or not parts.cue.strip():
        return Item(sample)
    label, cue = parts.label.strip(), parts.cue.strip()
    first = len(blocks)
    while first and _is_shot(blocks[first - 1], label, cue):
        first -= 1
    if first == len(blocks):
        return Item(sample)
    head = "".join(block + "\n\n" for block in blocks[:first])
    return Item(msgspec.structs.replace(sample, input=last), head, tuple(blocks[first:]))


def _is_shot(block: str, label: str, cue: str) -> bool:
    _, found, answer = block.rpartition(cue)
    return bool(found) and block.lstrip().startswith(label) and bool(answer.strip())


def insert(text: str, sentence: str) -> str | None:
    r"""Put a sentence in front of an item's body; None where the item is not written in words.

    Examples:
        >>> insert("Q: What is 2 + 2?\nA:", "It rains.")
        'Q: It rains. What is 2 + 2?\nA:'
        >>> insert("q1u0z8", "It rains.") is None
        True
    """
    parts = anatomy(text)
    if not parts.natural:
        return None
    lead = parts.body[: len(parts.body) - len(parts.body.lstrip())]
    between = "\n" if "\n" in parts.body.strip() or not parts.body.strip()[:1].isupper() else " "
    return f"{parts.label}{lead}{sentence}{between}{parts.body.lstrip()}{parts.cue}"


def append(text: str, sentence: str) -> str | None:
    r"""Put a sentence behind an item's body, before its cue; None where the item has no end to put it at.

    Examples:
        >>> append("Q: What is 2 + 2?\nA:", "Hurry.")
        'Q: What is 2 + 2? Hurry.\nA:'
        >>> append("The capital of Italy is", "Hurry.") is None
        True
    """
    parts = anatomy(text)
    if not parts.natural or not parts.closed:
        return None
    between = "\n" if "\n" in parts.body.strip() else " "
    return f"{parts.label}{parts.body.rstrip()}{between}{sentence}{parts.cue}"
