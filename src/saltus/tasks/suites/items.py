"""From one item to one sample: the prompt, the right answer, and the extras."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from saltus.records.evidence import Sample
from saltus.tasks.suites.columns import OF_TASK, Columns
from saltus.tasks.suites.kinds import Preset
from saltus.tasks.suites.marks import counterfactuals, marked_sources
from saltus.tasks.suites.problems import Fault, shown
from saltus.tasks.suites.schema import EXTRA_KEYS, ITEM_KEYS, Item, TaskSettings
from saltus.tasks.suites.sources import Part
from saltus.tasks.suites.templates import compile_template

_EXTRAS = attrgetter(*EXTRA_KEYS)
_NO_EXTRAS = (None,) * len(EXTRA_KEYS)


class Right(NamedTuple):
    """The answer of an item."""

    target: str
    choices: tuple[str, ...] = ()
    answer: int = -1


class SampleMaker:
    """Makes the samples of one task.

    Args:
        name: Of the task.
        preset: Its kind.
        settings: Its templates and delimiter.
        columns: Reads the rows.

    Raises:
        Fault: The prompt is no template, or says nothing about the item.
    """

    def __init__(self, name: str, preset: Preset, settings: TaskSettings, columns: Columns) -> None:
        self.version = ""  # of the task, known once the items have been hashed
        self._name, self._preset, self._settings, self._columns = name, preset, settings, columns
        self._prompt = compile_template(settings.prompt or preset.prompt, "prompt")
        if not self._prompt.columns:
            raise Fault(
                f"the prompt of task {name!r} does not contain {{input}}, the place of the item's input, nor "
                "any column such as {{ question }}; add one",
                "prompt",
            )
        self._direct = self._prompt.text == "{input}"

    def sample(self, index: int, row: Any, part: Part, shots: str = "") -> Sample:
        """The sample of one row.

        Args:
            index: Place of the row in its source, from 0.
            row: As the part gives it.
            part: Where it stands.
            shots: Put before the prompt.

        Raises:
            Fault: The row is no item of this kind.
        """
        item, context = self._columns.read(row, part)
        asks = self._preset.asks
        extra = _extra(item)
        if context is not None:
            extra = {**{key: context[key] for key in OF_TASK if context.get(key) is not None}, **extra}
        if asks == "perplexity":
            prompt, right = "", Right(self._text(item, context))
        else:
            question, right = self._ask(item, context), self._right(item)
            prompt = shots + question
            if item.sources is not None:
                extra["sources"] = marked_sources(item.sources, question, len(shots))
            if item.counterfactuals is not None:
                extra["counterfactuals"] = self._counterfactuals(item, context, shots, prompt, right)
        chance = item.chance if item.chance is not None else self._settings.chance
        if chance is None and right.choices:
            chance = 1 / len(right.choices)
        return Sample(
            task=self._name,
            task_version=self.version,
            id=str(item.id) if item.id is not None else f"{self._name}-{index:05d}",
            input=prompt,
            target=right.target,
            choices=right.choices,
            answer=right.answer,
            chance=chance,
            slices={key: str(value) for key, value in item.slices.items()} if item.slices else {},
            extra=extra,
        )

    def stamped(self, sample: Sample) -> Sample:
        """A sample that came finished, as one of this task."""
        if sample.task == self._name and sample.task_version == self.version:
            return sample
        return msgspec.structs.replace(sample, task=self._name, task_version=self.version)

    def _ask(self, item: Item, context: Mapping[str, Any] | None) -> str:
        if self._direct:
            if item.input is None:
                raise Fault("input is missing; write what is asked", "input")
            return str(item.input)
        if context is None:
            context = {key: value for key in ITEM_KEYS if (value := getattr(item, key)) is not None}
        return self._prompt.render(context)

    def _counterfactuals(
        self, item: Item, context: Mapping[str, Any] | None, shots: str, prompt: str, right: Right
    ) -> dict[str, dict[str, str]]:
        def ask(changes: Mapping[str, Any]) -> str:
            other = msgspec.structs.replace(item, input=changes.get("input", item.input))
            return shots + self._ask(other, None if context is None else {**context, **changes})

        given = item.counterfactuals or {}
        return counterfactuals(given, prompt, right.target, self._settings.delimiter, ask)

    def _text(self, item: Item, context: Mapping[str, Any] | None) -> str:
        text = item.target if item.target is not None else item.input
        if text is None or text == "":
            raise Fault(
                "the text is missing or empty; a perplexity item has it as target or as input", "target"
            )
        return str(text) if item.target is not None else self._ask(item, context)

    def _right(self, item: Item) -> Right:
        delimiter = self._settings.delimiter
        if self._preset.asks != "multiple_choice":
            if item.choices or item.answer is not None:
                raise Fault(
                    f"choices and answer belong to multiple-choice items, and this task is "
                    f"{self._preset.asks}; remove them, or say kind: multiple_choice",
                    "choices",
                )
            return Right(delimiter + str(item.target) if item.target not in (None, "") else "")
        choices = tuple(map(str, item.choices))
        if len(choices) < 2:
            raise Fault(
                f"a multiple-choice item needs two choices or more, this one has {len(choices)}; mend it",
                "choices",
            )
        answer = _index(item, choices)
        if choices.count(choices[answer]) > 1:
            raise Fault(f"the right choice {choices[answer]!r} stands twice; mend this item", "choices")
        if delimiter:
            choices = tuple(delimiter + choice for choice in choices)
        return Right(choices[answer], choices, answer)


def _index(item: Item, choices: tuple[str, ...]) -> int:
    """Which choice is right: an index from 0, a letter from A, or the choice's own text."""
    answer, last = item.answer, len(choices) - 1
    target = None if item.target is None else str(item.target)
    if answer is None and target is not None:
        answer = target
    readings: set[int] = set()
    if isinstance(answer, int):
        readings.add(answer)
    elif answer is not None:
        text = answer.strip()
        readings |= {i for i, choice in enumerate(choices) if answer == choice}
        position = -1
        if item.answer is not None and text.isdecimal() and len(text) < 4:
            position = int(text)
        elif item.answer is not None and len(text) == 1 and text.isascii() and text.isupper():
            position = ord(text) - ord("A")
        if 0 <= position <= last:
            readings.add(position)
    if len(readings) > 1:
        raise Fault(
            f"answer is {answer!r}, which could mean the choices {' or '.join(map(str, sorted(readings)))} "
            "counted from 0; give the index as a number",
            "answer",
        )
    found = next(iter(readings), None)
    if found is None or not 0 <= found <= last:
        raise Fault(
            f"answer is {shown(answer)}, it must be the right choice's "
            f"index, 0 to {last}, its letter or its text; mend this item",
            "answer",
        )
    if target is not None and target != choices[found]:
        raise Fault(
            f"target is {target!r} but choice {found} is {choices[found]!r}; mend this item", "target"
        )
    return found


def _extra(item: Item) -> dict[str, Any]:
    values = _EXTRAS(item)
    if values == _NO_EXTRAS:
        return dict(item.extra)
    return {
        **item.extra,
        **{key: value for key, value in zip(EXTRA_KEYS, values, strict=True) if value is not None},
    }
