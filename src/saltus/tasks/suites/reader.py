"""From a suite file to a `Suite`: parsed, each task's source found, its templates compiled, all checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from saltus.records.errors import InputError, UsageError
from saltus.records.evidence import Sample
from saltus.tasks.metrics import RATIOS, all_metrics, get_metric, ingredients, metrics_for
from saltus.tasks.suites.columns import Columns, template_faults
from saltus.tasks.suites.few_shot import Shots
from saltus.tasks.suites.items import SampleMaker
from saltus.tasks.suites.kinds import PRESETS, Preset, default_metrics, kind_of
from saltus.tasks.suites.marked import Document, read_document
from saltus.tasks.suites.parse import name_of, parse_suite, steps
from saltus.tasks.suites.problems import Fault, Report, did_you_mean, stop_at_first
from saltus.tasks.suites.reading import ItemReader, check_items, first_row, place
from saltus.tasks.suites.schema import EXTRA_KEYS, FewShot, Items, TaskEntry, TaskSettings
from saltus.tasks.suites.sources import Part, digest_of, item_format, open_source
from saltus.tasks.task import Suite, Task

Made = tuple[Task, ItemReader]
# Settings that shape the items; each stands in the task's version where it says something.
_SHAPING = (
    *("system", "turns", "target", "choices", "answer", "columns", "id", "slices", "shuffle", "limit"),
    *("tools", "schema", "documents"),
)


def read_suite(path: str | Path, *, check: bool = True) -> Suite:
    """Read a suite from a YAML or TOML file of tasks, or from one file of items as its only task.

    Args:
        path: The file; names in it start from its own folder.
        check: Read all items once and check them; else a fault in one shows when it is asked.

    Raises:
        InputError: The file, or an item, is not as it should be; with the line.
    """
    head, made = make_tasks(Path(path), stop_at_first)
    tasks = [check_items(task, reader, stop_at_first) if check else task for task, reader in made]
    return Suite(head.name, tuple(tasks), head.description)


def make_tasks(path: Path, report: Report) -> tuple[Suite, list[Made]]:
    """The tasks of a file with the readers of their items; the suite comes without them.

    Args:
        path: A suite file, or a file of items.
        report: Told of every fault of the suite; those of items are left to `check_items`.
    """
    if item_format(path):
        name = path.name
        while item_format(name) or name.endswith((".gz", ".zst")):
            name = Path(name).stem
        document: Document = ItemsOnly(str(path))
        entry = TaskEntry(name=name, items=path.name)
        one = make_task(entry.name, entry, entry.items, document, (), report)
        return Suite(name, ()), [one] if one else []
    try:
        document = read_document(path)
    except InputError as error:
        report(error)
        return Suite(path.stem, ()), []
    file = parse_suite(document, report)
    if file is None:
        return Suite(path.stem, ()), []
    made = []
    for number, entry in file.tasks:
        one = make_task(entry.name, entry, entry.items, document, ("tasks", number), report)
        if one is not None:
            made.append(one)
    return Suite(file.name or path.stem, (), file.description), made


class ItemsOnly:
    """A document for what has no suite file around it.

    Args:
        path: What stands for the file.
        at: The line that errors name.
    """

    value: Any = None

    def __init__(self, path: str, at: int | None = None) -> None:
        self.path, self._at = path, at

    def line(self, where: Sequence[str | int]) -> int | None:
        """Always the same one."""
        return self._at


def make_task(
    name: str,
    settings: TaskSettings,
    items: Items | Part,
    document: Document,
    where: Sequence[str | int],
    report: Report,
) -> Made | None:
    """One task and the reader of its items.

    Args:
        name: Of the task.
        settings: How it is asked.
        items: Where its items come from: as a suite names them, or a source that is open.
        document: The file it stands in.
        where: The task's place in that file.
        report: Told of every fault.
    """

    def tell(fault: Fault) -> None:
        field = f"{name_of(where)}.{fault.field}" if where else fault.field
        report(
            Fault(fault.sentence, field).at(document.path, document.line((*where, *steps(f".{fault.field}"))))
        )

    wrong = [*template_faults(settings), *_metric_faults(settings)]
    for fault in wrong:
        tell(fault)
    if any(not fault.field.startswith("metrics") for fault in wrong):
        return None
    try:
        made = _assembled(name, settings, items, document, where, report)
        if made is not None and not wrong:
            metrics_for(made[0])
    except Fault as fault:
        tell(fault)
        return None
    except UsageError as error:
        tell(Fault(error.message, "metrics"))
    except InputError as error:
        report(error)
        return None
    return made


def _assembled(
    name: str,
    settings: TaskSettings,
    items: Items | Part,
    document: Document,
    where: Sequence[str | int],
    report: Report,
) -> Made | None:
    columns = Columns(settings)
    split, config = (getattr(settings, key, "") for key in ("split", "config"))
    parts = (
        open_source(items, document, (*where, "items"), split=split, config=config)
        if isinstance(items, str | list)
        else (items,)
    )
    first = _first_item(parts, columns, report)
    if first is None:
        return None
    preset = PRESETS[settings.kind or kind_of(first)]
    maker = SampleMaker(name, preset, settings, columns)
    shots, pool = _shots(settings, maker, parts, document, where)
    task = _task(name, settings, preset, first, digest_of(parts), pool)
    maker.version = task.version
    reader = ItemReader(parts, settings, preset, maker, shots)
    return msgspec.structs.replace(task, items=reader), reader


def _metric_faults(settings: TaskSettings) -> Iterator[Fault]:
    for number, metric in enumerate(settings.metrics):
        try:
            for part in ingredients(metric):
                get_metric(part)
        except UsageError:
            known = [*all_metrics(), *RATIOS]
            yield Fault(
                f"no metric is called {metric!r}; {did_you_mean(metric, known)}", f"metrics[{number}]"
            )


def _first_item(parts: tuple[Part, ...], columns: Columns, report: Report) -> Mapping[str, Any] | None:
    """What the first item has, by key; None when there is none, or it is none."""
    found = first_row(parts)
    if found is None:
        report(Fault("there are no items here; write one at least", "items").at(parts[0].path, None))
        return None
    part, number, row = found
    if isinstance(row, Sample):
        return {"target": row.target, "choices": row.choices, **row.extra}
    try:
        item, context = columns.read(row, part)
    except Fault as fault:
        report(place(fault, part, number))
        return None
    given = {key: value for key, value in (context or {}).items() if key in EXTRA_KEYS}
    own = {key: value for key in item.__struct_fields__ if (value := getattr(item, key)) is not None}
    return given | own | dict(item.extra)


def _shots(
    settings: TaskSettings,
    maker: SampleMaker,
    parts: tuple[Part, ...],
    document: Document,
    where: Sequence[str | int],
) -> tuple[Shots | None, str]:
    """The solved examples of a task, and the hash of where they come from."""
    asked = settings.few_shot
    if isinstance(asked, int):
        asked = FewShot(k=asked)
    if asked is None or asked.k == 0:
        return None, ""
    if settings.kind == "perplexity":
        raise Fault(
            "few_shot has no meaning for perplexity, which scores a text of its own; remove it", "few_shot"
        )
    own = asked.items is None
    config = getattr(settings, "config", "") if asked.split else ""
    pool = (
        parts
        if asked.items is None
        else open_source(
            asked.items, document, (*where, "few_shot", "items"), split=asked.split, config=config
        )
    )
    seed = settings.seed if asked.seed is None else asked.seed
    shots = Shots(maker, pool, asked.k, seed=seed, separator=asked.separator, own=own)
    recipe = [asked.k, seed, asked.separator, "" if own else digest_of(pool)]
    return shots, msgspec.json.encode(recipe).decode()


def _task(
    name: str, settings: TaskSettings, preset: Preset, first: Mapping[str, Any], digest: str, pool: str
) -> Task:
    config: dict[str, str | int | float] = {
        "items": digest,
        "prompt": settings.prompt or preset.prompt,
        "delimiter": settings.delimiter,
    }
    for key in _SHAPING:
        value = getattr(settings, key)
        if value not in (None, False, [], {}):
            config[key] = msgspec.json.encode(value).decode()
    if settings.shuffle:
        config["seed"] = settings.seed
    if pool:
        config["few_shot"] = pool
    stop = settings.stop if settings.stop is not None else preset.stop
    generated = preset.asks == "generation"
    return Task(
        name=name,
        kind=preset.asks,
        items=tuple,
        metrics=tuple(settings.metrics) or default_metrics(preset, first),
        chance=settings.chance,
        description=settings.description,
        max_tokens=settings.max_tokens or preset.max_tokens,
        stop=((stop,) if isinstance(stop, str) else tuple(stop)) if generated else (),
        temperature=settings.temperature,
        top_p=settings.top_p,
        epochs=settings.epochs,
        cluster=settings.cluster,
        config=config,
    )
