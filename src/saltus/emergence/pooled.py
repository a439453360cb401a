"""One finding a task over all families: a shared curve, each family shifted along the axis.

Families differ in recipe, so the same ability takes more or less scale; what they share is the course. A jump
that no family's few models show alone is found, or excluded, by all of them together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.emergence.analysis import DEFAULT_TAU, Analysis, Options, enough_scales, series_seed
from saltus.emergence.axis import AxisMap
from saltus.emergence.cut import POOLED
from saltus.emergence.finding import finding_of, points_of, too_few
from saltus.emergence.remarks import listed
from saltus.emergence.scores import Progress, noise_of, progress_of
from saltus.emergence.series import Series, build_series
from saltus.emergence.verdict import interval
from saltus.records import Finding, QValues, UsageError
from saltus.records.findings import FamilyOnset
from saltus.stats import CurveFit, Draws, Noise, TestResult, benjamini_hochberg, refine, shape_grid
from saltus.stats.hierarchical import (
    NODES,
    SharedCurve,
    Spread,
    estimate_spread,
    flat_level,
    measure_anew,
    thinned,
)
from saltus.stats.sampling import monte_carlo_p

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_TESTS = ("trend", "acceleration", "sharpness")
_DENSITY, _FINE = 13, 49  # places tried for a midpoint: by the tests, by the intervals
_EXPONENTS = tuple(np.geomspace(0.03, 3.0, 24).tolist())
_DRAWS = 1000
_UNLIKELY = 0.02  # posterior weight under which a spread of the families is left out of the draws
_PRIOR_DF = 4.0


@dataclass(frozen=True)
class _Pool:
    """The series of several families, end to end."""

    series: Series  # all points, in order of the axis
    families: tuple[str, ...]
    group: Index
    axis: AxisMap
    progress: Progress
    u: Floats
    y: Floats
    noise: Noise
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PooledAnalysis(Analysis):
    """An analysis whose curves and intervals are those of the typical family."""

    typical: Draws | None = None

    def draws(self, *, rising: bool) -> Draws:
        """Curves of the typical family that the data allow."""
        if self.typical is None or not rising:
            return super().draws(rising=rising)
        return self.typical


@dataclass(frozen=True)
class _Fitted:
    pool: _Pool
    analysis: PooledAnalysis
    spread: Spread
    shifts: Floats  # draws of the families' shifts, shape (draws, families)


def detect_pooled(  # noqa: PLR0913 - each is an option of the command line
    points: Any,
    *,
    axis: str,
    tasks: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    tau: float | None = None,
    bootstraps: int = 400,
    alpha: float = 0.05,
    min_scales: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Detect jumps over all families at once, one finding a task, metric and setting; see `detect_all`.

    The curve is shared, families are shifted along the axis by normal amounts whose spread is estimated (how
    much scale their recipe saves or costs) and lie higher or lower by normal amounts. Onset, rise and width
    are those of the typical family; `Finding.families` has each family's own onset.

    Raises:
        InputError: When the points cannot be used; one sentence with the mend.
        UsageError: For an option out of range, or an axis along which there is nothing to pool.
    """
    if axis in ("step", "capability"):
        why = (
            "a series along step is one model and not one family"
            if axis == "step"
            else "families share that axis as it is"
        )
        raise UsageError(f"Findings along {axis} cannot be pooled: {why}; drop the pooling.", field="axis")
    if not 0 < alpha < 1:
        raise UsageError(f"alpha is {alpha:g}; it must lie between 0 and 1.", field="alpha")
    if bootstraps < 19:
        raise UsageError(f"bootstraps is {bootstraps}; a test at 5 % needs at least 19.", field="bootstraps")
    if tau is not None and not 0 <= tau < 1:
        raise UsageError(
            f"tau is {tau:g}; it is a standard deviation of scores, between 0 and 1.", field="tau"
        )
    options = Options(alpha=alpha, tau=tau, bootstraps=bootstraps, min_scales=min_scales, seed=seed)
    together: dict[tuple[str, ...], list[Series]] = defaultdict(list)
    for one in build_series(points, axis=axis, tasks=tasks, metrics=metrics):
        together[one.task, one.metric, one.variant, one.label].append(one)
    pools = [_pool(parts, options) for _, parts in sorted(together.items())]
    fitted: list[_Fitted | None] = []
    for done, pool in enumerate(pools, 1):
        fitted.append(_fit(pool, options) if _enough(pool, options) else None)
        if progress is not None:
            progress(done, len(pools))
    tested = [fit for fit in fitted if fit is not None]
    q = {test: benjamini_hochberg([fit.analysis.p[test] for fit in tested]) for test in _TESTS}
    out, place = [], 0
    for pool, fit in zip(pools, fitted, strict=True):
        if fit is None:
            out.append(_too_few(pool, options))
            continue
        values = QValues(*(float(q[test][place]) for test in _TESTS))
        place += 1
        out.append(_finding(fit, values, len(tested), options))
    return out


def _pool(parts: Sequence[Series], options: Options) -> _Pool:
    """Lay the series of several families end to end, in order of the axis."""
    x = np.concatenate([one.x for one in parts])
    group = np.repeat(np.arange(len(parts)), [len(one.x) for one in parts])
    order = np.lexsort((group, x))
    rows = [row for one in parts for row in one.rows]
    present = np.unique(group)
    names = tuple(parts[f].family or "(no family)" for f in present)
    group = np.searchsorted(present, group)[order]
    y = np.concatenate([one.y for one in parts])[order]
    notes = tuple(dict.fromkeys(f"{one.family}: {note}" for one in parts for note in one.notes))
    label = ", ".join(part for part in (listed(names, 4), parts[0].label) if part)
    series = replace(
        parts[0],
        family=POOLED,
        label=label,
        rows=tuple(rows[i] for i in order.tolist()),
        x=x[order],
        y=y,
        aside=tuple(point for one in parts for point in one.aside),
        notes=notes,
        partners=_partners(parts, order),
    )
    if not len(y):
        return _Pool(
            series, names, group, AxisMap(series.axis, 1, 1), Progress(series.metric, 0, 1), y, y,
            Noise(y, None, 0.0), (),
        )  # fmt: skip
    turned = progress_of(series.metric, y)
    axis = AxisMap(series.axis, float(series.x.min()), float(series.x.max()))
    tau = DEFAULT_TAU if options.tau is None else options.tau
    noise, assumed = noise_of(turned, y, series.column("n"), series.column("stderr"), tau)
    told = () if assumed is None else (assumed,)
    return _Pool(series, names, group, axis, turned, axis.forward(series.x), turned.forward(y), noise, told)


def _partners(parts: Sequence[Series], order: Index) -> dict[str, tuple[Floats, Floats]]:
    """Other metrics of the same responses, NaN in families that lack them."""
    out: dict[str, tuple[Floats, Floats]] = {}
    for name in sorted({name for one in parts for name in one.partners}):
        blank = [(np.full(len(one.x), np.nan),) * 2 for one in parts]
        found = [one.partners.get(name, none) for one, none in zip(parts, blank, strict=True)]
        values, errors = (np.concatenate([pair[i] for pair in found])[order] for i in (0, 1))
        out[name] = values, errors
    return out


def _enough(pool: _Pool, options: Options) -> bool:
    """Whether there are two families with two scales each, and the scales that a verdict needs."""
    scales = [len(np.unique(pool.u[pool.group == f])) for f in range(len(pool.families))]
    return sum(count >= 2 for count in scales) >= 2 and enough_scales(pool.series, options)


def _too_few(pool: _Pool, options: Options) -> Finding:
    finding = too_few(pool.series, options)
    told = (
        f"Pooling takes two families with two scales each; there are {listed(pool.families)}."
        if pool.families
        else "No family has a usable score."
    )
    return msgspec.structs.replace(finding, reasons=(told, *finding.reasons))


def _fit(pool: _Pool, options: Options) -> _Fitted:
    """Estimate how far families differ, test, and draw the typical family's curves."""
    grid = shape_grid(pool.u, density=_DENSITY, exponents=_EXPONENTS)
    rows = thinned(grid)
    variance = _variance(pool)
    spreads = estimate_spread(grid, rows, pool.u, pool.group, variance, pool.y)
    spread = spreads[0][0]
    curve = SharedCurve(grid, rows, pool.u, pool.group, variance, spread)
    dispersion = _dispersion(curve, pool)
    seed = series_seed(pool.series, options)
    p = _Tests(curve, pool, dispersion, options).run(np.random.default_rng([seed, 0]))
    typical, shifts = _typical(pool, variance, spreads, dispersion, np.random.default_rng([seed, 1]))
    return _Fitted(pool, _aligned(pool, curve, p, typical, shifts, seed), spread, shifts)


def _variance(pool: _Pool) -> Floats:
    """Variance of each point about a curve through all families."""
    rough = CurveFit(shape_grid(pool.u, density=_DENSITY), pool.y, pool.noise)
    return np.asarray(pool.noise.variance(rough.curve(rough.best.row)))


def _dispersion(curve: SharedCurve, pool: _Pool) -> float:
    """How much more the points scatter about the best shared curve than noise and families explain."""
    found, _ = curve.profile(pool.y[None])
    return max(1.0, (float(found.min()) + _PRIOR_DF) / (max(len(pool.y) - 4, 1) + _PRIOR_DF))


class _Tests:
    """The three tests by parametric bootstrap: families are drawn anew, and their models measured anew."""

    def __init__(self, curve: SharedCurve, pool: _Pool, dispersion: float, options: Options) -> None:
        grid, rows = curve.grid, curve.rows
        self._curve, self._pool, self._dispersion = curve, pool, dispersion
        self._draws = options.bootstraps
        self._gradual = rows < grid.gradual.stop
        self._broad = (rows >= grid.broad.start) & (rows < grid.broad.stop)
        self._narrow = (rows >= grid.narrow.start) & (rows < grid.narrow.stop)
        self._marginal = curve.marginal(pool.y)
        # Where nothing depends on the axis, families differ by their levels alone: the test of a trend grants
        # them all of that, so that it rests on what happens within families.
        variance = pool.noise.variance(pool.y)
        self._flat = Spread(curve.spread.shift, flat_level(pool.group, variance, pool.y))
        self._within = SharedCurve(grid, rows, pool.u, pool.group, curve.variance, self._flat)

    def run(self, rng: np.random.Generator) -> dict[str, TestResult]:
        """Every test by its name."""
        return {test: self._test(test, rng) for test in _TESTS}

    def _test(self, test: str, rng: np.random.Generator) -> TestResult:
        observed = float(self._statistic(test, self._pool.y[None])[0])
        if test != "trend" and observed <= 0:
            return TestResult(observed, 1.0, 0)

        def simulate(size: int) -> Floats:
            return self._statistic(test, self._null(test, size, rng))

        read = monte_carlo_p(simulate, observed, draws=self._draws, tolerance=1e-6)
        return TestResult(observed, float(read.p), read.draws, read.reading)

    def _statistic(self, test: str, y: Floats) -> Floats:
        if test == "trend":
            return np.asarray(self._within.flat(y) - self._within.profile(y)[0].min(1))
        rss, amplitude = self._curve.profile(y)
        rising = np.where(amplitude > 0, rss, np.inf)
        gradual = rss[:, self._gradual].min(1)
        if test == "acceleration":
            return np.asarray(gradual - rising[:, ~self._gradual].min(1))
        broad = rising[:, self._broad].min(1, initial=np.inf)
        return np.asarray(np.minimum(gradual, broad) - rising[:, self._narrow].min(1))

    def _null(self, test: str, size: int, rng: np.random.Generator) -> Floats:
        """Data sets under the null's own best curve."""
        curve, pool, spread = self._curve, self._pool, self._curve.spread
        count = len(pool.families)
        if test == "trend":
            level = self._flat.level
            mean = np.full((size, len(pool.y)), float(np.average(pool.y, weights=1 / curve.variance)))
        else:
            level = spread.level
            deviance, amplitude = self._marginal.deviance, self._marginal.amplitude
            usable = self._gradual.copy()
            if test == "sharpness":
                usable |= self._broad & (amplitude > 0)
            best = int(np.argmin(np.where(usable, deviance, np.inf)))
            shift = np.clip(rng.standard_normal((size, count)), NODES[0], NODES[-1]) * spread.shift
            at = pool.u[None, :] - shift[:, pool.group]
            shape = curve.grid.curves(curve.rows[[best]], at.ravel()).reshape(at.shape)
            mean = self._marginal.level[best] + amplitude[best] * shape
        mean = mean + level * rng.standard_normal((size, count))[:, pool.group]
        return measure_anew(pool.noise, mean, self._dispersion, rng)


def _typical(
    pool: _Pool,
    variance: Floats,
    spreads: Sequence[tuple[Spread, float]],
    dispersion: float,
    rng: np.random.Generator,
) -> tuple[Draws, Floats]:
    """Curves of the typical family that the data allow, and the families' shifts with each."""
    grid = shape_grid(pool.u, density=_FINE, exponents=_EXPONENTS)
    rows = np.arange(len(grid.code))
    size = np.bincount(grid.code, minlength=int(grid.code.max()) + 1)
    log_prior = -np.log(size[grid.code])
    u = np.linspace(grid.low, grid.high, 161)
    likely = [(spread, weight) for spread, weight in spreads if weight >= _UNLIKELY]
    share = np.array([weight for _, weight in likely])
    curves, shifts = [], []
    for (spread, _), count in zip(likely, rng.multinomial(_DRAWS, share / share.sum()), strict=True):
        curve = SharedCurve(grid, rows, pool.u, pool.group, variance, spread)
        pick, level, amplitude, moved = curve.draw(pool.y, log_prior, int(count), dispersion, rng)
        curves.append(level[:, None] + amplitude[:, None] * grid.curves(pick, u, rng))
        shifts.append(moved)
    y = np.concatenate(curves)
    return Draws(u, np.clip(y, 0.0, 1.0) if pool.progress.share else y), np.concatenate(shifts)


def _aligned(
    pool: _Pool, curve: SharedCurve, tests: dict[str, TestResult], typical: Draws, shifts: Floats, seed: int
) -> PooledAnalysis:
    """The points moved to where they would lie if every family were the typical one."""
    middle = shifts.mean(0)
    u = pool.u - middle[pool.group]
    fit = CurveFit(shape_grid(u), pool.y, pool.noise)
    gap = pool.y - fit.curve(fit.best.row)
    weight = 1 / pool.noise.variance(pool.y)
    for f in range(len(pool.families)):  # the family's level, shrunk towards that of the others
        some = pool.group == f
        level = curve.spread.level**2
        total = float(weight[some].sum())
        gap[some] = level * total / (1 + level * total) * float(np.average(gap[some], weights=weight[some]))
    y = pool.y - gap
    order = np.argsort(u, kind="stable")
    u, y, noise = u[order], y[order], pool.noise.at(order)
    grid = shape_grid(u)
    fit = CurveFit(grid, y, noise)
    raw = pool.series
    series = replace(
        raw,
        rows=tuple(raw.rows[i] for i in order.tolist()),
        x=pool.axis.back(u),
        y=raw.y[order],
        partners={name: (v[order], e[order]) for name, (v, e) in raw.partners.items()},
    )
    return PooledAnalysis(
        series, pool.axis, pool.progress, np.arange(len(y)), u, y, noise, fit, refine(fit), tests, None,
        pool.notes, seed, typical=typical,
    )  # fmt: skip


def _finding(fitted: _Fitted, q: QValues, tested: int, options: Options) -> Finding:
    """The finding on the typical family, with each family's onset and the points where they were measured."""
    pool = fitted.pool
    finding = finding_of(fitted.analysis, q, tested, options)
    onsets = () if finding.onset is None else _onsets(fitted, options)
    told = [_spread_words(fitted)]
    if onsets:
        told.append(_order_words(pool, onsets))
    return msgspec.structs.replace(
        finding,
        points=points_of(pool.series, set(range(len(pool.y)))),
        families=onsets,
        n_scales=len(np.unique(pool.series.x)),
        reasons=(finding.reasons[0], *told, *finding.reasons[1:]),
    )


def _onsets(fitted: _Fitted, options: Options) -> tuple[FamilyOnset, ...]:
    pool, typical = fitted.pool, fitted.analysis.typical
    assert typical is not None  # noqa: S101 - every fit draws curves
    at = np.minimum(typical.onset(options.threshold), typical.u[-1])
    out = []
    for f, name in enumerate(pool.families):
        where = interval(pool.axis.back(at + fitted.shifts[:, f]), options.level)
        out.append(FamilyOnset(name, where, int((pool.group == f).sum())))
    return tuple(sorted(out, key=lambda one: one.onset.value))


def _order_words(pool: _Pool, onsets: Sequence[FamilyOnset]) -> str:
    first, last = onsets[0], onsets[-1]
    return (
        f"The first family to leave its floor is {first.family}, near {pool.axis.place(first.onset.value)}, "
        f"the last {last.family}, near {pool.axis.place(last.onset.value)}."
    )


def _spread_words(fitted: _Fitted) -> str:
    pool, spread = fitted.pool, fitted.spread
    far = (
        f"a factor of {10**spread.shift:.2g} on the axis"
        if pool.axis.logarithmic
        else f"{spread.shift * (pool.axis.high - pool.axis.low) / 2:.2g} on the axis"
    )
    return (
        f"Onset, rise and curve are those of the typical of {len(pool.families)} families; they differ by "
        f"{far} and by {spread.level:.3f} in score (standard deviations)."
    )
