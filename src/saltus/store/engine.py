"""DuckDB in memory over the lake: a fast connection for our own queries, a caged one for SQL of users.

Our own queries let DuckDB read the Parquet parts itself. A user's SQL runs in a DuckDB of its own that may
touch no file, no network, no extension and no setting: it sees the parts as Arrow datasets, because in DuckDB
a folder that may be read may also be written (`COPY`, also inside a `WITH`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from saltus.records.arrow import TABLES
from saltus.records.errors import StoreError, UsageError
from saltus.store.lake import Lake, unreadable
from saltus.store.queries import HAS_CLUSTERS
from saltus.store.views import statements, stored_schema

if TYPE_CHECKING:
    import pyarrow.dataset

_NOT_THE_PARTS = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.PermissionException,
)
_MEMORY_SHARE = 0.5


class Engine:
    """Queries over the parts that are whole at the moment of the call."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._guard = threading.Lock()
        self._own: duckdb.DuckDBPyConnection | None = None
        self._inherited: list[
            duckdb.DuckDBPyConnection
        ] = []  # of a parent: after a fork, closing one crashes
        self._pid = 0
        self._ready = False  # the views over the parts stand
        self._seen: dict[str, list[Path]] = {}

    def query(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """Run a query of ours. One thread, so that the same parts give the same bytes."""
        with self._guard:
            try:
                return self._connection().sql(sql, params=list(params)).to_arrow_table()
            except duckdb.Error as error:
                self._forget()
                raise self._explained(error) from error

    def stream(self, sql: str, params: Sequence[Any] = (), *, rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Run a query of ours and give its rows a batch at a time; other queries may run in between."""
        try:
            with self._guard:
                cursor = self._connection().cursor()
            with cursor:
                yield from cursor.sql(sql, params=list(params)).to_arrow_reader(rows)
        except (duckdb.Error, pa.ArrowException) as error:
            raise self._explained(error) from error

    def user_query(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """Run a query that a user wrote, in a cage of its own.

        Raises:
            UsageError: It is not one query, or DuckDB refuses it.
            StoreError: A part cannot be read.
        """
        _check_is_query(sql)
        clusters = "points" in sql.lower() and self.query(HAS_CLUSTERS)["clusters"][0].as_py()
        with duckdb.connect(":memory:") as connection:
            for table in TABLES:
                connection.register(
                    f"_parts_{table}", _dataset(self._lake.parts(table), stored_schema(table))
                )
            try:
                for statement in statements(clusters=clusters):
                    connection.execute(statement)
                _configure(connection, threads=_threads())
                connection.execute("SET enable_external_access = false")
                connection.execute("SET lock_configuration = true")
                relation = connection.sql(sql, params=list(params) or None)
                if relation is None:
                    raise UsageError("the SQL gives no rows; write one SELECT")
                return relation.to_arrow_table()
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                raise self._explained(error) from error

    def close(self) -> None:
        """Let the connection go; the next query opens another."""
        with self._guard:
            self._forget()

    def _forget(self) -> None:
        if self._own is not None and self._pid == os.getpid():
            self._own.close()
        elif self._own is not None:
            self._inherited.append(self._own)
        self._own, self._seen, self._ready = None, {}, False

    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._pid != os.getpid():
            self._forget()
        if self._own is None:
            self._own, self._pid = duckdb.connect(":memory:"), os.getpid()
            _configure(self._own, threads=1)
        for table in TABLES:
            parts = self._lake.parts(table)
            if self._seen.get(table) != parts:
                self._own.execute(_native_view(self._own, table, parts))
                self._seen[table] = parts
        if not self._ready:
            for statement in statements():
                self._own.execute(statement)
            self._ready = True
        return self._own

    def _explained(self, error: Exception) -> StoreError | UsageError:
        if isinstance(error, duckdb.OutOfMemoryException):
            return UsageError("the query needs more memory than it may use; narrow it with WHERE or LIMIT")
        if not isinstance(error, _NOT_THE_PARTS):
            found = self._lake.broken()
            if found:
                return unreadable(*found)
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return UsageError(f"the SQL cannot be run: {text.rstrip('.')}")


def _check_is_query(sql: str) -> None:
    allowed = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)
    try:
        found = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise UsageError(f"the SQL cannot be read: {str(error).splitlines()[0]}") from error
    if len(found) != 1:
        raise UsageError(f"the SQL holds {len(found)} statements; write one SELECT")
    if found[0].type not in allowed:
        raise UsageError(
            f"the store is read-only for SQL and the statement is {found[0].type.name}; write one SELECT"
        )


def _configure(connection: duckdb.DuckDBPyConnection, *, threads: int) -> None:
    connection.execute(f"SET threads = {threads}")
    connection.execute(f"SET memory_limit = '{_memory() // 2**20}MiB'")
    connection.execute("SET temp_directory = ''")
    connection.execute("SET python_enable_replacements = false")  # else a query reads our Python variables
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")


def _native_view(connection: duckdb.DuckDBPyConnection, table: str, parts: list[Path]) -> str:
    """SQL for `_parts_TABLE` that DuckDB reads itself; columns that older parts lack are null."""
    source, present = "", set[str]()
    if parts:
        files = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts)
        source = f"FROM read_parquet([{files}], union_by_name = true)"
        present = {row[0] for row in connection.execute(f"DESCRIBE SELECT * {source}").fetchall()}
    empty = connection.from_arrow(stored_schema(table).empty_table())
    columns = ", ".join(
        f'"{name}"' if name in present else f'CAST(NULL AS {kind}) AS "{name}"'
        for name, kind in zip(empty.columns, empty.types, strict=True)
    )
    return f"CREATE OR REPLACE VIEW _parts_{table} AS SELECT {columns} {source or 'WHERE false'}"


def _dataset(parts: list[Path], schema: pa.Schema) -> pa.Table | pyarrow.dataset.Dataset:
    """The parts as an Arrow dataset; words that repeat stay coded, which makes grouping twice as fast."""
    import pyarrow.dataset as ds

    if not parts:
        return schema.empty_table()
    coded = [name for name in ("run", "model", "task", "variant", "metric") if name in schema.names]
    for name in coded:
        place = schema.get_field_index(name)
        schema = schema.set(place, pa.field(name, pa.dictionary(pa.int32(), pa.string())))
    options = ds.ParquetReadOptions(dictionary_columns=coded)
    return ds.dataset([str(part) for part in parts], schema=schema, format=ds.ParquetFileFormat(options))


def _threads() -> int:
    return max(
        1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    )


def _memory() -> int:
    """Half of what this process may have, bytes: the machine's memory or the container's limit."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        limit = "max"  # no control groups here
    return int(_MEMORY_SHARE * min(machine, int(limit) if limit.isdigit() else machine))
