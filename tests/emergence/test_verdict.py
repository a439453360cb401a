"""The ladder on made series, what each verdict says beside it, and whether its advice keeps its promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saltus.emergence import detect
from saltus.records import Finding
from saltus.stats import resolution

X = np.geomspace(1e8, 1.2e10, 8)
U = np.linspace(0, 1, 8)


def judged(made: Any, mean: np.ndarray, *, n: int = 1000, seed: int = 0, **more: Any) -> Finding:
    rng = np.random.default_rng(seed)
    options = {k: more.pop(k) for k in ("tau", "min_scales") if k in more}
    rows = made(X, rng.binomial(n, np.clip(mean, 0, 1)) / n, n=n, **more)
    return detect(rows, axis="params", **options)


@pytest.mark.parametrize(
    ("mean", "chance", "verdict"),
    [
        (np.full(8, 0.25), 0.25, "not_above_chance"),
        (np.full(8, 0.6), 0.25, "no_change"),
        (np.zeros(8), 0.0, "not_above_chance"),
        (0.3 + 0.4 * U, 0.25, "gradual"),
        (0.6 + 0.04 * U, 0.25, "below_threshold"),
        (0.8 - 0.4 * U, 0.25, "declining"),
        (0.4 + 0.5 * np.abs(U - 0.5), 0.25, "u_shaped"),
        (0.25 + 0.4 * (U > 0.6), 0.25, "emergent"),
        (0.45 + 0.4 * (U > 0.6), 0.25, "accelerating"),
        (0.25 + 0.4 * (U > 0.6), None, "accelerating"),
    ],
)
def test_the_ladder(made: Any, mean: np.ndarray, chance: float | None, verdict: str) -> None:
    finding = judged(made, mean, n=5000, chance=chance)
    assert finding.verdict == verdict
    assert finding.reasons
    assert (finding.sharpness is not None) == (verdict in ("emergent", "accelerating"))
    assert set(finding.open) == {fit.shape for fit in finding.fits if not fit.excluded}
    assert [test.name for test in finding.tests] == ["trend", "acceleration", "sharpness"]


def test_flat_with_few_samples_says_what_would_tell(made: Any) -> None:
    finding = judged(made, np.full(8, 0.45), n=25, seed=1)
    assert finding.verdict == "no_change"
    assert any(one.question == "trend" and (one.samples or 0) > 25 for one in finding.settle)
    assert any("would settle it" in reason for reason in finding.reasons)


@pytest.mark.parametrize("n", [100, 1003, 5000])
def test_resolution_is_clopper_pearson_at_the_floor(made: Any, n: int) -> None:
    finding = judged(made, np.zeros(8), n=n, chance=0.0)
    assert finding.resolution == pytest.approx(resolution(n), rel=1e-3)
    assert f"{resolution(n):.3g}" in finding.reasons[0]


def test_settings_say_what_was_used(made: Any) -> None:
    used = judged(made, np.full(8, 0.4), tau=0.02).settings
    assert used is not None
    assert (used.tau, used.tau_from, used.paired, used.alpha) == (0.02, "given", False, 0.05)


def test_the_advised_samples_find_a_steady_rise_as_often_as_promised(made: Any) -> None:
    first = judged(made, np.full(8, 0.4), n=300, tau=0.0, chance=0.25)
    (advice,) = (one for one in first.settle if one.question == "trend")
    assert advice.samples is not None
    found = [
        judged(made, 0.4 + advice.effect * U, n=advice.samples, seed=seed, tau=0.0, chance=0.25).q.trend
        for seed in range(60)
    ]
    assert 0.65 <= np.mean([q is not None and q <= 0.05 for q in found]) <= 0.95
