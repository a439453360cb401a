"""Win rate with the judge's liking for longer answers taken out."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_RIDGE = 0.01  # of a pseudo-observation on the length's slope alone: it keeps separated data finite
_STEPS = 100


class WinRate(msgspec.Struct, frozen=True):
    """How often one side is preferred, as it came and at equal length.

    Attributes:
        raw: Mean of the verdicts.
        value: Share of wins that the fitted model expects at equal length.
        low: Lower end of its interval.
        high: Upper end.
        level: Coverage.
        length_effect: Change of the log odds from equal length to one standard deviation longer; 0 when the
            lengths do not differ.
        length_stderr: Standard error of it.
        n: Verdicts.
    """

    raw: float
    value: float
    low: float
    high: float
    level: float
    length_effect: float
    length_stderr: float
    n: int


def length_controlled_win_rate(
    wins: ArrayLike, length_difference: ArrayLike, *, level: float = 0.95
) -> WinRate:
    """Win rate at equal length, by logistic regression (after AlpacaEval LC, arXiv:2404.04475).

    log odds of a win = strength + effect * tanh(difference / its standard deviation): the model there without
    its term for how hard each question is, which takes many models to fit. The value is the model's
    expectation with the difference set to 0. Ties are half a win. Errors are the sandwich's, so verdicts need
    not be binomial. A judge that prefers long answers and a candidate that earns its wins by length cannot be
    told
    apart: the value answers what would happen at equal length only as far as the lengths of both sides
    overlap.

    Args:
        wins: 1 where the candidate was preferred, 0 where the reference was, 0.5 for a tie; shape (n,).
        length_difference: Candidate's length minus the reference's, in any unit; shape (n,).
        level: Coverage, between 0 and 1.

    Raises:
        ValueError: There are fewer than two verdicts, or one is outside [0, 1].

    Examples:
        >>> found = length_controlled_win_rate([1, 1, 0, 1, 0, 0], [5, 4, -3, 6, -6, 3])
        >>> found.raw, found.length_effect > 0
        (0.5, True)
    """
    from scipy.special import ndtri

    y, difference = np.asarray(wins, float), np.asarray(length_difference, float)
    if len(y) < 2 or len(y) != len(difference) or not ((y >= 0) & (y <= 1)).all():
        raise ValueError(
            f"{len(y)} verdicts and {len(difference)} differences of length; there must be as many of "
            "both, two or more, and verdicts lie between 0 and 1"
        )
    spread = float(difference.std())
    columns = [np.ones_like(y)]
    if spread > 0:
        columns.append(np.tanh(difference / spread))
    x = np.stack(columns, axis=1)
    theta, covariance = _fit(x, y)
    reach = float(ndtri((1 + level) / 2)) * math.sqrt(covariance[0, 0])
    return WinRate(
        raw=float(y.mean()),
        value=_expit(theta[0]),
        low=_expit(theta[0] - reach),
        high=_expit(theta[0] + reach),
        level=level,
        length_effect=float(theta[1] * np.tanh(1)) if spread > 0 else 0.0,
        length_stderr=float(math.sqrt(covariance[1, 1]) * np.tanh(1)) if spread > 0 else 0.0,
        n=len(y),
    )


def _fit(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Penalised maximum likelihood by Newton's method, with sandwich covariance.

    Half a win and half a loss at equal length are added, as Haldane does, so that all wins stay finite.
    """
    rows = np.vstack([x, np.eye(1, x.shape[1])])
    targets = np.append(y, 0.5)
    penalty = np.diag([0.0] + [_RIDGE] * (x.shape[1] - 1))
    theta: Floats = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(rows @ theta, -30, 30)))
        hessian = (rows * (p * (1 - p))[:, None]).T @ rows + penalty
        step = np.linalg.solve(hessian + 1e-12 * np.eye(len(theta)), rows.T @ (targets - p) - penalty @ theta)
        theta = theta + step * min(1.0, 5.0 / max(1e-12, float(np.abs(step).max())))
        if float(np.abs(step).max()) < 1e-9:
            break
    p = 1 / (1 + np.exp(-np.clip(rows @ theta, -30, 30)))
    bread = np.linalg.inv((rows * (p * (1 - p))[:, None]).T @ rows + penalty)
    meat = (rows * ((targets - p) ** 2)[:, None]).T @ rows
    n, k = x.shape
    if n <= k or (y == y[0]).all():
        return theta, np.asarray(
            bread, np.float64
        )  # the sandwich would take verdicts that are all alike for certainty
    return theta, np.asarray(bread @ meat @ bread * (n / (n - k)), np.float64)


def _expit(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0
