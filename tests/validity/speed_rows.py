"""Rows on speed, in seconds of processor time; the test suite leaves them out."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from saltus.emergence import detect

from .harness import DATA, Bar, Plan, Rate, measures
from .truths import HIGH, LOW, Design, any_null, measure, rows_of, step


@measures(
    Bar("milliseconds", "one series, 8 scales, three tests x 1,000 bootstraps: milliseconds", most=20),
    seed=401,
    timed=True,
)
def one_series(plan: Plan) -> dict[str, Rate]:
    rng = np.random.default_rng(plan.seed)
    series = []
    for i in range(40):
        truth = step(rng.uniform(LOW + 0.6, HIGH - 0.6), 0.25) if i % 2 else any_null("saturating", rng)
        u, y = measure(truth, Design(), rng)
        series.append(rows_of(u, y, chance=truth.chance))
    detect(series[0], axis="params")  # what is made once a process
    taken = []
    for rows in series:
        start = time.process_time()
        detect(rows, axis="params", bootstraps=1000)
        taken.append(time.process_time() - start)
    return {
        "milliseconds": Rate(
            1000 * float(np.mean(taken)), None, len(taken), f"median {1000 * np.median(taken):.0f}"
        )
    }


@measures(
    Bar("detect", "87 tasks x 16 Pythia series by step from a cold store: processor seconds", most=60),
    Bar("wall", "the same, seconds on the clock"),
    seed=402,
    needs="pythia",
    timed=True,
)
def cold_store(plan: Plan) -> dict[str, Rate]:
    folder = Path(tempfile.mkdtemp())
    try:
        _saltus("import", "lm-eval", str(DATA / "pythia"), "--store", str(folder))
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        _saltus("detect", "--axis", "step", "--seed", str(plan.seed), "--json", "--store", str(folder))
        after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"detect": Rate(spent, None, 1392), "wall": Rate(wall, None, 1392)}


def _saltus(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "saltus", *arguments], check=True, stdout=subprocess.DEVNULL)
