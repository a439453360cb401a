"""Training the whole family: one process for each model, two at a time. `saltus family train` calls this."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import msgspec

from saltus.family.card import write_card
from saltus.family.catalog import catalog, find_size
from saltus.family.checkpoint import missing_local
from saltus.family.recipe import RECIPE, SIZES, Recipe, Size, model_name
from saltus.family.worker import Job, missing_steps
from saltus.records.errors import ModelError, UsageError
from saltus.records.evidence import ModelRecord

Progress = Callable[[str, int, int], None]


def train_family(
    out: str | Path,
    *,
    seeds: Sequence[int] = (0,),
    sizes: Sequence[str] | None = None,
    workers: int = 2,
    progress: Progress | None = None,
    recipe: Recipe = RECIPE,
) -> list[ModelRecord]:
    """Train models of the family into a directory, and write its model card.

    Call it again after an interruption: finished checkpoints stay as they are, unfinished models go on.

    Args:
        out: Directory; each model gets a folder in it, each checkpoint a folder in that.
        seeds: Seeds to train, 0 or more.
        sizes: Labels such as "2x64"; all eight when None.
        workers: Models trained at once, each on one core.
        progress: Called with the model's name, the step it reached and its last step, one call at a time.
        recipe: How to train.

    Returns:
        The checkpoints of the models that were asked for, ordered by parameters, model and step.

    Raises:
        UsageError: A size or seed that does not exist, or a directory that cannot be written or that holds
            checkpoints of another recipe.
        MissingExtraError: torch or transformers is not installed.
        ModelError: A worker failed.
    """
    chosen = [find_size(label) for label in sizes] if sizes is not None else list(SIZES)
    if workers < 1:
        raise UsageError(f"workers is {workers}, it must be 1 or more", field="workers")
    if bad := [seed for seed in seeds if seed < 0]:
        raise UsageError(f"seed {bad[0]} is negative, seeds are 0 or more", field="seeds")
    jobs = [
        Job(str(out), size, seed, recipe)
        for seed in dict.fromkeys(seeds)
        for size in sorted(set(chosen), key=_cost, reverse=True)
    ]
    if not (find_spec("torch") and find_spec("transformers")):
        raise missing_local()
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the family cannot be written here ({error.strerror}), choose another directory", path=str(out)
        ) from None
    for job in jobs:
        missing_steps(job)  # a directory of another recipe is refused before anything is trained
    team = _Team(progress or (lambda model, step, steps: None))
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(team.run, job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:  # an interrupt too: no worker may go on without us
            pool.shutdown(wait=False, cancel_futures=True)
            team.stop()
            raise
    write_card(out, recipe=recipe)
    names = {model_name(job.size, job.seed) for job in jobs}
    return [record for record in catalog(out) if record.name in names]


class _Team:
    """The worker processes that are running, and the one who is told how far they are."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(self, job: Job) -> None:
        """Train one model in a process of its own, and wait for it."""
        name = model_name(job.size, job.seed)
        with tempfile.TemporaryFile("w+") as errors, self._start(job, errors) as process:
            try:
                for line in process.stdout or ():
                    with self._lock:
                        self._progress(name, int(line), job.recipe.steps)
            except BaseException:  # the one who is told has failed: nobody waits for this worker any more
                process.terminate()
                raise
            code = process.wait()
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["no message"])[-1]
        with self._lock:
            self._running.discard(process)
        if code and not self._stopped:
            raise ModelError(
                f"training {name} ended with code {code} ({last}); run the command again to go on"
            )

    def _start(self, job: Job, errors: IO[str]) -> subprocess.Popen[str]:
        # One thread for each model is fastest, and it fixes the order of the sums, so the bytes.
        env = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "saltus.family.worker", msgspec.json.encode(job).decode()]
        with self._lock:
            if self._stopped:
                raise ModelError("training was stopped; run the command again to go on")
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env)
            self._running.add(process)
        return process

    def stop(self) -> None:
        """End every worker that is running."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()


def _cost(size: Size) -> int:
    return size.layers * size.width**2
