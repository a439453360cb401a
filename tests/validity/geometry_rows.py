"""Features with nothing in them: how often probes, similarities and separations find something."""

from __future__ import annotations

import numpy as np

from saltus.stats.dimension import cluster_separation
from saltus.stats.probe import probe
from saltus.stats.similarity import cka, procrustes

from .harness import Bar, Plan, Rate, measures


def _probed(rng: np.random.Generator, i: int) -> tuple[bool, bool, bool]:
    """Random features: accuracy above chance, chance outside the interval, selectivity above 0."""
    n, width, classes = int(rng.choice([80, 200])), int(rng.choice([16, 64])), int(rng.choice([2, 5]))
    groups = None
    x, labels = rng.normal(size=(n, width)), rng.integers(0, classes, n)
    if i % 2:  # tokens of prompts, much alike within each
        groups = np.repeat(np.arange(n // 4), 4)
        x = rng.normal(size=(n // 4, width))[groups] + 0.3 * x
        labels = rng.integers(0, classes, n // 4)[groups]
    found = probe(x, labels, types=rng.integers(0, n // 4, n), groups=groups, seed=i)
    chance = 1 / classes
    above = found.low > max(chance, found.majority)
    return above, not found.low <= chance <= found.high, (found.selectivity_low or 0) > 0


@measures(
    Bar("above", "probe: random features, accuracy above chance (one-sided)", most=0.05),
    Bar("outside", "probe: random features, chance outside the 90 % interval", most=0.1),
    Bar("selective", "probe: random features, selectivity above 0 (one-sided)", most=0.05),
    seed=701,
    quick=0.2,
)
def probe_null(plan: Plan) -> dict[str, Rate]:
    """80 or 200 samples of 16 or 64 features, 2 or 5 labels; every other run in groups of four."""
    told = np.array(plan.map(_probed, 400))
    return {
        key: Rate.of(int(told[:, j].sum()), len(told))
        for j, key in enumerate(("above", "outside", "selective"))
    }


def _compared(rng: np.random.Generator, i: int) -> tuple[bool, bool, bool, float, float]:
    n, width = int(rng.choice([30, 100])), int(rng.choice([16, 64]))
    groups = np.repeat(np.arange(n), 3) if i % 2 else None
    x, y = rng.normal(size=(2, n, width))
    if groups is not None:
        x, y = x[groups] + 0.3 * rng.normal(size=(3 * n, width)), y[groups]
    one = cka(x, y, groups=groups, permutations=99, seed=i)
    two = procrustes(x, y, groups=groups, permutations=39, seed=i)
    three = cluster_separation(x, np.arange(len(x)) // 3 % 4, groups=groups, permutations=99, seed=i)
    return (one.p or 1) <= 0.05, (two.p or 1) <= 0.05, (three.p or 1) <= 0.05, one.value, one.chance or 0.0


@measures(
    Bar("cka", "CKA: unrelated features, p at most .05", most=0.07),
    Bar("procrustes", "Procrustes: unrelated features, p at most .05", most=0.07),
    Bar("separation", "class separation: labels of no meaning, p at most .05", most=0.07),
    Bar("bias", "debiased CKA of unrelated features, independent samples, mean", least=-0.02, most=0.02),
    Bar(
        "beyond",
        "debiased CKA of unrelated features in groups, less its chance, mean",
        least=-0.02,
        most=0.02,
    ),
    Bar("grouped", "debiased CKA of unrelated features in groups, mean (why chance is to be looked at)"),
    seed=702,
    quick=0.2,
)
def similarity_null(plan: Plan) -> dict[str, Rate]:
    """30 or 100 samples of 16 or 64 features, fewer samples than features among them; half in groups."""
    told = np.array(plan.map(_compared, 400), float)
    rates = {
        key: Rate.of(int(told[:, j].sum()), len(told))
        for j, key in enumerate(("cka", "procrustes", "separation"))
    }
    alone, grouped = told[::2], told[1::2]
    figures = {"bias": alone[:, 3], "beyond": grouped[:, 3] - grouped[:, 4], "grouped": grouped[:, 3]}
    return rates | {
        key: Rate(float(value.mean()), float(value.std() / np.sqrt(len(value))), len(value))
        for key, value in figures.items()
    }


def _covered(rng: np.random.Generator, i: int) -> bool:
    """Whether the interval of CKA holds the value of the whole population, which is known in closed form."""
    n, noise = int(rng.choice([60, 200])), 1.5
    maps = rng.normal(size=(2, 4, 24))
    shared = rng.normal(size=(n, 4))
    x, y = (shared @ one + noise * rng.normal(size=(n, 24)) for one in maps)
    a, b = (one.T @ one + noise**2 * np.eye(24) for one in maps)
    truth = ((maps[0].T @ maps[1]) ** 2).sum() / np.sqrt((a**2).sum() * (b**2).sum())
    found = cka(x, y, permutations=0, seed=i)
    return bool((found.low or -1) <= truth <= (found.high or 1))


@measures(
    Bar("covered", "CKA: the 90 % interval holds the truth", least=0.85, most=0.95),
    seed=703,
    quick=0.2,
)
def similarity_interval(plan: Plan) -> dict[str, Rate]:
    """Four shared directions of 24, 60 or 200 samples."""
    held = plan.map(_covered, 400)
    return {"covered": Rate.of(sum(held), len(held))}
