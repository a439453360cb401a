"""Can anything be seen beyond the last score? Not while the scores lie at their floor."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.axis import TRAINING
from saltus.emergence.forecast.fitted import Fitted
from saltus.stats import SIGMOIDAL, CurveFit, bootstrap_p, shape_grid

Floats = NDArray[np.float64]

_ONE_SIDED = 1.645
_THRESHOLD = 0.05  # off the floor by this, for certain: it has been left, whatever the trend
_DRAWS = 499
_FINER = 10  # how much finer a resolution the advice asks for


def at_floor(fitted: Fitted, *, alpha: float = 0.05, seed: int = 0) -> str | None:
    """A sentence that says that the scores lie at their floor, None when they have left it.

    They have left it when the top third of the scales lies off the floor (z over 1.645, on either side: a
    score may fall below guessing) and either by .05 or with a trend (the detector's test T0); and where they
    are on their way, with a trend and .05 between the lowest and the top third.
    """
    floor = fitted.floor
    if floor is None or fitted.noise.n is None:
        return None
    knots = np.unique(fitted.u)
    high = fitted.u >= knots[-max(len(knots) // 3, 1)]
    low = fitted.u <= knots[max(len(knots) // 3, 1) - 1]
    top, bottom = float(fitted.y[high].mean()), float(fitted.y[low].mean())
    variance = fitted.noise.at(np.flatnonzero(high)).variance(np.full(int(high.sum()), max(floor, 1e-3)))
    z = (top - floor) / math.sqrt(float(variance.mean()) / int(high.sum()))
    off = abs(z) > _ONE_SIDED
    if off and abs(top - floor) >= _THRESHOLD:
        return None
    p = _trend(fitted, seed)
    if p <= alpha and (off or abs(top - bottom) >= _THRESHOLD):
        return None
    trend = f"no trend (p = {p:.2f})" if p > alpha else "not off it for certain"
    return (
        f"the scores so far lie at their floor ({top:.3g} at the top against {floor:.3g} by guessing, "
        f"{trend}), so nothing in them says whether an onset comes, or where"
    )


def left_open(fitted: Fitted, at: Floats, level: float, samples: float | None) -> tuple[Floats, Floats]:
    """The range of a new score that the scores at the floor do not exclude, shape (m,) twice.

    Its upper end is that of the curves that do rise from the floor, as if one of them were the truth.
    """
    low, high = fitted.ensemble.predict(at, samples=samples).interval(level)
    _, risen = fitted.ensemble.predict(at, samples=samples, members=SIGMOIDAL).interval(level)
    return low, np.maximum(high, risen)


def what_would_let_it(fitted: Fitted) -> str:
    """Which evidence would show an onset before it shows in the scores."""
    noise, floor = fitted.noise, fitted.floor
    assert noise.n is not None  # noqa: S101 - only asked about shares
    assert floor is not None  # noqa: S101 - only asked about known floors
    n = float(np.median(noise.n))
    more = _FINER if floor == 0 else _FINER**2
    seen, finer = _smallest(n, floor), _smallest(more * n, floor)
    return (
        "A continuous metric of the same answers (target_logprob, choice_logprob, perplexity) would let it: "
        "its trend can be forecast and pushed through a link. So may more samples: "
        f"{n:,.0f} a model show a rise of {seen:.2g} at best, {more * n:,.0f} one of {finer:.2g} "
        "(as PassUntil does, Hu et al. 2023)."
    )


def _smallest(n: float, floor: float) -> float:
    """Smallest rise above the floor that n samples show: Clopper-Pearson at 0, else 1.645 standard errors."""
    return 1 - 0.025 ** (1 / n) if floor == 0 else _ONE_SIDED * math.sqrt(floor * (1 - floor) / n)


def _trend(fitted: Fitted, seed: int) -> float:
    training = fitted.series.axis in TRAINING
    fit = CurveFit(shape_grid(fitted.u, training=training), fitted.y, fitted.noise)
    return bootstrap_p(fit, "trend", np.random.default_rng([seed, 11]), draws=_DRAWS).p
