"""What is to be explained: from a finding, or a model, to its checkpoints on either side of the onset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from saltus.records.errors import ModelError, SaltusError, UsageError
from saltus.records.evidence import ModelRecord
from saltus.records.findings import Finding, Interval

if TYPE_CHECKING:
    from saltus.store import Store
    from saltus.tasks import Suite

_LEAST_ID = 4  # characters of a finding's id


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A model to take apart, and the checkpoints that tell how it came to be so.

    Attributes:
        model: The one that is taken apart: the last of its series.
        before: The last one before the onset; None when no onset is known or nothing lies before it.
        after: The first one past the onset, where that is another than `model`.
        series: All models in the order of the axis, `model` among them.
        axis: What orders them.
        finding: The recorded finding of this series and task, if there is one.
    """

    model: ModelRecord
    before: ModelRecord | None = None
    after: ModelRecord | None = None
    series: tuple[ModelRecord, ...]
    axis: str = "step"
    finding: Finding | None = None

    @property
    def onset(self) -> Interval | None:
        """Of the finding."""
        return None if self.finding is None else self.finding.onset

    def dated(self, finding: Finding | None) -> Subject:
        """The same with the checkpoints on either side of a finding's onset; unchanged without one."""
        if finding is None:
            return self
        places = {point.model: point.x for point in finding.points}
        series = tuple(one for one in self.series if one.id in places)
        found = _around(series, [places[one.id] for one in series], finding)
        return msgspec.structs.replace(found, model=self.model, series=self.series)

    def alone(self) -> Subject:
        """The same without the other checkpoints of the series."""
        near = {one.id for one in (self.before, self.model, self.after) if one is not None}
        kept = tuple(one for one in self.series if one.id in near)
        return msgspec.structs.replace(self, series=kept)


def find_subject(store: Store, target: str, task: str | None = None) -> tuple[Subject, str]:
    """Find what a name stands for.

    Args:
        store: Knows models by name and findings by id; may be empty.
        target: The first characters of a finding's id; a model or a checkpoint of the store, of the embedded
            family, in a directory, or hf:NAME@REVISION.
        task: The task; a finding brings its own.

    Returns:
        The subject and its task.

    Raises:
        UsageError: Nothing, or too much, is called so; or the task is not given and cannot be told.
        ModelError: The model is known and nobody knows where its files are.
    """
    finding = _finding(store, target)
    if finding is not None:
        if task is not None and task != finding.task:
            raise UsageError(
                f"finding {finding.id[:8]} is about {finding.task} and --task is {task}; leave --task out",
                field="task",
            )
        return _of_finding(store, finding), finding.task
    if task is None:
        raise UsageError(f"{target} is a model, so say which ability is meant with --task", field="task")
    return _of_model(store, target, task), task


def find_suite(store: Store, task: str, name: str | None) -> Suite:
    """The suite that a task belongs to.

    Args:
        store: Says which suites were run.
        task: The task.
        name: A suite or a file; looked for among the suites that were run and the installed ones when None.

    Raises:
        UsageError: There is none, or there are several.
    """
    from saltus.tasks.registry import get_suite, list_suites

    if name is not None:
        suite = get_suite(name)
        suite.only([task])
        return suite
    ran = [str(run["source"]) for run in store.runs().to_pylist() if run["kind"] == "run"]
    installed = list_suites()
    for names in ([one for one in installed if one in ran], installed):
        found = [suite for suite in map(get_suite, names) if any(one.name == task for one in suite.tasks)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(
                f"task {task} is in the suites {', '.join(suite.name for suite in found)}; say which with "
                "--suite",
                field="suite",
            )
    raise UsageError(
        f"no installed suite has a task {task!r}; name its file with --suite FILE, or see `saltus ls suites`",
        field="task",
    )


def _finding(store: Store, target: str) -> Finding | None:
    from saltus.store import load_findings

    if len(target) < _LEAST_ID or set(target) - set("0123456789abcdef"):
        return None
    found = [one for one in load_findings(store) if one.id.startswith(target)]
    if len(found) > 1:
        raise UsageError(f"{len(found)} findings begin with {target}; give more of the id", field="target")
    return found[0] if found else None


def _of_finding(store: Store, finding: Finding) -> Subject:
    known = {str(row["id"]): _record(row) for row in store.models().to_pylist()}
    places: dict[str, float] = {}
    for point in finding.points:
        places.setdefault(point.model, point.x)
    ids = [one for one in places if one in known]
    ids.sort(key=lambda one: (places[one], known[one].params or 0.0))
    if not ids:
        raise UsageError(
            f"the models of finding {finding.id[:8]} are not in the store; evaluate them with `saltus run`",
            field="target",
        )
    series = tuple(_located(known[one]) for one in ids)
    return _around(series, [places[one] for one in ids], finding)


def _of_model(store: Store, target: str, task: str) -> Subject:
    from saltus.store import load_findings

    found = _models(store, target)
    model = found[-1]
    series = tuple(one for one in _siblings(store, model) if (one.step or 0) <= (model.step or float("inf")))
    series = series if any(one.id == model.id for one in series) else (*series, model)
    if model.step is None or len(series) < 2:
        return Subject(model=model, series=(model,))
    own = {one.id for one in series}
    findings = [
        one
        for one in load_findings(store)
        if one.axis == "step" and one.task == task and {point.model for point in one.points} & own
    ]
    findings.sort(key=lambda one: one.onset is None)
    if not findings:
        return Subject(model=model, series=series)
    return _around(series, [one.step or 0.0 for one in series], findings[0])


def _around(series: tuple[ModelRecord, ...], places: Sequence[float], finding: Finding) -> Subject:
    onset = finding.onset
    before = after = None
    if onset is not None:
        earlier = [one for one, place in zip(series, places, strict=True) if place < onset.low]
        later = [one for one, place in zip(series, places, strict=True) if place > onset.high]
        before = earlier[-1] if earlier else None
        after = later[0] if later and later[0].id != series[-1].id else None
    return Subject(
        model=series[-1], before=before, after=after, series=series, axis=finding.axis, finding=finding
    )


def _models(store: Store, target: str) -> list[ModelRecord]:
    """The checkpoints that a name stands for, in order of their steps; at least one."""
    from saltus.family.catalog import catalog, locate

    records = [_record(row) for row in store.models().to_pylist()]
    found = [one for one in records if target in (one.id, one.name)]
    if found:
        return [_located(one) for one in _by_step(found)]
    if Path(target).expanduser().is_dir() or target.startswith("hf:"):
        from saltus.models.series import Series

        folder = Path(target).expanduser()
        inside = [one.parent for one in sorted(folder.glob("*/config.json"))]
        whole = target.startswith("hf:") or (folder / "config.json").is_file() or not inside
        return list(Series.from_dirs([target] if whole else inside, axis="step").models)
    own = [one for one in catalog() if target in (one.id, one.name)]
    if own:
        return _by_step(own)
    if target.startswith("tiro-"):
        locate(target)  # says which steps there are
    names = sorted({one.name for one in records})
    there = f"the store has {', '.join(names[:8])}" if names else "the store is empty"
    raise UsageError(
        f"no finding and no model is called {target!r}; {there}; give the id of a finding, a model of the "
        "store, a directory, or hf:NAME@REVISION",
        field="target",
    )


def _siblings(store: Store, model: ModelRecord) -> list[ModelRecord]:
    """All checkpoints of the same training run."""
    from saltus.family.catalog import catalog

    records = [_record(row) for row in store.models().to_pylist()]
    known = [one for one in records if one.name == model.name and one.seed == model.seed]
    if not known and Path(model.location).is_relative_to(Path(catalog()[0].location).parents[1]):
        known = [one for one in catalog() if one.name == model.name]
    if not known and model.step is not None:
        known = _beside(model)
    found = []
    for one in known:
        try:
            found.append(_located(one))
        except ModelError:  # imported scores of a checkpoint whose files are elsewhere; the others still tell
            continue
    return _by_step(found)


def _beside(model: ModelRecord) -> list[ModelRecord]:
    """Checkpoints in the directories beside a model's own."""
    from saltus.models.series import Series

    folder = Path(model.location).expanduser()
    if not folder.is_dir():
        return [model]
    near = [one for one in sorted(folder.absolute().parent.iterdir()) if (one / "config.json").is_file()]
    try:
        records = Series.from_dirs(near, axis="step").models
    except SaltusError:  # something else lies there too
        return [model]
    return [
        one
        for one in records
        if one.step is not None and (one.params, one.layers) == (model.params, model.layers)
    ]


def _located(model: ModelRecord) -> ModelRecord:
    """The record with a place where its weights are."""
    from saltus.family.catalog import locate

    if model.location.startswith("hf:") or (model.location and Path(model.location).expanduser().is_dir()):
        return model
    if model.family == "tiro":
        try:
            return msgspec.structs.replace(model, location=str(locate(model.id)))
        except UsageError:
            pass  # trained elsewhere; said below
    if model.location.startswith(("http://", "https://", "inspect/")):
        raise ModelError(
            f"{model.id} answers through a server, which shows nothing of its inside; give the directory of "
            "its weights",
            field="target",
        )
    raise ModelError(
        f"the weights of {model.id} are not at {model.location or 'any place the store knows'}; evaluate "
        "it from its directory with `saltus run`, or give the directory",
        field="target",
    )


def _record(row: dict[str, object]) -> ModelRecord:
    fields = {field.name for field in msgspec.structs.fields(ModelRecord)}
    return msgspec.convert({k: v for k, v in row.items() if k in fields and v is not None}, ModelRecord)


def _by_step(records: Sequence[ModelRecord]) -> list[ModelRecord]:
    return sorted(records, key=lambda one: one.step if one.step is not None else float("inf"))
