"""The rules in use that Saltus is measured against: BIG-bench's figures, the biggest step over 3 sigma.

Breakthroughness and linearity follow Srivastava et al. 2022 (arXiv:2206.04615, appendix B).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def breakthroughness(y: Floats) -> float:
    """Rise over the root of the median squared step: sign(argmax - argmin) (max - min) / sqrt(median(dy^2)).

    Args:
        y: Scores in order of scale.
    """
    return _rise(y) / _root(np.median(np.diff(y) ** 2))


def linearity(y: Floats) -> float:
    """Rise over the root of the mean squared step: sign(argmax - argmin) (max - min) / sqrt(mean(dy^2))."""
    return _rise(y) / _root(np.mean(np.diff(y) ** 2))


def is_breakthrough(y: Floats) -> bool:
    """The rule as it is used: breakthroughness over 5."""
    return breakthroughness(y) > 5


def biggest_step(y: Floats, n: float) -> bool:
    """Whether the largest upward step of neighbours is over three binomial standard errors."""
    variance = np.maximum(y * (1 - y), 1 / (n + 2)) / n
    return bool((np.diff(y) / np.sqrt(variance[1:] + variance[:-1])).max() > 3)


def _rise(y: Floats) -> float:
    return float((1 if np.argmax(y) > np.argmin(y) else -1) * (y.max() - y.min()))


def _root(value: np.floating) -> float:
    return max(float(np.sqrt(value)), 1e-12)
