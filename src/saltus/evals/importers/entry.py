"""`import_results`: reads files of a known format and puts them into a store, each row once.

Start here. A format lists its jobs (`FORMATS`), a job opens a source, a source gives rows; `scale.py` gives
the models their place on the axes and `writing.py` writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from saltus.evals.importers.parsed import Failure, ImportResult, Job, Source, failure
from saltus.evals.importers.scale import Scale, unplaced
from saltus.evals.importers.writing import Writer
from saltus.records.errors import InputError, UsageError
from saltus.records.evidence import ModelRecord

if TYPE_CHECKING:
    from saltus.store import Store

Paths: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

# Name of a format: the module whose `jobs(paths, mapping)` finds its files.
FORMATS = {
    "lm-eval": "lm_eval",
    "inspect": "inspect_log",
    "helm": "helm",
    "bigbench": "bigbench",
    "promptfoo": "promptfoo",
    "csv": "table",
    "auto": "sniff",
}


def import_results(
    format: str,
    paths: Paths,
    *,
    store: Store,
    family: str | None = None,
    axis_from: str | os.PathLike[str] | None = None,
    mapping: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImportResult:
    """Bring in what another harness measured.

    The same file twice adds nothing, and a table to which rows were added adds those rows. A file or a row
    that cannot be used is listed in `failed` and costs nothing else. Importing again with `axis_from` or
    `family` adds the facts to models that are already there.

    Args:
        format: "lm-eval" (v0.3 and current files, told apart by themselves), "inspect", "helm", "bigbench",
            "promptfoo" or "csv"; "auto" tells by what the files hold.
        paths: Files and folders.
        store: Where the evidence goes; held exclusively meanwhile.
        family: Family to file models under where the source does not say.
        axis_from: CSV that says how big the models are: model, and params, tokens, flops, step, loss or date.
        mapping: For csv: other column names, units, wide tables; see docs/import.md.
        progress: Called with files done and files in all.

    Returns:
        Counts, what was left out and why, and a question where a model has no scale.

    Raises:
        UsageError: There is no such format, or the mapping is wrong.
        InputError: `axis_from` or the mapping's file cannot be used.
        StoreError: The store cannot be written; nothing of the last part was added.
    """
    if format not in FORMATS:
        raise UsageError(
            f"no format is called {format!r}; choose one of {', '.join(FORMATS)}", field="format"
        )
    listed = [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not listed:
        raise UsageError("no file is named; give files or folders", field="paths")
    scale = Scale(family, Path(axis_from) if axis_from is not None else None)
    found: list[Job] = import_module(f"saltus.evals.importers.{FORMATS[format]}").jobs(listed, mapping)
    with store.exclusive():
        session = _Session(store, scale)
        for done, job in enumerate(found):
            if progress is not None:
                progress(done, len(found))
            session.take(job)
        result = session.finish()
    if progress is not None:
        progress(len(found), len(found))
    return result


class _Session:
    """One call of `import_results`: its counts and what it is about to write."""

    def __init__(self, store: Store, scale: Scale) -> None:
        self._store = store
        self._scale = scale
        self._writer = Writer(store)
        self._failed: list[Failure] = []
        self._added = self._skipped = self._files = 0
        self._models: dict[str, ModelRecord] = {}
        self._tasks: set[str] = set()
        self._skipped_runs: list[str] = []
        self._done: set[str] = set()

    def take(self, job: Job) -> None:
        """Read one file."""
        try:
            source = job.open()
            self._files += source.files
            if source.run in self._done:
                return  # a copy of a file of this call
            self._done.add(source.run)
            known = self._writer.known(source.run)
            if known is None:
                self._read(source)
            else:
                self._again(source, known)
        except InputError as error:
            self._writer.abandon()
            self._failed.append(failure(job.path, error))

    def finish(self) -> ImportResult:
        """Write what is left, and say what happened."""
        self._writer.flush()
        self._count_skipped()
        notes = (unplaced(self._models.values()), self._scale.filed())
        return ImportResult(
            added=self._added,
            skipped=self._skipped,
            failed=tuple(self._failed),
            models=len(self._models),
            tasks=len(self._tasks),
            files=self._files,
            notes=tuple(note for note in notes if note),
        )

    def _read(self, source: Source) -> None:
        rows = failures = 0
        for parsed in source.parse():
            self._failed += parsed.failed
            failures += len(parsed.failed)
            self._see(parsed.models, source.family)
            self._tasks.update(row.task for row in parsed.scores)
            self._tasks.update(row.task for row in parsed.aggregates)
            offered = parsed.measured
            new = self._writer.add(source, parsed)
            rows += offered
            self._added += new
            self._skipped += offered - new + parsed.repeated
        self._writer.finish(source, rows, failures)

    def _again(self, source: Source, known: dict[str, Any]) -> None:
        """A file that the store holds: say again what was wrong with it, take new facts about its models."""
        self._skipped += known["rows"]
        self._skipped_runs.append(source.run)
        if not self._scale.given and not msgspec.json.decode(known["config"] or "{}").get("failed"):
            return
        for parsed in source.parse():
            self._failed += parsed.failed
            self._see(parsed.models, source.family)

    def _see(self, models: Mapping[str, ModelRecord], family: str) -> None:
        completed = {
            key: self._scale.complete(model, family)
            for key, model in models.items()
            if key not in self._models
        }
        self._models.update(completed)
        self._writer.describe(completed.values())

    def _count_skipped(self) -> None:
        """Count the models and tasks of files that were not read again, as the store has them."""
        if not self._skipped_runs:
            return
        marks = ", ".join("?" * len(self._skipped_runs))
        rows = self._store.sql(
            "SELECT DISTINCT model, task FROM (SELECT run, model, task FROM scores UNION ALL "  # noqa: S608 - only marks
            f"SELECT run, model, task FROM aggregates) WHERE run IN ({marks})",
            self._skipped_runs,
        ).to_pylist()
        self._tasks.update(row["task"] for row in rows)
        wanted = {row["model"] for row in rows} - self._models.keys()
        if wanted:
            fields = set(ModelRecord.__struct_fields__)
            for row in self._store.models().to_pylist():
                if row["id"] in wanted:
                    kept = {
                        name: value for name, value in row.items() if name in fields and value is not None
                    }
                    self._models[row["id"]] = msgspec.convert(kept, ModelRecord)
