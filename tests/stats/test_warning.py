"""Early-warning statistics: what they see, what they do not, and that no look knows what comes later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.stats.warning import (
    LEAST,
    epoch_ratios,
    flip_ratios,
    leaves_floor,
    rate_rises,
    slowing,
    spending,
)

STEPS = 25.0 * np.arange(1, 41)


def late_rise(rng: np.random.Generator, noise: float = 0.02) -> np.ndarray:
    return np.where(STEPS > 600, (STEPS - 600) / 250, 0.0) + noise * rng.standard_normal(len(STEPS))


def test_the_budget_is_spent_once() -> None:
    assert spending(10).sum() < spending(1000).sum() < 1
    assert spending(200_000).sum() == pytest.approx(1, abs=1e-3)
    assert (np.diff(spending(100)) < 0).all()


def test_a_rise_after_a_floor_is_seen_soon() -> None:
    looks = rate_rises(STEPS, late_rise(np.random.default_rng(3)))
    crossed = STEPS[looks.corrected <= 0.05]
    assert 600 < crossed[0] <= 675
    assert np.isnan(looks.statistic[: LEAST - 1]).all()
    assert (looks.corrected[: LEAST - 1] == 1).all()


@pytest.mark.parametrize(
    "curve",
    [
        np.zeros(40),
        0.3 + 1e-4 * STEPS,
        1 - np.exp(-STEPS / 300),
        -4 * STEPS**-0.3,
        np.log(STEPS),
        -np.exp(STEPS / 400),
    ],
    ids=["flat", "steady", "relaxing", "power law", "logarithm", "falling faster"],
)
def test_a_rate_that_never_rises_is_no_sign(curve: np.ndarray) -> None:
    assert (rate_rises(STEPS, curve, grain=1e-9).corrected > 0.05).all()
    noisy = curve + 0.01 * np.random.default_rng(0).standard_normal(40)
    assert (rate_rises(STEPS, noisy).corrected > 0.05).all()


def test_steady_growth_has_no_floor_to_leave() -> None:
    rng = np.random.default_rng(5)
    growing = (STEPS / 1000) ** 2 + 1e-4 * rng.standard_normal(40)
    assert (rate_rises(STEPS, growing).corrected <= 0.05).any()
    assert (leaves_floor(STEPS, growing).corrected > 0.05).all()
    assert (leaves_floor(STEPS, late_rise(rng)).corrected <= 0.05).any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(LEAST, 39), st.booleans())
def test_a_look_does_not_know_what_comes_later(seed: int, cut: int, gaps: bool) -> None:
    rng = np.random.default_rng(seed)
    y = late_rise(rng, 0.1)
    if gaps:
        y[rng.random(40) < 0.2] = np.nan
    for function in (rate_rises, leaves_floor):
        whole, part = function(STEPS, y), function(STEPS[:cut], y[:cut])
        np.testing.assert_array_equal(whole.corrected[:cut], part.corrected)
    whole, part = (
        slowing(y[:k], np.full(k, 0.1), "variance", np.random.default_rng(1), draws=99) for k in (40, cut)
    )
    np.testing.assert_array_equal(whole.corrected[:cut], part.corrected)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.001, 1000), st.floats(-100, 100), st.floats(0.01, 1e6))
def test_units_do_not_matter(scale: float, shift: float, stretch: float) -> None:
    y = late_rise(np.random.default_rng(2))
    plain, other = rate_rises(STEPS, y), rate_rises(stretch * STEPS, scale * y + shift)
    np.testing.assert_allclose(other.statistic, plain.statistic, rtol=1e-4)


def test_flips_of_guesses_are_as_many_as_chance_gives() -> None:
    rng = np.random.default_rng(0)
    guesses = (rng.random((30, 4000)) < 0.3).astype(float)
    ratios = flip_ratios(guesses)
    assert np.isnan(ratios[0])
    assert ratios[1:] == pytest.approx(1, abs=0.1)
    decided = np.tile(guesses[0], (30, 1))
    assert flip_ratios(decided)[1:] == pytest.approx(0)
    assert np.isnan(flip_ratios(np.ones((3, 50)))).all()


def test_flips_leave_out_samples_that_were_not_asked() -> None:
    marks = np.array([[0.0, 1, 1, 0] * 10, [1.0, 1, 0, 0] * 10])
    with_gap = np.column_stack([marks, [[np.nan] * 9, [1.0] * 9]])
    assert flip_ratios(marks)[1] == flip_ratios(with_gap)[1] == pytest.approx(1.0)


def test_epochs_of_one_coin_differ_as_chance_gives() -> None:
    rng = np.random.default_rng(0)
    coin = rng.binomial(4, 0.3, (5, 4000))
    decided = 4 * (rng.random((5, 4000)) < 0.3)
    four = np.full(coin.shape, 4)
    assert epoch_ratios(coin, four) == pytest.approx(1, abs=0.05)
    assert epoch_ratios(decided, four) == pytest.approx(0)
    assert np.isnan(epoch_ratios(coin, np.ones(coin.shape))).all()


def test_variance_that_grows_is_seen_where_it_is_plain() -> None:
    rng = np.random.default_rng(4)
    n = 80
    growing = rng.standard_normal(n) * np.linspace(0.2, 4, n)
    looks = slowing(growing, np.ones(n), "variance", np.random.default_rng(0))
    assert (looks.corrected <= 0.05).any()
    assert np.isfinite(looks.statistic).sum() == 8  # 12, 16, 20, 26, 34, 45, 58, 75
    still = slowing(np.full(n, 0.5), np.ones(n), "variance", np.random.default_rng(0), draws=99)
    assert (still.corrected == 1).all()


def test_correlation_that_grows_is_seen_where_it_is_plain() -> None:
    rng = np.random.default_rng(7)
    n = 120
    y = np.zeros(n)
    for i in range(1, n):
        y[i] = 0.95 * i / n * y[i - 1] + rng.standard_normal()
    looks = slowing(y, np.ones(n), "autocorrelation", np.random.default_rng(0), draws=200)
    assert np.nanmax(looks.statistic) > 0.5


def test_places_must_rise() -> None:
    with pytest.raises(ValueError, match="places must rise"):
        rate_rises([1, 1, 2], [0, 0, 0])
    assert len(rate_rises([], []).p) == 0
