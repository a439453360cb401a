"""`saltus diff` end to end: two measured models, for people and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from saltus.cli import main


@pytest.fixture
def store(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
    rows = ["model,task,metric,score,sample"]
    for i in range(60):
        rows += [f"a,sums,acc,{int(i % 3 == 0)},{i}", f"b,sums,acc,{int(i % 3 != 1)},{i}"]
        rows += [f"a,rest,acc,{int(i % 2)},{i}", f"b,rest,acc,{int(i % 2)},{i}"]
    (tmp_path / "scores.csv").write_text("\n".join(rows) + "\nb,rest,acc,1,more\n")
    path = str(tmp_path / "evidence")
    assert main(["import", "csv", str(tmp_path / "scores.csv"), "--store", path]) == 0
    assert main(["ls", "runs", "--store", path, "--json"]) == 0
    run = json.loads(capfd.readouterr().out.splitlines()[-1])["runs"][0]["id"]
    return path, run


def test_json_contract(store: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    path, run = store
    assert (
        main(["diff", run[:9], "-M", "a", "-M", "b", "--samples", "--limit", "2", "--store", path, "--json"])
        == 0
    )
    found = json.loads(capfd.readouterr().out)
    assert (found["level"], found["alpha"], found["power"]) == (0.95, 0.05, 0.8)
    rest, sums = found["comparison"]["deltas"]
    contract = (
        "task metric variant a b mean_a mean_b difference stderr low high level n clusters df p p_holm q "
        "test wins losses ties only_a only_b better detectable needed flips"
    )
    assert set(contract.split()) == set(sums)
    assert (sums["wins"], sums["losses"], sums["better"], sums["n"]) == (20, 0, "b", 60)
    assert sums["difference"] == pytest.approx(1 / 3)
    assert [flip["sample"] for flip in sums["flips"]] == ["11", "14"]
    assert (rest["difference"], rest["only_b"], rest["p"], rest["test"]) == (0.0, 1, 1.0, "none")


def test_for_people(store: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    path, run = store
    assert main(["diff", run, "-M", "a", "-M", "b", "--samples", "--store", path]) == 0
    text = capfd.readouterr().out
    assert "B is better" in text
    assert "the same" in text
    assert "Left out as only one side has them: 0 scores of A, 1 of B." in text
    assert text.splitlines()[-1].startswith("Next: saltus export")


def test_errors_are_one_sentence(store: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    path, run = store
    for arguments, words in (
        ([run], "name two of its models"),
        (["none"], "no run with scores"),
        ([run, "-M", "a", "-M", "b", "-M", "c"], "at most twice"),
    ):
        assert main(["diff", *arguments, "--store", path]) == 2
        error = capfd.readouterr().err
        assert words in error
        assert error.count("\n") == 1
