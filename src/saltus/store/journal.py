"""The cache's journal: each answer is in the kernel's hands before anything is made of it.

A frame is appended by one `write`, so a process that is killed loses at most the answer it was about to
write. What a dead process left is found by its lock being free.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

KEY_BYTES = 16
_HEAD = struct.Struct(f"<II?{KEY_BYTES}s")  # bytes of the value, CRC-32 of key and value, replaces, key

Entry: TypeAlias = tuple[bytes, bytes, bool]  # key, value, whether it replaces an earlier value


class Journal:
    """An append-only file that belongs to this process while it is open.

    Args:
        folder: Where journals lie; made when it is missing.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            self.path = folder / f"{os.getpid()}-{os.urandom(6).hex()}.log"
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(self.path, flags, 0o666)
            fcntl.flock(self._fd, fcntl.LOCK_EX)  # tells `abandoned` that the writer lives
            if os.fstat(self._fd).st_nlink:
                break
            os.close(
                self._fd
            )  # between the two calls another process took it for a dead one's and removed it
        self._size = 0

    def append(self, key: bytes, value: bytes, *, replaces: bool = False) -> None:
        """Write one entry; when this returns, killing the process does not lose it."""
        frame = _HEAD.pack(len(value), zlib.crc32(value, zlib.crc32(key)), replaces, key) + value
        try:
            written = os.write(self._fd, frame)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        if written < len(frame):  # the disk is full; the next write says so
            os.ftruncate(self._fd, self._size)
            raise OSError(28, os.strerror(28))
        self._size += written

    def clear(self) -> None:
        """Forget all entries; they stand elsewhere now."""
        os.ftruncate(self._fd, 0)
        self._size = 0

    def close(self) -> None:
        """Remove the file when it is empty and let it go."""
        if self._size == 0:
            self.path.unlink(missing_ok=True)
        os.close(self._fd)


def abandoned(folder: Path) -> Iterator[tuple[Path, list[Entry]]]:
    """The journals of processes that are gone, each held while the caller looks at it.

    The caller unlinks a path when its entries are safe.
    """
    for path in sorted(folder.glob("*.log")):
        with suppress(FileNotFoundError):  # another process was faster
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield path, list(_entries(os.read(fd, os.fstat(fd).st_size)))
            except BlockingIOError:
                continue  # its writer lives
            finally:
                os.close(fd)


def _entries(data: bytes) -> Iterator[Entry]:
    """Whole frames; the first that is torn ends the journal, as it was being written when its writer died."""
    at = 0
    while at + _HEAD.size <= len(data):
        length, check, replaces, key = _HEAD.unpack_from(data, at)
        start, at = at + _HEAD.size, at + _HEAD.size + length
        value = data[start:at]
        if len(value) < length or zlib.crc32(value, zlib.crc32(key)) != check:
            return
        yield key, value, replaces
