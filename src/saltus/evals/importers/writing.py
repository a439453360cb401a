"""Writes what was read into the store: few parts for many files, each row once, also after an interruption.

Rows go in before the row of their run does. A run without its row was interrupted; what it left is kept and
not written again. Small sources share parts; a source of more rows than are held back is written in parts of
its own, named after it, so that memory stays bounded and a part that is there is not written again.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from saltus._version import __version__
from saltus.evals.importers.parsed import Parsed, Source
from saltus.evals.importers.scale import merge
from saltus.records.evidence import ModelRecord, RunRecord, Sample

if TYPE_CHECKING:
    from saltus.store import Store

_EVIDENCE = ("samples", "responses", "scores", "aggregates")
_ENOUGH = 100_000  # rows that are held back before a part is written
_AGGREGATE = ("model", "task", "metric", "variant", "shots", "seed")
_SCORE = ("model", "task", "metric", "variant", "epoch", "sample")


class Writer:
    """Collects rows of many sources; use it while holding `store.exclusive()`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: dict[str, list[Any]] = {table: [] for table in _EVIDENCE}
        self._current: dict[str, list[Any]] = {table: [] for table in _EVIDENCE}
        self._chunks = 0  # parts that the source being read has of its own
        self._runs: list[RunRecord] = []
        self._models: dict[str, ModelRecord] = {}
        self._held: dict[str, dict[int, int]] = {}
        self._samples: set[int] | None = None
        rows = store.sql("SELECT id, rows, config FROM runs WHERE kind = 'import'").to_pylist()
        self._known = {row["id"]: row for row in rows}
        self._left = self._leftovers()

    def known(self, run: str) -> dict[str, Any] | None:
        """The row of a run that is in the store already, with `rows` and `config`."""
        return self._known.get(run)

    def add(self, source: Source, parsed: Parsed) -> int:
        """Take rows; returns how many scores and aggregates are new."""
        if source.row_wise:
            for table, fields in (("aggregates", _AGGREGATE), ("scores", _SCORE)):
                rows = getattr(parsed, table)
                setattr(parsed, table, self._news(table, fields, rows))
            parsed.samples = self._new_samples(parsed.samples)
        into = self._pending if source.row_wise else self._current
        for table in _EVIDENCE:
            into[table] += getattr(parsed, table)
        if sum(map(len, into.values())) >= _ENOUGH:
            if source.row_wise:
                self.flush()
            else:
                self._write_chunk(source.run)
        return parsed.measured

    def describe(self, models: Iterable[ModelRecord]) -> None:
        """Take facts about models; they are written with the next part."""
        for model in models:
            self._models[model.id] = merge(self._models.get(model.id), model)

    def finish(self, source: Source, rows: int, failures: int) -> None:
        """Take the row of a run that has been read to its end."""
        if self._chunks:
            self._write_chunk(source.run)
        for table, kept in self._current.items():
            if source.run not in self._left[table]:
                self._pending[table] += kept
        self.abandon()
        config = source.config | ({"failed": failures} if failures else {})
        self._runs.append(
            RunRecord(
                id=source.run,
                kind="import",
                source=source.path,
                format=source.format,
                content=source.content,
                rows=rows,
                config=msgspec.json.encode(config, order="deterministic").decode(),
                version=__version__,
                created=time.time(),
            )
        )
        if sum(map(len, self._pending.values())) >= _ENOUGH:
            self.flush()

    def abandon(self) -> None:
        """Forget the rows of a source that turned out to be broken; what others gave stays."""
        self._current = {table: [] for table in _EVIDENCE}
        self._chunks = 0

    def _write_chunk(self, run: str) -> None:
        """Write what is held of one source as a part of its own."""
        name = f"import-{run}-{_ENOUGH}-{self._chunks}"
        for table, rows in self._current.items():
            if rows:
                self._store.append(table, rows, part=name)
                self._current[table] = []
        self._chunks += 1

    def flush(self) -> None:
        """Write everything that was taken, the rows of runs last."""
        for table, rows in self._pending.items():
            if rows:
                self._store.append(table, rows)
                self._pending[table] = []
        self._write_models()
        if self._runs:
            self._store.append("runs", self._runs)
            self._runs = []

    def _write_models(self) -> None:
        """Write models of which something is new."""
        if not self._models:
            return
        stored = {row["id"]: row for row in self._store.models().to_pylist()}
        new = [
            model
            for key, model in self._models.items()
            if key not in stored
            or any(
                (value := getattr(model, name)) not in (None, "") and stored[key][name] != value
                for name in model.__struct_fields__
            )
        ]
        if new:
            self._store.append("models", new)
        self._models = {}

    def _leftovers(self) -> dict[str, set[str]]:
        """For each table, runs with rows in it and no row of their own: imports that were interrupted."""
        tables = ("responses", "scores", "aggregates")
        each = [f"SELECT DISTINCT '{table}' AS place, run FROM {table}" for table in tables]  # noqa: S608 - ours
        union = " UNION ALL ".join(each)
        found: dict[str, set[str]] = defaultdict(set)
        for row in self._store.sql(f"FROM ({union}) rows ANTI JOIN runs ON runs.id = rows.run").to_pylist():
            found[row["place"]].add(row["run"])
        return found

    def _news(self, table: str, fields: tuple[str, ...], rows: list[Any]) -> list[Any]:
        """Rows whose value is not the one that the store holds last for the same thing."""
        if not rows:
            return rows
        held = self._held.get(table)
        if held is None:
            held = self._held[table] = self._stored(table, fields)
        if not held:
            return rows
        values = ("value", "stderr", "n") if table == "aggregates" else ("value",)
        return [row for row in rows if held.get(_hash(row, fields)) != _hash(row, values)]

    def _stored(self, table: str, fields: tuple[str, ...]) -> dict[int, int]:
        """What row-wise sources have measured: a hash of each thing, and of the value it has now."""
        values = ("value", "stderr", "n") if table == "aggregates" else ("value",)
        columns = ", ".join((*fields, *values))
        mine = "runs.format = 'csv'"
        found = self._store.sql(
            f"SELECT {columns} FROM {table} LEFT JOIN runs ON runs.id = {table}.run "  # noqa: S608 - our names
            f"WHERE {mine} OR runs.id IS NULL ORDER BY coalesce(runs.created, 0)"
        )
        held = {}
        for batch in found.to_batches(max_chunksize=100_000):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                held[_mix(row[: len(fields)])] = _mix(row[len(fields) :])
        return held

    def _new_samples(self, samples: list[Sample]) -> list[Sample]:
        """Samples that the store does not hold; what it knows of one (its prompt) is not overwritten."""
        if samples and self._samples is None:
            rows = self._store.sql("SELECT task, id FROM samples")
            self._samples = {
                _mix(row) for row in zip(rows["task"].to_pylist(), rows["id"].to_pylist(), strict=True)
            }
        found = []
        for sample in samples:
            key = _mix((sample.task, sample.id))
            if self._samples is not None and key not in self._samples:
                self._samples.add(key)
                found.append(sample)
        return found


def _hash(row: Any, fields: tuple[str, ...]) -> int:
    return _mix(tuple(getattr(row, field) for field in fields))


def _mix(values: tuple[Any, ...]) -> int:
    # Through text: Python's hash of -1.0 is that of -2.0, its hash of text has no such twins.
    return hash("\x1f".join(map(repr, values)))
