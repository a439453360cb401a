"""`export_run`: one run of the store as files that lm-evaluation-harness, Inspect, pandas or polars read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.records.errors import StoreError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from saltus.store import Store

# Name of a format: the module whose `write(export)` gives the paths it wrote.
FORMATS = {"lm-eval": "lm_eval", "inspect": "inspect_log", "csv": "table", "parquet": "table"}
TABLES = ("scores", "responses", "points")
ROWS = 100_000  # responses that are in memory together, as Arrow
SLICE = 5_000  # of which so many are Python objects


class ExportResult(msgspec.Struct, frozen=True):
    """What an export did.

    Attributes:
        run: The run.
        format: The format.
        files: What was written.
        rows: Responses, or rows of the table.
        notes: Sentences for the user.
    """

    run: str
    format: str
    files: tuple[str, ...]
    rows: int
    notes: tuple[str, ...] = ()


class Unit(msgspec.Struct, frozen=True):
    """What is read at once: one model on one task."""

    model: str
    task: str
    variants: tuple[str, ...]
    responses: int


class Export(msgspec.Struct, frozen=True):
    """What a format's module gets.

    Attributes:
        store: The evidence.
        run: The row of the run.
        format: Name of the format.
        output: File or folder to write.
        table: Of tables: scores, responses or points.
        tell: Called after each stretch with the number of rows done.
    """

    store: Any
    run: dict[str, Any]
    format: str
    output: Path
    table: str
    tell: Callable[[int], None]

    def units(self) -> list[Unit]:
        """The models and tasks of the run, those included of which only means are known."""
        found: dict[tuple[str, str], list[Any]] = {}
        for row in self.store.measured(self.run["id"]).to_pylist():
            entry = found.setdefault((row["model"], row["task"]), [[], 0])
            entry[0].append(row["variant"])
            entry[1] += row["responses"]
        means = self.store.sql(
            "SELECT DISTINCT model, task FROM aggregates WHERE run = ? ORDER BY ALL", [self.run["id"]]
        )
        for row in means.to_pylist():
            found.setdefault((row["model"], row["task"]), [[], 0])
        return [Unit(model, task, tuple(v), n) for (model, task), (v, n) in sorted(found.items())]

    def answers(self, unit: Unit, *, variant: str | None = None) -> Iterator[pa.Table]:
        """Responses of a unit with question and scores, a bounded number at a time.

        Args:
            unit: The model and task.
            variant: Only this one; else all, one after another within each stretch.

        Yields:
            The columns of `Store.answers`; the repeats of a sample come together.
        """
        buckets = max(1, -(-unit.responses // ROWS))
        for bucket in range(buckets):
            found = self.store.answers(
                self.run["id"], unit.model, unit.task, variant=variant, part=(bucket, buckets)
            )
            self.tell(found.num_rows)
            yield found

    def rows(self, unit: Unit, *, variant: str | None = None) -> Iterator[dict[str, Any]]:
        """The rows of `answers` one by one, with `scores` as a dictionary."""
        for found in self.answers(unit, variant=variant):
            for start in range(0, found.num_rows, SLICE):
                for row in found.slice(start, SLICE).to_pylist():
                    # Of a metric that was scored again the later value counts.
                    row["scores"] = dict(zip(row.pop("metrics") or (), row.pop("values") or (), strict=True))
                    yield row

    def models(self) -> dict[str, dict[str, Any]]:
        """What is known of each model, by id."""
        return {row["id"]: row for row in self.store.models().to_pylist()}


def export_run(
    run: str,
    format: str,
    output: str | os.PathLike[str],
    *,
    store: Store,
    table: str = "scores",
    progress: Callable[[int], None] | None = None,
) -> ExportResult:
    """Write one run for another program.

    Args:
        run: Its id, or the first letters of it.
        format: "lm-eval" (a folder of results and samples), "inspect" (a folder of `.eval` logs), "csv" or
            "parquet" (a file).
        output: Where to write; files of the same name are replaced.
        store: The evidence.
        table: For csv and parquet: "scores" (a row a score), "responses" (a row a response, with prompt,
            output and scores) or "points" (the means).
        progress: Called with the number of rows written since the last call.

    Raises:
        UsageError: There is no such run, format or table.
        StoreError: The files cannot be written.
    """
    if format not in FORMATS:
        raise UsageError(
            f"no format is called {format!r}; choose one of {', '.join(FORMATS)}", field="format"
        )
    if table not in TABLES:
        raise UsageError(f"no table is called {table!r}; choose one of {', '.join(TABLES)}", field="table")
    if table != "scores" and FORMATS[format] != "table":
        raise UsageError(f"--table is for csv and parquet; {format} has a layout of its own", field="table")
    found = find_run(store, run)
    rows = 0

    def tell(count: int) -> None:
        nonlocal rows
        rows += count
        if progress is not None:
            progress(count)

    module = import_module(f"saltus.evals.exporters.{FORMATS[format]}")
    export = Export(store, found, format, Path(output), table, tell)
    try:
        files, notes = module.write(export)
    except OSError as error:
        raise StoreError(
            f"cannot be written ({error.strerror or error}); check the path and the space on the disk",
            path=str(error.filename or output),
        ) from error
    return ExportResult(found["id"], format, tuple(map(str, files)), rows, tuple(notes))


def find_run(store: Store, name: str) -> dict[str, Any]:
    """The row of a run, by its id, the first letters of it, or `last` for the one made last.

    Raises:
        UsageError: There is none, or several begin so.
    """
    rows = [row for row in store.runs().to_pylist() if row["models"]]
    if name == "last" and rows:
        return dict(rows[-1])
    found = [row for row in rows if row["id"] == name] or [row for row in rows if row["id"].startswith(name)]
    if len(found) == 1:
        return dict(found[0])
    if found:
        raise UsageError(f"{name!r} begins the ids of {len(found)} runs; write more of it", field="run")
    there = f", it has {', '.join(row['id'][:12] for row in rows[-6:])}" if rows else " and has none"
    raise UsageError(f"the store has no run {name!r} with scores{there}; see `saltus ls runs`", field="run")
