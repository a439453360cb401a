"""Whether the intervals of lags over several runs cover; changes themselves are rows of the table."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.emergence.lags import _estimate


@pytest.mark.parametrize("runs", [2, 3, 6])
def test_intervals_of_lags_cover_the_mean_over_runs(runs: int) -> None:
    rng = np.random.default_rng(3)
    hit, false = 0, 0
    for _ in range(1000):
        value = 1.0 + 0.3 * rng.standard_normal(runs)  # runs differ by .3, each place by .1 beyond
        draws = (value + 0.1 * rng.standard_normal(runs))[:, None] + 0.1 * rng.standard_normal((runs, 50))
        interval, _ = _estimate(draws.mean(1), draws)
        hit += interval.low <= 1 <= interval.high
        _, p = _estimate(draws.mean(1) - 1, draws - 1)
        false += p <= 0.05
    print(f"{runs} runs: covers {hit / 1000:.3f}, order claimed where there is none {false / 1000:.3f}")
    assert 0.87 <= hit / 1000 <= (0.97 if runs > 2 else 1.0)
    assert false / 1000 <= 0.065
