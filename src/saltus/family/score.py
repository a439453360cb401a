"""A quick look at a checkpoint, without a store: for the model card, and as a check on the full evaluation.

The right answer is fed in token by token, so one forward pass a task measures everything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from saltus.family.checkpoint import WEIGHTS_FILE, missing_local
from saltus.family.corpus import TASKS, World

if TYPE_CHECKING:
    from transformers import GPTNeoXForCausalLM


class TaskScore(msgspec.Struct, frozen=True):
    """Means over the items of one task.

    Attributes:
        exact_match: Share of items whose every answer token was the likeliest one: the exact match of greedy
            generation.
        token_accuracy: Share of answer tokens that were the likeliest ones.
        target_logprob: Mean log-probability of an answer token, nats.
        choice_correct: Share of items whose answer was likelier than the trap; None where there is no trap.
    """

    exact_match: float
    token_accuracy: float
    target_logprob: float
    choice_correct: float | None = None

    @property
    def headline(self) -> float:
        """The task's first metric: choice where there are choices, exact match elsewhere."""
        return self.exact_match if self.choice_correct is None else self.choice_correct


def score_checkpoint(directory: str | Path, n: int = 256) -> dict[str, TaskScore]:
    """Score one checkpoint on the items of the suite, on the CPU in fp32.

    Args:
        directory: A checkpoint.
        n: Items of each task.

    Raises:
        MissingExtraError: torch or transformers is not installed.
    """
    try:
        import torch
    except ImportError:
        raise missing_local() from None
    model = _load(Path(directory))
    world = World()
    scores = {}
    for task in TASKS:
        items = world.items(task, n)
        start = items.prompts.shape[1] - 1
        tokens = torch.from_numpy(np.concatenate([items.prompts, items.targets], axis=1))
        with torch.inference_mode():
            logprobs = model(tokens[:, :-1]).logits[:, start:].float().log_softmax(-1).numpy()
        target = np.take_along_axis(logprobs, items.targets[..., None], axis=-1)[..., 0]
        right = logprobs.argmax(-1) == items.targets
        choice = None
        if items.traps is not None:
            trap = np.take_along_axis(logprobs, items.traps[..., None], axis=-1)[..., 0]
            choice = float((target > trap).mean())
        scores[task] = TaskScore(
            float(right.all(axis=1).mean()), float(right.mean()), float(target.mean()), choice
        )
    return scores


def _load(directory: Path) -> GPTNeoXForCausalLM:
    """Load by hand what `from_pretrained` loads too, without its progress bar."""
    from safetensors.torch import load_file
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    model = GPTNeoXForCausalLM(GPTNeoXConfig.from_pretrained(str(directory)))
    model.load_state_dict(load_file(directory / WEIGHTS_FILE))  # fp16 is widened to the parameters' fp32
    model.train(False)
    return model
