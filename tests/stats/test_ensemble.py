"""The ensemble of curves and its predictive mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.stats import CurveEnsemble, Mixture, Noise, Observational, bounded_mixture, pool


def ensemble(mean: np.ndarray, u: np.ndarray, floor: float | None = 0.25, n: float = 1000) -> CurveEnsemble:
    rng = np.random.default_rng(1)
    y = rng.binomial(int(n), mean) / n
    return CurveEnsemble(u, y, Noise(np.full(len(u), n), None, 0.01), floor=floor)


def test_quantiles_of_one_part_are_those_of_the_normal() -> None:
    one = Mixture(np.ones(1), np.array([[0.3, -1.0]]), np.array([[0.5, 2.0]]), False)
    assert one.quantile(0.5) == pytest.approx([0.3, -1.0], abs=1e-6)
    low, high = one.interval(0.9)
    assert high - low == pytest.approx(2 * 1.6449 * np.array([0.5, 2.0]), rel=1e-3)


def test_a_pool_lies_between_its_parts_and_may_have_two_tops() -> None:
    a = bounded_mixture(np.ones(1), np.array([[0.2]]), np.array([[1e-4]]), 1e-3)
    b = bounded_mixture(np.ones(1), np.array([[0.8]]), np.array([[1e-4]]), 1e-3)
    both = pool([a, b], [3.0, 1.0])
    assert both.quantile(0.5)[0] == pytest.approx(0.2, abs=0.02)
    assert both.quantile(0.9)[0] == pytest.approx(0.8, abs=0.02)


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.5, 1.5), st.floats(1e-6, 1.0), st.floats(0.01, 0.99))
def test_bounded_mixtures_stay_within_bounds(mean: float, variance: float, p: float) -> None:
    part = bounded_mixture(np.ones(1), np.array([[mean]]), np.array([[variance]]), 1e-3)
    assert 0 < part.quantile(p)[0] < 1


def test_steady_growth_goes_on_and_the_interval_widens() -> None:
    u = np.linspace(8, 10, 9)
    found = ensemble(0.3 + 0.15 * (u - 8), u)
    at = np.array([10.2, 10.6, 11.0])
    middle, (low, high) = found.predict(at).quantile(0.5), found.predict(at).interval(0.9)
    assert middle[0] == pytest.approx(0.63, abs=0.03)
    assert (np.diff(middle) > 0).all()
    assert (np.diff(high - low) > 0).all()


def test_a_plateau_stays_and_its_weights_say_so() -> None:
    u = np.linspace(8, 10, 9)
    found = ensemble(np.full(9, 0.6), u)
    assert sum(found.weights.values()) == pytest.approx(1)
    assert found.weights["flat"] > 0.4
    assert found.predict(np.array([10.5])).quantile(0.5)[0] == pytest.approx(0.6, abs=0.03)


def test_more_samples_behind_the_new_score_narrow_the_interval() -> None:
    u = np.linspace(8, 10, 9)
    found = ensemble(np.full(9, 0.6), u)
    few, many = (found.predict(np.array([10.1]), samples=n).interval(0.9) for n in (50, 100_000))
    assert many[1] - many[0] < 0.6 * (few[1] - few[0])


def test_the_order_of_the_points_does_not_matter() -> None:
    u = np.linspace(8, 10, 9)
    y = 0.3 + 0.1 * (u - 8)
    noise = Noise(np.full(9, 500.0), None, 0.01)
    turn = np.random.default_rng(0).permutation(9)
    a, b = CurveEnsemble(u, y, noise, floor=0.25), CurveEnsemble(u[turn], y[turn], noise, floor=0.25)
    at = np.array([10.5])
    assert a.predict(at).quantile(0.5) == pytest.approx(b.predict(at).quantile(0.5), abs=1e-9)


def test_scores_without_bounds_are_forecast_too() -> None:
    u = np.linspace(0, 2, 8)
    y = 1 - 10 ** (-0.5 * u)
    found = CurveEnsemble(u, y, Noise(None, np.full(8, 0.005), 0.01))
    low, high = found.predict(np.array([2.5])).interval(0.9)
    assert low[0] < 1 - 10**-1.25 < high[0]


def test_components_that_say_nothing_leave_the_mean() -> None:
    rng = np.random.default_rng(2)
    z = rng.normal(size=(40, 2))
    y = rng.binomial(500, 0.4, 40) / 500
    found = Observational(z, y, np.full(40, 500.0))
    assert found.predict(np.array([[0.5, -0.5]])).quantile(0.5)[0] == pytest.approx(0.4, abs=0.03)


def test_components_that_say_it_are_followed_and_held_where_they_would_run_away() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(40, 2))
    truth = 1 / (1 + np.exp(-(2 * z[:, 0] - 2)))
    y = rng.binomial(1000, truth) / 1000
    found = Observational(z, y, np.full(40, 1000.0))
    low, high = found.predict(np.array([[1.5, 0.0]])).interval(0.9)
    assert low[0] < 1 / (1 + np.exp(-1)) < high[0]
    separable = Observational(z, (z[:, 0] > 0).astype(float), np.full(40, 1000.0))
    assert np.isfinite(separable.predict(z).quantile(0.5)).all()
