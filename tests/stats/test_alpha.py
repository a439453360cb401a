"""The interval of Krippendorff's alpha: the same alpha as one by one, and honest where it cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.stats import alpha_interval, krippendorff_alpha
from saltus.stats.alpha import _alphas

SCALES = ("nominal", "ordinal", "interval")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SCALES))
def test_all_draws_at_once_equal_one_by_one(seed: int, scale: str) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 4, (3, 8)).astype(float)
    table[2, rng.random(8) < 0.4] = np.nan
    weights = rng.multinomial(8, np.full(8, 1 / 8), size=4)
    found = _alphas(table, weights, scale)  # type: ignore[arg-type]
    for row, value in zip(weights, found, strict=True):
        drawn = np.repeat(table, row, axis=1)
        assert value == pytest.approx(krippendorff_alpha(drawn, scale=scale), nan_ok=True)  # type: ignore[arg-type]


def test_what_cannot_be_told_is_none() -> None:
    rng = np.random.default_rng(0)
    assert alpha_interval(np.zeros((0, 0)), rng).value is None
    assert alpha_interval([[1, np.nan], [np.nan, 1]], rng).items == 0
    assert alpha_interval([[1, 1, 1], [1, 1, 1]], rng).value is None
    one = alpha_interval([[1.0], [0.0]], rng)
    assert (one.value, one.low, one.items) == (0.0, None, 1)
    rare = alpha_interval([[1, 0, 0, 0], [1, 0, 0, 0]], rng)  # most draws miss the 1, or have little else
    assert (rare.value, rare.low, rare.high) == (1.0, None, None)


def test_the_seed_decides() -> None:
    table = np.random.default_rng(1).integers(0, 2, (2, 30))
    first, second = (alpha_interval(table, np.random.default_rng(3)) for _ in range(2))
    assert first == second
    assert first.low is not None
    assert first.low < first.value < first.high
