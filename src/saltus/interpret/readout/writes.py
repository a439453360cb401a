"""From what each head, neuron and bias writes to the margin, by the projections out and frozen norms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network.hooked import Batch, HookedModel, Read, Site
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.readout.margins import Contrast, directions, first_places
from saltus.interpret.readout.norms import FrozenNorm, freeze

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Take = Callable[[int, Ints, "Tensor"], None]


class Writes(NamedTuple):
    """From every place of writing to the margin, the last norm's scale left out."""

    model: HookedModel
    prompts: Prompts
    contrast: Contrast
    norm: FrozenNorm
    after: dict[tuple[str, int], FrozenNorm]  # norms between a block's part and the residual stream

    @classmethod
    def of(cls, model: HookedModel, prompts: Prompts, contrast: Contrast) -> Writes:
        """Measure the norms of a model once."""
        width = model.anatomy.width
        after = {
            (name, layer): freeze(module, width, model.name)
            for layer in range(model.anatomy.layers)
            for name in ("attention_out", "mlp_out")
            if (module := model.module(layer, name)) is not None
        }
        return cls(model, prompts, contrast, freeze(model.final_norm, width, model.name), after)

    def directions(self, batch: Batch) -> Tensor:
        """What the output layer reads, rows x width."""
        return directions(self.model.unembedding, self.prompts, batch.rows, self.contrast)

    def ahead(self, batch: Batch) -> Tensor:
        """What reads the residual stream, but for the last norm's scale, rows x width."""
        return self.norm.back(self.directions(batch))

    def reads(self, ahead: Tensor, at: tuple[Tensor, Tensor]) -> dict[Site, Read | None]:
        """To read in one run: the part of each head, MLP and the embedding; and the last residual stream."""
        layers = range(self.model.anatomy.layers)
        reads: dict[Site, Read | None] = {
            Site("resid_pre", 0): lambda x: (x[at].float() * ahead).sum(-1),
            Site("resid_post", layers[-1]): lambda x: x[at].float(),
        }
        for layer in layers:
            reads[Site("z", layer)] = self._heads(layer, ahead, at)
            reads[Site("neurons", layer)] = self._mlp(layer, ahead, at)
        return reads

    def neurons(self, scales: Floats, batch_tokens: int, take: Take) -> None:
        """Hand over each batch's rows x neurons, layer by layer, inside one forward pass.

        Args:
            scales: What the last norm divides by, one a row.
            batch_tokens: Most tokens of a batch.
            take: Gets the layer, the rows and the effects, and keeps what it needs of them.
        """
        import torch

        for batch in self.prompts.batches(self.model.device, batch_tokens):
            rows = batch.rows.cpu().numpy()
            scale = torch.from_numpy(scales[rows]).to(self.model.device).float()[:, None]
            ahead, at = self.ahead(batch) / scale, first_places(self.prompts, batch.rows)
            reads: dict[Site, Read | None] = {
                Site("neurons", layer): partial(self._each_neuron, layer, rows, ahead, at, take)
                for layer in range(self.model.anatomy.layers)
            }
            self.model.run(batch, read=reads, logits=False)

    def _heads(self, layer: int, ahead: Tensor, at: tuple[Tensor, Tensor]) -> Read:
        """Rows x heads, and rows of the biases."""
        weights = self.model.out_weights(layer).float()

        def read(value: Tensor) -> tuple[Tensor, Tensor]:
            z = value[at].float()
            to, bias = self._before(layer, "attention_out", "out", ahead, z.flatten(1), weights.flatten(0, 1))
            return ((to @ weights.flatten(0, 1).T).reshape(z.shape) * z).sum(-1), bias

        return read

    def _mlp(self, layer: int, ahead: Tensor, at: tuple[Tensor, Tensor]) -> Read:
        """Rows, and rows of the biases."""
        weights = self.model.down_weights(layer).float()

        def read(value: Tensor) -> tuple[Tensor, Tensor]:
            acts = value[at].float()
            to, bias = self._before(layer, "mlp_out", "down", ahead, acts, weights)
            return ((acts @ weights) * to).sum(-1), bias

        return read

    def _each_neuron(
        self,
        layer: int,
        rows: Ints,
        ahead: Tensor,
        at: tuple[Tensor, Tensor],
        take: Take,
        value: Tensor,
    ) -> None:
        weights = self.model.down_weights(layer).float()
        acts = value[at].float()
        to, _ = self._before(layer, "mlp_out", "down", ahead, acts, weights)
        take(layer, rows, acts * (to @ weights.T))

    def _before(
        self, layer: int, out: str, projection: str, ahead: Tensor, inputs: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What reads the projection's output, through a norm that may follow; and what the biases give."""
        import torch

        module = self.model.module(layer, projection)
        own = getattr(module, "bias", None)
        offset = torch.zeros(ahead.shape[-1], device=ahead.device) if own is None else own.float()
        frozen = self.after.get((out, layer))
        if frozen is None:
            return ahead, ahead @ offset
        written = inputs @ weights + offset
        normed = self.model.module(layer, out)(written.to(self.model.unembedding.dtype)).float()
        to = frozen.back(ahead) / frozen.scale(written, normed)[:, None]
        return to, to @ offset + ahead @ frozen.bias
