"""What several store tests use: a new store, a few rows, and programs in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import saltus
from saltus.records import Score
from saltus.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with saltus.open(tmp_path / "evidence") as opened:
        yield opened


def scores(
    count: int, *, run: str = "r1", model: str = "m", task: str = "t", value: float = 1.0
) -> list[Score]:
    """So many scores of one model on one task."""
    return [
        Score(run=run, model=model, task=task, sample=f"s{number}", metric="exact_match", value=value)
        for number in range(count)
    ]


@pytest.fixture
def make_scores() -> Callable[..., list[Score]]:
    return scores


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python code in a new process; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()
