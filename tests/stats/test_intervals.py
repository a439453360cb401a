"""Exact intervals and q-values against SciPy, and the properties they must have for any input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest, false_discovery_control

from saltus.stats import benjamini_hochberg, clopper_pearson, resolution, samples_for_halfwidth

P_VALUES = arrays(float, st.integers(1, 30), elements=st.floats(0, 1))


@given(
    st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999)
)
def test_clopper_pearson_is_scipys(case: tuple[int, int], level: float) -> None:
    hits, n = case
    low, high = clopper_pearson(hits, n, level)
    theirs = binomtest(hits, n).proportion_ci(level, method="exact")
    assert low == pytest.approx(theirs.low, abs=1e-9)
    assert high == pytest.approx(theirs.high, abs=1e-9)


@pytest.mark.parametrize(("n", "bound"), [(100, 0.0362), (1003, 0.00367), (5000, 0.000738)])
def test_resolution_is_what_a_score_of_zero_cannot_exclude(n: int, bound: float) -> None:
    assert resolution(n) == pytest.approx(bound, rel=0.01)
    assert resolution(n) == pytest.approx(float(clopper_pearson(0, n)[1]), rel=1e-9)


@given(st.floats(0.01, 0.99), st.floats(0.005, 0.2))
def test_samples_reach_the_halfwidth(share: float, halfwidth: float) -> None:
    n = samples_for_halfwidth(share, halfwidth)
    assert 1.645 * np.sqrt(share * (1 - share) / n) <= halfwidth * (1 + 1e-9)


@given(P_VALUES)
def test_q_values_are_scipys_and_keep_the_order(p: np.ndarray) -> None:
    q = benjamini_hochberg(p)
    assert np.allclose(q, false_discovery_control(p))
    assert (q >= p - 1e-12).all()
    assert (q <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(q[order]) >= -1e-12).all()


@given(P_VALUES, st.randoms(use_true_random=False))
def test_q_values_do_not_depend_on_the_order_of_tests(p: np.ndarray, random: object) -> None:
    shuffle = np.random.default_rng(random.randint(0, 2**31)).permutation(len(p))  # type: ignore[attr-defined]
    assert np.allclose(benjamini_hochberg(p[shuffle]), benjamini_hochberg(p)[shuffle])


@pytest.mark.parametrize("p", [[-0.1], [1.5], [float("nan")]])
def test_what_is_no_p_value_is_refused(p: list[float]) -> None:
    with pytest.raises(ValueError, match="p-values must lie"):
        benjamini_hochberg(p)
