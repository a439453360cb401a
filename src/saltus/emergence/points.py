"""Columns of a points table, read once from whatever kind of table it is; series are cut out of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from math import isinf, isnan
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from saltus.records import InputError

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Row = Mapping[str, Any]

REQUIRED = ("name", "task", "metric", "value")
_TEXT = ("family", "name", "model", "role", "run", "task", "metric", "variant", "released")
_CODED = ("model_seed", "shots")
_WHOLE = (*_CODED, "layers", "width", "heads")
_NUMBERS = ("value", "stderr", "n", "chance", "params", "tokens", "flops", "step", "loss", *_WHOLE)


class Points:
    """A table of points by column.

    Attributes:
        size: Number of rows.
    """

    def __init__(self, source: pa.Table | list[Row]) -> None:
        self._source: Any = source
        self.size = len(source)
        self._numbers: dict[str, Floats] = {}
        self._codes: dict[str, tuple[Codes, list[Any]]] = {}
        self._other: dict[str, Any] = {}

    @cached_property
    def names(self) -> frozenset[str]:
        """The columns there are."""
        if not isinstance(self._source, list):
            return frozenset(self._source.column_names)
        return frozenset().union(*self._source)

    def numbers(self, name: str) -> Floats:
        """A numeric column, NaN where empty, shape (size,).

        Raises:
            InputError: A cell is no number.
        """
        if name not in self._numbers:
            self._numbers[name] = self._read_numbers(name)
        return self._numbers[name]

    def codes(self, name: str) -> tuple[Codes, list[Any]]:
        """A column of names as places in a sorted list of its values; an empty cell is "" (None if whole).

        Raises:
            InputError: A cell is no name, or a required one is empty.
        """
        if name not in self._codes:
            self._codes[name] = self._read_codes(name)
        return self._codes[name]

    def rows(self, index: Codes) -> list[Row]:
        """Rows as mappings."""
        source = self._source
        if isinstance(source, list):
            return [source[i] for i in index.tolist()]
        names = source.column_names
        columns = [self._cells(name, index) for name in names]
        return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]

    def take(self, index: Codes) -> Points:
        """Some of the rows."""
        if isinstance(self._source, list):
            return Points(self.rows(index))
        import pyarrow as pa

        return Points(self._source.take(pa.array(index)))

    def _cells(self, name: str, index: Codes) -> list[Any]:
        if name in _TEXT or name in _CODED:
            codes, values = self.codes(name)
            return [values[code] for code in codes[index].tolist()]
        if name in _NUMBERS:
            cells = self.numbers(name)[index].tolist()
            if name in _WHOLE:
                return [None if isnan(v) else int(v) if v == int(v) else v for v in cells]
            return [None if isnan(v) else v for v in cells]
        if name not in self._other:  # one piece: taking from many looks through all of them
            self._other[name] = self._source[name].combine_chunks()
        return [self._other[name][i].as_py() for i in index.tolist()]

    def _read_numbers(self, name: str) -> Floats:
        if name not in self.names:
            return np.full(self.size, np.nan)
        if isinstance(self._source, list):
            cells = [row.get(name) for row in self._source]
            return np.array([_number(cell, name, place) for place, cell in enumerate(cells)], float)
        import pyarrow as pa

        try:
            column = self._source[name].cast(pa.float64())
        except pa.ArrowException:
            cells = self._source[name].to_pylist()
            return np.array([_number(cell, name, place) for place, cell in enumerate(cells)], float)
        return np.asarray(column.to_numpy(zero_copy_only=False), float).copy()

    def _read_codes(self, name: str) -> tuple[Codes, list[Any]]:
        whole = name in _WHOLE
        empty = None if whole else ""
        if name not in self.names:
            return np.zeros(self.size, np.int64), [empty]
        cells, raw = self._distinct(name)
        read = {value: _label(value, name) for value in raw}
        if name in REQUIRED and "" in read.values():
            raise InputError(f"A row of the points has no {name}; fill the cell.", field=name)
        values = sorted(set(read.values()), key=lambda v: (v is None, v))
        place = {value: i for i, value in enumerate(values)}
        table = np.array([place[read[value]] for value in raw], np.int64)
        return table[cells], values

    def _distinct(self, name: str) -> tuple[Codes, list[Any]]:
        """Cells as places in a list of distinct values, in any order."""
        if not isinstance(self._source, list):
            import pyarrow as pa
            import pyarrow.compute as pc

            column = self._source[name]
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            coded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
            return np.asarray(coded.indices.to_numpy(zero_copy_only=False), np.int64), (
                coded.dictionary.to_pylist()
            )
        seen: dict[Any, int] = {}
        out = np.empty(self.size, np.int64)
        for i, row in enumerate(self._source):
            cell = row.get(name)
            try:
                out[i] = seen.setdefault(None if cell != cell else cell, len(seen))  # noqa: PLR0124
            except (TypeError, ValueError):
                raise InputError(
                    f"Row {i + 1} of the points has {name} = {cell!r}, which is neither text nor a number.",
                    field=name,
                ) from None
        return out, list(seen)


class Rows(Sequence[Row]):
    """Some rows of the points, made into mappings when they are first looked at."""

    def __init__(self, points: Points, index: Codes) -> None:
        self.points, self.places = points, index

    @cached_property
    def _made(self) -> tuple[Row, ...]:
        return tuple(self.points.rows(self.places))

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        return self._made[place]

    def __len__(self) -> int:
        return len(self.places)

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (list(self._made),)  # to another process go these rows and not the table


def read_points(points: Any) -> Points:
    """Columns from any of the accepted kinds of table: Arrow, pandas, polars, mappings, `.points()`.

    Raises:
        InputError: When the object is no table, is empty, or lacks a column.
    """
    table = points.points() if callable(getattr(points, "points", None)) else points
    read = table if isinstance(table, Points) else Points(_source(table, points))
    if not read.size:
        raise InputError("There are no points to detect anything in; run or import an evaluation first.")
    missing = [name for name in REQUIRED if name not in read.names]
    if missing:
        raise InputError(
            f"The points lack the column {missing[0]!r}; they need {', '.join(REQUIRED)} and an axis.",
            field=missing[0],
        )
    return read


def _source(table: Any, points: Any) -> Any:
    if hasattr(table, "to_pylist") and hasattr(table, "column_names"):
        return table
    if hasattr(table, "to_arrow"):
        return table.to_arrow()
    if hasattr(table, "to_dict"):  # pandas: its missing values (NaN, NA, NaT) become None
        return [{str(k): _present(v) for k, v in row.items()} for row in table.to_dict("records")]
    if isinstance(table, Iterable) and not isinstance(table, str | bytes | Mapping):
        rows = list(table)
        strange = next((row for row in rows if not isinstance(row, Mapping)), None)
        if strange is None:
            return rows
        raise InputError(
            f"Points in a list must be mappings from column to value; found {type(strange).__name__}.",
            field="points",
        )
    raise InputError(
        f"Points must be an Arrow table, a data frame or a list of mappings; found {type(points).__name__}.",
        field="points",
    )


def _present(value: Any) -> Any:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    return None if isinstance(value, float) and isnan(value) else value


def _number(cell: Any, name: str, place: int) -> float:
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return np.nan
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"Row {place + 1} of the points has {name} = {cell!r}, which is no number; mend it or leave it "
            "empty.",
            field=name,
        ) from None


def _label(value: Any, name: str) -> Any:
    """A cell of names as text, or as a whole number where the column holds those."""
    if value is None or (isinstance(value, float) and isnan(value)):
        return None if name in _WHOLE else ""
    if name not in _WHOLE:
        return str(value)
    number = _number(value, name, 0) if not isinstance(value, int) else value
    if isnan(number) or isinf(number) or number != int(number):
        raise InputError(f"A row of the points has {name} = {value!r}, which is no whole number.", field=name)
    return int(number)
