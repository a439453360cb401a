"""One run under way: asks each model what is missing, writes block after block, and keeps the counts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.evals.asking import Answered, Asker, Question
from saltus.evals.blocks import Block, Found, Group, blocks
from saltus.evals.plan import Plan
from saltus.evals.unit import Manner, Unit, not_asked
from saltus.models.protocol import Model
from saltus.records.errors import BudgetError
from saltus.records.evidence import ModelRecord, Response, RunRecord
from saltus.records.ids import content_hash
from saltus.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

_PROBLEMS_NAMED = 20
_TELL_EVERY = 0.05  # seconds
_BLOCKS_WRITTEN_AT_A_TIME = 2

Key = tuple[str, str, str, int]  # task, sample, variant, epoch


class ProgressEvent(msgspec.Struct, frozen=True):
    """Where an evaluation stands.

    Attributes:
        model: Id of the model that is being asked.
        task: Name of the task.
        done: Responses that are there, over all models and tasks, failed ones included.
        total: Responses in all.
        requests: Requests sent to models until now.
        cached: Requests whose answer was known.
        tokens: Prompt and completion tokens of the requests that were sent.
        cost: Of all responses, in the currency of the models' prices.
        failed: Responses without scores.
        errors: How often each kind of error came.
        cells: Responses that are there, by model and task.
        models: Ids of all models, in order.
        sizes: Responses of one model that each task asks for.
    """

    model: str
    task: str
    done: int
    total: int
    requests: int
    cached: int = 0
    tokens: tuple[int, int] = (0, 0)
    cost: float = 0.0
    failed: int = 0
    errors: dict[str, int] = {}
    cells: dict[tuple[str, str], int] = {}
    models: tuple[str, ...] = ()
    sizes: dict[str, int] = {}


class Session:
    """Writes one run.

    Attributes:
        scored: Responses with scores, those of an earlier start of the run included.
        failed: Responses, or samples that could not be asked, without scores.
        skipped: Requests that earlier starts of the run made unnecessary.
        cost: Of the responses of this start.
        notes: What a model could not be asked as the suite says.
    """

    def __init__(
        self,
        run: RunRecord,
        store: Store,
        asker: Asker,
        *,
        models: tuple[str, ...],
        sizes: dict[str, int],
        progress: Progress | None,
    ) -> None:
        self.scored = self.failed = self.skipped = 0
        self.cost = 0.0
        self.notes: list[str] = []
        self._run, self._store, self._asker = run.id, store, asker
        self._earlier = Earlier(store, run.id)
        self._models, self._sizes, self._progress = models, sizes, progress
        self._total = len(models) * sum(sizes.values())
        self._problems: dict[tuple[str, str], tuple[int, str]] = {}
        self._errors: Counter[str] = Counter()
        self._cells: Counter[tuple[str, str]] = Counter()
        self._under_way = 0
        self._told = (0.0, "", "")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="saltus-writer")
        self._writing: list[Future[Found]] = []

    def describe(self, run: RunRecord, plans: Sequence[Plan], models: Sequence[ModelRecord]) -> None:
        """Say what is measured before anything is: the run, the models and the samples."""
        self._store.append("models", models, part=f"run-{content_hash(models)}")
        for plan in plans:
            part = f"task-{content_hash([plan.task.name, plan.digest])}"
            if not self._store.has_part("samples", part):
                with self._store.writer("samples", part=part) as writer:
                    writer.write(plan.samples())
        self._store.append("runs", [run], part=run.id)

    def ask(self, model: Model, manner: Manner, plans: Sequence[Plan], *, retry_failed: bool) -> None:
        """Ask one model what is missing.

        Raises:
            BudgetError: The model's budget is used up; what was answered is written.
        """
        name = model.record.id
        self.notes += [note for plan in plans if (note := not_asked(plan, manner))]
        before = self._asker.answers
        try:
            self._ask(model, manner, self._missing(name, plans))
            if retry_failed and name in self._earlier.failed:
                self._ask(model, manner, self._again(name, plans))
        finally:
            self._settle()
            if self._asker.answers > before:
                self._asker.remember(model, scores_text=manner.scores_text)

    def give_up(self, model: str, plans: Sequence[Plan], problem: str) -> None:
        """Count a model that cannot be asked."""
        done = self._earlier.done(model)
        missing = sum(plan.count * plan.per_sample for plan in plans) - len(done)
        failed = self._earlier.failed.get(model, {})
        self.scored += len(done) - len(failed)
        self.failed += len(failed)
        if missing > 0:
            self.failed += missing
            self._problems[model, problem] = (missing, "")

    def problems(self) -> tuple[str, ...]:
        """One sentence for each different problem."""
        named = [
            f"{where}, {count} sample{'s' if count > 1 else ''}{example}: {text}"
            for (where, text), (count, example) in self._problems.items()
        ]
        more = len(named) - _PROBLEMS_NAMED
        return (*named[:_PROBLEMS_NAMED], f"and {more} other problems") if more > 0 else tuple(named)

    def close(self) -> None:
        """Wait for what is being written."""
        self._writer.shutdown()

    def tell(self, model: str, task: str, *, now: bool = False) -> None:
        """Report progress, but not more often than anybody can look."""
        last, *where = self._told
        moment = time.monotonic()
        if self._progress is None or not (now or where != [model, task] or moment - last >= _TELL_EVERY):
            return
        self._told = (moment, model, task)
        asker = self._asker
        self._progress(
            ProgressEvent(
                model,
                task,
                self.scored + self.failed + self._under_way,
                self._total,
                asker.sent,
                asker.known,
                (asker.prompt_tokens, asker.completion_tokens),
                self.cost,
                self.failed,
                dict(self._errors),
                dict(self._cells),
                self._models,
                self._sizes,
            )
        )

    def _ask(self, model: Model, manner: Manner, wanted: Iterator[Block]) -> None:
        open_blocks: dict[int, Block] = {}

        def questions() -> Iterator[Question]:
            for block in wanted:
                open_blocks[block.number] = block
                for unit in block.units(manner, finished):
                    yield from unit.questions()

        def finished(block: Block, response: Response) -> None:
            self._under_way += 1
            self.cost += response.cost
            if response.finish == "error":
                self._errors[response.error] += 1
            self._cells[response.model, response.task] += 1
            self.tell(response.model, response.task)
            if block.open == 0:
                del open_blocks[block.number]
                self._write(manner, block, whole=True)

        def take(question: Question, answered: Answered[Any]) -> Question | None:
            unit, kind = question.place
            assert isinstance(unit, Unit)  # noqa: S101 - `questions` put it there
            return unit.take(kind, answered)

        try:
            self._asker.ask(model, questions(), take)
        except (BudgetError, KeyboardInterrupt):
            for block in open_blocks.values():
                self._write(manner, block, whole=False)
            raise

    def _missing(self, model: str, plans: Sequence[Plan]) -> Iterator[Block]:
        """The blocks that are not written, each without what an interrupted start has written of it."""
        done: frozenset[Key] | None = None
        for block in blocks(plans):
            left: list[Group] = []
            if not self._earlier.whole(model, block.number):
                left = block.groups
                if self._earlier.parted(model, block.number):
                    done = self._earlier.done(model) if done is None else done
                    left = [group for group in block.groups if not done.issuperset(_keys(group))]
            if len(left) < len(block.groups):
                self._count_earlier(model, [group for group in block.groups if group not in left])
            if left:
                yield Block(block.number, left)

    def _again(self, model: str, plans: Sequence[Plan]) -> Iterator[Block]:
        """What failed at an earlier start, with all that is asked about the same samples."""
        failed = self._earlier.failed[model]
        self.failed -= len(failed)
        for key in failed:
            self._problems.pop((f"{model}, task {key[0]}", failed[key]), None)
        for block in blocks(plans):
            groups = [group for group in block.groups if not failed.keys().isdisjoint(_keys(group))]
            if groups:
                yield Block(-1 - block.number, groups, only=frozenset(failed))

    def _count_earlier(self, model: str, groups: Sequence[Group]) -> None:
        failed = self._earlier.failed.get(model, {})
        for group in groups:
            task = group.plan.task.name
            for key in _keys(group):
                self.scored += key not in failed
                if key in failed:
                    self.failed += 1
                    self._note(model, task, key[1], failed[key])
            self.skipped += len(group.asked) * (group.plan.generates + group.plan.scores_text)
            self._cells[model, task] += len(group.asked)
        self.tell(model, groups[-1].plan.task.name)

    def _write(self, manner: Manner, block: Block, *, whole: bool) -> None:
        """Score a block and write it, in another thread; what goes wrong there is raised by a later call."""
        while len(self._writing) >= _BLOCKS_WRITTEN_AT_A_TIME or (self._writing and self._writing[0].done()):
            self._count(self._writing.pop(0).result())
        self._writing.append(self._writer.submit(self._score_and_write, manner, block, whole))

    def _score_and_write(self, manner: Manner, block: Block, whole: bool) -> Found:
        found = block.found()
        name = part_name(manner.run, manner.model, block.number)
        if not whole or block.number < 0:
            written = [(one.task, one.sample, one.variant, one.epoch) for one in found.responses]
            name = f"{name}-{content_hash(written, length=12)}"
            if not written:
                return found
        self._store.append("responses", found.responses, part=name)
        self._store.append("scores", found.scores, part=name)
        return found

    def _settle(self) -> None:
        while self._writing:
            self._count(self._writing.pop(0).result())
        self._under_way = 0

    def _count(self, found: Found) -> None:
        failed = {id(response) for response in found.failures}
        self.scored += sum(id(response) not in failed for response in found.responses)
        self.failed += len(failed)
        self._under_way -= len(found.responses)
        for response in found.failures:
            self._note(response.model, response.task, response.sample, response.error)

    def _note(self, model: str, task: str, sample: str, text: str) -> None:
        where = f"{model}, task {task}"
        count, first = self._problems.get((where, text), (0, f" such as {sample}"))
        self._problems[where, text] = (count + 1, first)


Progress = Callable[[ProgressEvent], None]


class Earlier:
    """What earlier starts of a run have written.

    Attributes:
        failed: What has an error and no scores, with the error, by model.
    """

    def __init__(self, store: Store, run: str) -> None:
        self._store, self._run = store, run
        self._parts = set(store.parts("scores", run))
        for orphan in set(store.parts("responses", run)) - self._parts:
            store.drop_part("responses", orphan)  # its writer was killed before it wrote the scores
        self.failed: dict[str, dict[Key, str]] = {}
        if self._parts:
            for model, *key, error in _columns(store.sql(_FAILED, [run])):
                self.failed.setdefault(model, {})[tuple(key)] = error

    def done(self, model: str) -> frozenset[Key]:
        """All that is written of one model, failures included."""
        if not any(part.startswith(part_name(self._run, model)) for part in self._parts):
            return frozenset()
        query = "SELECT DISTINCT task, sample, variant, epoch FROM responses WHERE run = ? AND model = ?"
        return frozenset(_columns(self._store.sql(query, [self._run, model])))

    def whole(self, model: str, block: int) -> bool:
        """Whether a block is written to its end."""
        return part_name(self._run, model, block) in self._parts

    def parted(self, model: str, block: int) -> bool:
        """Whether an interrupted start wrote a piece of a block."""
        stem = part_name(self._run, model, block) + "-"
        return any(part.startswith(stem) for part in self._parts)


_FAILED = """
    SELECT model, task, sample, variant, epoch, any_value(error) AS error FROM responses f
    WHERE run = $1 AND finish = 'error' AND NOT EXISTS (
        FROM responses r WHERE r.run = $1 AND r.finish <> 'error' AND r.model = f.model AND r.task = f.task
            AND r.sample = f.sample AND r.variant = f.variant AND r.epoch = f.epoch)
    GROUP BY ALL ORDER BY ALL"""


def _columns(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*rows.to_pydict().values(), strict=True)


def part_name(run: str, model: str, block: int | None = None) -> str:
    """The name of the part that holds a block, or how all parts of a model begin."""
    stem = f"{run}-{content_hash(model, length=12)}-"
    if block is None:
        return stem
    return f"{stem}{block:05d}" if block >= 0 else f"{stem}again-{-1 - block:05d}"


def _keys(group: Group) -> list[Key]:
    return [(group.plan.task.name, one.sample.id, one.variant, one.epoch) for one in group.asked]
