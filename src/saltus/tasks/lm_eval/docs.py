"""The items of a task's splits, read only when a split is asked for; local files need no further package.

`datasets` loads everything else, and makes the table that a `process_docs` function is given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from saltus.records.errors import MissingExtraError
from saltus.tasks.lm_eval.config import Config
from saltus.tasks.lm_eval.files import BUILDERS, LOCAL_OPTIONS, Table, local_files, read_files
from saltus.tasks.suites.problems import Fault, did_you_mean, shown

_AT_ONCE = 512


class Docs(Protocol):
    """The items of a split.

    Attributes:
        columns: Their names.
        digest: Hash of what they were read from.
    """

    columns: tuple[str, ...]
    digest: str

    def __len__(self) -> int: ...

    def __getitem__(self, place: int) -> dict[str, Any]: ...

    def __iter__(self) -> Iterator[dict[str, Any]]: ...


class Splits:
    """The dataset of a task.

    Args:
        config: The task.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: dict[str, Docs] = {}
        self._loaded: Any = None
        kwargs = {key: value for key, value in config.dataset_kwargs.items() if key != "trust_remote_code"}
        self._files: Mapping[str, list[Path]] | None = None
        if (
            config.custom_dataset is None
            and config.dataset_path in BUILDERS
            and kwargs.keys() <= LOCAL_OPTIONS
        ):
            self._files = local_files(kwargs.get("data_files"), config.definition.path.parent)

    def items(self) -> Docs:
        """What is asked: the test split, or the validation split where there is none."""
        config = self._config
        split = config.test_split if config.test_split is not None else config.validation_split
        if split is None:
            raise Fault(
                "the task has no test_split and no validation_split; name one of the dataset's splits",
                "test_split",
            )
        return self._split(
            split, config.process_docs, "test_split" if config.test_split else "validation_split"
        )

    def examples(self) -> Docs:
        """Where examples come from."""
        config, shots = self._config, self._config.shots
        if shots.split is not None:
            return self._split(shots.split, shots.process_docs, "fewshot_split")
        if shots.samples is not None:
            return ListDocs(shots.samples, _rows_hash(shots.samples))
        if config.training_split is not None:
            return self._split(config.training_split, config.process_docs, "training_split")
        if config.validation_split is not None:
            return self._split(config.validation_split, config.process_docs, "validation_split")
        return self.items()

    def _split(self, name: str, process: Callable[..., Any] | None, field: str) -> Docs:
        docs = self._raw(name, field)
        return docs if process is None else _processed(docs, process)

    def _raw(self, name: str, field: str) -> Docs:
        if name not in self._known:
            there = self._files if self._files is not None else self._hub()
            if name not in there:
                mend = did_you_mean(name, [str(split) for split in there])
                raise Fault(f"{field} is {name!r}, which the dataset has not; {mend}", field)
            if self._files is not None:
                table = read_files(
                    str(self._config.dataset_path), self._files[name], self._config.dataset_kwargs
                )
                self._known[name] = TableDocs(table)
            else:
                self._known[name] = _docs(there[name])
        return self._known[name]

    def _hub(self) -> Any:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def _load(self) -> Any:
        config = self._config
        kwargs = {key: value for key, value in config.dataset_kwargs.items() if key != "trust_remote_code"}
        if config.custom_dataset is not None:
            metadata = config.definition.values.get("metadata") or {}
            try:
                return config.custom_dataset(**metadata, **config.dataset_kwargs)
            except Exception as error:  # code of others: whatever goes wrong is the task's
                raise Fault(
                    f"the function of custom_dataset fails ({type(error).__name__}: {error}); mend it",
                    "custom_dataset",
                ) from error
        if config.dataset_path is None:
            raise Fault(
                "the task has no dataset_path; write json, csv, parquet or the name of a dataset", "task"
            )
        datasets = _datasets(f"dataset_path {config.dataset_path}")
        try:
            return datasets.load_dataset(config.dataset_path, config.dataset_name, **kwargs)
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise Fault(
                f"dataset_path is {config.dataset_path!r}, which cannot be loaded ({reason}); check its name "
                "and dataset_kwargs",
                "dataset_path",
            ) from error


class TableDocs:
    """Items of an Arrow table.

    Args:
        table: With the hash of the files it was read from.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.columns = tuple(table.rows.column_names)
        self.digest = table.digest

    def __len__(self) -> int:
        return int(self.table.rows.num_rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return next(self._decoded(self.table.rows.slice(place, 1)))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self._decoded(self.table.rows.slice(start, _AT_ONCE))

    def _decoded(self, rows: Any) -> Iterator[dict[str, Any]]:
        for row in rows.to_pylist():
            for name in self.table.encoded:
                row[name] = None if row[name] is None else msgspec.json.decode(row[name])
            yield row


class ListDocs:
    """Items that were given as a list.

    Args:
        rows: The items.
        digest: Hash of where they come from.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], digest: str) -> None:
        self._rows = rows
        self.columns = tuple(rows[0]) if rows else ()
        self.digest = digest

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return self._rows[place]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows)


class HubDocs(ListDocs):
    """Items of a `datasets.Dataset`, which reads them from its cache on disk.

    Args:
        dataset: The split.
    """

    def __init__(self, dataset: Any) -> None:
        self._rows = dataset
        self.columns = tuple(dataset.column_names)
        self.digest = _rows_hash(dataset)


def _docs(found: Any) -> Docs:
    if hasattr(found, "column_names") and hasattr(found, "features"):
        return HubDocs(found)
    rows = list(found)
    if not all(isinstance(row, dict) for row in rows):
        raise Fault(f"the dataset gives {shown(rows)} where a table of items was expected", "dataset_path")
    return ListDocs(rows, _rows_hash(rows))


def _rows_hash(rows: Iterable[Any]) -> str:
    """Hash of all values, the same on every machine."""
    found = hashlib.sha256()
    encode = msgspec.json.Encoder(order="deterministic", enc_hook=repr).encode
    for row in rows:
        found.update(encode(row) + b"\n")
    return found.hexdigest()[:32]


def _processed(docs: Docs, process: Callable[..., Any]) -> Docs:
    datasets = _datasets("process_docs")
    datasets.disable_progress_bars()
    given = docs._rows if isinstance(docs, HubDocs) else datasets.Dataset.from_list(list(docs))
    try:
        found = process(given)
    except Exception as error:  # code of others: whatever goes wrong is the task's
        raise Fault(
            f"the function of process_docs fails ({type(error).__name__}: {error}); mend it", "process_docs"
        ) from error
    return _docs(found)


def _datasets(what: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError(
            f'{what} needs the package datasets; pip install "saltus[datasets]"', field="dataset_path"
        ) from error
    return datasets
