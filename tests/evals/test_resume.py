"""Killed at any moment, a run goes on and ends as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.evals import evaluate
from saltus.store import Store
from saltus.tasks import Suite

SCRIPT = Path(__file__).with_name("conftest.py")
COLUMNS = "model, task, sample, variant, epoch"


def rows(store: Store, table: str, columns: str) -> list[tuple[Any, ...]]:
    found = store.sql(f"SELECT {columns} FROM {table} ORDER BY ALL").to_pylist()
    return [tuple(row.values()) for row in found]


def kill(store: Path, table: str, at: int, when: str) -> None:
    command = [sys.executable, SCRIPT, store, table, str(at), when]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize(
    "moments",
    [
        [("runs", 1, "before")],
        [("responses", 1, "after"), ("scores", 2, "before")],
        [("scores", 2, "after"), ("responses", 1, "after"), ("scores", 1, "before")],
    ],
)
def test_killed_runs_end_like_uninterrupted_ones(
    tmp_path: Path, rules: Any, numbers: Suite, moments: list[tuple[str, int, str]]
) -> None:
    straight = saltus.open(tmp_path / "straight")
    expected = evaluate(rules, numbers, store=straight)
    for moment in moments:
        kill(tmp_path / "killed", *moment)
    killed = saltus.open(tmp_path / "killed")
    summary = evaluate(rules, numbers, store=killed)
    assert (summary.run, summary.samples, summary.failed) == (expected.run, 108, 0)
    assert summary.cached + summary.requests == expected.requests
    for table, columns in (
        ("scores", f"run, {COLUMNS}, metric, value"),
        ("responses", f"run, {COLUMNS}, output, logprobs, choice_logprobs, finish, error"),
        ("samples", "task, id, input, target"),
        ("models", "id"),
        ("runs", "id, rows, config"),
    ):
        assert rows(killed, table, columns) == rows(straight, table, columns)
    assert evaluate(rules, numbers, store=killed).requests == 0
