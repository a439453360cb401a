"""From rows of the points table to series: one task and metric along one axis, in order, ready to fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.axis import LOGARITHMIC, TRAINING, check_axis, parse_date
from saltus.emergence.scores import choose_metrics, is_share
from saltus.records import InputError

Floats = NDArray[np.float64]
Row = Mapping[str, Any]

REQUIRED = ("name", "task", "metric", "value")
ATTRIBUTES = ("layers", "width", "heads", "params", "tokens", "flops")
_KEPT = ("family", "model", "run", "role", "model_seed", "variant", "shots", "stderr", "n", "chance", "step")


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
    """

    family: str
    task: str
    metric: str
    variant: str
    axis: str
    label: str
    rows: tuple[Row, ...]
    x: Floats
    y: Floats
    aside: tuple[tuple[Row, float], ...] = ()
    notes: tuple[str, ...] = ()
    partners: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)

    @property
    def chance(self) -> float | None:
        """Score of guessing: the median of what the rows say, None when none does."""
        known = self.column("chance")
        known = known[np.isfinite(known)]
        return float(np.median(known)) if len(known) else None

    def column(self, name: str) -> Floats:
        """A numeric column by row, NaN where missing."""
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
    every other axis it is one family, each model at its last checkpoint.

    Args:
        points: Rows of `saltus.records.arrow.POINTS`: an Arrow table, a pandas or polars frame, a list of
            mappings, or anything with a method `points()` that gives one of these.
        axis: One of `saltus.records.AXES`.
        tasks: Keep these only.
        metrics: Keep these; by default the first discontinuous metric of each task.

    Raises:
        UsageError: For an unknown axis.
        InputError: When there are no points, a column is missing, a score cannot be one, or nothing has a
            place on the axis; the sentence names what was found and the mend.
    """
    check_axis(axis)
    rows = read_rows(points)
    rows = _select(rows, "task", tasks)
    buckets: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        buckets[(_text(row, "family"), row["task"], _text(row, "variant"), row.get("shots"))].append(row)
    shots = {key[:3]: {k[3] for k in buckets if k[:3] == key[:3]} for key in buckets}
    out: list[Series] = []
    unplaced: set[str] = set()
    for key, members in buckets.items():
        label = f"{key[3]}-shot" if len(shots[key[:3]]) > 1 and key[3] is not None else ""
        lines, lost = _lines(members, axis)
        unplaced |= lost
        for name, line in lines.items():
            text = ", ".join(part for part in (name, label) if part)
            out += _series_of(line, key, axis, text, sorted(lost), metrics)
    if not out:
        raise InputError(_nothing(axis, unplaced, rows, metrics), field=axis if unplaced else "metric")
    return sorted(out, key=lambda s: (s.family, s.task, s.metric, s.variant, s.label))


def usable_axes(points: Any) -> tuple[str, ...]:
    """The axes along which these points can be tested, the one to look along first when none is asked for.

    Size comes first (parameters, or else FLOPs or tokens), then training steps and layers; loss, release date
    and width only when nothing else will do.

    Raises:
        InputError: When no axis has enough places.
    """
    rows = read_rows(points)
    size = [axis for axis in ("params", "flops", "tokens") if _testable(rows, axis)][:1]
    usual = [*size, *(axis for axis in ("step", "layers") if _testable(rows, axis))]
    found = usual or [axis for axis in ("loss", "released", "width") if _testable(rows, axis)]
    if not found:
        raise InputError(
            "No axis has four places or more: the models need parameters, tokens, FLOPs, steps, loss or "
            f"release dates, and {_listed(sorted({_who(row) for row in rows}))} have too few; give them with "
            "`saltus import ... --axis-from FILE`, or evaluate more models."
        )
    return tuple(found)


def _testable(rows: list[Row], axis: str) -> bool:
    """Whether some model (along step) or family has four distinct places, or three with eight models."""
    places: dict[tuple[Any, ...], set[float]] = defaultdict(set)
    models: dict[tuple[Any, ...], set[Any]] = defaultdict(set)
    for row in rows:
        value = axis_value(row, axis)
        if np.isfinite(value):
            key = (_text(row, "family"), *(_identity(row) if axis == "step" else ()))
            places[key].add(value)
            models[key].add(_identity(row))
    return any(len(p) >= 4 or (len(p) == 3 and len(models[key]) >= 8) for key, p in places.items())


def number(value: Any) -> float:
    """A cell as a float, NaN when empty."""
    return float("nan") if value is None else float(value)


def read_rows(points: Any) -> list[Row]:
    """Rows as mappings from any of the accepted kinds of table.

    Raises:
        InputError: When the object is no table, is empty, or lacks a column.
    """
    table = points.points() if callable(getattr(points, "points", None)) else points
    if hasattr(table, "to_pylist"):
        rows = table.to_pylist()
    elif hasattr(table, "to_dicts"):
        rows = table.to_dicts()
    elif hasattr(table, "to_dict"):
        rows = [{k: _present(v) for k, v in row.items()} for row in table.to_dict("records")]
    elif isinstance(table, Iterable) and not isinstance(table, str | bytes | Mapping):
        rows = list(table)
    else:
        raise InputError(
            "Points must be an Arrow table, a data frame or a list of mappings; found "
            f"{type(points).__name__}.",
            field="points",
        )
    if not rows:
        raise InputError("There are no points to detect anything in; run or import an evaluation first.")
    for row in rows:
        missing = [name for name in REQUIRED if name not in row]
        if missing:
            raise InputError(
                f"The points lack the column {missing[0]!r}; they need {', '.join(REQUIRED)} and an axis.",
                field=missing[0],
            )
    return list(rows)


def _present(value: Any) -> Any:
    """A pandas cell: its missing values (NaN, NA, NaT) become None."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124


def _select(rows: list[Row], name: str, wanted: Sequence[str] | None) -> list[Row]:
    if wanted is None:
        return rows
    there = {row[name] for row in rows}
    for one in wanted:
        if one not in there:
            known = ", ".join(sorted(str(t) for t in there)[:12])
            raise InputError(f"No point is of the {name} {one!r}; there are {known}.", field=name)
    return [row for row in rows if row[name] in set(wanted)]


def _text(row: Row, name: str) -> str:
    return str(row.get(name) or "")


def axis_value(row: Row, axis: str) -> float:
    """The row's place on the axis in plain units, NaN when it has none."""
    value = row.get(axis)
    if axis == "released":
        return float("nan") if not value else parse_date(str(value))
    return number(value)


def _identity(row: Row) -> tuple[str, Any]:
    return str(row["name"]), row.get("model_seed")


def _lines(rows: list[Row], axis: str) -> tuple[dict[str, list[Row]], set[str]]:
    """Split a bucket into lines of points by name ("" for the family), and name models without a place."""
    placed = [row for row in rows if np.isfinite(axis_value(row, axis))]
    lost = {str(row["name"]) for row in rows} - {str(row["name"]) for row in placed}
    by_model: dict[tuple[str, Any], list[Row]] = defaultdict(list)
    for row in placed:
        by_model[_identity(row)].append(row)
    many = {key: len({axis_value(r, axis) for r in own}) for key, own in by_model.items()}
    along = axis == "step" or (axis == "tokens" and any(k >= 3 for k in many.values()))
    along = along or (axis == "loss" and len(by_model) < 3 and any(k >= 3 for k in many.values()))
    if not along:
        last = [row for own in by_model.values() for row in _last_checkpoint(own)]
        return ({"": last} if last else {}), lost
    names = [name for name, _ in by_model]
    lines = {
        name if names.count(name) == 1 else f"{name} (seed {seed})": own
        for (name, seed), own in by_model.items()
        if many[name, seed] > 1
    }
    return lines, lost


def _last_checkpoint(rows: list[Row]) -> list[Row]:
    """Rows of the largest step; all of them where no step is recorded."""
    steps = [number(row.get("step")) for row in rows]
    known = [s for s in steps if np.isfinite(s)]
    return rows if not known else [row for row, s in zip(rows, steps, strict=True) if s == max(known)]


def _series_of(
    line: list[Row],
    key: tuple[Any, ...],
    axis: str,
    label: str,
    lost: list[str],
    metrics: Sequence[str] | None,
) -> list[Series]:
    """One series for each chosen metric of a line of points."""
    by_metric: dict[str, dict[tuple[Any, ...], Row]] = defaultdict(dict)
    for row in line:
        place = (*_identity(row), row.get("model"), axis_value(row, axis))
        kept = by_metric[str(row["metric"])].get(place)
        # The same model measured twice: the larger sample counts, then the later row.
        if kept is None or not (number(row.get("n")) < number(kept.get("n"))):
            by_metric[str(row["metric"])][place] = row
    out = []
    for metric in choose_metrics(
        {m: [r["value"] for r in own.values()] for m, own in by_metric.items()}, metrics
    ):
        usable, aside, notes = _usable(by_metric[metric], axis, str(key[1]), metric)
        if lost:
            notes.append(
                f"No value of {axis} is known for {_listed(lost)}, left out; give it with --axis-from."
            )
        order = sorted(usable, key=lambda place: (place[3], str(place[:3])))
        partners = {
            other: _aligned(own, order) for other, own in by_metric.items() if other != metric and order
        }
        out.append(
            Series(
                family=key[0],
                task=str(key[1]),
                metric=metric,
                variant=key[2],
                axis=axis,
                label=label,
                rows=tuple(usable[place] for place in order),
                x=np.array([place[3] for place in order], float),
                y=np.array([number(usable[place]["value"]) for place in order], float),
                aside=tuple(aside),
                notes=tuple(notes),
                partners=partners,
            )
        )
    return out


def _usable(
    rows: dict[tuple[Any, ...], Row], axis: str, task: str, metric: str
) -> tuple[dict[tuple[Any, ...], Row], list[tuple[Row, float]], list[str]]:
    """Rows that can be fitted, rows set aside, and the sentences that say so."""
    usable: dict[tuple[Any, ...], Row] = {}
    aside: list[tuple[Row, float]] = []
    notes: list[str] = []
    empty: list[str] = []
    for place, row in rows.items():
        value, x = number(row["value"]), place[3]
        if not np.isfinite(value):
            empty.append(_who(row))
        elif is_share(metric) and not -1e-9 <= value <= 1 + 1e-9:
            raise InputError(
                f"Task {task}, metric {metric}, model {_who(row)}: the score {value:g} is outside [0, 1]; "
                "give shares, not percent.",
                field="value",
            )
        elif axis in LOGARITHMIC and x <= 0:
            if axis not in TRAINING or x < 0:
                raise InputError(
                    f"Model {_who(row)} has {axis} = {x:g}; {axis} must be above 0. Mend the models table.",
                    field=axis,
                )
            aside.append((row, x))
        else:
            usable[place] = row
    if aside:
        scores = ", ".join(f"{number(row['value']):.2f}" for row, _ in aside)
        notes.append(
            f"{axis.capitalize()} 0 (score {scores}) has no place on a log axis and is left out of the fit."
        )
    if empty:
        notes.append(f"No score is recorded for {_listed(empty)}, left out.")
    return usable, aside, notes


def _aligned(rows: dict[tuple[Any, ...], Row], order: list[tuple[Any, ...]]) -> tuple[Floats, Floats]:
    found = [rows.get(place) for place in order]
    value = [float("nan") if row is None else number(row["value"]) for row in found]
    error = [float("nan") if row is None else number(row.get("stderr")) for row in found]
    return np.array(value, float), np.array(error, float)


def _who(row: Row) -> str:
    return str(row.get("model") or row["name"])


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _nothing(axis: str, unplaced: set[str], rows: list[Row], metrics: Sequence[str] | None) -> str:
    if metrics is not None and not {row["metric"] for row in rows} & set(metrics):
        known = ", ".join(sorted({str(row["metric"]) for row in rows})[:12])
        return f"No point has the metric {', '.join(metrics)}; there are {known}."
    if unplaced:
        who = _listed(sorted(unplaced))
        mend = "Give it with --axis-from FILE, or choose another axis."
        return f"No model has a value for the axis {axis}: {who}. {mend}"
    return (
        f"No model was scored at two places along {axis}; evaluate more checkpoints or choose another axis."
    )
