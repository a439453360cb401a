"""Closed-form fits against ordinary least squares, their invariances, noise, tests and draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.stats import (
    CurveFit,
    Noise,
    bootstrap_p,
    draw_curves,
    effective_n,
    estimate_tau,
    fit_link,
    refine,
    shape_grid,
    steady_lag,
)

U = np.linspace(8, 10, 8)
SCORES = st.lists(st.floats(0, 1), min_size=8, max_size=8).map(np.array)


def gaussian(n: int, sd: float = 0.05) -> Noise:
    return Noise(None, np.full(n, sd), 0.0)


@given(SCORES)
@settings(max_examples=25, deadline=None)
def test_every_shape_is_fitted_as_least_squares_would(y: np.ndarray) -> None:
    grid = shape_grid(U)
    fit = CurveFit(grid, y, gaussian(8))
    for row in range(0, len(grid.h), 97):
        design = np.column_stack([np.ones(8), grid.h[row]])
        beta, *_ = np.linalg.lstsq(design, y, rcond=None)
        assert fit.curve(row) == pytest.approx(design @ beta, abs=1e-6)
        assert fit.rss[row] == pytest.approx(((y - design @ beta) ** 2).sum() / 0.05**2, rel=1e-6, abs=1e-6)


@given(SCORES, st.floats(-3, 3), st.floats(0.1, 10))
@settings(max_examples=25, deadline=None)
def test_fits_follow_shift_and_scale_of_the_scores(y: np.ndarray, shift: float, scale: float) -> None:
    grid = shape_grid(U)
    plain, moved = (
        CurveFit(grid, y, gaussian(8)),
        CurveFit(grid, shift + scale * y, gaussian(8, 0.05 * scale)),
    )
    assert moved.rss == pytest.approx(plain.rss, rel=1e-6, abs=1e-6)
    assert moved.amplitude == pytest.approx(scale * plain.amplitude, rel=1e-6, abs=1e-6)
    assert moved.dispersion == pytest.approx(plain.dispersion, rel=1e-6)


@given(SCORES, st.floats(-5, 5))
@settings(max_examples=25, deadline=None)
def test_fits_do_not_care_where_the_axis_begins(y: np.ndarray, shift: float) -> None:
    here = CurveFit(shape_grid(U), y, gaussian(8))
    there = CurveFit(shape_grid(U + shift), y, gaussian(8))
    assert min(here.rss) == pytest.approx(min(there.rss), rel=1e-4, abs=1e-4)


def test_a_point_without_weight_does_not_matter() -> None:
    y = np.array([0.2, 0.2, 0.2, 0.9, 0.2, 0.6, 0.6, 0.6])
    keep = np.arange(8) != 3
    other = y.copy()
    other[3] = 0.1
    grid = shape_grid(U)
    one, two = (CurveFit(grid, v, gaussian(8), keep) for v in (y, other))
    assert one.n == 7
    assert one.rss == pytest.approx(two.rss, abs=1e-9)


@pytest.mark.parametrize("kind", ["linear", "saturating", "logistic", "gompertz", "segment", "step", "hinge"])
def test_each_kind_finds_its_own_curve(kind: str) -> None:
    grid = shape_grid(np.linspace(8, 10, 14))
    rows = [i for i, c in enumerate(grid.code) if shape_name(c) == kind]
    row = rows[len(rows) // 2]
    fit = CurveFit(grid, 0.2 + 0.6 * grid.h[row], gaussian(14, 0.01))
    assert fit.rss[row] == pytest.approx(0, abs=1e-9)
    assert fit.rss.min() == pytest.approx(0, abs=1e-9)


def shape_name(code: int) -> str:
    from saltus.stats.shapes import KINDS

    return KINDS[code]


def test_refining_never_fits_worse_than_its_mesh() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        mid, width = rng.uniform(8.4, 9.6), rng.uniform(0.1, 1.5)
        y = 0.25 + 0.5 / (1 + np.exp(-(U - mid) * np.log(81) / width))
        coarse = CurveFit(shape_grid(U), y, Noise(np.full(8, 1e5), None, 0.001))
        assert refine(coarse).fit.best.rss <= coarse.best.rss + 1e-6


def test_steady_learning_does_not_lag_and_a_step_does() -> None:
    n = np.arange(1, 41) * 50.0
    u = np.log10(n)
    assert steady_lag(u, np.minimum(n / 1200, 1)) == pytest.approx(0, abs=1e-6)
    assert steady_lag(u, 1 - np.exp(-n / 700)) == pytest.approx(0, abs=1e-6)
    assert steady_lag(u, n**2) < 0.1
    assert 0.1 < steady_lag(u, n**3) < 0.15
    assert steady_lag(u, (n > 900).astype(float)) > 0.35


def test_steady_learning_per_step_is_no_acceleration_though_it_looks_so_on_a_log_axis() -> None:
    steps = np.array([32, 64, 128, 200, 300, 400, 500, 700, 900, 1200, 1600, 2000.0])
    u = np.log10(steps)
    noise = Noise(np.full(12, 500.0), None, 0.01)
    rng = np.random.default_rng(1)
    y = rng.binomial(500, 0.1 + 0.8 * steps / 2000) / 500
    plain = bootstrap_p(CurveFit(shape_grid(u), y, noise), "acceleration", np.random.default_rng(0))
    along = CurveFit(shape_grid(u, training=True), y, noise, concave=True)
    assert plain.p < 0.01
    assert along.concave_misfit() > 0.05


def test_same_seed_same_bytes() -> None:
    y = np.array([0.25, 0.26, 0.24, 0.25, 0.5, 0.52, 0.5, 0.51])
    fit = CurveFit(shape_grid(U), y, Noise(np.full(8, 500.0), None, 0.01))
    runs = [
        (
            bootstrap_p(fit, "acceleration", np.random.default_rng(4)),
            draw_curves(refine(fit), np.random.default_rng(4)),
        )
        for _ in range(2)
    ]
    assert runs[0][0] == runs[1][0]
    assert runs[0][1].y.tobytes() == runs[1][1].y.tobytes()


def test_p_goes_below_a_thousandth_with_a_thousand_draws() -> None:
    y = np.array([0.25, 0.26, 0.24, 0.25, 0.5, 0.52, 0.5, 0.51])
    fit = CurveFit(shape_grid(U), y, Noise(np.full(8, 1000.0), None, 0.01))
    result = bootstrap_p(fit, "acceleration", np.random.default_rng(0), draws=1000)
    assert (result.draws, result.reading) == (1000, "tail")
    assert result.p < 1e-5


def test_the_onset_of_a_step_lies_anywhere_in_its_gap() -> None:
    y = np.where(U < 9.2, 0.25, 0.75)
    fit = CurveFit(shape_grid(U), y, Noise(np.full(8, 5000.0), None, 0.01))
    onset = draw_curves(refine(fit), np.random.default_rng(0)).onset(0.05)
    low, high = np.quantile(onset, [0.05, 0.95])
    left, right = U[U < 9.2].max(), U[U >= 9.2].min()
    assert left - 0.05 < low < left + 0.1
    assert right - 0.1 < high < right + 0.05


def test_reported_errors_say_how_many_samples_count() -> None:
    y = np.array([0.5, 0.4, 0.0, 0.3])
    n = np.array([1000.0, 1000.0, 1000.0, np.nan])
    binomial = np.sqrt(y * (1 - y) / 999)
    assert effective_n(y, n, binomial) == pytest.approx([1000] * 4)
    clustered = np.array([3.0, 3.3, 1.0, 3.0]) * binomial
    found = effective_n(y, n, clustered)
    assert found[:3] == pytest.approx([1000 / 9.93] * 3, rel=0.01)  # one design effect, also for a score of 0
    assert found[3] == pytest.approx(999 / 9 + 1)


def test_twins_tell_the_noise_between_models() -> None:
    rng = np.random.default_rng(3)
    u = np.repeat(np.linspace(8, 10, 30), 2)
    n = np.full(60, 1e6)
    y = np.clip(0.5 + 0.03 * rng.standard_normal(60), 0, 1)
    tau, free = estimate_tau(u, y, Noise(n, None, 0.01), 0.01)
    assert free == 30
    assert tau == pytest.approx(0.03, rel=0.35)
    assert estimate_tau(u[::2], y[::2], Noise(n[::2], None, 0.01), 0.01) == (0.01, 0)


@given(st.floats(0.3, 10), st.sampled_from([0.0, 0.25]))
@settings(max_examples=20, deadline=None)
def test_a_power_link_is_found_again(rate: float, chance: float) -> None:
    nll = np.linspace(0.02, 3 / rate, 20)
    y = chance + (1 - chance) * np.exp(-rate * nll)
    best = fit_link(nll, y, np.full(20, 1e5), chance)[0]
    assert best.predict(nll) == pytest.approx(y, abs=0.02)
