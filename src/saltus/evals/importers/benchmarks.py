"""What guessing scores on well-known benchmarks, and how many items they have, from `benchmarks.csv`."""

from __future__ import annotations

import csv
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

import msgspec

from saltus.records.metrics import metric_info

# Full marks or none on one answer each: guessing scores the benchmark's chance on these and no others.
_GUESSED = frozenset(
    {
        "acc",
        "acc_norm",
        "acc_bytes",
        "accuracy",
        "choice_correct",
        "em",
        "exact_match",
        "mc1",
        "multiple_choice_grade",
        "pass@1",
        "pct_stereotype",
        "score",
    }
)


class Benchmark(msgspec.Struct, frozen=True):
    """One row: a pattern of task names, the score of guessing, items of the usual test split, the source."""

    task: str
    chance: float | None = None
    n_test: int | None = None
    source: str = ""


@cache
def benchmark(task: str) -> Benchmark | None:
    """The first row whose pattern fits a task's name; case, "-", " " and "_" make no difference.

    Examples:
        >>> benchmark("ARC-Challenge").n_test, benchmark("hendrycksTest-anatomy").chance
        (1172, 0.25)
    """
    name = _spelt(task)
    return next((row for row in _rows() if fnmatchcase(name, _spelt(row.task))), None)


def chance_of(task: str, metric: str) -> float | None:
    """Score of guessing, None where it is not known or the metric is not a share that guessing earns."""
    if metric not in _GUESSED or metric_info(metric).unit != "share":
        return None
    found = benchmark(task)
    return found.chance if found else None


def _spelt(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


@cache
def _rows() -> tuple[Benchmark, ...]:
    text = files("saltus.evals.importers").joinpath("benchmarks.csv").read_text(encoding="utf-8")
    rows = ({key: cell for key, cell in row.items() if cell} for row in csv.DictReader(text.splitlines()))
    return tuple(msgspec.convert(row, Benchmark, strict=False) for row in rows)
