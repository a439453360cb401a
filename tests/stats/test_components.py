"""Principal components of a table with holes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.stats import principal_components


def table(models: int = 30, benchmarks: int = 6, noise: float = 0.01, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ability = rng.normal(0, 0.1, models)
    slopes = rng.uniform(0.5, 2.0, benchmarks)
    return 0.5 + ability[:, None] * slopes + rng.normal(0, noise, (models, benchmarks))


def test_without_holes_it_is_plain_pca() -> None:
    y = table()
    found = principal_components(y, 3)
    _, singular, axes = np.linalg.svd(y - y.mean(0), full_matrices=False)
    assert np.allclose(np.abs(found.loadings.T @ axes[:3].T), np.eye(3), atol=1e-9)
    assert np.allclose(found.explained, (singular**2 / (singular**2).sum())[:3])
    assert np.allclose(found.imputed, y)
    assert (found.loadings.sum(axis=0) > 0).all()


def test_holes_are_filled_from_the_other_benchmarks() -> None:
    y = table(noise=0.002)
    holed = y.copy()
    rng = np.random.default_rng(1)
    for i in range(0, 30, 2):
        holed[i, rng.choice(6, 2, replace=False)] = np.nan
    found = principal_components(holed, 1)
    holes = np.isnan(holed)
    assert np.abs(found.imputed - y)[holes].max() < 0.02
    assert np.corrcoef(found.scores[:, 0], y.mean(1))[0, 1] > 0.99


def test_projecting_the_rows_that_were_fitted_gives_their_places() -> None:
    holed = table()
    holed[::3, 1] = np.nan
    holed[1::4, 4] = np.nan
    for standardize in (False, True):
        found = principal_components(holed, 2, standardize=standardize)
        assert np.allclose(found.project(holed), found.scores, atol=1e-5)


def test_a_row_of_holes_has_no_place_and_changes_nothing() -> None:
    y = table()
    with_empty = np.vstack([y, np.full(6, np.nan)])
    a, b = principal_components(y, 2), principal_components(with_empty, 2)
    assert np.allclose(a.loadings, b.loadings)
    assert np.isnan(b.scores[-1]).all()
    assert np.isnan(b.imputed[-1]).all()
    assert np.isnan(b.project(np.full((1, 6), np.nan))).all()


def test_filled_values_stay_within_bounds() -> None:
    y = np.clip(table(noise=0.05) * 2 - 0.5, 0, 1)
    y[y > 0.9] = np.nan
    found = principal_components(y, 1, bounds=(0.0, 1.0))
    assert found.imputed.min() >= 0
    assert found.imputed.max() <= 1


def test_fewer_components_come_back_where_there_are_no_more() -> None:
    assert principal_components(table(benchmarks=2), 5).scores.shape == (30, 2)


def test_unusable_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="two: models and benchmarks"):
        principal_components(np.zeros(4), 1)
    with pytest.raises(ValueError, match="a score on every benchmark"):
        principal_components(np.array([[0.1, np.nan], [0.2, np.nan]]), 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 20), st.integers(1, 6))
def test_the_order_of_models_does_not_matter(seed: int, models: int, benchmarks: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.random((models, benchmarks))
    y[rng.random(y.shape) < 0.2] = np.nan
    y[0] = 0.5
    y[1] = 0.6
    turn = rng.permutation(models)
    a, b = principal_components(y, 1), principal_components(y[turn], 1)
    assert np.allclose(a.mean, b.mean, atol=1e-4)
    assert np.allclose(a.explained, b.explained, atol=1e-4)
