"""Error rates of pooled findings and of the capability axis on simulated families; fixed seeds.

`python -m tests.validity.test_pooled 300` measures the full table (minutes); the tests run a part of it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from saltus.emergence import detect_all, detect_pooled

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]

LOW, HIGH = 8.0, 10.1
CHANCE = 0.25


def families(
    rng: np.random.Generator,
    curve: Curve,
    *,
    count: int,
    models: tuple[int, int],
    shift: float,
    level: float,
    n: int,
    tau: float,
    slope: float = 0.0,
) -> tuple[list[dict[str, Any]], list[float]]:
    """Families over parts of the axis, with offsets along it and in score, and slopes that may differ too."""
    rows, shifts = [], []
    for f in range(count):
        size = int(rng.integers(models[0], models[1] + 1))
        start, end = sorted(rng.uniform(LOW, HIGH, 2))
        if end - start < 0.8:
            start, end = max(LOW, (start + end) / 2 - 0.5), min(HIGH, (start + end) / 2 + 0.5)
        u = np.linspace(start, end, size)
        moved = rng.normal() * shift
        shifts.append(moved)
        mean = curve(u - moved) * (1 + slope * rng.normal()) + rng.normal() * level
        mean = np.clip(mean, 0, 1)
        share = np.clip(mean + rng.normal(size=size) * tau * 2 * np.sqrt(mean * (1 - mean)), 0, 1)
        for i, value in enumerate(rng.binomial(n, share) / n):
            rows.append(_row(f"f{f}", f"f{f}-{i}", "t", value, n) | {"params": float(10 ** u[i])})
    return rows, shifts


def _row(family: str, name: str, task: str, value: float, n: int) -> dict[str, Any]:
    return {
        "family": family,
        "name": name,
        "task": task,
        "metric": "acc",
        "value": float(value),
        "n": float(n),
        "chance": CHANCE,
    }


def null(rng: np.random.Generator) -> Curve:
    """Flat, linear or saturating, from near chance."""
    floor, rise = CHANCE + rng.uniform(0, 0.05), rng.uniform(0.05, 0.6)
    power = 10 ** rng.uniform(-0.5, 0.4)
    curves: list[Curve] = [
        lambda u: 0 * u + floor + rise * (power > 1),
        lambda u: floor + rise * np.maximum(u - 7.5, 0) / 2.6,
        lambda u: floor + rise * (1 - 10 ** (-power * np.maximum(u - 7.5, 0))),
    ]
    return curves[int(rng.integers(3))]


def nulls(runs: int, slope: float = 0.0) -> Counter[str]:
    """Verdicts on 3 to 8 families of 3 to 10 models without a jump."""
    found: Counter[str] = Counter()
    for i in range(runs):
        rng = np.random.default_rng([11, i])
        rows, _ = families(
            rng,
            null(rng),
            count=int(rng.integers(3, 9)),
            models=(3, 10),
            shift=float(rng.choice([0, 0.1, 0.3, 0.5])),
            level=float(rng.choice([0, 0.02])),
            n=int(rng.choice([100, 300, 1000, 3000, 10_000])),
            tau=float(rng.choice([0, 0.01])),
            slope=slope,
        )
        (finding,) = detect_pooled(rows, axis="params", bootstraps=150, seed=i)
        found[finding.verdict] += 1
        found["sharp"] += finding.sharpness == "sharp"
    return found


def steps(runs: int, rise: float = 0.1, n: int = 300) -> dict[str, float]:
    """Steps in 4 to 8 families of 3 to 5 models that differ by a factor of 2 (standard deviation)."""
    pooled = alone = covered = dated = own = of = 0.0
    for i in range(runs):
        rng = np.random.default_rng([12, i])
        at = rng.uniform(8.7, 9.4)
        rows, shifts = families(
            rng,
            lambda u, at=at: CHANCE + rise * (u >= at),  # type: ignore[misc]
            count=int(rng.integers(4, 9)),
            models=(3, 5),
            shift=0.3,
            level=0.01,
            n=n,
            tau=0.01,
        )
        (finding,) = detect_pooled(rows, axis="params", bootstraps=150, seed=i)
        pooled += finding.verdict == "emergent"
        each = detect_all(rows, axis="params", bootstraps=150, seed=i)
        alone += float(np.mean([one.verdict == "emergent" for one in each]))
        if finding.verdict == "emergent" and finding.onset is not None:
            dated += 1
            covered += finding.onset.low <= 10**at <= finding.onset.high
            onsets = {one.family: one.onset for one in finding.families}
            for f, moved in enumerate(shifts):
                of += 1
                own += onsets[f"f{f}"].low <= 10 ** (at + moved) <= onsets[f"f{f}"].high
    return {
        "pooled": pooled / runs,
        "alone": alone / runs,
        "covered": covered / max(dated, 1),
        "own covered": own / max(of, 1),
    }


def capability(kind: str, spread: float, runs: int) -> Counter[str]:
    """Verdicts along a capability axis whose benchmarks each stray from ability by `spread`."""
    found: Counter[str] = Counter()
    for i in range(runs):
        rng = np.random.default_rng([13, i])
        models, n = int(rng.choice([12, 24, 60])), 1000
        ability = rng.uniform(-1, 1, models)
        rows: list[dict[str, Any]] = []
        for b in range(int(rng.choice([4, 8]))):
            share = 0.3 + 0.5 / (1 + np.exp(-(ability - rng.uniform(-0.5, 0.5)) * rng.uniform(1.5, 4)))
            share = np.clip(share + spread * rng.normal(size=models), 0, 1)
            rows += [
                _row(f"f{m % 5}", f"m{m}", f"b{b}", v, n) for m, v in enumerate(rng.binomial(n, share) / n)
            ]
        place = (ability + 1) / 2
        target = {
            "linear": CHANCE + 0.01 + 0.4 * place,
            "saturating": CHANCE + 0.01 + 0.4 * (1 - np.exp(-3 * place)),
            "step": CHANCE + 0.01 + 0.2 * (place > 0.5),
        }[kind]
        share = np.clip(target + 0.02 * np.sqrt(target * (1 - target)) * rng.normal(size=models), 0, 1)
        rows += [_row(f"f{m % 5}", f"m{m}", "target", v, n) for m, v in enumerate(rng.binomial(n, share) / n)]
        (finding,) = detect_all(rows, axis="capability", tasks=["target"], bootstraps=150, seed=i)
        found["jump"] += finding.verdict in ("emergent", "accelerating")
        found["sharp"] += finding.sharpness == "sharp"
    return found


@pytest.mark.slow
def test_families_without_a_jump_are_not_called_one() -> None:
    found = nulls(24)
    print(dict(found))
    assert found["emergent"] <= 2
    assert found["sharp"] <= 1


@pytest.mark.slow
def test_a_jump_is_found_by_all_families_more_often_than_by_each_and_dated() -> None:
    found = steps(12)
    print(found)
    assert found["pooled"] >= found["alone"] + 0.3
    assert found["covered"] >= 0.7
    assert found["own covered"] >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["linear", "saturating"])
def test_error_along_capability_makes_no_sharp_jump(kind: str) -> None:
    found = capability(kind, 0.05, 12)
    print(kind, dict(found))
    assert found["sharp"] <= 1


if __name__ == "__main__":
    size = int(sys.argv[1])
    print("nulls", dict(nulls(size)), flush=True)
    print("nulls, slopes differ by 15 %", dict(nulls(size, slope=0.15)), flush=True)
    print("steps of .10, n = 300", steps(size // 2), flush=True)
    for stray in (0.0, 0.02, 0.05):
        for shape in ("linear", "saturating", "step"):
            print("capability", stray, shape, dict(capability(shape, stray, size // 3)), flush=True)
