"""The observational capability axis: what the models' other benchmarks say of them, as one number.

The first principal component of benchmark scores puts families with different recipes on one axis, where
parameters and FLOPs do not compare (Ruan et al. 2024, arXiv:2405.10938, section 3.2). A task is never on its
own axis.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.places import RECORDED, Places, who
from saltus.emergence.points import Codes, Points
from saltus.emergence.remarks import listed, no_share
from saltus.emergence.scores import Progress, choose_metrics, is_perplexity, is_share
from saltus.records import INTERNALS, InputError, metric_info
from saltus.stats import principal_components

Floats = NDArray[np.float64]

FEWEST = 3  # other benchmarks without which there is no axis
_MATTERS = 0.05  # a share that moves less than this over all models tells nothing of them
_SETTING = re.compile(r"([_\-:.,|/ ]+(\d+[_\- ]?shots?|\d+|acc|acc_norm|accuracy|exact_match|em|f1|mc\d?))+$")
_BREAK = "_-:.,|/ "


@dataclass(frozen=True)
class _Benchmark:
    """One task's scores by model (NaN: missing), turned so that more is better."""

    task: str
    metric: str
    values: Floats
    flat: bool  # no model is off chance, or all score alike


def capability_places(points: Points, chosen: NDArray[np.bool_]) -> Places:
    """Places along the first principal component of each model's other benchmarks.

    Models count at their last checkpoint. A task's benchmark is its headline metric on the plain prompt, with
    the shots that most models have; perplexities are taken as logarithms and turned. Benchmarks on which no
    model does better than chance, or which fewer than half of the models have, are left out, and so are
    models with fewer than a third of the benchmarks; other holes are filled (`principal_components`).

    Args:
        points: The table, with all its tasks.
        chosen: Rows that need a place, shape (size,).
    """
    model, last = _last_checkpoints(points)
    benchmarks = _benchmarks(points, model, last)
    x = np.full(points.size, np.nan)
    notes: dict[str, tuple[str, ...]] = {}
    errors: dict[str, float] = {}
    codes, tasks = points.codes("task")
    for code in np.unique(codes[chosen]).tolist():
        rows = np.flatnonzero((codes == code) & last)
        places, error, notes[tasks[code]] = _axis(tasks[code], np.unique(model[rows]), benchmarks)
        if places is not None:
            x[rows], errors[tasks[code]] = places[model[rows]], error
    return Places(x, np.full(points.size, RECORDED), by_task=notes, error=errors)


def same_benchmark(one: str, other: str) -> bool:
    """Whether two names mean the same task with other shots or metrics, or one is a part of the other.

    Examples:
        >>> same_benchmark("gsm8k_5shot", "GSM8K_acc"), same_benchmark("mmlu", "mmlu_anatomy")
        (True, True)
        >>> same_benchmark("arc_easy", "arc_challenge")
        False
    """
    a, b = sorted((_bare(one), _bare(other)), key=len)
    return a == b or (b.startswith(a) and b[len(a)] in _BREAK)


def _bare(task: str) -> str:
    lower = task.strip().lower()
    return _SETTING.sub("", lower) or lower


def _last_checkpoints(points: Points) -> tuple[Codes, NDArray[np.bool_]]:
    """Each row's model, and whether it is of that model's last checkpoint."""
    model, step = who(points), points.numbers("step")
    known = np.where(np.isfinite(step), step, -np.inf)
    latest = np.full(int(model.max()) + 1, -np.inf)
    np.maximum.at(latest, model, known)
    return model, known == latest[model]


def _benchmarks(points: Points, model: Codes, last: NDArray[np.bool_]) -> list[_Benchmark]:
    codes, tasks = points.codes("task")
    scores = ~np.isin(codes, [place for place, name in enumerate(tasks) if name in ("", INTERNALS)])
    rows = np.flatnonzero(last & scores & np.isfinite(points.numbers("value")))
    rows = rows[np.argsort(codes[rows], kind="stable")]
    parts = np.split(rows, np.flatnonzero(np.diff(codes[rows])) + 1) if len(rows) else []
    found = (_benchmark(points, tasks[codes[part[0]]], part, model) for part in parts)
    return [one for one in found if one is not None]


def _benchmark(points: Points, task: str, rows: Codes, model: Codes) -> _Benchmark | None:
    """One column of the table of benchmarks; None for a task that has no direction of progress."""
    variants, names = points.codes("variant")
    rows = _most_models(rows, variants, model, first=names.index("") if "" in names else None)
    value, (metrics, metric_names) = points.numbers("value"), points.codes("metric")
    spans: dict[str, list[float]] = {}
    for code in np.unique(metrics[rows]).tolist():
        there = value[rows[metrics[rows] == code]]
        spans[metric_names[code]] = [float(there.min()), float(there.max())]
    (metric,) = choose_metrics(spans, None)
    if metric_info(metric).neutral:
        return None
    rows = rows[metrics[rows] == metric_names.index(metric)]
    rows = _most_models(rows, points.codes("shots")[0], model)
    n = np.nan_to_num(points.numbers("n")[rows], nan=-1.0)
    rows = rows[np.lexsort((rows, n))]  # of repeated measurements the largest comes last and counts
    scores = value[rows]
    if is_share(metric) and ((scores < -1e-9) | (scores > 1 + 1e-9)).any():
        row = rows[(scores < -1e-9) | (scores > 1 + 1e-9)][0]
        name, known = points.codes("name")
        raise InputError(
            no_share(task, metric, known[name[row]], float(value[row]), rows, scores), field="value"
        )
    values = np.full(int(model.max()) + 1, np.nan)
    if is_perplexity(metric):
        rows, scores = rows[scores > 0], scores[scores > 0]
    values[model[rows]] = Progress(metric, 0.0, 1.0).forward(scores)
    chance = points.numbers("chance")[rows]
    floor = float(np.median(chance[np.isfinite(chance)])) if np.isfinite(chance).any() else -np.inf
    return _Benchmark(task, metric, values, _flat(metric, scores, floor))


def _most_models(rows: Codes, by: Codes, model: Codes, first: int | None = None) -> Codes:
    """The rows of the value (of `by`) that most models have, or of `first` where any row has it."""
    there = np.unique(by[rows])
    if first is not None and first in there:
        return np.asarray(rows[by[rows] == first])
    counts = [len(np.unique(model[rows[by[rows] == value]])) for value in there]
    return np.asarray(rows[by[rows] == there[int(np.argmax(counts))]])


def _flat(metric: str, scores: Floats, chance: float) -> bool:
    if not len(scores) or np.ptp(scores) == 0:
        return True
    if not is_share(metric):
        return False
    return bool(np.ptp(scores) < _MATTERS or scores.max() < chance + _MATTERS)


def _axis(
    task: str, scored: Codes, benchmarks: Sequence[_Benchmark]
) -> tuple[Floats | None, float, tuple[str, ...]]:
    """Places of all models on the axis of one task (None where there is none), their error, and notes."""
    others = [one for one in benchmarks if not same_benchmark(one.task, task)]
    flat = [one.task for one in others if one.flat]
    wide = [one for one in others if not one.flat]
    common = [one for one in wide if np.isfinite(one.values[scored]).mean() >= 0.5]
    rare = [one.task for one in wide if one not in common]
    notes = []
    if flat:
        notes.append(f"Not on the capability axis, since no model stands out on them: {listed(flat)}.")
    if rare:
        notes.append(f"Not on the capability axis, since most models lack them: {listed(rare)}.")
    if len(common) < FEWEST:
        have = listed([one.task for one in common]) or "none"
        notes.insert(
            0,
            f"The capability axis of {task} needs {FEWEST} other benchmarks on which the models differ, and "
            f"has {len(common)} ({have}); evaluate the models on more, or choose another axis.",
        )
        return None, 0.0, tuple(notes)
    table = np.column_stack([one.values for one in common])
    enough = np.isfinite(table).sum(1) >= max(min(FEWEST, len(common) - 1), -(-len(common) // 3))
    if enough[scored].sum() < 2:
        notes.insert(
            0, f"Fewer than two models that were scored on {task} have a third of the other benchmarks."
        )
        return None, 0.0, tuple(notes)
    shares = all(is_share(one.metric) for one in common)
    found = principal_components(
        table[enough], 1, standardize=not shares, bounds=(0.0, 1.0) if shares else None
    )
    places = np.full(len(table), np.nan)
    places[enough] = found.scores[:, 0]
    holes = int(np.isnan(table[enough]).sum())
    error = _error(found.imputed, found.mean, found.scale, found.loadings[:, 0], found.scores[:, 0])
    spread = float(np.std(found.scores[:, 0]))
    reliability = max(0.0, 1 - (error / spread) ** 2) if spread > 0 else 0.0
    said = (
        f"Capability is the first principal component of {len(common)} other benchmarks "
        f"({listed([one.task for one in common], 8)}) over {int(enough.sum())} models: it holds "
        f"{found.explained[0]:.0%} of their variance, {holes} of {table[enough].size} cells were imputed, "
        f"and a place on it is known to {error:.2g} (reliability {reliability:.2f})."
    ).replace("%", " %")
    turned = [one.task for one, loading in zip(common, found.loadings[:, 0], strict=True) if loading < 0]
    if turned:
        notes.append(f"On the capability axis more of {listed(turned)} counts as less.")
    return places, error, (said, *notes)


def _error(filled: Floats, mean: Floats, scale: Floats, loadings: Floats, scores: Floats) -> float:
    """Standard error of a place: what benchmarks hold beyond the component, carried through the loadings.

    The uniquenesses of a one-factor model, taken as independent: sqrt(sum_j l_j^2 psi_j).
    """
    rest = (filled - mean) / scale - np.outer(scores, loadings)
    free = max(len(filled) - 2, 1)
    # A residual about a component that the benchmark itself loads on is short by (1 - l^2).
    unique = (rest**2).sum(0) / free / np.maximum(1 - loadings**2, 0.1)
    return float(np.sqrt((loadings**2 * unique).sum()))
