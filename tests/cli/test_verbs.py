"""The verbs end to end on small inputs: what they print for people, and the JSON contracts."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from saltus.cli import main
from saltus.family import path as checkpoint

CSV = """family,model,params,task,metric,score,n
f,f-1,1e7,jump,acc,0.251,1000
f,f-2,3e7,jump,acc,0.247,1000
f,f-3,1e8,jump,acc,0.255,1000
f,f-4,3e8,jump,acc,0.249,1000
f,f-5,1e9,jump,acc,0.852,1000
f,f-6,3e9,jump,acc,0.861,1000
f,f-7,1e10,jump,acc,0.858,1000
"""


@pytest.fixture
def store(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> str:
    (tmp_path / "scores.csv").write_text(
        CSV.replace("score,n", "score,n,chance").replace(",1000", ",1000,0.25")
    )
    path = str(tmp_path / "evidence")
    assert main(["import", "csv", str(tmp_path / "scores.csv"), "--store", path]) == 0
    assert "Next: saltus detect" in capfd.readouterr().out
    return path


def test_detect_json_contract(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--store", store, "--json"]) == 0
    (finding,) = json.loads(capfd.readouterr().out)["findings"]
    contract = (
        "id family axis task metric variant n_scales n_samples verdict sharpness artifact headline onset "
        "rise chance q reasons fits seed version"
    )
    assert set(contract.split()) <= set(finding)
    assert finding["verdict"] == "emergent"
    assert finding["artifact"] == "unresolved"
    assert set(finding["onset"]) == {"value", "low", "high", "level"}
    assert 3e8 <= finding["onset"]["low"] <= finding["onset"]["value"] <= finding["onset"]["high"] <= 1e9
    assert set(finding["q"]) == {"trend", "acceleration", "sharpness"}
    assert finding["reasons"]


def test_same_seed_same_bytes(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert main(["detect", "--store", store, "--json", "--seed", "3"]) == 0
    first = capfd.readouterr().out
    assert main(["detect", "--store", store, "--json", "--seed", "3"]) == 0
    assert capfd.readouterr().out == first


def test_detect_records_once_and_why_explains(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--store", store]) == 0
    assert main(["detect", "--store", store]) == 0
    capfd.readouterr()
    assert main(["ls", "findings", "--store", store, "--json"]) == 0
    (finding,) = json.loads(capfd.readouterr().out)["findings"]
    assert main(["detect", "--why", finding["id"][:10], "--store", store]) == 0
    text = capfd.readouterr().out
    assert finding["headline"] in text
    assert "step" in text
    assert main(["audit", "verify", "--store", store, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["ok"] is True


def test_sql_to_csv_and_parquet(store: str, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    assert (
        main(["sql", "select model, value from aggregates order by model", "-o", str(out), "--store", store])
        == 0
    )
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7
    assert main(["sql", "select 1 as one", "-o", str(tmp_path / "a.parquet"), "--store", store]) == 0
    assert (tmp_path / "a.parquet").stat().st_size > 0
    assert main(["sql", "select 1 as one", "-o", str(tmp_path / "a.xls"), "--store", store]) == 2


@pytest.mark.parametrize("what", ["models", "tasks", "runs"])
def test_ls(store: str, what: str, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert main(["ls", what, "--store", store, "--json"]) == 0
    assert len(json.loads(capfd.readouterr().out)[what]) == {"models": 7, "tasks": 1, "runs": 1}[what]
    assert main(["ls", what, "--store", store]) == 0
    assert "Next: saltus" in capfd.readouterr().out


def test_run_twice_asks_nothing_twice(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    store = str(tmp_path / "evidence")
    assert main(["family", "path", "tiro-2x16@step2000"]) == 0
    model = capfd.readouterr().out.strip()
    command = ["run", "family", "-M", model, "--limit", "8", "--store", store, "--json"]
    assert main(command) == 0
    first = json.loads(capfd.readouterr().out)
    assert {"run", "samples", "failed", "cached", "requests", "seconds"} <= set(first)
    assert first["failed"] == 0
    assert first["samples"] == 64
    assert first["requests"] > 0
    assert main(command) == 0
    second = json.loads(capfd.readouterr().out)
    assert second["run"] == first["run"]
    assert second["requests"] == 0
    assert main(["sql", "select count(*) as n from responses", "--store", store, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["rows"] == [{"n": 64}]


def test_help_of_every_verb(capfd: pytest.CaptureFixture[str]) -> None:
    from saltus.cli.app import VERBS

    for verb in VERBS:
        assert main([verb, "--help"]) == 0
        assert "Usage: saltus" in capfd.readouterr().out


def test_a_process_of_its_own_ends_without_a_word_on_stderr(tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    items.write_text('{"input": "\\n<ab|", "target": "ba"}\n')
    store = str(tmp_path / "evidence")
    model = str(checkpoint("tiro-1x8"))
    for arguments in (
        ["run", str(items), "-M", model, "--store", store, "--json"],
        ["run", str(items), "-M", model, "--store", store, "--json"],
        ["ls", "models", "--store", store, "--json"],
        ["sql", "FROM scores", "--store", store, "--json"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "saltus", *arguments], capture_output=True, text=True, check=True
        )
        assert done.stderr == "", arguments
