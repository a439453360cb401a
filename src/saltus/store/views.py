"""The views that SQL sees: one row a model, run and sample, however often it was stated, and the tables.

`scores`, `responses`, `aggregates` and `effects` hold every appended row. `models`, `runs` and `samples`
hold the latest statement of each fact; `models_all`, `runs_all` and `samples_all` hold all, with the time
they were appended.
`points` is what `Store.points` gives.
"""
# ruff: noqa: S608 - the names in this SQL are ours

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from saltus.records.arrow import TABLES
from saltus.store import queries
from saltus.store.lake import STAMP, STAMPED


def stored_schema(table: str) -> pa.Schema:
    """The columns of a part: those of its table and, where facts may be stated again, the time they were."""
    schema = TABLES[table]
    return schema.append(pa.field(STAMP, pa.int64())) if table in STAMPED else schema


def statements(*, clusters: bool = False) -> Iterator[str]:
    """SQL that builds the public views over relations called `_parts_TABLE`.

    Args:
        clusters: Some samples say what they belong to, which the errors of `points` count.
    """
    for table, schema in TABLES.items():
        columns = ", ".join(_quoted(name) for name in schema.names)
        if table not in STAMPED:
            yield f"CREATE OR REPLACE VIEW {table} AS SELECT {columns} FROM _parts_{table}"
            continue
        yield f"CREATE OR REPLACE VIEW {table}_all AS SELECT {columns}, {STAMP} FROM _parts_{table}"
        yield f"CREATE OR REPLACE VIEW {table} AS {_latest(table, schema)}"
    points, _ = queries.points({}, latest=True, epochs=True, clusters=clusters)
    yield f"CREATE OR REPLACE VIEW points AS {points}"


def _latest(table: str, schema: pa.Schema) -> str:
    if table == "models":  # each column apart, so that a later statement fills in and does not wipe out
        facts = ", ".join(_latest_fact(field) for field in schema if field.name != "id")
        return f"SELECT id, {facts} FROM models_all GROUP BY id"
    key = {"runs": "id", "samples": "task, id"}[table]
    columns = ", ".join(_quoted(name) for name in schema.names)
    return (
        f"SELECT {columns} FROM {table}_all "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {STAMP} DESC) = 1"
    )


def _latest_fact(field: pa.Field) -> str:
    name = _quoted(field.name)
    if field.name in ("name", "family", "revision", "role", "source", "location"):  # "" says nothing
        return f"coalesce(arg_max(nullif({name}, ''), {STAMP}), '') AS {name}"
    return f"arg_max({name}, {STAMP}) AS {name}"


def _quoted(name: str) -> str:
    return f'"{name}"'
