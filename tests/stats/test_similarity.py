"""CKA and Procrustes: their invariances, their bias and its absence, their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.stats.similarity import CkaStream, cka, procrustes


def two(n: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 4))
    left, right = (shared @ rng.normal(size=(4, width)) + 0.5 * rng.normal(size=(n, width)) for _ in range(2))
    return left, right


def rotation(width: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0]


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(8, 40),
    width=st.integers(2, 50),
    seed=st.integers(0, 1000),
    scale=st.floats(0.1, 50),
    shift=st.floats(-100, 100),
)
def test_rotations_scales_and_shifts_change_nothing(
    n: int, width: int, seed: int, scale: float, shift: float
) -> None:
    x, y = two(n, width, seed)
    turned = scale * y @ rotation(width, seed) + shift
    for measure in (cka, procrustes):
        plain = measure(x, y, permutations=0).value
        assert measure(x, turned, permutations=0).value == pytest.approx(plain, abs=1e-7)
        assert measure(y, x, permutations=0).value == pytest.approx(plain, abs=1e-9)
    assert cka(y, turned, permutations=0).value == pytest.approx(1, abs=1e-7)
    assert procrustes(y, turned, permutations=0).value == pytest.approx(0, abs=1e-7)


@settings(max_examples=15, deadline=None)
@given(n=st.integers(4, 30), width=st.integers(1, 40), seed=st.integers(0, 1000))
def test_the_sums_are_the_estimator_of_song_et_al(n: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, width)), rng.normal(size=(n, 3))

    def hsic(a: np.ndarray, b: np.ndarray) -> float:
        k, m = (z @ z.T for z in (a, b))
        np.fill_diagonal(k, 0)
        np.fill_diagonal(m, 0)
        cross = k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k @ m).sum()
        return float((np.trace(k @ m) + cross) / (n * (n - 3)))

    own = hsic(x, x) * hsic(y, y)
    if own <= 1e-6:
        return
    assert cka(x, y, permutations=0).value == pytest.approx(hsic(x, y) / np.sqrt(own), rel=1e-6, abs=1e-9)


def test_few_samples_fool_the_plain_estimator_only() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 40, 200))
    assert cka(x, y, debiased=False, permutations=0).value > 0.8
    found = cka(x, y)
    assert abs(found.value) < 0.08
    assert found.p is not None
    assert found.p > 0.05
    near = procrustes(x, y)  # looks close, and is as close as chance makes it
    assert near.value < 0.3
    assert near.chance_low is not None
    assert near.chance_high is not None
    assert near.chance_low - 0.02 < near.value < near.chance_high + 0.02


def test_the_interval_holds_the_truth() -> None:
    rng = np.random.default_rng(5)
    maps = rng.normal(size=(2, 4, 12))

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        shared = rng.normal(size=(n, 4))
        left, right = (shared @ one + 2 * rng.normal(size=(n, 12)) for one in maps)
        return left, right

    truth = cka(*draw(50_000), permutations=0).value
    held = 0
    for _ in range(40):
        found = cka(*draw(100), permutations=0)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert held >= 31  # of 40 at level .9
    assert cka(*draw(100), permutations=20).p == pytest.approx(1 / 21)


def test_a_stream_is_the_whole() -> None:
    x, y = two(90, 7)
    stream = CkaStream()
    for block in range(9):
        rows = slice(10 * block, 10 * block + 10)
        stream.add(x[rows] + 1e4, y[rows] - 1e4, block)
    found = stream.result()
    assert found.value == pytest.approx(cka(x, y, permutations=0).value, abs=1e-8)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found.groups == 9


def test_samples_that_belong_together_widen_the_interval() -> None:
    x, y = two(40, 6)
    own = np.repeat(np.arange(40), 10)
    alone, together = cka(x[own], y[own]), cka(x[own], y[own], groups=own)
    assert together.groups == 40
    widths = [one.high - one.low for one in (alone, together)]  # type: ignore[operator]
    assert widths[1] > 1.8 * widths[0]


@pytest.mark.parametrize("measure", [cka, procrustes])
def test_what_cannot_be_compared_is_said(measure) -> None:  # type: ignore[no-untyped-def]
    x, _ = two(10, 3)
    with pytest.raises(ValueError, match="of the same samples"):
        measure(x, x[:5])
    with pytest.raises(ValueError, match="needs four"):
        measure(x[:3], x[:3])
    with pytest.raises(ValueError, match="do not vary"):
        measure(x, np.ones((10, 2)))
