"""Findings do not hang on how many processes look for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from saltus.emergence import detect_all


def test_two_workers_find_what_one_finds(made: Any) -> None:
    rng = np.random.default_rng(0)
    x = np.geomspace(1e8, 1e10, 6)
    rows = []
    for i in range(205):
        mean = np.where(x > 1e9, 0.25 + 0.4 * (i % 3 == 0), 0.25)
        rows += [{**row, "task": f"t{i:03d}"} for row in made(x, rng.binomial(300, mean) / 300, n=300)]
    rows += [{**row, "task": "short"} for row in made(x[:2], np.array([0.2, 0.3]))]
    told: list[tuple[int, int]] = []
    one = detect_all(rows, axis="params", bootstraps=99)
    two = detect_all(rows, axis="params", bootstraps=99, workers=2, progress=lambda *done: told.append(done))
    assert one == two
    assert told[-1] == (206, 206)
    assert [f.task for f in two] == sorted(f.task for f in two)
