"""The split of Ruan et al. (2024): four emergent tasks, fitted on small models, asked about large ones.

Their method, from the paper (section 3, appendix B) and what their released code does: benchmarks are
standardized and filled by one component, kept within [0, 1], and reduced to unstandardized components of the
training models; y = b + (1 - b) logistic(a + w z) by least squares, b in [0, .2] on scores rescaled from
chance to 1 (or b = 0: the floor is chance). Models of unknown FLOPs are among those that are forecast.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from saltus.emergence.forecast.observed import observe
from saltus.stats import principal_components

from .harness import DATA

Floats = NDArray[np.float64]

BENCHMARKS = ("MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval")
WITHOUT_GSM8K = tuple(name for name in BENCHMARKS if name != "GSM8K")
FREE_FLOOR = 0.2


@dataclass(frozen=True)
class Task:
    """A column of the table, its chance, samples, cut (1e21 FLOPs) and the benchmarks that may explain it."""

    column: str
    chance: float
    samples: float
    cut: float
    benchmarks: tuple[str, ...]


TASKS = (
    Task("word_unscrambling_2_exact_match", 0.0, 5000, 84, BENCHMARKS),
    Task("parsinlu_qa_2_acc", 0.25, 1050, 84, BENCHMARKS),
    Task("arithmetic_3ds_2_acc", 0.0, 2000, 22, WITHOUT_GSM8K),
    Task("arithmetic_2dm_2_acc", 0.0, 2000, 22, WITHOUT_GSM8K),
)


@dataclass(frozen=True)
class Split:
    """Scores, benchmarks and FLOPs of the models that have the task, and which are fitted."""

    task: Task
    y: Floats
    benchmarks: Floats
    flops: Floats
    train: NDArray[np.bool_]


@cache
def split(task: Task) -> Split:
    """Read one task's split."""
    folder = DATA / "obscaling"
    with (folder / "base_llm_benchmark_eval.csv").open() as file:
        known = {row["Model"]: row for row in csv.DictReader(file)}
    with (folder / "base_llm_emergent_capability_eval.csv").open() as file:
        rows = [row | known[row["Model"]] for row in csv.DictReader(file) if row[task.column]]
    flops = np.array([_number(row["FLOPs (1E21)"]) for row in rows])
    return Split(
        task,
        np.array([float(row[task.column]) for row in rows]),
        np.array([[_number(row[name]) for name in task.benchmarks] for row in rows]),
        flops,
        flops <= task.cut,
    )


def theirs(one: Split, *, free: bool, starts: int = 1) -> float:
    """Test MSE of PC-3, from their start or from the best of many."""
    found = principal_components(one.benchmarks[one.train], 3, bounds=(0.0, 1.0))
    return _error(one, found.project(one.benchmarks), one.train, ~one.train, free=free, starts=starts)


def by_flops(one: Split) -> float:
    """Test MSE of the same curve over log FLOPs."""
    with np.errstate(invalid="ignore"):
        z = np.log(one.flops)[:, None]
    return _error(one, z, one.train, ~one.train & np.isfinite(one.flops), free=True, starts=1)


def ours(one: Split) -> tuple[float, NDArray[np.bool_]]:
    """Test MSE of the pooled components, and which 90 % intervals hold their score."""
    train, n = one.train, np.full(int(one.train.sum()), one.task.samples)
    value, low, high = (np.full(len(one.y), np.nan) for _ in range(3))
    for new, flops in ((~train & np.isfinite(one.flops), True), (~train & ~np.isfinite(one.flops), False)):
        if not new.any():
            continue
        mixture, _ = observe(
            one.benchmarks[train],
            one.y[train],
            n,
            one.task.chance,
            one.benchmarks[new],
            (one.flops[train], one.flops[new]) if flops else None,
        )
        value[new] = mixture.quantile(0.5)
        low[new], high[new] = mixture.interval(0.9)
    actual, test = one.y[~train], ~train
    inside = (low[test] <= actual) & (actual <= high[test])
    return float(((value[test] - actual) ** 2).mean()), inside


def geometric(errors: list[float]) -> float:
    """Geometric mean."""
    return float(np.exp(np.mean(np.log(errors))))


def _error(
    one: Split, z: Floats, train: NDArray[np.bool_], test: NDArray[np.bool_], *, free: bool, starts: int
) -> float:
    chance = one.task.chance
    x = np.column_stack([np.ones(len(z)), z])
    y = (one.y - chance) / (1 - chance)
    k = x.shape[1]
    top = FREE_FLOOR if free else 1e-9
    bounds = ([-np.inf] * k + [0.0], [np.inf] * k + [top])
    rng = np.random.default_rng(0)
    tried = []
    for i in range(starts):
        start = np.r_[0.0, np.full(k - 1, 0.01), 0.0]
        if i:
            spread = np.r_[1.0, 1 / x[train, 1:].std(axis=0)]
            start = np.r_[rng.normal(0, 3, k) * spread, rng.uniform(0, top)]
        try:
            found, _ = curve_fit(_curve, x[train], y[train], p0=start, maxfev=10_000, bounds=bounds)
        except RuntimeError:  # this start did not converge
            continue
        tried.append((float(((_curve(x[train], *found) - y[train]) ** 2).mean()), found))
    best = min(tried, key=lambda pair: pair[0])[1]
    return float((((1 - chance) * (_curve(x[test], *best) - y[test])) ** 2).mean())


def _curve(x: Floats, *p: float) -> Floats:
    *w, b = p
    return np.asarray(b + (1 - b) / (1 + np.exp(-np.clip(x @ np.array(w), -500, 500))))


def _number(text: str) -> float:
    return float(text) if text else float("nan")
