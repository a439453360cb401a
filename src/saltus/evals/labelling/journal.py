"""Labels as events of the ledger: said once, never rewritten; the last word of a rater on an item counts.

Each is one durable transaction, so several raters in several processes lose nothing, and a killed process
loses at most the item on the screen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec

from saltus.evals.labelling.queue import Queue
from saltus.records.errors import UsageError

if TYPE_CHECKING:
    from saltus.store import Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,39}")
LONGEST_REASON = 500


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of an event."""

    item: int
    action: Literal["answer", "skip", "undo"]
    mark: int | None = None
    reason: str = ""
    shown: str = ""


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """The last word of one rater on one item.

    Attributes:
        item: Its number.
        rater: Who.
        skipped: The rater left it to others.
        mark: What was said; None for "can't tell" and where it was skipped.
        reason: Why, where that was given.
        time: Seconds since the epoch.
        seq: Number of the event in the ledger.
        hash: Hash of the event.
    """

    item: int
    rater: str
    skipped: bool
    mark: int | None
    reason: str
    time: float
    seq: int
    hash: str


class Journal:
    """All labels of one queue; reads only what is new since it last looked.

    Args:
        store: Where the ledger is.
        queue: Which queue.
    """

    def __init__(self, store: Store, queue: Queue) -> None:
        self._store, self._queue = store, queue
        self._kind = f"label:{queue.id}"
        self._seq = 0
        self._labels: dict[tuple[int, str], Label] = {}

    @property
    def labels(self) -> list[Label]:
        """The last word of each rater on each item, in the order they were said."""
        self.refresh()
        return sorted(self._labels.values(), key=lambda label: label.seq)

    def refresh(self) -> None:
        """Read what others have said meanwhile."""
        for event in self._store.ledger.events(self._kind, after=self._seq):
            self._seq = event.seq
            said = msgspec.convert(event.payload, _Said)
            key = (said.item, event.actor)
            if said.action == "undo":
                self._labels.pop(key, None)
                continue
            self._labels[key] = Label(
                item=said.item,
                rater=event.actor,
                skipped=said.action == "skip",
                mark=said.mark,
                reason=said.reason,
                time=event.time,
                seq=event.seq,
                hash=event.hash,
            )

    def answer(self, rater: str, item: int, mark: int | None, *, reason: str = "") -> None:
        """Say what an item is worth; the same thing again adds nothing.

        Args:
            rater: Who.
            item: Number of the item.
            mark: A mark of the question, None for "can't tell".
            reason: Why, if anything.

        Raises:
            UsageError: There is no such item or mark, or the rater's name is none.
        """
        self._queue.question.check(mark)
        self._say(rater, _Said(item=item, action="answer", mark=mark, reason=_short(reason)))

    def skip(self, rater: str, item: int, reason: str) -> None:
        """Leave an item to others, and say why.

        Raises:
            UsageError: There is no such item, or no reason.
        """
        if not reason.strip():
            raise UsageError("a skipped item needs a reason, such as 'not my language'", field="reason")
        self._say(rater, _Said(item=item, action="skip", reason=_short(reason)))

    def undo(self, rater: str, item: int) -> None:
        """Take back what was said of an item; both stay in the ledger."""
        self.refresh()
        if (item, rater) in self._labels:
            self._say(rater, _Said(item=item, action="undo"))

    def _say(self, rater: str, said: _Said) -> None:
        check_rater(rater)
        shown = self._queue.item(said.item).shown
        self.refresh()
        known = self._labels.get((said.item, rater))
        if (
            known is not None
            and said.action != "undo"
            and (known.skipped, known.mark, known.reason) == (said.action == "skip", said.mark, said.reason)
        ):
            return
        payload = msgspec.to_builtins(msgspec.structs.replace(said, shown=shown))
        self._store.ledger.append(self._kind, payload, actor=rater)
        self.refresh()


def check_rater(name: str) -> str:
    """A rater's name, which stands in addresses and in the ledger for good.

    Raises:
        UsageError: It has other signs than letters, digits and `_ . @ -`, or more than 40.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of a rater; take up to 40 letters, digits and any of _ . @ -", field="rater"
        )
    return name


def _short(reason: str) -> str:
    return " ".join(reason.split())[:LONGEST_REASON]
