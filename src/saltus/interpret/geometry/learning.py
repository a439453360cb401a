"""Local learning coefficient: how degenerate the loss is around a network's weights, by Langevin sampling.

Low where many directions of weights leave the loss alone, half the number of weights where none does. It is
estimated by chains that wander around the weights; the only place in this room where weights are copied.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import ModelError, UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Floats = NDArray[np.float64]
Losses = Callable[[Any, "Tensor"], "Tensor"]
Flag = Literal["chains_disagree", "still_moving", "below_start", "no_interval"]

_AGREE = 1.1  # R-hat above which chains have not mixed (Gelman et al. 2013, section 11.5)
_SLACK = 3.0  # standard errors
_ROWS = 256


class Langevin(msgspec.Struct, frozen=True, kw_only=True):
    """How the chains go.

    Attributes:
        step: Size of a step (epsilon of Lau et al. 2023, algorithm 1).
        localization: Strength of the pull back to the start (gamma).
        chains: Independent chains.
        draws: Steps of each that count.
        burn_in: Steps before those.
        batch: Rows of data a step; all of them when there are fewer.
        nbeta: Inverse temperature times data; n / log n when None (Watanabe 2013).
    """

    step: float = 1e-5
    localization: float = 100.0
    chains: int = 4
    draws: int = 200
    burn_in: int = 100
    batch: int = 64
    nbeta: float | None = None


class LearningCoefficient(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate with what one needs to know before believing it.

    Attributes:
        value: Mean over chains of nbeta times the rise of the loss.
        low: Lower end of its interval over chains (not over data), None for one chain.
        high: Upper end.
        level: Of the interval.
        chains: The estimate of each chain.
        start: Mean loss at the weights themselves, over all data.
        rhat: Split R-hat of the traces; 1 where chains agree.
        drift: Second half of the draws less the first, in standard errors over chains.
        flags: "chains_disagree" (R-hat above 1.1), "still_moving" (drift beyond 3), "below_start" (a chain is
            negative, or the interval reaches below 0: the weights are no minimum of this loss), "no_interval"
            (one chain). Empty for an estimate that nothing speaks against.
        traces: nbeta times the rise of the loss at each draw, chains x draws.
        nbeta: As used.
        n: Rows of data.
        settings: Of the chains.
    """

    value: float
    low: float | None
    high: float | None
    level: float
    chains: tuple[float, ...]
    start: float
    rhat: float
    drift: float
    flags: tuple[Flag, ...]
    traces: Floats
    nbeta: float
    n: int
    settings: Langevin


def local_learning_coefficient(
    network: Any,
    losses: Losses,
    n: int,
    settings: Langevin | None = None,
    *,
    level: float = 0.9,
    seed: int = 0,
) -> LearningCoefficient:
    """Estimate the local learning coefficient (Lau et al. 2023, arXiv:2308.12108, eq. 11 and algorithm 1).

    nbeta times the mean of L(w) - L(w*) over the tempered posterior around w*, sampled with stochastic
    gradient Langevin dynamics. The rise is taken on the rows of each step against the loss of the same rows
    at w*, which has the same mean as a loss over other rows and much less noise.

    The pull towards w* makes it smaller (a direction of curvature h counts nbeta h / (nbeta h + localization)
    halves) and steps that are too long make it larger: compare networks under one setting, and look how the
    value moves with half the step.

    Args:
        network: A module; it is copied, and left as it is.
        losses: Mean loss of each of some rows of data, in nats; takes the network and row numbers.
        n: Rows of data.
        settings: Of the chains.
        level: Of the interval over chains.
        seed: Of noise and batches.

    Raises:
        UsageError: The settings make no chain.
        ModelError: A chain diverged.
    """
    how = settings or Langevin()
    _check(how, n)
    nbeta = how.nbeta or n / math.log(n)
    base = _losses_at(network, losses, n)
    traces = nbeta * np.stack(
        [_chain(network, losses, base, how, nbeta, seed=1000 * seed + i) for i in range(how.chains)]
    )
    return _judged(traces, base, nbeta, how, level)


def answer_losses(prompts: Prompts, device: torch.device | str = "cpu") -> Losses:
    """Mean loss of the tokens of the right answer of each row, for `local_learning_coefficient`.

    Rows are those of right answers, in order: there are as many as samples.

    Args:
        prompts: Of one task.
        device: Of the network.
    """
    import torch

    kept = np.flatnonzero(prompts.right)
    tokens = torch.from_numpy(prompts.tokens[kept]).to(device)
    answers = torch.from_numpy(prompts.answers[kept]).to(device)
    at = torch.from_numpy(prompts.starts[kept]).to(device)[:, None] + torch.arange(
        answers.shape[1], device=device
    )

    def losses(network: Any, rows: Tensor) -> Tensor:
        logits = network(tokens[rows], use_cache=False).logits.float()
        places = at[rows].clamp(max=logits.shape[1] - 1)
        own = logits.gather(1, places[..., None].expand(-1, -1, logits.shape[-1]))
        real = answers[rows] >= 0
        found = own.log_softmax(-1).gather(-1, answers[rows].clamp(min=0)[..., None])[..., 0]
        mean: Tensor = -(found * real).sum(1) / real.sum(1)
        return mean

    return losses


def text_losses(tokens: NDArray[np.int64], device: torch.device | str = "cpu") -> Losses:
    """Mean next-token loss of each row of text, for `local_learning_coefficient`.

    Args:
        tokens: Rows x length, no padding.
        device: Of the network.
    """
    import torch

    given = torch.from_numpy(tokens).to(device)

    def losses(network: Any, rows: Tensor) -> Tensor:
        own = given[rows]
        logits = network(own[:, :-1], use_cache=False).logits.float()
        found = logits.log_softmax(-1).gather(-1, own[:, 1:, None])[..., 0]
        mean: Tensor = -found.mean(1)
        return mean

    return losses


def model_learning_coefficient(
    model: HookedModel,
    prompts: Prompts,
    settings: Langevin | None = None,
    *,
    level: float = 0.9,
    seed: int = 0,
) -> LearningCoefficient:
    """The local learning coefficient of a network for the answers of one task.

    A network trained on other data too is seldom at a minimum of this loss; "below_start" is then flagged.
    For the loss that it was trained on, use `text_losses` with a sample of its training text.

    Args:
        model: The model; its weights are copied.
        prompts: Of the task.
        settings: Of the chains.
        level: Of the interval over chains.
        seed: Of noise and batches.
    """
    losses = answer_losses(prompts, model.device)
    return local_learning_coefficient(
        model.copied_network(), losses, len(prompts.samples), settings, level=level, seed=seed
    )


def _check(how: Langevin, n: int) -> None:
    if n < 3 or min(how.chains, how.batch) < 1 or how.draws < 4 or how.burn_in < 0:
        raise UsageError(
            f"{n} rows, {how.chains} chains of {how.draws} draws, {how.burn_in} before them and batches of "
            f"{how.batch}: give three rows, a chain, four draws and a batch of one at least",
            field="settings",
        )
    if not (how.step > 0 and how.localization >= 0 and (how.nbeta is None or how.nbeta > 0)):
        raise UsageError(
            f"step {how.step}, localization {how.localization} and nbeta {how.nbeta} must be above 0",
            field="settings",
        )


def _losses_at(network: Any, losses: Losses, n: int) -> Tensor:
    """The loss of each row at the weights as they are."""
    import torch

    place = next(network.parameters()).device
    still = copy.deepcopy(network).eval()
    with torch.no_grad():
        parts = [torch.arange(first, min(first + _ROWS, n), device=place) for first in range(0, n, _ROWS)]
        found = torch.cat([losses(still, part) for part in parts])
    if found.shape != (n,) or not found.isfinite().all():
        raise ModelError(
            "the losses at the start must be one finite number a row; check the data and the loss"
        )
    return found


def _chain(network: Any, losses: Losses, base: Tensor, how: Langevin, nbeta: float, *, seed: int) -> Floats:
    """Rise of the loss at each draw of one chain."""
    import torch

    own = copy.deepcopy(network).eval()
    weights = [one for one in own.parameters() if one.requires_grad]
    start = [one.detach().clone() for one in weights]
    place = weights[0].device
    noise = torch.Generator(device=place).manual_seed(seed)
    rng = np.random.default_rng(seed)
    rises = []
    for rows in _batches(rng, len(base), how.batch, how.burn_in + how.draws):
        index = torch.from_numpy(rows).to(place)
        found = losses(own, index)
        rises.append(float((found.detach() - base[index]).double().mean()))
        if not math.isfinite(rises[-1]):
            raise ModelError(
                f"a chain diverged after {len(rises)} steps of {how.step:g}; take a smaller step",
                field="step",
            )
        slopes = torch.autograd.grad(found.mean(), weights, allow_unused=True)
        with torch.no_grad():
            for weight, first, slope in zip(weights, start, slopes, strict=True):
                pull = how.localization * (weight - first)
                pull = pull if slope is None else pull + nbeta * slope
                shake = torch.randn(weight.shape, generator=noise, device=place, dtype=weight.dtype)
                weight.add_(pull, alpha=-how.step / 2).add_(shake, alpha=math.sqrt(how.step))
    return np.array(rises[how.burn_in :])


def _batches(rng: np.random.Generator, n: int, batch: int, count: int) -> list[NDArray[np.int64]]:
    """Rows of each step: the data in random order, again and again."""
    size = min(batch, n)
    each = n // size
    orders = [rng.permutation(n)[: each * size].reshape(each, size) for _ in range(-(-count // each))]
    return list(np.concatenate(orders)[:count])


def _judged(traces: Floats, base: Tensor, nbeta: float, how: Langevin, level: float) -> LearningCoefficient:
    from scipy.special import stdtrit

    chains = traces.mean(1)
    value, count = float(chains.mean()), len(chains)
    low = high = None
    if count > 1:
        error = float(chains.std(ddof=1)) / math.sqrt(count)
        half = float(stdtrit(count - 1, 0.5 + level / 2)) * error
        low, high = value - half, value + half
    middle = traces.shape[1] // 2
    moved = traces[:, -middle:].mean(1) - traces[:, :middle].mean(1)
    error = float(moved.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    drift = float(moved.mean()) / error if error > 0 else 0.0
    rhat = _split_rhat(traces)
    flags: list[Flag] = []
    if rhat > _AGREE:
        flags.append("chains_disagree")
    if abs(drift) > _SLACK and abs(moved.mean()) > 0.1 * abs(value):
        flags.append("still_moving")
    if (low is not None and low < 0) or chains.min() < 0:
        flags.append("below_start")
    if low is None:
        flags.append("no_interval")
    return LearningCoefficient(
        value=value,
        low=low,
        high=high,
        level=level,
        chains=tuple(float(one) for one in chains),
        start=float(base.double().mean()),
        rhat=rhat,
        drift=drift,
        flags=tuple(flags),
        traces=traces,
        nbeta=nbeta,
        n=len(base),
        settings=how,
    )


def _split_rhat(traces: Floats) -> float:
    """Potential scale reduction of half chains (Gelman et al. 2013, section 11.4)."""
    half = traces.shape[1] // 2
    parts = np.concatenate([traces[:, :half], traces[:, -half:]])
    within = float(parts.var(axis=1, ddof=1).mean())
    between = half * float(parts.mean(axis=1).var(ddof=1))
    return math.sqrt(((half - 1) / half * within + between / half) / within) if within > 0 else math.inf
