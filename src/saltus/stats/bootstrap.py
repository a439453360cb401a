"""Parametric bootstrap tests: how often would the null's own curve, measured anew, look like a jump?"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.stats.curves import CurveFit
from saltus.stats.sampling import Reading, monte_carlo_p

Floats = NDArray[np.float64]
Test = Literal["trend", "acceleration", "sharpness"]
_ALONE = 400_000  # multiplications up to which OpenBLAS keeps to one thread
_EXACT = 1e5  # sum of squares up to which single precision tells gains apart


class TestResult(msgspec.Struct, frozen=True):
    """A test statistic with its bootstrap p-value.

    Attributes:
        statistic: Gain in weighted RSS (chi-square units).
        p: The p-value; 1 where the null's shapes fit at least as well as the alternative's.
        draws: Bootstrap data sets used.
        reading: How p was read off them; see `saltus.stats.sampling.MonteCarlo`.
    """

    __test__ = False  # not a pytest class

    statistic: float
    p: float
    draws: int
    reading: Reading = "counted"


class Bootstrap:
    """The tests of one fitted series; the shapes to compare are laid out once for all of them.

    Args:
        fit: The fitted series.
        dispersion: Overdispersion of the simulated data; that of the fit when None.
    """

    def __init__(self, fit: CurveFit, *, dispersion: float | None = None) -> None:
        grid, rows = fit.grid, fit.grid.tested
        self._fit = fit
        kind = np.float32 if fit.total < _EXACT else np.float64
        self._basis: NDArray[np.floating] = fit.basis(rows).astype(kind)
        ends = [grid.gradual.stop, grid.broad.stop, grid.narrow.stop]
        self._gradual, self._broad, self._narrow = (int(i) for i in np.searchsorted(rows, ends))
        phi = fit.dispersion if dispersion is None else dispersion
        self._extra = (phi - 1) * (fit.variance if fit.noise.correlation is None else fit.covariance)
        self._tolerance = 1e-6 * (1 + fit.total)

    def test(self, test: Test, rng: np.random.Generator, *, draws: int = 1000) -> TestResult:
        """Test against the best curve of the null; see `bootstrap_p`."""
        fit = self._fit
        observed = float(self._statistic(test, fit.y[None])[0])
        if test != "trend" and observed <= 0:  # the null's own shapes fit at least as well
            return TestResult(observed, 1.0, 0)
        row = -1 if test == "trend" else fit.null_row(broad=test == "sharpness")
        mean = fit.curve(row)

        def simulate(size: int) -> Floats:
            return self._statistic(test, fit.noise.draw(mean, size, self._extra, rng))

        found = monte_carlo_p(simulate, observed, draws=draws, tolerance=self._tolerance)
        return TestResult(observed, found.p, found.draws, found.reading)

    def _statistic(self, test: Test, y: Floats) -> Floats:
        """The gains of data sets, shape (len(y),)."""
        score = _product(self._basis, np.asarray(y.T, self._basis.dtype))
        if test == "trend":  # what the best shape, rising or falling, explains beyond the flat line
            return np.asarray(_largest(score) ** 2, float)
        gradual = _largest(score[: self._gradual])
        if test == "acceleration":  # rising hinges, steps and sigmoids beyond curves that never accelerate
            other = score[self._gradual :].max(0)
        else:  # rising steps and narrow sigmoids beyond gradual curves and broad sigmoids
            gradual = np.maximum(gradual, score[self._gradual : self._broad].max(0, initial=0))
            other = score[self._broad : self._narrow].max(0)
        return np.asarray(np.maximum(other, 0) ** 2 - gradual**2, float)


def bootstrap_p(
    fit: CurveFit,
    test: Test,
    rng: np.random.Generator,
    *,
    draws: int = 1000,
    dispersion: float | None = None,
) -> TestResult:
    """Test one series against the best curve of the null.

    Args:
        fit: The fitted series.
        test: "trend" (null: flat), "acceleration" (null: curves that never accelerate) or "sharpness" (null:
            those and sigmoids of at least a decade).
        rng: Source of randomness.
        draws: Bootstrap data sets at most.
        dispersion: Overdispersion of the simulated data; that of the fit when None.
    """
    return Bootstrap(fit, dispersion=dispersion).test(test, rng, draws=draws)


def _product(basis: NDArray[np.floating], data: NDArray[np.floating]) -> NDArray[np.floating]:
    """The matrix product in parts too small for the BLAS to wake threads, which cost more than they give."""
    out = np.zeros((len(basis), data.shape[1]), basis.dtype)  # what memory held may make the BLAS warn
    rows = max(_ALONE // data.size, 1)
    for start in range(0, len(basis), rows):
        np.matmul(basis[start : start + rows], data, out=out[start : start + rows])
    return out


def _largest(score: NDArray[np.floating]) -> NDArray[np.floating]:
    """Largest size by data set, over shapes that may rise or fall."""
    return np.asarray(np.maximum(score.max(0), -score.min(0)))
