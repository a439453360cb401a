"""Activation patching between prompts and their corrupted twins: what restores, or spoils, the right answer.

`paths` follows single ways between components; `screening` estimates the same quantities from gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.causal.ablation import sites_of
from saltus.interpret.causal.paths import path_effects
from saltus.interpret.causal.twins import (
    MEMORY,
    Direction,
    Places,
    Twins,
    at_places,
    margins,
    marked_sources,
    masked,
    paired,
    pairs,
    put,
)
from saltus.interpret.network.hooked import Edit, HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.records.explanations import Component, set_name
from saltus.records.findings import Interval

Floats = NDArray[np.float64]
_MOST_BACK = 23

__all__ = ["Patched", "patch", "patch_residual", "path_effects"]


class Patched(msgspec.Struct, frozen=True, kw_only=True):
    """What patching one set of components did.

    Attributes:
        components: The set.
        places: "all", "last", "source", or one place as counted from these ("last-3").
        direction: "denoise" or "noise".
        recovered: (patched - corrupt) / (clean - corrupt) of the mean margins; None where `problem` says why.
        clean: Mean margin of the prompts.
        corrupt: Of their twins.
        patched: With the patch.
        n: Samples.
        problem: Why there is no share.
    """

    components: tuple[Component, ...]
    places: str
    direction: Direction
    recovered: Interval | None
    clean: float
    corrupt: float
    patched: float
    n: int
    problem: str = ""

    @property
    def name(self) -> str:
        """Of the set."""
        return set_name(self.components)


def patch(
    model: HookedModel,
    prompts: Prompts,
    sets: Sequence[Sequence[Component] | Component],
    *,
    direction: Direction = "denoise",
    places: Places | None = None,
    level: float = 0.9,
    memory: int = MEMORY,
) -> list[Patched]:
    """Put what components write on one side into the run on the other.

    After Meng et al. 2022 (arXiv:2202.05262) and Heimersheim and Nanda 2024 (arXiv:2404.15255). The share
    recovered is a ratio of mean margins over all samples, not a mean of ratios, with Fieller's interval: it
    needs no seed, and knows when the denominator is too small.

    Args:
        model: The model.
        prompts: With corrupted twins.
        sets: Components, or sets that are patched together.
        direction: "denoise" puts clean activations into the corrupted run (what is enough: 1 is all of the
            difference); "noise" corrupted ones into the clean run (what is needed: 1 is no loss).
        places: At the last place of the prompt or at the answer's sources only; everywhere when None.
        level: Of the intervals.
        memory: Bytes of activations to keep at a time.

    Raises:
        InputError: There are no twins, or no marked sources where `places` is "source".
        UsageError: A component does not exist or has no output to patch.
    """
    own = paired(prompts)
    chosen = [(one,) if isinstance(one, Component) else tuple(one) for one in sets]
    by_set = [dict(_grouped(model, one)) for one in chosen]
    sites = sorted({site for found in by_set for site in found})
    moved = np.zeros((len(own), len(chosen)))
    clean, corrupt = np.zeros(len(own)), np.zeros(len(own))
    masks = masked(own, places)
    for pair in pairs(model, own, sites, direction, memory):
        rows = pair.rows
        clean[rows], corrupt[rows] = pair.clean, pair.corrupt
        mask = masks(pair.base)
        for column, found in enumerate(by_set):
            edits = [Edit(site, put(pair.given[site], index, mask)) for site, index in sorted(found.items())]
            moved[rows, column] = margins(model, own, pair.base, edits)
    twins = Twins(clean, corrupt, own.clusters)
    return _patched(twins, moved, [(one, places or "all") for one in chosen], direction, level)


def patch_residual(
    model: HookedModel,
    prompts: Prompts,
    *,
    layers: Sequence[int] | None = None,
    around: Places = "last",
    direction: Direction = "denoise",
    kind: Literal["resid_pre", "z", "mlp_out"] = "resid_pre",
    level: float = 0.9,
    memory: int = MEMORY,
) -> list[Patched]:
    """Layer by place: the residual stream (or all heads, or the MLP) patched at one place at a time.

    Args:
        model: The model.
        prompts: With corrupted twins.
        layers: Which; all when None.
        around: What places are counted from: the last one of the prompt (at most 24 back, none before the
            first difference of any twin), or the first source of the answer (3 to either side), which suits
            tasks whose source moves.
        direction: As for `patch`.
        kind: What is patched. A residual stream is reported as `Component(layer, part="layer")`.
        level: Of the intervals.
        memory: Bytes of activations to keep at a time.

    Raises:
        InputError: There are no twins, or no marked sources to count from.
    """
    own = paired(prompts)
    own_layers = range(model.anatomy.layers) if layers is None else layers
    anchors, offsets = _offsets(own, around)
    cells = [(layer, offset) for layer in own_layers for offset in offsets]
    part: Literal["layer", "attention", "mlp"] = {"z": "attention", "mlp_out": "mlp"}.get(kind, "layer")  # type: ignore[assignment]
    moved = np.zeros((len(own), len(cells)))
    clean, corrupt = np.zeros(len(own)), np.zeros(len(own))
    for pair in pairs(model, own, [Site(kind, layer) for layer in own_layers], direction, memory):
        rows = pair.rows
        clean[rows], corrupt[rows] = pair.clean, pair.corrupt
        for column, (layer, offset) in enumerate(cells):
            mask = at_places(pair.base, (anchors[rows] + offset)[:, None])
            edit = Edit(Site(kind, layer), put(pair.given[Site(kind, layer)], None, mask))
            moved[rows, column] = margins(model, own, pair.base, [edit])
    twins = Twins(clean, corrupt, own.clusters)
    names = [((Component(layer, part=part),), f"{around}{offset:+d}") for layer, offset in cells]
    return _patched(twins, moved, names, direction, level)


def _patched(
    twins: Twins,
    moved: Floats,
    names: Sequence[tuple[tuple[Component, ...], str]],
    direction: Direction,
    level: float,
) -> list[Patched]:
    shares = twins.shares(moved - twins.corrupt[:, None], level)
    problem = twins.problem
    return [
        Patched(
            components=components,
            places=places,
            direction=direction,
            recovered=share,
            clean=float(twins.clean.mean()),
            corrupt=float(twins.corrupt.mean()),
            patched=float(moved[:, column].mean()),
            n=len(moved),
            problem=problem,
        )
        for column, ((components, places), share) in enumerate(zip(names, shares, strict=True))
    ]


def _grouped(model: HookedModel, components: Sequence[Component]) -> Iterator[tuple[Site, list[int] | None]]:
    """Sites of a set, with the heads or neurons of each."""
    if any(one.part == "embedding" for one in components):
        yield Site("resid_pre", 0), None
    by_site: dict[Site, list[int]] = {}
    for one in components:
        if one.part != "embedding":
            for site, index in sites_of(model, one):
                by_site.setdefault(site, []).append(index)
    for site, found in by_site.items():
        yield site, None if site.kind == "mlp_out" else sorted(set(found))


def _offsets(prompts: Prompts, around: Places) -> tuple[NDArray[np.int64], list[int]]:
    """The place to count from in each row, and how far."""
    if around == "source":
        return marked_sources(prompts)[:, 0], list(range(-3, 4))
    twins = prompts.tokens if prompts.twins is None else prompts.twins
    differ = prompts.tokens != twins
    first = np.where(differ.any(1), differ.argmax(1), prompts.starts)
    back = int((prompts.starts - first).max())
    return prompts.starts, list(range(-min(back, _MOST_BACK), 1))
