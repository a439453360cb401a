"""Steady learning along training is no jump; the other error rates are rows of the table."""

from __future__ import annotations

from collections import Counter

import numpy as np

from saltus.emergence import detect


def test_steady_learning_per_step_is_not_called_a_jump() -> None:
    rng = np.random.default_rng(6)
    steps = np.array(
        [32, 64, 128, 200, 300, 350, 400, 450, 500, 550, 600, 650, 700, 800, 900, 1000, 1200, 1500, 2000]
    )
    calls: Counter[str] = Counter()
    for i in range(60):
        end = rng.uniform(300, 4000)
        shape = np.minimum(steps / end, 1) if i % 2 else 1 - np.exp(-steps / end)
        mean = 0.1 + 0.85 * shape / max(shape[-1], 0.3)
        y = rng.binomial(256, np.clip(mean + 0.01 * rng.standard_normal(len(steps)), 0, 1)) / 256
        rows = [
            {
                "name": "m",
                "model": f"m@{s}",
                "task": "t",
                "metric": "acc",
                "value": v,
                "n": 256,
                "chance": 0.1,
                "step": s,
            }
            for s, v in zip(steps.tolist(), y.tolist(), strict=True)
        ]
        calls[detect(rows, axis="step", bootstraps=400, seed=i).verdict] += 1
    print(dict(calls))
    assert calls["emergent"] + calls["accelerating"] <= 3
