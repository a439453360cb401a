"""From a model's place on capability components to its score on one more benchmark.

The observational scaling law of Ruan et al. (2024, arXiv:2405.10938, eq. 5): y = floor + (1 - floor) *
logistic(a + b z), z the components. Their least squares lets b run away where few models stand off the floor;
here a normal prior holds it, its width averaged over by marginal likelihood (Laplace's approximation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saltus.stats.mixture import Mixture, bounded_mixture

Floats = NDArray[np.float64]

_WIDTHS = (1.0, 2.0, 4.0, 8.0)  # prior standard deviations of b, a standard deviation of the first component
_NOISES = (0.01, 0.02, 0.04, 0.08, 0.16)  # between models of one place, at a score of one half
_INTERCEPT_SD = 5.0
_STEPS = 60
_NEW_EDGE = 0.25


@dataclass(frozen=True, slots=True)
class _Mode:
    """The most probable coefficients under one prior, their covariance, and the log marginal likelihood."""

    noise: float
    coefficients: Floats
    covariance: Floats
    evidence: float


class Observational:
    """A benchmark's score as a function of components.

    Attributes:
        weights: Posterior share of each (prior width, noise) that was tried.

    Args:
        z: Components of the models, shape (models, k), in order of variance; their common unit is the
            standard deviation of the first, so that minor components are held more firmly.
        y: Scores, shape (models,).
        n: Effective samples behind them.
        floor: Score of guessing.
    """

    def __init__(self, z: Floats, y: Floats, n: Floats, floor: float = 0.0) -> None:
        self._floor = floor
        self._centre = z.mean(axis=0)
        spread = float(z[:, 0].std())
        self._unit = spread if spread > 0 else 1.0
        self._n = float(np.median(n))
        x = self._design(z)
        self._modes = [_mode(x, y, n, floor, width, noise) for width in _WIDTHS for noise in _NOISES]
        evidence = np.array([mode.evidence for mode in self._modes])
        weight = np.exp(evidence - evidence.max())
        self.weights = weight / weight.sum()

    def predict(self, z: Floats, *, samples: float | None = None) -> Mixture:
        """Distribution of a new model's measured score where its components are `z`, shape (m, k)."""
        x = self._design(np.atleast_2d(z))
        n = self._n if samples is None else samples
        means, variances = [], []
        for mode in self._modes:
            eta = x @ mode.coefficients
            spread = np.sqrt(np.einsum("ij,jk,ik->i", x, mode.covariance, x))
            low, mean, high = (self._curve(eta + shift * spread) for shift in (-1, 0, 1))
            share = np.maximum(mean * (1 - mean), 1 / (n + 2))
            new = share / n + mode.noise**2 * np.minimum(1.0, 4 * share)
            means.append(mean)
            variances.append(((high - low) / 2) ** 2 + new)
        return bounded_mixture(self.weights, np.array(means), np.array(variances), _NEW_EDGE / (n + 1))

    def _curve(self, eta: Floats) -> Floats:
        return _curve(eta, self._floor)

    def _design(self, z: Floats) -> Floats:
        return np.column_stack([np.ones(len(z)), (z - self._centre) / self._unit])


def _curve(eta: Floats, floor: float) -> Floats:
    return np.asarray(floor + (1 - floor) / (1 + np.exp(-np.clip(eta, -40, 40))))


def _mode(x: Floats, y: Floats, n: Floats, floor: float, width: float, noise: float) -> _Mode:
    """Damped Gauss-Newton to the mode, weights being those of the current fit."""
    precision = np.diag([_INTERCEPT_SD**-2] + [width**-2] * (x.shape[1] - 1))
    b = np.zeros(x.shape[1])
    share = np.clip((y.mean() - floor) / (1 - floor), 0.01, 0.99)
    b[0] = np.log(share / (1 - share))
    value = _objective(b, x, y, n, floor, noise, precision)
    step, hessian = 1.0, precision
    for _ in range(_STEPS):
        gradient, hessian = _slope(b, x, y, n, floor, noise, precision)
        move = np.linalg.solve(hessian, gradient)
        while step > 1e-6:
            tried = _objective(b + step * move, x, y, n, floor, noise, precision)
            if tried >= value:
                break
            step /= 2
        if step <= 1e-6 or tried - value < 1e-9:
            break
        b, value, step = b + step * move, tried, min(1.0, 2 * step)
    _, hessian = _slope(b, x, y, n, floor, noise, precision)
    evidence = value + 0.5 * float(np.linalg.slogdet(precision)[1] - np.linalg.slogdet(hessian)[1])
    return _Mode(noise, b, np.asarray(np.linalg.inv(hessian), float), evidence)


def _variance(mean: Floats, n: Floats, noise: float) -> Floats:
    share = np.maximum(mean * (1 - mean), 1 / (n + 2))
    return np.asarray(share / n + noise**2 * np.minimum(1.0, 4 * share))


def _objective(
    b: Floats, x: Floats, y: Floats, n: Floats, floor: float, noise: float, precision: Floats
) -> float:
    """Log posterior: scores normal about the curve, with the variance that its height gives."""
    mean = _curve(x @ b, floor)
    variance = _variance(mean, n, noise)
    return float(-0.5 * ((y - mean) ** 2 / variance + np.log(variance)).sum() - 0.5 * b @ precision @ b)


def _slope(
    b: Floats, x: Floats, y: Floats, n: Floats, floor: float, noise: float, precision: Floats
) -> tuple[Floats, Floats]:
    """Gradient (variances held) and Gauss-Newton curvature."""
    mean = _curve(x @ b, floor)
    rate = (mean - floor) * (1 - mean) / (1 - floor)
    weight = 1 / _variance(mean, n, noise)
    gradient = x.T @ (rate * weight * (y - mean)) - precision @ b
    return gradient, (x * (rate**2 * weight)[:, None]).T @ x + precision
