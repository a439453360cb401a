"""Error bars for evaluation scores: clustered means, paired differences, repeats of a sample, and power.

The setting is that of Miller 2024 (arXiv:2411.00640): questions are a sample from a larger pool, some of them
belong together (a cluster: questions about one text), and each may be asked several times (epochs).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
PairedTest = Literal["t", "mcnemar", "sign", "none"]


class MeanEstimate(msgspec.Struct, frozen=True):
    """A mean with its error.

    Attributes:
        mean: Of the values.
        stderr: Standard error; None where there are fewer than two clusters.
        low: Lower end of the interval, None likewise.
        high: Upper end.
        level: Coverage of the interval.
        n: Values.
        clusters: Groups of values that belong together; `n` where each stands alone.
        df: Degrees of freedom of the interval's t quantile (Bell and McCaffrey 2002).
    """

    mean: float
    stderr: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    clusters: int
    df: float | None


class PairedDifference(msgspec.Struct, frozen=True):
    """How far two models are apart on the same samples: second minus first.

    Attributes:
        difference: Mean of b - a.
        stderr: Standard error of it, clustered; None where there are fewer than two clusters.
        low: Lower end of the interval. None where the differences do not vary, as then no error can be told.
        high: Upper end.
        level: Coverage of the interval.
        n: Pairs.
        clusters: Groups of pairs that belong together.
        df: Degrees of freedom.
        p: Two-sided p-value of no difference, None where there is nothing to test.
        test: "mcnemar" (exact, where each pair is won, lost or tied by the same amount and none belong
            together), "t" (clustered), "sign" (over clusters, where the differences do not vary) or "none".
        wins: Pairs with b above a.
        losses: Pairs with b below a.
        ties: Pairs that are equal.
    """

    difference: float
    stderr: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    clusters: int
    df: float | None
    p: float | None
    test: PairedTest
    wins: int
    losses: int
    ties: int


class VarianceParts(msgspec.Struct, frozen=True):
    """Where the variance of scores comes from.

    Attributes:
        between: Variance of the samples' true means: how much harder some are than others.
        within: Mean variance of repeats of one sample: the model's own chance.
        items: Samples.
        epochs: Repeats a sample (the harmonic mean where they differ).
    """

    between: float
    within: float
    items: int
    epochs: float

    def stderr(self, items: int, epochs: int) -> float:
        """Standard error of the mean that so many samples and repeats would have.

        Args:
            items: Samples.
            epochs: Repeats of each.
        """
        return math.sqrt((self.between + self.within / epochs) / items)


def clustered_mean(
    values: ArrayLike, clusters: Sequence[Any] | NDArray[Any] | None = None, *, level: float = 0.95
) -> MeanEstimate:
    """A mean whose standard error counts what belongs together once.

    The error is the clustered one of arXiv:2411.00640 with each cluster's squared sum of residuals divided by
    1 - n_c / n (CR2; Bell and McCaffrey 2002). That makes it unbiased for values that are in truth
    independent, and equal to s / sqrt(n) where each stands alone. The interval takes its t quantile with
    Satterthwaite's degrees of freedom, which are few where few clusters hold most of the values.

    Args:
        values: Scores, shape (n,), finite; repeats of one sample averaged before.
        clusters: What each belongs to, shape (n,); None where all stand alone.
        level: Coverage, between 0 and 1.

    Raises:
        ValueError: There are no values, or as many labels as values are not given.

    Examples:
        >>> found = clustered_mean([1, 1, 0, 0, 1, 1], ["a", "a", "b", "b", "c", "c"])
        >>> found.clusters, round(found.mean, 3), round(found.stderr, 3), round(found.df, 3)
        (3, 0.667, 0.333, 2.0)
    """
    y = _values(values)
    n = y.size
    mean = math.fsum(y) / n
    sizes, sums = _cluster_sums(y - mean, clusters)
    count = sizes.size
    if count < 2:
        return MeanEstimate(mean, None, None, None, level, n, count, None)
    stderr = _cr2(sizes, sums)
    df = _degrees_of_freedom(sizes)
    half = _t_quantile(df, level) * stderr
    return MeanEstimate(mean, stderr, mean - half, mean + half, level, n, count, df)


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    *,
    level: float = 0.95,
) -> PairedDifference:
    """The mean difference of two models on the same samples (arXiv:2411.00640).

    Pairing takes out what the samples' difficulty has in common. Of unclustered full-marks-or-none scores
    the p-value is that of McNemar's exact test, as few discordant pairs are far from normal.

    Args:
        a: Scores of the first, shape (n,); repeats of one sample averaged before.
        b: Scores of the second on the same samples, shape (n,).
        clusters: What each sample belongs to, shape (n,); None where all stand alone.
        level: Coverage of the interval.

    Raises:
        ValueError: The shapes differ, or there are no values.

    Examples:
        >>> found = paired_difference([0, 0, 1, 1, 0, 1], [1, 1, 1, 1, 0, 0])
        >>> found.wins, found.losses, found.ties, found.test, found.p
        (2, 1, 3, 'mcnemar', 1.0)
    """
    first, second = _values(a), _values(b)
    if first.shape != second.shape:
        raise ValueError(f"paired scores must be equally many; found {first.size} and {second.size}")
    gap = second - first
    found = clustered_mean(gap, clusters, level=level)
    wins, losses = int((gap > 0).sum()), int((gap < 0).sum())
    p, test = _paired_test(gap, clusters, found)
    varies = bool(found.stderr)
    return PairedDifference(
        difference=found.mean,
        stderr=found.stderr,
        low=found.low if varies else None,
        high=found.high if varies else None,
        level=level,
        n=found.n,
        clusters=found.clusters,
        df=found.df,
        p=p,
        test=test,
        wins=wins,
        losses=losses,
        ties=found.n - wins - losses,
    )


def variance_parts(values: ArrayLike, items: Sequence[Any] | NDArray[Any]) -> VarianceParts:
    """Split the variance of repeated scores into that between samples and that within them.

    Unbiased estimates of the one-way random-effects model (analysis of variance; also for unequal repeats).
    The variance between samples is not let below zero.

    Args:
        values: Scores, shape (m,), one a response.
        items: Which sample each belongs to, shape (m,).

    Raises:
        ValueError: Fewer than two samples, or no sample was repeated.

    Examples:
        >>> parts = variance_parts([1, 0, 1, 1, 0, 0], ["a", "a", "b", "b", "c", "c"])
        >>> round(parts.between, 3), round(parts.within, 3), parts.items, parts.epochs
        (0.167, 0.167, 3, 2.0)
    """
    y = _values(values)
    sizes, sums = _cluster_sums(y, items)
    k, m = sizes.size, y.size
    if k < 2 or m == k:
        raise ValueError("variance parts need at least two samples and one that was repeated")
    _, labels = np.unique(np.asarray(items), return_inverse=True)
    means = sums / sizes
    within = float(((y - means[labels]) ** 2).sum()) / (m - k)
    spread = float((sizes * (means - y.mean()) ** 2).sum()) / (k - 1)
    size = (m - float((sizes**2).sum()) / m) / (k - 1)
    between = max(0.0, (spread - within) / size)
    return VarianceParts(between, within, k, float(k / (1 / sizes).sum()))


def minimum_detectable_effect(sd: float, n: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true difference that a two-sided test finds with the given power (arXiv:2411.00640).

    Args:
        sd: Standard deviation of the (paired) differences; for clustered samples stderr * sqrt(n).
        n: Samples.
        alpha: Chance of a false alarm.
        power: Chance of finding it.

    Examples:
        >>> round(minimum_detectable_effect(0.5, 400), 4)
        0.07
    """
    return (_z(1 - alpha / 2) + _z(power)) * sd / math.sqrt(n)


def samples_needed(sd: float, effect: float, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Samples that a two-sided test needs to find a true difference; None for a difference of zero.

    Args:
        sd: See `minimum_detectable_effect`.
        effect: The true difference.
        alpha: Chance of a false alarm.
        power: Chance of finding it.

    Examples:
        >>> samples_needed(0.5, 0.07)
        401
    """
    if effect == 0:
        return None
    return max(2, math.ceil(((_z(1 - alpha / 2) + _z(power)) * sd / effect) ** 2))


def _paired_test(
    gap: Floats, clusters: Sequence[Any] | NDArray[Any] | None, found: MeanEstimate
) -> tuple[float | None, PairedTest]:
    if not gap.any():
        return 1.0, "none"
    if found.clusters == gap.size and np.unique(np.abs(gap[gap != 0])).size == 1:
        return _sign_test(int((gap > 0).sum()), int((gap < 0).sum())), "mcnemar"
    if found.stderr and found.df is not None:
        from scipy.special import stdtr

        return float(2 * stdtr(found.df, -abs(found.mean) / found.stderr)), "t"
    if found.clusters < 2:
        return None, "none"
    _, sums = _cluster_sums(gap, clusters)
    return _sign_test(int((sums > 0).sum()), int((sums < 0).sum())), "sign"


def _sign_test(wins: int, losses: int) -> float:
    """Exact two-sided p-value of so many wins and losses when both are equally likely."""
    from scipy.special import bdtr

    return min(1.0, float(2 * bdtr(min(wins, losses), wins + losses, 0.5)))


def _values(given: ArrayLike) -> Floats:
    values = np.asarray(given, float).ravel()
    if not values.size:
        raise ValueError("there are no scores")
    return values


def _cluster_sums(
    values: Floats, clusters: Sequence[Any] | NDArray[Any] | None
) -> tuple[NDArray[np.float64], Floats]:
    """Size and sum of each cluster."""
    if clusters is None:
        return np.ones(values.size), values
    labels = np.asarray(clusters)
    if labels.shape != values.shape:
        raise ValueError(
            f"there are {values.size} scores and {labels.size} clusters; give one cluster a score"
        )
    _, places = np.unique(labels, return_inverse=True)
    return np.bincount(places).astype(np.float64), np.bincount(places, weights=values).astype(np.float64)


def _cr2(sizes: Floats, sums: Floats) -> float:
    """Standard error of a mean from each cluster's size and its sum of residuals."""
    n = sizes.sum()
    return math.sqrt(float((sums**2 / (1 - sizes / n)).sum())) / float(n)


def _degrees_of_freedom(sizes: Floats) -> float:
    """Satterthwaite's degrees of freedom of the CR2 variance of a mean, for independent values."""
    n = sizes.sum()
    weight = sizes**2 / (1 - sizes / n)
    cross = weight.sum() ** 2 - (weight**2).sum()
    return float(1 / ((sizes**2).sum() / n**2 + cross / n**4))


def _t_quantile(df: float, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + level) / 2))


def _z(probability: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(probability))
