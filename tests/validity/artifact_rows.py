"""Rows on the artifact check: smooth and broken progress through p^L, and what the check says of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from saltus.emergence import detect

from .harness import Bar, Plan, Rate, measures
from .truths import HIGH, LOW, rows_of

Floats = NDArray[np.float64]
JUMPS = ("emergent", "accelerating")


@dataclass(frozen=True)
class Pair:
    """One ability under two metrics: the loss a token, and the share of answers of `tokens` tokens.

    Attributes:
        loss: Nats a token at each scale, shape (m,).
        tokens: Of an answer; mean token losses of items differ by a factor of e^spread.
        chance: Score of guessing.
        ceiling: Score where the loss is 0.
    """

    u: Floats
    loss: Floats
    tokens: int
    chance: float
    ceiling: float
    spread: float

    def score(self) -> Floats:
        """Expected share of right answers."""
        hard = np.exp(self.spread * np.linspace(-1.96, 1.96, 41))
        weight = np.exp(-(np.linspace(-1.96, 1.96, 41) ** 2) / 2)
        share = np.exp(-self.tokens * self.loss[:, None] * hard) @ (weight / weight.sum())
        return np.asarray(self.chance + (self.ceiling - self.chance) * share)


def smooth_loss(u: Floats, rng: np.random.Generator) -> Floats:
    """A power law of the size over a floor."""
    return np.asarray(
        rng.uniform(0.0, 0.05) + rng.uniform(0.8, 2.5) * 10 ** (-rng.uniform(0.5, 1.1) * (u - LOW))
    )


def broken_loss(u: Floats, rng: np.random.Generator) -> Floats:
    """A slow power law that drops between two scales, or within a third of a decade."""
    at = rng.uniform(LOW + 0.3 * (HIGH - LOW), LOW + 0.8 * (HIGH - LOW))
    width = rng.choice([0.02, 0.15, 0.3])
    there = 1 / (1 + np.exp(-(u - at) * np.log(81) / width))
    slow = rng.uniform(1.0, 2.5) * 10 ** (-rng.uniform(0.02, 0.2) * (u - LOW))
    return np.asarray(slow * (1 - there) + rng.uniform(0.01, 0.08) * there)


def measured(truth: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    """One measurement of both metrics: 6 to 12 scales, 100 to 5,000 samples, models that differ by a point.

    "unlinked" is a smooth loss beside a score that jumps whatever the loss.
    """
    u = np.linspace(LOW, HIGH, int(rng.choice([6, 8, 12])))
    pair = Pair(
        u,
        broken_loss(u, rng) if truth == "broken" else smooth_loss(u, rng),
        int(rng.choice([2, 3, 5, 10, 20])),
        float(rng.choice([0.0, 0.0, 0.1, 0.25])),
        float(rng.choice([1.0, 1.0, 0.93])),
        float(rng.choice([0.0, 0.0, 0.5])),
    )
    n, error = int(rng.choice([100, 300, 1000, 5000])), float(rng.choice([0.005, 0.02]))
    share = pair.score()
    if truth == "unlinked":
        at = rng.uniform(LOW + 0.3 * (HIGH - LOW), LOW + 0.8 * (HIGH - LOW))
        share = pair.chance + rng.uniform(0.3, 0.7) * (u >= at)
    share = np.clip(share + 0.02 * rng.standard_normal(len(u)) * np.sqrt(share * (1 - share)), 0, 1)
    loss = np.maximum(pair.loss * (1 + error * rng.standard_normal(len(u))), 1e-4)
    return [
        *rows_of(u, rng.binomial(n, share) / n, n=n, chance=pair.chance, metric="exact_match"),
        *rows_of(u, -loss, n=n, chance=None, metric="target_logprob", stderr=error * pair.loss),
    ]


class Said(NamedTuple):
    """What was found of one pair."""

    truth: str
    jump: bool
    artifact: str
    chance: float
    n: int


def one_pair(truth: str, rng: np.random.Generator) -> Said:
    """Measure a pair once and judge it."""
    rows = measured(truth, rng)
    finding = detect(rows, axis="params", bootstraps=400, seed=int(rng.integers(2**31)))
    return Said(truth, finding.verdict in JUMPS, finding.artifact or "none", rows[0]["chance"], rows[0]["n"])


def _pair(truth: str, rng: np.random.Generator, _: int) -> Said:
    return one_pair(truth, rng)


def confusion(said: list[Said]) -> dict[str, Rate]:
    """Shares of the outcomes among what was called a jump, with those by kind of chance."""
    jumps = [one for one in said if one.jump]
    count = Counter(one.artifact for one in jumps)
    note = f"{len(jumps)} jumps of {len(said)}: " + ", ".join(f"{k} {v}" for k, v in count.most_common())
    due = count["metric_artifact"] + count["metric_explained"]
    return {
        "due": Rate.of(due, len(jumps), note),
        "artifact": Rate.of(count["metric_artifact"], len(jumps)),
        "persists": Rate.of(count["jump_persists"], len(jumps), note),
        "unresolved": Rate.of(count["unresolved"], len(jumps)),
    }


@measures(
    Bar("due", "smooth loss through p^L that jumps: due to the metric", least=0.8),
    Bar("persists", "the same: jump persists", most=0.02),
    seed=401,
    quick=0.15,
)
def smooth_pairs(plan: Plan) -> dict[str, Rate]:
    return confusion(plan.map(partial(_pair, "smooth"), 600))


@measures(
    Bar("persists", "a loss that breaks, through p^L: jump persists", least=0.9),
    Bar("artifact", "the same: metric artifact", most=0.02),
    seed=402,
    quick=0.15,
)
def broken_pairs(plan: Plan) -> dict[str, Rate]:
    return confusion(plan.map(partial(_pair, "broken"), 600))


@measures(
    Bar("due", "a score that jumps beside a smooth loss, whatever the loss: due to the metric", most=0.1),
    Bar("unresolved", "the same: unresolved", least=0.8),
    seed=403,
    quick=0.15,
)
def unlinked_pairs(plan: Plan) -> dict[str, Rate]:
    return confusion(plan.map(partial(_pair, "unlinked"), 600))
