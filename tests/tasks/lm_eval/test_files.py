"""Local data files against Hugging Face `datasets`, through which lm-evaluation-harness reads them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from saltus.tasks.lm_eval.docs import TableDocs
from saltus.tasks.lm_eval.files import local_files, read_files
from saltus.tasks.suites.problems import Fault

JSON = {
    "plain": [{"a": "x", "b": 1}, {"a": "y", "b": 2}],
    "a number in one row makes all of them numbers": [{"a": 1}, {"a": 2.5}],
    "missing keys": [{"a": 1}, {"b": "x"}, {"a": None, "b": "y"}],
    "text that looks like a date": [{"day": "2020-01-01"}, {"day": "2020-02-03"}],
    "lists and objects": [{"a": ["x", "y"], "b": {"c": 1}}, {"a": [], "b": {"c": 2}}],
    "objects with other keys": [{"a": {"x": 1}}, {"a": {"y": 2}}],
    "lists of objects with other keys": [{"a": [{"x": 1}, {"y": [1]}]}, {"a": []}],
    "several types in one column": [{"a": 1, "b": "p"}, {"a": "x", "b": "q"}],
    "several types in a list": [{"a": [1, "x"]}, {"a": [2]}],
    "escapes": [{"a": 'quote " and \\ and é and \n line', "b": "{}"}],
    "booleans": [{"a": True}, {"a": None}],
}
CSV = {
    "types": "i,f,t,b\n1,0.5,x,True\n-2,3,y,False\n",
    "missing": "i,f,t\n1,,x\n,2.5,\n3,n/a,None\n",
    "quotes": 'a,b\n"x, y","he said ""no"""\n"two\nlines",z\n',
    "leading zeros": "a,b\n007,+5\n08,6\n",
    "text of numbers": "a\n1\nx\n",
    "short rows": "a,b\n1,x\n2\n",
    "exponents": "a\n1e3\n2\n",
    "words of booleans": "a,b\ntrue,yes\nFALSE,no\n",
}


def ours(builder: str, path: Path, **options: Any) -> list[dict[str, Any]]:
    return list(TableDocs(read_files(builder, [path], options)))


def theirs(builder: str, path: Path, folder: Path, **options: Any) -> list[dict[str, Any]]:
    import datasets

    datasets.disable_progress_bars()
    loaded = datasets.load_dataset(
        builder, data_files={"test": str(path)}, cache_dir=str(folder / "cache"), **options
    )
    return list(loaded["test"])


@pytest.mark.parametrize("rows", JSON.values(), ids=JSON)
def test_json_lines(rows: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert ours("json", path) == theirs("json", path, tmp_path)


def test_a_json_list_and_a_field(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    listed, inside = tmp_path / "list.json", tmp_path / "field.json"
    listed.write_text(json.dumps(rows, indent=1))
    inside.write_text(json.dumps({"meta": 1, "data": rows}))
    assert ours("json", listed) == theirs("json", listed, tmp_path) == rows
    assert ours("json", inside, field="data") == theirs("json", inside, tmp_path, field="data") == rows


@pytest.mark.parametrize("text", CSV.values(), ids=CSV)
def test_csv(text: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    assert ours("csv", path) == theirs("csv", path, tmp_path)


def test_csv_with_another_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text("1\tx y\n2\tz\n")
    options = {"delimiter": "\t", "column_names": ["n", "t"]}
    assert ours("csv", path, **options) == theirs("csv", path, tmp_path, **options)


def test_parquet_arrow_text_and_packed_files(tmp_path: Path) -> None:
    table = pa.table({"a": [1, None], "b": [["x"], []]})
    parquet.write_table(table, tmp_path / "t.parquet")
    for name, open_writer in (("s.arrow", pa.ipc.new_stream), ("f.arrow", pa.ipc.new_file)):
        with open_writer(str(tmp_path / name), table.schema) as writer:
            writer.write_table(table)
        assert ours("arrow", tmp_path / name) == table.to_pylist()
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n{"a": 2}\n'))
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    assert ours("parquet", tmp_path / "t.parquet") == table.to_pylist()
    assert ours("json", tmp_path / "rows.jsonl.gz") == [{"a": 1}, {"a": 2}]
    assert ours("text", tmp_path / "lines.txt") == [{"text": "one"}, {"text": "two"}]


def test_rows_one_by_one_and_in_stretches(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"n": {n}}}\n' for n in range(1500)))
    docs = TableDocs(read_files("json", [path, path], {}))
    assert len(docs) == 3000
    assert [docs[place]["n"] for place in (0, 1499, 1500)] == [0, 1499, 0]
    assert [doc["n"] for doc in docs] == list(range(1500)) * 2


def test_names_are_found_in_the_working_directory_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, beside = tmp_path / "here", tmp_path / "beside"
    for folder in (here, beside):
        folder.mkdir()
        (folder / "both.jsonl").touch()
    (beside / "one.jsonl").touch()
    monkeypatch.chdir(here)
    found = local_files({"test": "both.jsonl", "train": ["one.jsonl", "*.jsonl"]}, beside)
    assert found is not None
    assert found["test"] == [Path("both.jsonl")]
    assert found["train"] == [beside / "one.jsonl", Path("both.jsonl")]
    assert local_files({"test": "hf://datasets/x/y.json"}, beside) is None
    with pytest.raises(Fault, match=r"names none\.jsonl"):
        local_files("none.jsonl", beside)


@given(content=st.binary(max_size=80), builder=st.sampled_from(["json", "csv", "parquet", "arrow", "text"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_in_a_sentence(content: bytes, builder: str, tmp_path: Path) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    try:
        rows = ours(builder, path)
    except Fault as fault:
        assert "cannot be read" in fault.sentence  # noqa: PT017 - either way is right
    else:
        assert all(isinstance(row, dict) for row in rows)
