"""One table of what detection must show: rows with a bar, measured by simulation or on published results.

Modules named `*_rows.py` in this folder register their rows with `@measures`; `test_table.py` runs all of
them at a reduced size, `python -m tests.validity` at full size.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[2] / "shared" / "data"

NONE = "-"

T = TypeVar("T")


@dataclass(frozen=True)
class Rate:
    """What was measured.

    Attributes:
        value: A share of simulations, or another figure (an error, seconds).
        error: Its standard error; None where the figure is no share of simulations.
        size: Simulations or series behind it.
        note: What else to know, such as the kinds of series that failed.
    """

    value: float
    error: float | None = None
    size: int = 1
    note: str = ""

    @classmethod
    def of(cls, hits: int, size: int, note: str = "") -> Rate:
        """A share with its binomial standard error, which half a hit more keeps from being 0."""
        near = (hits + 0.5) / (size + 1)
        return cls(hits / size if size else math.nan, math.sqrt(near * (1 - near) / max(size, 1)), size, note)


@dataclass(frozen=True)
class Bar:
    """A row of the table: what the figure named `key` must be; without bounds it is only printed."""

    key: str
    words: str
    least: float | None = None
    most: float | None = None

    def holds(self, rate: Rate, slack: float = 0.0) -> bool:
        """Whether the figure is within the bounds, `slack` standard errors granted."""
        grant = slack * (rate.error or 0.0)
        low, high = self.least, self.most
        within = (low is None or rate.value >= low - grant) and (high is None or rate.value <= high + grant)
        return within and not math.isnan(rate.value)

    @property
    def bound(self) -> str:
        """The bar in words."""
        match self.least, self.most:
            case None, None:
                return NONE
            case None, most:
                return f"≤ {_figure(most)}"
            case least, None:
                return f"≥ {_figure(least)}"
            case least, most:
                return f"{_figure(least)} to {_figure(most)}"


@dataclass(frozen=True)
class Plan:
    """How much to simulate: a share of the full size, on so many processes."""

    seed: int
    share: float = 1.0
    jobs: int = 1

    def size(self, full: int, least: int = 1) -> int:
        """The full size, reduced."""
        return min(full, max(least, round(full * self.share)))

    def map(self, one: Callable[[np.random.Generator, int], T], full: int) -> list[T]:
        """One result a simulation, each with its own generator: a reduced run is the start of a full one."""
        call = partial(_seeded, one, self.seed)
        return self.each(call, range(self.size(full)))

    def each(self, call: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
        """One result an item, in order."""
        if self.jobs <= 1:
            return [call(item) for item in items]
        _CALLS.append(call)  # inherited when processes fork: truths are often lambdas, which no pipe takes
        try:
            with ProcessPoolExecutor(self.jobs, mp_context=get_context("fork")) as pool:
                return list(pool.map(_latest, items, chunksize=5))
        finally:
            _CALLS.pop()


_CALLS: list[Callable[[Any], Any]] = []


def _latest(item: Any) -> Any:
    return _CALLS[-1](item)


def _seeded(one: Callable[[np.random.Generator, int], T], seed: int, i: int) -> T:
    return one(np.random.default_rng([seed, i]), i)


Measure = Callable[[Plan], dict[str, Rate]]


@dataclass(frozen=True)
class Experiment:
    """A measurement that fills one or more rows.

    Attributes:
        quick: Share of the full size that the test suite runs.
        needs: A folder of published results below ../shared/data, "" for none.
        timed: It measures seconds, so the test suite leaves it out and nothing runs beside it.
    """

    name: str
    run: Measure
    bars: tuple[Bar, ...]
    seed: int
    quick: float = 0.1
    needs: str = ""
    timed: bool = False

    @property
    def missing(self) -> str:
        """Why it cannot run here, "" if it can."""
        if self.needs and not (DATA / self.needs).is_dir():
            return f"published results (../shared/data/{self.needs}) are not here"
        return ""


EXPERIMENTS: dict[str, Experiment] = {}


def measures(
    *bars: Bar, seed: int, quick: float = 0.1, needs: str = "", timed: bool = False
) -> Callable[[Measure], Measure]:
    """Register a function that takes a `Plan` and gives a `Rate` for each bar's key."""

    def register(function: Measure) -> Measure:
        name = f"{Path(function.__code__.co_filename).stem.removesuffix('_rows')}.{function.__name__}"
        EXPERIMENTS[name] = Experiment(name, function, bars, seed, quick, needs, timed)
        return function

    return register


def load_rows() -> dict[str, Experiment]:
    """Import every `*_rows.py` beside this file, and give what they registered."""
    for path in sorted(HERE.glob("*_rows.py")):
        importlib.import_module(f"tests.validity.{path.stem}")
    return EXPERIMENTS


@dataclass(frozen=True)
class Result:
    """One row as it came out."""

    experiment: Experiment
    bar: Bar
    rate: Rate | None
    seconds: float = 0.0
    skipped: str = ""
    passed: bool = field(default=False)

    def cells(self) -> tuple[str, ...]:
        """The row's cells: what, bar, measured, standard error, simulations, seed, seconds, outcome."""
        if self.rate is None:
            return (
                self.bar.words,
                self.bar.bound,
                NONE,
                NONE,
                NONE,
                str(self.experiment.seed),
                NONE,
                "skipped: " + self.skipped,
            )
        said = NONE if self.bar.bound == NONE else ("pass" if self.passed else "FAIL")
        error = NONE if self.rate.error is None else _figure(self.rate.error)
        return (
            self.bar.words + (f" ({self.rate.note})" if self.rate.note else ""),
            self.bar.bound,
            _figure(self.rate.value),
            error,
            f"{self.rate.size:,}",
            str(self.experiment.seed),
            f"{self.seconds:.0f}",
            said,
        )


def run(experiment: Experiment, *, share: float = 1.0, jobs: int = 1, slack: float = 0.0) -> list[Result]:
    """Measure one experiment's rows.

    Args:
        experiment: One of `load_rows()`.
        share: Of the full size.
        jobs: Processes; the figures do not depend on them.
        slack: Standard errors by which a row may miss its bar, for reduced sizes.
    """
    if experiment.missing:
        return [Result(experiment, bar, None, skipped=experiment.missing) for bar in experiment.bars]
    start = time.perf_counter()
    found = experiment.run(Plan(experiment.seed, share, 1 if experiment.timed else jobs))
    seconds = time.perf_counter() - start
    return [
        Result(experiment, bar, found[bar.key], seconds, passed=bar.holds(found[bar.key], slack))
        for bar in experiment.bars
    ]


HEAD = ("what", "bar", "measured", "standard error", "series", "seed", "seconds", "outcome")


def markdown(results: Iterable[Result]) -> str:
    """The table in Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *(result.cells() for result in results)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def _figure(value: float) -> str:
    if value != 0 and abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.4f}".rstrip("0").rstrip(".") or "0"
