"""`saltus watch`: what it prints for people, JSON lines for programs, and calls that cannot work."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from saltus.cli import main
from saltus.family import path as shipped


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for step in (1, 2):
        shutil.copytree(
            shipped("tiro-1x8"),
            tmp_path / "run" / f"step{step}",
            ignore=shutil.ignore_patterns("family.json"),
        )
    (tmp_path / "run" / "step3").mkdir()
    return tmp_path / "run"


def command(run: Path, *options: str) -> list[str]:
    store = str(run.parent / "evidence")
    chosen = [
        "--suite",
        "family/recall",
        "--suite",
        "family/parity",
        "--limit",
        "4",
        "--once",
        "--settle",
        "0",
    ]
    return ["watch", str(run), *chosen, "--store", store, *options]


def test_for_people(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(command(run)) == 1  # step3 is not whole
    out = capfd.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("Watching ")
    assert "2 tasks" in lines[0]
    assert "run step 1  parity " in out
    assert "run step 3: step3 is still not whole: config.json is missing" in out
    assert "2 checkpoints evaluated, 0 jumps announced, 1 problem" in out
    assert lines[-1].startswith("Next: saltus report")


def test_json_lines(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(run / "step3")
    assert main(command(run, "--json")) == 0
    captured = capfd.readouterr()
    first, second, last = (json.loads(line) for line in captured.out.splitlines())
    assert (first["kind"], first["step"], second["step"]) == ("checkpoint", 1, 2)
    assert {score["task"] for score in second["scores"]} == {"recall", "parity"}
    assert {score["moves"] for score in second["scores"]} == {"same"}
    assert set(last) == {"summary"}
    assert {
        "evaluated",
        "known",
        "failed",
        "findings",
        "warnings",
        "requests",
        "undelivered",
        "seconds",
        "why",
    } <= set(last["summary"])
    assert captured.err == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--webhook", "ftp://example.org"], "http://"),
        (["--pattern", "step"], "group called step"),
        (["--task", "nothing"], "no task 'nothing'"),
        (["-O", "colour=blue"], "an option of the model is unknown"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    run: Path, capfd: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert main(command(run, *options)) == 2
    captured = capfd.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err
    assert captured.err.count("\n") == 1
