"""`watch`: waits for checkpoints, evaluates each into the store, looks at the run and says what is new.

What it did stands in a journal in the store's folder, so that the same call goes on after any end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.evals import ProgressEvent, RunSummary, evaluate
from saltus.models.protocol import Model
from saltus.monitor.watch import look as looking
from saltus.monitor.watch.events import PROBLEMS, SENT, TaskScore, WatchEvent, WatchSummary
from saltus.monitor.watch.folder import discover, step_pattern
from saltus.monitor.watch.journal import FOLDER, Checked, Entry, Journal
from saltus.monitor.watch.outbox import Outbox
from saltus.monitor.watch.reading import loaded, record_of
from saltus.monitor.watch.settings import Settings, asked, tokenizer_of
from saltus.monitor.watch.tracker import Looked, Ready, Tracker, about
from saltus.monitor.watch.webhook import Webhook
from saltus.monitor.watch.whole import signature
from saltus.records import InputError, MissingExtraError, StoreError, UsageError, content_hash
from saltus.tasks import Suite

if TYPE_CHECKING:
    from saltus.store import Store

Say = Callable[[WatchEvent], None]
Progress = Callable[[], AbstractContextManager[Callable[[ProgressEvent], None] | None]]

_GRACE = 10.0  # seconds that undelivered events get at the end


def watch(
    root: str | Path,
    suite: Suite,
    *,
    store: Store,
    settings: Settings | None = None,
    say: Say = lambda event: None,
    progress: Progress = nullcontext,
) -> WatchSummary:
    """Watch a folder into which training runs write their checkpoints.

    Args:
        root: The folder; it may appear later.
        suite: What each checkpoint is asked.
        store: Where evidence, findings and the watch's own journal go.
        settings: How to watch.
        say: Called with each event, when it is safe in the journal; from two threads, one at a time.
        progress: Makes what shows the progress of one evaluation.

    Returns:
        Counts, when it ended by `once`, `until` or `idle`; it goes on until interrupted otherwise.

    Raises:
        UsageError: A setting cannot be used, or the store holds another training run of the same name.
        InputError: With `once`, there is no such folder.
        StoreError: The store cannot be written, or another process watches the same folder into it.
        MissingExtraError: torch or transformers is not installed.
    """
    place = Path(root).expanduser().absolute()
    chosen = settings or Settings()
    step_pattern(chosen.pattern)  # said before anything is waited for
    if chosen.once and not place.is_dir():
        raise InputError("no folder is here; name the one that the training run writes to", path=str(place))
    name = content_hash([str(place.resolve()), chosen.name], length=16)
    with store.claim(f"watch-{name}"):
        return _Watch(place, suite, store, chosen, say, progress, name).run()


class _Watch:
    """One watch under way."""

    def __init__(
        self,
        root: Path,
        suite: Suite,
        store: Store,
        settings: Settings,
        say: Say,
        progress: Progress,
        name: str,
    ) -> None:
        self._root, self._suite, self._store, self._settings = root, suite, store, settings
        self._progress, self._name = progress, name
        self._hear, self._guard = say, threading.Lock()
        self._tasks = [task.name for task in suite.tasks]
        self._asked = asked(suite, settings)
        self._tokenizer = tokenizer_of(root, settings.tokenizer)
        self._journal = Journal(store.path / FOLDER / f"{name}.jsonl")
        webhook = Webhook(settings.webhook) if settings.webhook else None
        self._tracker = Tracker(
            root,
            find=partial(discover, pattern=settings.pattern, name=settings.name),
            tokenizer=self._tokenizer is None,
            settle=settings.settle,
            patience=settings.patience,
            knows=partial(self._journal.knows, asked=self._asked),
        )
        self._outbox = Outbox(webhook, self._journal, self._tell) if webhook else None
        self._started = time.perf_counter()
        self._counts = dict.fromkeys(("evaluated", "failed", "findings", "warnings", "requests"), 0)
        self._top = max((one.step for one in self._journal.checked.values()), default=-1)
        self._named: set[str] = set()  # series whose name is this watch's own

    def run(self) -> WatchSummary:
        """Watch until an end is reached."""
        grace = 0.0
        try:
            why = self._run()
            grace = _GRACE
        finally:
            undelivered = self._outbox.close(grace) if self._outbox else 0
        return WatchSummary(
            **self._counts,
            known=len(self._tracker.known),
            undelivered=undelivered,
            seconds=time.perf_counter() - self._started,
            why=why,
            series=tuple(sorted({one.series for one in self._journal.checked.values()})),
        )

    def _run(self) -> str:
        if self._outbox:
            self._outbox.wake()
        while True:
            now = time.monotonic()
            looked = self._tracker.look(now, last=self._settings.once)
            for event in looked.news:
                self._announce(Entry(events=(event,)))
            if looked.ready:
                self._take(looked.ready[0] if not self._settings.newest_first else _newest(looked.ready))
                continue
            for series in sorted(self._journal.pending):
                self._announce(self._look(series, None))
            why = self._over(looked, now)
            if why:
                return why
            time.sleep(max(0.0, min(self._settings.every, looked.soonest or self._settings.every)))

    def _over(self, looked: Looked, now: float) -> str:
        """Why the watch ends now; empty when it does not."""
        settings = self._settings
        if settings.once and not looked.open:
            return "once"
        if settings.until is not None and self._top >= settings.until:
            return "until"
        quiet = now - (self._tracker.changed or now)
        return "idle" if settings.idle is not None and quiet >= settings.idle else ""

    def _take(self, one: Ready) -> None:
        """Evaluate a checkpoint; whatever is wrong with it costs no other."""
        started = time.perf_counter()
        path = one.candidate.path
        with ExitStack() as stack:
            try:
                record = record_of(
                    one.candidate,
                    family=self._settings.family,
                    tokens_per_step=self._settings.tokens_per_step,
                )
                self._check_name(record.name)
                model = stack.enter_context(
                    loaded(record, tokenizer=self._tokenizer, options=self._settings.options)
                )
            except (StoreError, UsageError, MissingExtraError):
                raise  # not the checkpoint's fault
            except Exception as error:  # noqa: BLE001 - files of others: whatever goes wrong costs this one only
                self._lost(one, error)
                return
            if signature(path) != one.signature and path.exists():
                return  # it was written to while it was read; it is ready again when it has settled
            before = self._journal.checked.get(str(path))
            if before and before.same(model.fingerprint, self._asked):
                self._journal.append(
                    Entry(checkpoint=msgspec.structs.replace(before, signature=one.signature))
                )
                self._tracker.done(one, time.monotonic())
                return
            summary = self._evaluate(model)
            fingerprint = model.fingerprint
        checked = Checked(
            path=str(path),
            signature=one.signature,
            model=record.id,
            series=record.name,
            step=one.candidate.step or 0,
            fingerprint=fingerprint,
            asked=self._asked,
            failed=summary.failed,
        )
        self._tracker.done(one, time.monotonic())
        self._report(one, checked, summary, started)

    def _evaluate(self, model: Model) -> RunSummary:
        with self._progress() as progress:
            return evaluate(
                [model],
                self._suite,
                store=self._store,
                progress=progress,
                retry_failed=True,
                **self._settings.how,
            )

    def _report(self, one: Ready, checked: Checked, summary: RunSummary, started: float) -> None:
        """Journal and announce what an evaluation gave, with the look that follows it."""
        self._counts["evaluated"] += summary.samples > 0
        self._counts["requests"] += summary.requests
        self._top = max(self._top, checked.step)
        events: list[WatchEvent] = []
        if summary.failed or summary.stopped:
            text = f"{summary.failed:,} of {summary.failed + summary.samples:,} samples failed"
            reasons = (*summary.problems, *((summary.stopped,) if summary.stopped else ()))
            events.append(msgspec.structs.replace(about(one.candidate, "failed", text), reasons=reasons))
        entry = Entry(series=checked.series, looked=not self._settings.newest_first)
        scores: tuple[TaskScore, ...] = ()
        if summary.samples:
            points = looking.points_of(self._store, checked.series, self._tasks)
            scores = looking.scores_of(points, checked.step)
            if not self._settings.newest_first:
                entry = self._look(checked.series, points)
        done = msgspec.structs.replace(
            about(one.candidate, "checkpoint", f"{one.candidate.path.name} was evaluated"),
            scores=scores,
            requests=summary.requests,
            seconds=round(time.perf_counter() - started, 3),
            look=entry.look,
        )
        said = ([done] if summary.samples else []) + events + list(entry.events)
        said = [msgspec.structs.replace(event, step=float(checked.step)) for event in said]
        self._announce(msgspec.structs.replace(entry, checkpoint=checked, events=tuple(said)))

    def _look(self, series: str, points: Any) -> Entry:
        """Look at a series, and put what is found into the ledger; the entry is still to be journalled."""
        if points is None:
            points = looking.points_of(self._store, series, self._tasks)
        if not looking.can_decide(points):
            return Entry(series=series, looked=True)
        number = self._journal.looks.get(series, 0) + 1
        earlier = [event for event in self._journal.events.values() if event.series == series]
        step = max((one.step for one in self._journal.checked.values() if one.series == series), default=0)
        try:
            found = looking.look(
                points,
                earlier,
                number=number,
                manner=self._settings.manner,
                samples=looking.samples_of(self._store, points, series),
            )
            looking.record(self._store, points, found, self._settings.manner)
        except InputError as error:
            found = [WatchEvent(kind="failed", headline=f"the scores cannot be looked at: {error}")]
        events = tuple(msgspec.structs.replace(event, series=series, step=float(step)) for event in found)
        return Entry(series=series, look=number, looked=True, events=events)

    def _lost(self, one: Ready, error: Exception) -> None:
        """Say that a checkpoint was deleted while it was read, or cannot be loaded."""
        now = signature(one.candidate.path)
        if now != one.signature and now:
            return  # it was written to meanwhile; it is ready again when it has settled
        name = one.candidate.path.name
        if not now:
            event = about(one.candidate, "skipped", f"{name} was deleted while it was being read")
        else:
            what = str(error) if str(error) else type(error).__name__
            event = about(one.candidate, "failed", f"{name} cannot be loaded: {what.splitlines()[0]}")
        self._tracker.done(one, time.monotonic())
        self._top = max(self._top, one.candidate.step or 0)
        self._announce(Entry(events=(event,)))

    def _check_name(self, series: str) -> None:
        """Refuse to mix two training runs under one name, unless the name was given."""
        if self._settings.name or series in self._named:
            return
        table = self._store.models().to_pylist()
        others = [
            row["location"]
            for row in table
            if row["name"] == series and not _under(row["location"], self._root)
        ]
        if others:
            raise UsageError(
                f"the store holds another training run called {series}, of {others[0]}; give this one a name "
                "with --name, or watch into another --store",
                field="name",
            )
        self._named.add(series)

    def _announce(self, entry: Entry) -> None:
        """Journal an entry, then say its events."""
        moment = time.time()
        events = tuple(event if event.id else event.named(self._name, moment) for event in entry.events)
        new = tuple(event for event in events if event.id not in self._journal.events)
        if new or entry.checkpoint or entry.look or entry.looked:
            send = self._outbox is not None and any(event.kind in SENT for event in new)
            self._journal.append(msgspec.structs.replace(entry, events=new, send=send))
        if self._outbox:
            self._outbox.wake()
        for event in events:
            self._tell(event)

    def _tell(self, event: WatchEvent) -> None:
        with self._guard:
            self._counts["failed"] += event.kind in PROBLEMS
            self._counts["findings"] += event.kind == "finding"
            self._counts["warnings"] += event.kind == "early_warning"
            self._hear(event)


def _newest(ready: Sequence[Ready]) -> Ready:
    return max(ready, key=lambda one: one.candidate.step or 0)


def _under(location: str, root: Path) -> bool:
    """Whether a model lies in the watched folder; one without a location was imported and may be the same."""
    return not location or Path(location).is_relative_to(root)
