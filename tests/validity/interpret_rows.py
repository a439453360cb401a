"""Rows on the intervals of interventions: changes by an ablation, and shares of a logit difference."""

from __future__ import annotations

import numpy as np

from saltus.stats.intervals import paired_share_difference
from saltus.stats.ratio import ratios_of_means

from .harness import Bar, Plan, Rate, measures

LEVEL = 0.9


def _pair(rng: np.random.Generator, i: int) -> bool:
    """One ablation: some samples lost, few won; whether the true change is in the interval."""
    n = int(rng.choice([64, 128, 256]))
    lost, won = rng.choice([0.0, 0.01, 0.05, 0.2, 0.8]), rng.choice([0.0, 0.01, 0.05])
    counts = rng.multinomial(n, [won, lost, 1 - won - lost])
    low, high = paired_share_difference(int(counts[0]), int(counts[1]), n, LEVEL)
    return bool(low <= won - lost <= high)


@measures(
    Bar("covers", "change of a score by an ablation, 64 to 256 samples: 90 % interval", 0.88, 0.98),
    seed=501,
)
def share_changes(plan: Plan) -> dict[str, Rate]:
    found = plan.map(_pair, 20_000)
    return {"covers": Rate.of(sum(found), len(found))}


def _ratio(rng: np.random.Generator, i: int) -> tuple[bool, bool]:
    """Margins of 64 samples, alone or in clusters: whether a share is given, and whether it is right."""
    clusters = 16 if i % 2 else 64
    label = np.repeat(np.arange(clusters), 64 // clusters)
    shared = rng.standard_normal((clusters, 2))[label] if i % 2 else np.zeros((64, 2))
    noise = shared + rng.standard_normal((64, 2))
    truth, spread = rng.uniform(-0.2, 1.1), rng.choice([0.3, 1.0])
    gap = 1 + spread * noise[:, 0]
    moved = truth * gap + spread * 0.5 * noise[:, 1]
    found = ratios_of_means(moved, gap, label if i % 2 else None, level=LEVEL)
    return found.bounded, bool(found.low[0] <= truth <= found.high[0])


def _nothing(rng: np.random.Generator, i: int) -> tuple[bool, bool]:
    """Prompts and twins that a model does not tell apart."""
    found = ratios_of_means(rng.standard_normal(64), rng.standard_normal(64), level=LEVEL)
    return found.bounded, False


@measures(
    Bar("covers", "share of a logit difference, 64 samples, half in 16 clusters: 90 % interval", 0.88, 0.92),
    Bar("wild", "no logit difference: a share is given all the same", most=0.002),
    seed=502,
    quick=0.2,
)
def recovered_shares(plan: Plan) -> dict[str, Rate]:
    given = [holds for bounded, holds in plan.map(_ratio, 10_000) if bounded]
    wild = [bounded for bounded, _ in plan.map(_nothing, 10_000)]
    return {"covers": Rate.of(sum(given), len(given)), "wild": Rate.of(sum(wild), len(wild))}
