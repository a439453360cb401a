"""From rows to record batches: structs or Arrow in, batches with exactly the lake's columns out.

A row that is wrong is refused here, before a byte is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from saltus.records.arrow import TABLES
from saltus.records.errors import InputError, UsageError
from saltus.records.evidence import Aggregate, ModelRecord, Response, RunRecord, Sample, Score
from saltus.records.explanations import Effect
from saltus.store.columns import column

Record: TypeAlias = ModelRecord | RunRecord | Sample | Response | Score | Aggregate | Effect
Rows: TypeAlias = Sequence[Record] | Iterable[Record] | pa.Table | pa.RecordBatch

STRUCTS: dict[str, type[msgspec.Struct]] = {
    "models": ModelRecord,
    "runs": RunRecord,
    "samples": Sample,
    "responses": Response,
    "scores": Score,
    "aggregates": Aggregate,
    "effects": Effect,
}
CHUNK = 65_536
_STRUCTS_AT_ONCE = 8_192  # a struct takes ten times the room of its row


def schema_of(table: str) -> pa.Schema:
    """The columns of one table.

    Raises:
        UsageError: There is no such table.
    """
    if table not in TABLES:
        raise UsageError(f"no table is called {table!r}; the store has {', '.join(TABLES)}", field="table")
    return TABLES[table]


def batches(table: str, rows: Rows) -> Iterator[pa.Table]:
    """Give the rows as Arrow tables of the lake's schema, a chunk at a time.

    Args:
        table: Name of the table.
        rows: Structs of the table's type, or Arrow data; columns that it leaves out get their default.

    Raises:
        InputError: A row has the wrong type, lacks what every row must have, or scores NaN.
    """
    schema = schema_of(table)
    if isinstance(rows, pa.RecordBatch):
        rows = pa.Table.from_batches([rows])
    if isinstance(rows, pa.Table):
        for start in range(0, rows.num_rows, 16 * CHUNK):
            yield _checked(table, _from_arrow(table, schema, rows.slice(start, 16 * CHUNK)), start)
        return
    structs = iter(rows)
    start = 0
    while chunk := list(islice(structs, _STRUCTS_AT_ONCE)):
        yield _checked(table, _from_structs(table, schema, chunk, start), start)
        start += len(chunk)


def _from_structs(table: str, schema: pa.Schema, chunk: list[Any], start: int) -> pa.Table:
    expected = STRUCTS[table]
    for number, row in enumerate(chunk, start):
        if type(row) is not expected:
            raise InputError(
                f"row {number} for {table} is a {type(row).__name__}; give {expected.__name__} structs or "
                "Arrow data"
            )
    arrays = []
    for field in schema:
        try:
            arrays.append(column(_column(chunk, field.name), field.type))
        except (ValueError, TypeError, OverflowError) as error:  # Arrow's own are of these kinds
            raise InputError(
                f"column {field.name} of {table} cannot be stored as {field.type}: {error}", field=field.name
            ) from error
    return pa.Table.from_arrays(arrays, schema=schema)


def _column(chunk: list[Any], name: str) -> list[Any]:
    match name:
        case "prompt_tokens":
            return [row.usage[0] for row in chunk]
        case "completion_tokens":
            return [row.usage[1] for row in chunk]
        case "slices":
            return [row.slices for row in chunk]
        case "extra" | "tool_calls":
            encode = msgspec.json.Encoder(order="deterministic").encode
            return [encode(value).decode() if (value := getattr(row, name)) else "" for row in chunk]
        case _:
            return [getattr(row, name) for row in chunk]


def _from_arrow(table: str, schema: pa.Schema, given: pa.Table) -> pa.Table:
    unknown = [name for name in given.column_names if name not in schema.names]
    if unknown:
        raise InputError(
            f"{table} has no column {unknown[0]!r}; its columns are {', '.join(schema.names)}",
            field=unknown[0],
        )
    defaults = _defaults(table)
    columns = []
    for field in schema:
        default = defaults.get(field.name)
        if field.name not in given.column_names:
            columns.append(pa.repeat(pa.scalar(default, type=field.type), given.num_rows))
            continue
        try:
            column = given.column(field.name).cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(
                f"column {field.name} of {table} has the type {given.schema.field(field.name).type} and "
                f"cannot be stored as {field.type}: {error}",
                field=field.name,
            ) from error
        columns.append(pc.fill_null(column, default) if default is not None and column.null_count else column)
    return pa.Table.from_arrays(columns, schema=schema)


def _defaults(table: str) -> dict[str, Any]:
    """What a missing scalar stands for, as the structs say it."""
    found = {
        field.name: field.default
        for field in msgspec.structs.fields(STRUCTS[table])
        if isinstance(field.default, (str, int, float))
    }
    match table:
        case "responses":
            return found | {"prompt_tokens": 0, "completion_tokens": 0, "tool_calls": ""}
        case "samples":
            return found | {"extra": ""}
    return found


def _required(table: str) -> list[str]:
    names = [field.name for field in msgspec.structs.fields(STRUCTS[table]) if field.required]
    return ["id", *names] if table == "models" else names


def _checked(table: str, rows: pa.Table, start: int) -> pa.Table:
    for name in _required(table):
        if rows.column(name).null_count:
            number = start + pc.index(pc.is_null(rows.column(name)), True).as_py()
            raise InputError(f"row {number} for {table} has no {name}, and every row needs one", field=name)
    measured = {"scores": "value", "aggregates": "value", "effects": "effect"}.get(table)
    if measured:
        nan = pc.is_nan(rows.column(measured))
        if pc.any(nan).as_py():
            number = start + pc.index(nan, True).as_py()
            raise InputError(
                f"row {number} for {table} has the {measured} NaN, which is no measurement; leave the "
                "row out",
                field=measured,
            )
    return rows
