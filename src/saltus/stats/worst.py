"""The worst of several: the group of samples or the variant with the lowest mean, and the price of choosing.

Marks as in `saltus.stats.robustness`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from saltus.stats.robustness import Estimate, Floats, Labels, marks_of, share

_DRAWS = 999
_FEW_DRAWS, _MANY = 199, 2000  # more samples than that, fewer deals of them
_CHUNK = 111


class Worst(msgspec.Struct, frozen=True):
    """The lowest of several means.

    Attributes:
        place: Which one it is, by its place among those given.
        mean: The lowest mean that was seen, with an interval for the lowest *true* mean that covers at its
            level however many there are to choose from (Bonferroni).
        shrunk: That group's mean, drawn towards the others as far as they differ by chance alone (empirical
            Bayes): the lowest of many looks worse than it is.
        p: P-value, corrected for the choice, of this group being below all samples by chance; None for
            variants, which share their samples.
        n: Samples of it.
        compared: How many there were.
    """

    place: int
    mean: Estimate
    shrunk: float
    p: float | None
    n: int
    compared: int


def worst_group(
    values: ArrayLike,
    groups: Sequence[NDArray[np.intp]],
    clusters: Labels = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Worst:
    """The group of samples with the lowest mean, with an interval that allows for having chosen it.

    Groups may overlap. The p-value asks whether a group drawn at random from all samples would look as bad:
    hypergeometric and times the number of groups for independent marks of 0 and 1, else by dealing the
    samples (or whole clusters) to the groups anew.

    Args:
        values: Marks, shape (n,) or (n, epochs).
        groups: For each group the places of its samples, at least one.
        clusters: What each sample belongs to, shape (n,).
        level: Coverage of the interval.
        seed: Of the dealing.

    Raises:
        ValueError: There is no group, or an empty one.
    """
    y = marks_of(values)
    if not groups or any(len(group) == 0 for group in groups):
        raise ValueError("a worst group needs at least one group, and every group a sample")
    labels = None if clusters is None else np.asarray(clusters)
    each = 1 - (1 - level) / len(groups)
    parts = [share(y[g], None if labels is None else labels[g], level=each) for g in groups]
    means = np.array([part.value for part in parts])
    sizes = np.array([len(group) for group in groups], float)
    place = int(np.argmin(means))
    return Worst(
        place=place,
        mean=_lowest(parts, level),
        shrunk=_shrunk(means, sizes, float(y.mean()))[place],
        p=_chosen_tail(y, groups, labels, seed),
        n=int(sizes[place]),
        compared=len(groups),
    )


def worst_variant(variants: Sequence[ArrayLike], clusters: Labels = None, *, level: float = 0.95) -> Worst:
    """The variant with the lowest mean, with an interval that allows for having chosen it.

    Args:
        variants: Marks of each variant on the same samples, shape (n,) or (n, epochs).
        clusters: What each sample belongs to, shape (n,).
        level: Coverage of the interval.

    Raises:
        ValueError: There is no variant.
    """
    if not variants:
        raise ValueError("a worst variant needs at least one variant")
    each = 1 - (1 - level) / len(variants)
    parts = [share(one, clusters, level=each) for one in variants]
    means = np.array([part.value for part in parts])
    sizes = np.array([len(marks_of(one)) for one in variants], float)
    place = int(np.argmin(means))
    shrunk = _shrunk(means, sizes, float(means.mean()))[place]
    return Worst(place, _lowest(parts, level), shrunk, None, int(sizes[place]), len(variants))


def _lowest(parts: Sequence[Estimate], level: float) -> Estimate:
    """All intervals hold at once with the given chance, and then the lowest truth lies between these ends."""
    low, value, high = (min(getattr(part, end) for part in parts) for end in ("low", "value", "high"))
    return Estimate(value, low, high, level)


def _chosen_tail(
    y: Floats, groups: Sequence[NDArray[np.intp]], clusters: NDArray[Any] | None, seed: int
) -> float:
    """P-value of the lowest group, the choice of it allowed for."""
    if clusters is None and np.isin(y, (0.0, 1.0)).all():
        right = int(y.sum())
        tails = [_hypergeometric(int(y[group].sum()), y.size, right, len(group)) for group in groups]
        return min(1.0, len(groups) * min(tails))
    return _permuted_tail(y, groups, clusters, np.random.default_rng(seed))


def _permuted_tail(
    y: Floats, groups: Sequence[NDArray[np.intp]], clusters: NDArray[Any] | None, rng: np.random.Generator
) -> float:
    """How often whole clusters, dealt to the groups anew, give as low a lowest group."""
    units = np.arange(y.size) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    sizes = np.bincount(units)
    sums = np.bincount(units, weights=y - y.mean())
    members = np.array([np.bincount(units[group], minlength=sizes.size) / sizes for group in groups])
    n = np.array([len(group) for group in groups], float)
    weights = members / np.sqrt(n * np.maximum(1 - n / y.size, 1e-12))[:, None]
    weights[n == y.size] = 0.0
    observed = float((weights @ sums).min())
    reached = 0
    draws = _DRAWS if sums.size <= _MANY else _FEW_DRAWS
    for start in range(0, draws, _CHUNK):
        dealt = rng.permuted(np.tile(sums, (min(_CHUNK, draws - start), 1)), axis=1)
        reached += int(((dealt @ weights.T).min(axis=1) <= observed + 1e-9).sum())
    return (1 + reached) / (draws + 1)


def _hypergeometric(hits: int, n: int, right: int, size: int) -> float:
    """Chance of at most so many right ones among `size` samples drawn from n with `right` right ones."""
    from scipy.special import betaln

    k = np.arange(max(0, size + right - n), hits + 1)

    def log_choose(a: int, b: NDArray[Any] | int) -> Floats:
        found: Floats = -betaln(1 + a - np.asarray(b), 1 + np.asarray(b)) - math.log(a + 1)
        return found

    logs = log_choose(right, k) + log_choose(n - right, size - k) - log_choose(n, size)
    return min(1.0, float(np.exp(logs).sum()))


def _shrunk(means: Floats, sizes: Floats, overall: float) -> list[float]:
    """Means drawn towards their centre by their noise (DerSimonian and Laird 1986 for what is left over)."""
    noise = np.maximum(overall * (1 - overall), 0.25 / sizes.sum()) / sizes
    weight = 1 / noise
    centre = float((weight * means).sum() / weight.sum())
    spread = float((weight * (means - centre) ** 2).sum()) - (means.size - 1)
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    between = max(0.0, spread / scale) if scale > 0 else 0.0
    kept = between / (between + noise)
    return [float(value) for value in centre + kept * (means - centre)]
