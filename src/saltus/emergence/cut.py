"""Cuts the points table into series: by family or model, task, metric, variant and shots, along one axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saltus.emergence import remarks
from saltus.emergence.axis import LOGARITHMIC, TRAINING
from saltus.emergence.places import DERIVED, INFINITE, Places, joined
from saltus.emergence.points import Codes, Points, Row
from saltus.emergence.scores import choose_metrics, is_share
from saltus.records import InputError

Floats = NDArray[np.float64]

POOLED = "pooled"  # the family of series that hold several


@dataclass(frozen=True, slots=True)
class Cut:
    """What one series is made of; `index` are its rows in the points table, in order of the axis."""

    family: str
    task: str
    metric: str
    variant: str
    label: str
    index: Codes
    x: Floats
    y: Floats
    aside: tuple[tuple[Row, float], ...]
    notes: tuple[str, ...]
    partners: Mapping[str, tuple[Floats, Floats]]
    x_error: float


class Cutter:
    """Groups rows into lines (one model, or the last checkpoints of a family), then lines by metric.

    Args:
        points: The table.
        places: Of its rows along the axis.
        axis: The axis.
        chosen: Rows to cut, shape (size,).
    """

    def __init__(self, points: Points, places: Places, axis: str, chosen: NDArray[np.bool_]) -> None:
        self._points, self._places, self._axis = points, places, axis
        self._all = np.flatnonzero(chosen)
        code = {name: points.codes(name)[0] for name in (
            "family", "task", "variant", "shots", "name", "model_seed", "metric",
        )}  # fmt: skip
        family = np.zeros_like(code["family"]) if axis == "capability" else code["family"]
        self._family = family
        self._metric = code["metric"]
        self._setting = joined(family, code["task"], code["variant"])
        self._bucket = joined(self._setting, code["shots"])
        self._who = joined(code["family"], code["name"], code["model_seed"])
        own = code["name"] if "model" not in points.names else points.codes("model")[0]
        self._checkpoint = joined(self._who, own)
        self._value, self._x = points.numbers("value"), places.x
        self._step = points.numbers("step")
        self._chance = points.numbers("chance")
        placed = self._all[np.isfinite(self._x[self._all])]
        self._in_setting = self._representatives(self._setting, self._all)
        self._in_family = self._representatives(self._family, placed)

    def cuts(self, metrics: Sequence[str] | None) -> Iterator[Cut]:
        """The series, bucket by bucket (family, task, variant and shots)."""
        order = self._all[np.argsort(self._bucket[self._all], kind="stable")]
        for rows in _runs(order, self._bucket[order]):
            yield from self._of_bucket(rows, metrics)

    def nothing(self, metrics: Sequence[str] | None) -> InputError:
        """What to say when no series comes out."""
        there, axis = self._words("metric", self._all), self._axis
        if metrics is not None and not set(there) & set(metrics):
            known = ", ".join(there[:12])
            return InputError(
                f"No point has the metric {', '.join(metrics)}; there are {known}.", field="metric"
            )
        unplaced = self._all[np.isnan(self._x[self._all])]
        if len(unplaced):
            why = next(iter(self._places.by_task.values()), ())
            return InputError(remarks.no_place(axis, self._words("name", unplaced), why), field=axis)
        if not np.isfinite(self._value[self._all]).any():
            return InputError("No point has a score; import or run the evaluation again.", field="value")
        return InputError(
            f"No model was scored at two places along {axis}; evaluate more checkpoints or choose another "
            "axis.",
            field="metric",
        )

    def _of_bucket(self, rows: Codes, metrics: Sequence[str] | None) -> Iterator[Cut]:
        placed = rows[np.isfinite(self._x[rows])]
        notes = self._about(rows, placed)
        lines, more = self._lines(placed)
        notes += more
        found = False
        for label, line in lines:
            for metric, members in self._by_metric(line, metrics):
                found = True
                yield self._cut(label, metric, members, line, notes)
        if not found:
            for metric, members in self._by_metric(rows, metrics):
                yield self._cut("", metric, members[:0], members, notes)

    def _by_metric(self, line: Codes, metrics: Sequence[str] | None) -> list[tuple[str, Codes]]:
        """The chosen metrics of a line with their rows."""
        names = self._points.codes("metric")[1]
        there: dict[str, Codes] = {}
        order = line[np.argsort(self._metric[line], kind="stable")]
        for rows in _runs(order, self._metric[order]):
            there[names[self._metric[rows[0]]]] = rows
        spans = {name: _span(self._value[rows]) for name, rows in there.items()}
        return [(name, there[name]) for name in choose_metrics(spans, metrics)]

    def _lines(self, placed: Codes) -> tuple[list[tuple[str, Codes]], list[str]]:
        """Split a bucket into lines of rows with a label ("" for the family), and say what is left out."""
        own = list(_runs(*self._sorted(placed, self._who)))
        spread = [len(np.unique(self._x[rows])) for rows in own]
        several = any(count >= 3 for count in spread)
        along = self._axis == "step" or (self._axis == "tokens" and several)
        along = along or (self._axis == "loss" and len(own) < 3 and several)
        if not along:
            last = [self._last(rows) for rows in own]
            kept = np.concatenate(last) if last else placed
            earlier = [int(rows[0]) for rows, few in zip(own, last, strict=True) if len(few) < len(rows)]
            notes = (
                [remarks.earlier(self._words("name", earlier), len(placed) - len(kept))] if earlier else []
            )
            return ([("", kept)] if len(kept) else []), notes
        names = [self._word("name", rows[0]) for rows in own]
        seeds = [self._word("model_seed", rows[0]) for rows in own]
        lines = [
            (name if names.count(name) == 1 else f"{name} (seed {seed})", rows)
            for name, seed, rows, count in zip(names, seeds, own, spread, strict=True)
            if count > 1
        ]
        single = [name for name, count in zip(names, spread, strict=True) if count == 1]
        return lines, [remarks.single(self._axis, single)] if single else []

    def _last(self, rows: Codes) -> Codes:
        """Rows of the largest step; all of them where no step is recorded."""
        step = self._step[rows]
        known = np.isfinite(step)
        return rows[known & (step == step[known].max())] if known.any() else rows

    def _about(self, rows: Codes, placed: Codes) -> list[str]:
        """Sentences on a bucket: models without a place, places that were derived, other settings."""
        notes = list(self._places.notes)
        notes += self._places.by_task.get(self._word("task", rows[0]), ())
        lost = sorted(set(self._words("name", rows)) - set(self._words("name", placed)))
        partly = rows[np.isnan(self._x[rows]) & np.isin(self._who[rows], self._who[placed])]
        infinite = set(self._words("name", rows[self._places.how[rows] == INFINITE]))
        if infinite:
            notes.append(remarks.infinite(self._axis, sorted(infinite)))
        if set(lost) - infinite:
            notes.append(remarks.without(self._axis, sorted(set(lost) - infinite)))
        if len(partly):
            notes.append(remarks.partly(self._axis, self._words("name", partly), len(partly)))
        derived = rows[self._places.how[rows] == DERIVED]
        if len(derived):
            notes.append(remarks.derived(self._axis, self._words("name", derived), self._places.derivation))
        return notes + self._settings(rows)

    def _settings(self, rows: Codes) -> list[str]:
        """Models of the family that stand in another series of this task, or in none."""
        first, here = rows[0], self._who[rows]
        same = self._in_setting[int(self._setting[first])]
        notes = []
        other = same[~np.isin(self._who[same], here)]
        if len(other):
            shots = sorted({self._word("shots", i) for i in other.tolist()}, key=lambda s: (s is None, s))
            notes.append(remarks.other_shots(self._words("name", other), shots))
        family = self._in_family.get(int(self._family[first]), same[:0])
        absent = family[~np.isin(self._who[family], self._who[same])]
        if len(absent) and self._axis not in ("step", "capability"):
            notes.append(remarks.absent(self._words("name", absent)))
        return notes

    def _representatives(self, group: Codes, rows: Codes) -> dict[int, Codes]:
        """By group, one row for each of its models and shots."""
        keys = joined(group[rows], self._who[rows], self._points.codes("shots")[0][rows])
        some = rows[np.unique(keys, return_index=True)[1]]
        return {int(group[part[0]]): part for part in _runs(*self._sorted(some, group))}

    def _cut(self, label: str, metric: str, members: Codes, line: Codes, notes: list[str]) -> Cut:
        """One metric of a line as a series, with the other metrics of the line beside it."""
        all_of_metric = line[self._metric[line] == self._metric[members[0]]] if len(members) else line[:0]
        kept = self._once(members)
        notes = list(notes)
        if len(kept) < len(members):
            twice = np.setdiff1d(members, kept)
            notes.append(remarks.twice(self._words("name", twice), len(twice)))
        task = self._word("task", line[0])
        usable, aside, more = self._usable(kept, task, metric)
        place = np.lexsort((self._checkpoint[usable], self._x[usable]))
        usable = usable[place]
        families = self._words("family", all_of_metric if len(all_of_metric) else line)
        pooled = self._axis == "capability" and len(families) > 1
        shots = self._word("shots", line[0])
        setting = self._in_setting[int(self._setting[line[0]])]
        mixed = len(np.unique(self._points.codes("shots")[0][setting])) > 1
        parts = (label, remarks.listed(families, 4) if pooled else "", _shots(shots) if mixed else "")
        return Cut(
            family=POOLED if pooled else families[0],
            task=task,
            metric=metric,
            variant=self._word("variant", line[0]),
            label=", ".join(part for part in parts if part),
            index=usable,
            x=self._x[usable],
            y=self._value[usable],
            aside=tuple(zip(self._points.rows(aside), self._x[aside].tolist(), strict=True)),
            notes=(*notes, *more),
            partners=self._partners(usable, line, metric) if len(usable) else {},
            x_error=self._places.error.get(task, 0.0),
        )

    def _once(self, rows: Codes) -> Codes:
        """One row a checkpoint and place: the one with the larger sample, then the later one."""
        n = np.nan_to_num(self._points.numbers("n")[rows], nan=-1.0)
        order = np.lexsort((rows, n, self._x[rows], self._checkpoint[rows]))
        ordered = rows[order]
        last = np.ones(len(ordered), bool)
        same = self._checkpoint[ordered][1:] == self._checkpoint[ordered][:-1]
        last[:-1] = ~(same & (self._x[ordered][1:] == self._x[ordered][:-1]))
        return ordered[last]

    def _usable(self, rows: Codes, task: str, metric: str) -> tuple[Codes, Codes, list[str]]:
        """Rows that can be fitted, rows set aside, and the sentences that say so."""
        value, x, axis = self._value[rows], self._x[rows], self._axis
        scored = np.isfinite(value)
        bad = scored & ((value < -1e-9) | (value > 1 + 1e-9))
        if is_share(metric) and bad.any():
            row = rows[bad][0]
            told = remarks.no_share(task, metric, self._who_is(row), float(self._value[row]), rows, value)
            raise InputError(told, field="value")
        chance = self._chance[rows]
        odd = (chance < 0) | (chance > 1)
        if is_share(metric) and odd.any():
            told = remarks.no_chance(task, metric, self._who_is(rows[odd][0]), float(chance[odd][0]))
            raise InputError(told, field="chance")
        off = (x <= 0) if axis in LOGARITHMIC else np.zeros(len(rows), bool)
        wrong = scored & off & ((x < 0) | (axis not in TRAINING))
        if wrong.any():
            raise InputError(
                f"Model {self._who_is(rows[wrong][0])} has {axis} = {x[wrong][0]:g}; {axis} must be above 0. "
                "Mend the models table.",
                field=axis,
            )
        notes = []
        aside = rows[scored & off]
        if len(aside):
            scores = ", ".join(f"{v:.2f}" for v in self._value[aside])
            notes.append(
                f"{axis.capitalize()} 0 (score {scores}) has no place on a log axis and is left out of the "
                "fit."
            )
        for gone, what in (
            (np.isnan(value), "No score is recorded"),
            (np.isinf(value), "The score is infinite"),
        ):
            if gone.any():
                names = [self._who_is(row) for row in rows[gone]]
                notes.append(f"{what} for {remarks.listed(names)}, left out.")
        return rows[scored & ~off], aside, notes

    def _partners(self, usable: Codes, line: Codes, metric: str) -> dict[str, tuple[Floats, Floats]]:
        """Values and standard errors of the line's other metrics at the same checkpoints and places."""
        codes, names = self._points.codes("metric")
        stderr = self._points.numbers("stderr")
        others = line[codes[line] != codes[usable[0]]]
        both = np.concatenate([usable, others])
        key = joined(self._checkpoint[both], np.unique(self._x[both], return_inverse=True)[1])
        place = np.full(int(key.max()) + 1, -1)
        place[key[: len(usable)]] = np.arange(len(usable))
        found = dict(zip(others.tolist(), place[key[len(usable) :]].tolist(), strict=True))
        out: dict[str, tuple[Floats, Floats]] = {}
        for rows in _runs(*self._sorted(others, codes)):
            values, errors = np.full(len(usable), np.nan), np.full(len(usable), np.nan)
            once = self._once(rows)
            to = np.array([found[row] for row in once.tolist()], np.int64)
            values[to[to >= 0]] = self._value[once[to >= 0]]
            errors[to[to >= 0]] = stderr[once[to >= 0]]
            out[names[codes[rows[0]]]] = values, errors
        return out

    def _sorted(self, rows: Codes, by: Codes) -> tuple[Codes, Codes]:
        order = rows[np.argsort(by[rows], kind="stable")]
        return order, by[order]

    def _word(self, name: str, row: int | np.int64) -> Any:
        codes, names = self._points.codes(name)
        return names[codes[row]]

    def _words(self, name: str, rows: Codes | Sequence[int]) -> list[str]:
        codes, names = self._points.codes(name)
        return [names[code] for code in np.unique(codes[rows]).tolist()] if len(rows) else []

    def _who_is(self, row: int | np.int64) -> str:
        named = "model" in self._points.names and self._word("model", row)
        return str(named or self._word("name", row))


def _runs(rows: Codes, by: Codes) -> Iterator[Codes]:
    """Stretches of rows that are alike in `by`, which is sorted."""
    if not len(rows):
        return iter(())
    return iter(np.split(rows, np.flatnonzero(np.diff(by)) + 1))


def _span(values: Floats) -> list[float]:
    known = values[np.isfinite(values)]
    return [float(known.min()), float(known.max())] if len(known) else []


def _shots(shots: int | None) -> str:
    return "" if shots is None else f"{shots}-shot"
