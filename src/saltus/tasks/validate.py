"""Checks a suite and describes it: every fault with its line, counts, chance, lengths, the first prompt."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from saltus.records.errors import InputError, SaltusError
from saltus.records.evidence import Sample
from saltus.tasks.registry import find_suite
from saltus.tasks.suites.problems import Collected, Fault
from saltus.tasks.suites.reading import ItemReader, check_finished, check_items
from saltus.tasks.task import Task


class Lengths(msgspec.Struct, frozen=True):
    """How long prompts are, in characters."""

    min: int
    median: int
    p90: int
    max: int


class TaskReport(msgspec.Struct, frozen=True, kw_only=True):
    """One task of a suite that was checked.

    Attributes:
        name: Of the task.
        kind: How the model is asked.
        version: Content hash.
        items: How many there are, without those that are none.
        chance: Score of guessing, None when unknown.
        metrics: The headline first.
        characters: Lengths of the prompts; None when there are no items.
        first: The first prompt as a model would see it, conversation, choices and target included.
    """

    name: str
    kind: str
    version: str
    items: int
    chance: float | None
    metrics: tuple[str, ...]
    characters: Lengths | None
    first: str


class SuiteReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `saltus validate` found.

    Attributes:
        path: The file, or the name that was asked for.
        suite: The suite's name.
        description: One sentence.
        valid: Whether there was no fault.
        tasks: Those that could be read.
        problems: Faults as errors give them: kind, message, path, line, field.
        left_out: Faults beyond the first thousand.
    """

    path: str
    suite: str
    description: str
    valid: bool
    tasks: tuple[TaskReport, ...]
    problems: tuple[dict[str, Any], ...]
    left_out: int = 0


def check_suite(name: str, arguments: Mapping[str, Any] | None = None) -> SuiteReport:
    """Check everything about a suite; its faults are in what is returned, none is raised.

    Args:
        name: As `get_suite` takes it, one name.
        arguments: For suites that are made by a function.
    """
    found = Collected()
    tasks: list[TaskReport] = []
    suite = description = ""
    path = name
    try:
        there = find_suite(name, arguments or {}, found)
        suite, description, path = there.name, there.description, there.path
        for task, reader in there.tasks:
            tasks.append(_checked(task, reader, path, found))
    except SaltusError as error:
        found(error)
    return SuiteReport(
        path=path,
        suite=suite,
        description=description,
        valid=not found.count,
        tasks=tuple(tasks),
        problems=tuple(error.as_dict() for error in sorted(found.errors, key=partial(_place, path))),
        left_out=found.count - len(found.errors),
    )


def _place(path: str, error: SaltusError) -> tuple[bool, str, int]:
    """The suite's own faults first, then those of its items, each file from the top."""
    return error.path != path, error.path or "", error.line or 0


def _checked(task: Task, reader: ItemReader | None, path: str, report: Collected) -> TaskReport:
    lengths = array("q")
    first: list[str] = []

    def watch(sample: Sample) -> None:
        lengths.append(len(sample.input or sample.target))
        if not first:
            first.append(render(sample))

    try:
        if reader is None:
            check_finished(task, report, path, watch)
        else:
            task = check_items(task, reader, report, watch)
            _check_steady(task, reader, report)
    except InputError as error:
        report(error)
    return TaskReport(
        name=task.name,
        kind=task.kind,
        version=task.version,
        items=len(lengths),
        chance=task.chance,
        metrics=task.metrics,
        characters=_lengths(lengths),
        first=first[0] if first else "",
    )


def render(sample: Sample) -> str:
    """A sample for people: what a model would see, and the right answer behind an arrow."""
    extra = sample.extra
    lines = [f"[system] {extra['system']}"] if extra.get("system") else []
    if extra.get("tools"):
        names = [
            str(tool.get("function", {}).get("name")) for tool in extra["tools"] if isinstance(tool, Mapping)
        ]
        lines.append(f"[tools] {', '.join(names)}")
    lines.append(sample.input)
    lines.extend(f"[then] {turn}" for turn in extra.get("turns", ()))
    if sample.choices:
        marks = ("→" if i == sample.answer else " " for i in range(len(sample.choices)))
        lines.extend(f"{mark} {choice!r}" for mark, choice in zip(marks, sample.choices, strict=True))
    elif sample.target:
        lines.append(f"→ {sample.target!r}")
    return "\n".join(line for line in lines if line)


def _check_steady(task: Task, reader: ItemReader, report: Collected) -> None:
    """Items that a function yields must be the same each time."""
    if any(part.unit == "item" and part.digest() != task.config["items"] for part in reader.parts):
        report(
            Fault(f"task {task.name} gives other items each time it is called; draw them with a seed").at(
                reader.parts[0].path, None
            )
        )


def _lengths(lengths: array[int]) -> Lengths | None:
    if not lengths:
        return None
    ordered = sorted(lengths)
    middle, most = (ordered[round(share * (len(ordered) - 1))] for share in (0.5, 0.9))
    return Lengths(min=ordered[0], median=middle, p90=most, max=ordered[-1])
