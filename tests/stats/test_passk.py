"""pass@k against its definition."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.stats.passk import pass_at_k

counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n)))


@given(counts)
def test_it_is_the_share_of_choices_that_hold_a_right_answer(case: tuple[int, int, int]) -> None:
    n, c, k = case
    assert float(pass_at_k(n, c, k)) == pytest.approx(1 - comb(n - c, k) / comb(n, k), abs=1e-12)


def test_by_counting() -> None:
    answers = [True, True, False, False, False, False]
    for k in range(1, 7):
        chosen = list(combinations(answers, k))
        assert float(pass_at_k(6, 2, k)) == pytest.approx(sum(map(any, chosen)) / len(chosen))


@given(counts)
def test_bounds_and_directions(case: tuple[int, int, int]) -> None:
    n, c, k = case
    value = float(pass_at_k(n, c, k))
    assert 0.0 <= value <= 1.0
    assert float(pass_at_k(n, c, 1)) == pytest.approx(c / n)
    if k < n:
        assert float(pass_at_k(n, c, k + 1)) >= value - 1e-12
    if c < n:
        assert float(pass_at_k(n, c + 1, k)) >= value - 1e-12


def test_large_numbers_stay_finite() -> None:
    assert float(pass_at_k(100_000, 1, 50_000)) == pytest.approx(0.5)
    assert float(pass_at_k(100_000, 99_999, 2)) == 1.0
    assert float(pass_at_k(10**6, 10, 1000)) == pytest.approx(1 - (1 - 1e-3) ** 10, rel=1e-3)


def test_arguments_broadcast() -> None:
    found = pass_at_k(np.array([[10], [4]]), np.array([0, 2, 4]), 5)
    assert found.shape == (2, 3)
    assert np.isnan(found[1]).all()
    assert found[0, 0] == 0.0


def test_nothing_gives_nothing() -> None:
    assert pass_at_k(np.array([], dtype=int), np.array([], dtype=int), 1).shape == (0,)


@pytest.mark.parametrize(
    "arguments", [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3.5, 1, 1), (3, float("nan"), 1), ("3", 1, 1)]
)
def test_what_makes_no_sense_is_refused(arguments: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"answers|needs"):
        pass_at_k(*arguments)
