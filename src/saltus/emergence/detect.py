"""`detect` and `detect_all`: from points to findings. Fit each series, test all together, decide, explain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from saltus.emergence.analysis import Analysis, Options, enough_scales
from saltus.emergence.finding import too_few
from saltus.emergence.items import Items, correlation_of
from saltus.emergence.parallel import Crew
from saltus.emergence.series import Series, build_series
from saltus.records import Finding, InputError, QValues, UsageError
from saltus.stats import benjamini_hochberg

TESTS = ("trend", "acceleration", "sharpness")


def detect_all(  # noqa: PLR0913 - each is an option of the command line
    points: Any,
    *,
    axis: str,
    tasks: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    tau: float | None = None,
    bootstraps: int = 1000,
    alpha: float = 0.05,
    min_scales: int = 4,
    progress: Callable[[int, int], None] | None = None,
    items: Items | None = None,
    workers: int = 1,
) -> list[Finding]:
    """Detect jumps in every series of the points, tested together.

    Args:
        points: Rows of `saltus.records.arrow.POINTS` as an Arrow table, a pandas or polars frame or
            mappings, or an object with a method `points()`.
        axis: "params", "flops", "tokens", "step", "loss", "released", "layers" or "width".
        tasks: Only these tasks.
        metrics: These metrics; by default the discontinuous metric that speaks for each task.
        seed: Of all randomness: same points, options and seed, same findings.
        tau: Noise between models of one size and recipe (standard deviation at a score of one half). By
            default one point, or what replicated scales say.
        bootstraps: Simulated data sets a test.
        alpha: False discovery rate, for each of the three tests apart.
        min_scales: Distinct places on the axis a verdict needs (three will do with eight points).
        progress: Called with the number of series done and their total.
        items: Per-item scores by (family, task, metric, variant): a mapping, or a function of these four that
            gives `ItemScores` or None (`saltus.store.Items` is one). Models that answered the same items
            share the luck of the draw; with the items, fits and tests allow for it, and find more.
        workers: Processes to use where there are many series; the findings are the same with any number.
            They import the main module, which then needs its `if __name__ == "__main__":`.

    Returns:
        One finding a series, sorted by family, task and metric.

    Raises:
        InputError: When the points cannot be used; one sentence with the mend.
        UsageError: For an unknown axis or an option out of range.
    """
    options = _options(alpha=alpha, tau=tau, bootstraps=bootstraps, min_scales=min_scales, seed=seed)
    series = build_series(points, axis=axis, tasks=tasks, metrics=metrics)
    return _detect(series, options, progress, items, workers)


def detect(
    points: Any,
    *,
    axis: str,
    seed: int = 0,
    tau: float | None = None,
    bootstraps: int = 1000,
    alpha: float = 0.05,
    min_scales: int = 4,
) -> Finding:
    """Detect a jump in the one series that the points hold; see `detect_all` for the arguments.

    Raises:
        InputError: When the points hold more than one series; the sentence names them.
    """
    options = _options(alpha=alpha, tau=tau, bootstraps=bootstraps, min_scales=min_scales, seed=seed)
    series = build_series(points, axis=axis)
    if len(series) > 1:
        names = [" ".join(p for p in (s.family, s.task, s.metric, s.variant, s.label) if p) for s in series]
        shown = "; ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        raise InputError(
            f"detect() takes one series and found {len(series)} along {axis}: {shown}. Filter the points, "
            "or call "
            "detect_all().",
            field="points",
        )
    return _detect(series, options, None, None, 1)[0]


def _options(*, alpha: float, tau: float | None, bootstraps: int, min_scales: int, seed: int) -> Options:
    """The options, refused where they cannot be."""
    if not 0 < alpha < 1:
        raise UsageError(f"alpha is {alpha:g}; it must lie between 0 and 1.", field="alpha")
    if bootstraps < 19:
        raise UsageError(f"bootstraps is {bootstraps}; a test at 5 % needs at least 19.", field="bootstraps")
    if tau is not None and not 0 <= tau < 1:
        raise UsageError(
            f"tau is {tau:g}; it is a standard deviation of scores, between 0 and 1.", field="tau"
        )
    return Options(alpha=alpha, tau=tau, bootstraps=bootstraps, min_scales=min_scales, seed=seed)


def _detect(
    series: list[Series],
    options: Options,
    progress: Callable[[int, int], None] | None,
    items: Items | None,
    workers: int,
) -> list[Finding]:
    enough = [one for one in series if enough_scales(one, options)]
    few = len(series) - len(enough)

    def told(done: int) -> None:
        if progress is not None:
            progress(few + done, len(series))

    if few:
        told(0)
    with Crew(workers, len(enough)) as crew:
        correlations = [None if items is None else correlation_of(one, items) for one in enough]
        tested: list[Analysis] = crew.analyse(enough, correlations, options, told)
        q = {test: benjamini_hochberg([a.p[test] for a in tested]) for test in TESTS}
        values = [QValues(*(float(q[test][place]) for test in TESTS)) for place in range(len(tested))]
        found = iter(crew.findings(tested, values, options))
    kept = {id(one) for one in enough}
    return [next(found) if id(one) in kept else too_few(one, options) for one in series]
