"""One half of the prompts as a test bench: what a model scores on them without a set of components.

`circuit` has two: it searches on one and reports from the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from saltus.interpret.causal.ablation import Method, Reference, ablate, reference
from saltus.interpret.network.hooked import HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import Floats, ItemScores, answer_places, score_prompts
from saltus.records.errors import InputError
from saltus.records.explanations import Component

if TYPE_CHECKING:
    from torch import Tensor

LEAST = 20  # samples
_SCREEN_SAMPLES = 32


class Bench:
    """Prompts to measure a model on; every set is measured once.

    Args:
        model: The model.
        prompts: Of one task.
        method: Of ablation.
        baseline: Means to put in the place of what is taken out; measured on the prompts when None. Other
            prompts to resample from are always these prompts.
        seed: Of resampling.
    """

    def __init__(
        self,
        model: HookedModel,
        prompts: Prompts,
        method: Method = "mean_ablation",
        baseline: Reference | None = None,
        seed: int = 0,
    ) -> None:
        self.model, self.prompts, self.method, self._seed = model, prompts, method, seed
        fixed = method == "mean_ablation" and baseline is not None
        self.baseline = baseline if fixed and baseline else reference(model, prompts)
        self._known: dict[frozenset[Component], ItemScores] = {}

    def without(self, out: Iterable[Component] = ()) -> ItemScores:
        """Scores with these components taken out, all at once."""
        key = frozenset(out)
        if key not in self._known:
            edits = ablate(self.model, sorted(key), self.method, baseline=self.baseline, seed=self._seed)
            self._known[key] = score_prompts(self.model, self.prompts, edits)
        return self._known[key]

    def marks(self, out: frozenset[Component]) -> tuple[Floats, Floats]:
        """Marks and log-probabilities, for the search."""
        found = self.without(out)
        return found.correct, found.logprob

    def guess(self, out: frozenset[Component]) -> dict[Component, float]:
        """How much each head would take from the log-probability of the answer once `out` is out.

        A linear guess from one pass back: (activation - mean) x gradient, summed over places (attribution
        patching towards the mean; Syed et al. 2023, arXiv:2310.10348). Measured with `out` taken out, it
        sees heads that stand in for those.
        """
        import torch

        rows = np.flatnonzero(self.prompts.right)[:_SCREEN_SAMPLES]
        few = self.prompts.take(rows)
        sites = [Site("z", layer) for layer in range(self.model.anatomy.layers)]
        total: dict[Site, Tensor] = {}
        base = self.baseline if self.method == "mean_ablation" else None
        edits = ablate(self.model, sorted(out), "mean_ablation" if base else "zero_ablation", baseline=base)
        for batch in few.batches(self.model.device):
            at, answers = answer_places(few, batch.rows)
            run = self.model.run(batch, read=sites, edits=edits, at=at, gradients=True)
            logprob = run.logits.log_softmax(-1).gather(-1, answers.clamp(min=0)[..., None])[..., 0]
            values = [run.values[site] for site in sites]
            slopes = torch.autograd.grad((logprob * (answers >= 0)).sum(), values, allow_unused=True)
            for site, value, slope in zip(sites, values, slopes, strict=True):
                if slope is not None:
                    mean = self.baseline.at(site, value.shape[1])
                    moved = ((value.detach() - mean.to(value.dtype)) * slope).sum((0, 1, 3))
                    total[site] = total[site] + moved if site in total else moved
        return {
            Component(site.layer, i): float(value)
            for site, values in total.items()
            for i, value in enumerate(values.double().cpu().tolist())
        }


def halves(prompts: Prompts, seed: int) -> tuple[Prompts, Prompts]:
    """Split the samples at random in two, what belongs together kept together.

    Raises:
        InputError: There are too few samples.
    """
    groups: Sequence[str] = prompts.clusters or prompts.samples
    names = sorted(set(groups))
    if len(names) < LEAST:
        raise InputError(
            f"task {prompts.task} has {len(names)} independent samples, and a circuit is searched for on one "
            f"half of them and tested on the other; give {LEAST} at least",
            field="prompts",
        )
    chosen = np.random.default_rng(seed).permutation(len(names))[: len(names) // 2]
    first = {names[i] for i in chosen}
    inside = np.array([group in first for group in groups])[prompts.items]
    return prompts.take(np.flatnonzero(inside)), prompts.take(np.flatnonzero(~inside))
