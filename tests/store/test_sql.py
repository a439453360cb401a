"""SQL that users write: it may read the store, and that is all it may."""

import os

import pytest

from saltus.records import ModelRecord, UsageError
from saltus.records.arrow import POINTS, TABLES


@pytest.mark.parametrize("table", [*TABLES, "models_all", "runs_all", "samples_all"])
def test_an_empty_store_has_every_view(store, table):
    rows = store.sql(f"SELECT * FROM {table}")
    assert rows.num_rows == 0
    expected = TABLES[table.removesuffix("_all")].names
    assert [name for name in rows.column_names if name != "_added"] == expected


def test_points_are_a_view_too(store, make_scores):
    assert store.sql("SELECT * FROM points").schema.names == POINTS.names
    store.append("scores", [*make_scores(3), *make_scores(2, model="n", value=0.5)])
    points = store.points()
    assert store.sql("SELECT * FROM points").cast(POINTS).equals(points)
    assert store.sql("SELECT n FROM points WHERE model = 'n'")["n"].to_pylist() == [2.0]


def test_parameters_lists_and_joins(store, make_scores):
    store.append("scores", make_scores(4) + make_scores(2, model="n"))
    store.append("models", [ModelRecord(name="m", params=5.0), ModelRecord(name="n", params=6.0)])
    store.append("models", [ModelRecord(name="m", params=7.0)])
    rows = store.sql(
        "SELECT m.params, count(*) AS n FROM scores s JOIN models m ON m.id = s.model "
        "WHERE s.model IN (SELECT unnest(?)) AND s.task = ? GROUP BY ALL ORDER BY ALL",
        [["m", "n"], "t"],
    )
    assert rows.to_pylist() == [{"params": 6.0, "n": 2}, {"params": 7.0, "n": 4}]


@pytest.mark.parametrize(
    "query",
    [
        "FROM scores",
        "WITH a AS (SELECT 1 AS x) SELECT * FROM a;",
        "DESCRIBE scores",
        "SUMMARIZE scores",
        "PIVOT scores ON metric USING avg(value) GROUP BY task",
        "EXPLAIN SELECT 1",
        "SHOW TABLES",
    ],
)
def test_every_way_to_ask_works(store, make_scores, query):
    store.append("scores", make_scores(2))
    assert store.sql(query).num_rows > 0


REFUSED = [
    "COPY (SELECT 1) TO '{out}'",
    "COPY scores TO '{part}' (FORMAT parquet)",
    "WITH x AS (COPY (SELECT 1) TO '{out}') SELECT * FROM x",
    "WITH x AS (COPY (SELECT 1) TO '{part}') SELECT * FROM x",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'",
    "EXPORT DATABASE '{out}'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_text('{lake}/../ledger.sqlite')",
    "SELECT * FROM read_parquet('{lake}/scores/*.parquet')",
    "SELECT * FROM 'https://example.com/x.parquet'",
    "ATTACH '{out}'",
    "ATTACH '{lake}/x.duckdb'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SELECT * FROM query('SET threads = 1')",
    "RESET lock_configuration",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "CREATE TABLE t AS SELECT 1",
    "CREATE SECRET (TYPE s3)",
    "INSERT INTO scores VALUES (1)",
    "DELETE FROM scores",
    "DROP VIEW scores",
    "SELECT 1; DROP VIEW scores",
    "FROM enable_logging(storage = 'file', storage_path = '{out}')",
    "SELECT * FROM secret",
    "SELECT getenv('HOME')",
    "",
    "-- nothing",
    "SELEC 1",
    "SELECT nothing FROM scores",
]


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_more_than_reading_is_refused_in_one_sentence(store, make_scores, tmp_path, query):
    secret = [{"python": "variables are not tables"}]
    assert secret
    store.append("scores", make_scores(2), part="p")
    lake = store.path / "lake"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(UsageError) as caught:
        store.sql(query.format(out=tmp_path / "out", lake=lake, part=lake / "scores" / "p.parquet"))
    assert "\n" not in str(caught.value)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert store.sql("SELECT count(*) AS n FROM scores")["n"].to_pylist() == [2]


def test_what_a_query_makes_is_gone_with_it(store, make_scores):
    store.append("scores", make_scores(2))
    with pytest.raises(UsageError):
        store.sql("WITH x AS (INSERT INTO _parts_scores SELECT * FROM scores RETURNING *) SELECT * FROM x")
    assert store.sql("SELECT count(*) AS n FROM scores")["n"].to_pylist() == [2]


def test_nothing_is_left_in_the_working_directory(store, make_scores, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store.append("scores", make_scores(10))
    store.sql("SELECT * FROM scores ORDER BY sample")
    store.points()
    assert os.listdir(tmp_path) == ["evidence"]
