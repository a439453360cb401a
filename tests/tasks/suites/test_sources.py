"""Every source gives the same items, one by one, anew each time; a broken file is one sentence."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.records import InputError, MissingExtraError
from saltus.tasks import get_suite
from saltus.tasks.suites.json_list import list_items
from saltus.tasks.validate import check_suite

ROWS = [
    {"question": "Which, of two?", "a": "one", "b": "two\nlines", "label": "B", "level": "easy", "left": "x"},
    {"question": 'A "quoted" word', "a": "yes", "b": "no", "label": "A", "level": "hard", "left": "y"},
    {"question": "Größe?", "a": "1", "b": "2", "label": "A", "level": "hard", "left": "z"},
]
SUITE = """
tasks:
  - name: t
    items: {items}
    prompt: "Q: {{{{ question }}}}\\nA:"
    choices: ["{{{{ a }}}}", "{{{{ b }}}}"]
    answer: "{{{{ label }}}}"
    delimiter: " "
    slices: {{difficulty: level}}
"""


def write(folder: Path, name: str, rows: list[dict[str, Any]] = ROWS) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    kind = name.removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    if kind == "jsonl":
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    elif kind == "json":
        data = json.dumps(rows, indent=1).encode()
    elif kind in ("csv", "tsv"):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), delimiter="," if kind == "csv" else "\t")
        writer.writeheader()
        writer.writerows(rows)
        data = text.getvalue().encode()
    else:
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), sink)
        data = sink.getvalue()
    if name.endswith(".gz"):
        data = gzip.compress(data)
    if name.endswith(".zst"):
        with pa.CompressedOutputStream(str(path), "zstd") as packed:
            packed.write(data)
    else:
        path.write_bytes(data)


def items(folder: Path, source: str, extra: str = "") -> list[Any]:
    (folder / "s.yaml").write_text(SUITE.format(items=json.dumps(source)) + extra)
    task = get_suite(folder / "s.yaml").tasks[0]
    first, second = list(task.items()), list(task.items())
    assert first == second
    return first


@pytest.fixture
def expected(tmp_path: Path) -> list[Any]:
    write(tmp_path, "rows.jsonl")
    return items(tmp_path, "rows.jsonl")


def content(samples: list[Any]) -> list[Any]:
    return [(s.id, s.input, s.target, s.choices, s.answer, s.slices, s.chance) for s in samples]


@pytest.mark.parametrize(
    "name",
    [
        "r.json",
        "r.csv",
        "r.tsv",
        "r.parquet",
        "r.jsonl.gz",
        "r.jsonl.zst",
        "r.csv.gz",
        "r.parquet.gz",
        "r.json.gz",
    ],
)
def test_every_format_gives_the_same_items(tmp_path: Path, expected: list[Any], name: str) -> None:
    write(tmp_path, name)
    found = items(tmp_path, name)
    assert content(found) == content(expected)
    assert [sample.answer for sample in found] == [1, 0, 0]
    assert found[1].slices == {"difficulty": "hard"}


def test_packing_does_not_change_the_version(tmp_path: Path, expected: list[Any]) -> None:
    for name in ("r.jsonl.gz", "r.jsonl.zst"):
        write(tmp_path, name)
        assert items(tmp_path, name)[0].task_version == expected[0].task_version


def test_many_files_are_one_task(tmp_path: Path) -> None:
    write(tmp_path, "data/b.jsonl", ROWS[1:])
    write(tmp_path, "data/a.jsonl", ROWS[:1])
    found = items(tmp_path, "data/*.jsonl")
    assert [sample.id for sample in found] == ["t-00000", "t-00001", "t-00002"]
    assert "Which" in found[0].input
    assert content(items(tmp_path, ["data/a.jsonl", "data/b.jsonl"])) == content(found)  # type: ignore[arg-type]


@pytest.fixture
def _datasets_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.usefixtures("_datasets_cache")
@pytest.mark.parametrize("source", ["hf:./folder", "hf:folder/train.parquet", "hf:folder/train.jsonl"])
def test_hugging_face_datasets_from_local_files(tmp_path: Path, expected: list[Any], source: str) -> None:
    write(tmp_path, "folder/train.parquet")
    if source.endswith("jsonl"):
        write(tmp_path, "folder/train.jsonl")
    found = items(tmp_path, source, "    split: train\n")
    assert content(found) == content(expected)


@pytest.mark.usefixtures("_datasets_cache")
def test_splits_are_named_where_there_are_several(tmp_path: Path) -> None:
    write(tmp_path, "folder/train.csv")
    write(tmp_path, "folder/test.csv", ROWS[:2])
    assert len(items(tmp_path, "hf:folder", "    split: test\n")) == 2
    for extra, said in (("", "more than one split; there are"), ("    split: tset\n", "did you mean 'test'")):
        (tmp_path / "s.yaml").write_text(SUITE.format(items="hf:folder") + extra)
        with pytest.raises(InputError, match=said) as caught:
            get_suite(tmp_path / "s.yaml")
        assert caught.value.path == str(tmp_path / "s.yaml")


def test_names_that_are_no_dataset_are_refused(tmp_path: Path) -> None:
    for name in ("hf:./nowhere", "hf:a/b/c/d", "hf:"):
        (tmp_path / "s.yaml").write_text(SUITE.format(items=f"'{name}'"))
        with pytest.raises(InputError, match="items is") as caught:
            get_suite(tmp_path / "s.yaml")
        assert caught.value.line == 4


def test_without_the_extra_its_name_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    (tmp_path / "s.yaml").write_text(SUITE.format(items="hf:x/y"))
    with pytest.raises(MissingExtraError, match=r'pip install "saltus\[datasets\]"'):
        get_suite(tmp_path / "s.yaml")


TWO = "tasks:\n  - name: t\n    items: {name}\n    columns: {{input: question, target: label}}\n"


@pytest.mark.parametrize(
    ("name", "data", "line", "said"),
    [
        ("x.csv", b"question,label\na,b\nc\n", 3, "this row has 1 cells and the header has 2"),
        ("x.csv", b'question,label\n"a\nb",c\n"d,e\n', 4, "this is no CSV"),
        ("x.csv", b"question,question\na,b\n", 1, "two columns are called 'question'"),
        (
            "x.csv",
            b"question,lable\na,b\n",
            2,
            "names the column 'label', which this item does not have; did you mean",
        ),
        ("x.csv", b"question,label\n", None, "there are no items here"),
        ("x.csv", b"question,label\na,\n", 2, "target is missing or empty"),
        ("x.csv", b"question,label\n\xff,b\n", None, "cannot be read"),
        ("x.json", b'{"question": 1}', 1, "a JSON list of items was expected, this begins with '{'"),
        ("x.json", b'[{"question": "a", "label": "b"},\n{"question": }]', 2, "this is no JSON"),
        (
            "x.json",
            b'[{"question": "a", "label": "b"}\n{"question": "b"}]',
            2,
            "a comma or the end of the list",
        ),
        ("x.json", b'[{"question": "a", "label": "b"}] x', 1, "something stands after the list"),
        ("x.json", b'[{"question": "a", "label": "b"},\n3]', 2, "this item is 3, a mapping"),
        ("x.json", b'[{"question": "a", "label": "b"}', 1, "found 'the file ends'"),
        ("x.json", b"[]", None, "there are no items here"),
        (
            "x.jsonl",
            b'{"question": "a", "label": "b"}\n[1]\n',
            2,
            "this is no item (Expected `object`, got `array`)",
        ),
        ("x.jsonl", b'\xef\xbb\xbf{"question": "a", "label": "b"}\n{"question": "a"\n', 2, "this is no item"),
        ("x.jsonl", b'{"question": "\xff", "label": "b"}\n', 1, "this is no item"),
        ("x.jsonl.gz", b"not gzip", None, "cannot be read"),
        ("x.jsonl.gz", gzip.compress(b'{"question": "a", "label": "b"}\n' * 99)[:40], None, "cannot be read"),
        ("x.jsonl.zst", b"not zstd at all", None, "cannot be read"),
        ("x.parquet", b"PAR1 no", None, "cannot be read"),
    ],
)
def test_a_broken_file_is_one_sentence(
    tmp_path: Path, name: str, data: bytes, line: int | None, said: str
) -> None:
    (tmp_path / name).write_bytes(data)
    (tmp_path / "s.yaml").write_text(TWO.format(name=name))
    with pytest.raises(InputError) as caught:
        get_suite(tmp_path / "s.yaml")
    assert said in caught.value.message
    assert (caught.value.path, caught.value.line) == (str(tmp_path / name), line)
    assert not check_suite(str(tmp_path / "s.yaml")).valid


def test_a_parquet_fault_names_the_row(tmp_path: Path) -> None:
    write(tmp_path, "r.parquet", [{"input": "a", "target": "b"}, {"input": "a", "target": None}])
    with pytest.raises(InputError, match="row 2: target is missing or empty"):
        get_suite(tmp_path / "r.parquet")


def test_cells_with_lists_are_json(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text('input,choices,answer,chance\nx,"[""a"", ""b""]",1,0.3\ny,"[1",0,\n')
    found = check_suite(str(tmp_path / "c.csv"))
    assert [(problem["line"], problem["field"]) for problem in found.problems] == [(3, "choices")]
    assert found.tasks[0].items == 1
    assert found.tasks[0].chance == 0.3


def test_a_file_that_changes_under_a_suite_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "rows.jsonl", [{"input": "a", "target": "b"}])
    task = get_suite(tmp_path / "rows.jsonl").tasks[0]
    write(tmp_path, "rows.jsonl", [{"input": "a", "target": "c"}, {"input": "d", "target": "e"}])
    with pytest.raises(InputError, match="has changed since the suite was read"):
        list(task.items())


def many(folder: Path, n: int, name: str = "many.jsonl") -> Path:
    with (folder / name).open("w") as file:
        for i in range(n):
            file.write(json.dumps({"input": f"{i} " + "word " * 60, "target": str(i)}) + "\n")
    return folder / name


@pytest.mark.parametrize(
    "options", ["", "    shuffle: true\n    limit: 50\n", "    prompt: '{{ input | trim }}'\n"]
)
def test_items_are_never_held(tmp_path: Path, options: str) -> None:
    many(tmp_path, 20_000)
    (tmp_path / "s.yaml").write_text("tasks:\n  - name: t\n    items: many.jsonl\n" + options)
    check_suite(str(tmp_path / "s.yaml"))  # what is loaded and compiled once
    tracemalloc.start()
    task = get_suite(tmp_path / "s.yaml").tasks[0]
    for _ in task.items():
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000, (
        f"{peak / 1e6:.1f} MB for a file of {(tmp_path / 'many.jsonl').stat().st_size / 1e6} MB"
    )


def test_a_json_list_is_never_held(tmp_path: Path) -> None:
    rows = [{"input": f"{i} " + "word " * 60, "target": str(i)} for i in range(30_000)]
    (tmp_path / "l.json").write_text(json.dumps(rows))
    with (tmp_path / "l.json").open() as file:
        tracemalloc.start()
        count = sum(1 for _ in list_items(file, "l.json"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert count == 30_000
    assert peak < 6_000_000


def test_order_is_drawn_by_the_seed_and_keeps_ids(tmp_path: Path) -> None:
    many(tmp_path, 20_000)

    def ids(options: str) -> list[str]:
        (tmp_path / "s.yaml").write_text("tasks:\n  - name: t\n    items: many.jsonl\n" + options)
        return [sample.id for sample in get_suite(tmp_path / "s.yaml", check=False).tasks[0].items()]

    plain = ids("")
    shuffled = ids("    shuffle: true\n")
    assert shuffled != plain
    assert sorted(shuffled) == plain
    assert ids("    shuffle: true\n    limit: 9\n") == shuffled[:9]
    assert ids("    shuffle: true\n    limit: 9\n    seed: 1\n") != shuffled[:9]
    assert ids("    limit: 9\n") == plain[:9]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=30), max_size=4), max_size=8
    ),
    indent=st.sampled_from([None, 0, 3]),
)
def test_any_json_list_is_read_as_json_reads_it(rows: list[Any], indent: int | None) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=False)
    assert [item for _, item in list_items(io.StringIO(text), "x")] == rows


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet='[]{},:"a1 \n\\tru', max_size=40))
def test_any_text_is_a_json_list_or_an_input_error(text: str) -> None:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, list):
        assert [item for _, item in list_items(io.StringIO(text), "x")] == value
    else:
        with pytest.raises(InputError) as caught:
            list(list_items(io.StringIO(text), "x"))
        assert caught.value.line
