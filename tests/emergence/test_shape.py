"""What a verdict says beside its curve: a fall after the peak, a hump, a jump that rests on one model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saltus.emergence import detect
from saltus.records import Finding, InputError

U = np.linspace(8, 10, 8)


def found(truth: np.ndarray, **changes: Any) -> Finding:
    score = np.random.default_rng(0).binomial(1000, truth) / 1000
    rows = [
        {
            "name": f"m{i}",
            "task": "t",
            "metric": "acc",
            "value": y,
            "n": 1000,
            "chance": 0.25,
            "params": 10**u,
            **changes,
        }
        for i, (u, y) in enumerate(zip(U, score.tolist(), strict=True))
    ]
    return detect(rows, axis="params", bootstraps=200)


def test_a_hump_is_not_said_to_be_a_level() -> None:
    finding = found(0.25 + 0.4 * np.exp(-(((U - 9) / 0.3) ** 2)))
    assert finding.verdict == "no_change"
    assert "rises to" in finding.headline
    assert "falls back" in finding.headline
    assert "no curve that goes one way fits it" in finding.reasons[0]


def test_a_fall_after_the_peak_is_named() -> None:
    finding = found(np.where(U < 8.8, 0.25, np.where(U < 9.6, 0.65, 0.45)))
    assert finding.verdict == "emergent"
    assert finding.reasons[1].startswith("It does not stay there: it falls from 0.6")


def test_a_jump_in_the_last_model_alone_says_so() -> None:
    finding = found(np.where(U < 9.9, 0.25, 0.6))
    assert finding.verdict == "emergent"
    assert (
        finding.reasons[1]
        == "It rests on the last point alone, at 10B parameters; a second one there or beyond would tell."
    )
    twice = found(np.where(U < 9.6, 0.25, 0.6))
    assert not any("last point alone" in reason for reason in twice.reasons)


def test_a_chance_that_cannot_be_is_refused() -> None:
    with pytest.raises(
        InputError, match="chance is 2, and the share that guessing gets right lies from 0 to 1"
    ):
        found(np.full(8, 0.4), chance=2.0)
