"""How a queue stands: who is how far, how well raters agree, where they do not, and what the labels say."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from saltus.evals.labelling.draw import PARTS, Group
from saltus.evals.labelling.journal import Journal, Label
from saltus.evals.labelling.queue import Queue, QueueItem
from saltus.evals.labelling.session import disputed
from saltus.evals.labelling.settle import Rule, settle
from saltus.stats.alpha import AlphaInterval, alpha_interval
from saltus.stats.design import StratifiedMean, Stratum, stratified_mean

if TYPE_CHECKING:
    from saltus.store import Store


class RaterProgress(msgspec.Struct, frozen=True):
    """One rater's counts.

    Attributes:
        rater: Who.
        labelled: Items with a mark.
        cannot_tell: Items that could not be told.
        skipped: Items left to others.
    """

    rater: str
    labelled: int
    cannot_tell: int
    skipped: int


class Dispute(msgspec.Struct, frozen=True):
    """An item on which raters disagree.

    Attributes:
        item: Its number.
        model: Whose response.
        task: Of which task.
        sample: To which sample.
        marks: By rater.
    """

    item: int
    model: str
    task: str
    sample: str
    marks: dict[str, int]


class HumanMean(msgspec.Struct, frozen=True):
    """What the labels say of all responses of one model and task, drawn or not.

    Attributes:
        model: Id of the model.
        task: Name of the task.
        mean: Weighted by how the items were drawn; None in it where nothing was drawn at random.
        unweighted: Plain mean of the labels, which says nothing of the run: the queue seeks out hard items.
    """

    model: str
    task: str
    mean: StratifiedMean
    unweighted: float | None


class QueueStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A queue at one moment.

    Attributes:
        queue: Its id.
        run: Whose responses.
        question: Name of the question.
        items: Items of the queue.
        raters: How many should label each.
        complete: Items that have so many answers.
        settled: Items whose answers give one value.
        progress: One entry a rater.
        alpha: Krippendorff's alpha of all marks, with its interval.
        disputes: Items with different marks, by number.
        means: One entry a model and task.
    """

    queue: str
    run: str
    question: str
    items: int
    raters: int
    complete: int
    settled: int
    progress: list[RaterProgress]
    alpha: AlphaInterval
    disputes: list[Dispute]
    means: list[HumanMean]


def queue_status(
    store: Store,
    queue: Queue,
    *,
    rule: Rule | None = None,
    adjudicator: str = "",
    level: float = 0.95,
    seed: int = 0,
) -> QueueStatus:
    """Count labels, measure agreement, and estimate what the labels say of the whole run.

    "Can't tell" is no mark: it counts as an answer, and neither in alpha nor in the means. An adjudicator's
    marks settle disputes and are left out of alpha, as they were asked for where others disagree.

    Args:
        store: Where the labels are.
        queue: Which queue.
        rule: How marks become one value; see `settle`.
        adjudicator: Whose mark decides a dispute.
        level: Coverage of the intervals.
        seed: Of the bootstrap.
    """
    by_item: dict[int, list[Label]] = defaultdict(list)
    labels = Journal(store, queue).labels
    for label in labels:
        by_item[label.item].append(label)
    answers = {number: [one for one in said if not one.skipped] for number, said in by_item.items()}
    values = {
        number: value
        for number, said in by_item.items()
        if (value := settle(queue.question, said, rule=rule, adjudicator=adjudicator)) is not None
    }
    return QueueStatus(
        queue=queue.id,
        run=queue.run,
        question=queue.question.name,
        items=len(queue.items),
        raters=queue.raters,
        complete=sum(len(said) >= queue.raters for said in answers.values()),
        settled=len(values),
        progress=_progress(labels),
        alpha=alpha_interval(
            _ratings(queue, [label for label in labels if label.rater != adjudicator]),
            np.random.default_rng(seed),
            scale=queue.question.scale,
            level=level,
        ),
        disputes=[
            _dispute(queue.item(number), said) for number, said in sorted(answers.items()) if disputed(said)
        ],
        means=[_mean(queue, group, values, level) for group in queue.groups],
    )


def _progress(labels: Sequence[Label]) -> list[RaterProgress]:
    found = []
    for rater in sorted({label.rater for label in labels}):
        mine = [label for label in labels if label.rater == rater]
        skipped = sum(label.skipped for label in mine)
        marked = sum(label.mark is not None for label in mine)
        found.append(RaterProgress(rater, marked, len(mine) - marked - skipped, skipped))
    return found


def _ratings(queue: Queue, labels: Sequence[Label]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    raters = sorted({label.rater for label in labels})
    table = np.full((len(raters), len(queue.items)), math.nan)
    for label in labels:
        if label.mark is not None:
            table[raters.index(label.rater), label.item - 1] = label.mark
    return table


def _dispute(item: QueueItem, said: Sequence[Label]) -> Dispute:
    marks = {label.rater: label.mark for label in said if label.mark is not None}
    return Dispute(item.number, item.model, item.task, item.sample, marks)


def _mean(queue: Queue, group: Group, values: dict[int, float], level: float) -> HumanMean:
    mine = [item for item in queue.items if (item.model, item.task) == (group.model, group.task)]
    known = [values[item.number] for item in mine if item.number in values]
    strata = [
        Stratum(
            [values[item.number] for item in mine if item.part == part and item.number in values],
            getattr(group, part),
        )
        for part in PARTS
    ]
    return HumanMean(
        group.model,
        group.task,
        stratified_mean(strata, level=level),
        math.fsum(known) / len(known) if known else None,
    )
