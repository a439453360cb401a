"""Attribution patching: what patching or ablating every component would do, estimated from a few gradients.

A fast first look (at most five forward-backward passes over the prompts); `check_screen` holds it against the
true interventions of `patching` and `ablation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.causal.ablation import Reference, ablate
from saltus.interpret.causal.patching import patch
from saltus.interpret.causal.twins import MEMORY, Direction, Twins, last_places, margin_of, paired, pairs
from saltus.interpret.network.hooked import Batch, Edit, HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import Floats, answer_places, mean_interval, score_prompts
from saltus.records.errors import UsageError
from saltus.records.explanations import Component
from saltus.records.findings import Interval

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 4
_PARTS: dict[str, Literal["head", "mlp", "neuron"]] = {"z": "head", "mlp_out": "mlp", "neurons": "neuron"}


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """Estimated effects of single components.

    Attributes:
        components: Heads and MLPs in order of the layers, then neurons where asked.
        estimates: One a component and sample: the estimated change of the metric, samples x components.
        by_place: Mean estimates of heads and MLPs by place counted back from the last one of the prompt (the
            last column), components x places.
        method: "attribution_patching" (against twins) or "attribution_ablation" (against means).
        metric: "logit_difference" or "target_log_odds".
        passes: Forward-backward passes over all prompts.
        forwards: Forward passes without gradients.
        twins: Margins of prompts and twins; None where there were none.
        direction: As for patching.
        clusters: What samples belong together.
        problem: Why shares cannot be given, "" when they can.
    """

    components: tuple[Component, ...]
    estimates: NDArray[np.float32]
    by_place: Floats
    method: str
    metric: str
    passes: int
    forwards: int
    twins: Twins | None = None
    direction: Direction = "denoise"
    clusters: tuple[str, ...] | None = None
    problem: str = ""

    @property
    def effects(self) -> Floats:
        """Mean estimated change of the metric, one a component."""
        return np.asarray(self.estimates.mean(0, dtype=np.float64))

    def ranked(self) -> list[tuple[Component, float]]:
        """Components by the size of their effect, largest first."""
        found = self.effects
        return [(self.components[i], float(found[i])) for i in np.argsort(-np.abs(found), kind="stable")]

    def shares(self, level: float = 0.9) -> list[Interval | None]:
        """Estimated shares of the logit difference, as `patch` would measure them; None without twins."""
        if self.twins is None:
            return [None] * len(self.components)
        moved = self.estimates.astype(np.float64)
        if self.direction == "noise":
            moved += (self.twins.clean - self.twins.corrupt)[:, None]
        return self.twins.shares(moved, level)

    def intervals(self, level: float = 0.9) -> list[Interval]:
        """Mean estimated changes with intervals over samples; those of the estimate, not of its error."""
        return [mean_interval(column.astype(np.float64), self.clusters, level) for column in self.estimates.T]


class ScreenCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A screen beside the true interventions.

    Attributes:
        rank_correlation: Spearman's, of the sizes of the effects.
        correlation: Pearson's, of the effects.
        worst: Component whose true effect is furthest from its estimate.
        worst_estimate: Its estimate.
        worst_truth: Its true effect.
        missed: Components among the truly largest `top` that are not among the estimated largest `top`.
        top: How many are compared.
        components: That were checked.
        estimates: Of each.
        truths: Of each.
    """

    rank_correlation: float
    correlation: float
    worst: Component
    worst_estimate: float
    worst_truth: float
    missed: tuple[Component, ...]
    top: int
    components: tuple[Component, ...]
    estimates: tuple[float, ...]
    truths: tuple[float, ...]


def screen(
    model: HookedModel,
    prompts: Prompts,
    *,
    neurons: bool = False,
    steps: int = STEPS,
    direction: Direction = "denoise",
    memory: int = MEMORY,
) -> Screen:
    """Estimate the effect of patching every component between prompts and twins.

    The estimate is (other - base) * gradient of the margin (Nanda 2023; Syed et al. 2023, arXiv:2310.10348).
    One gradient is misleading where attention is saturated (Kramar et al. 2024, arXiv:2403.00745), so they
    are averaged along the straight line between the embeddings of the two prompts, as integrated gradients
    are (Hanna et al. 2024, arXiv:2403.17806).

    Args:
        model: The model.
        prompts: With corrupted twins.
        neurons: Also all neurons.
        steps: Gradients along the line, 1 to 5; 1 is plain attribution patching at the base.
        direction: As for `patching.patch`.
        memory: Bytes of activations to keep at a time.

    Raises:
        InputError: There are no twins.
        UsageError: More than five passes.
    """
    _check_steps(steps)
    own = paired(prompts)
    sites = _sites(model, neurons)
    sums = _Sums(model, own, sites)
    clean, corrupt = np.zeros(len(own)), np.zeros(len(own))
    start = Site("resid_pre", 0)
    for pair in pairs(model, own, [*sites, start], direction, memory // 3, both=True):
        clean[pair.rows], corrupt[pair.rows] = pair.clean, pair.corrupt
        slopes: dict[Site, Tensor] = {}
        for step in range(steps):
            at = 0.0 if steps == 1 else (step + 0.5) / steps
            embedding = _between(pair.own[start], pair.given[start], at)
            found = _gradients(model, own, pair.base, sites, [Edit(start, embedding)], "logit_difference")
            for site, slope in found.items():
                slopes[site] = slopes[site] + slope / steps if site in slopes else slope / steps
        sums.add(pair.base, {site: (pair.given[site] - pair.own[site]) * slopes[site] for site in sites})
    twins = Twins(clean, corrupt, own.clusters)
    return sums.screen(
        method="attribution_patching",
        metric="logit_difference",
        passes=steps,
        forwards=2,
        twins=twins,
        direction=direction,
        problem=twins.problem,
    )


def screen_ablation(
    model: HookedModel,
    prompts: Prompts,
    baseline: Reference,
    *,
    neurons: bool = False,
    steps: int = STEPS,
    memory: int = MEMORY,
) -> Screen:
    """Estimate what mean ablation of every component would do, for tasks without twins.

    The estimate is (mean - activation) * gradient, of the log-odds of the target rather than of its
    log-probability: where a model is sure, the latter has no slope. Gradients are averaged along the line on
    which all heads and MLPs move to their means together. This is a far weaker screen than that between
    twins: taking a component out moves a network much further than its first derivative reaches.

    Args:
        model: The model.
        prompts: Of one task.
        baseline: As `ablation.reference` measured it, with neurons where they are asked for.
        neurons: Also all neurons.
        steps: Gradients along the line, 1 to 5; 1 is the gradient on the prompts themselves.
        memory: Bytes of activations to keep at a time.

    Raises:
        UsageError: More than five passes, or the baseline lacks a mean.
    """
    _check_steps(steps)
    own = prompts.take(np.flatnonzero(prompts.right))
    sites = _sites(model, neurons)
    if not all(site in baseline.means for site in sites):
        raise UsageError(
            "the baseline has no means of neurons; measure it with reference(model, prompts, neurons=True)",
            field="baseline",
        )
    sums = _Sums(model, own, sites)
    each = 3 * 4 * sum(int(baseline.means[site].numel()) for site in sites)
    for batch in own.batches(model.device, int(np.clip(memory // each, 1, 16_384))):
        values = model.run(batch, read=tuple(sites), logits=False).values
        means = {site: baseline.at(site, batch.tokens.shape[1]) for site in sites}
        slopes: dict[Site, Tensor] = {}
        for step in range(steps):
            at = 0.0 if steps == 1 else (step + 0.5) / steps
            edits = [Edit(site, _towards(means[site], at)) for site in sites if site.kind != "neurons"]
            for site, slope in _gradients(model, own, batch, sites, edits, "target_log_odds").items():
                slopes[site] = slopes[site] + slope / steps if site in slopes else slope / steps
        sums.add(batch, {site: (means[site] - values[site]) * slopes[site] for site in sites})
    return sums.screen(method="attribution_ablation", metric="target_log_odds", passes=steps, forwards=1)


def check_screen(
    found: Screen,
    model: HookedModel,
    prompts: Prompts,
    *,
    baseline: Reference | None = None,
    most: int = 200,
    top: int = 3,
) -> ScreenCheck:
    """Hold a screen against the interventions that it estimates.

    Args:
        found: From `screen` (checked by activation patching) or `screen_ablation` (by mean ablation, on
            log-probabilities, so there only ranks are comparable).
        model: The same model.
        prompts: The same prompts.
        baseline: For mean ablation.
        most: Components to check: all heads and MLPs, and of the neurons those with the largest estimates.
        top: Of how many to say which were missed.
    """
    ranks = {one: i for i, (one, _) in enumerate(found.ranked())}
    chosen = sorted(found.components, key=lambda one: (one.part == "neuron", ranks[one]))[:most]
    place = {one: i for i, one in enumerate(found.components)}
    estimates = found.effects[[place[one] for one in chosen]]
    if found.twins is not None:
        gap = float((found.twins.clean - found.twins.corrupt).mean())
        base = found.twins.clean if found.direction == "noise" else found.twins.corrupt
        patched = patch(model, prompts, chosen, direction=found.direction)
        truths = np.array([one.patched for one in patched]) - float(base.mean())
        scale = gap if not found.problem else 1.0
        estimates, truths = estimates / scale, truths / scale
    else:
        before = score_prompts(model, prompts).logprob
        edits = [ablate(model, [one], baseline=baseline) for one in chosen]
        truths = np.array([(score_prompts(model, prompts, one).logprob - before).mean() for one in edits])
    return _compared(tuple(chosen), estimates, truths, top)


def _compared(components: tuple[Component, ...], estimates: Floats, truths: Floats, top: int) -> ScreenCheck:
    worst = int(np.argmax(np.abs(estimates - truths)))
    count = min(top, len(components))
    largest = np.argsort(-np.abs(truths), kind="stable")[:count]
    guessed = set(np.argsort(-np.abs(estimates), kind="stable")[:count].tolist())
    ranks = [np.argsort(np.argsort(np.abs(x))) for x in (estimates, truths)]
    return ScreenCheck(
        rank_correlation=_correlation(*ranks),
        correlation=_correlation(estimates, truths),
        worst=components[worst],
        worst_estimate=float(estimates[worst]),
        worst_truth=float(truths[worst]),
        missed=tuple(components[i] for i in largest if int(i) not in guessed),
        top=count,
        components=components,
        estimates=tuple(estimates.tolist()),
        truths=tuple(truths.tolist()),
    )


def _correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 1 and np.ptp(a) and np.ptp(b) else float("nan")


def _gradients(
    model: HookedModel,
    prompts: Prompts,
    batch: Batch,
    sites: Sequence[Site],
    changes: Sequence[Edit],
    metric: str,
) -> dict[Site, Tensor]:
    """Slopes of the summed metric of a batch with respect to each site, with changes on the way."""
    import torch

    with torch.enable_grad():
        start = Edit(Site("resid_pre", 0), lambda value, batch: value.detach().clone().requires_grad_())
        # an edit that changes nothing puts what is read on the way to the logits
        edits = [*changes, start, *(Edit(site, lambda value, batch: value) for site in sites)]
        if metric == "logit_difference":
            found = model.run(
                batch, read=tuple(sites), edits=edits, at=last_places(prompts, batch), gradients=True
            )
            total = margin_of(prompts, batch, found.logits).sum()
        else:
            at, answers = answer_places(prompts, batch.rows)
            found = model.run(batch, read=tuple(sites), edits=edits, at=at, gradients=True)
            total = _log_odds(found.logits, answers).sum()
        slopes = torch.autograd.grad(total, [found.values[site] for site in sites])
    return dict(zip(sites, slopes, strict=True))


def _log_odds(logits: Tensor, answers: Tensor) -> Tensor:
    """Of each answer's tokens, averaged over them."""
    import torch

    real = answers >= 0
    index = answers.clamp(min=0)[..., None]
    target = logits.gather(-1, index)[..., 0]
    others = logits.scatter(-1, index, -torch.inf).logsumexp(-1)
    return ((target - others) * real).sum(1) / real.sum(1)


def _between(near: Tensor, far: Tensor, at: float) -> Callable[[Tensor, Batch], Tensor]:
    return lambda value, batch: near + at * (far - near)


def _towards(mean: Tensor, at: float) -> Callable[[Tensor, Batch], Tensor]:
    return lambda value, batch: value + at * (mean.to(value.dtype) - value)


class _Sums:
    """Estimates as they come in, batch by batch."""

    def __init__(self, model: HookedModel, prompts: Prompts, sites: Sequence[Site]) -> None:
        self._prompts = prompts
        self._sites = tuple(sites)
        self._components: list[Component] = []
        for site in sites:
            part = _PARTS[site.kind]
            many = {"head": model.anatomy.heads, "neuron": model.anatomy.neurons}.get(part)
            self._components += [
                Component(site.layer, i, part) for i in (range(many) if many is not None else (-1,))
            ]
        self._estimates = np.zeros((len(prompts), len(self._components)), np.float32)
        self._broad = sum(one.part != "neuron" for one in self._components)
        self._by_place = np.zeros((self._broad, int(prompts.starts.max()) + 1))

    def add(self, batch: Batch, products: dict[Site, Tensor]) -> None:
        import torch

        rows = batch.rows.cpu().numpy()
        length = batch.tokens.shape[1]
        real = torch.arange(length, device=batch.tokens.device)[None] < batch.lengths[:, None]
        parts = []
        for site in self._sites:
            value = products[site].float()
            if site.kind != "neurons":
                value = value.sum(-1, keepdim=site.kind == "mlp_out")
            value = value * real[..., None]
            parts.append(value.sum(1))
            if site.kind != "neurons":
                self._place(rows, sum(p.shape[1] for p in parts[:-1]), value.double().cpu().numpy())
        self._estimates[rows] = torch.cat(parts, 1).cpu().numpy()

    def _place(self, rows: NDArray[np.int64], first: int, values: Floats) -> None:
        """Add values (rows x length x components) where they stand before the last place of the prompt."""
        width = self._by_place.shape[1]
        for line, row in enumerate(rows):
            stop = int(self._prompts.starts[row]) + 1
            self._by_place[first : first + values.shape[2], width - stop :] += values[line, :stop].T

    def screen(self, **rest: Any) -> Screen:
        return Screen(
            components=tuple(self._components),
            estimates=self._estimates,
            by_place=self._by_place / len(self._prompts),
            clusters=self._prompts.clusters,
            **rest,
        )


def _sites(model: HookedModel, neurons: bool) -> list[Site]:
    layers = range(model.anatomy.layers)
    broad = [Site(kind, layer) for layer in layers for kind in ("z", "mlp_out")]
    return broad + [Site("neurons", layer) for layer in layers if neurons]


def _check_steps(steps: int) -> None:
    if not 1 <= steps <= 5:
        raise UsageError(f"a screen takes 1 to 5 passes, found {steps}", field="steps")
