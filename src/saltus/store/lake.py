"""The lake: immutable Parquet parts, each of which appears whole or not at all.

A part is written to a hidden name in its own folder, synced, and linked to its final name. Readers see final
names only. A writer holds a lock on its hidden file while it lives, so what a dead one left can be swept.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from saltus.records.arrow import TABLES
from saltus.records.errors import StoreError, UsageError
from saltus.store.columns import column
from saltus.store.folder import Lock, os_error
from saltus.store.rows import Rows, batches, schema_of

ROW_GROUP = 131_072
_ROW_GROUP_BYTES = 16 << 20  # texts make rows of any size
STAMP = "_added"
STAMPED = ("models", "runs", "samples")  # facts that may be stated again: the latest statement wins
_SETTLED_SECONDS = 60.0
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+=-]{0,199}")
_HIDDEN = ".tmp-"


class Lake:
    """The parts of all tables below one folder."""

    def __init__(self, root: Path, lock: Lock) -> None:
        self.root = root
        self._lock = lock

    def parts(self, table: str) -> list[Path]:
        """Every whole part of a table, sorted by name."""
        folder = self.root / table
        try:
            names = sorted(name for name in os.listdir(folder) if _is_part(name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise os_error(error, folder, "listing the parts") from error
        return [folder / name for name in names]

    def has_part(self, table: str, part: str) -> bool:
        """Whether a part of this name is there."""
        return self._place(table, part).exists()

    def drop(self, table: str, part: str) -> None:
        """Remove one part."""
        self._place(table, part).unlink(missing_ok=True)

    def writer(self, table: str, part: str | None = None) -> PartWriter:
        """A writer for one part; see `PartWriter`."""
        return PartWriter(
            self._place(table, part or _fresh_name()), table, self._lock, keep_empty=part is not None
        )

    def append(self, table: str, rows: Rows, part: str | None = None) -> int:
        """Write one part; 0 when a part of that name is already there or there are no rows."""
        if part is not None and self.has_part(table, part):
            return 0
        with self.writer(table, part) as writer:
            writer.write(rows)
        return writer.added

    def sweep(self) -> None:
        """Remove what dead writers left behind."""
        for table in TABLES:
            for leftover in (self.root / table).glob(f"{_HIDDEN}*"):
                _remove_if_dead(leftover)

    def broken(self) -> tuple[Path, str] | None:
        """Read every part and name the first that cannot be read, with the reason."""
        for table in TABLES:
            for path in self.parts(table):
                try:
                    with pq.ParquetFile(path) as file:
                        for group in range(file.num_row_groups):
                            file.read_row_group(group)
                except (pa.ArrowException, OSError) as error:
                    return path, str(error).splitlines()[0]
        return None

    def _place(self, table: str, part: str) -> Path:
        schema_of(table)
        if not _PART.fullmatch(part):
            raise UsageError(
                f"a part cannot be called {part!r}; use at most 200 letters, digits and ._@+=-", field="part"
            )
        return self.root / table / f"{part}.parquet"


class PartWriter:
    """Writes one part in bounded memory; it is visible when the `with` block has ended, if it ended well.

    Attributes:
        added: Rows that became visible: 0 before the end, and 0 when a part of the same name was there first.
    """

    def __init__(self, place: Path, table: str, lock: Lock, *, keep_empty: bool = False) -> None:
        self.added = 0
        self._place = place
        self._table = table
        self._lock = lock
        self._keep_empty = keep_empty  # a part that was named on purpose answers `has_part` even without rows
        schema = schema_of(table)
        self._schema = schema.append(pa.field(STAMP, pa.int64())) if table in STAMPED else schema
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._fd = -1

    def __enter__(self) -> PartWriter:
        self._guard(self._start)
        return self

    def write(self, rows: Rows) -> None:
        """Add rows: structs, a table or a record batch.

        Raises:
            InputError: A row does not fit the table.
            StoreError: The disk is full or fails.
        """
        for chunk in batches(self._table, rows):
            self._waiting.append(self._stamped(chunk))
            self._rows += chunk.num_rows
            if self._is_row_group():
                self._guard(self._flush)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and (self._rows or self._keep_empty):
                self._guard(self._finish)
        finally:
            self._discard()

    def _start(self) -> None:
        folder = self._place.parent
        folder.mkdir(parents=True, exist_ok=True)
        self._hidden = folder / f"{_HIDDEN}{_fresh_name()}"
        self._fd = os.open(self._hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        fcntl.flock(self._fd, fcntl.LOCK_EX)  # tells `sweep` that the writer lives
        self._sink = pa.OSFile(str(self._hidden), "wb")
        self._parquet = pq.ParquetWriter(self._sink, self._schema, compression="zstd")

    def _stamped(self, chunk: pa.Table) -> pa.Table:
        if self._table not in STAMPED:
            return chunk
        first = time.time_ns() + self._rows  # later rows of one part count as later statements
        return chunk.append_column(STAMP, column(range(first, first + chunk.num_rows), pa.int64()))

    def _flush(self) -> None:
        if self._waiting:
            self._parquet.write_table(pa.concat_tables(self._waiting), row_group_size=ROW_GROUP)
            self._waiting = []

    def _is_row_group(self) -> bool:
        return bool(
            sum(table.num_rows for table in self._waiting) >= ROW_GROUP
            or sum(table.nbytes for table in self._waiting) >= _ROW_GROUP_BYTES
        )

    def _finish(self) -> None:
        self._flush()
        self._parquet.close()
        self._sink.close()
        os.fsync(self._fd)
        if _publish(self._hidden, self._place, self._lock):
            self.added = self._rows

    def _discard(self) -> None:
        """Close what is open and remove the hidden file, whatever happened before."""
        if self._fd < 0:
            return
        if hasattr(self, "_parquet"):
            for close in (self._parquet.close, self._sink.close):
                # The error that brought us here is on its way already; on a full disk closing fails again.
                with suppress(OSError, pa.ArrowException, ValueError):
                    close()
        self._hidden.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd = -1

    def _guard(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            self._discard()
            raise os_error(error, self._place.parent, f"appending to {self._table}") from error


def _publish(hidden: Path, place: Path, lock: Lock) -> bool:
    """Give a whole file its final name, unless that name is taken."""
    try:
        os.link(hidden, place)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        with lock():  # a file system without hard links: look and rename while nobody else may
            if place.exists():
                return False
            os.rename(hidden, place)
    folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def _remove_if_dead(leftover: Path) -> None:
    try:
        if time.time() - leftover.stat().st_mtime < _SETTLED_SECONDS:
            return  # it may have been made a moment ago and not be locked yet
        fd = os.open(leftover, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return  # gone already, or on a disk that may only be read: not ours to remove
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        leftover.unlink(missing_ok=True)
    except OSError:
        return  # its writer lives
    finally:
        os.close(fd)


def _is_part(name: str) -> bool:
    return name.endswith(".parquet") and not name.startswith(".")


def _fresh_name() -> str:
    """A name that is unique and sorts by time."""
    return f"{time.time_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}"


def unreadable(path: Path, reason: str) -> StoreError:
    """The sentence for a part that cannot be read."""
    return StoreError(
        f"this part cannot be read ({reason.rstrip('.')}); rename it to {path.name}.broken and run or import "
        "again what it held",
        path=str(path),
    )
