"""Per-sample marks of one training run as arrays of checkpoints by samples: what flicker is told from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.series import Series, number
from saltus.records import InputError

if TYPE_CHECKING:
    import pyarrow as pa

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int64]

NAMES = ("task", "metric", "sample")  # besides model or step, epoch, value, and perhaps variant and run


class Marks:
    """Per-sample scores by column.

    Attributes:
        value: Shape (rows,).
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._coded: dict[str, tuple[Codes, list[Any]]] = {}
        self.value: Floats = np.asarray(table["value"].to_numpy(zero_copy_only=False), float)

    def along(self, run: Series, rows: NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
        """Marks of one run.

        Args:
            run: The series; its checkpoints are found by model, or by step where the samples name no model.
            rows: Which of its rows, in order.

        Returns:
            The mark of each sample's first epoch (NaN where it was not asked), how many of its epochs are
            right, and how many epochs it has; each (checkpoints, samples). No samples where a mark is not 0
            or 1.
        """
        mine = np.isfinite(self.value)
        for name, wanted in (("task", run.task), ("metric", run.metric), ("variant", run.variant)):
            if name in self._table.column_names:
                mine &= self._is(name, wanted)
        at = np.flatnonzero(mine)
        checkpoint = self._checkpoints(run, rows)[at]
        at, checkpoint = at[checkpoint >= 0], checkpoint[checkpoint >= 0]
        value = self.value[at]
        if not len(at) or not np.isin(value, (0.0, 1.0)).all():
            empty = np.zeros((len(rows), 0))
            return empty, empty, empty
        _, sample = np.unique(self._codes("sample")[0][at], return_inverse=True)
        shape = (len(rows), int(sample.max()) + 1)
        right, epochs = np.zeros(shape), np.zeros(shape)
        np.add.at(right, (checkpoint, sample), value)
        np.add.at(epochs, (checkpoint, sample), 1.0)
        first = np.full(shape, np.nan)
        order = np.argsort(-self._numbers("epoch")[at], kind="stable")  # the first epoch is written last
        first[checkpoint[order], sample[order]] = value[order]
        return first, right, epochs

    def _checkpoints(self, run: Series, rows: NDArray[np.intp]) -> Codes:
        """The place among `rows` of each row's checkpoint, -1 for those of others."""
        chosen = [run.rows[int(i)] for i in rows]
        if "model" not in self._table.column_names:
            steps = {number(row.get("step")): k for k, row in enumerate(chosen)}
            return np.array([steps.get(step, -1) for step in self._numbers("step").tolist()], np.int64)
        models = {str(row.get("model") or row["name"]): k for k, row in enumerate(chosen)}
        codes, values = self._codes("model")
        found = np.array([models.get(str(value), -1) for value in values], np.int64)[codes]
        if "run" not in self._table.column_names:
            return found
        # Of several runs that measured a checkpoint, the one that its point is of.
        codes, values = self._codes("run")
        known = {str(value): code for code, value in enumerate(values)}
        wanted = [known.get(str(row.get("run") or ""), -1) for row in chosen]
        right = np.array([*wanted, -1], np.int64)[found]
        return np.where((right < 0) | (right == codes), found, -1)

    def _is(self, name: str, wanted: str) -> NDArray[np.bool_]:
        codes, values = self._codes(name)
        return np.array([str(value or "") == wanted for value in values], bool)[codes]

    def _numbers(self, name: str) -> Floats:
        if name not in self._table.column_names:
            return np.zeros(self._table.num_rows)
        return np.asarray(self._table[name].to_numpy(zero_copy_only=False), float)

    def _codes(self, name: str) -> tuple[Codes, list[Any]]:
        if name not in self._coded:
            import pyarrow.compute as pc

            column = self._table[name].combine_chunks()
            coded = pc.dictionary_encode(column, null_encoding="encode")
            self._coded[name] = (
                np.asarray(coded.indices.to_numpy(zero_copy_only=False), np.int64),
                coded.dictionary.to_pylist(),
            )
        return self._coded[name]


def marks_of(samples: Any) -> Marks:
    """Read per-sample scores: an Arrow table, what `store.scores` gives, or a mapping of columns.

    Raises:
        InputError: It is none of these, or lacks a column.
    """
    import pyarrow as pa

    given = samples.arrow() if callable(getattr(samples, "arrow", None)) else samples
    table = pa.table(dict(given)) if isinstance(given, Mapping) else given
    if not isinstance(table, pa.Table):
        raise InputError(
            "Samples must be an Arrow table or a mapping of columns, as `store.scores(...).arrow()` gives; "
            f"found {type(samples).__name__}.",
            field="samples",
        )
    missing = [name for name in (*NAMES, "value") if name not in table.column_names]
    if not missing and not {"model", "step"} & set(table.column_names):
        missing = ["model"]
    if missing:
        raise InputError(
            f"The samples lack the column {missing[0]!r}; they need model or step, {', '.join(NAMES)}, epoch "
            "and value.",
            field=missing[0],
        )
    return Marks(table)
