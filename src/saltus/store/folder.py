"""The store's folder: its marker file, its lock, and operating system errors said in one sentence.

Everything in the store that touches a path starts here; `saltus.store.open` calls `open_folder` first.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from saltus._version import __version__
from saltus.records.errors import StoreError

FORMAT = 1
MARKER = "store.json"


class _Marker(msgspec.Struct, frozen=True):
    """What `store.json` says; fields that a newer version adds are ignored."""

    format: int
    version: str = ""
    created: float = 0.0


def open_folder(path: str | os.PathLike[str], *, create: bool) -> Path:
    """Check that a folder is a store of a known format, or make it one.

    Raises:
        StoreError: It is a file, cannot be made or written, is no store (with `create=False`), or is too new.
    """
    root = Path(path).expanduser().absolute()
    if root.exists() and not root.is_dir():
        raise StoreError("is a file, but a store is a folder; name a folder with --store", path=str(root))
    marker = root / MARKER
    try:
        found = marker.is_file()
        if not found and not create:
            missing = "holds no evidence store" if root.is_dir() else "does not exist"
            raise StoreError(
                f"{missing}; make one with `saltus run` or `saltus import`, or name another one with --store",
                path=str(root),
            )
        if not found:
            root.mkdir(parents=True, exist_ok=True)
            _write_marker(root)
        text = marker.read_bytes()
    except OSError as error:
        raise os_error(error, root, "opening the store") from error
    try:
        known = msgspec.json.decode(text, type=_Marker)
    except msgspec.DecodeError as error:
        raise StoreError(
            f"does not say which format the store has ({error}); write "
            f'{{"format": {FORMAT}}} into it if the folder is a store',
            path=str(marker),
        ) from error
    if known.format > FORMAT:
        raise StoreError(
            f"the store has format {known.format}, written by Saltus {known.version or '(later version)'}, "
            f"and Saltus {__version__} reads up to format {FORMAT}; upgrade with `pip install -U saltus`",
            path=str(root),
        )
    return root


def _write_marker(root: Path) -> None:
    """Write `store.json` whole or not at all; the first of several openers wins."""
    temporary = root / f".{MARKER}-{os.getpid()}-{os.urandom(4).hex()}"
    marker = _Marker(FORMAT, __version__, time.time())
    try:
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(marker) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, root / MARKER)
    finally:
        temporary.unlink(missing_ok=True)


def os_error(error: OSError, path: Path, doing: str) -> StoreError:
    """Say an operating system error as one sentence with its mend."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            message = (
                f"no space left on the disk while {doing}; nothing was added and what was stored before is "
                "whole: free some space and run the same command again"
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            message = f"may not be written ({os.strerror(error.errno)}) while {doing}; choose another --store"
        case errno.ENOTDIR:
            message = f"lies below a file, not a folder, while {doing}; choose another --store"
        case _:
            message = (
                f"failed while {doing} ({error.strerror or error}); check the disk or choose another --store"
            )
    return StoreError(message, path=str(path))


class Lock:
    """One writer at a time over all processes, by `flock`; the kernel frees it when the holder dies.

    The thread that holds it may take it again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.RLock()
        self._depth = 0
        self._fd = -1

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Wait for the lock and hold it for the length of the `with` block."""
        with self._threads:
            if self._depth == 0:
                self._fd = self._take()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    os.close(self._fd)

    def _take(self) -> int:
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise os_error(error, self._path, "taking the store's lock") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except BaseException as error:
            os.close(fd)
            if isinstance(error, OSError):
                raise os_error(error, self._path, "taking the store's lock") from error
            raise
        return fd


@contextmanager
def claimed(folder: Path, name: str) -> Iterator[None]:
    """Hold a name, by a lock that the kernel frees when the holder dies.

    Raises:
        StoreError: Somebody holds it.
    """
    try:
        folder.mkdir(exist_ok=True)
        fd = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise os_error(error, folder, "claiming a run") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.write(fd, str(os.getpid()).encode())
        yield
    except BlockingIOError as error:
        holder = os.read(fd, 20).decode(errors="replace") or "unknown"
        raise StoreError(
            f"the same run is under way in process {holder}; wait for it, or stop it and run again",
            path=str(folder / name),
        ) from error
    finally:
        os.close(fd)
