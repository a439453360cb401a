"""A model's score on one task from its scores on others: observational scaling laws (Ruan et al. 2024).

All families count together, whatever their recipe; where FLOPs are known, half of the members use them too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saltus._version import __version__
from saltus.emergence.forecast.forecast import check_level
from saltus.emergence.points import read_points
from saltus.emergence.scores import ASSUMED_N, choose_metrics, is_share
from saltus.emergence.series import number
from saltus.records import Forecast
from saltus.stats import Mixture, Observational, effective_n, pool, principal_components

Floats = NDArray[np.float64]

COUNTS = (2, 3)  # components that the members use
FEWEST_MODELS, FEWEST_TASKS = 10, 3
_KNOWN = 0.6  # of the models must have a benchmark for it to count


@dataclass(frozen=True)
class Table:
    """Scores of models on tasks, each task by the metric that speaks for it.

    Attributes:
        models: Names.
        tasks: Tasks in order, with `metrics`.
        scores: Shape (models, tasks), NaN where missing; `n` has the effective samples.
        chance: Score of guessing by task, NaN where unknown.
        flops: Of the models, NaN where unknown.
        rows: One row a model, for its attributes.
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    metrics: tuple[str, ...]
    scores: Floats
    n: Floats
    chance: Floats
    flops: Floats
    rows: tuple[Any, ...]

    def others(self, task: str, among: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Columns of the other tasks that most of some models have."""
        known = np.isfinite(self.scores[among]).mean(axis=0) if among.any() else np.zeros(len(self.tasks))
        return np.array([j for j, t in enumerate(self.tasks) if t != task and known[j] >= _KNOWN], int)


def score_table(points: Any, *, metrics: Sequence[str] | None = None) -> Table:
    """Pivot points: each model at its last checkpoint, shares only, plain prompts only."""
    table = read_points(points)
    rows = [row for row in table.rows(np.arange(table.size)) if not row.get("variant")]
    by_task: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_task[str(row["task"])][str(row["metric"])].append(row)
    chosen: dict[str, tuple[str, list[Any]]] = {}
    for task, own in sorted(by_task.items()):
        values = {metric: [r["value"] for r in some] for metric, some in own.items()}
        names = choose_metrics(values, metrics) or choose_metrics(values, None)
        if names and is_share(names[0]):
            chosen[task] = (names[0], own[names[0]])
    last: dict[str, Any] = {}
    for _, some in chosen.values():
        for row in some:
            kept = last.get(_who(row))
            if kept is None or not (number(row.get("step")) <= number(kept.get("step"))):
                last[_who(row)] = row
    models = tuple(last)
    place = {name: i for i, name in enumerate(models)}
    scores = np.full((len(models), len(chosen)), np.nan)
    n = np.full_like(scores, ASSUMED_N)
    chance = np.full(len(chosen), np.nan)
    for j, (_, some) in enumerate(chosen.values()):
        for row in some:
            latest = last[_who(row)]
            if row.get("step") == latest.get("step"):
                scores[place[_who(row)], j] = number(row["value"])
                n[place[_who(row)], j] = _samples(row)
        known = [number(row.get("chance")) for row in some]
        known = [c for c in known if np.isfinite(c)]
        chance[j] = float(np.median(known)) if known else np.nan
    return Table(
        models,
        tuple(chosen),
        tuple(metric for metric, _ in chosen.values()),
        scores,
        n,
        chance,
        np.array([number(row.get("flops")) for row in last.values()]),
        tuple(last.values()),
    )


def observe(
    benchmarks: Floats, y: Floats, n: Floats, floor: float, new: Floats, flops: tuple[Floats, Floats] | None
) -> tuple[Mixture, Floats]:
    """Scores of new models from their benchmarks: 2 and 3 components, with and without FLOPs, pooled.

    Args:
        benchmarks: Of the models that are known, shape (models, benchmarks), NaN for missing.
        y: Their scores on the task.
        n: Effective samples behind these.
        floor: Score of guessing.
        new: Benchmarks of the new models, shape (m, benchmarks).
        flops: Of the known and of the new models, all of them known and above 0; None leaves FLOPs out.

    Returns:
        The distribution of the new models' measured scores, and their places on the first component.
    """
    found = principal_components(benchmarks, max(COUNTS), bounds=(0.0, 1.0))
    places = found.project(new)
    members = []
    for count in sorted({min(c, found.scores.shape[1]) for c in COUNTS}):
        old, ahead = found.scores[:, :count], places[:, :count]
        members.append(Observational(old, y, n, floor).predict(ahead))
        if flops is None:
            continue
        log_old, log_new = np.log10(flops[0]), np.log10(flops[1])
        unit = float(found.scores[:, 0].std()) / (
            float(log_old.std()) or 1.0
        )  # as wide as the first component
        old = np.column_stack([old, log_old * unit])
        members.append(Observational(old, y, n, floor).predict(np.column_stack([ahead, log_new * unit])))
    return pool(members, [1.0] * len(members)), places[:, 0]


def observed_forecasts(
    points: Any,
    models: Sequence[str],
    *,
    tasks: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    level: float = 0.9,
    seed: int = 0,
) -> list[Forecast]:
    """Forecast tasks of named models from their other benchmarks.

    Args:
        points: As `detect_all` takes them; all families and tasks, since they all count.
        models: Names whose scores on some tasks are among the points.
        tasks: To forecast; by default all that a model lacks.
        metrics: Of the tasks that are forecast.
        level: Of the interval of a measured score.
        seed: Recorded; nothing is drawn.

    Returns:
        A forecast for each model and task where ten other models have the task and the model has three other
        benchmarks that most of them have; the others are left out.
    """
    check_level(level)
    table = score_table(points, metrics=metrics)
    out = []
    for name in models:
        if name not in table.models:
            continue
        row = table.models.index(name)
        for j, task in enumerate(table.tasks):
            wanted = task in tasks if tasks is not None else not np.isfinite(table.scores[row, j])
            found = _observed(table, row, j) if wanted else None
            if found is not None:
                out.append(_forecast(table, row, j, found, level, seed))
    return out


@dataclass(frozen=True)
class _Observed:
    """A prediction from other benchmarks: the place on PC1, how many models and benchmarks, FLOPs or not."""

    mixture: Mixture
    place: float
    models: int
    benchmarks: int
    flops: bool


def _observed(table: Table, row: int, column: int) -> _Observed | None:
    known = np.isfinite(table.scores[:, column])
    known[row] = False
    columns = table.others(table.tasks[column], known)
    columns = columns[np.isfinite(table.scores[row, columns])]
    if known.sum() < FEWEST_MODELS or len(columns) < FEWEST_TASKS:
        return None
    known &= np.isfinite(table.scores[:, columns]).any(axis=1)
    flops = table.flops[known], table.flops[[row]]
    use = bool((np.concatenate(flops) > 0).all())
    mixture, place = observe(
        table.scores[known][:, columns],
        table.scores[known, column],
        table.n[known, column],
        float(np.nan_to_num(table.chance[column])),
        table.scores[[row]][:, columns],
        flops if use else None,
    )
    return _Observed(mixture, float(place[0]), int(known.sum()), len(columns), use)


def _forecast(table: Table, row: int, column: int, found: _Observed, level: float, seed: int) -> Forecast:
    low, high = found.mixture.interval(level)
    with_flops = ", with and without FLOPs" if found.flops else "; FLOPs are not known of all, and left out"
    reason = (
        f"From its scores on {found.benchmarks} other benchmarks, by what {found.models} models of all "
        f"families say of two and three principal components{with_flops}."
    )
    return Forecast(
        task=table.tasks[column],
        metric=table.metrics[column],
        family=str(table.rows[row].get("family") or ""),
        axis="capability",
        at=found.place,
        model=table.models[row],
        value=float(found.mixture.quantile(0.5)[0]),
        low=float(low[0]),
        high=float(high[0]),
        level=level,
        method="components PC2, PC3" + (" and FLOPs" if found.flops else ""),
        reasons=(reason,),
        n_points=found.models,
        chance=None if np.isnan(table.chance[column]) else float(table.chance[column]),
        seed=seed,
        version=__version__,
    )


def _who(row: Any) -> str:
    seed = row.get("model_seed")
    return str(row["name"]) + (f" (seed {seed})" if seed else "")


def _samples(row: Any) -> float:
    y, n, se = (np.array([number(row.get(k))]) for k in ("value", "n", "stderr"))
    found = float(effective_n(y, np.where(n > 0, n, np.nan), se)[0])
    return max(found, 1.0) if np.isfinite(found) else ASSUMED_N
