"""One series fitted and tested: everything a verdict is made from, before the series are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.emergence.axis import TRAINING, AxisMap
from saltus.emergence.outlier import Outlier, find_outlier
from saltus.emergence.scores import Progress, blur_of, noise_of, progress_of
from saltus.emergence.series import Series
from saltus.records import content_hash
from saltus.stats import (
    Bootstrap,
    CurveFit,
    Draws,
    Noise,
    RefinedFit,
    ShapeGrid,
    Test,
    TestResult,
    draw_curves,
    estimate_step_tau,
    estimate_tau,
    refine,
    shape_grid,
)

Floats = NDArray[np.float64]


class Options(msgspec.Struct, frozen=True):
    """How to detect.

    Attributes:
        alpha: A q-value at or under it counts.
        threshold: A rise smaller than this does not matter; also how far above its floor a score must stand
            to have left it, and how near chance is near.
        tau: Between-model noise; None: one point, or what replicates say.
        bootstraps: Simulated data sets a test, at most.
        min_scales: Distinct places on the axis that a verdict needs.
        seed: Of all randomness.
        level: Of all intervals.
    """

    alpha: float = 0.05
    threshold: float = 0.05
    tau: float | None = None
    bootstraps: int = 1000
    min_scales: int = 4
    seed: int = 0
    level: float = 0.9


DEFAULT_TAU = 0.01
_REPLICATED = 8  # points that let three distinct scales pass


@dataclass(frozen=True)
class Analysis:
    """A fitted series.

    Attributes:
        used: Rows of the series that were fitted.
        u: Their coordinates; `y` their progress (up is better, 0 to 1); `noise` their noise.
        fit: All shapes on the coarse grid, for the tests; `refined` on the fine one, for intervals.
        tests: Results of the tests "trend", "acceleration", "sharpness".
        outlier: A point that breaks the axis.
        notes: What was assumed or left out.
    """

    series: Series
    axis: AxisMap
    progress: Progress
    used: NDArray[np.int64]
    u: Floats
    y: Floats
    noise: Noise
    fit: CurveFit
    refined: RefinedFit
    tests: dict[str, TestResult]
    outlier: Outlier | None
    notes: tuple[str, ...]
    seed: int

    @property
    def p(self) -> dict[str, float]:
        """P-values of the tests."""
        return {name: result.p for name, result in self.tests.items()}

    def draws(self, *, rising: bool) -> Draws:
        """Curves that the data allow."""
        rng = np.random.default_rng([self.seed, 1, int(rising)])
        return draw_curves(
            self.refined, rng, rising=rising, bounds=(0.0, 1.0) if self.progress.share else None
        )


class Grids:
    """Coarse grids by coordinates: the series of one run, and of the next, mostly share theirs."""

    def get(self, u: Floats, axis: str) -> ShapeGrid:
        """The grid for points at `u`, built once."""
        return _grid(u.tobytes(), axis)


@lru_cache(maxsize=32)
def _grid(places: bytes, axis: str) -> ShapeGrid:
    return shape_grid(np.frombuffer(places), training=axis in TRAINING, plain=axis == "layers")


def enough_scales(series: Series, options: Options) -> bool:
    """Whether there are the scales that a verdict needs; three will do where eight points replicate them."""
    distinct = len(np.unique(series.x))
    return distinct >= options.min_scales or (distinct == 3 and len(series.x) >= _REPLICATED)


def series_seed(series: Series, options: Options) -> int:
    """A seed of its own for each series, whatever the order in which they are tested."""
    name = [series.family, series.task, series.metric, series.variant, series.axis, series.label]
    return int(content_hash([options.seed, *name], length=12), 16)


def analyse(series: Series, options: Options, grids: Grids, correlation: Floats | None = None) -> Analysis:
    """Fit and test one series that has enough scales.

    Args:
        series: The series.
        options: How to detect.
        grids: Shapes by coordinates, shared by the series of a run.
        correlation: Of the sampling errors of its rows, where they share their items.
    """
    notes: list[str] = []
    axis = AxisMap(series.axis, float(series.x.min()), float(series.x.max()))
    u, progress = axis.forward(series.x), progress_of(series.metric, series.y)
    y = progress.forward(series.y)
    tau = DEFAULT_TAU if options.tau is None else options.tau
    blur = blur_of(series.x, y, series.x_error)
    noise, assumed = noise_of(progress, series.y, series.column("n"), series.column("stderr"), tau, blur=blur)
    if assumed:
        notes.append(assumed)
    if correlation is not None:
        noise = replace(noise, correlation=correlation)
        notes.append(_shared_note(correlation))
    used = np.arange(len(y))
    lead = _below_chance_lead(series, u, y, noise, options)
    if lead:
        used = used[u > np.unique(u)[lead - 1]]
        notes.append(_lead_note(series, axis, lead))
    training = series.axis in TRAINING
    if options.tau is None:
        estimate = estimate_step_tau if training else estimate_tau
        tau, free = estimate(u[used], y[used], noise.at(used), tau)
        noise = replace(noise, tau=tau)
        if free:
            what = (
                "checkpoints is estimated at {:.3f} from neighbouring ones"
                if training
                else ("like models is estimated at {:.3f} from replicated scales")
            )
            notes.append(f"Noise between {what.format(tau)} ({free} degrees of freedom).")

    def fitted(rows: NDArray[np.int64]) -> tuple[CurveFit, RefinedFit]:
        grid = grids.get(u[rows], series.axis)
        fit = CurveFit(grid, y[rows], noise.at(rows), concave=training)
        return fit, refine(fit)

    fit, refined = fitted(used)
    outlier = find_outlier(series, used, u, y, noise, fit, refined.fit)
    if outlier is not None:
        used = used[used != outlier.index]
        fit, refined = fitted(used)
    part = noise.at(used)
    seed = series_seed(series, options)
    tests = run_tests(fit, refined, seed, options, training=training)
    fit.release()
    refined.fit.release()
    return Analysis(
        series,
        axis,
        progress,
        used,
        u[used],
        y[used],
        part,
        fit,
        refined,
        tests,
        outlier,
        tuple(notes),
        seed,
    )


def run_tests(
    fit: CurveFit, refined: RefinedFit, seed: int, options: Options, *, training: bool
) -> dict[str, TestResult]:
    """The three tests.

    Along training, acceleration must also be more than any curve whose rate never rises can describe: the
    larger of the two p-values counts.
    """
    rng = np.random.default_rng([seed, 0])
    results: dict[str, TestResult] = {}
    tests: tuple[Test, ...] = ("trend", "acceleration", "sharpness")
    bootstrap = Bootstrap(fit, dispersion=min(fit.dispersion, refined.fit.dispersion))
    for test in tests:
        results[test] = bootstrap.test(test, rng, draws=options.bootstraps)
    if training:
        misfit, result = fit.concave_misfit(), results["acceleration"]
        if misfit > result.p:
            results["acceleration"] = msgspec.structs.replace(result, p=misfit, reading="concave")
    return results


def _below_chance_lead(series: Series, u: Floats, y: Floats, noise: Noise, options: Options) -> int:
    """Scales at the start of training that lie clearly below chance, when the series goes on to chance.

    A net that does not yet answer in the right form scores less than a guess; that says nothing of the
    ability, and would drag the floor down. Where the score goes straight past chance, everything is kept.
    """
    chance = series.chance
    if series.axis not in TRAINING or not chance or noise.n is None:
        return 0
    scales = np.unique(u)
    mean = np.array([y[u == s].mean() for s in scales])
    error = np.sqrt(np.array([noise.variance(np.full(len(u), chance))[u == s].mean() for s in scales]))
    below = (mean - chance) / error < -3
    lead = int(np.argmin(below)) if not below.all() else 0
    rest = mean[lead : lead + 2]
    if lead == 0 or len(scales) - lead < options.min_scales or (rest > chance + options.threshold).any():
        return 0
    return lead


def _shared_note(correlation: Floats) -> str:
    pairs = correlation[~np.eye(len(correlation), dtype=bool)]
    return (
        f"All models answered the same items: their errors are correlated (median {np.median(pairs):.2f}), "
        "and fit and tests allow for that."
    )


def _lead_note(series: Series, axis: AxisMap, lead: int) -> str:
    last = float(np.unique(series.x)[lead - 1])
    return (
        f"Up to {axis.place(last)} the score lies clearly below chance ({series.chance:.2f}), as from a "
        "model that "
        "does not answer in the right form yet; these points are left out of the fit."
    )
