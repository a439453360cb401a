"""One look at points: scores and their arrows, early warnings, and what is corrected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from saltus.monitor.watch.look import Manner, can_decide, look, scores_of

STEPS = [10 * 2**k for k in range(12)]


def row(step: float, metric: str, value: float, stderr: float, task: str = "t") -> dict[str, Any]:
    about = {"family": "f", "name": "m", "model": f"m@{step:.0f}", "task": task, "n": 1000, "chance": None}
    return about | {"step": float(step), "metric": metric, "value": value, "stderr": stderr, "run": "r"}


def test_four_places_above_step_0_are_needed() -> None:
    for steps, enough in (((0, 1, 2, 3), False), ((1, 2, 3, 4), True), ((1, 1, 2, 3), False)):
        assert can_decide(pa.Table.from_pylist([row(s, "exact_match", 0.1, 0.01) for s in steps])) is enough


def test_an_arrow_says_whether_a_score_moved_beyond_its_noise() -> None:
    rows = [
        *(row(s, "exact_match", v, 0.01, "up") for s, v in ((1, 0.1), (2, 0.2))),
        *(row(s, "exact_match", v, 0.01, "down") for s, v in ((1, 0.2), (2, 0.1))),
        *(row(s, "exact_match", v, 0.01, "same") for s, v in ((1, 0.10), (2, 0.12))),
        *(row(s, "perplexity", v, 0.1, "less") for s, v in ((1, 9.0), (2, 5.0))),
        row(2, "exact_match", 0.1, 0.01, "first"),
        row(3, "exact_match", 0.9, 0.01, "up"),
    ]
    scores = {one.task: one for one in scores_of(pa.Table.from_pylist(rows), 2)}
    moves = {task: one.moves for task, one in scores.items()}
    assert moves == {"up": "up", "down": "down", "same": "same", "less": "up", "first": ""}
    assert (scores["up"].before, scores["up"].value) == (0.1, 0.2)


def test_a_continuous_metric_that_takes_off_warns_before_the_score_moves() -> None:
    rng = np.random.default_rng(0)
    told: list[Any] = []
    rows: list[dict[str, Any]] = []
    for k, step in enumerate(STEPS):
        inside = -3 + 0.02 * rng.normal() + (0.6 * (k - 7) if k > 7 else 0)
        rows += [row(step, "exact_match", 0.02, 0.004), row(step, "target_logprob", inside, 0.02)]
        if k >= 3:
            told += look(rows, told, number=k - 2, manner=Manner(bootstraps=99))
    assert {event.kind for event in told} == {"early_warning"}
    [first, *_] = told
    assert first.warning.indicator == "continuous"
    assert STEPS[8] <= first.warning.at <= STEPS[10]
    assert "may be about to jump" in first.reasons[0]
    assert len({(event.warning.indicator, event.warning.at) for event in told}) == len(told)
