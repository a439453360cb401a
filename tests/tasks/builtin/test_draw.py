"""Random numbers from a hash: the same for good, and even."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from saltus.tasks.builtin.draw import Draw


def test_the_numbers_never_change() -> None:
    # Written down once; a change here changes the items of every published study.
    draw = Draw(0, "arithmetic-addition", 1)
    assert [draw.below(1000) for _ in range(6)] == [554, 833, 515, 355, 3, 729]
    assert Draw(1, "x").shuffled(range(6)) == [3, 5, 4, 1, 0, 2]


def test_the_parts_of_a_key_do_not_run_together() -> None:
    assert Draw("a", "bc").below(2**60) != Draw("ab", "c").below(2**60)


@given(st.integers(1, 10**9), st.integers(0, 10**6))
def test_numbers_stay_below(n: int, seed: int) -> None:
    draw = Draw(seed)
    assert all(0 <= draw.below(n) < n for _ in range(5))


@given(st.lists(st.integers(), max_size=30), st.integers(0, 10**6))
def test_shuffling_keeps_everything(values: list[int], seed: int) -> None:
    assert Counter(Draw(seed).shuffled(values)) == Counter(values)


@pytest.mark.parametrize("n", [2, 3, 7, 10, 100])
def test_numbers_are_even(n: int) -> None:
    draw = Draw("even", n)
    counts = Counter(draw.below(n) for _ in range(200 * n))
    assert chisquare([counts[i] for i in range(n)]).pvalue > 1e-3


def test_permutations_are_even() -> None:
    draw = Draw("permutations")
    counts = Counter(tuple(draw.shuffled("abc")) for _ in range(3000))
    assert len(counts) == 6
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_bounds_are_included() -> None:
    draw = Draw("bounds")
    assert {draw.between(3, 5) for _ in range(200)} == {3, 4, 5}
