"""A run as one table, CSV or Parquet, streamed: what pandas and polars open with the right types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from saltus.evals.exporters.entry import Export, Unit
from saltus.evals.exporters.files import whole

_RESPONSES = pa.schema(
    [
        ("run", pa.string()),
        ("model", pa.string()),
        ("task", pa.string()),
        ("sample", pa.string()),
        ("variant", pa.string()),
        ("epoch", pa.int32()),
        ("input", pa.string()),
        ("target", pa.string()),
        ("choices", pa.list_(pa.string())),
        ("answer", pa.int32()),
        ("chance", pa.float64()),
        ("slices", pa.map_(pa.string(), pa.string())),
        ("prompt", pa.string()),
        ("output", pa.string()),
        ("finish", pa.string()),
        ("error", pa.string()),
        ("choice_logprobs", pa.list_(pa.float32())),
        ("logprobs", pa.list_(pa.float32())),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        ("latency", pa.float32()),
        ("cost", pa.float64()),
    ]
)
_SCORE = "score."  # before the metric in the name of its column


def write(export: Export) -> tuple[list[Path], list[str]]:
    """Write the table."""
    tables = _typed(_tables(export))
    first = next(tables)
    with whole(export.output) as hidden:
        if export.format == "csv":
            _write_csv(hidden, first, tables)
        else:
            _write_parquet(hidden, first, tables)
    return [export.output], []


def _tables(export: Export) -> Iterator[pa.Table]:
    """The rows a stretch at a time; at least one table, perhaps without rows, gives the columns."""
    run = export.run["id"]
    match export.table:
        case "points":
            found = export.store.points(run=run, latest=False)
            export.tell(found.num_rows)
            yield found
        case "responses":
            metrics = export.store.sql(
                "SELECT DISTINCT metric FROM scores WHERE run = ? ORDER BY metric", [run]
            )
            names = metrics["metric"].to_pylist()
            schema = pa.schema([*_RESPONSES, *(pa.field(_SCORE + name, pa.float64()) for name in names)])
            yield schema.empty_table()
            for unit in export.units():
                yield from _responses(export, unit, schema)
        case _:
            yield export.store.scores(run=run, task=[]).arrow()
            for batch in export.store.stream_scores(run=run):
                export.tell(batch.num_rows)
                yield pa.Table.from_batches([batch])


def _responses(export: Export, unit: Unit, schema: pa.Schema) -> Iterator[pa.Table]:
    told = {"run": export.run["id"], "model": unit.model, "task": unit.task}
    for found in export.answers(unit):
        scores = _scores(found)
        columns = []
        for field in schema:
            if field.name in told:
                columns.append(pa.repeat(pa.scalar(told[field.name], field.type), found.num_rows))
            elif field.name.startswith(_SCORE):
                columns.append(pc.map_lookup(scores, field.name.removeprefix(_SCORE), "last"))
            else:
                columns.append(found.column(field.name).cast(field.type))
        yield pa.Table.from_arrays(columns, schema=schema)


def _scores(found: pa.Table) -> pa.MapArray:
    """The scores of each response by metric; of a metric that was scored again the later value is last."""
    metrics, values = (found.column(name).combine_chunks() for name in ("metrics", "values"))
    lengths = pc.fill_null(pc.list_value_length(metrics), 0)
    ends = pc.cumulative_sum(lengths.cast(pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    return pa.MapArray.from_arrays(offsets, metrics.flatten(), values.flatten())


def _typed(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Release dates as dates; one that is no date is left empty."""
    for table in tables:
        place = table.schema.get_field_index("released")
        if place < 0:
            yield table
            continue
        text = table.column(place)
        whole_day = pc.match_substring_regex(text, r"^\d{4}-\d{2}-\d{2}$")
        days = pc.cast(pc.if_else(whole_day, text, pa.scalar(None, pa.string())), pa.date32())
        yield table.set_column(place, pa.field("released", pa.date32()), days)


def _write_parquet(path: Path, first: pa.Table, tables: Iterator[pa.Table]) -> None:
    from pyarrow import parquet

    with parquet.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table.cast(first.schema))


def _write_csv(path: Path, first: pa.Table, tables: Iterator[pa.Table]) -> None:
    from pyarrow import csv

    flat = _flat(first)
    with csv.CSVWriter(path, flat.schema) as writer:
        writer.write_table(flat)
        for table in tables:
            writer.write_table(_flat(table).cast(flat.schema))


def _flat(table: pa.Table) -> pa.Table:
    """Lists and maps as JSON text, which CSV can hold."""
    for place, field in enumerate(table.schema):
        if pa.types.is_list(field.type) or pa.types.is_map(field.type):
            as_map = pa.types.is_map(field.type)
            cells = [_json(value, as_map) for value in table.column(place).to_pylist()]
            table = table.set_column(place, field.name, pa.array(cells, pa.string()))
    return table


def _json(value: Any, as_map: bool) -> str | None:
    if not value:
        return None
    return json.dumps(dict(value) if as_map else value, ensure_ascii=False)
