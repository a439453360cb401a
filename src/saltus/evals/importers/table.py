"""Reads tables (CSV), long ones with a score a row or wide ones with a column a task; see `mapping.py`.

A row that cannot be right is left out and named with its line; the other rows go in.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import msgspec

from saltus.evals.importers.mapping import Layout, Mapping, layout, read_mapping
from saltus.evals.importers.parsed import Job, Parsed, Source, broken_job
from saltus.evals.importers.table_rows import AXES, CHECKPOINT, EMPTY, RowReader
from saltus.records.errors import InputError
from saltus.records.evidence import ModelRecord
from saltus.records.ids import content_hash

STRETCH = 50_000  # rows that are held in memory at once
_CHUNK = 1 << 20
_SUFFIXES = (".csv", ".tsv", ".txt")


def jobs(paths: Sequence[Path], mapping: Any) -> list[Job]:
    """One job a file; a folder gives its *.csv and *.tsv files."""
    chosen = read_mapping(mapping)
    found: list[Job] = []
    for path in paths:
        if path.is_dir():
            files = sorted(
                file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES and file.is_file()
            )
            if not files:
                found.append(
                    broken_job(path, "holds no *.csv or *.tsv file; name the file or another folder")
                )
            found += [Job(file, partial(open_table, file, chosen)) for file in files]
        else:
            found.append(Job(path, partial(open_table, path, chosen)))
    return found


def open_table(path: Path, mapping: Mapping) -> Source:
    """Hash a table and make sure that it is text.

    Raises:
        InputError: It cannot be read, is empty or is not UTF-8.
    """
    content = _scan(path)
    return Source(
        run=content_hash([content, "csv", msgspec.to_builtins(mapping)]),
        path=str(path),
        format="csv",
        content=content,
        config={"mapping": msgspec.to_builtins(mapping)} if mapping != Mapping() else {},
        parse=lambda: _parse(path, mapping, content_hash([content, "csv", msgspec.to_builtins(mapping)])),
        row_wise=True,
        family=path.stem,
    )


def read_models(path: Path) -> Iterator[ModelRecord]:
    """What a CSV says of models; for `--axis-from`.

    Raises:
        InputError: It cannot be read, has no column for the model or none for an axis, or a cell is wrong.
    """
    _scan(path)
    with _opened(path) as stream:
        dialect = _Dialect.of(stream, path)
        rows = dialect.rows(stream)
        _, header = next(rows)
        fields = layout(header, Mapping(), path=str(path), required=("model",)).fields
        if not fields.keys() & {*AXES, "date"}:
            raise InputError(
                f"says nothing of scale; its columns are {', '.join(header)}; name one params, tokens, "
                "flops, step, loss "
                "or date",
                path=str(path),
                line=1,
            )
        reader = RowReader(path, "", Layout(fields), dialect.comma, {})
        for line, row in rows:
            try:
                record = reader.model(row)
            except InputError as error:
                raise InputError(error.message, path=str(path), line=line, field=error.field) from error
            yield msgspec.structs.replace(record, source=path.name)


@dataclass(frozen=True)
class _Dialect:
    delimiter: str
    comma: bool  # numbers may be written 0,25

    @classmethod
    def of(cls, stream: TextIO, path: Path) -> _Dialect:
        first = stream.readline()
        stream.seek(0)
        outside = "".join(first.split('"')[::2])
        delimiter = max(",;\t", key=outside.count)
        if not outside.strip(' \t\r\n",;'):
            raise InputError(
                "has no header in its first line; write the names of the columns there",
                path=str(path),
                line=1,
            )
        return cls(delimiter, comma=delimiter != ",")

    def rows(self, stream: TextIO) -> Iterator[tuple[int, list[str]]]:
        """Rows that are not empty, the header first, each with the line where it begins."""
        reader = csv.reader(stream, delimiter=self.delimiter)
        line = 1
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1


def _parse(path: Path, mapping: Mapping, run: str) -> Iterator[Parsed]:
    with _opened(path) as stream:
        dialect = _Dialect.of(stream, path)
        header = next(dialect.rows(stream))[1]
        plan = layout(header, mapping, path=str(path))
    checkpoints = _checkpoints(path, plan, dialect)
    reader = RowReader(path, run, plan, dialect.comma, checkpoints)
    with _opened(path) as stream:
        rows = dialect.rows(stream)
        next(rows)
        number = 0
        while True:
            line = -1
            try:
                for line, row in rows:
                    number += 1
                    reader.take(line, row, len(header))
                    if number % STRETCH == 0:
                        break
                else:
                    break
            except csv.Error as error:
                reader.fail(
                    line + 1, f"cannot be read as CSV from here on ({error}); mend the quotes in this line"
                )
                break
            yield reader.give()
    if not number and not reader.parsed.failed:
        raise InputError("has a header and no rows; export it again", path=str(path), line=1)
    yield reader.give(last=True)


def _checkpoints(path: Path, plan: Layout, dialect: _Dialect) -> dict[str, str]:
    """Models that have several checkpoints without a step, and the field that tells them apart."""
    if "step" in plan.fields or not plan.fields.keys() & set(CHECKPOINT):
        return {}
    places = {name: plan.fields[name].place for name in ("model", *CHECKPOINT) if name in plan.fields}
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    with _opened(path) as stream:
        try:
            for _, row in dialect.rows(stream):
                cells = {name: row[i].strip() for name, i in places.items() if i is not None and i < len(row)}
                values = seen[cells.pop("model", "")]
                for name, cell in cells.items():
                    if len(values[name]) < 2 and cell.lower() not in EMPTY:
                        values[name].add(cell)
        except csv.Error:
            pass  # the reading proper names the line
    found = {}
    for model, values in seen.items():
        several = [name for name in CHECKPOINT if len(values[name]) > 1]
        if several:
            found[model] = several[0]
    return found


def _opened(path: Path) -> TextIO:
    return path.open(encoding="utf-8-sig", newline="")


def _scan(path: Path) -> str:
    """Hash a file and make sure that all of it is UTF-8."""
    digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    lines, size = 1, 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                digest.update(chunk)
                decoder.decode(chunk)
                lines += chunk.count(b"\n")
        decoder.decode(b"", final=True)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); check the path", path=str(path)) from error
    except UnicodeDecodeError as error:
        line = lines + error.object[: error.start].count(b"\n")
        raise InputError(
            f"is not UTF-8 text (byte 0x{error.object[error.start]:02x}); save it as CSV in UTF-8",
            path=str(path),
            line=line,
        ) from error
    if not size:
        raise InputError("is empty; export the table again", path=str(path))
    return digest.hexdigest()[:32]
