"""The evidence store as other rooms see it: append rows, query them, and reach the ledger and the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from saltus.records.arrow import POINTS
from saltus.store import queries
from saltus.store.folder import Lock, claimed
from saltus.store.lake import Lake, PartWriter
from saltus.store.queries import Names
from saltus.store.query import Query
from saltus.store.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

    from saltus.store.cache import ResponseCache
    from saltus.store.engine import Engine
    from saltus.store.ledger import Ledger


class Store:
    """Evidence in one folder; made by `saltus.open`. Many processes may read and write at once.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock(path / ".lock")
        self._lake = Lake(path / "lake", self._lock)
        self._lake.sweep()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open; the store may be used again afterwards."""
        if "_engine" in self.__dict__:
            self._engine.close()
        if "cache" in self.__dict__:
            self.cache.close()

    @cached_property
    def _engine(self) -> Engine:
        from saltus.store.engine import Engine  # a run that is new queries nothing

        return Engine(self._lake)

    @cached_property
    def ledger(self) -> Ledger:
        """Plans, findings, decisions: append-only events in a hash chain."""
        from saltus.store.ledger import Ledger

        return Ledger(f"sqlite:///{self.path / 'ledger.sqlite'}")

    @cached_property
    def cache(self) -> ResponseCache:
        """Model responses by content hash."""
        from saltus.store.cache import ResponseCache

        return ResponseCache(self.path / "cache.sqlite")

    def append(self, table: str, rows: Rows, *, part: str | None = None) -> int:
        """Add rows as one part, which appears whole or not at all.

        Args:
            table: models, runs, samples, responses, scores, aggregates or effects.
            rows: Structs of that table, an Arrow table or a record batch. Columns that Arrow data leaves out
                get their default.
            part: A name that says what the rows are. When a part of that name is there, nothing is written.

        Returns:
            Rows added.

        Raises:
            InputError: A row does not fit the table, or scores NaN.
            StoreError: The disk is full or fails; nothing was added.
        """
        return self._lake.append(table, rows, part)

    def has_part(self, table: str, part: str) -> bool:
        """Whether `append` of this part would write nothing."""
        return self._lake.has_part(table, part)

    def parts(self, table: str, stem: str) -> list[str]:
        """Names of the parts that begin so, sorted."""
        names = (path.name.removesuffix(".parquet") for path in self._lake.parts(table))
        return [name for name in names if name.startswith(stem)]

    def drop_part(self, table: str, part: str) -> None:
        """Remove a part that its writer left without what belongs to it; nothing else is ever removed."""
        self._lake.drop(table, part)

    def writer(self, table: str, *, part: str | None = None) -> PartWriter:
        """Write one part piece by piece in bounded memory.

        Examples:
            >>> import tempfile, saltus
            >>> from saltus.records import RunRecord
            >>> store = saltus.open(tempfile.mkdtemp())
            >>> with store.writer("runs", part="mine") as writer:
            ...     writer.write([RunRecord(id="r1", kind="run", source="demo", format="saltus")])
            ...     writer.write([RunRecord(id="r2", kind="run", source="demo", format="saltus")])
            >>> writer.added
            2
        """
        return self._lake.writer(table, part)

    @contextmanager
    def claim(self, name: str) -> Iterator[None]:
        """Hold a name for the length of the `with` block, or as long as this process lives.

        Raises:
            StoreError: Another process, or another thread of this one, holds it.
        """
        with claimed(self.path / ".claims", name):
            yield

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold the store's one lock: for looking and then appending, when nobody may come between.

        It waits for whoever holds it, is free again when the holder dies, and its thread may take it again.
        """
        return self._lock()

    def sql(self, query: str, params: Sequence[Any] = ()) -> pa.Table:
        """Run one query in DuckDB's SQL over the tables of `append` and over `points`.

        It reads the store and nothing else: no files, no network, no settings, no writing.

        Args:
            query: One SELECT (or FROM, WITH, PIVOT, DESCRIBE, SUMMARIZE, EXPLAIN).
            params: Values for `?` or `$1` in it.

        Raises:
            UsageError: The SQL is wrong or wants more than to read.
            StoreError: A part cannot be read.
        """
        return self._engine.user_query(query, params)

    def query(self, query: str, params: Sequence[Any] = ()) -> pa.Table:
        """Run a query of Saltus's own over the same tables: not caged as `sql` is, and thirty times faster.

        Args:
            query: SQL that no user wrote.
            params: Values for `?` in it.

        Raises:
            StoreError: A part cannot be read.
        """
        return self._engine.query(query, params)

    def scores(
        self,
        *,
        task: Names = None,
        family: Names = None,
        model: Names = None,
        metric: Names = None,
        run: Names = None,
        variant: Names = None,
    ) -> Query:
        """Per-sample scores of all runs, joined with what is known of their models.

        Each filter is a name, a pattern such as "hendrycksTest-*", or several; `model` is an id or a name.
        """
        filters: dict[str, Names] = {
            "task": task,
            "family": family,
            "model": model,
            "metric": metric,
            "run": run,
            "variant": variant,
        }

        def rows() -> pa.Table:
            return self._engine.query(*queries.score_rows(filters))

        def points(latest: bool) -> pa.Table:
            epochs = self._engine.query(queries.HAS_EPOCHS)["epochs"][0].as_py()
            clusters = self._engine.query(queries.HAS_CLUSTERS)["clusters"][0].as_py()
            found = self._engine.query(
                *queries.points(filters, latest=latest, epochs=epochs, clusters=clusters)
            )
            return found.cast(POINTS)

        return Query(rows, points, filters)

    def points(
        self,
        *,
        task: Names = None,
        family: Names = None,
        model: Names = None,
        metric: Names = None,
        run: Names = None,
        variant: Names = None,
        latest: bool = True,
    ) -> pa.Table:
        """Means over samples, and means that were imported without samples: what a detector reads.

        `stderr` is the samples' standard deviation (n - 1) over sqrt(n); repeats of one sample (epochs) are
        averaged first, and samples with a slice `cluster` are counted by cluster, as
        `saltus.stats.clustered_mean` does. `chance` is the mean of the samples' chance, on metrics to which
        guessing applies.

        Args:
            task: This and the other filters as for `scores`.
            family: See task.
            model: See task.
            metric: See task.
            run: See task.
            variant: See task.
            latest: Where several runs measured the same, keep only the one that was created last.

        Returns:
            Columns as in `saltus.records.arrow.POINTS`, in a stable order.
        """
        chosen = self.scores(task=task, family=family, model=model, metric=metric, run=run, variant=variant)
        return chosen.points(latest=latest)

    def models(self) -> pa.Table:
        """One row a model: the latest statement of each fact."""
        return self._engine.query(queries.MODELS)

    def runs(self) -> pa.Table:
        """One row a run, oldest first, with the number of models and tasks it measured."""
        return self._engine.query(queries.RUNS)

    def tasks(self) -> pa.Table:
        """One row a task: its metrics, and how many models, runs and samples it has."""
        return self._engine.query(queries.TASKS)

    def pairs(
        self, a: tuple[str, str], b: tuple[str, str], *, only: str, filters: dict[str, Names] | None = None
    ) -> pa.Table:
        """The scores of two (run, model) on one task side by side.

        Args:
            a: Run and model of the first.
            b: Run and model of the second.
            only: The task.
            filters: Names or patterns of metric and variant.

        Returns:
            task, metric, variant, sample, a, b (means over epochs, null where a side has none) and cluster,
            by metric, variant and sample.
        """
        return self._engine.query(*queries.pairs(a, b, only=only, filters=filters or {}))

    def measured(self, run: str) -> pa.Table:
        """What a run asked: one row a (model, task, variant) with the number of its responses."""
        return self._engine.query(queries.MEASURED, [run, run])

    def answers(
        self,
        run: str,
        model: str,
        task: str,
        *,
        variant: str | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> pa.Table:
        """Question, answer and scores of one model on one task: one row a response.

        Args:
            run: The run.
            model: Id of the model.
            task: The task.
            variant: Only this one.
            part: Which of how many parts of the samples, counted from 0, so that memory stays bounded.

        Returns:
            The columns of the response and of the sample, and the lists `metrics` and `values`, by variant,
            sample and epoch.
        """
        found = self._engine.query(*queries.answers(run, model, task, variant=variant, part=part))
        return found.filter(_first_of_each(found, ("sample", "variant", "epoch")))

    def stream_scores(self, *, rows: int = 65_536, **filters: Names) -> Iterator[pa.RecordBatch]:
        """The rows of `scores(...).arrow()`, a batch at a time, in the order they were appended.

        Args:
            rows: Most rows of a batch.
            **filters: As for `scores`.
        """
        return self._engine.stream(*queries.score_rows(filters), rows=rows)

    def samples(
        self,
        task: Names,
        *,
        model: Names = None,
        run: Names = None,
        variant: Names = None,
        sample: Names = None,
        limit: int | None = None,
    ) -> pa.Table:
        """What was asked, what each model said and how it was scored: one row a response.

        Args:
            task: This and the other filters as for `scores`.
            model: See task.
            run: See task.
            variant: See task.
            sample: Ids of samples.
            limit: At most so many different samples (of all tasks together), the first by id.

        Returns:
            task, sample, model, run, variant, epoch, the columns of the sample and of the response, and
            `scores`, a map from metric to value.
        """
        filters: dict[str, Names] = {"task": task, "model": model, "run": run, "variant": variant}
        return self._engine.query(*queries.samples(filters, sample=sample, limit=limit))


def _first_of_each(rows: pa.Table, key: Sequence[str]) -> pa.Array:
    """True where a row differs from the one before it in one of these columns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if rows.num_rows < 2:
        return pa.repeat(pa.scalar(True), rows.num_rows)
    changes = [
        pc.not_equal(
            rows[name].combine_chunks().slice(1), rows[name].combine_chunks().slice(0, rows.num_rows - 1)
        )
        for name in key
    ]
    differs = changes[0]
    for change in changes[1:]:
        differs = pc.or_(differs, change)
    return pa.concat_arrays([pa.array([True]), differs])
