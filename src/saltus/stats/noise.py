"""How far a measured score may lie from the truth: sampling, shared items, differences between models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_PRIOR_DF = 4.0  # weight of the default between-model noise against what replicates say
_NORMAL = 100.0  # n p (1 - p) from which a binomial count is drawn as a normal one; its skewness is under .1
_EXPANDED = 15.0  # and from which by its Cornish-Fisher expansion
_NEIGHBOURS = 8  # second differences that let checkpoints speak for the noise between models
_MEDIAN_CHI2 = 0.4549  # median of a chi-square with one degree of freedom
_MEDIAN_DF = 0.25  # a median of squared second differences (overlapping) is worth so many degrees of freedom


@dataclass(frozen=True, slots=True)
class Noise:
    """Variance of each point as a function of its expected score, and draws from it.

    Attributes:
        n: Effective samples behind each point for shares of right answers, shape (n,); None for other scores.
        se: Standard errors for a Gaussian score, shape (n,); None for shares.
        tau: Between-model standard deviation: two models of one size and recipe differ by it beyond sampling.
            For shares it is the one at one half and shrinks towards 0 and 1 as the binomial one does.
        correlation: Of the sampling errors, shape (n, n), where the points share their items; None: none.
    """

    n: Floats | None
    se: Floats | None
    tau: float
    correlation: Floats | None = None

    def variance(self, mean: Floats) -> Floats:
        """Variance of each point where its expected score is `mean`, last axis of length n."""
        return np.asarray(self._sampling(mean) + self._between(mean))

    def covariance(self, mean: Floats) -> Floats:
        """Covariance of the points where their expected scores are `mean`, shape (n, n)."""
        between = np.diag(self._between(mean))
        if self.correlation is None:
            return np.asarray(np.diag(self._sampling(mean)) + between)
        sd = np.sqrt(self._sampling(mean))
        return np.asarray(self.correlation * np.outer(sd, sd) + between)

    def root(self, mean: Floats, keep: NDArray[np.bool_] | None = None) -> Floats:
        """What makes the errors independent and of variance one.

        Args:
            mean: Expected scores, shape (n,).
            keep: Points to use; the others get no weight. None: all.

        Returns:
            Factors, shape (n,), for independent errors; else the inverse Cholesky factor, shape (n, n).
        """
        if self.correlation is None:
            factors = 1 / np.sqrt(self.variance(mean))
            return factors if keep is None else np.where(keep, factors, 0.0)
        used = np.arange(len(mean)) if keep is None else np.flatnonzero(keep)
        out = np.zeros((len(mean), len(mean)))
        part = np.ix_(used, used)
        out[part] = np.linalg.inv(np.linalg.cholesky(self.covariance(mean)[part]))
        return out

    def draw(self, mean: Floats, size: int, extra: Floats, rng: np.random.Generator) -> Floats:
        """New measurements of the same points, shape (size, n).

        Models differ by a normal amount, and their counts are binomial: drawn as such where n p (1 - p) is
        under 15, by the Cornish-Fisher expansion up to 100, above that as normal. Where points share items,
        counts follow a Gaussian copula.

        Args:
            mean: Expected scores, shape (n,).
            size: Number of data sets.
            extra: Variance beyond this noise (overdispersion), shape (n,), or covariance, shape (n, n).
            rng: Source of randomness.
        """
        if extra.ndim == 2 or self.correlation is not None:
            return self._draw_together(mean, size, np.diag(extra) if extra.ndim == 1 else extra, rng)
        z = rng.standard_normal((size, len(mean)))
        if self.n is None:
            return np.asarray(mean + z * np.sqrt(self.variance(mean) + extra))
        share = np.clip(mean, 0, 1)
        between = self._between(share) + extra
        coarse = self.n * share * (1 - share) < _NORMAL
        sd = np.sqrt(between + np.where(coarse, 0.0, share * (1 - share) / self.n))
        out = np.clip(share + z * sd, 0, 1)
        few = self.n * share * (1 - share) < _EXPANDED
        if few.any():
            count = np.maximum(np.rint(self.n[few]), 1).astype(np.int64)
            out[:, few] = rng.binomial(count, out[:, few]) / count
        some = coarse & ~few
        if some.any():
            z = rng.standard_normal((size, int(some.sum())))
            out[:, some] = _expanded(z, self.n[some], out[:, some])
        return np.asarray(out)

    def at(self, rows: NDArray[np.int64] | int) -> Noise:
        """The noise of some of the points."""
        some = np.atleast_1d(rows)
        return Noise(
            None if self.n is None else self.n[some],
            None if self.se is None else self.se[some],
            self.tau,
            None if self.correlation is None else self.correlation[np.ix_(some, some)],
        )

    def _sampling(self, mean: Floats) -> Floats:
        if self.n is None:
            assert self.se is not None  # noqa: S101 - one of the two is always given
            return np.broadcast_to(self.se**2, np.shape(mean))
        return np.asarray(self._spread(mean) / self.n)

    def _between(self, mean: Floats) -> Floats:
        if self.n is None:
            return np.full(np.shape(mean), self.tau**2)
        return np.asarray(self.tau**2 * np.minimum(1.0, 4 * self._spread(mean)))

    def _spread(self, mean: Floats) -> Floats:
        assert self.n is not None  # noqa: S101 - only called for shares
        clipped = np.clip(mean, 0, 1)
        return np.asarray(np.maximum(clipped * (1 - clipped), 1 / (self.n + 2)))

    def _draw_together(self, mean: Floats, size: int, extra: Floats, rng: np.random.Generator) -> Floats:
        """Draws whose errors belong together: normal ones between models, then a copula over the counts."""
        number = len(mean)
        independent = np.eye(number) if self.correlation is None else self.correlation
        shared = rng.standard_normal((size, number)) @ _factor(independent).T
        if self.n is None:
            between = np.diag(self._between(mean)) + extra
            model = rng.standard_normal((size, number)) @ _factor(between).T
            return np.asarray(mean + model + shared * np.sqrt(self._sampling(mean)))
        share = np.clip(mean, 0, 1)
        between = np.diag(self._between(share)) + extra
        model = rng.standard_normal((size, number)) @ _factor(between).T
        p = np.clip(share + model, 0, 1)
        out = _expanded(shared, self.n, p)
        few = self.n * share * (1 - share) < _EXPANDED
        if few.any():
            count = np.maximum(np.rint(self.n[few]), 1)
            out[:, few] = _binomial_quantile(shared[:, few], count, p[:, few])
        return np.asarray(out)


def design_effect(y: Floats, n: Floats, stderr: Floats) -> float | None:
    """How many times the reported variances are those of as many independent marks of 0 and 1 (Kish 1965).

    One figure for all points, the ratio of the sums: a standard error from few clusters is itself uncertain,
    and at a score of 0 or 1 it is 0 and says nothing.

    Returns:
        None where no point tells.
    """
    told = np.isfinite(stderr) & (stderr > 0) & (n > 1) & (y > 0) & (y < 1)
    if not told.any():
        return None
    alone = y[told] * (1 - y[told]) / (n[told] - 1)
    weight = n[told]  # so that points of different n count alike
    return float((weight * stderr[told] ** 2).sum() / (weight * alone).sum())


def effective_n(y: Floats, n: Floats, stderr: Floats) -> Floats:
    """Samples that would give the reported standard error, so that clusters and partial marks count rightly.

    Args:
        y: Shares, shape (m,).
        n: Samples, NaN where unknown.
        stderr: Standard errors, NaN where unknown.

    Returns:
        n over the pooled design effect where n is known; else y(1-y)/stderr^2 + 1 where a standard error
        says something, else the median of the others, else NaN.
    """
    effect = design_effect(y, n, stderr)
    with np.errstate(divide="ignore", invalid="ignore"):
        from_error = y * (1 - y) / stderr**2 + 1
    usable = np.isfinite(from_error) & (stderr > 0) & (y > 0) & (y < 1)
    known = np.isfinite(n)
    out = np.where(known, np.maximum(n / (effect or 1.0), 1.0), np.where(usable, from_error, np.nan))
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
    mean = np.array([y[u == x].mean() for x in u])
    sampling = Noise(noise.n, noise.se, 0.0, noise.correlation).covariance(mean)
    for x in np.unique(u):
        here = np.flatnonzero(u == x)
        k = len(here)
        if k < 2:
            continue
        block = sampling[np.ix_(here, here)]
        expected = float(np.trace(block) - block.sum() / k)
        excess += (float(((y[here] - mean[here]) ** 2).sum()) - expected) / _scale(noise, mean[here])
        free += k - 1
    return (default, 0) if free < 3 else (_shrunk(default, excess, free), free)


def estimate_step_tau(u: Floats, y: Floats, noise: Noise, default: float) -> tuple[float, int]:
    """Between-checkpoint noise from how far each checkpoint lies off the line through its neighbours.

    The median of the squared second differences over what sampling alone would give them (as Rice 1984, eq.
    2.1 takes them for the variance of a regression's errors); a median does not see one jump, which moves at
    most three of them. Shrunk to `default` as in `estimate_tau`, and never under half of it.

    Returns:
        The standard deviation and the degrees of freedom that spoke; (`default`, 0) where points are few.
    """
    order = np.argsort(u, kind="stable")
    u, y, part = u[order], y[order], noise.at(order)
    gaps = np.diff(u)
    if len(u) < _NEIGHBOURS + 2 or (gaps <= 0).any():
        return default, 0
    left = gaps[1:] / (gaps[:-1] + gaps[1:])
    inner = np.arange(len(left))
    second = np.zeros((len(left), len(u)))
    second[inner, inner], second[inner, inner + 1], second[inner, inner + 2] = -left, 1.0, left - 1
    smooth = pilot(u, y, np.ones(len(y)))
    sampling = Noise(part.n, part.se, 0.0, part.correlation).covariance(smooth)
    unit = np.ones_like(y) if part.n is None else np.minimum(1.0, 4 * np.maximum(smooth * (1 - smooth), 1e-3))
    once = second**2 @ unit
    sampled = np.einsum("ij,jk,ik->i", second, sampling, second)
    free = int(_MEDIAN_DF * len(second))
    total = float(np.median((second @ y) ** 2 / once)) / _MEDIAN_CHI2
    between = total - float(np.median(sampled / once))
    return _shrunk(default, free * between, free), free


def pilot(u: Floats, y: Floats, weight: Floats) -> Floats:
    """A first smooth guess of the expected scores, for variances: means by scale, smoothed 1-2-1."""
    _, place = np.unique(u, return_inverse=True)
    mean = np.bincount(place, y * weight) / np.bincount(place, weight)
    padded = np.pad(mean, 1, mode="edge")
    return np.asarray(((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4)[place])


def _scale(noise: Noise, mean: Floats) -> float:
    """The share of tau squared that counts at scores of `mean`."""
    if noise.n is None:
        return 1.0
    return float(np.minimum(1.0, 4 * np.maximum(mean * (1 - mean), 1e-3)).mean())


def _shrunk(default: float, excess: float, free: int) -> float:
    pooled = (_PRIOR_DF * default**2 + excess) / (_PRIOR_DF + free)
    return float(np.sqrt(max(pooled, (default / 2) ** 2)))


def _factor(covariance: Floats) -> Floats:
    """A factor F with F F' = covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _expanded(z: Floats, n: Floats, p: Floats) -> Floats:
    """The binomial share at the probability of each standard normal `z` (Cornish and Fisher 1938)."""
    count = n * p + z * np.sqrt(n * p * (1 - p)) + (1 - 2 * p) * (z**2 - 1) / 6
    whole = np.maximum(np.rint(n), 1)
    return np.asarray(np.clip(np.rint(count) / whole, 0, 1))


def _binomial_quantile(z: Floats, count: Floats, p: Floats) -> Floats:
    """The binomial share at the probability of each standard normal `z`: exact where n p (1 - p) is small."""
    from scipy.special import ndtr

    out = _expanded(z, count, p)
    few = count * p * (1 - p) < _EXPANDED
    n, z, p = np.broadcast_to(count, p.shape)[few], z[few], p[few]
    upper = p > 0.5
    rare, chance = np.where(upper, 1 - p, p), ndtr(np.where(upper, -z, z))
    term = np.exp(n * np.log1p(-rare))  # of 0, 1, 2, ... until all probabilities are reached
    reached, found = term.copy(), np.zeros_like(term)
    odds, step = rare / (1 - rare), 0
    while (below := (reached < chance) & (found < n)).any():
        found += below
        term = term * odds * (n - step) / (step + 1)
        reached, step = reached + np.maximum(term, 1e-15), step + 1
    out[few] = np.where(upper, n - found, found) / n
    return out
