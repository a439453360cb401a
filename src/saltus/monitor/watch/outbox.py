"""Brings events to the webhook in their order, in a thread, while the watch goes on; a restart goes on too.

An event counts as delivered when the journal says so, which is after the webhook took it: at least once,
never lost. The event's id tells repeats.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from saltus._version import __version__
from saltus.monitor.watch.events import WatchEvent, payload
from saltus.monitor.watch.journal import Entry, Journal
from saltus.monitor.watch.webhook import Outcome, Webhook
from saltus.records import StoreError

_LONGEST_PAUSE = 60.0  # seconds between tries


class Outbox:
    """Delivers what the journal holds for a webhook.

    Args:
        webhook: Where to.
        journal: What there is to deliver, and what was.
        say: Called with an event of the kind "webhook", once for each that is refused, and at the first of
            several tries that fail.
        pause: Seconds before the second try; doubled for each one after it.
    """

    def __init__(
        self, webhook: Webhook, journal: Journal, say: Callable[[WatchEvent], None], *, pause: float = 1.0
    ) -> None:
        self._webhook, self._journal, self._say, self._pause = webhook, journal, say, pause
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._broken: StoreError | None = None
        self._thread = threading.Thread(target=self._run, name="saltus-webhook", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something new.

        Raises:
            StoreError: The journal could not be written.
        """
        if self._broken is not None:
            raise self._broken
        self._wake.set()

    def close(self, grace: float) -> int:
        """Deliver what is left for at most `grace` seconds.

        Returns:
            Events that are not delivered; the next start delivers them.
        """
        until = time.monotonic() + grace
        while self._thread.is_alive() and time.monotonic() < until and self._left():
            time.sleep(0.02)
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=0.5)  # a try that hangs is left to the next start
        return self._left()

    def _left(self) -> int:
        return len(self._journal.undelivered(self._webhook.id))

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                waiting = self._journal.undelivered(self._webhook.id)
                if waiting:
                    self._deliver(waiting[0])
                else:
                    self._wake.wait()
                self._wake.clear()
        except StoreError as error:
            self._broken = error

    def _deliver(self, event: WatchEvent) -> None:
        """Try until it is delivered or refused, or the watch ends."""
        tries = 0
        while not self._stop.is_set():
            outcome = self._webhook.post(payload(event, __version__), key=event.id)
            match outcome.result:
                case "delivered":
                    self._journal.append(Entry(delivered=event.id))
                    return
                case "refused":
                    self._journal.append(Entry(refused=event.id, by=self._webhook.id))
                    self._tell(event, outcome, "is not tried again until the address changes")
                    return
            if tries == 0:
                self._tell(event, outcome, "is tried again")
            tries += 1
            pause = min(self._pause * 2 ** min(tries - 1, 30), _LONGEST_PAUSE)
            self._stop.wait(max(pause, outcome.wait or 0.0))

    def _tell(self, event: WatchEvent, outcome: Outcome, then: str) -> None:
        what = f"{event.kind} {event.id[:8]}"
        text = f"the webhook {self._webhook.name} did not take {what} ({outcome.reason}); it {then}"
        self._say(WatchEvent(kind="webhook", headline=text, series=event.series, step=event.step))
