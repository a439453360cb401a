"""Early warnings: signs along one training run, before a score jumps, that it may.

`early_warnings` takes the points of the checkpoints so far (and, where there are any, per-sample marks and
scalars from inside the network) and returns every warning that stands. `saltus.stats.warning` has the
statistics; `MEASURED` says how often each indicator was wrong and how early it was right. `saltus watch`
calls it after each checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus._version import __version__
from saltus.emergence.axis import TRAINING, place
from saltus.emergence.marks import Marks, marks_of
from saltus.emergence.places import joined, places_along
from saltus.emergence.points import read_points
from saltus.emergence.scores import Progress, is_share
from saltus.emergence.series import Series, build_series
from saltus.records import METRICS, EarlyWarning, Interval, UsageError, metric_info
from saltus.stats.warning import (
    LEAST,
    WINDOW,
    Looks,
    epoch_ratios,
    flip_ratios,
    leaves_floor,
    rate_rises,
    slowing,
)

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Scalars: TypeAlias = Mapping[str, tuple[Any, Any]]

KINDS = ("continuous", "flicker", "flicker:epochs", "progress", "variance", "autocorrelation")
DEFAULT = ("continuous",)  # the others were wrong too often, or never in time: see MEASURED
STEP = 0.05  # a score that is this much over its floor, beyond the noise, has moved
DOUBTFUL = 0.1  # false alarms above which a warning says so
TOP = 0.9  # a share above this has no room for a jump


class Measured(msgspec.Struct, frozen=True):
    """How one indicator did on training runs of the embedded family.

    Attributes:
        wrong: Series in which it warned of a jump that did not come.
        still: Series without a jump.
        warned: Jumps before which it warned, at a third of their place at the earliest.
        jumps: Series with a jump.
        lead: Jump's place over the warning's: median, range, and the chance that the next lies in the range.
    """

    wrong: int
    still: int
    warned: int
    jumps: int
    lead: Interval | None = None

    @property
    def false_alarms(self) -> float:
        """Share of the series without a jump in which it warned."""
        return self.wrong / self.still


# Printed by `python benchmarks/early_warning.py replay`: seeds of 2x64 and 1x48, five tasks (scalars and
# epochs: recall). `continuous` was in time for recite alone, whose answer is eight letters long. Recall was
# announced by the previous-token head in every run, and so it was in five of six controls, where recall never
# comes; the induction head moves with the score. Addition was announced by nothing.
MEASURED: dict[str, Measured] = {
    "continuous": Measured(3, 45, 6, 15, Interval(1.36, 1.20, 1.40, 0.71)),
    "flicker": Measured(6, 45, 0, 15),
    "variance": Measured(0, 45, 3, 15, Interval(1.12, 1.06, 1.15, 0.50)),
    "autocorrelation": Measured(0, 45, 0, 15),
    "progress:previous_token": Measured(5, 6, 6, 6, Interval(1.28, 1.03, 1.99, 0.71)),
    "progress:induction": Measured(2, 6, 1, 6, Interval(2.85, 2.85, 2.85, 0.0)),
    "progress:duplicate": Measured(0, 6, 0, 6),
    "progress:delimiter": Measured(5, 6, 5, 6, Interval(2.32, 1.38, 2.85, 0.67)),
    "progress:fixed_distance": Measured(2, 6, 0, 6),
    "progress:copying": Measured(0, 6, 0, 6),
    "progress:source": Measured(0, 6, 0, 6),
    "progress:repeat_gain": Measured(0, 6, 0, 6),
    "progress:weight_norm": Measured(6, 6, 0, 6),
    "flicker:epochs": Measured(0, 6, 0, 6),
}


def early_warnings(
    points: Any,
    *,
    task: str | None = None,
    axis: str = "step",
    samples: Any = None,
    scalars: Scalars | None = None,
    seed: int = 0,
    alpha: float = 0.05,
    indicators: Sequence[str] = DEFAULT,
) -> list[EarlyWarning]:
    """All warnings that stand at the checkpoints given.

    What is said of a checkpoint rests on it and on those before, so that one more checkpoint withdraws
    nothing. An indicator warns once for each stretch in which the score could still jump: not where it has
    just moved by .05, and not above .9. In a whole run each indicator warns by chance with a probability of
    at most alpha.

    Args:
        points: Rows of `saltus.records.arrow.POINTS` in any form that `detect` takes.
        task: Only this one; all by default.
        axis: "step" or "tokens".
        samples: Per-sample scores as `store.scores(...).arrow()` gives them: an Arrow table, or a mapping, of
            the columns model (or step), task, metric, sample, epoch, value. Needed for flicker.
        scalars: What was measured inside the network, by name: its places along the axis and its values. For
            "progress", which also takes metrics of the task that Saltus does not know from the points.
        seed: Of the surrogates for variance and autocorrelation.
        alpha: Chance of any false warning of one indicator in one run.
        indicators: Of `KINDS`; by default those that were wrong in at most a tenth of the training runs and
            in time before a third of the jumps.

    Returns:
        In order of place; empty with fewer than six checkpoints.

    Raises:
        UsageError: For an axis that is not a training axis, an unknown indicator, an alpha outside (0, 1), or
            scalars beside points of several runs.
        InputError: As for `build_series`; or samples that lack a column.
    """
    _check(axis, indicators, alpha)
    runs = _series(points, axis, task)
    if scalars and len({(run.family, run.label) for run in runs}) > 1:
        raise UsageError(
            f"scalars belong to one training run, the points hold {len({run.label for run in runs})}; "
            "call early_warnings for each run",
            field="scalars",
        )
    marks = None if samples is None else marks_of(samples)
    inside = [(name, *_scalar(name, given)) for name, given in (scalars or {}).items()]
    shared = {name: (x, leaves_floor(x, y)) for name, x, y in inside} if "progress" in indicators else {}
    out: list[EarlyWarning] = []
    for run in runs:
        for name, x, looks in _indicators(run, marks, indicators, seed):
            out += _raised(run, name, x, looks, alpha, seed)
        for name, (x, looks) in shared.items():
            out += _raised(run, f"progress:{name}", x, looks, alpha, seed)
    return sorted(out, key=lambda w: (w.at, w.family, w.series, w.task, w.indicator))


def _check(axis: str, indicators: Sequence[str], alpha: float) -> None:
    if axis not in TRAINING:
        raise UsageError(f"early warnings go along step or tokens, not {axis!r}", field="axis")
    if unknown := [name for name in indicators if name not in KINDS]:
        raise UsageError(
            f"there is no indicator {unknown[0]!r}; choose of {', '.join(KINDS)}", field="indicators"
        )
    if not 0 < alpha < 1:
        raise UsageError(f"alpha is {alpha:g}, it must be above 0 and below 1", field="alpha")


def _series(points: Any, axis: str, task: str | None) -> list[Series]:
    """The runs with enough checkpoints for a look, on scores that are shares."""
    table = read_points(points)
    x = places_along(table, axis).x
    who = joined(*(table.codes(name)[0] for name in ("family", "name", "model_seed")))
    known = np.isfinite(x)
    both = np.unique(np.column_stack([who[known], x[known]]), axis=0)
    if not len(both) or np.unique(both[:, 0], return_counts=True)[1].max() < LEAST:
        return []
    runs = build_series(table, axis=axis, tasks=None if task is None else [task])
    return [run for run in runs if len(run.x) >= LEAST and is_share(run.metric)]


def _scalar(name: str, given: tuple[Any, Any]) -> tuple[Floats, Floats]:
    """Places and values in order, the last where a place is there twice."""
    x, y = (np.asarray(part, float) for part in given)
    if x.ndim != 1 or x.shape != y.shape:
        raise UsageError(
            f"the scalar {name!r} has places of shape {x.shape} and values of shape {y.shape}; "
            "give one value a place",
            field="scalars",
        )
    known = np.isfinite(x) & np.isfinite(y)
    both = dict(zip(x[known].tolist(), y[known].tolist(), strict=True))
    order = sorted(both)
    return np.array(order, float), np.array([both[at] for at in order], float)


def _indicators(
    run: Series, marks: Marks | None, wanted: Sequence[str], seed: int
) -> Iterable[tuple[str, Floats, Looks]]:
    """Name, places and looks of each indicator of one run."""
    x, once = np.unique(run.x, return_index=True)
    if "continuous" in wanted and (partner := _continuous(run)):
        values = Progress(partner, 0.0, 1.0).forward(run.partners[partner][0][once])
        yield "continuous", x, rate_rises(x, values)
    if "progress" in wanted:
        for name, (values, _) in run.partners.items():
            if name.partition(",")[0] not in METRICS and metric_info(name).kind == "discontinuous":
                yield f"progress:{name}", x, leaves_floor(x, values[once])
    if marks is not None and ("flicker" in wanted or "flicker:epochs" in wanted):
        first, right, epochs = marks.along(run, once)
        if "flicker" in wanted:
            yield "flicker", x, rate_rises(x, flip_ratios(first))
        if "flicker:epochs" in wanted:
            yield "flicker:epochs", x, rate_rises(x, epoch_ratios(right, epochs))
    for kind in ("variance", "autocorrelation"):
        if kind in wanted:
            rng = np.random.default_rng([seed, KINDS.index(kind)])
            yield kind, x, slowing(run.y[once], _error(run)[once], kind, rng)


def _continuous(run: Series) -> str | None:
    """The continuous metric that stands beside the score, None when there is none."""
    info = metric_info(run.metric)
    others = [name for name in METRICS if METRICS[name].kind == "continuous" and not METRICS[name].neutral]
    return next((name for name in (*info.pairs, *others) if name in run.partners), None)


def _raised(
    run: Series, name: str, x: Floats, looks: Looks, alpha: float, seed: int
) -> Iterable[EarlyWarning]:
    """The first crossing in each stretch in which the score could jump."""
    at, could = _could_jump(run)
    last = np.searchsorted(at, x, side="right") - 1  # the newest score at each look
    warned = -1
    for i in np.flatnonzero(looks.corrected <= alpha):
        if last[i] < LEAST - 1 or not could[last[i]]:  # a scalar may have begun before the score
            continue
        if warned >= 0 and could[last[warned] : last[i] + 1].all():
            continue
        warned = int(i)
        yield _warning(run, name, float(x[i]), float(looks.statistic[i]), float(looks.corrected[i]), seed)


def _could_jump(run: Series) -> tuple[Floats, Bools]:
    """Places of the scores, and whether a jump may lie ahead: not where one has just been, nor at the top."""
    x, once = np.unique(run.x, return_index=True)
    y, error = run.y[once], _error(run)[once]
    chance = run.chance if run.chance is not None else -np.inf
    could = np.empty(len(y), bool)
    for i in range(len(y)):
        past = y[max(0, i - WINDOW) : i]
        floor = max(chance, float(np.median(past[: max(1, len(past) // 2)])) if len(past) else -np.inf)
        moved = np.isfinite(floor) and y[i] > floor + STEP + 2 * error[i]
        could[i] = y[i] <= TOP and not moved
    return x, could


def _error(run: Series) -> Floats:
    """Standard error of each score; never 0, because a share of 0 in n samples may be up to 1 / n."""
    n = run.column("n")
    size = np.where(n > 0, n, 100.0)
    p = (run.y * size + 0.5) / (size + 1)
    stderr = run.column("stderr")
    binomial = np.sqrt(p * (1 - p) / size)
    return np.where(np.isfinite(stderr) & (stderr > binomial), stderr, binomial)


def _warning(run: Series, name: str, at: float, statistic: float, p: float, seed: int) -> EarlyWarning:
    known = MEASURED.get(name)
    return EarlyWarning(
        family=run.family,
        series=run.label,
        task=run.task,
        metric=run.metric,
        axis=run.axis,
        indicator=name,
        at=at,
        statistic=statistic,
        p=p,
        false_alarms=known.false_alarms if known else None,
        lead=known.lead if known else None,
        reason=_reason(run, name, at, known),
        seed=seed,
        version=__version__,
    )


def _reason(run: Series, name: str, at: float, known: Measured | None) -> str:
    where = place(run.axis, at)
    kind, _, scalar = name.partition(":")
    match kind:
        case "continuous":
            what = f"{_continuous(run)} rises faster than before, while {run.metric} has not moved"
        case "flicker" if scalar:
            what = "answers to one sample differ between epochs more than before"
        case "flicker":
            what = "samples change between right and wrong from checkpoint to checkpoint more than before"
        case "progress":
            what = f"{scalar} has left its floor, while {run.metric} has not moved"
        case "variance":
            what = f"the variance of {run.metric} about its trend rises"
        case _:
            what = f"the autocorrelation of {run.metric} about its trend rises"
    doubt = ""
    if known and known.false_alarms > DOUBTFUL:
        doubt = (
            f" Where no jump followed, {name} warned all the same in {known.wrong} of {known.still} "
            "series of the embedded family."
        )
    return f"At {where} {what}: {run.task} may be about to jump.{doubt}"
