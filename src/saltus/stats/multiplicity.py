"""Many tests at once: the false discovery rate, and the chance of any false call."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values (q-values) of the step-up procedure (Benjamini and Hochberg 1995).

    Calling all series with q at most alpha keeps the expected share of false calls at most alpha, for
    independent or positively dependent tests.

    Args:
        p: P-values, shape (m,), each in [0, 1].

    Returns:
        Q-values in the same order, each at least its p-value and at most 1.

    Raises:
        ValueError: When a p-value is not in [0, 1].

    Examples:
        >>> [float(q) for q in benjamini_hochberg([0.01, 0.02, 0.5])]
        [0.03, 0.03, 0.5]
    """
    values = _checked(p)
    m = values.size
    order = np.argsort(values, kind="stable")
    scaled = values[order] * m / np.arange(1, m + 1)
    q = np.empty(m)
    q[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(q, 1.0)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values of the step-down procedure (Holm 1979).

    Calling all tests with an adjusted value at most alpha keeps the chance of even one false call at most
    alpha, whatever the dependence of the tests.

    Args:
        p: P-values, shape (m,), each in [0, 1].

    Returns:
        Adjusted values in the same order, each at least its p-value and at most 1.

    Raises:
        ValueError: When a p-value is not in [0, 1].

    Examples:
        >>> [float(value) for value in holm([0.01, 0.02, 0.5])]
        [0.03, 0.04, 0.5]
    """
    values = _checked(p)
    m = values.size
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(m)
    adjusted[order] = np.maximum.accumulate(values[order] * np.arange(m, 0, -1))
    return np.minimum(adjusted, 1.0)


def _checked(p: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(p, float).ravel()
    if values.size and not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p-values must lie in [0, 1]; found one outside, or NaN")
    return values
