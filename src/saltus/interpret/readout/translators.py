"""The affine maps of a tuned lens: one a layer, from its residual stream into the basis of the last one.

Belrose et al. 2023 (arXiv:2303.08112): each starts at the identity and is trained to bring the distribution
that it leads to near the model's own. The model's weights stay as they are.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from saltus.interpret.network.hooked import HookedModel, Site
from saltus.interpret.network.prompts import Prompts

if TYPE_CHECKING:
    from torch import Tensor

_TOKENS = 8192  # most tokens whose residual streams are held for training
_HELD_OUT = 0.2
_BATCH = 256


class Translators(NamedTuple):
    """Affine maps x + scale * ((x - centre) / scale @ weights + bias), one a place but the last.

    Attributes:
        weights: Places x width x width; zero is the identity.
        biases: Places x width.
        centres: Mean of the training tokens, places x width.
        scales: Their root mean square about it, places.
        logit: Mean divergence of the logit lens from the model's own distribution on held-out tokens, nats,
            one a place.
        tuned: The same of the tuned lens.
        tokens: Held-out tokens.
    """

    weights: Tensor
    biases: Tensor
    centres: Tensor
    scales: Tensor
    logit: tuple[float, ...]
    tuned: tuple[float, ...]
    tokens: int

    def apply(self, place: int, x: Tensor) -> Tensor:
        """Translate residual streams of one place, last axis width; the last place stays as it is."""
        if place >= len(self.weights):
            return x
        return _translated(
            x, self.weights[place], self.biases[place], self.centres[place], self.scales[place]
        )


def residual_sites(model: HookedModel) -> tuple[Site, ...]:
    """Before block 0, then after each block."""
    return (Site("resid_pre", 0), *(Site("resid_post", i) for i in range(model.anatomy.layers)))


def train_translators(
    model: HookedModel, prompts: Prompts, *, seed: int = 0, steps: int = 300, rate: float = 0.0
) -> Translators:
    """Train one map a place by Adam on the divergence of the model's own distribution from the lens's.

    A fifth of the rows is held out of training, to tell how good the lens is.

    Args:
        model: The model.
        prompts: Their tokens are the text, answers that are fed in included.
        seed: Of the split and of the order.
        steps: Of training, each on 256 tokens.
        rate: Learning rate, falling to zero in a straight line; by the width when 0.
    """
    import torch

    random = np.random.default_rng(seed)
    order = random.permutation(len(prompts))
    cut = round(len(order) * _HELD_OUT)
    unseen = _collect(model, prompts.take(np.sort(order[:cut])), random) if cut else None
    seen = _collect(model, prompts.take(np.sort(order[cut:])), random)
    last = len(seen) - 1
    rate = rate or min(0.02, 0.64 / model.anatomy.width)
    width, device = model.anatomy.width, model.device
    weights, biases = (
        torch.zeros(last, width, width, device=device),
        torch.zeros(last, width, device=device),
    )
    centres = seen[:last].float().mean(1)
    scales = (seen[:last].float() - centres[:, None]).square().mean((1, 2)).sqrt().clamp(min=1e-6)
    for place in range(last):
        fit = _Fit(seen[place], seen[last], centres[place], scales[place])
        weights[place], biases[place] = _trained(model, fit, rate, steps, seed)
    found = Translators(weights, biases, centres, scales, (), (), 0)
    if unseen is None:
        return found
    before = tuple(_divergence(model, unseen[i], unseen[last]) for i in range(last))
    after = tuple(_divergence(model, found.apply(i, unseen[i]), unseen[last]) for i in range(last))
    return found._replace(logit=before, tuned=after, tokens=unseen.shape[1])


class _Fit(NamedTuple):
    x: Tensor  # tokens x width
    final: Tensor  # tokens x width
    centre: Tensor
    scale: Tensor


def _trained(model: HookedModel, fit: _Fit, rate: float, steps: int, seed: int) -> tuple[Tensor, Tensor]:
    import torch

    width = fit.x.shape[-1]
    weight = torch.zeros(width, width, device=fit.x.device, requires_grad=True)
    bias = torch.zeros(width, device=fit.x.device, requires_grad=True)
    adam = torch.optim.Adam((weight, bias), lr=rate, betas=(0.9, 0.99))
    drawn = torch.Generator().manual_seed(seed)
    for step in range(steps):
        rows = torch.randint(len(fit.x), (min(_BATCH, len(fit.x)),), generator=drawn).to(fit.x.device)
        with torch.no_grad():
            own = model.unembed(fit.final[rows]).log_softmax(-1)
        with torch.enable_grad():
            there = model.unembed(_translated(fit.x[rows], weight, bias, fit.centre, fit.scale))
            loss = _kl(own, there.log_softmax(-1)).mean()
            weight.grad, bias.grad = torch.autograd.grad(loss, (weight, bias))
        for group in adam.param_groups:
            group["lr"] = rate * (1 - step / steps)
        adam.step()
    return weight.detach(), bias.detach()


def _translated(x: Tensor, weight: Tensor, bias: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
    inside = (x.float() - centre) / scale
    return (x.float() + scale * (inside @ weight + bias)).to(x.dtype)


def _collect(model: HookedModel, prompts: Prompts, random: np.random.Generator) -> Tensor:
    """Residual streams of tokens, places x tokens x width: all tokens, or a random part of many."""
    import torch

    sites = residual_sites(model)
    share = min(1.0, _TOKENS / float(prompts.lengths.sum()))
    found: list[Tensor] = []
    for batch in prompts.batches(model.device):
        real = torch.arange(batch.tokens.shape[1], device=model.device)[None] < batch.lengths[:, None]
        kept = torch.from_numpy(random.random(real.shape) <= share).to(model.device) & real
        read = dict.fromkeys(sites, partial(_rows_of, kept))
        values = model.run(batch, read=read, logits=False).values
        found.append(torch.stack([values[site].clone() for site in sites]))
    return torch.cat(found, 1).clone()


def _rows_of(kept: Tensor, value: Tensor) -> Tensor:
    return value[kept]


def _divergence(model: HookedModel, x: Tensor, final: Tensor) -> float:
    import torch

    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(x), _BATCH):
            rows = slice(start, start + _BATCH)
            own, there = (model.unembed(one[rows]).log_softmax(-1) for one in (final, x))
            total += float(_kl(own, there).sum())
    return total / max(len(x), 1)


def _kl(own: Tensor, given: Tensor) -> Tensor:
    return (own.exp() * (own - given)).sum(-1)
