"""Exports as CSV and Parquet open in pandas and polars, and the command line says what it did."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pandas
import polars
import pytest

from saltus.cli import main
from saltus.evals.exporters import export_run
from saltus.records.errors import StoreError, UsageError
from saltus.store import Store


def test_scores_open_in_pandas_and_polars(store: Store, run: str, tmp_path: Path) -> None:
    result = export_run(run, "parquet", tmp_path / "scores.parquet", store=store)
    frame = pandas.read_parquet(tmp_path / "scores.parquet")
    expected = store.scores(run=run).pandas()
    assert result.rows == len(frame) == len(expected)
    assert (frame["value"].to_numpy() == expected["value"].to_numpy()).all()
    schema = polars.read_parquet(tmp_path / "scores.parquet").schema
    assert [schema[name] for name in ("sample", "epoch", "value", "params", "released")] == [
        polars.String, polars.Int32, polars.Float64, polars.Float64, polars.Date,
    ]  # fmt: skip
    assert polars.read_parquet(tmp_path / "scores.parquet")["released"][0] == datetime.date(2024, 5, 1)
    export_run(run, "csv", tmp_path / "scores.csv", store=store)
    table = pandas.read_csv(tmp_path / "scores.csv")
    assert list(table.columns) == list(frame.columns)
    assert table["value"].tolist() == frame["value"].tolist()
    assert polars.read_csv(tmp_path / "scores.csv").shape == frame.shape


def test_responses_have_a_column_a_metric(store: Store, run: str, tmp_path: Path) -> None:
    result = export_run(run, "parquet", tmp_path / "r.parquet", store=store, table="responses")
    frame = polars.read_parquet(tmp_path / "r.parquet")
    assert result.rows == frame.height == 70
    names = [name for name in frame.columns if name.startswith("score.")]
    assert names == ["score.choice_correct", "score.exact_match", "score.target_logprob"]
    sums = frame.filter((polars.col("task") == "sums: easy") & (polars.col("model") == "plain"))
    means = sums["score.exact_match"].mean()
    (row,) = store.sql(
        "SELECT avg(value) AS v FROM scores WHERE model = 'plain' AND metric = 'exact_match'"
    ).to_pylist()
    assert means == pytest.approx(row["v"])
    assert sums.filter(polars.col("finish") == "error")["score.exact_match"].null_count() == 2
    export_run(run, "csv", tmp_path / "r.csv", store=store, table="responses")
    table = pandas.read_csv(tmp_path / "r.csv")
    assert "no, it is\n„5“" in set(table["output"])
    assert json.loads(table["slices"].dropna().iloc[0]) == {"cluster": "c0", "hard": "no"}


def test_points(store: Store, run: str, tmp_path: Path) -> None:
    export_run(run, "parquet", tmp_path / "p.parquet", store=store, table="points")
    frame = pandas.read_parquet(tmp_path / "p.parquet")
    assert frame["value"].tolist() == store.points(run=run, latest=False)["value"].to_pylist()


def test_what_cannot_be_done_is_said(store: Store, run: str, tmp_path: Path) -> None:
    for arguments, message in (
        (("zz", "csv"), "no run 'zz'"),
        ((run, "xlsx"), "no format is called 'xlsx'"),
    ):
        with pytest.raises(UsageError, match=message):
            export_run(*arguments, tmp_path / "x", store=store)
    with pytest.raises(UsageError, match="layout of its own"):
        export_run(run, "inspect", tmp_path / "x", store=store, table="points")
    with pytest.raises(UsageError, match="no table is called"):
        export_run(run, "csv", tmp_path / "x", store=store, table="cells")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        export_run(run, "csv", tmp_path / "file" / "x.csv", store=store)


def test_the_verb(store: Store, run: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(store.path)
    store.close()
    assert (
        main(["export", run[:4], "-f", "csv", "-o", str(tmp_path / "a.csv"), "--store", path, "--json"]) == 0
    )
    found = json.loads(capfd.readouterr().out)
    assert found == {
        "run": run,
        "format": "csv",
        "files": [str(tmp_path / "a.csv")],
        "rows": 132,
        "notes": [],
    }
    assert main(["export", run, "-f", "inspect", "-o", str(tmp_path / "logs"), "--store", path]) == 0
    out = capfd.readouterr().out
    assert "Wrote 70 rows" in out
    assert out.splitlines()[-1] == f"Next: inspect view --log-dir {tmp_path / 'logs'}"
    assert main(["export", "none", "-f", "csv", "-o", str(tmp_path / "b.csv"), "--store", path]) == 2
    assert "no run 'none'" in capfd.readouterr().err
