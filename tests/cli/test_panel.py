"""The panel of a running evaluation says how far, how fast, what it cost and what went wrong."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from saltus.cli.progress import Panel
from saltus.evals import ProgressEvent


def drawn(panel: Panel, width: int = 110) -> str:
    out = StringIO()
    Console(file=out, width=width, force_terminal=False).print(panel.draw())
    return out.getvalue()


def event(done: int, **more: Any) -> ProgressEvent:
    given: dict[str, Any] = {
        "requests": done,
        "cached": 7,
        "tokens": (12_000, 3_400),
        "models": ("small", "large"),
        "sizes": {"sums": 100, "facts": 50},
        "cells": {("small", "sums"): 100, ("small", "facts"): 25},
    }
    return ProgressEvent("small", "facts", done, 300, **(given | more))


def test_it_says_what_people_look_for() -> None:
    moment = [0.0]
    panel = Panel(lambda: moment[0])
    assert "Looking" in drawn(panel)
    panel.update(event(75))
    moment[0] = 5.0
    panel.update(event(125, cost=1.5, failed=3, errors={"the server said 500": 2, "timed out": 1}))
    text = drawn(panel)
    assert (
        "125 of 300 · 10/s · 12k + 3.4k tokens · 7 from the cache · cost 1.50 · 3 failed · 18 s left" in text
    )
    assert "2 x the server said 500" in text
    assert text.index("500") < text.index("timed out")
    lines = text.splitlines()
    [small] = [line for line in lines if line.startswith("small")]
    assert small.split() == ["small", "✓", "50%"]
    [large] = [line for line in lines if line.startswith("large")]
    assert large.split() == ["large", "·", "·"]


def test_many_models_and_tasks_are_shown_around_the_one_that_is_asked() -> None:
    panel = Panel()
    models = tuple(f"model-{i:02}" for i in range(60))
    sizes = {f"task-{i:02}": 10 for i in range(40)}
    panel.update(event(1, models=models, sizes=sizes, cells={}))
    text = drawn(panel, 400)
    assert "60 models" in text
    assert text.count("model-") == 12
    assert text.count("task-") == 10
    middle = ProgressEvent("model-30", "task-20", 1, 10, 1, models=models, sizes=sizes)
    panel.update(middle)
    assert "model-30" in drawn(panel, 400)
    assert "task-20" in drawn(panel, 400)
