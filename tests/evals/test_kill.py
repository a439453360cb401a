"""`saltus run` against a server, killed again and again: nothing is asked twice, missing or there twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.models.http.scripted import Asked, Reply, Scripted, completion

import saltus

COUNT = 3_000
CONNECTIONS = 16


@pytest.fixture
def server() -> Iterator[Scripted]:
    made = Scripted()
    yield made
    made.close()


def run(folder: Path, server: Scripted, *options: str) -> list[str]:
    command = [sys.executable, "-m", "saltus", "run", str(folder / "suite.toml"), "--json"]
    command += ["-M", f"{server.url}#m", "--store", str(folder / "evidence")]
    for option in ("api=completions", "scoring=none", f"connections={CONNECTIONS}", "backoff=0.01", *options):
        command += ["-O", option]
    return command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    items = [{"id": f"s{i}", "input": f"say {i}.", "target": f"{i}"} for i in range(COUNT)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (tmp_path / "suite.toml").write_text(
        '[[tasks]]\nname = "say"\nitems = "items.jsonl"\nmetrics = ["exact_match"]\nmax_tokens = 4\n'
    )
    return tmp_path


def test_kill_it_at_any_moment_and_it_goes_on(folder: Path, server: Scripted) -> None:
    answered: set[str] = set()
    guard = threading.Lock()

    def rule(asked: Asked) -> Reply:
        number = int(asked.text.removeprefix("say ").rstrip("."))
        with guard:
            answered.add(asked.text)
        # Every thirteenth answer is wrong, every hundredth fails once.
        if number % 100 == 7 and asked.try_ == 1:
            return Reply({"error": {"message": "try again"}}, status=500)
        return Reply(completion(f" {number + (number % 13 == 0)}"))

    server.rule = rule
    kills = 0
    for wanted in (1, 400, 1_100, 2_300, COUNT):
        process = subprocess.Popen(
            run(folder, server), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        while process.poll() is None and (wanted == COUNT or len(answered) < wanted):
            time.sleep(0.002)
        if wanted < COUNT:
            assert process.poll() is None, process.communicate()
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        out, errors = process.communicate()
    assert process.returncode == 0, errors
    summary = json.loads(out)
    assert (summary["samples"], summary["failed"]) == (COUNT, 0)
    tries = server.tries()
    assert set(tries) == {f"say {i}." for i in range(COUNT)}
    # An answer that was on its way when the process died is asked again; there is one a connection at most.
    again = sum(tries.values()) - COUNT - COUNT // 100
    assert 0 <= again <= kills * (CONNECTIONS + 1)
    with saltus.open(folder / "evidence") as store:
        for table in ("responses", "scores", "samples"):
            name = "id" if table == "samples" else "sample"
            [row] = store.sql(f"SELECT count(*) AS n, count(DISTINCT {name}) AS d FROM {table}").to_pylist()
            assert (row["n"], row["d"]) == (COUNT, COUNT), table
        [row] = store.sql("SELECT sum(value) AS right FROM scores").to_pylist()
        assert row["right"] == COUNT - len(range(0, COUNT, 13))
    # Once more: nothing is asked.
    done = subprocess.run(run(folder, server), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["requests"] == 0
    assert sum(server.tries().values()) == sum(tries.values())


def test_a_server_that_goes_away_is_waited_for_by_the_next_start(folder: Path, server: Scripted) -> None:
    def rule(asked: Asked) -> Reply:
        if len(server.asked) > 500:
            return Reply({"error": {"message": "overloaded"}}, status=503)
        return Reply(completion(" 1"))

    server.rule = rule
    first = subprocess.run(run(folder, server, "retries=1"), capture_output=True, text=True, check=False)
    assert first.returncode == 1
    summary = json.loads(first.stdout)
    assert summary["samples"] + summary["failed"] == COUNT
    assert summary["samples"] >= 480
    server.rule = lambda asked: Reply(completion(" 1"))
    command = [*run(folder, server), "--retry-failed"]
    second = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (second["run"], second["samples"], second["failed"]) == (summary["run"], COUNT, 0)
    assert second["requests"] == summary["failed"]
