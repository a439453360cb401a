from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from saltus.records.findings import AXES, Artifact, Finding, Interval, Verdict
from saltus.report.words import (
    AXIS_TITLES,
    KINDS,
    answer,
    interval_text,
    kind,
    metric_axis,
    number,
    q_text,
    quantity,
    rank,
)

BASE = Finding(
    id="f",
    family="toy",
    axis="step",
    task="recall",
    metric="exact_match",
    n_scales=9,
    n_samples=100.0,
    verdict="emergent",
    headline="",
    onset=Interval(475, 450, 550),
    rise=Interval(0.7, 0.6, 0.8),
    chance=0.25,
)


def changed(**changes: Any) -> Finding:
    return msgspec.structs.replace(BASE, **changes)


def test_titles_say_the_answer() -> None:
    assert answer(changed(artifact="jump_persists")) == "Recall appears at step 475 [450, 550]"
    sizes = changed(artifact="jump_persists", axis="params", onset=Interval(6.7e9, 2.8e9, 1.2e10))
    assert answer(sizes) == "Recall appears at 6.7B parameters [2.8B, 12B]"
    assert "artifact of the metric" in answer(changed(artifact="metric_artifact"))
    falling = changed(verdict="declining", rise=Interval(-0.4, -0.5, -0.3), onset=None)
    assert answer(falling) == "Recall declines by 0.40"
    assert answer(changed(verdict="not_above_chance", onset=None)) == "Recall stays at chance (0.25)"
    assert answer(changed(task="hendrycksTest-law", verdict="no_change")).startswith("hendrycksTest-law ")


@pytest.mark.parametrize("verdict", get_args(Verdict))
@pytest.mark.parametrize("artifact", [None, *get_args(Artifact)])
@pytest.mark.parametrize("onset", [None, Interval(475, 450, float("inf"))])
def test_every_verdict_has_a_word_and_a_title(verdict: Any, artifact: Any, onset: Any) -> None:
    finding = changed(verdict=verdict, artifact=artifact, onset=onset, rise=None, chance=None)
    assert kind(finding) in KINDS
    assert answer(finding).startswith("Recall")
    assert "None" not in answer(finding)


def test_every_axis_has_words() -> None:
    assert set(AXIS_TITLES) == set(AXES)
    for axis in AXES:
        assert answer(changed(axis=axis, artifact="jump_persists", onset=Interval(2.0, 1.0, 3.0)))


def test_breakthroughs_come_first_and_then_earlier_onsets() -> None:
    late = changed(artifact="jump_persists", onset=Interval(900, 800, 1000))
    early, flat = changed(artifact="jump_persists"), changed(verdict="no_change", onset=None)
    artifact = changed(artifact="metric_artifact", onset=Interval(1, 1, 1))
    assert sorted([flat, artifact, late, early], key=rank) == [early, late, artifact, flat]


def test_numbers() -> None:
    assert quantity(1e9) == "1B"
    assert quantity(2.1e21, "flops") == "2.1e21"
    assert [number(v) for v in (0.5, -0.001, float("nan"))] == ["0.50", "0.00", "–"]  # noqa: RUF001
    assert q_text(0.00001) == "<0.001"
    assert interval_text(Interval(0.7, 0.6, 0.8), sign=True) == "+0.70 [0.60, 0.80]"
    assert interval_text(Interval(0.001, -0.1, 0.1), sign=True) == "0.00 [-0.10, 0.10]"
    assert metric_axis("exact_match") == "↑ Exact match"
    assert metric_axis("ppl") == "↑ Perplexity, lower is better"
    assert metric_axis("target_logprob") == "↑ Target log-probability (nats)"
