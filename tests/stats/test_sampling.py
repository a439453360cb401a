"""P-values by simulation: uniform under the null, exact where they stop, right in the tail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, kstest

from saltus.stats.sampling import monte_carlo_p, tail_p


def test_p_is_uniform_where_the_null_holds() -> None:
    rng = np.random.default_rng(0)
    p = []
    for _ in range(600):
        observed = float(rng.chisquare(3))
        p.append(monte_carlo_p(lambda size: rng.chisquare(3, size), observed, draws=500).p)
    assert kstest(p, "uniform").pvalue > 0.01
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(p) <= level) <= level + 2.5 * np.sqrt(level / 600)


def test_clearly_null_series_stop_early_and_say_so() -> None:
    rng = np.random.default_rng(1)
    early = monte_carlo_p(lambda size: rng.chisquare(3, size), 1.0, draws=1000)
    assert early.reading == "stopped"
    assert early.draws < 120
    assert early.p == pytest.approx(50 / early.draws)
    middle = monte_carlo_p(lambda size: rng.chisquare(3, size), float(chi2.isf(0.03, 3)), draws=1000)
    assert (middle.reading, middle.draws) == ("counted", 1000)
    assert middle.p == pytest.approx(0.03, abs=0.015)


@pytest.mark.parametrize("degrees", [1, 3, 6])
@pytest.mark.parametrize("p", [1e-3, 1e-4, 1e-5])
def test_the_tail_of_a_thousand_draws_tells_small_p_values_and_errs_on_the_large_side(
    degrees: int, p: float
) -> None:
    rng = np.random.default_rng(2)
    observed = float(chi2.isf(p, degrees))
    found = [tail_p(rng.chisquare(degrees, 1000), observed) for _ in range(100)]
    ratio = np.array([one for one in found if one is not None]) / p
    assert len(ratio) >= 90
    assert 0.8 <= np.median(ratio) <= 5
    assert np.mean(ratio < 0.1) <= 0.1


@given(st.floats(5, 1e6), st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_no_p_value_is_0_or_deeper_than_the_tail_is_believed(observed: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = monte_carlo_p(lambda size: rng.chisquare(2, size), observed, draws=999)
    assert 1e-6 <= found.p <= 1


def test_draws_that_are_all_alike_are_counted() -> None:
    found = monte_carlo_p(np.zeros, 1.0, draws=99)
    assert (found.reading, found.p) == ("counted", 0.01)
