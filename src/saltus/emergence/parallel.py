"""Many series on several processes: the same findings as on one, sooner.

Each series has a seed of its own, so nothing hangs on who works on it or when.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain, islice
from multiprocessing import get_context
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.analysis import Analysis, Grids, Options, analyse
from saltus.emergence.finding import finding_of
from saltus.emergence.series import Series
from saltus.records import Finding, QValues

A = TypeVar("A")
B = TypeVar("B")
Floats = NDArray[np.float64]
_Job = tuple[Series, Floats | None]

_EACH = 100  # series for which another process is worth its start
_BATCH = 24


def processors() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


class Crew:
    """Processes that analyse series and write findings; none where one is enough.

    Args:
        workers: Most processes.
        jobs: Series there are.
    """

    def __init__(self, workers: int, jobs: int) -> None:
        count = min(workers, jobs // _EACH)
        self._pool = ProcessPoolExecutor(count, mp_context=get_context("spawn")) if count > 1 else None

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def analyse(
        self,
        series: Sequence[Series],
        correlations: Sequence[Floats | None],
        options: Options,
        told: Callable[[int], None],
    ) -> list[Analysis]:
        """Fit and test every series; `told` hears how many are done."""
        out: list[Analysis] = []
        jobs = zip(series, correlations, strict=True)
        size = _BATCH if self._pool else 1
        for part in self._map(partial(_analyse, options=options), jobs, size):
            out += part
            told(len(out))
        return out

    def findings(
        self, tested: Sequence[Analysis], q: Sequence[QValues], options: Options
    ) -> Iterator[Finding]:
        """The findings on tested series, in their order."""
        write = partial(_findings, tested=len(tested), options=options)
        return iter(list(chain.from_iterable(self._map(write, zip(tested, q, strict=True), _BATCH))))

    def _map(self, work: Callable[[Sequence[A]], list[B]], jobs: Iterable[A], size: int) -> Iterator[list[B]]:
        parts = _parts(jobs, size)
        return map(work, parts) if self._pool is None else self._pool.map(work, parts)


def _parts(jobs: Iterable[A], size: int) -> Iterator[list[A]]:
    rest = iter(jobs)
    while part := list(islice(rest, size)):
        yield part


def _analyse(jobs: Sequence[_Job], options: Options) -> list[Analysis]:
    grids = Grids()
    return [analyse(series, options, grids, correlation) for series, correlation in jobs]


def _findings(jobs: Sequence[tuple[Analysis, QValues]], tested: int, options: Options) -> list[Finding]:
    return [finding_of(analysis, q, tested, options) for analysis, q in jobs]
