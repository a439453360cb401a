"""Labels flow back as scores of the run: settled values as one metric, and each rater's own on request.

What is there stays: the lake is append-only. So the same call adds nothing, and an item whose labels have
changed since is named instead of being scored twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from saltus.evals.labelling.journal import Journal, Label
from saltus.evals.labelling.queue import Queue, QueueItem
from saltus.evals.labelling.settle import Rule, settle
from saltus.records.errors import UsageError
from saltus.records.evidence import Score
from saltus.records.ids import content_hash

if TYPE_CHECKING:
    from saltus.store import Store

_PREFIX = "human_"


class ApplySummary(msgspec.Struct, frozen=True, kw_only=True):
    """What applying did.

    Attributes:
        run: Whose scores.
        metrics: Their names.
        added: Scores that were added.
        present: Scores that were there.
        unsettled: Items with too few answers, or with answers that give no value.
        changed: Numbers of items whose score is there with another value, and stays.
        selected: Settled items that were not drawn at random: with them the plain mean is not the run's.
    """

    run: str
    metrics: list[str]
    added: int
    present: int
    unsettled: int
    changed: list[int]
    selected: int


class Applying(msgspec.Struct, frozen=True, kw_only=True):
    """How labels become scores.

    Attributes:
        metric: Name of the scores; the question's own when empty.
        rule: See `settle`.
        adjudicator: Whose mark decides alone where there is one.
        least: Answers an item must have, the queue's number of raters when None; an adjudicator's is enough.
        random: Only items that were drawn at random, as prediction-powered inference needs.
        per_rater: Also score `METRIC:RATER` for each rater.
    """

    metric: str = ""
    rule: Rule | None = None
    adjudicator: str = ""
    least: int | None = None
    random: bool = False
    per_rater: bool = False


def apply_labels(store: Store, queue: Queue, how: Applying | None = None) -> ApplySummary:
    """Write settled labels as scores under the run's own id.

    Args:
        store: Where the labels are and the scores go.
        queue: Which queue.
        how: Rule, adjudicator, name; the defaults when None.

    Raises:
        UsageError: The metric's name does not begin with "human_".
        StoreError: The scores cannot be written.
    """
    how = how or Applying()
    metric = how.metric or queue.question.metric
    if not metric.startswith(_PREFIX):
        raise UsageError(
            f"scores by people begin with {_PREFIX!r}, and {metric!r} does not; take {_PREFIX}{metric}",
            field="metric",
        )
    by_item: dict[int, list[Label]] = defaultdict(list)
    for label in Journal(store, queue).labels:
        by_item[label.item].append(label)
    wanted: list[tuple[int, Score]] = []
    unsettled = selected = 0
    for item in queue.items:
        if how.random and item.part != "random":
            continue
        value = _value(queue, by_item[item.number], how)
        unsettled += value is None
        selected += value is not None and item.part != "random"
        wanted += [(item.number, _score(queue, item, metric, value))] if value is not None else []
        wanted += _per_rater(queue, item, metric, by_item[item.number]) if how.per_rater else []
    added, changed = _write(store, queue, wanted)
    return ApplySummary(
        run=queue.run,
        metrics=sorted({score.metric for _, score in wanted}),
        added=added,
        present=len(wanted) - added,
        unsettled=unsettled,
        changed=changed,
        selected=selected,
    )


def _value(queue: Queue, labels: Sequence[Label], how: Applying) -> float | None:
    least = queue.raters if how.least is None else how.least
    decided = any(label.rater == how.adjudicator and label.mark is not None for label in labels)
    if not decided and sum(not label.skipped for label in labels) < least:
        return None
    return settle(queue.question, labels, rule=how.rule, adjudicator=how.adjudicator)


def _per_rater(
    queue: Queue, item: QueueItem, metric: str, labels: Sequence[Label]
) -> list[tuple[int, Score]]:
    return [
        (item.number, _score(queue, item, f"{metric}:{label.rater}", queue.question.value(label.mark)))
        for label in labels
        if label.mark is not None
    ]


def _score(queue: Queue, item: QueueItem, metric: str, value: float) -> Score:
    return Score(
        run=queue.run,
        model=item.model,
        task=item.task,
        sample=item.sample,
        metric=metric,
        value=value,
        variant=item.variant,
        epoch=item.epoch,
    )


Key = tuple[str, str, str, str, str, int]


def _write(store: Store, queue: Queue, wanted: Sequence[tuple[int, Score]]) -> tuple[int, list[int]]:
    """Write what is not there; nobody else may write in between."""
    with store.exclusive():
        there = _existing(store, queue.run, sorted({score.metric for _, score in wanted}))
        fresh = [score for _, score in wanted if _key(score) not in there]
        changed = {number for number, score in wanted if there.get(_key(score), score.value) != score.value}
        if fresh:
            part = f"labels-{queue.id}-{content_hash([msgspec.to_builtins(one) for one in fresh], length=16)}"
            store.append("scores", fresh, part=part)
    return len(fresh), sorted(changed)


def _existing(store: Store, run: str, metrics: Sequence[str]) -> Mapping[Key, float]:
    rows = store.query(
        "SELECT metric, model, task, sample, variant, epoch, value FROM scores "
        "WHERE run = ? AND metric IN (SELECT unnest(?::VARCHAR[]))",
        [run, list(metrics)],
    ).to_pylist()
    return {
        (
            row["metric"],
            row["model"],
            row["task"],
            row["sample"],
            row["variant"],
            row["epoch"],
        ): row["value"]
        for row in rows
    }


def _key(score: Score) -> Key:
    return score.metric, score.model, score.task, score.sample, score.variant, score.epoch
