"""How much a score depends on how the question is put: flips between two ways to ask, and their noise floor.

Every function takes marks of 0 and 1, one a response: shape (n,), or (n, epochs) with NaN where a sample was
asked less often. The samples of both arrays are the same, in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from saltus.stats.errorbars import clustered_mean, paired_difference
from saltus.stats.intervals import clopper_pearson

Floats: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = Sequence[Any] | NDArray[Any] | None


class Estimate(msgspec.Struct, frozen=True):
    """A value with its interval."""

    value: float
    low: float
    high: float
    level: float


class Flips(msgspec.Struct, frozen=True):
    """How often a sample's mark differs between two ways to ask it.

    Attributes:
        rate: Share of samples whose mark flips; with epochs, the chance that two responses differ.
        lost: The part of it that was right and is wrong.
        gained: The part that was wrong and is right.
        drop: Mean of the plain marks less that of the variant's: lost less gained.
        p: Two-sided p-value of no drop: McNemar's exact test, or a clustered t test where samples belong
            together or have epochs; None where there is nothing to tell it from.
        n: Samples.
    """

    rate: Estimate
    lost: Estimate
    gained: Estimate
    drop: Estimate
    p: float | None
    n: int


class Excess(msgspec.Struct, frozen=True):
    """Flips beyond those that chance makes when the same prompt is asked twice.

    Attributes:
        floor: Chance that two responses to the same prompt differ.
        excess: Flip rate less the floor. With epochs on both sides the floor is the mean of both sides', and
            this is the mean squared difference of a sample's two chances of being right: 0 only where the
            variant changes none of them.
        both: Whether the variant's own noise is in the floor; if not, a variant that is only more or less
            random than the plain prompt shows as excess.
        n: Samples with two plain responses or more.
    """

    floor: Estimate
    excess: Estimate
    both: bool
    n: int


def share(values: ArrayLike, clusters: Labels = None, *, level: float = 0.95) -> Estimate:
    """A mean of values between 0 and 1 with an interval that stays there.

    Independent marks of 0 and 1 have the exact interval (Clopper and Pearson 1934). Otherwise it is taken at
    the effective sample size that the clustered standard error stands for (Korn and Graubard 1998).

    Args:
        values: Shape (n,), or (n, epochs) with NaN.
        clusters: What each sample belongs to, shape (n,); None where all stand alone.
        level: Coverage.

    Raises:
        ValueError: There are no values.
    """
    y = marks_of(values)
    marks = bool(np.isin(y, (0.0, 1.0)).all())
    if marks and clusters is None:
        low, high = clopper_pearson(y.sum(), y.size, level)
        return Estimate(float(y.mean()), float(low), float(high), level)
    found = clustered_mean(y, clusters, level=level)
    mean = min(max(found.mean, 0.0), 1.0)
    size = float(found.clusters)
    if found.stderr and found.df is not None and 0 < mean < 1:
        ratio = (_t(y.size - 1, level) / _t(found.df, level)) ** 2
        size = min(mean * (1 - mean) / found.stderr**2 * ratio, float(y.size))
    low, high = clopper_pearson(mean * size, size, level)
    return Estimate(mean, float(low), float(high), level)


def flips(plain: ArrayLike, variant: ArrayLike, clusters: Labels = None, *, level: float = 0.95) -> Flips:
    """Compare two ways to ask the same samples.

    Args:
        plain: Marks of the plain prompt, shape (n,) or (n, epochs).
        variant: Marks of the variant, shape (n,) or (n, epochs of its own).
        clusters: What each sample belongs to, shape (n,).
        level: Coverage of each interval.

    Raises:
        ValueError: The samples are not equally many, or a mark is not 0 or 1.

    Examples:
        >>> found = flips([1, 1, 1, 0, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1, 0, 0])
        >>> found.rate.value, found.lost.value, found.gained.value, round(found.p, 3)
        (0.5, 0.375, 0.125, 0.625)
    """
    p, q = _pair(plain, variant)
    return Flips(
        rate=share(p + q - 2 * p * q, clusters, level=level),
        lost=share(p * (1 - q), clusters, level=level),
        gained=share((1 - p) * q, clusters, level=level),
        drop=_bounded(p - q, clusters, level),
        p=paired_difference(p, q, clusters, level=level).p,
        n=p.size,
    )


def excess_flips(
    plain: ArrayLike, variant: ArrayLike, clusters: Labels = None, *, level: float = 0.95
) -> Excess | None:
    """How much of a flip rate is more than noise.

    Two responses to one prompt differ with chance 2p(1 - p), two to different prompts with p + q - 2pq; both
    are estimated without bias from the epochs of each sample.

    Args:
        plain: Marks of the plain prompt, shape (n, epochs).
        variant: Marks of the variant, shape (n,) or (n, epochs).
        clusters: What each sample belongs to, shape (n,).
        level: Coverage of each interval.

    Returns:
        None where fewer than two samples have two plain responses.
    """
    p, q = _pair(plain, variant)
    own, theirs = _disagreement(plain), _disagreement(variant)
    both = bool((np.isfinite(own) & np.isfinite(theirs)).sum() >= max(2, np.isfinite(own).sum() / 2))
    floor = (own + theirs) / 2 if both else own
    known = np.isfinite(floor)
    if known.sum() < 2:
        return None
    labels = None if clusters is None else np.asarray(clusters)[known]
    gap = (p + q - 2 * p * q - floor)[known]
    return Excess(
        floor=share(floor[known], labels, level=level),
        excess=_bounded(gap, labels, level),
        both=both,
        n=int(known.sum()),
    )


def marks_of(values: ArrayLike) -> Floats:
    """Mean over the epochs of each sample.

    Args:
        values: Shape (n,), or (n, epochs) with NaN.

    Raises:
        ValueError: There is nothing, or a sample without a mark.
    """
    marks = np.asarray(values, float)
    if marks.ndim == 1:
        marks = marks[:, None]
    counts = np.isfinite(marks).sum(axis=1)
    if not marks.size or not counts.all():
        raise ValueError("there are no marks, or a sample has none")
    found: Floats = np.nansum(marks, axis=1) / counts
    return found


def _pair(plain: ArrayLike, variant: ArrayLike) -> tuple[Floats, Floats]:
    for marks in (np.asarray(plain, float), np.asarray(variant, float)):
        if not np.isin(marks[np.isfinite(marks)], (0.0, 1.0)).all():
            raise ValueError("flips are told from marks of 0 and 1; found another value")
    p, q = marks_of(plain), marks_of(variant)
    if p.shape != q.shape:
        raise ValueError(f"flips compare the same samples; found {p.size} and {q.size}")
    return p, q


def _disagreement(values: ArrayLike) -> Floats:
    """Share of a sample's pairs of responses that differ; NaN where it has fewer than two."""
    marks = np.asarray(values, float)
    if marks.ndim == 1:
        return np.full(marks.shape, np.nan)
    counts = np.isfinite(marks).sum(axis=1).astype(float)
    hits = np.nansum(marks, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(counts > 1, 2 * hits * (counts - hits) / (counts * (counts - 1)), np.nan)
    return found


def _bounded(gap: Floats, clusters: Labels, level: float) -> Estimate:
    """A mean of differences between -1 and 1 with an interval that is never of no width.

    One sample that is won and one that is lost are added for the interval, each a cluster of its own (Bonett
    and Price 2012, for marks; the same here for means of marks). The value is the plain mean.
    """
    labels = (
        np.arange(gap.size) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    )
    more = np.concatenate([labels, labels.max() + np.array([1, 2])])
    found = clustered_mean(np.concatenate([gap, [1.0, -1.0]]), more, level=level)
    value = math.fsum(gap) / gap.size
    low = value if found.low is None else max(-1.0, min(found.low, value))
    high = value if found.high is None else min(1.0, max(found.high, value))
    return Estimate(value, low, high, level)


def _t(df: float, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(max(df, 1.0), (1 + level) / 2))
