"""`timelines`: all changes of every curve along training, tested together; `emergence.lags` aligns them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saltus._version import __version__
from saltus.emergence.axis import count, place
from saltus.emergence.training import TrainingCurve, training_curves
from saltus.records import Change, Interval, Timeline, UsageError
from saltus.stats import benjamini_hochberg
from saltus.stats.changepoints import FEWEST, MOST, ChangeFit, ChangePoint, change_points
from saltus.stats.noise import Noise, pilot

Floats = NDArray[np.float64]

_TAU = 0.003  # checkpoints of one run differ by this beyond sampling, at a score of one half


def timelines(
    points: Any,
    *,
    axis: str = "step",
    tasks: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    alpha: float = 0.05,
    progress: Callable[[int, int], None] | None = None,
) -> list[Timeline]:
    """Find all changes of every curve along training.

    Each curve is tested against smooth curves that never change; a curve keeps its changes if the false
    discovery rate over all curves looked at together allows it (Benjamini and Hochberg 1995).

    Args:
        points: Rows of `saltus.records.arrow.POINTS` in any form that `detect` takes. A metric that Saltus
            does not know is any number: an induction score, a norm, a rank.
        axis: "step" or "tokens".
        tasks: Only these; "internals" for scalars that belong to no task.
        metrics: Only these; by default each task's headline metric, its first continuous companion, and all
            scalars.
        seed: Kept in the record; nothing here is drawn anew from run to run.
        alpha: False discovery rate over curves, and chance of a false change within one.
        progress: Called with the number of curves done and their total.

    Returns:
        One timeline a curve, by family, run, task and metric; without changes where there are none.

    Raises:
        InputError: When the points cannot be used; one sentence with the mend.
        UsageError: For an axis that is not a training axis or an alpha outside (0, 1).
    """
    if not 0 < alpha < 1:
        raise UsageError(f"alpha is {alpha:g}; it must lie between 0 and 1.", field="alpha")
    curves = training_curves(points, axis=axis, tasks=tasks, metrics=metrics)
    fits: list[ChangeFit | None] = []
    for done, curve in enumerate(curves, 1):
        fits.append(_fit(curve, alpha))
        if progress is not None:
            progress(done, len(curves))
    tested = [fit for fit in fits if fit is not None]
    q = iter(benjamini_hochberg([fit.p for fit in tested]).tolist())
    return [
        _timeline(c, f, None if f is None else next(q), len(tested), alpha, seed)
        for c, f in zip(curves, fits, strict=True)
    ]


def _fit(curve: TrainingCurve, alpha: float) -> ChangeFit | None:
    """The changes of one curve; None where it has too few checkpoints or never moves."""
    if len(curve.x) < FEWEST or float(np.ptp(curve.y)) == 0:
        return None
    if len(curve.x) > MOST:
        curve = _averaged(curve)
    if not curve.share or not np.isfinite(curve.n).all():
        known = np.isfinite(curve.stderr).all() and bool((curve.stderr > 0).all()) and not curve.share
        return change_points(curve.x, curve.y, variance=curve.stderr**2 if known else None, alpha=alpha)
    noise = Noise(np.maximum(curve.n, 1.0), None, _TAU)
    mean = pilot(np.log10(curve.x), curve.y, curve.n)
    first = change_points(curve.x, curve.y, variance=noise.variance(mean), alpha=alpha)
    return change_points(curve.x, curve.y, variance=noise.variance(first.fitted), alpha=alpha)


def _averaged(curve: TrainingCurve) -> TrainingCurve:
    """Means of neighbouring checkpoints, so that at most `MOST` are left."""
    size = -(-len(curve.x) // MOST)
    starts = np.arange(0, len(curve.x), size)
    counts = np.diff(np.append(starts, len(curve.x)))

    def mean(values: Floats) -> Floats:
        return np.asarray(np.add.reduceat(values, starts) / counts)

    return replace(
        curve,
        x=np.exp(mean(np.log(curve.x))),
        y=mean(curve.y),
        n=np.add.reduceat(curve.n, starts),
        stderr=np.sqrt(mean(curve.stderr**2) / counts),
    )


def _timeline(
    curve: TrainingCurve, fit: ChangeFit | None, q: float | None, tested: int, alpha: float, seed: int
) -> Timeline:
    stands = fit is not None and q is not None and q <= alpha
    found = fit.changes if fit is not None and stands else ()
    reasons = (
        [_summary(curve, fit, q, tested, alpha)]
        if not found
        else [sentence(curve, change) for change in found]
    )
    if found and fit is not None and fit.correlation >= 0.3:
        reasons.append(
            f"The noise of neighbouring checkpoints is alike (lag-1 autocorrelation {fit.correlation:.2f}); "
            "tests and intervals allow for it."
        )
    if fit is not None and fit.odd and len(curve.x) <= MOST:
        where = ", ".join(place(curve.axis, float(curve.x[i])) for i in fit.odd[:3])
        reasons.append(
            f"The value at {where} stands alone, far from those around it, and counts for nothing."
        )
    return Timeline(
        family=curve.family,
        series=curve.series,
        task=curve.task,
        metric=curve.metric,
        axis=curve.axis,
        changes=tuple(
            Change(kind=c.kind, at=Interval(c.at, c.low, c.high), size=c.size, p=c.p) for c in found
        ),
        reasons=(*reasons, *curve.notes),
        n_points=len(curve.x),
        seed=seed,
        version=__version__,
    )


def _summary(curve: TrainingCurve, fit: ChangeFit | None, q: float | None, tested: int, alpha: float) -> str:
    """Why no change is reported."""
    if fit is None:
        if len(curve.x) < FEWEST:
            return f"{len(curve.x)} checkpoints are too few to look for changes; {FEWEST} are needed."
        return "The value is the same at all checkpoints."
    if fit.p <= alpha and q is not None and q > alpha:
        return (
            f"A change that would stand alone ({_p(fit.p)}) does not stand among the {tested} curves "
            f"that were looked at together (q = {q:.2g})."
        )
    return f"A smooth curve without a change describes it (the strongest candidate has {_p(fit.p)})."


def sentence(curve: TrainingCurve, change: ChangePoint) -> str:
    """One change in words."""
    where = place(curve.axis, change.at)
    span = f"[{count(curve.axis, change.low)}, {count(curve.axis, change.high)}]"
    certain = f"({_p(change.p)})"
    up = change.size > 0
    match change.kind:
        case "level":
            between = f"{count(curve.axis, change.low)} and {count(curve.axis, change.high)}"
            up_or_down = "up" if up else "down"
            return (
                f"It jumps {up_or_down} by {abs(change.size):.3g}, beginning between {curve.axis} {between} "
                f"{certain}."
            )
        case "onset":
            moves = f"{'rises' if up else 'falls'} by {abs(change.size):.3g}"
            return f"It leaves its floor at {where} {span} and {moves} {certain}."
        case _:
            turn = f"{'gains' if up else 'loses'} {abs(change.size):.3g} a decade"
            return f"Its rate {turn} at {where} {span} {certain}."


def _p(p: float) -> str:
    return f"p = {p:.2g}" if p >= 1e-6 else "p < 1e-6"
