"""One series fitted and tested: everything a verdict is made from, before the series are compared."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.emergence.axis import TRAINING, AxisMap
from saltus.emergence.outlier import Outlier, find_outlier
from saltus.emergence.scores import Progress, noise_of, progress_of
from saltus.emergence.series import Series
from saltus.records import content_hash
from saltus.stats import (
    FINE_EXPONENTS,
    CurveFit,
    Draws,
    Noise,
    RefinedFit,
    ShapeGrid,
    Test,
    bootstrap_p,
    draw_curves,
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
        bootstraps: Simulated data sets a test.
        most: Go on to so many where none of the first reached the observed value.
        min_scales: Distinct places on the axis that a verdict needs.
        seed: Of all randomness.
        level: Of all intervals.
    """

    alpha: float = 0.05
    threshold: float = 0.05
    tau: float | None = None
    bootstraps: int = 1000
    most: int = 1000
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
        p: P-values of the tests "trend", "acceleration", "sharpness".
        outlier: A point that breaks the axis.
        notes: What was assumed or left out.
        p_fine: P-value of acceleration against saturating power laws on a finer grid of exponents, where the
            standard grid finds acceleration; 0 where that was not asked.
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
    p: dict[str, float]
    outlier: Outlier | None
    notes: tuple[str, ...]
    seed: int
    p_fine: float

    def draws(self, *, rising: bool) -> Draws:
        """Curves that the data allow."""
        rng = np.random.default_rng([self.seed, 1, int(rising)])
        return draw_curves(
            self.refined, rng, rising=rising, bounds=(0.0, 1.0) if self.progress.share else None
        )


class Grids:
    """Coarse grids by coordinates: the series of one run mostly share theirs."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, str], ShapeGrid] = {}

    def get(self, u: Floats, axis: str) -> ShapeGrid:
        """The grid for points at `u`, built once."""
        key = (u.tobytes(), axis)
        if key not in self._known:
            self._known[key] = shape_grid(u, training=axis in TRAINING, plain=axis == "layers")
        return self._known[key]


def enough_scales(series: Series, options: Options) -> bool:
    """Whether there are the scales that a verdict needs; three will do where eight points replicate them."""
    distinct = len(np.unique(series.x))
    return distinct >= options.min_scales or (distinct == 3 and len(series.x) >= _REPLICATED)


def series_seed(series: Series, options: Options) -> int:
    """A seed of its own for each series, whatever the order in which they are tested."""
    name = [series.family, series.task, series.metric, series.variant, series.axis, series.label]
    return int(content_hash([options.seed, *name], length=12), 16)


def analyse(series: Series, options: Options, grids: Grids) -> Analysis:
    """Fit and test one series that has enough scales."""
    notes: list[str] = []
    axis = AxisMap(series.axis, float(series.x.min()), float(series.x.max()))
    u, progress = axis.forward(series.x), progress_of(series.metric, series.y)
    y = progress.forward(series.y)
    tau = DEFAULT_TAU if options.tau is None else options.tau
    noise, assumed = noise_of(progress, series.y, series.column("n"), series.column("stderr"), tau)
    if assumed:
        notes.append(assumed)
    used = np.arange(len(y))
    lead = _below_chance_lead(series, u, y, noise, options)
    if lead:
        used = used[u > np.unique(u)[lead - 1]]
        notes.append(_lead_note(series, axis, lead))
    if options.tau is None:
        tau, free = estimate_tau(u[used], y[used], noise.at(used), tau)
        noise = Noise(noise.n, noise.se, tau)
        if free:
            notes.append(
                f"Noise between like models is estimated at {tau:.3f} from replicated scales ({free} "
                "degrees of freedom)."
            )
    outlier = find_outlier(series, used, u, y, noise, lambda v: grids.get(v, series.axis))
    if outlier is not None:
        used = used[used != outlier.index]
    part = noise.at(used)
    training = series.axis in TRAINING
    fit = CurveFit(grids.get(u[used], series.axis), y[used], part, concave=training)
    refined = refine(fit)
    seed = series_seed(series, options)
    p = run_tests(fit, refined, seed, options, training=training)
    p_fine = 0.0
    if not training and p["acceleration"] <= options.alpha:
        p_fine = _against_fine_exponents(fit, refined, seed, options)
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
        p,
        outlier,
        tuple(notes),
        seed,
        p_fine,
    )


def run_tests(
    fit: CurveFit, refined: RefinedFit, seed: int, options: Options, *, training: bool
) -> dict[str, float]:
    """P-values of the three tests.

    Along training, acceleration must also be more than any curve whose rate never rises can describe: the
    larger of the two p-values counts.
    """
    rng = np.random.default_rng([seed, 0])
    dispersion = min(fit.dispersion, refined.fit.dispersion)
    p: dict[str, float] = {}
    tests: tuple[Test, ...] = ("trend", "acceleration", "sharpness")
    for test in tests:
        result = bootstrap_p(
            fit,
            test,
            rng,
            draws=options.bootstraps,
            most=options.most,
            dispersion=dispersion,
        )
        p[test] = result.p
    if training:
        p["acceleration"] = max(p["acceleration"], fit.concave_misfit())
    return p


def _against_fine_exponents(fit: CurveFit, refined: RefinedFit, seed: int, options: Options) -> float:
    """Test acceleration once more: a power law between two exponents of the grid must not pass for a jump."""
    grid = shape_grid(fit.grid.u, exponents=FINE_EXPONENTS)
    fine = CurveFit(grid, fit.y, fit.noise)
    dispersion = min(fit.dispersion, refined.fit.dispersion)
    rng = np.random.default_rng([seed, 3])
    return bootstrap_p(fine, "acceleration", rng, draws=options.bootstraps, dispersion=dispersion).p


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


def _lead_note(series: Series, axis: AxisMap, lead: int) -> str:
    last = float(np.unique(series.x)[lead - 1])
    return (
        f"Up to {axis.place(last)} the score lies clearly below chance ({series.chance:.2f}), as from a "
        "model that "
        "does not answer in the right form yet; these points are left out of the fit."
    )
