"""How alike layers, checkpoints and sizes represent the same prompts: CKA and Procrustes distance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from saltus.interpret.development.tracks import Measure, Reading
from saltus.interpret.geometry.activations import (
    BATCH_TOKENS,
    Features,
    Places,
    ends,
    groups_of,
    read_features,
)
from saltus.interpret.network.hooked import Batch, HookedModel, Read, Site
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import UsageError
from saltus.records.evidence import ModelRecord
from saltus.records.explanations import Component
from saltus.stats.jackknife import BLOCKS, AgainstChance, blocks_of
from saltus.stats.similarity import CkaStream, cka, procrustes

if TYPE_CHECKING:
    from torch import Tensor

Alike = Literal["cka", "procrustes"]
_MEASURES: Mapping[str, Callable[..., AgainstChance]] = {"cka": cka, "procrustes": procrustes}


class SimilarityMap(msgspec.Struct, frozen=True):
    """Similarities of everything on one side with everything on the other.

    Attributes:
        measure: "cka" (1 the same up to a rotation and a scale, 0 unrelated) or "procrustes" (squared
            distance, 0 the same, 2 at most).
        rows: Names of one side.
        columns: Of the other.
        cells: A row for each of `rows`.
    """

    measure: Alike
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[AgainstChance, ...], ...]


def layer_similarity(
    left: HookedModel,
    right: HookedModel,
    prompts: Prompts,
    *,
    kind: str = "resid_post",
    level: float = 0.9,
    seed: int = 0,
    batch_tokens: int = BATCH_TOKENS,
) -> SimilarityMap:
    """Debiased linear CKA of every layer of one model with every layer of another, over all tokens.

    Activations are summed up batch by batch (memory: widths squared times layers squared), so that the number
    of tokens has no bound. The interval leaves out blocks of prompts. Chance is not measured, and is
    above 0 where prompts are few, as the tokens of one are no independent samples; `checkpoint_similarity`
    measures it.

    Args:
        left: A model.
        right: Another of the same tokenizer, or the same one.
        prompts: What both read.
        kind: Which activation.
        level: Of the intervals.
        seed: Of the blocks.
        batch_tokens: Most tokens of a batch.
    """
    layers = [[Site(kind, i) for i in range(model.anatomy.layers)] for model in (left, right)]
    streams = {(a.layer, b.layer): CkaStream() for a in layers[0] for b in layers[1]}
    groups = prompts.items if prompts.clusters is None else np.asarray(prompts.clusters)[prompts.items]
    blocks = blocks_of(len(prompts), groups, np.random.default_rng(seed), BLOCKS // 2)
    for block in range(int(blocks.max()) + 1):
        part = _part(prompts, np.flatnonzero(blocks == block))
        for batch in part.batches(left.device, batch_tokens):
            own = left.run(batch, read=dict.fromkeys(layers[0], _real(batch)), logits=False).values
            other = own
            if right is not left:
                there = Batch(*(one.to(right.device) for one in batch))
                other = right.run(there, read=dict.fromkeys(layers[1], _real(there)), logits=False).values
            for (a, b), stream in streams.items():
                x, y = (values[Site(kind, i)].cpu().numpy() for values, i in ((own, a), (other, b)))
                stream.add(x, y, block)
    names = [tuple(str(Component(site.layer, part="layer")) for site in side) for side in layers]
    cells = tuple(tuple(streams[a.layer, b.layer].result(level) for b in layers[1]) for a in layers[0])
    return SimilarityMap("cka", names[0], names[1], cells)


def checkpoint_similarity(
    models: Iterable[tuple[ModelRecord, HookedModel]],
    prompts: Prompts,
    site: Site,
    *,
    places: Places | None = None,
    measure: Alike = "cka",
    permutations: int = 100,
    seed: int = 0,
) -> SimilarityMap:
    """Every checkpoint (or size) with every other one, at one site.

    Args:
        models: Records with their models, one open at a time; see `saltus.interpret.open_checkpoints`.
        prompts: What they read.
        site: Which activation.
        places: Of the samples; the last token of each prompt when None.
        measure: "cka" (debiased) or "procrustes".
        permutations: Of the samples, for chance.
        seed: Of blocks and permutations.

    Raises:
        UsageError: There is no such measure.
    """
    compare = _measure(measure)
    where = ends(prompts) if places is None else places
    names: list[str] = []
    features: list[Features] = []
    for record, model in models:
        names.append(record.id)
        features.append(read_features(model, prompts, [site], where)[site])
    groups = groups_of(prompts, where)
    known = {
        (i, j): compare(features[i], features[j], groups=groups, permutations=permutations, seed=seed)
        for i in range(len(names))
        for j in range(i, len(names))
    }
    cells = tuple(tuple(known[min(i, j), max(i, j)] for j in range(len(names))) for i in range(len(names)))
    return SimilarityMap(measure, tuple(names), tuple(names), cells)


def similarity_measure(
    reference: Mapping[Site, Features],
    prompts: Prompts,
    *,
    places: Places | None = None,
    measure: Alike = "cka",
    permutations: int = 20,
    name: str = "",
) -> Measure:
    """For `saltus.interpret.development.follow`: how like each layer is to what it is in a reference.

    Args:
        reference: Features of one model, such as the last checkpoint, by site (`read_features`).
        prompts: What the reference and the models read.
        places: Those of the reference; the last token of each prompt when None.
        measure: "cka" or "procrustes".
        permutations: Of the samples, for the baseline.
        name: What the readings are called; the measure when empty.

    Raises:
        UsageError: There is no such measure.
    """
    compare = _measure(measure)
    where = ends(prompts) if places is None else places
    groups = groups_of(prompts, where)

    def of(model: HookedModel) -> dict[str, Reading]:
        sites = [site for site in reference if site.layer < model.anatomy.layers]
        features = read_features(model, prompts, sites, where)
        found = {}
        for site in sites:
            one = compare(features[site], reference[site], groups=groups, permutations=permutations)
            component = str(Component(site.layer, part="layer"))
            metric = "similarity" if measure == "cka" else "distance"
            found[f"{name or measure}:{component}"] = reading_of(
                one, component, measure, metric, prompts.task
            )
        return found

    return of


def reading_of(one: AgainstChance, component: str, method: str, metric: str, task: str) -> Reading:
    """A statistic as a reading along training."""
    return Reading(
        value=one.value,
        low=one.low,
        high=one.high,
        level=one.level,
        baseline=one.chance,
        n=one.n,
        component=component,
        method=method,
        metric=metric,
        task=task,
    )


def _measure(name: str) -> Callable[..., AgainstChance]:
    if name not in _MEASURES:
        raise UsageError(f"{name!r} is no similarity; choose one of {', '.join(_MEASURES)}", field="measure")
    return _MEASURES[name]


def _part(prompts: Prompts, rows: Sequence[int] | np.ndarray[tuple[int], np.dtype[np.int64]]) -> Prompts:
    return msgspec.structs.replace(
        prompts, tokens=prompts.tokens[rows], lengths=prompts.lengths[rows], twins=None
    )


def _real(batch: Batch) -> Read:
    """Only the real tokens, one a row."""
    import torch

    real = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)[None] < batch.lengths[:, None]

    def taken(value: Tensor) -> Tensor:
        return value[real].flatten(1).float()

    return taken
