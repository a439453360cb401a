"""Parts: every table comes back as it went in, and a part is there whole or not at all."""

import os
import time

import msgspec
import pyarrow as pa
import pytest

import saltus
from saltus.records import (
    Aggregate,
    Effect,
    InputError,
    ModelRecord,
    Response,
    RunRecord,
    Sample,
    Score,
    StoreError,
    ToolCall,
    UsageError,
)
from saltus.records.arrow import TABLES

ROWS = {
    "models": [
        ModelRecord(
            name="m",
            revision="step5",
            family="f",
            params=7e9,
            step=5.0,
            layers=2,
            seed=3,
            released="2024-01-02",
        ),
        ModelRecord(name="bare"),
    ],
    "runs": [RunRecord(id="r1", kind="import", source="file.json", format="lm-eval", rows=4, created=12.5)],
    "samples": [
        Sample(
            task="t",
            task_version="v",
            id="a",
            input="2+2=",
            target="4",
            chance=0.1,
            slices={"kind": "sum"},
            extra={"turns": ["and now?"], "ordered": True},
        ),
        Sample(
            task="t", task_version="v", id="b", input="é 漢 \x00", target="", choices=("x", "y"), answer=1
        ),
    ],
    "responses": [
        Response(run="r1", model="m", task="t", sample="a", output="4", logprobs=(-0.5, -1.0), usage=(3, 1)),
        Response(run="r1", model="m", task="t", sample="aa", tool_calls=(ToolCall("add", '{"a": 1}', "c1"),)),
        Response(
            run="r1", model="m", task="t", sample="b", greedy=(True, False), choice_logprobs=(-1.5, -2.0)
        ),
    ],
    "scores": [Score(run="r1", model="m", task="t", sample="a", metric="exact_match", value=1.0, epoch=2)],
    "aggregates": [Aggregate(run="r1", model="m", task="t", metric="acc", value=0.25, stderr=0.01, shots=5)],
    "effects": [
        Effect(
            run="r1",
            model="m",
            task="t",
            component="L0H1+L1H0",
            method="mean_ablation",
            metric="exact_match",
            effect=-0.8,
            low=-0.9,
            high=-0.7,
            baseline=1.0,
            n=256,
            detail='{"purpose": "circuit"}',
        ),
        Effect(
            run="r1", model="m", task="", component="MLP0", method="direct_logit", metric="margin", effect=2
        ),
    ],
}


def test_every_table_has_a_roundtrip_here():
    assert set(ROWS) == set(TABLES)


@pytest.mark.parametrize("table", ROWS)
def test_rows_come_back_as_they_went_in(store, table):
    assert store.append(table, ROWS[table]) == len(ROWS[table])
    back = {str(row): row for row in store.sql(f"SELECT * FROM {table}").to_pylist()}
    assert len(back) == len(ROWS[table])
    for given, got in zip(ROWS[table], sorted(back.values(), key=_order(table)), strict=True):
        for name in TABLES[table].names:
            assert _plain(got[name]) == _plain(_given(given, name)), name


def _order(table):
    return {"models": lambda row: -len(row["id"]), "samples": lambda row: row["id"]}.get(
        table, lambda row: row.get("sample", "")
    )


def _given(row, name):
    places = {"prompt_tokens": 0, "completion_tokens": 1}
    if name in ("extra", "tool_calls"):
        return (
            msgspec.json.encode(value, order="deterministic").decode()
            if (value := getattr(row, name))
            else ""
        )
    return row.usage[places[name]] if name in places else getattr(row, name)


def _plain(value):
    if hasattr(value, "items"):
        return sorted(value.items())
    return list(value) if isinstance(value, tuple) else value


def test_the_schema_on_disk_is_the_contract(store):
    for table, rows in ROWS.items():
        store.append(table, rows)
        for part in (store.path / "lake" / table).iterdir():
            names = pa.parquet.read_schema(part).names
            assert [name for name in names if name != "_added"] == TABLES[table].names


def test_arrow_rows_get_defaults_for_what_they_leave_out(store):
    coded = pa.array(["m", "m"]).dictionary_encode()
    given = pa.table(
        {"run": ["r", "r"], "model": coded, "task": ["t"] * 2, "sample": ["a", "b"], "metric": ["x"] * 2}
    )
    given = given.append_column("value", pa.array([1, 0], pa.int64())).append_column("variant", [[None, "v"]])
    assert store.append("scores", given) == 2
    assert store.append("scores", given.to_batches()[0]) == 2
    rows = store.sql("SELECT DISTINCT variant, epoch, value FROM scores ORDER BY variant").to_pylist()
    assert rows == [{"variant": "", "epoch": 0, "value": 1.0}, {"variant": "v", "epoch": 0, "value": 0.0}]


@pytest.mark.parametrize(
    ("table", "rows", "says"),
    [
        ("scores", [Score(run="r", model="m", task="t", sample="s", metric="x", value=float("nan"))], "NaN"),
        ("scores", [Score(run="r", model="m", task="t", sample=None, metric="x", value=1.0)], "no sample"),
        ("scores", [Score(run="r", model="m", task="t", sample="s", metric="x", value="high")], "value"),
        ("scores", [ModelRecord(name="m")], "ModelRecord"),
        ("responses", [Response(run="r", model="m", task="t", sample="s", output="\ud800")], "output"),
        ("scores", pa.table({"run": ["r"], "score": [1.0]}), "'score'"),
        ("scores", pa.table({"run": ["r"], "value": [[1.0]]}), "value"),
        ("scores", pa.table({"run": ["r"], "value": [1.0]}), "no model"),
        ("models", pa.table({"name": ["m"]}), "no id"),
    ],
)
def test_a_wrong_row_is_refused_and_nothing_is_written(store, table, rows, says):
    with pytest.raises(InputError, match=says):
        store.append(table, rows)
    assert list((store.path / "lake" / table).iterdir()) == []


def test_an_unknown_table_or_part_name_is_refused(store):
    with pytest.raises(UsageError, match="'score'"):
        store.append("score", [])
    with pytest.raises(UsageError, match=r"\.\./x"):
        store.append("scores", [], part="../x")


def test_a_named_part_is_written_once(store, make_scores):
    assert not store.has_part("scores", "run1-0")
    assert store.append("scores", make_scores(3), part="run1-0") == 3
    assert store.has_part("scores", "run1-0")
    assert store.append("scores", make_scores(5), part="run1-0") == 0
    with store.writer("scores", part="run1-0") as late:
        late.write(make_scores(4))
    assert late.added == 0
    assert store.sql("SELECT count(*) AS n FROM scores")["n"].to_pylist() == [3]


def test_no_rows_leave_no_part_unless_it_is_named(store):
    assert store.append("scores", []) == 0
    assert list((store.path / "lake" / "scores").iterdir()) == []
    assert store.append("scores", [], part="nothing") == 0
    assert store.has_part("scores", "nothing")


def test_a_writer_that_fails_leaves_nothing(store, make_scores):
    with pytest.raises(RuntimeError, match="stop"), store.writer("scores") as writer:  # noqa: PT012
        writer.write(make_scores(200_000))
        raise RuntimeError("stop")
    assert list((store.path / "lake" / "scores").iterdir()) == []


def test_a_large_append_is_cut_into_row_groups(store, make_scores):
    with store.writer("scores", part="large") as writer:
        for _ in range(30):
            writer.write(make_scores(10_000))
    assert writer.added == 300_000
    metadata = pa.parquet.read_metadata(store.path / "lake" / "scores" / "large.parquet")
    sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert max(sizes) <= 131_072
    assert len(sizes) <= 5


def test_unnamed_parts_sort_by_time(store, make_scores):
    for number in range(3):
        store.append("scores", make_scores(1, run=f"r{number}"))
    assert store.scores().arrow()["run"].to_pylist() == ["r0", "r1", "r2"]


def test_leftovers_are_swept_when_old_and_dead(store, make_scores):
    folder = store.path / "lake" / "scores"
    with store.writer("scores") as living:
        living.write(make_scores(2))
        (alive,) = folder.iterdir()
        dead, young = folder / ".tmp-dead", folder / ".tmp-young"
        dead.write_bytes(b"PAR1 half")
        young.write_bytes(b"PAR1 half")
        for path in (alive, dead):
            os.utime(path, (time.time() - 3600,) * 2)
        saltus.open(store.path)
        assert set(folder.iterdir()) == {alive, young}
        assert store.scores().arrow().num_rows == 0
    assert store.scores().arrow().num_rows == 2


def test_a_disk_without_hard_links_gives_the_same_promise(store, make_scores, monkeypatch):
    def refuse(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert store.append("scores", make_scores(2), part="a") == 2
    assert store.append("scores", make_scores(2), part="a") == 0
    with store.exclusive():
        assert store.append("scores", make_scores(2), part="b") == 2
    assert sorted(path.name for path in (store.path / "lake" / "scores").iterdir()) == [
        "a.parquet",
        "b.parquet",
    ]


@pytest.mark.parametrize("harm", ["truncate", "overwrite", "empty"])
def test_a_broken_part_is_named_with_the_mend(store, make_scores, harm):
    store.append("scores", make_scores(50_000), part="good")
    store.append("scores", make_scores(50_000), part="harmed")
    path = store.path / "lake" / "scores" / "harmed.parquet"
    whole = path.read_bytes()
    middle = len(whole) // 2
    harmed = {
        "truncate": whole[:middle],
        "overwrite": whole[:100] + b"\xff" * (middle) + whole[middle + 100 :],
        "empty": b"",
    }
    path.write_bytes(harmed[harm])
    for ask in (
        lambda: store.sql("SELECT sum(value), max(sample) FROM scores"),
        lambda: store.scores().arrow(),
        store.points,
    ):
        with pytest.raises(StoreError, match=r"harmed\.parquet: .*rename it to harmed\.parquet\.broken"):
            ask()
    path.rename(path.with_name("harmed.parquet.broken"))
    assert store.scores().arrow().num_rows == 50_000


def test_parts_of_another_version_are_read(store, make_scores):
    folder = store.path / "lake" / "scores"
    store.append("scores", make_scores(1, run="now"))
    older = pa.table(
        {"run": ["then"], "model": ["m"], "task": ["t"], "sample": ["s"], "metric": ["x"], "value": [0.5]}
    )
    pa.parquet.write_table(older, folder / "older.parquet")
    newer = older.append_column("novelty", pa.array([1]))
    pa.parquet.write_table(newer, folder / "newer.parquet")
    for rows in (store.scores().arrow(), store.sql("SELECT * FROM scores")):
        assert sorted(rows["run"].to_pylist()) == ["now", "then", "then"]
        assert sorted(rows["variant"].to_pylist(), key=str) == ["", None, None]
