"""Where items come from: files of items, read anew each time and row by row, so that none is held.

JSON lines, JSON lists, CSV, TSV and Parquet, each of them plain or packed with gzip or zstd, one or many;
items written into the suite; and, through `hub`, Hugging Face datasets.
"""

from __future__ import annotations

import csv
import glob
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from saltus.records.errors import InputError
from saltus.records.ids import content_hash
from saltus.tasks.suites.json_list import list_items
from saltus.tasks.suites.marked import Document
from saltus.tasks.suites.problems import Fault, did_you_mean, shown
from saltus.tasks.suites.schema import Items

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
_PACKED = (".gz", ".zst")
_CHUNK = 1 << 18
_BROKEN = (OSError, EOFError, ValueError, zlib.error)  # ValueError: Arrow's own, and text that is not UTF-8
_MARK = b"\xef\xbb\xbf"  # that some editors put before UTF-8


class Part(Protocol):
    """One file of items, or one list of them.

    Attributes:
        path: Its name, for errors.
        unit: What `rows` counts: "line" or "row".
        encoded: Whether rows are JSON text; they are mappings otherwise.
        lax: Whether all values are text (CSV), so that numbers and lists have to be read out of them.
        foreign: Whether it may have columns that mean nothing here, as a table has.
    """

    path: str
    unit: str
    encoded: bool
    lax: bool
    foreign: bool

    def rows(self) -> Iterator[tuple[int, Any]]:
        """Each item with its line or row, counted from 1.

        Raises:
            InputError: The file cannot be read, or has changed since the suite was.
        """
        ...

    def digest(self) -> str:
        """Hash of the content."""
        ...


def item_format(path: str | Path) -> str:
    """The format of a file of items by its name; empty when it has none of them."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return FORMATS.get(suffixes[-1], "") if suffixes else ""


def open_source(
    items: Items, document: Document, where: Sequence[str | int], *, split: str = "", config: str = ""
) -> tuple[Part, ...]:
    """Find the items that a suite names; nothing is read but for their names.

    Args:
        items: What stands in the suite.
        document: The suite's file; names in it start from its folder.
        where: The key in that file.
        split: Of an hf: source.
        config: Of an hf: source.

    Raises:
        Fault: A file is not there, or of no known format.
        MissingExtraError: An hf: source without the extra `datasets`.
    """
    folder = Path(document.path).parent
    if not isinstance(items, list):
        return _named(items, folder, split, config)
    if not items:
        raise Fault("items is an empty list; name a file, or write the items", "items")
    inline = [isinstance(item, dict) for item in items]
    if all(inline):
        return (InlinePart(items, document, tuple(where)),)
    if any(inline):
        raise Fault("items mixes file names and items; write either names or items", "items")
    return tuple(part for item in items for part in _named(str(item), folder, split, config))


def digest_of(parts: Sequence[Part]) -> str:
    """Hash of all content, in order; that of the file itself where there is one."""
    digests = [part.digest() for part in parts]
    return digests[0] if len(digests) == 1 else content_hash(digests)


class FilePart:
    """A file of items.

    Args:
        path: The file.
        kind: One of the values of `FORMATS`.
    """

    unit = "line"

    def __init__(self, path: Path, kind: str) -> None:
        self.path = str(path)
        self._kind = kind
        self.encoded = kind == "jsonl"
        self.lax = kind == "csv"
        self.foreign = kind in ("csv", "parquet")
        if kind == "parquet":
            self.unit = "row"
        self._stamp = self._state()

    def rows(self) -> Iterator[tuple[int, Any]]:
        """Each item with its line or row, counted from 1."""
        if self._state() != self._stamp:
            raise InputError(
                "this file has changed since the suite was read; read the suite again", path=self.path
            )
        match self._kind:
            case "jsonl":
                return self._json_lines()
            case "json":
                return self._json_list()
            case "csv":
                return self._csv()
            case _:
                return self._parquet()

    def digest(self) -> str:
        """SHA-256 of the unpacked content, so that packing a file anew changes nothing."""
        found = hashlib.sha256()
        try:
            with self._open() as file:
                while chunk := file.read(_CHUNK):
                    found.update(chunk)
        except _BROKEN as error:
            raise self._unreadable(error) from error
        return found.hexdigest()[:32]

    def _state(self) -> tuple[int, int]:
        try:
            state = Path(self.path).stat()
        except OSError as error:
            raise self._unreadable(error) from error
        return state.st_size, state.st_mtime_ns

    def _open(self) -> BinaryIO:
        match Path(self.path).suffix.lower():
            case ".gz":
                return io.BufferedReader(gzip.open(self.path))
            case ".zst":
                import pyarrow as pa

                return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(self.path), "zstd"))
            case _:
                return Path(self.path).open("rb")

    def _json_lines(self) -> Iterator[tuple[int, bytes]]:
        try:
            with self._open() as file:
                for number, line in enumerate(file, 1):
                    if not line.isspace():
                        yield number, line if number > 1 else line.removeprefix(_MARK)
        except _BROKEN as error:
            raise self._unreadable(error) from error

    def _json_list(self) -> Iterator[tuple[int, Any]]:
        try:
            with io.TextIOWrapper(self._open(), encoding="utf-8-sig") as text:
                yield from list_items(text, self.path)
        except _BROKEN as error:
            raise self._unreadable(error) from error

    def _csv(self) -> Iterator[tuple[int, dict[str, str]]]:
        delimiter = "\t" if ".tsv" in Path(self.path.lower()).suffixes else ","
        before = 1
        try:
            with io.TextIOWrapper(self._open(), encoding="utf-8-sig", newline="") as text:
                reader = csv.reader(text, delimiter=delimiter, strict=True)
                header = next(reader, [])
                self._check_header(header)
                before = reader.line_num + 1
                for cells in reader:
                    if cells and len(cells) != len(header):
                        raise InputError(
                            f"this row has {len(cells)} cells and the header has {len(header)}; quote cells "
                            f"that contain {delimiter!r} or a line break",
                            path=self.path,
                            line=before,
                        )
                    if cells:
                        yield before, dict(zip(header, cells, strict=True))
                    before = reader.line_num + 1
        except _BROKEN as error:
            raise self._unreadable(error) from error
        except csv.Error as error:
            raise InputError(
                f"this is no CSV ({error}); mend the quotes", path=self.path, line=before
            ) from error

    def _check_header(self, header: list[str]) -> None:
        twice = next((name for name in header if header.count(name) > 1), None)
        if twice is not None:
            raise InputError(
                f"two columns are called {twice!r}; rename one", path=self.path, line=1, field=twice
            )

    def _parquet(self) -> Iterator[tuple[int, dict[str, Any]]]:
        from pyarrow import parquet

        try:
            with self._open() as file:
                whole: Any = file if self.path.endswith(".parquet") else io.BytesIO(file.read())
                table = parquet.ParquetFile(whole, pre_buffer=False)
                number = 0
                for batch in table.iter_batches(batch_size=1024):
                    for row in batch.to_pylist():
                        number += 1
                        yield number, row
        except _BROKEN as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> InputError:
        if isinstance(error, FileNotFoundError):
            near = did_you_mean(Path(self.path).name, _neighbours(Path(self.path)))
            reason = f"there is none beside the suite; {near}"
        else:
            reason = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
        return InputError(
            f"this file cannot be read ({reason}); check the path and the format", path=self.path
        )


class InlinePart:
    """Items that are written into the suite file."""

    unit = "line"
    encoded = lax = foreign = False

    def __init__(self, items: Sequence[Any], document: Document, where: Sequence[str | int]) -> None:
        self.path = document.path
        self._items, self._document, self._where = items, document, where

    def rows(self) -> Iterator[tuple[int, Any]]:
        """Each item with its line."""
        for index, item in enumerate(self._items):
            yield self._document.line((*self._where, index)) or index + 1, item

    def digest(self) -> str:
        """Hash of the items."""
        return content_hash(self._items)


def _named(name: str, folder: Path, split: str, config: str) -> tuple[Part, ...]:
    if name.startswith("hf:"):
        from saltus.tasks.suites.hub import hub_part

        return (hub_part(name, folder, split=split, config=config),)
    if split or config:
        raise Fault("split and config belong to hf: sources, and items is a file; remove them", "split")
    paths = [folder / name]
    if glob.has_magic(name) and not paths[0].exists():
        paths = sorted(Path(found) for found in glob.glob(str(folder / name), recursive=True))
        if not paths:
            raise Fault(f"items is {shown(name)}, which no file matches; check the pattern", "items")
    return tuple(_file(path) for path in paths)


def _file(path: Path) -> FilePart:
    kind = item_format(path)
    if not kind:
        endings = ", ".join(FORMATS)
        raise Fault(f"items is {shown(path.name)}, a name that ends in {endings} was expected", "items")
    try:
        return FilePart(path, kind)
    except InputError as error:
        raise Fault(f"items is {shown(path.name)}, {error.message}", "items") from error


def _neighbours(path: Path) -> list[str]:
    try:
        return sorted(found.name for found in path.parent.iterdir() if item_format(found))
    except OSError:
        return []
