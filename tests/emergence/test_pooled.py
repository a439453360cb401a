"""Findings over all families at once: what is shared, what differs, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saltus.emergence import detect_all, detect_pooled
from saltus.records import InputError, UsageError
from saltus.stats import shape_grid
from saltus.stats.hierarchical import SharedCurve, Spread, thinned


def families(
    shifts: list[float], *, models: int = 4, rise: float = 0.2, n: int = 1000, seed: int = 0, **more: Any
) -> list[dict[str, Any]]:
    """Families of models over staggered sizes; each jumps at 1e9 parameters times its own factor."""
    rng = np.random.default_rng(seed)
    rows = []
    for f, shift in enumerate(shifts):
        low = rng.uniform(8.0, 8.6)
        for i, u in enumerate(np.linspace(low, low + 1.6, models)):
            share = 0.25 + rise * (u >= 9 + shift)
            rows.append(
                {
                    "family": f"family-{f}",
                    "name": f"family-{f}-{i}",
                    "task": "task",
                    "metric": "acc",
                    "value": rng.binomial(n, share) / n,
                    "n": float(n),
                    "chance": 0.25,
                    "params": float(10**u),
                    **more,
                }
            )
    return rows


SHIFTS = [-0.3, -0.1, 0.0, 0.1, 0.3, 0.2]


def test_a_jump_that_families_share_is_found_and_dated_for_each() -> None:
    (finding,) = detect_pooled(families(SHIFTS), axis="params", bootstraps=199)
    assert (finding.verdict, finding.family) == ("emergent", "pooled")
    assert finding.series.startswith("family-0, family-1")
    assert finding.onset is not None
    assert finding.onset.low < 1e9 * 1.3
    assert finding.onset.high > 1e9 / 1.3
    assert len(finding.families) == 6
    at = {one.family: one.onset.value for one in finding.families}
    assert at["family-0"] < at["family-4"]
    assert [one.onset.value for one in finding.families] == sorted(at.values())
    assert "typical of 6 families" in finding.reasons[1]
    assert len(finding.points) == 24
    assert {point.x for point in finding.points} == {row["params"] for row in families(SHIFTS)}


def test_it_finds_what_no_family_shows_alone() -> None:
    rows = families(SHIFTS, rise=0.12, models=3, n=500)
    alone = detect_all(rows, axis="params", bootstraps=199)
    assert {f.verdict for f in alone} == {"too_few_scales"}
    (finding,) = detect_pooled(rows, axis="params", bootstraps=199)
    assert finding.verdict == "emergent"


def test_the_same_seed_gives_the_same_finding() -> None:
    one, other = (detect_pooled(families(SHIFTS), axis="params", bootstraps=99, seed=3) for _ in range(2))
    assert one == other


def test_families_at_different_levels_are_no_trend() -> None:
    rng = np.random.default_rng(1)
    rows = families([5.0] * 6)
    for row in rows:
        level = 0.3 + 0.06 * int(row["family"][-1])
        row["value"] = rng.binomial(1000, level) / 1000
    (finding,) = detect_pooled(rows, axis="params", bootstraps=199)
    assert finding.verdict == "no_change"
    assert finding.families == ()


def test_one_family_or_one_scale_is_too_few() -> None:
    (finding,) = detect_pooled(families([0.0]), axis="params", bootstraps=99)
    assert finding.verdict == "too_few_scales"
    assert "two families with two scales each; there are family-0" in finding.reasons[0]


def test_tasks_and_shots_are_findings_of_their_own() -> None:
    rows = families(SHIFTS[:3], shots=0) + families(SHIFTS[:3], shots=5)
    rows += [{**row, "task": "other"} for row in families(SHIFTS[:3])]
    found = detect_pooled(rows, axis="params", bootstraps=19)
    assert [(f.task, f.series.rpartition(", ")[2]) for f in found] == [
        ("other", "family-2"),
        ("task", "0-shot"),
        ("task", "5-shot"),
    ]


@pytest.mark.parametrize("axis", ["step", "capability"])
def test_axes_with_nothing_to_pool_are_refused(axis: str) -> None:
    with pytest.raises(UsageError, match="cannot be pooled"):
        detect_pooled(families(SHIFTS), axis=axis)


def test_options_out_of_range_and_bad_points_are_refused() -> None:
    for options in ({"alpha": 0.0}, {"bootstraps": 3}, {"tau": -1.0}):
        with pytest.raises(UsageError):
            detect_pooled(families(SHIFTS), axis="params", **options)
    with pytest.raises(InputError, match="No model has a value"):
        detect_pooled([{**row, "params": None} for row in families(SHIFTS)], axis="params")


def test_the_fit_without_families_is_weighted_least_squares() -> None:
    rng = np.random.default_rng(0)
    u = np.sort(rng.uniform(0, 2, 12))
    y, variance = 0.2 + 0.1 * u + 0.01 * rng.standard_normal(12), rng.uniform(1e-4, 3e-4, 12)
    grid = shape_grid(u, density=9)
    rows = thinned(grid)
    curve = SharedCurve(grid, rows, u, np.zeros(12, int), variance, Spread(1e-9, 0.0))
    rss, amplitude = curve.profile(y[None])
    for k, row in enumerate(rows):
        design = (
            np.column_stack([np.ones(12), grid.curves(np.array([row]), u)[0]]) / np.sqrt(variance)[:, None]
        )
        beta, found, *_ = np.linalg.lstsq(design, y / np.sqrt(variance), rcond=None)
        assert rss[0, k] == pytest.approx(float(found[0]), rel=1e-6)
        assert amplitude[0, k] == pytest.approx(beta[1], rel=1e-6)
    flat = np.average(y, weights=1 / variance)
    assert curve.flat(y[None])[0] == pytest.approx(float(((y - flat) ** 2 / variance).sum()))


def test_the_likelihood_is_that_of_a_random_intercept_where_shifts_are_none() -> None:
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(0)
    u, group = np.tile(np.linspace(0, 2, 5), 3), np.repeat(np.arange(3), 5)
    y, variance = 0.3 + 0.1 * u + 0.02 * rng.standard_normal(15), np.full(15, 4e-4)
    grid = shape_grid(u, density=5)
    curve = SharedCurve(grid, np.array([0]), u, group, variance, Spread(1e-9, 0.03))
    found = curve.marginal(y)
    mean = found.level[0] + found.amplitude[0] * grid.curves(np.array([0]), u)[0]
    cover = np.diag(variance) + 0.03**2 * (group[:, None] == group[None, :])
    exact = -2 * multivariate_normal(mean, cover).logpdf(y) - 15 * np.log(2 * np.pi)
    assert found.deviance[0] == pytest.approx(exact, rel=1e-6)
