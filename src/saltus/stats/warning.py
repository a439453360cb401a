"""Early-warning statistics along training: does a curve, its noise or its flips leave their own past?

Each function looks at a series checkpoint by checkpoint and uses, for each look, nothing that comes later.
The p of every look is divided by that look's share of one budget, so that the chance of any false alarm in a
whole run is at most alpha, however many checkpoints come (alpha spending; Lan and DeMets 1983).
`saltus.emergence.warning` chooses the series and turns what crosses into warnings.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtr

Floats: TypeAlias = NDArray[np.float64]

WINDOW = 16  # checkpoints that a look compares
LEAST = 6  # checkpoints before the first look
BEFORE = 4  # checkpoints up to the break, at least
CORRELATION = 0.3  # between neighbouring checkpoints, assumed
HORIZON = 40  # looks that get about equal shares of the budget
# Looks at variance and autocorrelation: at 12 points, then at 1.3 times as many each time.
FIRST_SLOWING, NEXT_SLOWING = 12, 1.3


class Looks(msgspec.Struct, frozen=True):
    """One indicator at every checkpoint.

    Attributes:
        statistic: Shape (n,); NaN where there was no look.
        p: Of each look alone, shape (n,); 1 where there was none.
        corrected: For all looks so far, shape (n,): at most alpha with chance at most alpha in a whole run.
    """

    statistic: Floats
    p: Floats
    corrected: Floats


def spending(looks: int, horizon: float = HORIZON) -> Floats:
    """The share of the error budget that each look gets, shape (looks,).

    h / ((k + h)(k + h + 1)) for k = 0, 1, ...: about equal up to the horizon h, then falling as 1 / k^2. All
    shares together, of however many looks, are 1.

    Examples:
        >>> float(round(spending(100_000).sum(), 3))
        1.0
    """
    k = np.arange(looks, dtype=float)
    return np.asarray(horizon / ((k + horizon) * (k + horizon + 1)))


def rate_rises(x: ArrayLike, y: ArrayLike, *, grain: float = 0.0, correlation: float = CORRELATION) -> Looks:
    """At each point: has the rate of change risen within the last points?

    The null is any curve whose rate never rises (flat, steady, saturating) with normal noise. The last
    `WINDOW` points are fitted by a line that bends at one of them; the statistic is the largest Student's t
    of the bend, its p is multiplied by the number of places (Bonferroni). A concave curve bends down, so p is
    too large there. Noise is whitened as an AR(1) of the correlation given.

    Args:
        x: Places, rising, plain units, shape (n,).
        y: Values; higher is nearer to the jump. NaN where none was measured.
        grain: Noise that is there at least (a standard deviation), for curves that were measured without any.
        correlation: Of the noise of neighbouring points.

    Raises:
        ValueError: The shapes differ, or the places do not rise.
    """
    places, values = np.asarray(x, float), np.asarray(y, float)
    if places.shape != values.shape or places.ndim != 1 or (np.diff(places) <= 0).any():
        raise ValueError("places must rise, and each must have one value")
    known = np.flatnonzero(np.isfinite(values))
    statistic, p = _bends(places[known], values[known], grain, correlation)
    return _looks(len(places), known, statistic, p)


def leaves_floor(x: ArrayLike, y: ArrayLike) -> Looks:
    """At each point: has a curve that had a floor left it?

    Its rate must have risen (`rate_rises`), and it must stand as far above the middle of the points before it
    as all of these are wide: a curve that has been climbing all the time has no floor to leave.

    Args:
        x: Places, rising, plain units, shape (n,).
        y: Values; higher is nearer to the jump. NaN where none was measured.
    """
    looks = rate_rises(x, y)
    values = np.asarray(y, float)
    known = np.flatnonzero(np.isfinite(values))
    for last, i in enumerate(known):
        past = values[known[max(0, last + 1 - WINDOW) : last]]
        if len(past) and not values[i] - np.median(past) >= np.ptp(past):
            looks.p[i] = looks.corrected[i] = 1.0
    return looks


def flip_ratios(marks: ArrayLike) -> Floats:
    """How many samples change between consecutive checkpoints, over what independent guesses would give.

    With the shares right p and q before and after, independent guesses differ in p (1 - q) + q (1 - p) of the
    samples (2p(1 - p) where the share stays). 1 is guessing anew each time, 0 is a sample that is decided.

    Args:
        marks: 0 and 1, NaN where a sample was not asked, shape (checkpoints, samples).

    Returns:
        Shape (checkpoints,); NaN for the first, and where nothing can flip.
    """
    right = np.asarray(marks, float)
    both = np.isfinite(right[1:]) & np.isfinite(right[:-1])
    n = both.sum(axis=1)
    before, after = np.where(both, right[:-1], 0.0), np.where(both, right[1:], 0.0)
    flips = np.abs(after - before).sum(axis=1)
    p, q = before.sum(axis=1) / np.maximum(n, 1), after.sum(axis=1) / np.maximum(n, 1)
    expected = n * (p * (1 - q) + q * (1 - p))
    # With fewer than five flips to expect the ratio is mostly noise.
    ratio = np.divide(flips, expected, out=np.full(len(flips), np.nan), where=expected >= 5)
    return np.concatenate([[np.nan], ratio])[: len(right)]


def epoch_ratios(right: ArrayLike, epochs: ArrayLike) -> Floats:
    """How often two epochs of one sample differ, over what one chance for all samples would give.

    The chance that two of E epochs with k right differ is 2k(E - k) / (E(E - 1)); over 2p(1 - p) it is one
    less the correlation within samples. 1: every sample is a toss of the same coin; 0: each is decided.

    Args:
        right: Right epochs of each sample, shape (checkpoints, samples).
        epochs: Epochs, of the same shape; samples with fewer than two do not count.

    Returns:
        Shape (checkpoints,); NaN where nothing can differ.
    """
    k, size = np.asarray(right, float), np.asarray(epochs, float)
    usable = size >= 2
    pairs = np.where(usable, size * (size - 1), 1.0)
    differ = np.where(usable, 2 * k * (size - k) / pairs, 0.0).sum(axis=1)
    count = usable.sum(axis=1)
    p = np.where(usable, k, 0.0).sum(axis=1) / np.maximum(np.where(usable, size, 0.0).sum(axis=1), 1)
    expected = count * 2 * p * (1 - p)
    return np.asarray(np.divide(differ, expected, out=np.full(len(k), np.nan), where=expected >= 5))


def slowing(
    y: ArrayLike, noise: ArrayLike, kind: str, rng: np.random.Generator, *, draws: int = 1000
) -> Looks:
    """Critical slowing down: does the variance, or the lag-1 autocorrelation, of a score's residuals rise?

    At each look: a Gaussian kernel (standard deviation a tenth of the points) takes the trend away, the
    statistic is computed in rolling windows of half of the points, and Kendall's tau says how steadily it
    rises (Scheffer et al. 2009; Dakos et al. 2012). Its p comes from surrogates, AR(1) series with the
    residuals' own correlation that go through the same steps. Looks are few (12 points, then 1.3 times as
    many each time), and look j gets 1 / (j (j + 1)) of the budget.

    Args:
        y: Scores in order, shape (n,).
        noise: Standard deviation of each score's sampling error; residuals are divided by it, because a share
            near one half varies more than one near 0 whatever the model does.
        kind: "variance" or "autocorrelation".
        rng: Source of the surrogates.
        draws: Surrogates a look, at least; more where the look's share of the budget is small.
    """
    values, error = np.asarray(y, float), np.asarray(noise, float)
    known = np.flatnonzero(np.isfinite(values) & np.isfinite(error) & (error > 0))
    n = len(known)
    statistic, p, share = np.full(n, np.nan), np.ones(n), np.ones(n)
    look, size = 1, float(FIRST_SLOWING)
    while round(size) <= n:
        last = round(size)
        rows = known[:last]
        enough = max(draws, 40 * look * (look + 1))  # the least p, 1 in so many, can still cross at .05
        statistic[last - 1], p[last - 1] = _slowing_at(values[rows], error[rows], kind, rng, enough)
        share[last - 1] = 1 / (look * (look + 1))
        look, size = look + 1, size * NEXT_SLOWING
    return _looks(len(values), known, statistic, p, share)


def _looks(
    n: int, known: NDArray[np.intp], statistic: Floats, p: Floats, share: Floats | None = None
) -> Looks:
    """Put looks at the points where they were made, and correct them."""
    shares = spending(len(known)) if share is None else share
    out = Looks(np.full(n, np.nan), np.ones(n), np.ones(n))
    out.statistic[known], out.p[known] = statistic, p
    out.corrected[known] = np.minimum(1.0, p / shares)
    return out


def _bends(x: Floats, y: Floats, grain: float, correlation: float) -> tuple[Floats, Floats]:
    """Largest t of an upward bend among the last points, and its p, at each point."""
    n = len(x)
    statistic, p = np.full(n, np.nan), np.ones(n)
    for last in range(LEAST, n + 1):
        first = max(0, last - WINDOW)
        t, df, places = _bend(x[first:last], y[first:last], grain, correlation)
        statistic[last - 1] = t
        p[last - 1] = min(1.0, places * float(stdtr(df, -t) if np.isfinite(df) else ndtr(-t)))
    return statistic, p


def _bend(x: Floats, y: Floats, grain: float, correlation: float) -> tuple[float, float, int]:
    """Largest t over the places of a bend, its degrees of freedom, and the number of places."""
    u = (x - x[0]) / (x[-1] - x[0])
    bends = u[BEFORE - 1 : -1]
    base = np.column_stack([np.ones_like(u), u])
    design = np.column_stack([base, np.maximum(u[:, None] - bends, 0.0), y])
    white = design.copy()
    white[1:] = (design[1:] - correlation * design[:-1]) / np.sqrt(1 - correlation**2)
    q, _ = np.linalg.qr(white[:, :2])
    rest = white[:, 2:] - q @ (q.T @ white[:, 2:])
    hinge, left = rest[:, :-1], rest[:, -1]
    size = (hinge**2).sum(axis=0)
    slope = hinge.T @ left / size
    df = len(x) - 3
    spread = (np.maximum((left**2).sum() - slope**2 * size, 0.0)) / df
    t = slope * np.sqrt(size / np.maximum(np.maximum(spread, grain**2), 1e-300))
    return float(t.max()), float(df), len(bends)


def _slowing_at(
    y: Floats, error: Floats, kind: str, rng: np.random.Generator, draws: int
) -> tuple[float, float]:
    """Kendall's tau of the rolling statistic, and its p among surrogates."""
    n = len(y)
    residual = _detrended(y[None]) / (error - _detrended(error[None])[0])  # over the smoothed error
    if float(residual.std()) <= 1e-12:
        return float("nan"), 1.0
    # Detrending takes some correlation away, so the surrogates begin with what is left and a little more.
    phi = float(np.clip((residual[0, 1:] * residual[0, :-1]).sum() / (residual**2).sum() + 3 / n, 0.0, 0.9))
    shocks = rng.standard_normal((draws, n))
    null = np.empty_like(shocks)
    null[:, 0] = shocks[:, 0]
    for i in range(1, n):
        null[:, i] = phi * null[:, i - 1] + np.sqrt(1 - phi**2) * shocks[:, i]
    observed = float(_kendall(_rolling(residual, kind))[0])
    others = _kendall(_rolling(_detrended(null), kind))
    return observed, float((1 + (others >= observed).sum()) / (draws + 1))


def _detrended(y: Floats) -> Floats:
    """Rows less their Gaussian kernel smooth, whose standard deviation is a tenth of the points."""
    place = np.arange(y.shape[1])
    weight = np.exp(-0.5 * ((place[:, None] - place) / max(1.0, 0.1 * len(place))) ** 2)
    return np.asarray(y - y @ (weight / weight.sum(axis=1, keepdims=True)).T)


def _rolling(rows: Floats, kind: str) -> Floats:
    """Variance or lag-1 autocorrelation in windows of half of the points."""
    windows = np.lib.stride_tricks.sliding_window_view(rows, max(5, rows.shape[1] // 2), axis=1)
    centred = windows - windows.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1)
    if kind == "variance":
        return np.asarray(variance)
    together = (centred[..., 1:] * centred[..., :-1]).mean(axis=-1)
    return np.asarray(together / np.maximum(variance, 1e-300))


def _kendall(rows: Floats) -> Floats:
    """Kendall's tau of each row with time; of a long row forty places are enough, as windows overlap."""
    rows = rows[:, np.linspace(0, rows.shape[1] - 1, min(rows.shape[1], 40)).astype(np.intp)]
    first, second = np.triu_indices(rows.shape[1], 1)
    return np.asarray(np.sign(rows[:, second] - rows[:, first]).mean(axis=1))
