"""From scores to how robust they are: what each variant of the prompt changes, against the plain prompt.

A pure function of tables; `saltus robust` and the report show what it finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.emergence.scores import choose_metrics
from saltus.records.findings import Interval
from saltus.records.robustness import Robustness, WorstSlice, WorstVariant
from saltus.stats import (
    Estimate,
    benjamini_hochberg,
    excess_flips,
    flips,
    holm,
    share,
    worst_group,
    worst_variant,
)

if TYPE_CHECKING:
    import pyarrow as pa

Marks: TypeAlias = dict[str, list[float]]  # sample -> one mark an epoch
Slices: TypeAlias = Mapping[str, Mapping[str, str]]  # sample -> slice -> value

LEAST = 10  # samples that a slice must have to be compared
MOST_VALUES = 24  # a slice with more values than that is a label, not a group
ALL_VARIANTS = "*"  # the variant of scores that are taken over all variants


class RobustnessTable(NamedTuple):
    """What was compared: one row a model, task and variant, and the worst variant of each model and task."""

    rows: list[Robustness]
    worst: list[WorstVariant]


class _Key(NamedTuple):
    task: str
    model: str
    metric: str


@dataclass(frozen=True, slots=True)
class _View:
    """How samples are grouped: the slices of a task, which to compare, which says what belongs together."""

    tags: Slices
    by: str | None
    cluster: str | None
    level: float

    def clusters(self, samples: Sequence[str]) -> list[str] | None:
        """The cluster of each sample; one without the slice stands alone."""
        if self.cluster is None:
            return None
        return [self.tags.get(sample, {}).get(self.cluster) or f"\0{sample}" for sample in samples]


@dataclass(frozen=True, slots=True)
class _Cell:
    """The marks of one run for one model, task, metric and variant."""

    run: str
    marks: Marks


def compare_variants(
    scores: pa.Table,
    *,
    metrics: Sequence[str] | None = None,
    slices: Mapping[str, Slices] | None = None,
    by: str | None = None,
    cluster: str | None = None,
    created: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> RobustnessTable:
    """Compare every variant with the plain prompt.

    Args:
        scores: Columns run, model, task, sample, variant, epoch, metric, value, one row a score.
        metrics: Of full marks or none; each task's headline metric by default.
        slices: Slice tags by task and sample.
        by: The slice whose values are compared; all slices by default.
        cluster: The slice whose samples belong together; all samples stand alone by default.
        created: When each run was made; of several the last one counts, and the plain scores of the variant's
            own run are taken where it has some.
        level: Coverage of the intervals.

    Returns:
        Rows by task, model and variant; empty where there are no variants of a metric of marks.
    """
    rows: list[Robustness] = []
    worst: list[WorstVariant] = []
    for key, variants in sorted(_cells(scores, metrics, created or {}).items()):
        plain = variants.get("", [])
        view = _View((slices or {}).get(key.task, {}), by, cluster, level)
        kept: dict[str, _Cell] = {}
        for variant, found in sorted(variants.items()) if plain else ():
            cell = found[-1]
            base = next((one for one in plain if one.run == cell.run), plain[-1])
            if variant and (row := _row(key, variant, base, cell, view)) is not None:
                rows.append(row)
                kept[variant] = cell
        if kept and (summary := _worst(key, plain[-1], kept, view)) is not None:
            worst.append(summary)
    p = [row.p for row in rows if row.p is not None]
    q = iter(benjamini_hochberg(p))
    rows = [row if row.p is None else msgspec.structs.replace(row, q=float(next(q))) for row in rows]
    return RobustnessTable(rows, worst)


def _cells(
    scores: pa.Table, metrics: Sequence[str] | None, created: Mapping[str, float]
) -> dict[_Key, dict[str, list[_Cell]]]:
    """Key -> variant -> what each run measured, the last run last."""
    names = ("task", "model", "metric", "variant", "run", "sample", "epoch", "value")
    columns = [scores.column(name).to_pylist() for name in names]
    raw: dict[tuple[str, str], dict[str, dict[tuple[str, str], dict[str, dict[int, float]]]]] = {}
    for task, model, metric, variant, run, sample, epoch, value in zip(*columns, strict=True):
        if variant == ALL_VARIANTS:
            continue
        cell = raw.setdefault((task, model), {}).setdefault(metric, {}).setdefault((variant, run), {})
        cell.setdefault(sample, {})[epoch] = value
    found: dict[_Key, dict[str, list[_Cell]]] = {}
    for (task, model), by_metric in raw.items():
        varied = {name: cells for name, cells in by_metric.items() if any(variant for variant, _ in cells)}
        marked = {name: cells for name, cells in varied.items() if _are_marks(cells)}
        for metric in choose_metrics({name: [0.0, 1.0] for name in marked}, metrics):
            places: dict[str, list[_Cell]] = {}
            ordered = sorted(marked[metric], key=lambda key: (created.get(key[1], 0.0), key[1]))
            for variant, run in ordered:
                samples = marked[metric][variant, run]
                marks = {sample: list(epochs.values()) for sample, epochs in samples.items()}
                places.setdefault(variant, []).append(_Cell(run, marks))
            found[_Key(task, model, metric)] = places
    return found


def _are_marks(cells: Mapping[Any, Mapping[str, Mapping[int, float]]]) -> bool:
    return all(
        value in (0.0, 1.0)
        for cell in cells.values()
        for epochs in cell.values()
        for value in epochs.values()
    )


def _row(key: _Key, name: str, plain: _Cell, variant: _Cell, view: _View) -> Robustness | None:
    samples = sorted(plain.marks.keys() & variant.marks.keys())
    if not samples:
        return None
    one, other = _matrix(plain.marks, samples), _matrix(variant.marks, samples)
    labels, level = view.clusters(samples), view.level
    change = flips(one, other, labels, level=level)
    noise = excess_flips(one, other, labels, level=level)
    return Robustness(
        model=key.model,
        task=key.task,
        metric=key.metric,
        variant=name,
        run=variant.run,
        plain_run=plain.run,
        n=change.n,
        plain=_interval(share(one, labels, level=level)),
        score=_interval(share(other, labels, level=level)),
        flips=_interval(change.rate),
        lost=_interval(change.lost),
        gained=_interval(change.gained),
        drop=_interval(change.drop),
        p=change.p,
        floor=None if noise is None else _interval(noise.floor),
        excess=None if noise is None else _interval(noise.excess),
        worst=_worst_slice(other, samples, view),
    )


def _worst_slice(marks: NDArray[np.float64], samples: Sequence[str], view: _View) -> WorstSlice | None:
    groups: dict[tuple[str, str], list[int]] = {}
    for place, sample in enumerate(samples):
        for name, value in view.tags.get(sample, {}).items():
            if view.by in (None, name):
                groups.setdefault((name, value), []).append(place)
    large = {key: places for key, places in sorted(groups.items()) if len(places) >= LEAST}
    values = Counter(name for name, _ in large)
    most = len(large) if view.by else MOST_VALUES
    compared = {key: np.array(places) for key, places in large.items() if 1 < values[key[0]] <= most}
    if len(compared) < 2:
        return None
    found = worst_group(marks, list(compared.values()), view.clusters(samples), level=view.level)
    name, value = list(compared)[found.place]
    return WorstSlice(
        f"{name}={value}", _interval(found.mean), found.shrunk, found.p, found.n, found.compared
    )


def _worst(key: _Key, plain: _Cell, variants: Mapping[str, _Cell], view: _View) -> WorstVariant | None:
    samples = sorted(set(plain.marks).intersection(*(cell.marks for cell in variants.values())))
    if not samples:
        return None
    labels, level = view.clusters(samples), view.level
    one = _matrix(plain.marks, samples)
    others = [_matrix(cell.marks, samples) for cell in variants.values()]
    found = worst_variant(others, labels, level=level)
    p = [flips(one, other, labels, level=level).p for other in others]
    adjusted = holm([1.0 if value is None else value for value in p])
    lowest = np.min([np.nanmean(marks, axis=1) for marks in (one, *others)], axis=0)
    return WorstVariant(
        model=key.model,
        task=key.task,
        metric=key.metric,
        variant=list(variants)[found.place],
        plain=_interval(share(one, labels, level=level)),
        score=_interval(found.mean),
        always=_interval(share(lowest, labels, level=level)),
        p=None if p[found.place] is None else float(adjusted[found.place]),
        n=len(samples),
        compared=found.compared,
    )


def _matrix(marks: Marks, samples: Iterable[str]) -> NDArray[np.float64]:
    """Marks of these samples, shape (n, epochs), NaN where a sample was asked less often."""
    rows = [marks[sample] for sample in samples]
    wide = max(map(len, rows))
    return np.array([row + [np.nan] * (wide - len(row)) for row in rows])


def _interval(estimate: Estimate) -> Interval:
    return Interval(estimate.value, estimate.low, estimate.high, estimate.level)
