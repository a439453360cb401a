"""A predictive distribution as a mixture: normal, or logit-normal for scores that lie between 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_HALVINGS = 44
_SMALLEST = 1e-4  # standard deviation on the scale of the mixture


@dataclass(frozen=True, slots=True)
class Mixture:
    """Distributions of m quantities, each a mixture of the same K parts.

    Attributes:
        weight: Shares of the parts, shape (K,), adding up to 1.
        mean: Of each part, shape (K, m), on the scale of the mixture (logits where `bounded`).
        sd: Standard deviations there, shape (K, m).
        bounded: The quantities are logistic functions of the normal ones.
    """

    weight: Floats
    mean: Floats
    sd: Floats
    bounded: bool

    def quantile(self, p: float) -> Floats:
        """The value under which a share p lies, shape (m,), by bisection of the distribution function."""
        from scipy.special import expit, ndtr

        low = (self.mean - 9 * self.sd).min(axis=0)
        high = (self.mean + 9 * self.sd).max(axis=0)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            below = self.weight @ ndtr((middle - self.mean) / self.sd)
            low = np.where(below < p, middle, low)
            high = np.where(below < p, high, middle)
        middle = (low + high) / 2
        return np.asarray(expit(middle) if self.bounded else middle)

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """Central interval that holds a share `level`."""
        tail = (1 - level) / 2
        return self.quantile(tail), self.quantile(1 - tail)


def bounded_mixture(weight: Floats, mean: Floats, variance: Floats, edge: float) -> Mixture:
    """A logit-normal mixture from parts of given mean and variance on the scale of shares.

    Each part is laid through the two points one standard deviation from its mean; points beyond 0 and 1 are
    drawn in to `edge` (about the smallest share that the samples can show).

    Args:
        weight: Shape (K,).
        mean: Shape (K, m); may lie beyond 0 and 1, as linear extrapolations do.
        variance: Shape (K, m).
        edge: Smallest distance from 0 and 1.
    """
    from scipy.special import logit

    sd = np.sqrt(variance)
    mean = np.clip(mean, edge, 1 - edge)
    low = logit(np.clip(mean - sd, edge, 1 - edge))
    high = logit(np.clip(mean + sd, edge, 1 - edge))
    return Mixture(weight, (low + high) / 2, np.maximum((high - low) / 2, _SMALLEST), True)


def countable(low: Floats, high: Floats, n: float) -> tuple[Floats, Floats]:
    """An interval of shares, widened to ends that n samples can show: whole counts over n.

    Examples:
        >>> low, high = countable(np.array([0.41]), np.array([0.996]), 10)
        >>> low.tolist(), high.tolist()
        ([0.4], [1.0])
    """
    return np.floor(low * n + 1e-9) / n, np.minimum(np.ceil(high * n - 1e-9) / n, 1.0)


def pool(mixtures: Sequence[Mixture], weights: Sequence[float]) -> Mixture:
    """The linear pool of several mixtures of one kind: with probability `weights[i]`, it is the i-th."""
    total = float(sum(weights))
    return Mixture(
        np.concatenate([m.weight * (w / total) for m, w in zip(mixtures, weights, strict=True)]),
        np.vstack([m.mean for m in mixtures]),
        np.vstack([m.sd for m in mixtures]),
        mixtures[0].bounded,
    )
