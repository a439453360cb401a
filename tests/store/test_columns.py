"""Columns are what pyarrow itself would make of the same values."""

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.store.columns import column

VALUES = {
    pa.string(): st.text(),
    pa.float64(): st.floats(allow_nan=False),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.bool_(): st.booleans(),
    pa.list_(pa.string()): st.lists(st.text()),
    pa.list_(pa.float32()): st.lists(st.floats(width=32, allow_nan=False)),
    pa.list_(pa.bool_()): st.lists(st.booleans()),
    pa.map_(pa.string(), pa.string()): st.dictionaries(st.text(), st.text()),
}


@pytest.mark.parametrize("kind", VALUES, ids=str)
@given(data=st.data())
def test_any_values(kind, data):
    values = data.draw(st.lists(st.none() | VALUES[kind], max_size=40))
    made = column(values, kind)
    made.validate(full=True)
    given = [list(value.items()) if isinstance(value, dict) else value for value in values]
    assert made.equals(pa.array(given, type=kind))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.float64(), "1.5"),
        (pa.int32(), 1.5),
        (pa.int32(), 2**40),
        (pa.string(), 7),
        (pa.string(), "\ud800"),
        (pa.list_(pa.float32()), ["x"]),
        (pa.list_(pa.float32()), 3),
    ],
)
def test_values_of_another_type_are_refused(kind, value):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        column([value], kind)


def test_writing_rows_needs_no_pandas():
    code = """
import sys, tempfile, saltus
from saltus.records import Sample
with saltus.open(tempfile.mkdtemp()) as store:
    one = Sample(task="t", task_version="v", id="a", input="x", target="y", slices={"a": "b"})
    store.append("samples", [one])
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
