"""A user's own tasks: a TOML file names the tasks, a JSONL file beside it holds the items of each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from saltus.records.errors import InputError
from saltus.records.evidence import Sample
from saltus.records.ids import bytes_hash
from saltus.tasks.metrics import metrics_for
from saltus.tasks.task import Kind, Suite, Task

DEFAULT_METRICS: dict[Kind, tuple[str, ...]] = {
    "generation": ("exact_match", "target_logprob", "token_accuracy", "token_edit_distance"),
    "multiple_choice": ("choice_correct", "choice_grade", "brier", "target_logprob"),
    "loglikelihood": ("greedy_match", "target_logprob", "token_accuracy"),
    "perplexity": ("target_logprob",),
}
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Item(msgspec.Struct, forbid_unknown_fields=True):
    input: str
    id: str | int | None = None
    target: str | None = None
    choices: tuple[str, ...] = ()
    answer: int | None = None
    chance: Share | None = None
    slices: Mapping[str, str] = {}


class _TaskEntry(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    items: str
    kind: Literal["generation", "multiple_choice", "loglikelihood"] | None = None
    metrics: tuple[str, ...] = ()
    chance: Share | None = None
    description: str = ""
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] = 64
    stop: tuple[str, ...] = ("\n",)
    prompt: str = "{input}"
    delimiter: str = ""


class _SuiteFile(msgspec.Struct, forbid_unknown_fields=True):
    tasks: Annotated[tuple[_TaskEntry, ...], msgspec.Meta(min_length=1)]
    name: str = ""
    description: str = ""


def read_suite(path: Path) -> Suite:
    """Read a suite from a TOML file of tasks, or from one JSONL file of items as its only task.

    Args:
        path: Its items are read and checked at once; paths in it start from its own folder.

    Raises:
        InputError: The file, or an item in it, is not as it should be; with the line.
    """
    if path.suffix.lower() == ".jsonl":
        entry = _TaskEntry(name=path.stem, items=path.name)
        return Suite(path.stem, (_task(entry, path.parent, path),))
    try:
        raw = tomllib.loads(_read(path).decode())
        file = msgspec.convert(raw, _SuiteFile)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InputError(
            f"this is no suite ({_reason(error)}); see docs/run.md for an example", path=str(path)
        ) from error
    names = [entry.name for entry in file.tasks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"two tasks are called {twice!r}; give each its own name", path=str(path), field="name"
        )
    tasks = tuple(_task(entry, path.parent, path) for entry in file.tasks)
    return Suite(file.name or path.stem, tasks, file.description)


def _task(entry: _TaskEntry, folder: Path, suite: Path) -> Task:
    file = folder / entry.items
    content = _read(file)
    items = _items(content, file)
    kind = entry.kind or ("multiple_choice" if items[0][1].choices else "generation")
    if "{input}" not in entry.prompt:
        raise InputError(
            f"the prompt of task {entry.name!r} does not contain {{input}}, the place of the item's input",
            path=str(suite),
            field="prompt",
        )
    task = Task(
        name=entry.name,
        kind=kind,
        items=tuple,
        metrics=entry.metrics or DEFAULT_METRICS[kind],
        chance=entry.chance,
        description=entry.description,
        max_tokens=entry.max_tokens,
        stop=entry.stop if kind == "generation" else (),
        config={"items": bytes_hash(content), "prompt": entry.prompt, "delimiter": entry.delimiter},
    )
    metrics_for(task)
    samples = _samples(task, entry, items, file)
    chances = [sample.chance for sample in samples if sample.chance is not None]
    mean = sum(chances) / len(chances) if len(chances) == len(samples) else None
    return msgspec.structs.replace(task, items=partial(tuple, samples), chance=mean)


def _items(content: bytes, file: Path) -> list[tuple[int, _Item]]:
    decoder = msgspec.json.Decoder(_Item)
    items = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            items.append((number, decoder.decode(line)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(
                f"this is no item ({_reason(error)}); an item is a JSON object with input and target, "
                "or with input, choices and answer",
                path=str(file),
                line=number,
            ) from error
    if not items:
        raise InputError("there are no items here; write one JSON object a line", path=str(file))
    return items


def _samples(
    task: Task, entry: _TaskEntry, items: Sequence[tuple[int, _Item]], file: Path
) -> tuple[Sample, ...]:
    samples: dict[str, Sample] = {}
    for number, item in items:
        wrong = _what_is_wrong(task.kind, item)
        name = str(item.id) if item.id is not None else f"{task.name}-{len(samples):05d}"
        if name in samples:
            wrong = f"the id {name!r} stands twice"
        if wrong:
            raise InputError(f"{wrong}; mend this item", path=str(file), line=number)
        choices = tuple(entry.delimiter + choice for choice in item.choices)
        answer = item.answer if item.answer is not None else -1
        samples[name] = Sample(
            task=task.name,
            task_version=task.version,
            id=name,
            input=entry.prompt.replace("{input}", item.input),
            target=choices[answer] if choices else entry.delimiter + (item.target or ""),
            choices=choices,
            answer=answer,
            chance=_first(item.chance, entry.chance, 1 / len(choices) if choices else None),
            slices=item.slices,
        )
    return tuple(samples.values())


def _what_is_wrong(kind: Kind, item: _Item) -> str:
    if kind == "multiple_choice":
        if len(item.choices) < 2:
            return f"a multiple-choice item needs two choices or more, this one has {len(item.choices)}"
        if item.answer is None or not 0 <= item.answer < len(item.choices):
            return (
                f"answer is {item.answer}, it must be the right choice's index, 0 to {len(item.choices) - 1}"
            )
        if item.target is not None and item.target != item.choices[item.answer]:
            return f"target is {item.target!r} but choice {item.answer} is {item.choices[item.answer]!r}"
        return ""
    if item.choices or item.answer is not None:
        return f"choices and answer belong to multiple-choice items, and this task is {kind}"
    return "" if item.target else "target is missing or empty"


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"this file cannot be read ({error.strerror}); check the path", path=str(path)
        ) from error


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
