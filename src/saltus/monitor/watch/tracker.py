"""Follows the checkpoints of a folder from look to look: growing, settled, gone, or not whole for long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from saltus.monitor.watch.events import Kind, WatchEvent
from saltus.monitor.watch.folder import Candidate, discover
from saltus.monitor.watch.whole import Signature, lacking, signature


class Ready(msgspec.Struct, frozen=True):
    """A checkpoint that is whole, has settled and was not evaluated."""

    candidate: Candidate
    signature: Signature


class Looked(msgspec.Struct, frozen=True):
    """What one look at the folder gives.

    Attributes:
        ready: By series and step.
        open: Checkpoints that are not settled yet.
        soonest: Seconds until the first of them may have settled, None when there is none.
        news: What went wrong and was not said before.
    """

    ready: list[Ready]
    open: int
    soonest: float | None
    news: list[WatchEvent]


class _Seen(msgspec.Struct):
    candidate: Candidate
    signature: Signature
    since: float
    lack: str
    done: bool = False
    named: bool = False


class Tracker:
    """Looks at a folder again and again; the caller says what time it is.

    Args:
        root: The folder.
        find: The candidates in it, given the folder.
        tokenizer: Whether a checkpoint must have a tokenizer of its own.
        settle: Seconds for which a checkpoint's files must stay as they are.
        patience: Seconds after which one that is not whole, and does not change, is named.
        knows: Whether a folder with such files was evaluated by an earlier start.

    Attributes:
        changed: When something last changed; None before the first look.
        known: Checkpoints that an earlier start had evaluated, by folder.
    """

    def __init__(
        self,
        root: Path,
        *,
        find: Callable[[Path], list[Candidate]] = discover,
        tokenizer: bool = True,
        settle: float = 10.0,
        patience: float = 600.0,
        knows: Callable[[Path, Signature], bool] = lambda path, files: False,
    ) -> None:
        self._root, self._find, self._tokenizer = root, find, tokenizer
        self._settle, self._patience, self._knows = settle, patience, knows
        self._seen: dict[Path, _Seen] = {}
        self._twins: set[Path] = set()
        self.changed: float | None = None
        self.known: set[Path] = set()

    def look(self, now: float, *, last: bool = False) -> Looked:
        """Look once.

        Args:
            now: Seconds on a clock that only goes forward.
            last: Name what is not whole at once, however short the wait was.
        """
        if self.changed is None:
            self.changed = now
        there = {one.path: one for one in self._find(self._root)}
        news = self._gone(there, now)
        for one in there.values():
            self._update(one, now)
        news += self._same_step()
        ready, waits = [], []
        for seen in self._seen.values():
            if seen.done or seen.candidate.path in self._twins:
                continue
            left = self._settle - (now - seen.since)
            if not seen.lack and left > 0:
                waits.append(left)
            elif not seen.lack:
                ready.append(Ready(seen.candidate, seen.signature))
            else:
                if left > 0:
                    waits.append(left)
                if not seen.named and now - seen.since >= (self._settle if last else self._patience):
                    seen.named = True
                    news.append(_event(seen))
        ready.sort(key=lambda one: (one.candidate.series, one.candidate.step or 0))
        return Looked(ready, len(waits), min(waits, default=None), news)

    def done(self, one: Ready, now: float) -> None:
        """Say that a checkpoint was dealt with, so that it is ready again only when its files change."""
        seen = self._seen.get(one.candidate.path)
        if seen is not None and seen.signature == one.signature:
            seen.done = True
        self.changed = now

    def _update(self, one: Candidate, now: float) -> None:
        files = signature(one.path)
        seen = self._seen.get(one.path)
        if seen is not None and seen.signature == files and seen.candidate == one:
            return
        known = one.step is not None and self._knows(one.path, files)
        if known:
            self.known.add(one.path)
        lack = lacking(one.path, tokenizer=self._tokenizer)
        self._seen[one.path] = _Seen(one, files, now, lack or one.problem, done=known)
        if seen is not None or not known:
            self.changed = now

    def _gone(self, there: dict[Path, Candidate], now: float) -> list[WatchEvent]:
        news = []
        for path in [path for path in self._seen if path not in there]:
            seen = self._seen.pop(path)
            self._twins.discard(path)
            self.changed = now
            if not seen.done and seen.candidate.step is not None:
                when = "before it was whole" if seen.lack else "before it was evaluated"
                news.append(about(seen.candidate, "skipped", f"{path.name} was deleted {when}"))
        return news

    def _same_step(self) -> list[WatchEvent]:
        """Of two folders with one step of a series, take the one that was taken before, or the first."""
        first: dict[tuple[str, int], _Seen] = {}
        twins: dict[Path, Path] = {}
        for seen in sorted(self._seen.values(), key=lambda one: (not one.done, str(one.candidate.path))):
            if seen.candidate.step is not None:
                kept = first.setdefault((seen.candidate.series, seen.candidate.step), seen)
                if kept is not seen:
                    twins[seen.candidate.path] = kept.candidate.path
        news = [
            about(
                self._seen[path].candidate,
                "refused",
                f"{path.name} has the same step as {kept.name}, and is left out; delete one of them",
            )
            for path, kept in twins.items()
            if path not in self._twins
        ]
        self._twins = set(twins)
        return news


def about(one: Candidate, kind: Kind, headline: str) -> WatchEvent:
    """An event about a checkpoint."""
    step = None if one.step is None else float(one.step)
    return WatchEvent(kind=kind, headline=headline, series=one.series, step=step, path=str(one.path))


def _event(seen: _Seen) -> WatchEvent:
    one = seen.candidate
    if seen.lack == one.problem:
        return about(one, "refused", f"{one.path.name}: {one.problem}")
    return about(one, "incomplete", f"{one.path.name} is still not whole: {seen.lack}")
