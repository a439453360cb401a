"""What some heads attend to on some prompts, small enough to put on a page and look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from saltus.interpret.network.hooked import Batch, HookedModel, Read, Site
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import UsageError
from saltus.records.explanations import Component, View

if TYPE_CHECKING:
    from torch import Tensor

    from saltus.models.encoding import Encoder

_PLACES = 3  # decimal places of a weight


def attention_views(
    model: HookedModel,
    prompts: Prompts,
    encoder: Encoder,
    heads: Sequence[Component],
    *,
    rows: Sequence[int],
    most_tokens: int = 128,
) -> tuple[View, ...]:
    """Attention of heads on prompts.

    Args:
        model: The model.
        prompts: Of one task.
        encoder: Of the model; it says what each token is.
        heads: Which ones, in the order wanted.
        rows: Which rows of the prompts.
        most_tokens: Longer prompts are left out, because a picture grows with the square.

    Returns:
        One view a row that is short enough, over the prompt and without what was answered.

    Raises:
        UsageError: A component is no head of this model.
    """
    _check(model, heads)
    layers = sorted({head.layer for head in heads})
    views = []
    for row in rows:
        length = int(prompts.starts[row]) + 1
        if length > most_tokens or not heads:
            continue
        batch = _one(model, prompts, row, length)
        read = {Site("pattern", layer): _kept(layer, heads) for layer in layers}
        found = model.run(batch, read=read, logits=False).values
        weights = tuple(_rounded(found[Site("pattern", head.layer)][head]) for head in heads)
        tokens = [int(one) for one in prompts.tokens[row, :length]]
        answer = [int(one) for one in prompts.answers[row] if one >= 0]
        sources = () if prompts.sources is None else tuple(int(i) for i in prompts.sources[row] if i >= 0)
        views.append(
            View(
                model=model.name,
                sample=prompts.samples[prompts.items[row]],
                tokens=tuple(encoder.tokens(tokens)),
                target=encoder.text(answer),
                sources=sources,
                heads=tuple(str(head) for head in heads),
                weights=weights,
            )
        )
    return tuple(views)


def _check(model: HookedModel, heads: Sequence[Component]) -> None:
    known = set(model.components("head"))
    for head in heads:
        if head not in known:
            raise UsageError(
                f"{model.name} has no head {head}, it has {model.anatomy.layers} layers of "
                f"{model.anatomy.heads} heads",
                field="component",
            )


def _one(model: HookedModel, prompts: Prompts, row: int, length: int) -> Batch:
    import torch

    tokens = torch.from_numpy(prompts.tokens[row : row + 1, :length]).to(model.device)
    return Batch(
        tokens,
        torch.tensor([length], device=model.device),
        torch.tensor([row], device=model.device),
    )


def _kept(layer: int, heads: Sequence[Component]) -> Read:
    own = [head for head in heads if head.layer == layer]

    def read(pattern: Tensor) -> dict[Component, Tensor]:
        return {head: pattern[0, head.index] for head in own}

    return read


def _rounded(weights: Tensor) -> tuple[tuple[float, ...], ...]:
    found = np.round(weights.double().cpu().numpy(), _PLACES)
    return tuple(tuple(float(one) for one in row) for row in found)
