"""Training one model in one process with one thread; `train_family` starts this file for each model.

It goes on from where it stopped, and the bytes come out the same.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from saltus.family.checkpoint import (
    checkpoint_path,
    missing_local,
    new_model,
    read_stamp,
    record_of,
    write_checkpoint,
)
from saltus.family.corpus import World
from saltus.family.recipe import RECIPE, VOCABULARY, Recipe, Size, model_name
from saltus.records.errors import UsageError

if TYPE_CHECKING:
    import torch
    from transformers import GPTNeoXForCausalLM

STATE_FILE = ".unfinished.pt"
REPORT_EVERY = 25


class Job(msgspec.Struct, frozen=True):
    """One model to train: what the parent process tells the worker."""

    root: str
    size: Size
    seed: int
    recipe: Recipe = RECIPE


def train_model(job: Job, progress: Callable[[int], None] | None = None) -> None:
    """Train one model and write its checkpoints.

    A checkpoint that is there is never written again. An interrupted training goes on from the last one, with
    the state of the optimisers and of the random numbers, so that it ends in the same bytes.

    Args:
        job: What to train, and where.
        progress: Called with the step that was reached.

    Raises:
        UsageError: The directory holds checkpoints of another recipe.
        MissingExtraError: torch or transformers is not installed.
    """
    report = progress or (lambda step: None)
    recipe = job.recipe
    home = Path(job.root) / model_name(job.size, job.seed)
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        if not missing_steps(job):
            (home / STATE_FILE).unlink(missing_ok=True)
            report(recipe.steps)
            return
        training = _Training(job)
        training.resume(home / STATE_FILE)
        for step in range(training.step, recipe.steps + 1):
            if step in recipe.checkpoints:
                training.publish(step)
                training.save(home / STATE_FILE)
            if step % REPORT_EVERY == 0 or step == recipe.steps:
                report(step)
            if step < recipe.steps:
                training.advance()
        (home / STATE_FILE).unlink(missing_ok=True)


def missing_steps(job: Job) -> list[int]:
    """Steps whose checkpoints are not there yet.

    Raises:
        UsageError: The model's directory holds a checkpoint of another recipe.
    """
    home = Path(job.root) / model_name(job.size, job.seed)
    for directory in sorted(home.glob("step*")):
        if (found := read_stamp(directory).recipe) != job.recipe.id:
            raise UsageError(
                f"the checkpoint is of recipe {found}, not {job.recipe.id}; choose an empty directory",
                path=str(directory),
            )
    return [step for step in job.recipe.checkpoints if not (home / f"step{step}").exists()]


class _Training:
    """A model, its optimisers and its stream of batches, at one step."""

    def __init__(self, job: Job) -> None:
        try:
            import torch
        except ImportError:
            raise missing_local() from None
        torch.set_num_threads(1)
        self.job = job
        self.step = 0
        self.world = World()
        self._start()

    def _start(self) -> None:
        self.step = 0
        self.model = new_model(self.job.size, self.job.seed)
        self.optimisers = _optimisers(self.model, self.job.recipe)
        self.rng = np.random.default_rng([self.job.recipe.stream, self.job.seed])

    def advance(self) -> None:
        """Make one optimiser step."""
        import torch
        from torch.nn import functional

        recipe = self.job.recipe
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate(self.step)
        batch, batch_weights = self.world.batch(self.rng, recipe.mixture, recipe.prompt_weight)
        tokens = torch.from_numpy(batch)
        weights = torch.from_numpy(batch_weights)[:, 1:].reshape(-1)
        logits = self.model(tokens[:, :-1]).logits.reshape(-1, VOCABULARY)
        losses = functional.cross_entropy(logits, tokens[:, 1:].reshape(-1), reduction="none")
        loss = (losses * weights).sum() / weights.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1

    def publish(self, step: int) -> None:
        """Write the checkpoint of this step unless it is there."""
        job = self.job
        directory = checkpoint_path(Path(job.root), job.size, job.seed, step)
        if not directory.exists():
            params = sum(p.numel() for p in self.model.parameters())
            record = record_of(job.size, job.seed, step, params, job.recipe)
            write_checkpoint(directory, self.model, record, job.recipe)

    def save(self, path: Path) -> None:
        """Keep everything that is needed to go on from here."""
        import torch

        part = path.with_suffix(".part")
        state = {
            "recipe": self.job.recipe.id,
            "step": self.step,
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "rng": json.dumps(self.rng.bit_generator.state),
        }
        torch.save(state, part)
        os.replace(part, path)

    def resume(self, path: Path) -> None:
        """Go on from a saved state, if there is one that fits and no earlier checkpoint is missing."""
        import torch

        if not path.exists():
            return
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
        except (pickle.UnpicklingError, EOFError, RuntimeError):
            return  # a state that cannot be read costs time, nothing else: train from the start
        lost = any(step < state["step"] for step in missing_steps(self.job))
        if state["recipe"] != self.job.recipe.id or lost:
            return
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.rng.bit_generator.state = json.loads(state["rng"])


def _optimisers(model: GPTNeoXForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for embeddings, biases and norms."""
    import torch

    named = list(model.named_parameters())
    matrices = [p for name, p in named if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in named if p.ndim != 2 or "embed" in name]
    rate = recipe.learning_rate
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True),
    ]


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the model's directory: a second process that trains the same model waits, then finds it done."""
    import fcntl

    descriptor = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # lets go of the lock too


def main() -> None:
    """Take one job as JSON, the only argument; write each step reached as a line to standard output."""
    job = msgspec.json.decode(sys.argv[1], type=Job)
    train_model(job, lambda step: print(step, flush=True))


if __name__ == "__main__":
    main()
