"""`evaluate`: asks every model every task, scores the answers and writes the evidence, model by model.

The id of a run is a hash of what is measured, and what is written is named after it. So the same command goes
on where an interrupted one stopped, and a second one finds everything done.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from saltus._version import __version__
from saltus.evals.asking import Asker
from saltus.evals.unit import Measured, Plan, measure
from saltus.models import load_model
from saltus.models.protocol import Model
from saltus.records.errors import MissingExtraError, SaltusError, UsageError
from saltus.records.evidence import ModelRecord, RunRecord
from saltus.records.ids import content_hash
from saltus.tasks import Suite, Task, get_suite
from saltus.tasks.metrics import metrics_for

if TYPE_CHECKING:
    from saltus.models.series import Series
    from saltus.store import Store

_PROBLEMS_NAMED = 20
_FLUSH_SCORES = 65_536  # few and large parts; what a kill loses is in the response cache and asked of nobody


class ProgressEvent(msgspec.Struct, frozen=True):
    """Where an evaluation stands.

    Attributes:
        model: Id of the model that is being asked.
        task: Name of the task.
        done: Samples that are done, over all models and tasks.
        total: Samples in all.
        requests: Requests sent to models until now.
    """

    model: str
    task: str
    done: int
    total: int
    requests: int


class RunSummary(msgspec.Struct, frozen=True):
    """What an evaluation did.

    Attributes:
        run: Id of the run, a content hash of suite, series, models and versions.
        samples: Samples with scores, those of an earlier start of the same run included.
        failed: Samples without scores.
        cached: Requests that were not sent because their answer was known.
        requests: Requests sent to models.
        seconds: Wall-clock time.
        problems: One sentence for each different thing that went wrong.
    """

    run: str
    samples: int
    failed: int
    cached: int
    requests: int
    seconds: float
    problems: tuple[str, ...] = ()


def evaluate(
    series: Series | Sequence[ModelRecord | Model],
    tasks: Suite | str | Sequence[str | Task],
    *,
    store: Store,
    metrics: Sequence[str] | None = None,
    limit: int | None = None,
    progress: Callable[[ProgressEvent], None] | None = None,
    refresh: bool = False,
    load: Callable[[ModelRecord], Model] = load_model,
) -> RunSummary:
    """Measure models on tasks.

    A model that cannot be loaded, or a sample that fails, never costs the others: it is counted and named,
    and asked again by the next call.

    Args:
        series: Models in order, or their records.
        tasks: A suite, its name or file, or single tasks and names of suites.
        store: Where the evidence goes; its response cache is asked before a model is.
        metrics: Only these, each for the tasks whose kind it fits; the tasks' own when None.
        limit: At most so many samples of each task, the first ones.
        progress: Called after each step.
        refresh: Ask the models again, known or not, as a run of its own.
        load: Makes a model from a record.

    Returns:
        Counts, and the id of the run under which the evidence stands.

    Raises:
        UsageError: There is nothing to measure, or a metric or suite does not exist.
        StoreError: The evidence cannot be written; what was written before stays.
    """
    started = time.perf_counter()
    suite = _suite(tasks)
    plans = _plans(suite, metrics, limit)
    given = series if isinstance(series, Sequence) else series.models
    subjects = [_subject(one, load) for one in given]
    _check_names([subject.record.id for subject in subjects])
    run = _run_record(suite, plans, subjects, limit=limit, refresh=refresh)
    asker = Asker(store.cache, refresh=refresh)
    total = len(subjects) * sum(len(plan.samples) for plan in plans)
    session = _Session(run.id, store, asker, progress, total)
    session.describe(run, plans, subjects)
    for subject in subjects:
        try:
            for plan in plans:
                session.measure(subject, plan)
        finally:
            session.flush()
            if subject.model is not None and subject.ours:
                subject.model.close()
    return RunSummary(
        run=run.id,
        samples=session.scored,
        failed=session.failed,
        cached=asker.known + session.skipped,
        requests=asker.sent,
        seconds=time.perf_counter() - started,
        problems=session.problems(),
    )


class _Subject(msgspec.Struct):
    """A model, or the sentence that says why there is none."""

    record: ModelRecord
    model: Model | None = None
    fingerprint: str = "missing"
    problem: str = ""
    ours: bool = True  # made here, so closed here


class _Session:
    """Writes one run, and keeps its counts."""

    def __init__(
        self,
        run: str,
        store: Store,
        asker: Asker,
        progress: Callable[[ProgressEvent], None] | None,
        total: int,
    ) -> None:
        self.scored = self.failed = self.skipped = 0
        self._run, self._store, self._asker = run, store, asker
        self._progress, self._total = progress, total
        self._problems: dict[tuple[str, str], tuple[int, str]] = {}
        self._pending = Measured()
        counts = store.sql(
            "SELECT model, task, count(DISTINCT sample) AS n FROM scores WHERE run = ? GROUP BY ALL", [run]
        )
        self._there = {(row["model"], row["task"]): int(row["n"]) for row in counts.to_pylist()}

    def describe(self, run: RunRecord, plans: Sequence[Plan], subjects: Sequence[_Subject]) -> None:
        """Say what is measured before anything is: the run, the models and the samples."""
        records = [subject.record for subject in subjects]
        self._store.append("models", records, part=f"run-{content_hash(records)}")
        for plan in plans:
            self._store.append("samples", plan.everything, part=f"task-{content_hash(plan.everything)}")
        self._store.append("runs", [run], part=run.id)

    def measure(self, subject: _Subject, plan: Plan) -> None:
        """Ask one model what is missing of one task; `flush` writes what was found."""
        model, task = subject.record.id, plan.task.name
        done = self._done(model, plan)
        missing = [sample for sample in plan.samples if sample.id not in done]
        self.scored += len(done)
        self.skipped += len(done) * plan.requests_per_sample
        self._tell(model, task)
        if not missing:
            return
        if subject.model is None:
            self._fail(model, subject.problem, len(missing))
            return
        failed = len(self._pending.failures)
        measure(
            self._run,
            subject.model,
            plan,
            missing,
            self._asker,
            tell=lambda ahead: self._tell(model, task, ahead),
            found=self._pending,
        )
        failures = self._pending.failures[failed:]
        self.scored += len(missing) - len(failures)
        for response in failures:
            self._fail(f"{model}, task {task}", response.error, 1, example=f" such as {response.sample}")
        if len(self._pending.scores) >= _FLUSH_SCORES:
            self.flush()
        self._tell(model, task)

    def flush(self) -> None:
        """Write responses and scores, each part whole or not at all.

        A part is named after what it holds, so a restart after a kill between two parts repeats nothing.
        """
        found, self._pending = self._pending, Measured()
        if found.scores:
            part = self._part([(one.model, one.task, one.sample) for one in found.responses])
            self._store.append("responses", found.responses, part=part)
            self._store.append("scores", found.scores, part=part)
        if found.failures:
            part = self._part([(one.model, one.task, one.sample, one.error) for one in found.failures])
            self._store.append("responses", found.failures, part=part)

    def _part(self, content: Sequence[tuple[str, ...]]) -> str:
        return f"{self._run}-{content_hash(content, length=16)}"

    def problems(self) -> tuple[str, ...]:
        """One sentence for each different problem."""
        named = [
            f"{where}, {count} sample{'s' if count > 1 else ''}{example}: {text}"
            for (where, text), (count, example) in self._problems.items()
        ]
        more = len(named) - _PROBLEMS_NAMED
        return (*named[:_PROBLEMS_NAMED], f"and {more} other problems") if more > 0 else tuple(named)

    def _done(self, model: str, plan: Plan) -> frozenset[str]:
        """Ids of the samples that an earlier start of this run has scored."""
        there = self._there.get((model, plan.task.name), 0)
        if there == 0:
            return frozenset()
        if there >= len(plan.samples):
            return frozenset(sample.id for sample in plan.samples)
        found = self._store.sql(
            "SELECT DISTINCT sample FROM scores WHERE run = ? AND model = ? AND task = ?",
            [self._run, model, plan.task.name],
        )
        return frozenset(found["sample"].to_pylist())

    def _fail(self, where: str, text: str, samples: int, *, example: str = "") -> None:
        self.failed += samples
        count, first = self._problems.get((where, text), (0, example))
        self._problems[where, text] = (count + samples, first)

    def _tell(self, model: str, task: str, ahead: int = 0) -> None:
        if self._progress is not None:
            done = self.scored + self.failed + ahead
            self._progress(ProgressEvent(model, task, done, self._total, self._asker.sent))


def _suite(tasks: Suite | str | Sequence[str | Task]) -> Suite:
    if isinstance(tasks, Suite):
        return tasks
    if isinstance(tasks, str):
        return get_suite(tasks)
    suites = [Suite(one.name, (one,)) if isinstance(one, Task) else get_suite(one) for one in tasks]
    return Suite(
        "+".join(suite.name for suite in suites), tuple(task for suite in suites for task in suite.tasks)
    )


def _plans(suite: Suite, metrics: Sequence[str] | None, limit: int | None) -> list[Plan]:
    if limit is not None and limit < 1:
        raise UsageError(f"limit is {limit}, it must be 1 or more", field="limit")
    _check_names([task.name for task in suite.tasks], "task")
    wanted = None if metrics is None else tuple(metrics)
    plans = []
    for task in suite.tasks:
        chosen = metrics_for(task, wanted)
        if chosen:
            samples = tuple(task.items())
            _check_names([sample.id for sample in samples], f"sample of task {task.name}")
            plans.append(Plan(task, samples[:limit], samples, chosen))
    if not plans:
        reason = f"none of its tasks can be scored by {', '.join(wanted)}" if wanted else "it has no tasks"
        raise UsageError(f"suite {suite.name} gives nothing to measure: {reason}", field="metrics")
    return plans


def _subject(one: ModelRecord | Model, load: Callable[[ModelRecord], Model]) -> _Subject:
    if not isinstance(one, ModelRecord):
        return _Subject(one.record, one, one.fingerprint, ours=False)
    try:
        model = load(one)
        return _Subject(one, model, model.fingerprint)
    except MissingExtraError:
        raise  # no model could be loaded without it
    except SaltusError as error:
        return _Subject(one, problem=str(error))
    except Exception as error:  # noqa: BLE001 - files of others: whatever goes wrong costs this model only
        return _Subject(one, problem=f"{type(error).__name__}: {error}")


def _check_names(names: Sequence[str], what: str = "model") -> None:
    field = what.partition(" ")[0]
    if not names:
        raise UsageError(f"there is no {what} to measure; give one at least", field=field)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"{twice!r} names more than one {what}; give each its own name", field=field)


def _run_record(
    suite: Suite, plans: Sequence[Plan], subjects: Sequence[_Subject], *, limit: int | None, refresh: bool
) -> RunRecord:
    """Its id is the hash of all that decides the scores, so that the same command means the same run."""
    now = time.time()
    tasks = [
        {
            "name": plan.task.name,
            "version": plan.task.version,
            "metrics": [metric.name for metric in plan.metrics],
            "items": content_hash(plan.samples),
        }
        for plan in plans
    ]
    models = [{"id": subject.record.id, "fingerprint": subject.fingerprint} for subject in subjects]
    config = {"suite": suite.name, "tasks": tasks, "models": models, "limit": limit, "version": __version__}
    content = content_hash(config | {"refreshed": now} if refresh else config)
    return RunRecord(
        id=content,
        kind="run",
        source=suite.name,
        format="saltus",
        content=content,
        rows=len(subjects) * sum(len(plan.samples) * len(plan.metrics) for plan in plans),
        config=json.dumps(config, sort_keys=True),
        version=__version__,
        created=now,
    )
