"""Local data files as one Arrow table, with the types that Hugging Face `datasets` gives their columns."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from saltus.tasks.suites.problems import Fault, shown

BUILDERS = ("json", "csv", "parquet", "arrow", "text")
LOCAL_OPTIONS = frozenset(("data_files", "field", "sep", "delimiter", "names", "column_names"))
_CHANGED = re.compile(r"Column\(/([^/\[)]+)")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
# What pandas, which `datasets` reads CSV with, takes for a missing value.
_MISSING = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
        *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
_BOOLEANS = {
    "True": True,
    "TRUE": True,
    "true": True,
    "False": False,
    "FALSE": False,
    "false": False,
}


class Table(NamedTuple):
    """Rows of some files.

    Attributes:
        rows: A pyarrow table.
        encoded: Columns that hold JSON text, because their values are of several types.
        digest: Hash of the files.
    """

    rows: Any
    encoded: tuple[str, ...]
    digest: str


def local_files(given: Any, folder: Path) -> dict[str, list[Path]] | None:
    """The files of each split.

    A name is looked up where the harness does, in the working directory, and then beside the task file.

    Args:
        given: `data_files`: a name, a pattern, a list of them, or either by split.
        folder: That of the task file.

    Returns:
        None where they are not on this machine, so that `datasets` has to load them.

    Raises:
        Fault: A file is not there.
    """
    splits = given if isinstance(given, dict) else {"train": given}
    found: dict[str, list[Path]] = {}
    for split, value in splits.items():
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) for name in names):
            raise Fault(f"data_files is {shown(given)}; name a file for each split", "dataset_kwargs")
        if any("://" in name for name in names):
            return None
        found[str(split)] = [path for name in names for path in _find(name, folder)]
    return found


def read_files(builder: str, paths: Sequence[Path], options: Mapping[str, Any]) -> Table:
    """Read files into one table.

    Args:
        builder: One of `BUILDERS`.
        paths: The files, plain or packed with gzip, bzip2 or zstd.
        options: The `field` of JSON, and of CSV the delimiter and the names of the columns.

    Raises:
        Fault: A file cannot be read.
    """
    import pyarrow as pa

    digest = hashlib.sha256()
    tables, encoded = [], []
    for path in paths:
        try:
            with pa.input_stream(str(path), compression="detect") as stream:
                content = stream.read()
            digest.update(content)
            table, mixed = _parse(builder, content, options)
        except Fault:
            raise
        except (
            OSError,
            ValueError,
            TypeError,
            KeyError,
            pa.ArrowException,
            csv.Error,
            RecursionError,
        ) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise Fault(
                f"{path.name} cannot be read as {builder} ({reason}); check the file and dataset_path",
                "dataset_kwargs",
            ) from error
        tables.append(table)
        encoded += mixed
    if len({tuple(name in encoded for name in table.column_names) for table in tables}) > 1:
        raise Fault(
            "a column of data_files holds other types in another file; make them alike", "dataset_kwargs"
        )
    rows = pa.concat_tables(tables, promote_options="permissive")
    return Table(rows, tuple(dict.fromkeys(encoded)), digest.hexdigest()[:32])


def _find(name: str, folder: Path) -> list[Path]:
    for base in (Path(), folder):
        place = base / name
        if place.is_file():
            return [place]
        if glob.has_magic(name):
            matches = sorted(Path(one) for one in glob.glob(str(place), recursive=True))
            if files := [match for match in matches if match.is_file()]:
                return files
    raise Fault(
        f"data_files names {name}, which is neither in the working directory nor beside the task file; check "
        "the path",
        "dataset_kwargs",
    )


def _parse(builder: str, content: bytes, options: Mapping[str, Any]) -> tuple[Any, list[str]]:
    import pyarrow as pa

    match builder:
        case "json":
            return _json(content, options.get("field"))
        case "csv":
            return _csv(content.decode("utf-8-sig"), options), []
        case "parquet":
            from pyarrow import parquet

            return parquet.read_table(pa.BufferReader(content)), []
        case "arrow":
            source = pa.BufferReader(content)
            try:
                return pa.ipc.open_stream(source).read_all(), []
            except pa.ArrowInvalid:
                return pa.ipc.open_file(pa.BufferReader(content)).read_all(), []
        case _:
            lines = content.decode().splitlines()
            return pa.table({"text": pa.array(lines, pa.string())}), []


def _json(content: bytes, field: str | None) -> tuple[Any, list[str]]:
    """JSON lines, or one JSON list, perhaps in a field of one object."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    if field is not None or content.lstrip()[:1] == b"[":
        whole = json.loads(content)
        listed = whole[field] if field is not None else whole
        if not isinstance(listed, list) or not listed:
            raise ValueError(f"a list of items was expected, not {shown(listed)}")
        rows = [row if isinstance(row, dict) else {"text": row} for row in listed]
        content = b"\n".join(json.dumps(row).encode() for row in rows)
    mixed: list[str] = []
    for column in _nested_columns(content):
        mixed.append(column)
        content = _with_text(content, column)
    while True:
        try:
            return _arrow_json(content), mixed
        except ValueError as error:
            found = _CHANGED.search(str(error))
            if found is None or "changed from" not in str(error) or found[1] in mixed:
                raise
            mixed.append(found[1])
            content = _with_text(content, found[1])


def _nested_columns(content: bytes) -> list[str]:
    """Columns with objects that have different keys: `datasets` keeps those as they are."""
    if content.count(b"{") <= content.count(b"\n") + 1:
        return []  # one object a line
    try:
        rows = [json.loads(line) for line in content.splitlines() if line.strip()]
    except ValueError:
        return []  # not JSON lines; Arrow says what is wrong
    names = dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row)
    return [name for name in names if _mixed([row.get(name) for row in rows if isinstance(row, dict)])]


def _mixed(values: Sequence[Any]) -> bool:
    there = [value for value in values if value is not None]
    if all(isinstance(value, list) for value in there):
        return bool(there) and _mixed([part for value in there for part in value])
    if all(isinstance(value, dict) for value in there):
        keys = set(there[0])
        if not keys or any(set(value) != keys for value in there):
            return True
        return any(_mixed([value[key] for value in there]) for key in keys)
    return any(isinstance(value, list | dict) for value in there)


def _arrow_json(content: bytes) -> Any:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    block = min(max(len(content), 1 << 16), (1 << 31) - 1)
    return arrow_json.read_json(
        pa.BufferReader(content), read_options=arrow_json.ReadOptions(block_size=block, use_threads=False)
    )


def _with_text(content: bytes, column: str) -> bytes:
    """The same rows with one column as JSON text."""
    lines = []
    for line in content.splitlines():
        if line.strip():
            row = json.loads(line)
            if row.get(column) is not None:
                row[column] = json.dumps(row[column])
            lines.append(json.dumps(row).encode())
    return b"\n".join(lines)


def _csv(text: str, options: Mapping[str, Any]) -> Any:
    import pyarrow as pa

    separator = options.get("delimiter") or options.get("sep") or ","
    cells = [
        row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if row
    ]
    names = options.get("column_names") or options.get("names")
    if names is None:
        names, cells = (cells[0], cells[1:]) if cells else ([], [])
    for row in cells:
        if len(row) > len(names):
            raise ValueError(f"a row has {len(row)} cells and there are {len(names)} columns: {shown(row)}")
        row.extend([""] * (len(names) - len(row)))
    columns = list(zip(*cells, strict=True)) or [()] * len(names)
    return pa.table({name: _typed(column) for name, column in zip(names, columns, strict=True)})


def _typed(cells: Sequence[str]) -> Any:
    """A column with the type that all its cells have: whole numbers, numbers, booleans, else text."""
    import pyarrow as pa

    there = [cell for cell in cells if cell not in _MISSING]
    whole = len(there) == len(cells)
    stripped = [cell.strip() for cell in there]
    if there and all(_INTEGER.fullmatch(cell) for cell in stripped) and whole:
        return pa.array([int(cell) for cell in cells], pa.int64())
    if there and all(cell in _BOOLEANS for cell in there):
        return pa.array([_BOOLEANS.get(cell) for cell in cells], pa.bool_())
    try:
        numbers = [None if cell in _MISSING else float(cell.strip().replace("_", "x")) for cell in cells]
    except ValueError:
        return pa.array([None if cell in _MISSING else cell for cell in cells], pa.string())
    return pa.array(numbers, pa.float64())
