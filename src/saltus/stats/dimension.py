"""How many dimensions features use, and how far apart their classes lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from saltus.stats.jackknife import (
    AgainstChance,
    against_chance,
    blocks_of,
    group_numbers,
    jackknife_interval,
    leave_out,
    permuted,
)
from saltus.stats.similarity import PairSums, rooted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Groups = Sequence[Any] | NDArray[Any] | None
Dimension = Literal["participation_ratio", "effective_rank"]
Separation = Literal["between_share", "silhouette", "nc1"]


def participation_ratio(x: NDArray[Any], *, corrected: bool = True) -> float:
    """(tr C)^2 / tr C^2 of the covariance C: the dimension of an isotropic cloud with the same spread.

    The plain ratio of n samples is at most n - 1, and too small throughout. Corrected, numerator and
    denominator are replaced by their unbiased estimates for any distribution (Himeno and Yamada 2014; the
    denominator is the unbiased HSIC of the features with themselves, Song et al. 2012).

    Args:
        x: Features, samples x width.
        corrected: Without the bias of few samples; the ratio may then pass the width.

    Raises:
        ValueError: There are fewer than four samples, or they do not vary.
    """
    rows = _checked(x)
    n = len(rows)
    squares = (rows * rows).sum(1)
    trace = float(squares.sum()) / (n - 1)
    gram = rows.T @ rows if rows.shape[1] <= n else rows @ rows.T
    second = float((gram**2).sum()) / (n - 1) ** 2
    if not corrected:
        return trace**2 / second
    fourth = float((squares**2).sum()) / (n - 1)
    factor = (n - 1) / (n * (n - 2) * (n - 3))
    top = factor * (2 * second + (n * n - 3 * n + 1) * trace**2 - n * fourth)
    narrow = rows if rows.shape[1] <= n else rooted(gram)
    bottom = PairSums.of(narrow, narrow).hsic()
    return top / bottom if bottom > 0 else float("inf")


def effective_rank(x: NDArray[Any]) -> float:
    """Effective rank: exp of the entropy of the singular values' shares (Roy and Vetterli 2007, section 2).

    The features are centred first. It is too small where samples are not many times the width, and has no
    unbiased estimate: compare equal numbers of samples only.

    Raises:
        ValueError: There are fewer than four samples, or they do not vary.
    """
    values = np.linalg.svd(_checked(x), compute_uv=False)
    shares = values / values.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def effective_dimension(
    x: NDArray[Any],
    measure: Dimension = "participation_ratio",
    *,
    groups: Groups = None,
    permutations: int = 20,
    level: float = 0.9,
    seed: int = 0,
) -> AgainstChance:
    """A dimension with its interval; chance is that of features with the same spreads and no correlation.

    Args:
        x: Features, samples x width.
        measure: "participation_ratio" (corrected for few samples) or "effective_rank" (not).
        groups: What samples belong together.
        permutations: Each feature permuted on its own, for chance; 0 for none.
        level: Of the interval over samples and of the range of chance.
        seed: Of blocks and permutations.

    Raises:
        ValueError: There are fewer than four samples, they do not vary, or the measure has another name.
    """
    measures: dict[str, Callable[[NDArray[Any]], float]] = {
        "participation_ratio": participation_ratio,
        "effective_rank": effective_rank,
    }
    if measure not in measures:
        raise ValueError(f"{measure!r} is no dimension; choose one of {', '.join(measures)}")
    rows, rng, of = _checked(x), np.random.default_rng(seed), measures[measure]
    value, without = leave_out(lambda kept: of(rows[kept]), blocks_of(len(rows), groups, rng))
    draws = [of(rng.permuted(rows, axis=0)) for _ in range(permutations)]
    low, high = jackknife_interval(value, without, level)
    ends = (None if low is None else max(low, 1.0), high)
    return against_chance(value, ends, draws, _counts(rows, groups), level=level, larger=False)


def cluster_separation(
    x: NDArray[Any],
    labels: Sequence[Any] | NDArray[Any],
    measure: Separation = "between_share",
    *,
    groups: Groups = None,
    permutations: int = 100,
    level: float = 0.9,
    seed: int = 0,
) -> AgainstChance:
    """How far classes lie apart, against permuted labels.

    Args:
        x: Features, samples x width.
        labels: The class of each sample; a class needs two samples.
        measure: "between_share", the share of the variance that lies between classes, without what chance
            gives (epsilon squared, Kelley 1935; 1 apart, 0 none); "silhouette", its mean over samples
            (Rousseeuw 1987; 1 apart, 0 none); "nc1", tr(W B^+) / classes (Papyan et al. 2020; 0 collapsed,
            large apart from nothing; it needs more samples than dimensions).
        groups: What samples belong together; they are left out together, and labels are permuted by group.
        permutations: Of the labels, for chance; 0 for none.
        level: Of the interval over samples and of the range of chance.
        seed: Of blocks and permutations.

    Raises:
        ValueError: A class has one sample, there is one class only, or the measure has another name.
    """
    rows = _checked(x)
    own = group_numbers(len(rows), labels)
    sizes = np.bincount(own)
    if len(sizes) < 2 or sizes.min() < 2:
        raise ValueError(
            f"there are {len(sizes)} classes, the smallest of {sizes.min()} samples; give two classes or "
            "more, of two samples or more each"
        )
    of = _separations(measure)
    rng = np.random.default_rng(seed)
    value, without = leave_out(lambda kept: of(rows[kept], own[kept]), blocks_of(len(rows), groups, rng))
    orders = (permuted(group_numbers(len(rows), groups), rng) for _ in range(permutations))
    draws = [of(rows, own[order]) for order in orders if order is not None]
    ends = jackknife_interval(value, without, level)
    return against_chance(value, ends, draws, _counts(rows, groups), level=level, larger=measure != "nc1")


def _separations(measure: str) -> Callable[[Floats, Ints], float]:
    match measure:
        case "between_share":
            return _between_share
        case "silhouette":
            return _silhouette
        case "nc1":
            return _nc1
        case _:
            raise ValueError(f"{measure!r} is no separation; choose between_share, silhouette or nc1")


def _between_share(x: Floats, own: Ints) -> float:
    total = float(((x - x.mean(0)) ** 2).sum())
    means, _ = _class_means(x, own)
    within = float(((x - means[own]) ** 2).sum())
    n, classes = len(x), len(np.unique(own))
    return 1 - (within / (n - classes)) / (total / (n - 1))


def _silhouette(x: Floats, own: Ints) -> float:
    squares = (x * x).sum(1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * x @ x.T, 0))
    np.fill_diagonal(apart, 0)
    hot = np.eye(own.max() + 1)[own]
    sizes = hot.sum(0)
    to = apart @ hot  # sums of distances to each class
    rows = np.arange(len(x))
    inside = to[rows, own] / np.maximum(sizes[own] - 1, 1)
    mean = np.where(sizes > 0, to / np.maximum(sizes, 1), np.inf)
    mean[rows, own] = np.inf
    outside = mean.min(1)
    score = (outside - inside) / np.maximum(np.maximum(inside, outside), 1e-300)
    return float(np.where(sizes[own] > 1, score, 0.0).mean())


def _nc1(x: Floats, own: Ints) -> float:
    means, sizes = _class_means(x, own)
    there = sizes > 0
    within = x - means[own]
    between = means[there] - x.mean(0)
    inverse = np.linalg.pinv(between.T @ between / there.sum(), rcond=1e-9, hermitian=True)
    return float(np.einsum("ij,jk,ik->", within, inverse, within) / len(x) / there.sum())


def _class_means(x: Floats, own: Ints) -> tuple[Floats, Floats]:
    hot = np.eye(own.max() + 1)[own]
    sizes = hot.sum(0)
    means: Floats = (hot.T @ x) / np.maximum(sizes, 1)[:, None]
    return means, np.asarray(sizes)


def _checked(x: NDArray[Any]) -> Floats:
    rows: Floats = np.asarray(x, float)
    if rows.ndim != 2 or len(rows) < 4:
        raise ValueError(f"features have the shape {rows.shape}; give samples x width, four samples or more")
    rows = np.asarray(rows - rows.mean(0))
    if not (rows * rows).any():
        raise ValueError("the features do not vary over these samples")
    return rows


def _counts(x: Floats, groups: Groups) -> tuple[int, int]:
    return len(x), int(group_numbers(len(x), groups).max()) + 1
