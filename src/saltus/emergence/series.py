"""From rows of the points table to series: one task and metric along one axis, in order, ready to fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.axis import check_axis
from saltus.emergence.capability import capability_places
from saltus.emergence.cut import Cutter
from saltus.emergence.places import joined, places_along
from saltus.emergence.points import Codes, Points, Row, Rows, read_points
from saltus.records import INTERNALS, InputError

Floats = NDArray[np.float64]

ATTRIBUTES = ("layers", "width", "heads", "params", "tokens", "flops")


@dataclass(frozen=True)
class Series:
    """Scores of one task and metric along one axis.

    Attributes:
        label: What tells it from other series of the same task: a model's name, shots.
        rows: Points in order of the axis; each has a usable score and axis value.
        x: Axis values in plain units, shape (n,); dates as decimal years.
        y: Scores as recorded.
        aside: Points that are shown and not fitted, with their axis value (step 0 on a log axis).
        notes: Sentences on what was left out, and why.
        partners: For other metrics of the same responses: value and standard error by row, NaN where missing.
        x_error: Standard error of the axis values, where they are estimates (capability).
    """

    family: str
    task: str
    metric: str
    variant: str
    axis: str
    label: str
    rows: Sequence[Row]
    x: Floats
    y: Floats
    aside: tuple[tuple[Row, float], ...] = ()
    notes: tuple[str, ...] = ()
    partners: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)
    x_error: float = 0.0

    @property
    def chance(self) -> float | None:
        """Score of guessing: the median of what the rows say, None when none does."""
        known = self.column("chance")
        known = known[np.isfinite(known)]
        return float(np.median(known)) if len(known) else None

    def column(self, name: str) -> Floats:
        """A numeric column by row, NaN where missing."""
        if isinstance(self.rows, Rows):
            return self.rows.points.numbers(name)[self.rows.places]
        return np.array([number(row.get(name)) for row in self.rows], float)


def build_series(
    points: Any,
    *,
    axis: str,
    tasks: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
) -> list[Series]:
    """Group points into series.

    Along "step" (and "tokens" or "loss" where models have several checkpoints) a series is one model; along
    "capability" it is all families together; along every other axis it is one family. Models count at their
    last checkpoint wherever a series is not one model. Every point of the metrics in question is in a series,
    aside in one, or named in its notes.

    Args:
        points: Rows of `saltus.records.arrow.POINTS`: an Arrow table, a pandas or polars frame, a list of
            mappings, or anything with a method `points()` that gives one of these.
        axis: One of `saltus.records.AXES`.
        tasks: Keep these only (the capability axis still rests on all others).
        metrics: Keep these; by default the first discontinuous metric of each task.

    Raises:
        UsageError: For an unknown axis.
        InputError: When there are no points, a column is missing, a score cannot be one, or nothing has a
            place on the axis; the sentence names what was found and the mend.
    """
    check_axis(axis)
    table = read_points(points)
    chosen = _chosen(table, tasks)
    places = capability_places(table, chosen) if axis == "capability" else places_along(table, axis)
    cutter = Cutter(table, places, axis, chosen)
    out = [
        Series(
            cut.family, cut.task, cut.metric, cut.variant, axis, cut.label, Rows(table, cut.index), cut.x,
            cut.y, cut.aside, cut.notes, cut.partners,
            cut.x_error,
        )
        for cut in cutter.cuts(metrics)
    ]  # fmt: skip
    if not any(len(series.x) or series.aside for series in out):
        raise cutter.nothing(metrics)
    return sorted(out, key=lambda s: (s.family, s.task, s.metric, s.variant, s.label))


def usable_axes(points: Any) -> tuple[str, ...]:
    """The axes along which these points can be tested, the one to look along first when none is asked for.

    Size comes first (parameters, or else FLOPs or tokens), then training steps and layers; loss, release date
    and width only when nothing else will do, and last the capability component.

    Raises:
        InputError: When no axis has enough places.
    """
    table = read_points(points)
    size = [axis for axis in ("params", "flops", "tokens") if _testable(table, axis)][:1]
    usual = [*size, *(axis for axis in ("step", "layers") if _testable(table, axis))]
    found = usual or [axis for axis in ("loss", "released", "width", "capability") if _testable(table, axis)]
    if not found:
        codes, names = table.codes("model" if "model" in table.names else "name")
        there = sorted({names[code] for code in np.unique(codes).tolist()})
        shown = ", ".join(there[:5]) + (f" and {len(there) - 5} more" if len(there) > 5 else "")
        raise InputError(
            "No axis has four places or more: the models need parameters, tokens, FLOPs, steps, loss or "
            f"release dates, and {shown} have too few; give them with "
            "`saltus import ... --axis-from FILE`, or evaluate more models."
        )
    return tuple(found)


def number(value: Any) -> float:
    """A cell as a float, NaN when empty."""
    return float("nan") if value is None else float(value)


def _chosen(table: Points, tasks: Sequence[str] | None) -> NDArray[np.bool_]:
    """Which rows are of the tasks asked for; of all tasks when none is named, but not scalars without one."""
    codes, names = table.codes("task")
    if tasks is None:
        scalars = [place for place, name in enumerate(names) if name in ("", INTERNALS)]
        chosen = ~np.isin(codes, scalars)
        if not chosen.any():
            raise InputError(
                "The points hold scalars from inside models and no score of a task; "
                "`saltus timeline` dates their changes.",
                field="task",
            )
        return chosen
    for one in tasks:
        if one not in names:
            raise InputError(
                f"No point is of the task {one!r}; there are {', '.join(names[:12])}.", field="task"
            )
    return np.isin(codes, [names.index(one) for one in tasks])


def _testable(table: Points, axis: str) -> bool:
    """Whether some model (along step) or family has four distinct places, or three with eight models."""
    everything = np.ones(table.size, bool)
    try:
        x = (capability_places(table, everything) if axis == "capability" else places_along(table, axis)).x
    except InputError:  # detection along this axis says what is wrong; another axis may do
        return False
    family, model = table.codes("family")[0], joined(table.codes("name")[0], table.codes("model_seed")[0])
    if axis == "capability":
        family = np.zeros_like(family)
    key = joined(family, model) if axis == "step" else family
    placed = np.isfinite(x)
    places = _distinct(key[placed], np.unique(x[placed], return_inverse=True)[1])
    models = _distinct(key[placed], model[placed])
    return bool(((places >= 4) | ((places == 3) & (models >= 8))).any())


def _distinct(key: Codes, value: Codes) -> Codes:
    """Number of distinct values by key."""
    if not len(key):
        return np.zeros(1, np.int64)
    pairs = np.unique(np.column_stack([key, value]), axis=0)
    return np.bincount(pairs[:, 0])
