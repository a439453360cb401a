"""Series as they should not be, and are: every one gets a verdict that makes sense, or one clear sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saltus.emergence import detect
from saltus.records import Finding, InputError

from .truths import rows_of

U = np.linspace(8, 10, 8)
STEP = 0.25 + 0.4 * (U > 9)
STILL = {"no_change", "not_above_chance", "below_threshold"}
RISES = {"emergent", "accelerating", "gradual"}


def judged(u: np.ndarray, mean: np.ndarray, n: float | None = 1000, **more: Any) -> Finding:
    size = int(n or 1000)
    y = np.random.default_rng(5).binomial(size, np.clip(mean, 0, 1)) / size
    return detect(rows_of(u, y, n=n, **more), axis="params", bootstraps=400)


@pytest.mark.parametrize(
    ("mean", "chance", "verdicts"),
    [
        (0 * U, 0.0, STILL),
        (0 * U, 0.25, STILL),
        (0 * U + 1, 0.25, STILL),
        (1.0 * (U > 9), 0.0, {"emergent"}),
        (1.0 * (U < 9), 0.0, {"declining"}),
        (0.25 + 0.4 * (U < 8.1), 0.25, {"declining", "not_above_chance"}),
        (0.25 - 0.2 * (U < 8.1), 0.25, STILL),
        (0.25 + 0.4 * (U > 8.1), 0.25, RISES),
        (0.25 + 0.4 * (U > 9.9), 0.25, {"emergent"}),
        (0.25 + 0.4 * np.exp(-(((U - 9) / 0.3) ** 2)), 0.25, STILL | {"declining"}),
        (0.6 - 0.3 * np.exp(-(((U - 9) / 0.5) ** 2)), 0.25, {"u_shaped"}),
        (STEP, None, {"accelerating"}),
        (STEP - 0.25, None, {"emergent", "accelerating"}),
        (STEP, 0.9, {"not_above_chance"}),
    ],
)
def test_shapes(mean: np.ndarray, chance: float | None, verdicts: set[str]) -> None:
    finding = judged(U, mean, chance=chance)
    assert finding.verdict in verdicts
    assert finding.reasons
    assert (finding.onset is not None) == (finding.verdict in ("emergent", "accelerating"))


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("by", [0.5, -0.2])
def test_one_wild_point_within_is_no_jump(place: int, by: float) -> None:
    mean = np.full(8, 0.25)
    mean[place] += by
    assert judged(U, mean).verdict in STILL


@pytest.mark.parametrize(
    ("n", "more"),
    [
        (None, {}),
        (20, {}),
        (10_000_000, {}),
        (1000, {"stderr": 0.0}),
        (1000, {"stderr": float("nan")}),
        (None, {"stderr": 0.0}),
        (1000, {"stderr": [0.05, 0.001, None, 0.02, 0.01, 0.03, 0.0, 0.01]}),
        (1000, {"chance": [0.25, None, 0.2, 0.25, 0.3, 0.25, None, 0.25]}),
    ],
)
def test_a_step_is_found_whatever_is_known_of_the_noise(n: float | None, more: dict[str, Any]) -> None:
    finding = judged(U, STEP, n, **more)
    assert finding.verdict == "emergent"
    assert finding.onset is not None
    assert 5e8 < finding.onset.low < finding.onset.value < finding.onset.high < 2e9


@pytest.mark.parametrize("mean", [0.25 + 0 * U, 0.25 + 0.1 * (U - 8)])
@pytest.mark.parametrize("n", [None, 3, 30, 10_000_000])
def test_nothing_is_found_whatever_is_known_of_the_noise(mean: np.ndarray, n: float | None) -> None:
    assert judged(U, mean, n).verdict in STILL | {"gradual", "declining"}


@pytest.mark.parametrize("scales", [4, 5, 60])
def test_few_and_many_scales(scales: int) -> None:
    u = np.linspace(8, 10, scales)
    assert judged(u, 0.25 + 0.4 * (u > 9.2)).verdict == "emergent"
    assert judged(u, 0.25 + 0.05 * (u - 8)).verdict not in ("emergent", "accelerating")


def test_scales_that_stand_several_times() -> None:
    u = np.repeat(U, 3)
    seeds = [0, 1, 2] * 8
    wobble = 0.05 * np.random.default_rng(1).standard_normal(24)
    assert judged(u, 0.25 + 0.3 * (u > 9), model_seed=seeds).verdict == "emergent"
    assert judged(u, 0.5 + wobble, 104, chance=0.5, model_seed=seeds).verdict in STILL
    assert judged(0 * U + 9, STEP).verdict == "too_few_scales"


@pytest.mark.parametrize("span", [0.02, 0.1, 8.0])
def test_narrow_and_wide_axes(span: float) -> None:
    assert judged(9 + span * (U - 9) / 2, STEP).verdict == "emergent"


def test_what_is_missing_is_left_out_and_named() -> None:
    rows = rows_of(U, STEP)
    rows[2]["value"], rows[5]["params"] = float("nan"), None
    text = " ".join(detect(rows, axis="params", bootstraps=400).reasons)
    assert "m2" in text
    assert "m5" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"value": 57.0}, "57"),
        ({"value": -0.2}, "-0.2"),
        ({"params": 0.0}, "params"),
        ({"params": -5.0}, "params"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(change: dict[str, float], said: str) -> None:
    rows = rows_of(U, STEP)
    rows[3] |= change
    with pytest.raises(InputError, match=said):
        detect(rows, axis="params", bootstraps=400)
