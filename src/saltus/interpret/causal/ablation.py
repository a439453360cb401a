"""Take components out of a forward pass: by their mean, by zero, or by what they say to another prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network import cache
from saltus.interpret.network.hooked import Batch, Edit, HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import UsageError
from saltus.records.explanations import Component

if TYPE_CHECKING:
    from torch import Tensor

Method = Literal["mean_ablation", "zero_ablation", "resample_ablation"]
METHODS: tuple[Method, ...] = ("mean_ablation", "zero_ablation", "resample_ablation")


class Reference(msgspec.Struct, frozen=True):
    """What components write on the prompts of a task when nothing is taken out.

    Attributes:
        means: Mean over all real tokens of the prompts, by site ("z": heads x head width, "mlp_out": width,
            "neurons": neurons).
        prompts: On which it was measured; resampling takes its other prompts from them.
        places: The same mean at each place (length first), where all prompts are of one length and so say
            like things at like places; empty where they are not.
    """

    means: dict[Site, Tensor]
    prompts: Prompts | None = None
    places: dict[Site, Tensor] = msgspec.field(default_factory=dict)

    def at(self, site: Site, length: int) -> Tensor:
        """The mean to put in the place of an activation over so many tokens: by place where that is known."""
        aligned = self.places.get(site)
        return self.means[site] if aligned is None or length > len(aligned) else aligned[:length]


def reference(
    model: HookedModel, prompts: Prompts, *, neurons: bool = False, batch_tokens: int | None = None
) -> Reference:
    """Measure the means of all heads and MLPs, and of all neurons where asked.

    Args:
        model: The model.
        prompts: What it is asked.
        neurons: Also the means of neurons.
        batch_tokens: Most tokens of a batch; what fits into a gigabyte when None.
    """
    kinds = ("z", "mlp_out", "neurons") if neurons else ("z", "mlp_out")
    sites = [Site(kind, layer) for kind in kinds for layer in range(model.anatomy.layers)]
    sums: dict[Site, Tensor] = {}
    if batch_tokens is None:
        batch_tokens = cache.batch_tokens(model, prompts.tokens.shape[1], dict.fromkeys(sites, abs))
    for batch in prompts.batches(model.device, batch_tokens):
        found = model.run(batch, read=dict.fromkeys(sites, _summed(batch)), logits=False).values
        for site, value in found.items():
            sums[site] = _added(sums[site], value) if site in sums else value
    total = float(prompts.lengths.sum())
    means = {site: (value.sum(0) / total).float() for site, value in sums.items()}
    aligned = bool((prompts.lengths == prompts.lengths[0]).all())
    places = {site: (value / len(prompts)).float() for site, value in sums.items()} if aligned else {}
    return Reference(means, prompts, places)


def ablate(
    model: HookedModel,
    components: Sequence[Component],
    method: Method = "mean_ablation",
    *,
    baseline: Reference | None = None,
    seed: int = 0,
) -> tuple[Edit, ...]:
    """The edits that take components out.

    Args:
        model: The model they are of.
        components: Heads, MLPs, whole attentions or layers, neurons; in any order, all taken out at once.
        method: "mean_ablation" puts the component's mean over the prompts in its place (Wang et al. 2023), at
            each token's place where all prompts are of one length, and over all places elsewhere;
            "zero_ablation" nothing, "resample_ablation" what it writes at the same place of another prompt,
            of the same length where there is one (Chan et al. 2022, causal scrubbing).
        baseline: As `reference` measured it on the same prompts; zero ablation needs none.
        seed: Of the choice of other prompts; it does not depend on how rows are batched.

    Raises:
        UsageError: There is no baseline where one is needed, it was measured on other prompts, or a component
            cannot be taken out.
    """
    if method not in METHODS:
        raise UsageError(
            f"{method!r} is no way of ablation; choose one of {', '.join(METHODS)}", field="method"
        )
    by_site: dict[Site, set[int]] = {}
    for one in components:
        for site, index in sites_of(model, one):
            by_site.setdefault(site, set()).add(index)
    instead = _instead(model, sorted(by_site), method, baseline, seed)
    return tuple(Edit(site, _replaced(site, sorted(own), instead)) for site, own in sorted(by_site.items()))


def sites_of(model: HookedModel, one: Component) -> list[tuple[Site, int]]:
    """Where a component writes: sites, and its index there (-1 for all of an MLP).

    Raises:
        UsageError: The model has no such component, or it is the embedding.
    """
    sizes = model.anatomy
    many = {"head": sizes.heads, "neuron": sizes.neurons}.get(one.part, 0)
    if one.part == "embedding":
        raise UsageError("the embedding cannot be taken out; corrupt the prompt instead", field="component")
    if not 0 <= one.layer < sizes.layers or (many and not 0 <= one.index < many):
        each = f" of {many} {one.part}s" if many else ""
        raise UsageError(
            f"{model.name} has no {one}, it has {sizes.layers} layers{each}, counted from 0",
            field="component",
        )
    heads = [(Site("z", one.layer), i) for i in range(sizes.heads)]
    match one.part:
        case "head":
            return [(Site("z", one.layer), one.index)]
        case "mlp":
            return [(Site("mlp_out", one.layer), -1)]
        case "attention":
            return heads
        case "layer":
            return [*heads, (Site("mlp_out", one.layer), -1)]
        case _:
            return [(Site("neurons", one.layer), one.index)]


Instead = Callable[["Tensor", Batch, Site], "Tensor"]


def _instead(
    model: HookedModel, sites: Sequence[Site], method: Method, baseline: Reference | None, seed: int
) -> Instead:
    """What is put in the place of a whole activation."""
    import torch

    if method == "zero_ablation":
        return lambda value, batch, site: torch.zeros_like(value)
    if method == "resample_ablation":
        if baseline is None or baseline.prompts is None:
            raise UsageError(
                "resample ablation needs prompts to draw from; measure reference(model, prompts) first",
                field="baseline",
            )
        others = _Others(model, sites, baseline.prompts, seed)
        return lambda value, batch, site: others.of(batch)[site].to(value.dtype)
    lacking = next((site for site in sites if baseline is None or site not in baseline.means), None)
    if lacking is not None:
        neurons = ", neurons=True" if lacking.kind == "neurons" else ""
        raise UsageError(
            f"mean ablation needs the mean of {lacking.kind} in layer {lacking.layer}; measure it with "
            f"reference(model, prompts{neurons})",
            field="baseline",
        )
    known = baseline or Reference({})
    return lambda value, batch, site: known.at(site, value.shape[1]).to(value.dtype).expand_as(value)


def _replaced(site: Site, own: list[int], instead: Instead) -> Callable[[Tensor, Batch], Tensor]:
    def change(value: Tensor, batch: Batch) -> Tensor:
        new = instead(value, batch, site)
        if site.kind == "mlp_out":
            return new
        value = value.clone()
        if site.kind == "z":
            value[:, :, own] = new[:, :, own]
        else:
            value[..., own] = new[..., own]
        return value

    return change


class _Others:
    """What components write on other prompts, at the same places: one more forward pass a batch.

    The pass goes through a model of its own, which shares the weights: it runs inside a hook of the first.
    """

    def __init__(self, model: HookedModel, sites: Sequence[Site], prompts: Prompts, seed: int) -> None:
        self._model = model.apart()
        self._sites = tuple(sites)
        self._prompts = prompts
        self._rows = _other_rows(prompts, seed)
        self._last: tuple[Batch, dict[Site, Tensor]] | None = None

    def of(self, batch: Batch) -> dict[Site, Tensor]:
        """Activations by site, in the shape of the batch."""
        if self._last is None or self._last[0] is not batch:
            self._last = batch, self._run(batch)
        return self._last[1]

    def _run(self, batch: Batch) -> dict[Site, Tensor]:
        import torch

        mine, width = batch.rows.cpu().numpy(), batch.tokens.shape[1]
        given = self._prompts
        if mine.max() >= len(given) or not np.array_equal(given.lengths[mine], batch.lengths.cpu().numpy()):
            raise UsageError(
                f"resampling draws from the prompts of {given.task} that its reference was measured on, and "
                "others are run; measure reference(model, prompts) on these",
                field="baseline",
            )
        rows = self._rows[mine]
        places = np.minimum(np.arange(width)[None], given.lengths[rows][:, None] - 1)
        longest = max(int(given.lengths[rows].max()), 1)
        device = batch.tokens.device
        other = Batch(
            torch.from_numpy(given.tokens[rows][:, :longest]).to(device),
            torch.from_numpy(given.lengths[rows]).to(device),
            torch.from_numpy(rows).to(device),
        )
        index = torch.from_numpy(places).to(device)
        line = torch.arange(len(rows), device=device)[:, None]
        found = self._model.run(other, read=self._sites, logits=False).values
        return {site: value[line, index] for site, value in found.items()}


def _other_rows(prompts: Prompts, seed: int) -> NDArray[np.int64]:
    """For each row one of another sample: of the same length, else a longer one, else the longest other.

    Raises:
        UsageError: There is only one sample.
    """
    if len(prompts.samples) < 2:
        raise UsageError("resampling needs two samples at least; give more items or mean_ablation")
    rng = np.random.default_rng(seed)
    lengths, items = prompts.lengths, prompts.items
    found = np.empty(len(prompts), np.int64)
    for row in range(len(prompts)):
        other = np.flatnonzero((items != items[row]) & (lengths >= lengths[row]))
        if not len(other):
            other = np.flatnonzero(items != items[row])
            other = other[lengths[other] == lengths[other].max()]
        near = other[lengths[other] == lengths[other].min()]
        found[row] = rng.choice(near)
    return found


def _summed(batch: Batch) -> Callable[[Tensor], Tensor]:
    """Sum over the rows of a batch at each place, padding left out."""
    import torch

    real = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)[None] < batch.lengths[:, None]

    def summed(value: Tensor) -> Tensor:
        mask = real.reshape(*real.shape, *(1,) * (value.ndim - 2))
        return (value * mask).double().sum(0)

    return summed


def _added(one: Tensor, other: Tensor) -> Tensor:
    """Sums of two batches, of which one may be longer."""
    import torch

    longest = max(len(one), len(other))
    pad = [torch.cat([x, x.new_zeros(longest - len(x), *x.shape[1:])]) for x in (one, other)]
    return pad[0] + pad[1]
