"""The response cache: bytes by content hash in one SQLite file, shared by processes.

It only saves time. Losing it loses no evidence, so commits are not forced to the disk one by one.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from saltus.records.errors import StoreError

_BATCH = 500  # below the least number of variables that any SQLite allows
_BUSY_SECONDS = 60
_WORTH_TRYING = 128  # bytes; shorter values gain nothing
_PLAIN, _ZLIB = 0, 1
_TABLE = """CREATE TABLE IF NOT EXISTS responses (
    key TEXT PRIMARY KEY, coding INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID"""


class ResponseCache:
    """Values by content hash: one key has one value for ever, so the first that is put stays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.RLock()
        self._open: sqlite3.Connection | None = None
        self._inherited: list[
            sqlite3.Connection
        ] = []  # of a parent: closing one after a fork frees its locks
        self._pid = 0

    def __len__(self) -> int:
        with self._connection() as connection:
            return int(connection.execute("SELECT count(*) FROM responses").fetchone()[0])

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values that are there; keys without one are left out."""
        found: dict[str, bytes] = {}
        wanted = iter(dict.fromkeys(keys))
        with self._connection() as connection:
            while batch := list(islice(wanted, _BATCH)):
                marks = ", ".join("?" * len(batch))
                rows = connection.execute(
                    f"SELECT key, coding, value FROM responses WHERE key IN ({marks})",  # noqa: S608 - only marks
                    batch,
                )
                for key, coding, value in rows:
                    found[key] = zlib.decompress(value) if coding == _ZLIB else bytes(value)
        return found

    def put_many(self, items: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> None:
        """Keep values, all of them or (when the disk is full) none."""
        pairs = items.items() if isinstance(items, Mapping) else items
        rows = [(key, *_coded(value)) for key, value in pairs]
        if not rows:
            return
        with self._connection() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR IGNORE INTO responses VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._guard:
            if self._open is not None and self._pid == os.getpid():
                self._open.close()
            elif self._open is not None:
                self._inherited.append(self._open)
            self._open = None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            try:
                if self._pid != os.getpid():
                    self.close()
                if self._open is None:
                    self._open, self._pid = _connect(self._path), os.getpid()
                yield self._open
            except (sqlite3.Error, zlib.error) as error:
                full = "full" in str(error)
                mend = "free some space and run again" if full else "delete the file, it only saves time"
                raise StoreError(
                    f"the response cache failed ({error}); {mend}", path=str(self._path)
                ) from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_TABLE)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _coded(value: bytes) -> tuple[int, bytes]:
    if len(value) < _WORTH_TRYING:
        return _PLAIN, value
    packed = zlib.compress(value, level=1)
    return (_ZLIB, packed) if len(packed) < 0.9 * len(value) else (_PLAIN, value)
