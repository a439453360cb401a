"""The shape of a cloud of activations: how many dimensions it fills, and how far apart its classes lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from saltus.interpret.development.tracks import Measure, Reading
from saltus.interpret.geometry.activations import Places, ends, groups_of, read_features
from saltus.interpret.geometry.similarity import reading_of
from saltus.interpret.network.hooked import HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import UsageError
from saltus.records.explanations import Component
from saltus.stats.dimension import Dimension, Separation, cluster_separation, effective_dimension
from saltus.stats.jackknife import AgainstChance


def layer_dimensions(
    model: HookedModel,
    prompts: Prompts,
    *,
    sites: Sequence[Site] | None = None,
    places: Places | None = None,
    measure: Dimension = "participation_ratio",
    seed: int = 0,
) -> dict[Site, AgainstChance]:
    """Effective dimension of several sites; chance is that of uncorrelated features of the same spreads.

    Args:
        model: The model.
        prompts: What it reads.
        sites: The residual stream after each layer when None.
        places: Of the samples; the last token of each prompt when None.
        measure: "participation_ratio", corrected for few samples, or "effective_rank", which is not.
        seed: Of blocks and permutations.

    Raises:
        UsageError: There are too few samples, or no such measure.
    """
    where = ends(prompts) if places is None else places
    groups = groups_of(prompts, where)
    features = read_features(model, prompts, _sites(model, sites), where)
    try:
        return {
            site: effective_dimension(own, measure, groups=groups, seed=seed)
            for site, own in features.items()
        }
    except ValueError as error:
        raise UsageError(f"dimension on task {prompts.task}: {error}", field="measure") from error


def layer_separation(
    model: HookedModel,
    prompts: Prompts,
    labels: Sequence[Any] | NDArray[Any],
    *,
    sites: Sequence[Site] | None = None,
    places: Places | None = None,
    measure: Separation = "between_share",
    seed: int = 0,
) -> dict[Site, AgainstChance]:
    """How far classes lie apart at several sites, against permuted labels.

    Args:
        model: The model.
        prompts: What it reads.
        labels: The class of each place: the answer, a slice.
        sites: The residual stream after each layer when None.
        places: Of the samples; the last token of each prompt when None.
        measure: "between_share", "silhouette" or "nc1".
        seed: Of blocks and permutations.

    Raises:
        UsageError: The labels do not fit the places or are too few, or there is no such measure.
    """
    where = ends(prompts) if places is None else places
    groups = groups_of(prompts, where)
    features = read_features(model, prompts, _sites(model, sites), where)
    try:
        return {
            site: cluster_separation(own, labels, measure, groups=groups, seed=seed)
            for site, own in features.items()
        }
    except ValueError as error:
        raise UsageError(f"separation on task {prompts.task}: {error}", field="labels") from error


def dimension_measure(
    prompts: Prompts,
    *,
    sites: Sequence[Site] | None = None,
    places: Places | None = None,
    measure: Dimension = "participation_ratio",
) -> Measure:
    """Effective dimension for `saltus.interpret.development.follow`, as `layer_dimensions` has it."""

    def of(model: HookedModel) -> dict[str, Reading]:
        found = layer_dimensions(model, prompts, sites=sites, places=places, measure=measure)
        return _readings(found, measure, "dimensions", prompts.task)

    return of


def separation_measure(
    prompts: Prompts,
    labels: Sequence[Any] | NDArray[Any],
    *,
    sites: Sequence[Site] | None = None,
    places: Places | None = None,
    measure: Separation = "between_share",
) -> Measure:
    """Class separation for `saltus.interpret.development.follow`, as `layer_separation` has it."""

    def of(model: HookedModel) -> dict[str, Reading]:
        found = layer_separation(model, prompts, labels, sites=sites, places=places, measure=measure)
        return _readings(found, measure, "separation", prompts.task)

    return of


def _sites(model: HookedModel, sites: Sequence[Site] | None) -> Sequence[Site]:
    return sites or [Site("resid_post", layer) for layer in range(model.anatomy.layers)]


def _readings(found: dict[Site, AgainstChance], method: str, metric: str, task: str) -> dict[str, Reading]:
    names = {site: str(Component(site.layer, part="layer")) for site in found}
    return {
        f"{method}:{names[site]}": reading_of(one, names[site], method, metric, task)
        for site, one in found.items()
    }
