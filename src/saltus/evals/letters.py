"""Multiple choice for models that give no log-probabilities: the choices get letters, the model names one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

import msgspec

from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics import Metric

LETTERED = ("choice_correct", "acc")
_FIRST = re.compile(r"\(?([A-Z])(?:[).:]|\s*$)")
_STATED = re.compile(r"\b(?:answer|choice|option)(?: is|:)?\s*\(?([A-Z])\b")


def letter_prompt(sample: Sample) -> str:
    """The question with lettered choices and what to answer.

    Examples:
        >>> sample = Sample(task="t", task_version="1", id="s", input="2 + 2 =", target=" 4",
        ...     choices=(" 4", " 5"), answer=0)
        >>> print(letter_prompt(sample))
        2 + 2 =
        <BLANKLINE>
        A) 4
        B) 5
        <BLANKLINE>
        Answer with the letter of the right choice only.
    """
    lines = [
        f"{letter}) {choice.strip()}" for letter, choice in zip(ascii_uppercase, sample.choices, strict=False)
    ]
    return "\n".join(
        [sample.input.rstrip(), "", *lines, "", "Answer with the letter of the right choice only."]
    )


def named_choice(sample: Sample, output: str) -> int:
    """Index of the choice that an answer names, by its letter or in its own words; -1 when it names none.

    Examples:
        >>> sample = Sample(task="t", task_version="1", id="s", input="", target="4", choices=("4", "5"))
        >>> [named_choice(sample, said) for said in ("B", "The answer is (A).", "5", "I think so")]
        [1, 0, 1, -1]
    """
    text = output.strip()
    letters = ascii_uppercase[: len(sample.choices)]
    for found in (_FIRST.match(text), *_STATED.finditer(text)):
        if found is not None and found[1] in letters:
            return letters.index(found[1])
    words = [choice.strip().rstrip(".").lower() for choice in sample.choices]
    said = text.rstrip(".").lower()
    return words.index(said) if words.count(said) == 1 else -1


def by_letter(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Of these metrics, those that a named letter can be scored by."""
    return tuple(
        msgspec.structs.replace(metric, needs=("output",), compute=_choice_correct)
        for metric in metrics
        if metric.name in LETTERED
    )


def _choice_correct(sample: Sample, response: Response) -> float:
    return float(named_choice(sample, response.output) == sample.answer)
