"""The table of `make validity` at a reduced size: no row misses its bar by over two standard errors."""

from __future__ import annotations

import pytest

from .harness import Experiment, load_rows, run

ROWS = [experiment for experiment in load_rows().values() if not experiment.timed]


@pytest.mark.parametrize("experiment", ROWS, ids=lambda e: e.name)
def test_the_bar_holds(experiment: Experiment) -> None:
    if experiment.missing:
        pytest.skip(experiment.missing)
    missed = []
    for result in run(experiment, share=experiment.quick, slack=2):
        print(*result.cells(), sep="  ")
        if not result.passed:
            missed.append(f"{result.bar.words}: {result.rate} against {result.bar.bound}")
    assert not missed, missed
