"""Simulations with known truth and fixed seeds: how often it cries wolf, and how often its interval holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from saltus.emergence import detect
from saltus.records import Finding

LOW, HIGH = 8.0, 8.0 + np.log10(120)
Truth = Callable[[np.ndarray], np.ndarray]


def simulate(truth: Truth, scales: int, n: int, tau: float, rng: np.random.Generator) -> Finding:
    u = np.linspace(LOW, HIGH, scales)
    mean = truth(u)
    share = np.clip(mean + rng.normal(size=scales) * tau * 2 * np.sqrt(mean * (1 - mean)), 0, 1)
    score = rng.binomial(n, share) / n
    rows: list[dict[str, Any]] = [
        {"name": f"m{i}", "task": "t", "metric": "acc", "value": y, "n": n, "chance": 0.25, "params": 10**x}
        for i, (x, y) in enumerate(zip(u, score, strict=True))
    ]
    return detect(rows, axis="params", bootstraps=400, seed=int(rng.integers(2**31)))


def null_truth(kind: str, rng: np.random.Generator) -> Truth:
    floor = rng.uniform(0.2, 0.3)
    rise = rng.uniform(0.05, 0.6)
    power = 0.1 * 30 ** rng.random()  # any exponent, also between those of the grid
    match kind:
        case "flat":
            return lambda u: np.full_like(u, floor + rise / 2)
        case "linear":
            return lambda u: floor + rise * (u - LOW) / (HIGH - LOW)
        case _:
            whole = 1 - 10 ** (-power * (HIGH - LOW))
            return lambda u: floor + rise * (1 - 10 ** (-power * (u - LOW))) / whole


def test_nulls_are_not_called_emergent() -> None:
    rng = np.random.default_rng(1)
    calls: Counter[str] = Counter()
    named = 0
    for kind in ("flat", "linear", "saturating"):
        here: Counter[str] = Counter()
        for _ in range(120):
            n, scales = int(rng.choice([100, 1000, 10000])), int(rng.choice([5, 8, 12]))
            finding = simulate(null_truth(kind, rng), scales, n, float(rng.choice([0, 0.01])), rng)
            here[finding.verdict] += 1
            here["sharp"] += finding.verdict == "emergent" and finding.sharpness == "sharp"
            named += sum(not p.used for p in finding.points)
        print(kind, dict(here))
        calls += here
    print("emergent", calls["emergent"] / 360, "sharp", calls["sharp"] / 360, "outliers", named)
    assert calls["emergent"] / 360 <= 0.05
    assert calls["sharp"] / 360 <= 0.02
    assert named / 360 <= 0.005


@pytest.mark.parametrize(("kind", "scales"), [("step", 8), ("logistic", 8), ("gompertz", 12), ("hinge", 12)])
def test_onset_intervals_cover(kind: str, scales: int) -> None:
    rng = np.random.default_rng(3)
    hit, found, size = 0, 0, 60
    fine = np.linspace(LOW, HIGH, 4001)
    for _ in range(size):
        middle = rng.uniform(LOW + 0.35 * (HIGH - LOW), LOW + 0.8 * (HIGH - LOW))
        width = rng.uniform(0.3, 1.2)
        truth = jump(kind, middle, width)
        finding = simulate(truth, scales, int(rng.choice([300, 1000, 3000])), 0.01, rng)
        if finding.verdict != "emergent":
            continue
        curve = truth(fine)
        onset = 10 ** fine[np.argmax(curve >= curve[0] + 0.05)]
        assert finding.onset is not None
        found += 1
        hit += finding.onset.low * 0.999 <= onset <= finding.onset.high * 1.001
    print(kind, scales, "found", found / size, "covered", hit / found)
    assert found / size >= 0.9
    assert 0.8 <= hit / found <= 1.0


def jump(kind: str, middle: float, width: float) -> Truth:
    match kind:
        case "step":
            return lambda u: 0.25 + 0.4 * (u >= middle)
        case "hinge":
            return lambda u: 0.25 + 0.4 * np.maximum(0, u - middle) / (HIGH - middle)
        case "logistic":
            return lambda u: 0.25 + 0.4 / (1 + np.exp(-(u - middle) * np.log(81) / width))
        case _:
            return lambda u: 0.25 + 0.4 * np.exp(-np.log(2) * 10 ** (-1.3402 / width * (u - middle)))


def test_small_steps_are_found() -> None:
    rng = np.random.default_rng(5)
    for rise, sharp_bar, bar in ((0.2, 0.9, 0.95), (0.1, 0.0, 0.82)):
        found = [
            simulate(lambda u, m=m, r=rise: 0.25 + r * (u >= m), 8, 1000, 0.01, rng)
            for m in rng.uniform(LOW + 0.35, HIGH - 0.4, 40)
        ]
        emergent = [f for f in found if f.verdict == "emergent"]
        sharp = [f for f in emergent if f.sharpness == "sharp"]
        print("step of", rise, "emergent", len(emergent) / 40, "sharp", len(sharp) / 40)
        assert len(emergent) / 40 >= bar
        assert len(sharp) / 40 >= sharp_bar


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
