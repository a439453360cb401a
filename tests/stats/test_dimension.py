"""Dimensions of clouds of known shape, and classes at known distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.stats.dimension import (
    cluster_separation,
    effective_dimension,
    effective_rank,
    participation_ratio,
)


@settings(max_examples=20, deadline=None)
@given(width=st.integers(2, 20), seed=st.integers(0, 1000), scale=st.floats(0.01, 100))
def test_an_isotropic_cloud_fills_its_width(width: int, seed: int, scale: float) -> None:
    x = scale * np.random.default_rng(seed).normal(size=(1500, width)) + 7
    assert participation_ratio(x) == pytest.approx(width, rel=0.05)
    assert effective_rank(x) == pytest.approx(width, rel=0.05)
    turned = x @ np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0]
    assert participation_ratio(turned) == pytest.approx(participation_ratio(x), rel=1e-6)
    assert effective_rank(turned) == pytest.approx(effective_rank(x), rel=1e-6)


def test_a_line_has_one_dimension() -> None:
    x = np.outer(np.arange(30.0), [1, 2, 3])
    assert participation_ratio(x) == pytest.approx(1, abs=0.2)
    assert participation_ratio(x, corrected=False) == pytest.approx(1)
    assert effective_rank(x) == pytest.approx(1)


@pytest.mark.parametrize("n", [30, 60])
def test_the_correction_takes_the_bias_of_few_samples(n: int) -> None:
    rng = np.random.default_rng(3)
    spread = 1 / np.arange(1, 65)
    variance = spread  # scales are its root
    truth = variance.sum() ** 2 / (variance**2).sum()
    draws = [rng.laplace(size=(n, 64)) * np.sqrt(spread) for _ in range(150)]
    corrected = float(np.mean([participation_ratio(x) for x in draws]))
    plain = float(np.mean([participation_ratio(x, corrected=False) for x in draws]))
    assert plain < 0.9 * truth
    assert abs(corrected - truth) < 0.5 * abs(plain - truth)


def test_the_interval_of_a_dimension_and_its_chance() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 30))
    found = effective_dimension(x)
    assert found.low is not None
    assert found.high is not None
    assert found.chance is not None
    assert 1 <= found.low < found.value < found.high < 4
    assert found.chance > 5 * found.value
    assert effective_dimension(x, "effective_rank").value == pytest.approx(effective_rank(x))
    again = effective_dimension(x)
    assert again == found


def test_classes_apart_and_classes_that_are_none() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 40)
    noise = rng.normal(size=(120, 10))
    apart = noise + 8 * np.eye(10)[np.repeat(np.arange(3), 40)]
    for measure, good in (("between_share", 0.6), ("silhouette", 0.5)):
        found = cluster_separation(apart, labels, measure)  # type: ignore[arg-type]
        assert found.value > good
        assert found.p == pytest.approx(1 / 101)
        none = cluster_separation(noise, labels, measure)  # type: ignore[arg-type]
        assert abs(none.value) < 0.05
        assert none.p is not None
        assert none.p > 0.05
    near, far = (cluster_separation(x, labels, "nc1") for x in (apart, noise))
    assert near.value < 0.2 < far.value
    assert near.p == pytest.approx(1 / 101)


def test_a_silhouette_by_hand() -> None:
    x = np.array([[0.0], [1.0], [10.0], [12.0]])
    # a: 1 and 11 -> (11 - 1) / 11, 1 and 10 -> 0.9; b: 2 and 9.5, 2 and 11.5
    by_hand = np.mean([10 / 11, 0.9, 7.5 / 9.5, 9.5 / 11.5])
    assert cluster_separation(x, [0, 0, 1, 1], "silhouette", permutations=0).value == pytest.approx(by_hand)


def test_bad_input_is_said() -> None:
    x = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(ValueError, match="two classes or more"):
        cluster_separation(x, [0] * 10)
    with pytest.raises(ValueError, match="smallest of 1"):
        cluster_separation(x, [0] * 9 + [1])
    with pytest.raises(ValueError, match="no dimension"):
        effective_dimension(x, "rank")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="do not vary"):
        participation_ratio(np.ones((5, 2)))
