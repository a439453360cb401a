"""Integrated gradients: which input tokens and which neurons a margin is owed to, held against a baseline.

Sundararajan, Taly and Yan 2017 (arXiv:1703.01365), equation 1: the gradient is averaged on the straight line
from a baseline to the activation and multiplied by their difference. The attributions sum to the change of
the margin (completeness); how far they miss is reported for every sample, and more steps are taken until it
is small. Gradients are taken of the activation alone and never left on a weight.
"""

from __future__ import annotations

import msgspec
import numpy as np

from saltus.interpret.network.hooked import HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import mean_interval
from saltus.interpret.readout.choice import halves, strongest
from saltus.interpret.readout.integration import Attribution, Baseline, Floats, Line, Precision, integrate
from saltus.interpret.readout.margins import contrast_of, right_rows
from saltus.records.explanations import Effect

_PRECISION = Precision()
_BATCH_TOKENS = 2_048  # gradients keep what every layer computes


def integrated_inputs(
    model: HookedModel,
    prompts: Prompts,
    *,
    baseline: Baseline | None = None,
    precision: Precision = _PRECISION,
    batch_tokens: int = _BATCH_TOKENS,
) -> Attribution:
    """Integrated gradients on the input embeddings, a number a token.

    The embedding is what enters block 0, with its position where the model adds one to it.

    Args:
        model: The model.
        prompts: What it is asked; of multiple choice the rows with the right answer.
        baseline: "twin": the embedding of the corrupted prompt; "mean": the mean embedding of all tokens of
            the prompts; "zero". As `default_baseline` says when None.
        precision: When to stop.
        batch_tokens: Most tokens of a batch.

    Raises:
        UsageError: There is no such baseline.
        InputError: The twin is asked for and the task has none.
    """
    line = Line.of(model, prompts, Site("resid_pre", 0), baseline, batch_tokens)
    return integrate(line, precision, lambda parts: parts.sum(-1))


def integrated_neurons(
    model: HookedModel,
    prompts: Prompts,
    layer: int,
    *,
    baseline: Baseline | None = None,
    precision: Precision = _PRECISION,
    batch_tokens: int = _BATCH_TOKENS,
) -> Attribution:
    """Integrated gradients on the neurons of one MLP, a number a neuron.

    All neurons of the layer go together, at all places, from the baseline to what they are, while everything
    before them is that of the real prompt (Dai et al. 2022, arXiv:2104.08696, equation 2, with any baseline).
    So they sum to what the margin loses when the layer's neurons are all put to the baseline: the effect of
    that layer, not the margin.

    Args:
        model: The model.
        prompts: What it is asked.
        layer: Of the MLP.
        baseline: "twin": the neurons on the corrupted prompt; "mean": their mean over all tokens of the
            prompts; "zero". As `default_baseline` says when None.
        precision: When to stop.
        batch_tokens: Most tokens of a batch.

    Raises:
        UsageError: There is no such baseline.
        InputError: The twin is asked for and the task has none.
    """
    line = Line.of(model, prompts, Site("neurons", layer), baseline, batch_tokens)
    return integrate(line, precision, lambda parts: parts.sum(1))


def gradient_effects(
    model: HookedModel,
    prompts: Prompts,
    *,
    run: str,
    model_id: str,
    neurons: int = 20,
    baseline: Baseline | None = None,
    precision: Precision = _PRECISION,
    samples: int = 64,
) -> list[Effect]:
    """Integrated gradients as rows of the evidence store, means over samples with 90 % intervals.

    "EMBED" is what the tokens that hold the answer get (where the task marks them), its baseline what all
    tokens get. An MLP is the sum over its neurons, its baseline the margin; a neuron's baseline is the sum
    over its MLP. Neurons are chosen on one half of the samples and measured on the other.

    Args:
        model: The model.
        prompts: What it is asked.
        run: The explanation they belong to.
        model_id: Id of the checkpoint.
        neurons: How many neurons; 0 leaves out neurons and MLPs.
        baseline: When None the mean for inputs (a twin shares most tokens, which would get nothing), and for
            neurons what `default_baseline` says.
        precision: When to stop.
        samples: How many at most, evenly from all: a gradient costs as much as dozens of forward passes.
    """
    own = right_rows(prompts)
    own = own.take(np.unique(np.linspace(0, len(own) - 1, min(samples, len(own))).round().astype(int)))
    labels = list(own.clusters or own.samples)

    def row(component: str, found: Attribution, values: Floats, against: Floats, chosen: int = 0) -> Effect:
        kept = halves(own) if chosen else np.ones(len(own), bool)
        known = mean_interval(values[kept], [one for one, keep in zip(labels, kept, strict=True) if keep])
        return Effect(
            run=run,
            model=model_id,
            task=prompts.task,
            component=component,
            method="integrated_gradients",
            metric=found.contrast,
            effect=known.value,
            low=known.low,
            high=known.high,
            level=known.level,
            baseline=float(against.mean()),
            n=int(kept.sum()),
            detail=_detail(found, chosen),
        )

    rows = []
    if own.sources is not None:
        inputs = integrated_inputs(model, own, baseline=baseline or "mean", precision=precision)
        rows.append(row("EMBED", inputs, _at_sources(own, inputs.values), inputs.change))
    if not neurons or len(own) < 2:
        return rows
    chose = ~halves(own)
    kept: dict[str, Effect] = {}
    sums: dict[int, Floats] = {}
    margin = _margin(model, own)
    for layer in range(model.anatomy.layers):
        found = integrated_neurons(model, own, layer, baseline=baseline, precision=precision)
        rows.append(row(f"MLP{layer}", found, found.values.sum(1), margin))
        sums[layer] = found.values[chose].sum(0)
        for one in strongest({layer: sums[layer]}, neurons):
            values = found.values[:, one.index]
            kept[str(one)] = row(str(one), found, values, found.change, int(chose.sum()))
    return [*rows, *(kept[str(one)] for one in strongest(sums, neurons))]


def _margin(model: HookedModel, prompts: Prompts) -> Floats:
    line = Line(model, prompts, contrast_of(prompts), Site("resid_pre", 0), "zero", 16_384)
    found = np.zeros(len(prompts))
    for batch in prompts.batches(model.device):
        found[batch.rows.cpu().numpy()] = line.margin(batch).double().cpu().numpy()
    return found


def _at_sources(prompts: Prompts, values: Floats) -> Floats:
    assert prompts.sources is not None  # noqa: S101 - asked before
    at = np.take_along_axis(values, np.maximum(prompts.sources, 0), axis=1)
    return np.asarray((at * (prompts.sources >= 0)).sum(1))


def _detail(found: Attribution, chosen: int) -> str:
    detail = {
        "baseline": found.baseline,
        "completeness_error": float(found.error.max()),
        "steps": int(found.steps.max()),
        "converged": float(found.converged.mean()),
    }
    return msgspec.json.encode({**detail, "chosen_on": chosen} if chosen else detail).decode()
