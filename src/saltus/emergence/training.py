"""Curves along training: what each metric or scalar did at the checkpoints of one run, with its known noise.

Unlike the series of the detector, a curve may be any number: a score, a loss, a norm, an induction score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.axis import TRAINING, noun
from saltus.emergence.places import joined, places_along
from saltus.emergence.points import Codes, Points, read_points
from saltus.emergence.scores import choose_metrics, is_perplexity, is_share
from saltus.records import INTERNALS, METRICS, InputError, UsageError, metric_info
from saltus.stats import effective_n

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingCurve:
    """One metric or scalar of one run.

    Attributes:
        series: The run: a model's name, with its seed where several share the name.
        x: Checkpoints in order, plain units.
        y: Values; a perplexity as its logarithm.
        n: Samples behind a share, NaN where it is no share or the number is unknown.
        stderr: Standard errors of other values, NaN where unknown.
        share: A share between 0 and 1.
        notes: Sentences on what was left out or assumed.
    """

    family: str
    series: str
    task: str
    metric: str
    axis: str
    x: Floats
    y: Floats
    n: Floats
    stderr: Floats
    share: bool
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Task and metric, or the scalar alone."""
        return curve_name(self.task, self.metric)


def curve_name(task: str, metric: str) -> str:
    """Task and metric, or a scalar alone."""
    return metric if task in ("", INTERNALS) else f"{task} {metric}"


def training_curves(
    points: object,
    *,
    axis: str = "step",
    tasks: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
) -> list[TrainingCurve]:
    """Cut points into curves.

    Args:
        points: Rows of `saltus.records.arrow.POINTS` in any form that `detect` takes.
        axis: "step" or "tokens".
        tasks: Only these; `internals` for scalars.
        metrics: Only these; by default each task's headline metric, its first continuous companion, and every
            scalar that is no known metric.

    Raises:
        UsageError: The axis is none of training.
        InputError: The points cannot be used, or no run has two checkpoints.
    """
    if axis not in TRAINING:
        raise UsageError(f"Timelines go along step or tokens, not {axis!r}.", field="axis")
    table = read_points(points)
    x = places_along(table, axis).x
    keep = np.isfinite(x) & np.isfinite(table.numbers("value"))
    for field, wanted in (("task", tasks), ("metric", metrics)):
        if wanted is not None:
            keep &= _among(table, field, wanted)
    runs = _runs(table)
    lines = joined(table.codes("family")[0], table.codes("name")[0], *(table.codes(c)[0] for c in _LINE))
    out: list[TrainingCurve] = []
    for rows in _groups(lines, keep):
        out += _curves(table, rows, x, axis, runs, metrics)
    if not out:
        raise InputError(
            f"No model has scores at two checkpoints along {axis}; evaluate more checkpoints, or give their "
            f"{noun(axis)} with --axis-from.",
            field=axis,
        )
    return sorted(out, key=lambda c: (c.family, c.series, c.task, c.metric))


_LINE = ("model_seed", "task", "variant", "shots")


def _among(table: Points, field: str, wanted: Sequence[str]) -> NDArray[np.bool_]:
    codes, names = table.codes(field)
    for one in wanted:
        if one not in names:
            raise InputError(
                f"No point is of the {field} {one!r}; there are {', '.join(names[:12])}.", field=field
            )
    return np.isin(codes, [names.index(one) for one in wanted])


def _groups(codes: Codes, keep: NDArray[np.bool_]) -> list[Codes]:
    """Rows by code, those that are kept."""
    rows = np.flatnonzero(keep)
    order = rows[np.argsort(codes[rows], kind="stable")]
    return [part for part in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(part)]


def _runs(table: Points) -> dict[tuple[str, str], bool]:
    """For each family and name, whether runs of several seeds share it."""
    family, name = table.codes("family"), table.codes("name")
    seeds: dict[tuple[str, str], set[int]] = {}
    for f, n, s in np.unique(np.column_stack([family[0], name[0], table.codes("model_seed")[0]]), axis=0):
        seeds.setdefault((family[1][f], name[1][n]), set()).add(int(s))
    return {key: len(own) > 1 for key, own in seeds.items()}


def _curves(
    table: Points,
    rows: Codes,
    x: Floats,
    axis: str,
    several: dict[tuple[str, str], bool],
    metrics: Sequence[str] | None,
) -> list[TrainingCurve]:
    """The curves of one run, task and variant."""

    def cell(field: str) -> object:
        codes, values = table.codes(field)
        return values[codes[rows[0]]]

    family, name, seed = str(cell("family")), str(cell("name")), cell("model_seed")
    label = f"{name} (seed {seed})" if several[family, name] and seed is not None else name
    parts = [label, *([str(cell("variant"))] if cell("variant") else [])]
    codes, names = table.codes("metric")
    own = {names[code]: rows[codes[rows] == code] for code in np.unique(codes[rows]).tolist()}
    values = {metric: table.numbers("value")[at].tolist() for metric, at in own.items()}
    task = str(cell("task"))
    out = []
    for metric in sorted(own) if metrics is not None else _speaking(values, task):
        curve = _curve(table, own[metric], x, axis, (family, ", ".join(parts), task, metric))
        if len(curve.x) > 1:
            out.append(curve)
    return out


def _speaking(values: dict[str, list[float]], task: str) -> list[str]:
    """The headline metric, its first companion, and all scalars that are no known metric."""
    if task in ("", INTERNALS):
        return sorted(values)
    chosen = choose_metrics(values, None)
    pairs = [other for metric in chosen for other in metric_info(metric).pairs if other in values][:1]
    scalars = [
        metric for metric in values if metric not in METRICS and metric.partition(",")[0] not in METRICS
    ]
    return list(dict.fromkeys([*chosen, *pairs, *sorted(scalars)]))


def _curve(table: Points, rows: Codes, x: Floats, axis: str, key: tuple[str, str, str, str]) -> TrainingCurve:
    family, series, task, metric = key
    notes = []
    start = rows[x[rows] <= 0]
    if len(start):
        notes.append(f"{axis.capitalize()} 0 has no place on a log axis and is left out.")
    rows = rows[x[rows] > 0]
    size = table.numbers("n")
    order = rows[np.lexsort((np.nan_to_num(size[rows]), x[rows]))]  # a checkpoint twice: the larger sample
    order = order[np.append(np.diff(x[order]) > 0, True)] if len(order) else order
    y, n, stderr = (table.numbers(name)[order] for name in ("value", "n", "stderr"))
    share = (
        is_share(metric) and bool(((y >= 0) & (y <= 1)).all()) and (metric in METRICS or _counted(n, stderr))
    )
    if is_perplexity(metric):
        if (y <= 0).any():
            raise InputError(
                f"Metric {metric} holds {float(y.min()):g}; a perplexity is above 0.", field="value"
            )
        stderr, y = stderr / y, np.log(y)
        notes.append("A perplexity is read on its logarithm.")
    if share:
        n = effective_n(y, np.where(n > 0, n, np.nan), stderr)
    return TrainingCurve(family, series, task, metric, axis, x[order], y, n, stderr, share, tuple(notes))


def _counted(n: Floats, stderr: Floats) -> bool:
    """Whether an unknown number between 0 and 1 says of how many samples it is the share."""
    return bool(np.isfinite(n).any() or np.isfinite(stderr).any())
