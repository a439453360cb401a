"""How far a measured score may lie from the truth: sampling, and what differs between like models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_PRIOR_DF = 4.0  # weight of the default between-model noise against what replicates say


@dataclass(frozen=True, slots=True)
class Noise:
    """Variance of each point as a function of its expected score, and draws from it.

    Attributes:
        n: Effective samples behind each point for shares of right answers, shape (n,); None for other scores.
        se: Standard errors for a Gaussian score, shape (n,); None for shares.
        tau: Between-model standard deviation: two models of one size and recipe differ by it beyond sampling.
            For shares it is the one at one half and shrinks towards 0 and 1 as the binomial one does.
    """

    n: Floats | None
    se: Floats | None
    tau: float

    def variance(self, mean: Floats) -> Floats:
        """Variance of each point where its expected score is `mean`, last axis of length n."""
        if self.n is None:
            assert self.se is not None  # noqa: S101 - one of the two is always given
            return np.broadcast_to(self.se**2 + self.tau**2, np.shape(mean))
        spread = self._spread(mean)
        return np.asarray(spread / self.n + self._tau_squared(spread))

    def draw(self, mean: Floats, size: int, extra: Floats, rng: np.random.Generator) -> Floats:
        """New measurements of the same points, shape (size, n).

        Args:
            mean: Expected scores, shape (n,).
            size: Number of data sets.
            extra: Variance beyond this noise (overdispersion), shape (n,).
            rng: Source of randomness.
        """
        shape = (size, len(mean))
        if self.n is None:
            return np.asarray(mean + rng.standard_normal(shape) * np.sqrt(self.variance(mean) + extra))
        share = np.clip(mean, 0, 1)
        model_sd = np.sqrt(self._tau_squared(self._spread(share)) + extra)
        shifted = np.clip(share + rng.standard_normal(shape) * model_sd, 0, 1)
        count = np.maximum(np.rint(self.n), 1).astype(np.int64)
        return rng.binomial(count, shifted) / count

    def at(self, rows: NDArray[np.int64] | int) -> Noise:
        """The noise of some of the points."""
        some = np.atleast_1d(rows)
        return Noise(
            None if self.n is None else self.n[some], None if self.se is None else self.se[some], self.tau
        )

    def _spread(self, mean: Floats) -> Floats:
        assert self.n is not None  # noqa: S101 - only called for shares
        clipped = np.clip(mean, 0, 1)
        return np.asarray(np.maximum(clipped * (1 - clipped), 1 / (self.n + 2)))

    def _tau_squared(self, spread: Floats) -> Floats:
        return np.asarray(self.tau**2 * np.minimum(1.0, 4 * spread))


def effective_n(y: Floats, n: Floats, stderr: Floats) -> Floats:
    """Samples that would give the reported standard error, so that clusters and partial marks count rightly.

    Args:
        y: Shares, shape (m,).
        n: Samples, NaN where unknown.
        stderr: Standard errors, NaN where unknown.

    Returns:
        y(1-y)/stderr^2 + 1 where a standard error says something, else n, else the median of the others,
        else NaN.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        from_error = y * (1 - y) / stderr**2 + 1
    usable = np.isfinite(from_error) & (stderr > 0) & (y > 0) & (y < 1)
    out = np.where(usable, from_error, n)
    missing = ~np.isfinite(out)
    if missing.any() and not missing.all():
        out[missing] = np.median(out[~missing])
    return out


def estimate_tau(u: Floats, y: Floats, noise: Noise, default: float) -> tuple[float, int]:
    """Between-model noise from models that stand at the same place on the axis (twins, seeds).

    A moment estimate of what replicates differ by beyond sampling, shrunk to `default` as if four replicates
    had said so, and never under half of it.

    Returns:
        The standard deviation and the degrees of freedom that spoke; (`default`, 0) under three of them.
    """
    free, excess = 0, 0.0
    bare = Noise(noise.n, noise.se, 0.0)
    mean = np.array([y[u == x].mean() for x in u])
    sampling = bare.variance(mean)
    scale = np.ones_like(y) if noise.n is None else np.minimum(1.0, 4 * np.maximum(mean * (1 - mean), 1e-3))
    for x in np.unique(u):
        here = u == x
        k = int(here.sum())
        if k < 2:
            continue
        between = float(((y[here] - mean[here]) ** 2).sum()) - (k - 1) * float(sampling[here].mean())
        excess += between / float(scale[here].mean())
        free += k - 1
    if free < 3:
        return default, 0
    pooled = (_PRIOR_DF * default**2 + excess) / (_PRIOR_DF + free)
    return float(np.sqrt(max(pooled, (default / 2) ** 2))), free


def pilot(u: Floats, y: Floats, weight: Floats) -> Floats:
    """A first smooth guess of the expected scores, for variances: means by scale, smoothed 1-2-1."""
    _, place = np.unique(u, return_inverse=True)
    mean = np.bincount(place, y * weight) / np.bincount(place, weight)
    padded = np.pad(mean, 1, mode="edge")
    return np.asarray(((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4)[place])
