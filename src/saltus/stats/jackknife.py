"""Intervals for statistics of a whole sample (a similarity, a dimension) by leaving out blocks of it.

The plain bootstrap repeats samples, and a repeated sample is at distance 0 from itself: similarities and
dimensions of features move by that alone. Leaving out has no such flaw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCKS = 40


class AgainstChance(msgspec.Struct, frozen=True):
    """A number, its interval, and what it is where there is nothing to find.

    Attributes:
        value: The estimate.
        low: Lower end of its interval over samples; None where it cannot be had.
        high: Upper end.
        level: Coverage of the interval.
        chance: Mean of the statistic over data without the structure (permutations); None where it was not
            asked for.
        chance_low: Lower end of the central range of those, at the same level.
        chance_high: Upper end.
        p: Share of permutations that are at least as extreme (one-sided), the data counted with them.
        n: Samples.
        groups: Groups of samples that belong together; `n` where each stands alone.
    """

    value: float
    low: float | None
    high: float | None
    level: float
    chance: float | None
    chance_low: float | None
    chance_high: float | None
    p: float | None
    n: int
    groups: int


def blocks_of(
    n: int, groups: Sequence[Any] | NDArray[Any] | None, rng: np.random.Generator, most: int = BLOCKS
) -> Ints:
    """A block for each sample: whole groups, dealt at random, so that blocks are of about one size.

    Args:
        n: Samples.
        groups: What each belongs to; None where each stands alone.
        rng: Deals the groups.
        most: Blocks at most; fewer where there are fewer groups.

    Raises:
        ValueError: Groups were given for another number of samples.
    """
    own = group_numbers(n, groups)
    sizes = np.bincount(own)
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    count = min(most, len(sizes))
    load = np.zeros(count)
    place = np.empty(len(sizes), np.int64)
    for group in order:
        lightest = int(load.argmin())
        place[group] = lightest
        load[lightest] += sizes[group]
    return place[own]


def group_numbers(n: int, groups: Sequence[Any] | NDArray[Any] | None) -> Ints:
    """Groups as numbers from 0, one a sample.

    Raises:
        ValueError: Groups were given for another number of samples.
    """
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise ValueError(f"there are {n} samples and {len(groups)} groups; give one group a sample")
    return np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)


def jackknife_interval(
    value: float, without: ArrayLike, level: float = 0.9
) -> tuple[float | None, float | None]:
    """Student's interval from the values without each block (delete-a-group jackknife; Kott 2001).

    The variance is (g - 1) / g times the sum of squares of the values about their mean, g being the blocks;
    the quantile has g - 1 degrees of freedom.

    Args:
        value: The statistic of all samples.
        without: The statistic without each of the blocks, which should be of about one size.
        level: Coverage, between 0 and 1.

    Returns:
        Both ends; None for fewer than three blocks, or where leaving one out leaves no value.
    """
    from scipy.special import stdtrit

    found = np.asarray(without, float)
    g = len(found)
    if g < 3 or not np.isfinite(found).all():
        return None, None
    error = math.sqrt((g - 1) / g * ((found - found.mean()) ** 2).sum())
    half = float(stdtrit(g - 1, 0.5 + level / 2)) * error
    return value - half, value + half


def leave_out(statistic: Callable[[Ints], float], blocks: Ints) -> tuple[float, Floats]:
    """A statistic of all samples, and of those outside each block.

    Args:
        statistic: Takes row numbers.
        blocks: The block of each sample.
    """
    rows = np.arange(len(blocks))
    without = [statistic(rows[blocks != one]) for one in range(int(blocks.max()) + 1)]
    return statistic(rows), np.array(without)


def against_chance(
    value: float,
    ends: tuple[float | None, float | None],
    draws: ArrayLike,
    blocks: tuple[int, int],
    *,
    level: float = 0.9,
    larger: bool = True,
) -> AgainstChance:
    """Put an estimate beside its draws without structure.

    Args:
        value: The estimate.
        ends: Of its interval.
        draws: The statistic on permuted data; empty for none.
        blocks: Samples and groups.
        level: Of both ranges.
        larger: Large values are the extreme ones; else small ones are.
    """
    null = np.asarray(draws, float)
    if not len(null):
        return AgainstChance(value, *ends, level, None, None, None, None, *blocks)
    low, high = np.quantile(null, [(1 - level) / 2, (1 + level) / 2])
    beyond = (null >= value) if larger else (null <= value)
    p = (1 + int(beyond.sum())) / (1 + len(null))
    return AgainstChance(value, *ends, level, float(null.mean()), float(low), float(high), p, *blocks)


def permuted(own: Ints, rng: np.random.Generator) -> Ints | None:
    """Row numbers in random order, groups moved as a whole, in the place of groups of their size.

    Args:
        own: The group of each sample, numbers from 0.
        rng: Draws the order.

    Returns:
        None where no two groups have one size, so that nothing can be moved.
    """
    sizes = np.bincount(own)
    members = np.split(np.argsort(own, kind="stable"), np.cumsum(sizes)[:-1])
    out = np.arange(len(own))
    moved = False
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        if len(alike) < 2:
            continue
        moved = True
        rows = np.stack([members[group] for group in alike])
        out[rows.ravel()] = rows[rng.permutation(len(alike))].ravel()
    return out if moved else None
