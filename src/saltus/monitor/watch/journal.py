"""What a watch must know after a restart: what was evaluated, looked at, announced and delivered.

One file of JSON lines in the store's folder. A line stands for one step that happened whole or not at all:
a checkpoint with the look at it and all that was announced after it. A line that a killed process left torn
is cut off.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec

from saltus.monitor.watch.events import WatchEvent
from saltus.monitor.watch.whole import Signature
from saltus.records import StoreError

FOLDER = "watch"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that was evaluated.

    Attributes:
        path: Folder.
        signature: Its files as they were; another signature means a new checkpoint.
        model: Id in the store.
        step: Optimiser step.
        fingerprint: Of its content.
        asked: Hash of what it was asked.
        failed: Samples without scores; the next start asks them again.
    """

    path: str
    signature: Signature
    model: str
    series: str
    step: int
    fingerprint: str = ""
    asked: str = ""
    failed: int = 0

    def same(self, fingerprint: str, asked: str) -> bool:
        """Whether a checkpoint of this content was asked all this already."""
        return (self.fingerprint, self.asked, self.failed) == (fingerprint, asked, 0)


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line.

    Attributes:
        checkpoint: What was evaluated.
        series: What was looked at, with the number of the `look`.
        looked: Whether the series was looked at with all that was evaluated; no `look` is counted where it
            has too few checkpoints yet.
        events: What was announced.
        send: Whether a webhook is to get it.
        delivered: Id of an event that the webhook took.
        refused: Id of an event that it refused, and `by`, a hash of its address.
    """

    checkpoint: Checked | None = None
    series: str = ""
    look: int = 0
    looked: bool = False
    events: tuple[WatchEvent, ...] = ()
    send: bool = False
    delivered: str = ""
    refused: str = ""
    by: str = ""


class Journal:
    """The lines of one watch, read at its start and appended to as it goes; threads may append.

    Attributes:
        checked: What was evaluated, by folder.
        looks: Looks made at each series.
        pending: Series that were not looked at since their last checkpoint was evaluated.
        events: Everything announced, in order, by id.
        refused: Events that a webhook refused: hash of its address by id.

    Args:
        path: The file; made with its folder when it is not there.

    Raises:
        StoreError: It cannot be read or written, or a line of it is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self.checked: dict[str, Checked] = {}
        self.looks: dict[str, int] = {}
        self.pending: set[str] = set()
        self.events: dict[str, WatchEvent] = {}
        self.refused: dict[str, str] = {}
        self._send: dict[str, None] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            data = path.read_bytes() if path.exists() else b""
            whole = data[: data.rfind(b"\n") + 1]
            if len(whole) < len(data):
                os.truncate(path, len(whole))
        except OSError as error:
            raise _cannot(path, error) from error
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                self._take(msgspec.json.decode(line, type=Entry))
            except msgspec.MsgspecError as error:
                raise StoreError(
                    f"is no line of a watch ({error}); delete the line to go on without it",
                    path=str(path),
                    line=number,
                ) from error

    def append(self, entry: Entry) -> None:
        """Write one line to the disk; when this returns, killing the process does not lose it.

        Raises:
            StoreError: The disk is full or fails.
        """
        with self._guard:
            try:
                with self._path.open("ab") as file:
                    file.write(msgspec.json.encode(entry) + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise _cannot(self._path, error) from error
            self._take(entry)

    def knows(self, path: Path, signature: Signature, *, asked: str) -> bool:
        """Whether a folder with these files was asked all this."""
        found = self.checked.get(str(path))
        return found is not None and found.signature == signature and found.same(found.fingerprint, asked)

    def undelivered(self, webhook: str) -> list[WatchEvent]:
        """What a webhook has yet to get, oldest first; not what this very one refused.

        Args:
            webhook: Hash of its address.
        """
        with self._guard:
            return [self.events[one] for one in self._send if self.refused.get(one) != webhook]

    def _take(self, entry: Entry) -> None:
        if entry.checkpoint is not None:
            self.checked[entry.checkpoint.path] = entry.checkpoint
            self.pending.add(entry.checkpoint.series)
        if entry.looked:
            self.pending.discard(entry.series)
        if entry.look:
            self.looks[entry.series] = entry.look
        for event in entry.events:
            self.events[event.id] = event
            if entry.send and event.kind != "checkpoint":
                self._send[event.id] = None
        if entry.delivered:
            self._send.pop(entry.delivered, None)
            self.refused.pop(entry.delivered, None)
        if entry.refused:
            self.refused[entry.refused] = entry.by


def _cannot(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"the watch's journal failed ({error.strerror or error}); free some space or choose another --store, "
        "then start the watch again",
        path=str(path),
    )
