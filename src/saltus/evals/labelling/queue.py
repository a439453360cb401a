"""Queues of responses to label: made once from a run, kept as one event of the ledger, found by id.

An item points at its response in the lake and keeps the hash of what raters see, so that a label can always
be led back to what was judged.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from saltus.evals.labelling.draw import SHARES, Drawn, Group, Part, draw
from saltus.evals.labelling.question import Question, find_question
from saltus.evals.labelling.signals import Candidate, candidates
from saltus.evals.labelling.view import make_view
from saltus.evals.stored import Unit, find_run, some, units
from saltus.records.errors import UsageError
from saltus.records.ids import content_hash

if TYPE_CHECKING:
    from saltus.store import Store

_KIND = "label_queue"


class QueueItem(msgspec.Struct, frozen=True, kw_only=True):
    """One response of a queue.

    Attributes:
        number: From 1, in an order that says nothing.
        model: Whose response; raters are never told.
        task: Of which task.
        sample: To which sample.
        variant: How it was asked.
        epoch: Which repeat.
        part: Why it was drawn: "borderline", "risk" or "random".
        probability: With which it was drawn; its weight in an unbiased mean is one over that.
        reason: Why, in words.
        shown: Hash of what raters see.
    """

    number: int
    model: str
    task: str
    sample: str
    variant: str
    epoch: int
    part: Part
    probability: float
    reason: str
    shown: str


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Responses to label and the question about them.

    Attributes:
        id: Hash of everything else but `created`.
        run: Whose responses these are.
        question: What raters are asked.
        raters: How many should label each item.
        seed: Of the draw.
        shares: Of each part, as asked for.
        threshold: On a metric's range, where a score is closest to call.
        filters: Models, tasks and metrics that were asked for.
        groups: How many responses each model and task has in each part.
        items: What was drawn.
        created: Seconds since the epoch.
    """

    id: str = ""
    run: str
    question: Question
    raters: int
    seed: int
    shares: dict[Part, float]
    threshold: float = 0.5
    filters: dict[str, list[str]]
    groups: list[Group]
    items: list[QueueItem]
    created: float = 0.0

    def item(self, number: int) -> QueueItem:
        """An item by its number.

        Raises:
            UsageError: There is none.
        """
        if not 1 <= number <= len(self.items):
            raise UsageError(
                f"queue {self.id} has no item {number}; its items are 1 to {len(self.items)}", field="item"
            )
        return self.items[number - 1]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a queue is made of.

    Attributes:
        models: Only these; all when empty.
        tasks: Only these.
        metrics: Whose scores say what is close to call; all that have bounds when empty.
        threshold: On the metric's range, 0 to 1, where a score is closest to call.
        size: Items.
        raters: How many should label each.
        shares: Of the parts.
        seed: Of the draw.
    """

    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    threshold: float = 0.5
    size: int = 100
    raters: int = 2
    shares: Mapping[Part, float] = msgspec.field(default_factory=lambda: dict(SHARES))
    seed: int = 0


def make_queue(
    store: Store, run: str, question: Question | None = None, wanted: Wanted | None = None, *, actor: str = ""
) -> Queue:
    """Draw a queue from a run and record it; the same call on the same evidence finds the same queue.

    Args:
        store: Where the run is.
        run: Its id, the first letters of it, or "last".
        question: What raters are asked; whether the answer is right when None.
        wanted: What to draw; the defaults when None.
        actor: Who made it.

    Raises:
        UsageError: There is no such run, model, task or metric, or nothing that could be labelled.
        StoreError: The ledger cannot be written.
    """
    question, wanted = question or find_question(), wanted or Wanted()
    _check(wanted)
    source = find_run(store, run)
    units(store, source, models=wanted.models, tasks=wanted.tasks)
    found = candidates(
        store,
        source,
        models=wanted.models,
        tasks=wanted.tasks,
        metrics=wanted.metrics,
        threshold=wanted.threshold,
    )
    drawn, groups = draw(found, wanted.size, wanted.shares, np.random.default_rng(wanted.seed))
    if not drawn:
        raise UsageError(
            f"no response of run {source} fits; leave out a filter, or add random to --by", field="by"
        )
    queue = Queue(
        run=source,
        question=question,
        raters=wanted.raters,
        seed=wanted.seed,
        shares=dict(wanted.shares),
        threshold=wanted.threshold,
        filters={"model": [*wanted.models], "task": [*wanted.tasks], "metric": [*wanted.metrics]},
        groups=groups,
        items=_items(store, source, drawn, target=question.target),
    )
    queue = msgspec.structs.replace(queue, id=content_hash(queue, length=16))
    with store.exclusive():
        for known in load_queues(store):
            if known.id == queue.id:
                return known
        queue = msgspec.structs.replace(queue, created=time.time())
        store.ledger.append(_KIND, msgspec.to_builtins(queue), actor=actor)
    return queue


def load_queues(store: Store) -> list[Queue]:
    """All queues of a store, oldest first."""
    if not (store.path / "ledger.sqlite").exists():
        return []
    return [msgspec.convert(event.payload, Queue) for event in store.ledger.events(_KIND)]


def find_queue(store: Store, name: str = "last") -> Queue:
    """A queue by its id, the first letters of it, or "last".

    Raises:
        UsageError: No queue, or more than one, is meant.
    """
    queues = load_queues(store)
    if name == "last" and queues:
        return queues[-1]
    found = [queue for queue in queues if queue.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} queues begin with {name!r}" if found else f"no queue is called {name!r}"
    mend = "give more of its id" if found else "`saltus label queue RUN` makes one"
    raise UsageError(f"{what} in the store; {mend}", field="queue")


def _check(wanted: Wanted) -> None:
    for field, value in (("size", wanted.size), ("raters", wanted.raters)):
        if value < 1:
            raise UsageError(f"{field} is {value}, and it has to be 1 or more", field=field)
    if not 0 <= wanted.threshold <= 1:
        raise UsageError(
            f"the threshold is {wanted.threshold}, and it lies between 0 and 1", field="threshold"
        )


def _items(store: Store, run: str, drawn: Sequence[Drawn], *, target: bool) -> list[QueueItem]:
    wanted: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for one in drawn:
        wanted[one.candidate.model, one.candidate.task].append(one.candidate)
    hashes: dict[tuple[str, str, str, str, int], str] = {}
    for (model, task), several in wanted.items():
        keys = {(one.sample, one.variant, one.epoch) for one in several}
        for sample, response in some(store, Unit(run, model, task, 1), [one.sample for one in several]):
            key = (sample.id, response.variant, response.epoch)
            if key in keys:
                hashes[model, task, *key] = make_view(sample, response, target=target).hash
    return [_item(number, one, hashes) for number, one in enumerate(drawn, 1)]


def _item(number: int, drawn: Drawn, hashes: Mapping[tuple[str, str, str, str, int], str]) -> QueueItem:
    one = drawn.candidate
    return QueueItem(
        number=number,
        model=one.model,
        task=one.task,
        sample=one.sample,
        variant=one.variant,
        epoch=one.epoch,
        part=drawn.part,
        probability=drawn.probability,
        reason=drawn.reason,
        shown=hashes[one.model, one.task, one.sample, one.variant, one.epoch],
    )
