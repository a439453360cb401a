"""Ratios of means: Fieller's interval, and when there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.stats.ratio import ratios_of_means


@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_scaling_the_numerator_scales_the_ratio(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    below = 5 + rng.standard_normal(20)
    top = below + rng.standard_normal(20)
    one, other = ratios_of_means(top, below), ratios_of_means(factor * top, below)
    for name in ("values", "low", "high"):
        assert getattr(other, name)[0] == pytest.approx(factor * getattr(one, name)[0], rel=1e-6)
    assert one.low[0] <= one.values[0] <= one.high[0]


def test_the_ends_are_where_a_t_test_begins_to_reject() -> None:
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(1)
    below = 2 + rng.standard_normal(30)
    top = 0.5 * below + rng.standard_normal(30)
    found = ratios_of_means(top, below, level=0.9)
    for end in (found.low[0], found.high[0]):
        assert ttest_1samp(top - end * below, 0).pvalue == pytest.approx(0.1, abs=1e-6)


def test_clusters_count_once_and_order_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    below, top = 3 + rng.standard_normal(20), rng.standard_normal(20)
    alone = ratios_of_means(top, below)
    twice = ratios_of_means(np.repeat(top, 2), np.repeat(below, 2), np.repeat(np.arange(20), 2))
    assert twice.low[0] == pytest.approx(alone.low[0])
    assert twice.n == 40
    assert twice.denominator == pytest.approx(alone.denominator)


@pytest.mark.parametrize("below", [[1.0], [0.0, 0.0, 0.0], [1.0, -1.0, 0.5, -0.4], [-2.0, -2.1, -1.9]])
def test_no_ratio_without_a_clear_denominator(below: list[float]) -> None:
    found = ratios_of_means(np.ones(len(below)), below)
    assert not found.bounded
    assert np.isnan(found.values).all()


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="equally many"):
        ratios_of_means([1.0, 2.0], [1.0])
