"""Simulated training runs, looked at after each checkpoint: how often a jump is announced where there is
none in the whole run, and how many checkpoints after its onset a real one is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from saltus.emergence import build_series
from saltus.emergence.analysis import Grids, Options, analyse
from saltus.monitor.watch.events import WatchEvent
from saltus.monitor.watch.look import Manner, look
from saltus.monitor.watch.online import spent

from .harness import Bar, Plan, Rate, measures

Truth = Callable[[np.ndarray], np.ndarray]
Rows = list[dict[str, Any]]

FIRST, LAST = 2.0, 5.0  # log10 of the first and last step
BOOTSTRAPS = 249
DESIGNS = (20, 30, 40)  # checkpoints of a run
PLACES = 4  # before which there is no verdict


def run_of(truth: Truth, checkpoints: int, n: int, tau: float, rng: np.random.Generator) -> Rows:
    """The scores of one training run: checkpoints evenly along log steps, or evenly along steps."""
    even = 10 ** np.linspace(FIRST, LAST, checkpoints)
    steps = np.round(even if checkpoints != 30 else np.linspace(10**FIRST, 10 ** (FIRST + 1.5), checkpoints))
    mean = np.clip(truth(np.log10(steps)), 0, 1)
    share = np.clip(mean + rng.normal(size=len(steps)) * tau * 2 * np.sqrt(mean * (1 - mean)), 0, 1)
    score = rng.binomial(n, share) / n
    about = {"name": "m", "task": "t", "metric": "acc", "n": n, "chance": 0.25}
    return [about | {"step": x, "value": y} for x, y in zip(steps.tolist(), score.tolist(), strict=True)]


def watched(rows: Rows, grids: Grids, seed: int) -> list[tuple[int, WatchEvent]]:
    """Everything announced of a run up to its first jump, with the number of checkpoints there were then.

    What cannot be announced (a test above what the look may spend) is not looked at further, which saves
    nine tenths of the time and changes nothing.
    """
    for upto in range(PLACES, len(rows) + 1):
        number = upto - PLACES + 1
        [series] = build_series(rows[:upto], axis="step")
        p = analyse(series, Options(bootstraps=BOOTSTRAPS, seed=seed), grids).p
        if max(p["trend"], p["acceleration"]) <= spent(number):
            manner = Manner(bootstraps=BOOTSTRAPS, seed=seed)
            found = look(rows[:upto], [], number=number, manner=manner)
            jumps = [event for event in found if event.kind == "finding"]
            if jumps:
                return [(upto, jumps[0])]
    return []


def null(kind: str, rng: np.random.Generator) -> Truth:
    floor, rise, power = rng.uniform(0.2, 0.3), rng.uniform(0.1, 0.6), rng.uniform(0.3, 1.5)
    match kind:
        case "flat":
            return lambda u: np.full_like(u, floor + rise / 2)
        case "linear":
            return lambda u: floor + rise * (u - FIRST) / (LAST - FIRST)
        case _:
            return lambda u: floor + rise * (1 - 10 ** (-power * (u - FIRST)))


def _announced(rng: np.random.Generator, i: int) -> bool:
    """Whether a run without a jump ever has one announced; kinds and lengths in turn."""
    kind = ("flat", "linear", "saturating")[i % 3]
    n, tau = int(rng.choice([256, 1000, 5000])), float(rng.choice([0.0, 0.01]))
    rows = run_of(null(kind, rng), DESIGNS[i // 3 % 3], n, tau, rng)
    return bool(watched(rows, Grids(), seed=i))


def _delay(rise: float, n: int, rng: np.random.Generator, i: int) -> int | None:
    """Checkpoints from the first one after a jump to the announcement, None where it never came."""
    at = rng.uniform(FIRST + 0.9, LAST - 0.6)
    rows = run_of(lambda u: 0.25 + rise / (1 + np.exp(-(u - at) / 0.02)), 40, n, 0.01, rng)
    first = next(k for k, row in enumerate(rows, 1) if np.log10(row["step"]) >= at)
    found = watched(rows, Grids(), seed=i)
    return found[0][0] - first if found else None


@measures(
    Bar("told", "watch: a whole run of 20 to 40 checkpoints without a jump has one announced", most=0.05),
    seed=601,
    quick=0.15,
)
def null_runs(plan: Plan) -> dict[str, Rate]:
    """Flat, linear and saturating runs, looked at after each checkpoint."""
    told = plan.map(_announced, 210)
    return {"told": Rate.of(sum(told), len(told))}


@measures(
    Bar("large", "watch: a jump of .3, n = 256, is announced within two checkpoints", least=0.7),
    Bar("small", "watch: a jump of .2, n = 1,000, is announced within two checkpoints", least=0.8),
    seed=602,
    quick=0.2,
)
def real_jumps(plan: Plan) -> dict[str, Rate]:
    """40 checkpoints over three decades, a point of noise between them."""
    out = {}
    for key, rise, n in (("large", 0.3, 256), ("small", 0.2, 1000)):
        late = plan.map(partial(_delay, rise, n), 40)
        soon = sum(delay is not None and delay <= 2 for delay in late)
        out[key] = Rate.of(soon, len(late))
    return out
