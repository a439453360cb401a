"""Flips, noise floors and worst groups against SciPy and by hand, and what must hold for any marks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest, hypergeom

from saltus.stats import excess_flips, flips, share, worst_group, worst_variant

MARKS = st.integers(2, 60).flatmap(
    lambda n: st.tuples(*[arrays(float, n, elements=st.sampled_from([0.0, 1.0])) for _ in range(2)])
)


@given(MARKS)
def test_flips_are_lost_and_gained_and_mcnemars(pair: tuple[np.ndarray, np.ndarray]) -> None:
    plain, variant = pair
    found = flips(plain, variant)
    lost, gained = int(((plain == 1) & (variant == 0)).sum()), int(((plain == 0) & (variant == 1)).sum())
    assert found.rate.value == pytest.approx((lost + gained) / plain.size)
    assert found.lost.value == pytest.approx(lost / plain.size)
    assert found.drop.value == pytest.approx(plain.mean() - variant.mean())
    assert found.p == pytest.approx(binomtest(lost, lost + gained).pvalue if lost + gained else 1.0)
    exact = binomtest(lost + gained, plain.size).proportion_ci(0.95, method="exact")
    assert (found.rate.low, found.rate.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    for part in (found.rate, found.lost, found.gained, found.drop):
        assert part.low <= part.value <= part.high
        assert part.low < part.high


def test_swapping_plain_and_variant_turns_the_drop() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.random((2, 50)) < 0.6).astype(float)
    there, back = flips(one, other), flips(other, one)
    assert there.lost == back.gained
    assert there.drop.low == pytest.approx(-back.drop.high)
    assert there.p == back.p


def test_clusters_widen_the_interval() -> None:
    plain = np.repeat([1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0], 10)
    variant = np.repeat([1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0], 10)
    alone, together = flips(plain, variant), flips(plain, variant, np.repeat(np.arange(8), 10))
    assert together.rate.value == alone.rate.value
    assert together.rate.high - together.rate.low > 1.5 * (alone.rate.high - alone.rate.low)
    assert together.p is not None
    assert alone.p is not None
    assert together.p > alone.p
    one = flips(plain, variant, np.zeros(80))
    assert (one.rate.low, one.rate.high) == pytest.approx((share([0.0], level=0.95).low, 1), abs=0.06)


def test_without_a_flip_the_interval_has_a_width() -> None:
    same = np.array([1.0, 0.0] * 20)
    found = flips(same, same)
    assert found.rate.value == 0
    assert found.rate.high == pytest.approx(1 - 0.025 ** (1 / 40))
    assert found.drop.low < 0 < found.drop.high
    assert found.p == 1.0
    clustered = flips(same, same, np.repeat(np.arange(8), 5))
    assert clustered.rate.high == pytest.approx(1 - 0.025 ** (1 / 8))


def test_noise_is_taken_off_without_bias() -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(0.6, 0.4, 3000)
    q = np.clip(p - 0.2, 0, 1)
    plain = (rng.random((3000, 5)) < p[:, None]).astype(float)
    variant = (rng.random((3000, 4)) < q[:, None]).astype(float)
    found = excess_flips(plain, variant)
    assert found is not None
    assert found.both
    assert found.excess.value == pytest.approx(((p - q) ** 2).mean(), abs=0.015)
    assert found.floor.value == pytest.approx((p * (1 - p) + q * (1 - q)).mean(), abs=0.015)
    one = excess_flips(plain, variant[:, 0])
    assert one is not None
    assert not one.both
    assert one.floor.value == pytest.approx((2 * p * (1 - p)).mean(), abs=0.015)


def test_noise_needs_repeats_and_takes_ragged_ones() -> None:
    marks = np.array([1.0, 0.0, 1.0])
    assert excess_flips(marks, marks) is None
    assert excess_flips(marks[:, None], marks) is None
    ragged = np.array([[1.0, 0.0], [1.0, np.nan], [1.0, 1.0]])
    found = excess_flips(ragged, marks)
    assert found is not None
    assert found.n == 2
    assert found.floor.value == 0.5
    assert found.excess.value == pytest.approx((0.5 - 1.0 + 0.0 - 0.0) / 2)


def test_the_worst_group_is_found_with_its_exact_tail() -> None:
    y = np.array([1.0] * 18 + [0.0] * 2 + [1.0] * 10 + [0.0] * 10)
    groups = [np.arange(20), np.arange(20, 40)]
    found = worst_group(y, groups)
    assert found.place == 1
    assert found.mean.value == 0.5
    assert found.p == pytest.approx(2 * hypergeom(40, 28, 20).cdf(10))
    assert found.mean.value < found.shrunk < y.mean()
    assert found.mean.low < 0.5 <= found.mean.high
    single = worst_group(y, groups[1:])
    assert single.mean.low > found.mean.low


@given(
    arrays(float, 40, elements=st.sampled_from([0.0, 1.0])),
    st.integers(2, 6),
    st.sampled_from([None, 1, 4]),
    st.randoms(use_true_random=False),
)
def test_a_worst_group_has_a_p_value_and_an_interval(
    y: np.ndarray, k: int, size: int | None, random: object
) -> None:
    labels = np.array([random.randrange(k) for _ in range(40)])  # type: ignore[attr-defined]
    groups = [np.flatnonzero(labels == i) for i in range(k) if (labels == i).any()]
    clusters = None if size is None else np.arange(40) // size
    found = worst_group(y, groups, clusters, seed=3)
    assert found == worst_group(y, groups, clusters, seed=3)
    assert found.p is not None
    assert 0 < found.p <= 1
    assert found.mean.low <= found.mean.value <= found.mean.high
    assert found.mean.value == min(y[group].mean() for group in groups)
    assert found.shrunk >= found.mean.value - 1e-12


def test_equal_groups_shrink_to_the_whole() -> None:
    y = np.tile([1.0, 0.0, 1.0, 1.0], 20)
    found = worst_group(y, [np.arange(0, 40), np.arange(40, 80)])
    assert found.shrunk == pytest.approx(0.75)
    assert found.p == 1.0


def test_the_worst_variant() -> None:
    best, worst = np.ones(50), np.array([1.0] * 30 + [0.0] * 20)
    found = worst_variant([best, worst])
    assert (found.place, found.mean.value, found.compared, found.p) == (1, 0.6, 2, None)
    assert found.mean.low < share(worst).low


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: flips([0.5, 1], [1, 1]), "marks of 0 and 1"),
        (lambda: flips([0, 1], [1, 1, 0]), "the same samples"),
        (lambda: flips([], []), "no marks"),
        (lambda: worst_group([1.0], []), "at least one group"),
        (lambda: worst_group([1.0], [np.array([], int)]), "every group a sample"),
        (lambda: worst_variant([]), "at least one variant"),
    ],
)
def test_what_cannot_be_compared_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
