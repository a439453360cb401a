"""One rater at work: items in an order of their own, what is next, how far. Terminal and web use it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from saltus.evals.labelling.journal import Journal, Label, check_rater
from saltus.evals.labelling.queue import Queue
from saltus.records.errors import UsageError
from saltus.records.ids import content_hash

if TYPE_CHECKING:
    from saltus.store import Store


class Progress(msgspec.Struct, frozen=True):
    """How far a rater is.

    Attributes:
        labelled: Items with an answer of this rater, "can't tell" included.
        skipped: Items left to others.
        left: Items that still wait for this rater.
        items: Items of the queue.
    """

    labelled: int
    skipped: int
    left: int
    items: int


class Session:
    """A rater and a queue.

    Args:
        store: Where the queue is.
        queue: Which.
        rater: Who labels.
        disputed: Only items on which other raters disagree: the work of an adjudicator, who is as blind.

    Attributes:
        queue: The queue.
        rater: The rater.
        order: Numbers of all items as this rater meets them; the same whenever the rater comes back.
    """

    def __init__(self, store: Store, queue: Queue, rater: str, *, disputed: bool = False) -> None:
        self.queue, self.rater = queue, check_rater(rater)
        self._journal = Journal(store, queue)
        self._disputed = disputed
        seed = int(content_hash([queue.id, rater], length=16), 16)
        numbers = np.random.default_rng(seed).permutation(len(queue.items)) + 1
        self.order = [int(number) for number in numbers]

    def waiting(self) -> list[int]:
        """Items that this rater should still see, in order: not done by them, not done by enough others."""
        labels = self._journal.labels
        mine = {label.item for label in labels if label.rater == self.rater}
        others: dict[int, list[Label]] = defaultdict(list)
        for label in labels:
            if label.rater != self.rater and not label.skipped:
                others[label.item].append(label)
        if self._disputed:
            return [number for number in self.order if number not in mine and disputed(others[number])]
        return [
            number for number in self.order if number not in mine and len(others[number]) < self.queue.raters
        ]

    def next(self) -> int | None:
        """The next item, None when nothing waits."""
        return next(iter(self.waiting()), None)

    def mine(self) -> dict[int, Label]:
        """What this rater said, by item, in the order it was said."""
        return {label.item: label for label in self._journal.labels if label.rater == self.rater}

    def progress(self) -> Progress:
        """How far this rater is."""
        mine = self.mine().values()
        skipped = sum(label.skipped for label in mine)
        return Progress(len(mine) - skipped, skipped, len(self.waiting()), len(self.queue.items))

    def answer(self, item: int, mark: int | None, *, reason: str = "") -> None:
        """Label an item, or label it anew."""
        self._journal.answer(self.rater, item, mark, reason=reason)

    def skip(self, item: int, reason: str) -> None:
        """Leave an item to others."""
        self._journal.skip(self.rater, item, reason)

    def undo(self) -> int | None:
        """Take back the last thing this rater said, and say of which item; None when there is nothing."""
        mine = list(self.mine())
        if not mine:
            return None
        self._journal.undo(self.rater, mine[-1])
        return mine[-1]

    def place(self, item: int) -> int:
        """Where an item stands in this rater's order, from 1."""
        return self.order.index(item) + 1

    def at(self, place: int) -> int:
        """The item at a place of this rater's order.

        Raises:
            UsageError: There is no such place.
        """
        if not 1 <= place <= len(self.order):
            raise UsageError(f"there is no item {place}; this queue has 1 to {len(self.order)}", field="item")
        return self.order[place - 1]


def disputed(labels: list[Label]) -> bool:
    """Whether raters gave different marks."""
    return len({label.mark for label in labels if not label.skipped and label.mark is not None}) > 1
