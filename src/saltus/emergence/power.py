"""What would tell: samples or models that an open question still needs, by simulating the series' own test.

The test is simulated at the points there are, with the answer that is sought as the truth, and the
information is raised until four of five data sets find it.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.facts import Facts
from saltus.records import Settle
from saltus.stats import CurveFit

Floats = NDArray[np.float64]
Question = Literal["trend", "acceleration", "sharpness"]

POWER = 0.8
_DRAWS = 400
_MOST = 50.0  # times the information there is, beyond which no advice is given
_FOUND = {
    "trend": "a steady rise of {:.2f}",
    "acceleration": "that a rise of {:.2f} like this is a jump, if it is one",
    "sharpness": "that a rise of {:.2f} like this is sharp, if it is",
    "chance": "a top that is {:.2f} above chance",
    "floor": "a bottom that is {:.2f} more than near chance",
}


def settle_test(facts: Facts, question: Question) -> Settle | None:
    """What would answer one of the three tests.

    The truth sought is a steady rise of the threshold ("trend"), or the best accelerating ("acceleration") or
    sharp curve ("sharpness") that was fitted. None where the data there are find it already, and where the
    test cannot be simulated: acceleration along training also has to beat every concave curve.
    """
    fit = facts.analysis.fit
    if question == "acceleration" and facts.training:
        return None
    if question == "trend":
        low, high = fit.grid.low, fit.grid.high
        size = facts.options.threshold
        curve: Floats | None = size * (facts.analysis.u - low) / (high - low)
    else:
        curve = _best(facts, question)
        size = facts.rise.value
    if curve is None:
        return None
    rng = np.random.default_rng([facts.analysis.seed, 4])
    factor = information_needed(fit, question, curve, alpha=facts.options.alpha, rng=rng)
    return None if factor <= 1 else _settle(facts, question, size, factor)


def settle_level(facts: Facts, question: Literal["chance", "floor"], size: float) -> Settle | None:
    """What would tell a level of the curve from chance: its standard error has to come under size / 2.49.

    That is the sum of the normal quantiles of a one-sided test at 5 % and a power of .8.
    """
    from scipy.special import ndtri

    level = facts.top if question == "chance" else facts.bottom
    z = float(ndtri((1 + facts.options.level) / 2))
    error = (level.high - level.low) / (2 * z)
    factor = ((z + float(ndtri(POWER))) * error / size) ** 2 if size > 0 else np.inf
    return None if factor <= 1 else _settle(facts, question, size, factor)


def information_needed(
    fit: CurveFit, question: Question, curve: Floats, *, alpha: float, rng: np.random.Generator
) -> float:
    """How many times the information of a fit its test needs to find `curve` in four of five data sets.

    Errors are taken as normal, and as many times smaller in variance as the factor says.

    Args:
        fit: The fitted series.
        question: Which test.
        curve: Expected scores at its points, shape (n,); their level does not matter.
        alpha: Of the test, the series judged alone.
        rng: Source of randomness.

    Returns:
        The factor, to a few percent; 1 where the data there are do, inf over 50.
    """
    space = _Space(fit)
    signal = space.scores(curve) / np.sqrt(fit.dispersion)
    null = space.null(question, signal)
    noise = space.basis @ space.centred(rng.standard_normal((len(curve), _DRAWS)))

    def power(factor: float) -> float:
        root = np.sqrt(factor)
        critical = np.quantile(space.statistic(question, noise + root * null[:, None]), 1 - alpha)
        found = space.statistic(question, noise + root * signal[:, None])
        return float((found > critical).mean())

    if power(1.0) >= POWER:
        return 1.0
    low, high = 1.0, 2.0
    while power(high) < POWER:
        low, high = high, 2 * high
        if low >= _MOST:
            return math.inf
    for _ in range(4):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high


class _Space:
    """The tested shapes of a fit as unit vectors of independent errors, and the tests among them."""

    def __init__(self, fit: CurveFit) -> None:
        grid, rows = fit.grid, fit.grid.tested
        self._root = fit.root
        one = self._whitened(np.ones((len(fit.y), 1)))
        self._one = one / np.linalg.norm(one)
        shapes = self.centred(self._whitened(grid.curves(rows, grid.u).T))
        norm = np.linalg.norm(shapes, axis=0)
        self.basis = np.where(norm > 0, shapes / np.where(norm > 0, norm, 1.0), 0.0).T
        ends = [grid.gradual.stop, grid.broad.stop, grid.narrow.stop]
        self._gradual, self._broad, self._narrow = (int(i) for i in np.searchsorted(rows, ends))

    def centred(self, columns: Floats) -> Floats:
        return np.asarray(columns - self._one @ (self._one.T @ columns))

    def scores(self, curve: Floats) -> Floats:
        """What each shape takes of a curve, shape (K,)."""
        return np.asarray(self.basis @ self.centred(self._whitened(curve[:, None])))[:, 0]

    def null(self, question: Question, signal: Floats) -> Floats:
        """The scores of the curve of the null that is nearest to a signal."""
        if question == "trend":
            return np.zeros_like(signal)
        size = np.abs(signal[: self._gradual])
        if question == "sharpness":
            size = np.concatenate([size, np.maximum(signal[self._gradual : self._broad], 0)])
        best = int(np.argmax(size))
        return np.asarray(signal[best] * (self.basis @ self.basis[best]))

    def statistic(self, question: Question, scores: Floats) -> Floats:
        """The gains of `stats.bootstrap`, a value a column."""
        if question == "trend":
            return np.asarray(np.maximum(scores.max(0), -scores.min(0)) ** 2)
        gradual = np.maximum(scores[: self._gradual].max(0), -scores[: self._gradual].min(0))
        if question == "acceleration":
            other = scores[self._gradual :].max(0)
        else:
            gradual = np.maximum(gradual, scores[self._gradual : self._broad].max(0, initial=0))
            other = scores[self._broad : self._narrow].max(0)
        return np.asarray(np.maximum(other, 0) ** 2 - gradual**2)

    def _whitened(self, columns: Floats) -> Floats:
        return np.asarray(self._root @ columns if self._root.ndim == 2 else self._root[:, None] * columns)


def _best(facts: Facts, question: Question) -> Floats | None:
    """The best rising curve that accelerates, or the best sharp one, at the points."""
    fit = facts.analysis.refined.fit
    grid = fit.grid
    groups = [grid.narrow] if question == "sharpness" else [grid.broad, grid.narrow, grid.hinge]
    rows = np.concatenate([np.arange(g.start, g.stop) for g in groups])
    rows = rows[(fit.amplitude[rows] > 0) & np.isfinite(fit.shape_norm[rows])]
    return None if not len(rows) else fit.curve(int(rows[np.argmin(fit.rss[rows])]))


def _settle(facts: Facts, question: str, size: float, factor: float) -> Settle:
    """The factor as samples and as points, and both in words."""
    points = len(facts.analysis.y)
    scales = math.ceil(factor * points) if math.isfinite(factor) and factor <= _MOST else None
    now, samples = _samples(facts, factor)
    what = "checkpoints" if facts.training else "models"
    ways = []
    if samples is not None:
        ways.append(f"{samples:,} samples a {what[:-1]} instead of {now:,}")
    if scales is not None:
        ways.append(f"{scales} {what} spread as these {points} are")
    found = _FOUND[question].format(size)
    if ways:
        text = (
            f"About {' or '.join(ways)} would settle it: 4 of 5 such data sets, judged alone, show {found}."
        )
    else:
        text = (
            f"At these places no number of samples or {what} shows {found}; {what} between "
            f"{facts.widest_move()}, where the score moves most, would."
        )
    return Settle(question, size, POWER, samples, scales, text)


def _samples(facts: Facts, factor: float) -> tuple[int, int | None]:
    """Samples a point now, and those that give `factor` times the information; None where none would.

    More samples shrink the sampling part of the variance only: what differs between models stays, and so does
    the scatter that no noise explains.
    """
    noise, fit = facts.analysis.noise, facts.analysis.fit
    if noise.n is None or not math.isfinite(factor):
        return 0, None
    column = facts.analysis.series.column("n")[facts.analysis.used]
    now = float(np.median(column[np.isfinite(column)])) if np.isfinite(column).any() else float("nan")
    now = now if now >= 1 else float(np.median(noise.n))
    best = min(fit.classes, key=fit.bic)
    mean = np.clip(fit.curve(best.row), 0, 1)
    whole = noise.variance(mean)
    sampling = np.maximum(mean * (1 - mean), 1 / (noise.n + 2)) / noise.n
    rest = whole - sampling + (fit.dispersion - 1) * whole
    target = factor * float((1 / (whole * fit.dispersion)).sum())

    def information(times: float) -> float:
        return float((1 / (sampling / times + rest + 1e-300)).sum())

    if information(1e4) < target:
        return round(now), None
    low, high = 1.0, 1e4
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if information(middle) >= target else (middle, high)
    return round(now), _round(high * now)


def _round(value: float) -> int:
    digits = max(int(math.log10(max(value, 1))) - 1, 0)
    return int(math.ceil(value / 10**digits) * 10**digits)
