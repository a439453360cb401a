"""The response cache: bytes by content hash, shared by processes.

An answer that is put stands in a journal when `put` returns. From there it moves, many at a time, into
compressed blocks in one SQLite file: answers to the same suite resemble each other. A cache can be deleted at
any time; that costs the requests again, and no evidence.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow as pa

from saltus.records.errors import StoreError
from saltus.store.folder import os_error
from saltus.store.journal import KEY_BYTES, Entry, Journal, abandoned

_BATCH = 500  # below the least number of variables that any SQLite allows
_BUSY_SECONDS = 60
_BLOCK_VALUES = 2_048
_BLOCK_BYTES = 4 << 20
_BLOCKS_HELD = 4
_TABLES = """
CREATE TABLE IF NOT EXISTS blocks (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS places (
    key BLOB PRIMARY KEY, block INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL
) WITHOUT ROWID;
"""


class ResponseCache:
    """Values by content hash: one key has one value, the first that is put unless another replaces it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.RLock()
        self._open: sqlite3.Connection | None = None
        # Of a parent: closing a connection after a fork would free its locks.
        self._inherited: list[sqlite3.Connection] = []
        self._pid = 0
        self._journal: Journal | None = None
        self._waiting: dict[bytes, tuple[bytes, bool]] = {}  # in the journal and not yet in a block
        self._waiting_bytes = 0
        self._held: OrderedDict[int, bytes] = OrderedDict()

    def __len__(self) -> int:
        with self._connection() as connection:
            self._settle(connection)
            return int(connection.execute("SELECT count(*) FROM places").fetchone()[0])

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values that are there; keys without one are left out."""
        found: dict[str, bytes] = {}
        wanted = {_digest(key): key for key in keys}
        with self._connection() as connection:
            for digest in wanted.keys() & self._waiting.keys():
                found[wanted.pop(digest)] = self._waiting[digest][0]
            digests = iter(wanted)
            while batch := list(islice(digests, _BATCH)):
                for digest, block, start, length in _places(connection, batch):
                    found[wanted[digest]] = self._block(connection, block)[start : start + length]
        return found

    def put(self, key: str, value: bytes, *, replace: bool = False) -> None:
        """Keep one value. When this returns, killing the process does not lose it.

        Args:
            key: Its content hash.
            value: Any bytes.
            replace: Let it take the place of an earlier value of this key.

        Raises:
            StoreError: The disk is full or fails.
        """
        with self._guard:
            if self._pid != os.getpid():
                self.close()
            digest = _digest(key)
            if digest in self._waiting and not replace:
                return
            try:
                if self._journal is None:
                    self._journal, self._pid = Journal(self._journals), os.getpid()
                self._journal.append(digest, value, replaces=replace)
            except OSError as error:
                raise os_error(error, self._path, "keeping an answer") from error
            self._waiting[digest] = (value, replace)
            self._waiting_bytes += len(value)
            if len(self._waiting) >= _BLOCK_VALUES or self._waiting_bytes >= _BLOCK_BYTES:
                self.settle()

    def put_many(self, items: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> None:
        """Keep values, all of them or (when the disk is full) none."""
        pairs = items.items() if isinstance(items, Mapping) else items
        entries = [(_digest(key), value, False) for key, value in pairs]
        if entries:
            with self._connection() as connection:
                self._settle(connection)
                _write(connection, entries)

    def settle(self) -> None:
        """Move what is in the journal into a block."""
        if self._waiting:
            with self._connection() as connection:
                self._settle(connection)

    def close(self) -> None:
        """Close the files; the next call opens them again."""
        with self._guard:
            if self._pid == os.getpid():
                self.settle()
                if self._open is not None:
                    self._open.close()
                if self._journal is not None:
                    self._journal.close()
            elif self._open is not None:
                self._inherited.append(self._open)
            self._open = self._journal = None
            self._waiting, self._waiting_bytes = {}, 0  # after a fork they are the parent's to settle
            self._held.clear()

    @property
    def _journals(self) -> Path:
        return self._path.with_suffix(".journal")

    def _settle(self, connection: sqlite3.Connection) -> None:
        if not self._waiting or self._journal is None:
            return
        if any(replaces for _, replaces in self._waiting.values()):
            self._held.clear()
        _write(connection, [(key, value, replaces) for key, (value, replaces) in self._waiting.items()])
        self._waiting, self._waiting_bytes = {}, 0
        self._journal.clear()

    def _block(self, connection: sqlite3.Connection, block: int) -> bytes:
        if block in self._held:
            self._held.move_to_end(block)
            return self._held[block]
        size, data = connection.execute("SELECT size, data FROM blocks WHERE id = ?", [block]).fetchone()
        values: bytes = pa.decompress(data, decompressed_size=size, codec="zstd", asbytes=True)
        self._held[block] = values
        if len(self._held) > _BLOCKS_HELD:
            self._held.popitem(last=False)
        return values

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            try:
                if self._pid != os.getpid():
                    self.close()
                if self._open is None:
                    self._open, self._pid = _connect(self._path), os.getpid()
                    self._adopt(self._open)
                yield self._open
            except (sqlite3.Error, pa.ArrowException) as error:
                full = "full" in str(error)
                mend = "free some space and run again" if full else "delete the file, it only saves time"
                raise StoreError(
                    f"the response cache failed ({error}); {mend}", path=str(self._path)
                ) from error

    def _adopt(self, connection: sqlite3.Connection) -> None:
        """Take over what processes that were killed had in their journals."""
        try:
            for path, entries in abandoned(self._journals):
                if entries:
                    _write(connection, entries)
                path.unlink(missing_ok=True)
        except OSError as error:
            raise os_error(error, self._journals, "reading the journals of earlier runs") from error


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=KEY_BYTES).digest()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _places(connection: sqlite3.Connection, digests: Sequence[bytes]) -> list[tuple[bytes, int, int, int]]:
    marks = ", ".join("?" * len(digests))
    query = f"SELECT key, block, start, length FROM places WHERE key IN ({marks}) ORDER BY block"  # noqa: S608 - only marks
    return connection.execute(query, digests).fetchall()


def _write(connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Add entries in one transaction; those whose key is there are left out unless they replace."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        there: set[bytes] = set()
        for at in range(0, len(entries), _BATCH):
            there.update(
                row[0] for row in _places(connection, [key for key, _, _ in entries[at : at + _BATCH]])
            )
        fresh = {key: value for key, value, replaces in entries if replaces or key not in there}
        values = iter(fresh.items())
        while block := list(islice(values, _BLOCK_VALUES)):
            data = b"".join(value for _, value in block)
            packed = pa.compress(data, codec="zstd", asbytes=True)
            cursor = connection.execute("INSERT INTO blocks (size, data) VALUES (?, ?)", [len(data), packed])
            start, rows = 0, []
            for key, value in block:
                rows.append((key, cursor.lastrowid, start, len(value)))
                start += len(value)
            connection.executemany("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?)", rows)
