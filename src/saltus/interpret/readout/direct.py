"""What each head, MLP and neuron writes straight into the answer's logits (direct logit attribution).

The residual stream is a sum, and with the last norm's statistics held at what they are, logits are linear in
it (Elhage et al. 2021, "A mathematical framework for transformer circuits"). The parts add up to the margin.
Nothing is taken out of the model: a component that works through later layers shows no direct effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network.hooked import Batch, HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import mean_interval
from saltus.interpret.readout.choice import halves, strongest
from saltus.interpret.readout.margins import (
    Contrast,
    contrast_of,
    directions,
    first_places,
    margins,
    right_rows,
)
from saltus.interpret.readout.writes import Ints, Writes
from saltus.records.errors import ModelError
from saltus.records.explanations import Component, Effect

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
_BATCH_TOKENS = 16_384


class DirectLogits(msgspec.Struct, frozen=True, kw_only=True):
    """The margin of every sample, split into what was added to the residual stream.

    Attributes:
        contrast: Which margin.
        components: The embedding, all heads, all MLPs, and the biases as one.
        values: Their parts of the margin, samples x components; a row sums to the margin.
        margin: The margin itself, before a final softcap, samples.
        scales: What the last norm divided by, samples.
        error: Largest difference between a row's sum and its margin.
        softcap: Of the final logits; None where there is none.
        samples: Ids.
        clusters: What samples belong together.
    """

    contrast: Contrast
    components: tuple[Component, ...]
    values: Floats
    margin: Floats
    scales: Floats
    error: float
    softcap: float | None
    samples: tuple[str, ...]
    clusters: tuple[str, ...] | None


class NeuronLogits(msgspec.Struct, frozen=True, kw_only=True):
    """The neurons with the largest direct effects, chosen on one half of the samples.

    Attributes:
        components: Neurons, largest mean on the choosing half first.
        values: Their parts of the margin, samples x neurons.
        held_out: Samples that had no say in the choice; means over these are not flattered by it.
    """

    components: tuple[Component, ...]
    values: Floats
    held_out: NDArray[np.bool_]


def direct_logits(model: HookedModel, prompts: Prompts, *, batch_tokens: int = _BATCH_TOKENS) -> DirectLogits:
    """Split each sample's margin at the answer's first token into what heads, MLPs and the embedding write.

    Biases (of the projections out, of norms after a block, of the last norm, of the output layer) are one
    part, "BIAS". Norms after attention or MLP (Gemma 2, OLMo 2) are held at their actual scale like the last
    one. Where the final logits are capped, the margin is the one before the cap.

    Args:
        model: The model.
        prompts: What it is asked; of multiple choice the rows with the right answer.
        batch_tokens: Most tokens of a batch.

    Raises:
        ModelError: The parts do not add up, so the blocks are no plain sum of attention and MLP.
    """
    import torch

    own = right_rows(prompts)
    contrast, sizes, last = contrast_of(own), model.anatomy, model.anatomy.layers - 1
    components = (
        Component(-1, part="embedding"),
        *model.components("head", "mlp"),
        Component(-1, part="bias"),
    )
    values, margin = np.zeros((len(own), len(components))), np.zeros(len(own))
    scales = np.zeros(len(own))
    with torch.inference_mode():
        ways = Writes.of(model, own, contrast)
        for batch in own.batches(model.device, batch_tokens):
            ahead, at = ways.ahead(batch), first_places(own, batch.rows)
            found = model.run(batch, read=ways.reads(ahead, at), at=at)
            x = found.values[Site("resid_post", last)]
            scale = ways.norm.scale(x, model.final_norm(x.to(model.unembedding.dtype)).float())
            constant, actual = _ends(model, own, batch, contrast, found.logits)
            columns, bias = [found.values[Site("resid_pre", 0)]], torch.zeros_like(scale)
            for layer in range(sizes.layers):
                for kind in ("z", "neurons"):
                    parts, more = found.values[Site(kind, layer)]
                    columns += [parts] if kind == "neurons" else list(parts.T)
                    bias = bias + more
            rows = batch.rows.cpu().numpy()
            normed = (ways.directions(batch) * ways.norm.bias).sum(-1)
            columns = [column / scale for column in (*columns, bias)]
            columns[-1] = columns[-1] + normed + constant
            values[rows] = torch.stack(columns, 1).double().cpu().numpy()
            margin[rows], scales[rows] = actual.double().cpu().numpy(), scale.double().cpu().numpy()
    error = float(np.abs(values.sum(1) - margin).max())
    _refuse_gap(model, error, margin)
    return DirectLogits(
        contrast=contrast,
        components=components,
        values=values,
        margin=margin,
        scales=scales,
        error=error,
        softcap=model.softcap,
        samples=own.samples,
        clusters=own.clusters,
    )


def top_neurons(
    model: HookedModel,
    prompts: Prompts,
    found: DirectLogits,
    *,
    most: int = 20,
    batch_tokens: int = _BATCH_TOKENS,
) -> NeuronLogits:
    """The neurons that write most to the margin, for it or against it.

    Two passes: the first keeps one sum a neuron over half the samples (whole clusters), the second the
    samples' values of those chosen. Nothing of size samples x layers x neurons is held.

    Args:
        model: The model.
        prompts: As given to `direct_logits`.
        found: What that gave.
        most: How many neurons.
        batch_tokens: Most tokens of a batch.
    """
    import torch

    own = right_rows(prompts)
    held_out = halves(own)
    sums: dict[int, Tensor] = {}

    def add(layer: int, rows: Ints, effects: Tensor) -> None:
        chosen = effects[torch.from_numpy(~held_out[rows]).to(effects.device)].double().sum(0)
        sums[layer] = sums[layer] + chosen if layer in sums else chosen

    with torch.inference_mode():
        ways = Writes.of(model, own, found.contrast)
        ways.neurons(found.scales, batch_tokens, add)
        components = strongest({layer: one.cpu().numpy() for layer, one in sums.items()}, most)
        values = np.zeros((len(own), len(components)))

        def keep(layer: int, rows: Ints, effects: Tensor) -> None:
            columns = [i for i, one in enumerate(components) if one.layer == layer]
            if columns:
                chosen = effects[:, [components[i].index for i in columns]]
                values[rows[:, None], columns] = chosen.double().cpu().numpy()

        ways.neurons(found.scales, batch_tokens, keep)
    return NeuronLogits(components=components, values=values, held_out=held_out)


def direct_effects(
    model: HookedModel,
    prompts: Prompts,
    *,
    run: str,
    model_id: str,
    neurons: int = 20,
    batch_tokens: int = _BATCH_TOKENS,
) -> list[Effect]:
    """Direct effects as rows of the evidence store, in the order of the layers, neurons last.

    Each is a mean over samples with a 90 % interval; its baseline is the mean margin, of which it is a part.
    Neurons are means over the half of the samples that did not choose them.

    Args:
        model: The model.
        prompts: What it is asked.
        run: The explanation they belong to.
        model_id: Id of the checkpoint.
        neurons: How many neurons; 0 for none.
        batch_tokens: Most tokens of a batch.
    """
    found = direct_logits(model, prompts, batch_tokens=batch_tokens)
    margin = float(found.margin.mean())
    detail: dict[str, float] = {"sum_error": found.error}
    if found.softcap is not None:
        detail["before_softcap"] = found.softcap

    def row(component: Component, values: Floats, labels: list[str], **more: float) -> Effect:
        known = mean_interval(values, labels)
        return Effect(
            run=run,
            model=model_id,
            task=prompts.task,
            component=str(component),
            method="direct_logit",
            metric=found.contrast,
            effect=known.value,
            low=known.low,
            high=known.high,
            level=known.level,
            baseline=margin,
            n=len(values),
            detail=msgspec.json.encode({**detail, **more}).decode(),
        )

    labels = list(found.clusters or found.samples)
    rows = [row(one, found.values[:, i], labels) for i, one in enumerate(found.components)]
    if neurons and len(found.samples) > 1:
        top = top_neurons(model, prompts, found, most=neurons, batch_tokens=batch_tokens)
        kept = [label for label, keep in zip(labels, top.held_out, strict=True) if keep]
        chose = float((~top.held_out).sum())
        rows += [
            row(one, top.values[top.held_out, i], kept, chosen_on=chose)
            for i, one in enumerate(top.components)
        ]
    return rows


def _ends(
    model: HookedModel, prompts: Prompts, batch: Batch, contrast: Contrast, logits: Tensor
) -> tuple[Tensor, Tensor]:
    """The output bias's part of the margin, and the margin before a softcap."""
    import torch

    bias = model.unembedding_bias
    constant = torch.zeros(len(logits), device=logits.device)
    if bias is not None:
        constant = directions(bias[None], prompts, batch.rows, contrast)[:, 0]
    if model.softcap is not None:
        logits = torch.atanh((logits.double() / model.softcap).clamp(-1 + 1e-7, 1 - 1e-7)) * model.softcap
    return constant, margins(logits, prompts, batch.rows, contrast)


def _refuse_gap(model: HookedModel, error: float, margin: Floats) -> None:
    """Half precision rounds the residual stream itself, so what is allowed follows the type."""
    import torch

    allowed = 1e4 * torch.finfo(model.unembedding.dtype).eps * (1 + float(np.abs(margin).max()))
    if not error <= allowed:
        raise ModelError(
            f"the direct effects of {model.name} miss the margin by {error:.2g}, so its blocks are not a "
            "plain sum of attention and MLP; use ablation or patching instead",
            field="architecture",
        )
