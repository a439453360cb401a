"""Forecasts: the numbers, the refusals, the way through a link or through other benchmarks, and backtests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saltus.emergence.forecast import backtest, forecast_all, observed_forecasts
from saltus.records import InputError, UsageError

U = np.linspace(8, 10, 8)


def rows(
    mean: np.ndarray, *, n: int = 1000, chance: float | None = 0.25, metric: str = "acc", seed: int = 0
) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "name": f"m{i}",
            "family": "f",
            "task": "t",
            "metric": metric,
            "value": y,
            "n": n,
            "chance": chance,
            "params": 10**u,
        }
        for i, (u, y) in enumerate(zip(U, rng.binomial(n, mean) / n, strict=True))
    ]


def test_growth_is_forecast_with_its_evidence() -> None:
    found = forecast_all(rows(0.3 + 0.15 * (U - 8)), axis="params", at=[3e10])[0]
    assert found.refused is None
    assert found.low < 0.3 + 0.15 * (np.log10(3e10) - 8) < found.high
    assert found.method == "ensemble"
    assert found.n_points == len(found.points) == 8
    assert sum(found.weights.values()) == pytest.approx(1, abs=1e-3)
    assert "0.48 decades beyond" in found.reasons[0]
    assert found.band is not None
    assert found.band.x[-1] == pytest.approx(3e10)
    assert all(a <= b <= c for a, b, c in zip(found.band.low, found.band.y, found.band.high, strict=True))


def test_by_default_it_looks_twice_and_ten_times_as_far() -> None:
    found = forecast_all(rows(0.3 + 0.15 * (U - 8)), axis="params")
    assert [f.at for f in found] == pytest.approx([2e10, 1e11])


def test_scores_at_their_floor_are_refused_with_what_is_left_and_what_would_let_it() -> None:
    found = forecast_all(rows(np.full(8, 0.25)), axis="params", at=[1e11])[0]
    assert found.refused is not None
    assert "Cannot see past an onset" in found.refused
    assert "continuous metric" in found.refused
    assert "1,000 a model show a rise of 0.023" in found.refused
    assert found.low < 0.25
    assert found.high > 0.5


def test_within_the_scores_a_floor_is_no_reason_to_refuse() -> None:
    found = forecast_all(rows(np.full(8, 0.25)), axis="params", at=[1e9])[0]
    assert found.refused is None
    assert found.high < 0.35


def test_zeros_without_a_known_chance_are_a_floor() -> None:
    found = forecast_all(rows(np.zeros(8), chance=None, metric="exact_match"), axis="params")[0]
    assert found.refused is not None
    assert "1,000 a model show a rise of 0.0037" in found.refused
    assert "10,000 one of 0.00037" in found.refused


def test_a_plateau_above_its_floor_is_forecast() -> None:
    found = forecast_all(rows(np.full(8, 0.6)), axis="params", at=[2e10])[0]
    assert found.refused is None
    assert found.value == pytest.approx(0.6, abs=0.03)


def continuous(nll: np.ndarray) -> list[dict[str, Any]]:
    base = rows(np.exp(-4 * nll), chance=0.0, metric="exact_match", n=300)
    beside = [
        row | {"metric": "target_logprob", "value": -value, "stderr": 0.01}
        for row, value in zip(base, nll, strict=True)
    ]
    return base + beside


def test_at_the_floor_a_continuous_metric_is_forecast_and_pushed_through_the_link() -> None:
    nll = 3.6 - 1.0 * (U - 8)
    found = forecast_all(continuous(nll), axis="params", at=[1e11], metrics=["exact_match"])[0]
    assert found.method == "link from target_logprob"
    assert found.refused is None
    assert "cannot see past an onset" in found.reasons[0]
    assert "at 0.6" in found.reasons[0]
    assert "only bounded" in found.reasons[0] or "rests on: 1" in found.reasons[0]
    assert found.low < np.exp(-4 * 0.6) < found.high


def test_too_few_scales_are_refused_without_a_number() -> None:
    found = forecast_all(rows(np.full(8, 0.6))[:2], axis="params", at=[2e10])[0]
    assert found.refused == (
        "The scores stand at 2 places along params; a forecast needs 3. Evaluate at 1 more."
    )
    assert found.value is None


def test_a_loss_is_forecast_in_its_own_units() -> None:
    loss = [
        {
            "name": f"m{i}",
            "task": "t",
            "metric": "loss",
            "value": 2 + 1.5 * 10 ** (-0.3 * (u - 8)),
            "params": 10**u,
        }
        for i, u in enumerate(U)
    ]
    found = forecast_all(loss, axis="params", at=[3e10])[0]
    assert found.low < 2 + 1.5 * 10 ** (-0.3 * 2.477) < found.high
    assert found.high - found.low < 0.3


def test_same_input_same_forecast() -> None:
    points = rows(np.full(8, 0.25))
    assert forecast_all(points, axis="params", seed=3) == forecast_all(points, axis="params", seed=3)


def test_named_models_carry_their_name() -> None:
    found = forecast_all(rows(0.3 + 0.15 * (U - 8)), axis="params", models={"big": 7e10})[0]
    assert (found.model, found.at) == ("big", 7e10)


@pytest.mark.parametrize(("at", "level"), [(0.0, 0.9), (-1.0, 0.9), (float("nan"), 0.9), (1e10, 1.0)])
def test_impossible_wishes_are_refused(at: float, level: float) -> None:
    with pytest.raises(UsageError):
        forecast_all(rows(np.full(8, 0.6)), axis="params", at=[at], level=level)


def test_no_points_are_an_input_error() -> None:
    with pytest.raises(InputError):
        forecast_all([], axis="params")


def test_a_backtest_leaves_out_the_largest() -> None:
    points = rows(0.3 + 0.15 * (U - 8))
    found = backtest(points, axis="params", hold=2)
    assert {h.model for h in found.held} == {"m6", "m7"}
    assert found.pooled is not None
    assert found.pooled.n == 2
    assert found.pooled.mse["forecast"] < found.pooled.mse["last_value"]
    assert set(found.pooled.mse) == {"forecast", "last_value", "linear", "sigmoid"}
    assert found == backtest(points, axis="params", hold=2)
    assert {h.model for h in backtest(points, axis="params", cut=5e9).held} == {"m7"} | {
        f"m{i}" for i in range(7) if 10 ** U[i] > 5e9
    }


def test_what_was_left_out_has_no_say() -> None:
    points = rows(0.3 + 0.15 * (U - 8))
    changed = [row | ({"value": 0.99} if row["name"] == "m7" else {}) for row in points]
    a, b = (backtest(p, axis="params", hold=1).held[0] for p in (points, changed))
    assert (a.value, a.low, a.high) == (b.value, b.low, b.high)
    assert a.actual != b.actual


def test_backtests_of_too_few_scales_are_named() -> None:
    found = backtest(rows(np.full(8, 0.6))[:3], axis="params", hold=1)
    assert found.pooled is None
    assert "3 scales leave under 3 to fit" in found.skipped[0]
    with pytest.raises(UsageError, match="not both"):
        backtest(rows(np.full(8, 0.6)), axis="params", hold=1, cut=1e9)


def table(models: int = 30) -> list[dict[str, Any]]:
    """Models of two families with unlike recipes: scale says little, ability says all."""
    rng = np.random.default_rng(5)
    out = []
    for i in range(models):
        ability = rng.normal()
        for task, slope, middle in (
            ("a", 1.0, 0.0),
            ("b", 1.4, 0.3),
            ("c", 0.8, -0.4),
            ("d", 1.1, 0.1),
            ("t", 2.0, 1.5),
        ):
            mean = 1 / (1 + np.exp(-slope * (ability - middle)))
            if task == "t" and i == 0:
                continue
            value = rng.binomial(1000, mean) / 1000
            out.append(
                {
                    "name": f"m{i}",
                    "family": f"f{i % 2}",
                    "task": task,
                    "metric": "acc",
                    "value": value,
                    "n": 1000,
                    "chance": 0.0,
                }
            )
    return out


def test_a_model_is_forecast_from_its_other_benchmarks() -> None:
    rng = np.random.default_rng(5)
    truth = 1 / (1 + np.exp(-2.0 * (rng.normal() - 1.5)))
    found = observed_forecasts(table(), ["m0"])
    assert [(f.task, f.model, f.axis) for f in found] == [("t", "m0", "capability")]
    assert found[0].low < truth < found[0].high
    assert found[0].high - found[0].low < 0.25
    assert found[0].method == "components PC2, PC3"
    assert observed_forecasts(table(8), ["m0"]) == []
    assert observed_forecasts(table(), ["nobody"]) == []
