"""A model that breaks the axis is named; nothing is named where nothing breaks."""

from __future__ import annotations

from typing import Any

import numpy as np

from saltus.emergence import detect

X = np.geomspace(2e3, 2.4e5, 9)
STEP = np.where(np.arange(9) < 3, 0.27, 0.98)


def measured(mean: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).binomial(256, mean) / 256


def test_a_control_is_named_with_the_attribute_that_orders_the_family(made: Any) -> None:
    mean = STEP.copy()
    mean[5] = 0.3
    layers = [1, 1, 1, 2, 2, 1, 2, 2, 3]
    roles = ["control" if i == 5 else "" for i in range(9)]
    finding = detect(made(X, measured(mean), n=256, chance=0.27, layers=layers, role=roles), axis="params")
    assert finding.verdict == "emergent"
    assert [p.model for p in finding.points if not p.used] == ["model-5"]
    text = " ".join(finding.reasons)
    assert "model-5 (recorded as a control)" in text
    assert "Parameters alone do not order these models" in text
    assert "Layers order them: every model with 2 layers or more" in text
    assert "exact permutation p = 0.008" in text


def test_one_failed_seed_among_twins_is_not_an_outlier_of_the_axis(made: Any) -> None:
    mean = np.repeat(STEP, 2)
    mean[8] = 0.5
    finding = detect(made(np.repeat(X, 2), measured(mean), n=256, chance=0.27), axis="params")
    assert finding.verdict == "emergent"


def test_a_jump_at_the_end_is_no_outlier(made: Any) -> None:
    mean = np.full(9, 0.27)
    mean[8] = 0.98
    finding = detect(made(X, measured(mean), n=256, chance=0.27), axis="params")
    assert finding.verdict == "emergent"
    assert all(p.used for p in finding.points)


def test_two_outliers_are_left_alone(made: Any) -> None:
    mean = STEP.copy()
    mean[[5, 7]] = 0.3
    finding = detect(made(X, measured(mean), n=256, chance=0.27), axis="params")
    assert all(p.used for p in finding.points)


def test_where_two_models_could_be_the_odd_one_the_recorded_control_is(made: Any) -> None:
    mean = STEP.copy()
    mean[4] = 0.3  # low, high, low, high, ...: either the third or the fourth model breaks the rest's curve
    roles = ["control" if i == 4 else "" for i in range(9)]
    plain = detect(made(X, measured(mean), n=256, chance=0.27), axis="params")
    assert all(p.used for p in plain.points)
    finding = detect(made(X, measured(mean), n=256, chance=0.27, role=roles), axis="params")
    assert finding.verdict == "emergent"
    assert [p.model for p in finding.points if not p.used] == ["model-4"]
