from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.stats.changepoints import MOST, change_points

LOG = np.geomspace(10, 100_000, 30)


def _noise(seed: int, size: int = 30, sigma: float = 0.01) -> np.ndarray:
    return sigma * np.random.default_rng(seed).standard_normal(size)


def test_a_jump_is_dated_by_the_gap_it_lies_in() -> None:
    y = 0.2 + 0.5 * (LOG > 1000) + _noise(0)
    (change,) = change_points(LOG, y).changes
    before, after = LOG[LOG <= 1000][-1], LOG[LOG > 1000][0]
    assert change.kind == "level"
    assert change.low == pytest.approx(before)
    assert change.high == pytest.approx(after)
    assert before < change.at < after
    assert change.size == pytest.approx(0.5, abs=0.03)
    assert change.p < 1e-6


def test_a_jump_caught_on_its_way_begins_before_the_checkpoint_in_between() -> None:
    y = np.where(LOG > 1000, 0.9, 0.2) + _noise(1)
    y[np.argmax(LOG > 1000)] = 0.6
    (change,) = change_points(LOG, y).changes
    assert change.low <= 1000 <= change.high * 1.4
    assert change.size == pytest.approx(0.7, abs=0.05)


def test_two_stages_give_two_changes() -> None:
    y = 0.1 + 0.3 * (LOG > 300) + 0.4 * (LOG > 12_000) + _noise(2)
    first, second = change_points(LOG, y).changes
    assert first.low <= 300 <= first.high
    assert second.low <= 12_000 <= second.high


def test_two_saturating_rises_give_two_changes() -> None:
    x = np.geomspace(100, 100_000, 40)
    u = np.log10(x)
    y = 0.1 + sum(0.4 * -np.expm1(-np.maximum(u - t, 0) / 0.15) for t in (2.6, 4.0)) + _noise(3, 40)
    changes = change_points(x, y).changes
    assert len(changes) == 2
    for change, truth in zip(changes, (10**2.6, 1e4), strict=True):
        assert truth / 1.2 <= change.at <= truth * 1.2


def test_an_onset_leaves_a_floor_and_a_kink_does_not() -> None:
    u = np.log10(LOG)
    floor = 0.1 + 0.3 * np.maximum(u - 3, 0) + _noise(4, sigma=0.005)
    kink = 0.1 + 0.05 * (u - 1) + 0.3 * np.maximum(u - 3, 0) + _noise(5, sigma=0.005)
    (onset,) = change_points(LOG, floor).changes
    (slope,) = change_points(LOG, kink).changes
    assert onset.kind == "onset"
    assert onset.size == pytest.approx(0.6, abs=0.1)
    assert onset.low <= 1000 <= onset.high
    assert slope.kind == "slope"
    assert slope.size == pytest.approx(0.3, abs=0.1)


@pytest.mark.parametrize(
    "curve",
    [
        lambda u: np.full_like(u, 0.4),
        lambda u: 0.1 + 0.2 * u,
        lambda u: 1 - 10 ** (-0.7 * u),
        lambda u: 3 + 5 * 10 ** (-0.31 * u),
        lambda u: 1 - np.exp(-(10**u) / 5000),
        lambda u: 0.1 + 10 ** (u - 5),
    ],
)
def test_smooth_curves_have_no_change_with_or_without_noise(curve) -> None:
    y = curve(np.log10(LOG))
    assert not change_points(LOG, y).changes
    assert not change_points(LOG, y + _noise(6)).changes


def test_known_noise_makes_a_small_jump_certain_and_a_large_noise_hides_it() -> None:
    y = 0.2 + 0.05 * (LOG > 1000) + _noise(7)
    assert len(change_points(LOG, y, variance=np.full(30, 0.01**2)).changes) == 1
    assert not change_points(LOG, y, variance=np.full(30, 0.05**2)).changes


def test_one_odd_checkpoint_is_no_change() -> None:
    y = 0.5 + _noise(8)
    y[15] = 0.8
    assert not change_points(LOG, y).changes


def test_an_even_axis_without_a_logarithm() -> None:
    x = np.arange(40.0)
    y = np.maximum(x - 20, 0) + _noise(9, 40, 0.3)
    (change,) = change_points(x, y, logarithmic=False).changes
    assert change.kind == "onset"
    assert change.low <= 20 <= change.high


def test_a_constant_curve() -> None:
    assert change_points(LOG, np.ones(30)).changes == ()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 50),
    shift=st.floats(-100, 100),
    factor=st.sampled_from([-20.0, -1.0, 0.01, 3.0]),
)
def test_places_do_not_depend_on_the_unit_of_the_value(seed: int, shift: float, factor: float) -> None:
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 1) * (10 ** rng.uniform(1.5, 4.5) < LOG) + 0.05 * rng.standard_normal(30)
    here, there = change_points(LOG, y), change_points(LOG, shift + factor * y)
    assert [c.kind for c in here.changes] == [c.kind for c in there.changes]
    for one, other in zip(here.changes, there.changes, strict=True):
        assert one.at == pytest.approx(other.at, rel=1e-3)
        assert other.size == pytest.approx(factor * one.size, rel=1e-3, abs=1e-6 * abs(factor))
    assert here.p == pytest.approx(there.p, rel=1e-2)


@settings(max_examples=40, deadline=None)
@given(
    y=st.lists(st.floats(-1e3, 1e3, allow_nan=False), min_size=6, max_size=25),
    known=st.booleans(),
)
def test_whatever_the_values_changes_are_in_order_within_the_axis(y: list[float], known: bool) -> None:
    x = np.geomspace(1, 1000, len(y))
    fit = change_points(x, y, variance=np.full(len(y), 4.0) if known else None)
    assert np.isfinite(fit.fitted).all()
    assert 0 <= fit.p <= 1
    for change in fit.changes:
        assert x[0] <= change.low <= change.at <= change.high <= x[-1]
        assert 0 <= change.p <= 1
    assert [c.at for c in fit.changes] == sorted(c.at for c in fit.changes)


def test_the_same_twice() -> None:
    y = 0.2 + 0.1 * (LOG > 1000) + _noise(10, sigma=0.03)
    assert change_points(LOG, y).changes == change_points(LOG, y).changes


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([1, 2, 3], [1, 2, 3], "need 6 places"),
        ([1, 2, 3, 4, 5, 5], [0] * 6, "must increase"),
        ([0, 1, 2, 3, 4, 5], [0] * 6, "above 0"),
        ([1, 2, 3, 4, 5, 6], [0, 0, 0, np.nan, 0, 0], "finite"),
        (list(range(1, MOST + 2)), [0] * (MOST + 1), "average neighbours"),
    ],
)
def test_what_cannot_be_used_is_refused(x, y, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        change_points(x, y)
