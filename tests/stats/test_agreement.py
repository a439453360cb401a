"""Agreement of raters against published examples and in the limits; what bad input gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.stats import cohen_kappa, krippendorff_alpha, length_controlled_win_rate, ppi_mean

NAN = math.nan
# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units.
FOUR = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]


def test_alpha_of_the_published_example() -> None:
    assert krippendorff_alpha(FOUR) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(FOUR, scale="ordinal") == pytest.approx(0.815, abs=5e-4)
    assert krippendorff_alpha(FOUR, scale="interval") == pytest.approx(0.849, abs=5e-4)


def test_kappa_by_hand() -> None:
    one = ["y"] * 25 + ["n"] * 25
    other = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohen_kappa(one, other) == pytest.approx(0.4)
    assert math.isnan(cohen_kappa([1, 1], [1, 1]))
    assert math.isnan(krippendorff_alpha([[1, 1], [1, 1]]))
    assert math.isnan(krippendorff_alpha([[1, NAN], [NAN, 1]]))
    with pytest.raises(ValueError, match="both need the same"):
        cohen_kappa([1], [1, 2])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30))
def test_agreement_is_at_most_one_and_symmetric(pairs: list[tuple[int, int]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    kappa, alpha = cohen_kappa(one, other), krippendorff_alpha([one, other])
    assert math.isnan(kappa) or kappa <= 1 + 1e-12
    assert math.isnan(alpha) or alpha <= 1 + 1e-12
    assert krippendorff_alpha([other, one]) == pytest.approx(alpha, nan_ok=True)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=30), st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_a_perfect_judge_and_one_that_says_nothing(labels: list[float], others: list[float]) -> None:
    flat = ppi_mean(labels, [0.5] * len(labels), [0.5] * len(others))
    assert flat.weight == 0
    assert flat.value == pytest.approx(np.mean(labels))
    perfect = ppi_mean(labels, labels, others)
    assert 0 <= perfect.weight <= 1
    assert perfect.low <= perfect.value <= perfect.high


def test_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="3 or more"):
        ppi_mean([1, 0], [1, 0], [1, 0])
    with pytest.raises(ValueError, match="two or more"):
        length_controlled_win_rate([1], [2])
    with pytest.raises(ValueError, match="between 0 and 1"):
        length_controlled_win_rate([1, 2], [2, 3])
