"""Parametric bootstrap tests: how often would the null's own curve, measured anew, look like a jump?"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from saltus.stats.curves import CurveFit

Test = Literal["trend", "acceleration", "sharpness"]
_CHUNK = 1000


class TestResult(msgspec.Struct, frozen=True):
    """A test statistic with its bootstrap p-value.

    Attributes:
        statistic: Gain in weighted RSS (chi-square units).
        p: (1 + exceedances) / (draws + 1), Davison and Hinkley 1997, eq. 4.11; 1 where the null's shapes
            fit at least as well as the alternative's.
        draws: Bootstrap data sets used.
    """

    __test__ = False  # not a pytest class

    statistic: float
    p: float
    draws: int


def bootstrap_p(
    fit: CurveFit,
    test: Test,
    rng: np.random.Generator,
    *,
    draws: int = 1000,
    most: int | None = None,
    dispersion: float | None = None,
) -> TestResult:
    """Test one series against the best curve of the null.

    Args:
        fit: The fitted series.
        test: "trend" (null: flat), "acceleration" (null: curves that never accelerate) or "sharpness" (null:
            those and sigmoids of at least a decade).
        rng: Source of randomness.
        draws: Bootstrap data sets.
        dispersion: Overdispersion of the simulated data; that of the fit when None.
        most: Go on up to this many when none of the first `draws` reached the observed gain, so that p is not
            held up by their number where many series are tested together.
    """
    match test:
        case "trend":
            statistic, null = fit.trend, -1
        case "acceleration":
            statistic, null = fit.acceleration, fit.null_row(broad=False)
        case "sharpness":
            statistic, null = fit.sharpness, fit.null_row(broad=True)
    observed = float(statistic(fit.project(fit.y[None]))[0])
    mean = fit.curve(null)
    if test != "trend" and observed <= 0:  # the null's own shapes fit at least as well
        return TestResult(observed, 1.0, 0)
    extra = ((fit.dispersion if dispersion is None else dispersion) - 1) * fit.variance
    tolerance = 1e-9 * (1 + fit.total)
    reached, done, target = 0, 0, draws
    while done < target:
        size = min(_CHUNK, target - done)
        simulated = statistic(fit.project(fit.noise.draw(mean, size, extra, rng)))
        reached += int((simulated >= observed - tolerance).sum())
        done += size
        if done == draws and reached == 0 and most is not None:
            target = max(draws, most)
    return TestResult(observed, (1 + reached) / (done + 1), done)
