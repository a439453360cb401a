"""pass@k: the chance that one of k answers is right, estimated without bias from n of which c are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def pass_at_k(n: npt.ArrayLike, c: npt.ArrayLike, k: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Unbiased estimate of pass@k (Chen et al. 2021, arXiv:2107.03374, equation 1).

    It is 1 - C(n - c, k) / C(n, k), the share of all choices of k among the n answers that hold a right one,
    computed as one minus the product of (1 - k / i) for i from n - c + 1 to n, so that nothing overflows.

    Args:
        n: Answers to one problem.
        c: How many of them are right.
        k: Answers that one may give.

    Returns:
        Estimates in [0, 1], in the shape to which the arguments broadcast; NaN where there are fewer than k
        answers, which tell nothing without bias.

    Raises:
        ValueError: An argument is not a whole number, k is less than 1, or c is not between 0 and n.

    Examples:
        >>> pass_at_k(10, [0, 3, 10], 5).round(4).tolist()
        [0.0, 0.9167, 1.0]
    """
    answers, right, tries = np.broadcast_arrays(
        *(_whole(name, value) for name, value in (("n", n), ("c", c), ("k", k)))
    )
    if np.any(tries < 1) or np.any(right < 0) or np.any(right > answers):
        raise ValueError("pass@k needs k of at least 1 and c between 0 and n")
    estimates = np.ones(answers.shape)
    for at in np.ndindex(answers.shape):
        total, wrong, size = int(answers[at]), int(answers[at] - right[at]), int(tries[at])
        if total < size:
            estimates[at] = np.nan
        elif wrong >= size:
            factors = 1.0 - size / np.arange(wrong + 1, total + 1, dtype=np.float64)
            estimates[at] = 1.0 - np.prod(factors)
    return estimates


def _whole(name: str, value: npt.ArrayLike) -> npt.NDArray[np.int64]:
    array = np.asarray(value)
    whole = array.astype(np.int64) if array.dtype.kind in "iuf" and np.all(np.isfinite(array)) else None
    if whole is None or np.any(whole != array):
        raise ValueError(f"{name} is a number of answers, {value!r} is not")
    return whole
