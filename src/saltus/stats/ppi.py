"""Prediction-powered inference: a few human labels correct a judge that has scored everything."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class PPIMean(msgspec.Struct, frozen=True):
    """A mean that was corrected by labels.

    Attributes:
        value: The corrected mean.
        low: Lower end of its interval.
        high: Upper end.
        level: Coverage.
        weight: How much of the judge went in: 0 leaves the labels alone, 1 trusts it as much as its noise
            allows.
        labelled: Samples with a label.
        predicted: Samples with a judge's score and no label.
        labels_only: Mean of the labels alone.
        labels_low: Lower end of the interval from the labels alone.
        labels_high: Upper end.
        judge_only: Mean of the judge's scores, uncorrected.
    """

    value: float
    low: float
    high: float
    level: float
    weight: float
    labelled: int
    predicted: int
    labels_only: float
    labels_low: float
    labels_high: float
    judge_only: float


def ppi_mean(
    labels: ArrayLike, predictions: ArrayLike, unlabelled: ArrayLike, *, level: float = 0.95
) -> PPIMean:
    """The mean label of all samples, from labels of some and predictions of all (PPI++, arXiv:2311.01453).

    The estimate is mean(Y) - weight (mean(F on labelled) - mean(F on unlabelled)), where the weight is the
    plug-in of the least variance, cut to [0, 1]. As weight and errors are both taken from the labelled
    samples, each of these errors is made with a weight from the other samples alone, and the interval has
    Student's t quantile with two degrees of freedom fewer than labels. It holds for independent samples of
    which those with a label are a random draw; a queue that prefers borderline samples is none. With fewer
    than about 50 labels and a judge that errs rarely, the few errors among them say too little and the
    interval covers less than it says.

    Args:
        labels: What humans said, shape (n,), n at least 3.
        predictions: What the judge said of the same samples, shape (n,).
        unlabelled: What the judge said of the others, shape (N,), N at least 2.
        level: Coverage, between 0 and 1.

    Raises:
        ValueError: There are too few samples, or the shapes differ.

    Examples:
        >>> found = ppi_mean([1, 0, 1, 1], [1, 0, 1, 1], [1, 0, 1, 0, 1, 0, 1, 0])
        >>> round(found.labels_only, 2), round(found.value, 3)
        (0.75, 0.593)
    """
    from scipy.special import stdtrit

    y, f, g = (np.asarray(one, float) for one in (labels, predictions, unlabelled))
    n, more = len(y), len(g)
    if len(f) != n or n < 3 or more < 2:
        raise ValueError(
            f"{n} labels, {len(f)} predictions of them and {more} others; there must be as many predictions "
            "as labels, 3 or more, and 2 others or more"
        )
    weight = _weight(y, f, g)
    value = float(y.mean() - weight * (f.mean() - g.mean()))
    left_out = _weights_without_each(y, f, g)
    # Each label's correction has a weight that has not seen it: else the error is too small for few labels.
    rectified = y - left_out * (f - np.concatenate((f, g)).mean())
    variance = rectified.var(ddof=1) / n + weight**2 * g.var(ddof=1) / more
    reach = float(stdtrit(n - 2, (1 + level) / 2)) * math.sqrt(variance)
    alone = float(stdtrit(n - 1, (1 + level) / 2)) * float(y.std(ddof=1)) / math.sqrt(n)
    mean = float(y.mean())
    return PPIMean(
        value=value,
        low=value - reach,
        high=value + reach,
        level=level,
        weight=weight,
        labelled=n,
        predicted=more,
        labels_only=mean,
        labels_low=mean - alone,
        labels_high=mean + alone,
        judge_only=float(np.concatenate((f, g)).mean()),
    )


def _weight(y: Floats, f: Floats, g: Floats) -> float:
    spread = float(np.concatenate((f, g)).var(ddof=1))
    if spread <= 0:
        return 0.0
    shared = float(np.cov(y, f)[0, 1])
    return min(1.0, max(0.0, shared / ((1 + len(y) / len(g)) * spread)))


def _weights_without_each(y: Floats, f: Floats, g: Floats) -> Floats:
    """The weight from all samples but one, for each labelled one."""
    n = len(y)
    both = np.concatenate((f, g))
    total = len(both)
    rest = total - 1
    sums, squares = both.sum() - f, (both**2).sum() - f**2
    spread = (squares - sums**2 / rest) / (rest - 1)
    ys, fs, products = y.sum() - y, f.sum() - f, (y * f).sum() - y * f
    shared = (products - ys * fs / (n - 1)) / (n - 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = shared / ((1 + (n - 1) / len(g)) * spread)
    return np.where(spread > 1e-15, np.clip(weights, 0.0, 1.0), 0.0)
