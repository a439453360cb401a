"""Correlation of errors over shared items, and draws that have it."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.stats import CurveFit, Noise, error_correlation, estimate_step_tau, shape_grid


def answers(items: int, models: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Right and wrong answers on items of a shared difficulty."""
    difficulty = rng.standard_normal((items, 1))
    own = rng.standard_normal((items, models))
    return (np.sqrt(share) * difficulty + np.sqrt(1 - share) * own < 0.2).astype(float)


def test_the_correlation_is_that_of_the_means_over_new_items() -> None:
    rng = np.random.default_rng(0)
    means = np.array([answers(100, 5, 0.7, rng).mean(0) for _ in range(2000)])
    truth = np.corrcoef(means.T)
    found = np.mean([error_correlation(answers(100, 5, 0.7, rng)) for _ in range(60)], axis=0)
    assert found == pytest.approx(truth, abs=0.05)


def test_few_items_shrink_to_one_correlation_and_many_do_not() -> None:
    rng = np.random.default_rng(1)
    few = error_correlation(answers(20, 6, 0.5, rng))
    assert few is not None
    assert np.std(few[np.triu_indices(6, 1)]) < 0.05
    groups = np.hstack([answers(5000, 3, 0.8, rng), answers(5000, 3, 0.8, rng)])
    many = error_correlation(groups)
    assert many is not None
    assert many[0, 1] > 0.4
    assert abs(many[0, 3]) < 0.1


def test_gaps_clusters_and_models_without_spread() -> None:
    rng = np.random.default_rng(2)
    scores = answers(200, 4, 0.6, rng)
    scores[:, 3] = 1.0
    scores[::3, 0] = np.nan
    found = error_correlation(scores)
    assert found is not None
    assert (found[3, :3] == 0).all()
    assert np.linalg.eigvalsh(found).min() > 0
    twice = error_correlation(np.repeat(answers(50, 3, 0.6, rng), 10, axis=0), np.repeat(np.arange(50), 10))
    assert twice is not None
    assert 0 < twice[0, 1] < 1
    assert error_correlation(scores[:5]) is None


def test_identical_models_leave_a_matrix_that_can_be_inverted() -> None:
    one = answers(300, 1, 0.5, np.random.default_rng(3))
    found = error_correlation(np.repeat(one, 4, axis=1))
    assert found is not None
    assert np.linalg.eigvalsh(found).min() > 1e-4


@pytest.mark.parametrize("n", [40.0, 400.0, 40_000.0])
def test_draws_have_the_stated_variance_and_correlation(n: float) -> None:
    correlation = np.full((4, 4), 0.6) + 0.4 * np.eye(4)
    mean = np.array([0.2, 0.3, 0.5, 0.6])
    noise = Noise(np.full(4, n), None, 0.01, correlation)
    drawn = noise.draw(mean, 20_000, np.zeros(4), np.random.default_rng(0))
    assert drawn.mean(0) == pytest.approx(mean, abs=0.004)
    assert np.cov(drawn.T) == pytest.approx(noise.covariance(mean), rel=0.1, abs=2e-6)


@pytest.mark.parametrize("n", [60.0, 300.0, 30_000.0])
def test_independent_draws_have_the_stated_variance(n: float) -> None:
    mean = np.array([0.02, 0.3, 0.5, 0.95])
    noise = Noise(np.full(4, n), None, 0.01)
    drawn = noise.draw(mean, 40_000, np.zeros(4), np.random.default_rng(0))
    assert drawn.mean(0) == pytest.approx(mean, abs=0.002)
    binomial = mean * (1 - mean) / n + 0.01**2 * np.minimum(1, 4 * mean * (1 - mean))
    assert drawn.var(0) == pytest.approx(binomial, rel=0.06)


def test_generalised_least_squares_agree_with_the_textbook() -> None:
    rng = np.random.default_rng(4)
    u = np.linspace(8, 10, 7)
    correlation = np.full((7, 7), 0.5) + 0.5 * np.eye(7)
    noise = Noise(None, np.full(7, 0.03), 0.01, correlation)
    y = 0.3 + 0.1 * (u - 8) + 0.03 * rng.standard_normal(7)
    fit = CurveFit(shape_grid(u), y, noise)
    inverse = np.linalg.inv(noise.covariance(y))
    for row in (0, 40, 300):
        design = np.column_stack([np.ones(7), fit.grid.h[row]])
        beta = np.linalg.solve(design.T @ inverse @ design, design.T @ inverse @ y)
        left = y - design @ beta
        assert fit.rss[row] == pytest.approx(left @ inverse @ left, rel=1e-6)
        assert fit.curve(row) == pytest.approx(design @ beta, abs=1e-9)


def test_neighbouring_checkpoints_tell_their_noise_and_a_jump_does_not_count_as_noise() -> None:
    rng = np.random.default_rng(5)
    u = np.linspace(0, 5, 60)
    mean = 0.2 + 0.4 / (1 + np.exp(-(u - 2.5) * 1.5)) + 0.2 * (u > 3.1)
    noise = Noise(np.full(60, 1e5), None, 0.01)
    for sd in (0.002, 0.02):
        found = [
            estimate_step_tau(
                u, mean + sd * 2 * np.sqrt(mean * (1 - mean)) * rng.standard_normal(60), noise, 0.01
            )[0]
            for _ in range(40)
        ]
        assert np.median(found) == pytest.approx(max(sd, 0.005), rel=0.35)
    assert estimate_step_tau(u[:8], mean[:8], noise.at(np.arange(8)), 0.01) == (0.01, 0)


def test_binomial_quantiles_are_exact_where_counts_are_small() -> None:
    from scipy.stats import binom, norm

    rng = np.random.default_rng(6)
    z = rng.standard_normal((200, 4))
    count, p = np.array([12.0, 40.0, 40.0, 3000.0]), np.array([0.3, 0.05, 0.97, 0.002])
    truth = binom.ppf(norm.cdf(z), count, p) / count
    noise = Noise(count, None, 0.0, np.eye(4))
    assert noise.n is not None
    from saltus.stats.noise import _binomial_quantile

    assert _binomial_quantile(z, count, np.broadcast_to(p, z.shape)) == pytest.approx(truth, abs=1e-9)
