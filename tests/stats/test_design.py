"""Means of stratified draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.stats import Stratum, stratified_mean

STRATA = st.lists(
    st.tuples(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=8), st.integers(0, 50)),
    min_size=1,
    max_size=4,
)


@given(STRATA)
def test_the_estimate_lies_in_its_interval(drawn: list[tuple[list[float], int]]) -> None:
    strata = [Stratum(values, len(values) + more) for values, more in drawn]
    found = stratified_mean(strata)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1
    assert found.size == sum(one.size for one in strata)


def test_what_was_seen_whole_has_no_width() -> None:
    found = stratified_mean([Stratum([1, 0, 1], 3), Stratum([], 0)])
    assert found.value == pytest.approx(2 / 3)
    assert found.high - found.low == pytest.approx(0)


def test_all_right_leaves_room_for_doubt() -> None:
    found = stratified_mean([Stratum(np.ones(10), 1000)])
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.65 < found.low < 0.8


def test_a_part_that_nobody_looked_at_gives_no_estimate() -> None:
    found = stratified_mean([Stratum([1, 1], 2), Stratum([], 98)])
    assert (found.value, found.low, found.high, found.n, found.size) == (None, None, None, 2, 100)
    assert stratified_mean([]).value is None
