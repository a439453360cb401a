"""Time of detection: one series of 8 and of 27 points, and all of Pythia by step from a cold store.

Beside the prototype of the detector where ../shared/reference has it. Run with OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from saltus.emergence import detect

SHARED = Path(__file__).resolve().parents[2] / "shared"
SIZES = np.geomspace(7e7, 1.2e10, 8)
STEPS = np.array(
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 3000, *range(13_000, 143_001, 10_000), 143_500]
)


def rows(x: np.ndarray, y: np.ndarray, axis: str, n: int) -> list[dict[str, Any]]:
    """One series as the points table has it."""
    return [
        {
            "name": "m" if axis == "step" else f"m{i}",
            "model": f"m{i}",
            "task": "t",
            "metric": "acc",
            "value": float(v),
            "n": n,
            "chance": 0.25,
            axis: float(place),
        }
        for i, (place, v) in enumerate(zip(x, y, strict=True))
    ]


def timed(work: Callable[[Any], Any], jobs: list[Any]) -> tuple[float, float]:
    """Mean and median processor time in milliseconds; the first job is run once before."""
    work(jobs[0])
    taken = []
    for job in jobs:
        start = time.process_time()
        work(job)
        taken.append(1000 * (time.process_time() - start))
    return float(np.mean(taken)), float(np.median(taken))


def made(x: np.ndarray, count: int) -> list[np.ndarray]:
    """Scores of flat, straight, saturating and stepped truths in turn."""
    rng = np.random.default_rng(0)
    share = (np.log(x) - np.log(x[0])) / np.log(x[-1] / x[0])
    truths = [
        np.full(len(x), 0.4),
        0.3 + 0.3 * share,
        0.25 + 0.4 * (1 - 10 ** (-share)),
        np.where(share > 0.5, 0.5, 0.25),
    ]
    return [rng.binomial(1000, truths[i % 4]) / 1000 for i in range(count)]


def one_series(count: int) -> None:
    """Print milliseconds a series."""
    print(f"{'one series, 1,000 bootstraps a test':<44}{'mean ms':>9}{'median':>9}")
    for name, x, axis in (("8 models", SIZES, "params"), (f"{len(STEPS)} checkpoints", STEPS, "step")):
        jobs = [rows(x, y, axis, 1000) for y in made(x, count)]
        mean, median = timed(lambda job, axis=axis: detect(job, axis=axis), jobs)
        print(f"{'saltus, ' + name:<44}{mean:>9.1f}{median:>9.1f}")
    prototype = _prototype()
    if prototype is not None:
        u = np.log10(SIZES)
        shapes = prototype.Shapes(u)
        mean, median = timed(
            lambda y: prototype.detect(u, y, 1000, 0.25, S=shapes), made(SIZES, max(count // 4, 4))
        )
        print(f"{'prototype, 8 models (tests and draws only)':<44}{mean:>9.1f}{median:>9.1f}")


def pythia() -> None:
    """Print seconds for 16 models x 27 checkpoints x 87 tasks, each step a process of its own."""
    data = SHARED / "data" / "pythia"
    if not data.is_dir():
        print("Pythia by step: ../shared/data/pythia is not here")
        return
    folder = tempfile.mkdtemp()
    try:
        print(f"{'Pythia by step, 1,392 series, cold store':<44}{'wall s':>9}{'CPU s':>9}")
        for name, *words in (
            ("import", "import", "lm-eval", str(data)),
            ("detect", "detect", "--axis", "step", "--json"),
        ):
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            command = [sys.executable, "-m", "saltus", *words, "--store", folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{name:<44}{wall:>9.1f}{spent:>9.1f}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prototype() -> Any:
    path = SHARED / "reference" / "detector_prototype.py"
    if not path.exists():
        return None
    spec = importlib.util.spec_from_file_location("prototype", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40, help="series of each kind")
    parser.add_argument("--no-pythia", action="store_true", help="leave out the real results")
    options = parser.parse_args()
    one_series(options.count)
    if not options.no_pythia:
        pythia()
