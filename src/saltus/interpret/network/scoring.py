"""What a model scores on prompts, as it is or with edits: the yardstick of every causal claim here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network import cache
from saltus.interpret.network.hooked import Edit, HookedModel
from saltus.interpret.network.prompts import Prompts
from saltus.records.findings import Interval
from saltus.stats.errorbars import clustered_mean
from saltus.stats.intervals import clopper_pearson, paired_share_difference

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]


class ItemScores(msgspec.Struct, frozen=True):
    """One number a sample.

    Attributes:
        correct: 1 where every answer token is the likeliest one, or the right choice is the likeliest.
        logprob: Mean log-probability of a token of the right answer, nats.
        margin: Logit of the right answer's first token less that of its rival; NaN where there is no rival.
    """

    correct: Floats
    logprob: Floats
    margin: Floats

    @property
    def score(self) -> float:
        """Share of samples that are right."""
        return float(self.correct.mean())


def score_prompts(
    model: HookedModel,
    prompts: Prompts,
    edits: Sequence[Edit] = (),
    *,
    twins: bool = False,
    batch_tokens: int | None = None,
) -> ItemScores:
    """Score every sample, with edits or without.

    Args:
        model: The model.
        prompts: Of one task.
        edits: Changes of activations.
        twins: Feed the corrupted prompts, and score the clean answer on them.
        batch_tokens: Most tokens of a batch; what fits into a gigabyte when None.
    """
    rows = len(prompts)
    total, tokens, greedy, margin = np.zeros(rows), np.ones(rows), np.zeros(rows), np.full(rows, np.nan)
    if batch_tokens is None:
        places = prompts.answers.shape[1]
        batch_tokens = cache.batch_tokens(model, prompts.tokens.shape[1], places=places)
    for batch in prompts.batches(model.device, batch_tokens, twins=twins):
        at, answers = answer_places(prompts, batch.rows)
        logits = model.run(batch, edits=edits, at=at).logits
        own = batch.rows.cpu().numpy()
        total[own], tokens[own], greedy[own], margin[own] = (
            one.double().cpu().numpy() for one in _judged(prompts, batch.rows, logits, answers)
        )
    return _by_item(prompts, total, tokens, greedy, margin)


def answer_places(prompts: Prompts, rows: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Where the logits of answer tokens stand.

    Returns:
        Index tensors (rows in the batch, places), each rows x longest answer; and the answer's tokens, -1
        where the answer is shorter (its place is then that of the first token).
    """
    import torch

    own = rows.cpu().numpy()
    answers = torch.from_numpy(prompts.answers[own]).to(rows.device)
    starts = torch.from_numpy(prompts.starts[own]).to(rows.device)
    offset = torch.arange(answers.shape[1], device=rows.device)[None]
    places = starts[:, None] + torch.where(answers >= 0, offset, 0)
    index = torch.arange(len(own), device=rows.device)[:, None].expand_as(places)
    return (index, places), answers


def mean_interval(values: Floats, clusters: Sequence[str] | None = None, level: float = 0.9) -> Interval:
    """Mean over samples with an interval: Clopper and Pearson's for zeros and ones, Student's otherwise.

    NaN values are left out; samples of one cluster count together. A mean of one value has no known error:
    its interval is unbounded.

    Raises:
        ValueError: There are no values.
    """
    values, clusters = _finite(values, clusters)
    if clusters is None and np.isin(values, (0, 1)).all():
        low, high = clopper_pearson(values.sum(), len(values), level)
        return Interval(float(values.mean()), float(low), float(high), level)
    found = clustered_mean(values, clusters, level=level)
    low_end = -np.inf if found.low is None else found.low
    return Interval(found.mean, low_end, np.inf if found.high is None else found.high, level)


def change_interval(
    before: Floats, after: Floats, clusters: Sequence[str] | None = None, level: float = 0.9
) -> Interval:
    """Mean of after less before on the same samples: Agresti and Min's for zeros and ones, else Student's."""
    both = np.isfinite(before) & np.isfinite(after)
    gap, clusters = _finite(np.where(both, after - before, np.nan), clusters)
    marks = np.concatenate([before[both], after[both]])
    if clusters is None and np.isin(marks, (0, 1)).all():
        low, high = paired_share_difference(int((gap > 0).sum()), int((gap < 0).sum()), len(gap), level)
        return Interval(float(gap.mean()), low, high, level)
    return mean_interval(gap, clusters or [str(i) for i in range(len(gap))], level)


def _finite(values: Floats, clusters: Sequence[str] | None) -> tuple[Floats, list[str] | None]:
    kept = np.isfinite(values)
    if not kept.any():
        raise ValueError("there is no finite value to average")
    own = None if clusters is None else [one for one, keep in zip(clusters, kept, strict=True) if keep]
    return values[kept], own


def _judged(
    prompts: Prompts, rows: Tensor, logits: Tensor, answers: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    import torch

    logprobs = logits.log_softmax(-1)
    real = answers >= 0
    target = logprobs.gather(-1, answers.clamp(min=0)[..., None])[..., 0]
    greedy = ((logits.argmax(-1) == answers) | ~real).all(1)
    rivals = torch.from_numpy(prompts.rivals[rows.cpu().numpy()]).to(rows.device)
    first = logits[:, 0]
    margin = first.gather(-1, answers[:, :1])[:, 0] - first.gather(-1, rivals.clamp(min=0)[:, None])[:, 0]
    return (target * real).sum(1), real.sum(1), greedy, margin.masked_fill(rivals < 0, float("nan"))


def _by_item(prompts: Prompts, total: Floats, tokens: Floats, greedy: Floats, margin: Floats) -> ItemScores:
    right = np.flatnonzero(prompts.right)
    right = right[np.argsort(prompts.items[right], kind="stable")]
    if len(right) == len(prompts):
        return ItemScores(greedy[right], total[right] / tokens[right], margin[right])
    best = np.full(len(prompts.samples), -np.inf)
    np.maximum.at(best, prompts.items[~prompts.right], total[~prompts.right])
    return ItemScores((total[right] > best).astype(float), total[right] / tokens[right], margin[right])
