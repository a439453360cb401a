"""Sandboxed runs a second of each kind that works here: a trivial program, and code judged by its tests."""

from __future__ import annotations

import os
import statistics
import subprocess
import time

from saltus.records.errors import SandboxError
from saltus.tasks.code import Case, judge_many
from saltus.tasks.sandbox import KINDS, Job, Sandbox, find

RUNS = 100
PYTHON = ("python", "-I", "-S", "-c", "pass")


def main() -> None:
    """Print one line a kind."""
    plain = _median(lambda: subprocess.run([find().python, *PYTHON[1:]], check=True))
    print(f"a plain Python process: {plain * 1e3:.1f} ms; {len(os.sched_getaffinity(0))} processors")
    for kind in KINDS:
        try:
            sandbox = find(kind)
        except SandboxError as error:
            print(f"{kind}: {error.message}")
            continue
        _measure(sandbox, RUNS if kind != "runsc" else RUNS // 5)


def _measure(sandbox: Sandbox, runs: int) -> None:
    alone = _median(lambda: sandbox.run({}, PYTHON), runs)
    began = time.perf_counter()
    assert all(result.exit == 0 for result in sandbox.run_many(Job(PYTHON) for _ in range(runs)))
    together = runs / (time.perf_counter() - began)
    cases = [Case(f"def f(x): return x + {i}", f"assert f(1) == {i + 1}") for i in range(runs)]
    began = time.perf_counter()
    assert all(verdict.passed for verdict in judge_many(cases, sandbox=sandbox))
    judged = runs / (time.perf_counter() - began)
    print(
        f"{sandbox.kind} {sandbox.version}: {alone * 1e3:.1f} ms a run one after the other (median), "
        f"{together:.0f} runs/s and {judged:.0f} judged answers/s side by side"
    )


def _median(what, runs: int = RUNS) -> float:  # type: ignore[no-untyped-def]
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        what()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
