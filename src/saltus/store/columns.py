"""Python values to Arrow arrays, built from plain buffers.

`pyarrow.array` would do the same, but imports pandas (where it is installed) to see whether it was handed one
of its objects: a quarter of a second and forty megabytes for every process that writes a row.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from typing import Any

import numpy as np
import pyarrow as pa

_NUMBERS = {
    pa.float64(): "d",
    pa.float32(): "f",
    pa.int32(): "i",
    pa.int64(): "q",
}


def column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """One column of the lake.

    Args:
        values: Text, numbers, flags, sequences of these, or mappings of text to text; None is null.
        kind: Its Arrow type.

    Raises:
        TypeError: A value is of another type.
        ValueError: A text cannot be encoded.
        OverflowError: A number does not fit.

    Examples:
        >>> column([[1.5], [], [2.0, 3.0]], pa.list_(pa.float32())).to_pylist()
        [[1.5], [], [2.0, 3.0]]
    """
    nulls = sum(value is None for value in values)
    valid = [value is not None for value in values] if nulls else None
    bits = _bits(valid) if valid else None
    if nulls:
        empty = _EMPTY.get(kind, ())
        values = [empty if value is None else value for value in values]
    buffers, children = _content(values, kind)
    return pa.Array.from_buffers(kind, len(values), [bits, *buffers], nulls, children=children)


_EMPTY: dict[pa.DataType, Any] = {pa.string(): "", pa.bool_(): False, **dict.fromkeys(_NUMBERS, 0)}


def _content(values: Sequence[Any], kind: pa.DataType) -> tuple[list[pa.Buffer], list[pa.Array]]:
    if pa.types.is_string(kind):
        return _text(values), []
    if pa.types.is_boolean(kind):
        return [_bits(values)], []
    if kind in _NUMBERS:
        return [pa.py_buffer(array(_NUMBERS[kind], values))], []
    if pa.types.is_map(kind):
        pairs = [tuple(value.items()) if isinstance(value, Mapping) else tuple(value) for value in values]
        keys = column([key for items in pairs for key, _ in items], kind.key_type)
        items = column([item for items in pairs for _, item in items], kind.item_type)
        fields = pa.struct(
            [pa.field("key", kind.key_type, nullable=False), pa.field("value", kind.item_type)]
        )
        entries = pa.Array.from_buffers(fields, len(keys), [None], children=[keys, items])
        return [_offsets(pairs)], [entries]
    return [_offsets(values)], [column(list(chain.from_iterable(values)), kind.value_type)]


def _text(values: Sequence[str]) -> list[pa.Buffer]:
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is no text")
    encoded = [value.encode() for value in values]
    return [_offsets(encoded), pa.py_buffer(b"".join(encoded))]


def _offsets(values: Sequence[Sequence[Any]]) -> pa.Buffer:
    return pa.py_buffer(array("i", accumulate(map(len, values), initial=0)))


def _bits(flags: Sequence[Any]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(np.array(flags, dtype=bool), bitorder="little"))
