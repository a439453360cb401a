"""The items of one task, read from its source each time they are asked for, and the check of them all."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import msgspec

from saltus.records.errors import InputError, SaltusError
from saltus.records.evidence import Sample
from saltus.tasks.suites.checks import check_sample
from saltus.tasks.suites.columns import Columns
from saltus.tasks.suites.few_shot import Shots
from saltus.tasks.suites.items import SampleMaker
from saltus.tasks.suites.kinds import Preset
from saltus.tasks.suites.order import in_order
from saltus.tasks.suites.problems import Fault, Report, stop_at_first
from saltus.tasks.suites.schema import TaskSettings
from saltus.tasks.suites.sources import Part
from saltus.tasks.task import Task

Watch = Callable[[Sample], None]


class ItemReader(msgspec.Struct, frozen=True):
    """Reads the samples of a task. Calling it gives them, one by one, as `Task.items` has to.

    Attributes:
        parts: The source.
        settings: Of the task.
        preset: Its kind.
        maker: Makes samples of rows.
        shots: Stand before each, if any.
    """

    parts: tuple[Part, ...]
    settings: TaskSettings
    preset: Preset
    maker: SampleMaker
    shots: Shots | None = None

    def __call__(self) -> Iterator[Sample]:
        """Each sample; the first fault is raised."""
        return (sample for _, _, sample in self.placed(stop_at_first))

    def placed(self, report: Report) -> Iterator[tuple[Part, int, Sample]]:
        """Each sample with where it stands; rows that are no items are reported and left out."""
        make, shots, settings = self.maker.sample, self.shots, self.settings
        ordered = in_order(self.parts, shuffle=settings.shuffle, seed=settings.seed, limit=settings.limit)
        for part, number, index, row in ordered:
            if not part.encoded and isinstance(row, Sample):
                yield part, number, self.maker.stamped(row)
                continue
            try:
                before = shots.before(index) if shots is not None else ""
                sample = make(index, row, part, before)
            except Fault as fault:
                report(place(fault, part, number))
                continue
            yield part, number, sample


def place(fault: Fault, part: Part, number: int) -> InputError:
    """The error of an item, with its line, or with its row where the file has no lines."""
    if part.unit == "line":
        return fault.at(part.path, number)
    return Fault(f"{part.unit} {number}: {fault.sentence}", fault.field).at(part.path, None)


def check_items(task: Task, reader: ItemReader, report: Report, watch: Watch | None = None) -> Task:
    """Read all items once and check them; none is held, only a hash of each id.

    Args:
        task: The task.
        reader: Of its items.
        report: Told of every fault.
        watch: Shown every sample.

    Returns:
        The task with the mean chance of its items, where all have one.
    """
    ids, pairs = array("q"), array("q")
    chance, known, found = 0.0, 0, 0

    def tell(error: SaltusError) -> None:
        nonlocal found
        found += 1
        report(error)

    for part, number, sample in reader.placed(tell):
        for fault in check_sample(sample, reader.preset):
            tell(place(fault, part, number))
        ids.append(hash(sample.id))
        if sample.chance is not None:
            chance += sample.chance
            known += 1
        if "pair" in sample.extra:
            pairs.append(hash(str(sample.extra["pair"])))
        if watch is not None:
            watch(sample)
    if not ids and not found:
        report(Fault("there are no items here; write one at least").at(reader.parts[0].path, None))
    _check_ids(reader, report, ids, pairs)
    return msgspec.structs.replace(task, chance=chance / known if known and known == len(ids) else None)


def check_finished(task: Task, report: Report, path: str, watch: Watch | None = None) -> None:
    """Check the items of a task that came finished, from a package or from another harness's file."""
    part = _Finished(path, task)
    settings = TaskSettings()
    preset = Preset(name=task.kind, asks=task.kind, metrics=task.metrics)
    maker = SampleMaker(task.name, preset, settings, Columns(settings))
    maker.version = task.version
    check_items(task, ItemReader((part,), settings, preset, maker), report, watch)


def _check_ids(reader: ItemReader, report: Report, ids: array[int], pairs: array[int]) -> None:
    """Name the ids that stand twice and the pairs that are not there, in a second pass if there are any."""
    import numpy as np

    hashes = np.frombuffer(ids, dtype=np.int64) if ids else np.empty(0, np.int64)
    unique, counts = np.unique(hashes, return_counts=True)
    twice = frozenset(unique[counts > 1].tolist())
    lost = (
        frozenset(np.setdiff1d(np.frombuffer(pairs, dtype=np.int64), unique).tolist())
        if pairs
        else frozenset()
    )
    if not twice and not lost:
        return
    first: dict[str, tuple[Part, int]] = {}
    for part, number, sample in reader.placed(lambda error: None):
        at = partial(place, part=part, number=number)
        if hash(sample.id) in twice:
            if sample.id in first:
                before, there = first[sample.id]
                where = f"{before.unit} {there}" + ("" if before is part else f" of {before.path}")
                report(
                    at(Fault(f"the id {sample.id!r} stands twice, first in {where}; mend this item", "id"))
                )
            first.setdefault(sample.id, (part, number))
        pair = sample.extra.get("pair")
        if pair is not None and hash(str(pair)) in lost:
            report(at(Fault(f"pair is {pair!r}, which is the id of no item of this task; mend it", "pair")))


class _Finished:
    """The samples of a finished task, as a source."""

    unit = "item"
    encoded = lax = foreign = False

    def __init__(self, path: str, task: Task) -> None:
        self.path, self._task = path, task

    def rows(self) -> Iterator[tuple[int, Sample]]:
        return enumerate(self._task.items(), 1)

    def digest(self) -> str:
        return self._task.version


def first_row(parts: Sequence[Part]) -> tuple[Part, int, object] | None:
    """The first row of a source; None when it has none."""
    for part, number, _, row in in_order(parts, limit=1):
        return part, number, row
    return None
