"""Reads zip archives whose entries are stored, deflated or compressed with Zstandard.

Recent Inspect logs use Zstandard, which Python's own `zipfile` knows only from 3.14 on.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from types import TracebackType

from saltus.records.errors import InputError

_ZSTANDARD = 93
_LOCAL_HEADER = 30


class Archive:
    """An open archive; where a name occurs twice, the later entry counts.

    Args:
        path: The file.

    Raises:
        InputError: It cannot be read or is no whole zip archive.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise InputError(
                f"cannot be read ({error.strerror}); check the path and its permissions", path=str(path)
            ) from error
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise InputError(
                f"is no whole zip archive ({error}); copy the file again or evaluate again", path=str(path)
            ) from error

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    @property
    def names(self) -> list[str]:
        """Each name once, in the order of the archive."""
        return list(dict.fromkeys(self._zip.namelist()))

    def read(self, name: str) -> bytes:
        """The content of one entry.

        Raises:
            InputError: It is damaged, encrypted or compressed in another way.
        """
        try:
            info = self._zip.getinfo(name)
            if info.compress_type != _ZSTANDARD:
                return self._zip.read(name)
            data = _zstandard(self._raw(info))
            if zlib.crc32(data) != info.CRC:
                raise zipfile.BadZipFile("its checksum is wrong")
        except (
            zipfile.BadZipFile,
            zlib.error,
            NotImplementedError,
            RuntimeError,
            EOFError,
            OSError,
        ) as error:
            raise InputError(
                f"{name} in the archive cannot be read ({error}); copy the file again", path=str(self._path)
            ) from error
        return data

    def _raw(self, info: zipfile.ZipInfo) -> bytes:
        with self._path.open("rb") as file:
            file.seek(info.header_offset)
            header = file.read(_LOCAL_HEADER)
            if header[:4] != b"PK\x03\x04":
                raise zipfile.BadZipFile("its header is damaged")
            skipped = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            file.seek(skipped, 1)
            return file.read(info.compress_size)


def _zstandard(data: bytes) -> bytes:
    import pyarrow as pa

    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        content: bytes = stream.read()
    return content
