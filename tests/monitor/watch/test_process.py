"""A real `saltus watch` process beside a training run: checkpoints land in pieces, it is killed, goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.monitor.watch.receiver import Receiver

import saltus
from saltus.family import path as shipped

STEPS = (64, 128, 200, 300, 350, 400, 450, 500, 550)
ITEMS = 128
KILLED_AT = (200, 450)  # the process is killed while these are evaluated


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


class Watching:
    """The process, and the lines that it has printed."""

    def __init__(self, run: Path, receiver: Receiver, *options: str) -> None:
        command = [sys.executable, "-m", "saltus", "watch", str(run), "--suite", "family/recall", "--json"]
        command += ["--limit", str(ITEMS), "--every", "0.05", "--settle", "0.3", "--webhook", receiver.url]
        command += ["--store", str(run.parent / "evidence"), *options]
        self._out = run.parent / "lines.jsonl"
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)

    def lines(self) -> list[dict[str, Any]]:
        text = self._out.read_bytes()
        return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]

    def has(self, step: int) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        return any(line.get("kind") == "checkpoint" and line["step"] == step for line in self.lines())

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate()


def write_in_pieces(source: Path, target: Path) -> None:
    """As a slow trainer does: the configuration first, the weights bit by bit, the tokenizer last."""
    target.mkdir()
    names = sorted(file.name for file in source.iterdir())
    for name in sorted(names, key=lambda name: name.startswith("tokenizer")):
        data = (source / name).read_bytes()
        with (target / name).open("wb") as file:
            for start in range(0, len(data), max(1, len(data) // 4)):
                file.write(data[start : start + max(1, len(data) // 4)])
                file.flush()
                time.sleep(0.01)


def wait_for(true: Any) -> None:
    while not true():
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_again_and_again_it_asks_nothing_twice_and_tells_everything(
    tmp_path: Path, receiver: Receiver
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    watching = Watching(run, receiver)
    told: list[dict[str, Any]] = []
    for step in STEPS:
        write_in_pieces(shipped("tiro-2x64", step), run / f"tiro-2x64@step{step}")
        if step in KILLED_AT:
            part = tmp_path / "evidence" / "lake" / "runs"
            before = len(list(part.glob("*.parquet")))
            wait_for(lambda part=part, before=before: len(list(part.glob("*.parquet"))) > before)
            watching.kill()
            told += watching.lines()
            watching = Watching(run, receiver)
        wait_for(lambda step=step, watching=watching: watching.has(step))
    told += watching.lines()
    watching.process.send_signal(signal.SIGINT)
    watching.process.communicate()
    assert watching.process.returncode == 130
    kinds = Counter((line["kind"], line["step"]) for line in told if "kind" in line)
    assert {step for kind, step in kinds if kind == "checkpoint"} == set(STEPS)
    jumps = [line for line in told if line.get("kind") == "finding"]
    assert {line["step"] for line in jumps} <= {500, 550}
    assert len({line["id"] for line in jumps}) == 1
    last = Watching(run, receiver, "--once")
    out = last.process.communicate()
    assert last.process.returncode == 0, out
    [line] = last.lines()
    assert (line["summary"]["known"], line["summary"]["requests"]) == (len(STEPS), 0)
    assert line["summary"]["undelivered"] == 0
    taken = {body["id"]: body for body in receiver.taken}
    assert [body["kind"] for body in taken.values()] == ["finding"]
    assert "recall jumps" in next(iter(taken.values()))["text"]
    with saltus.open(tmp_path / "evidence") as store:
        [row] = store.sql(
            "SELECT count(*) AS n, count(DISTINCT (model, sample)) AS d, count(DISTINCT run) AS runs "
            "FROM responses"
        ).to_pylist()
        assert row == {"n": len(STEPS) * ITEMS, "d": len(STEPS) * ITEMS, "runs": len(STEPS)}
        assert store.ledger.verify().ok
