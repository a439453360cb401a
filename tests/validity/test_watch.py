"""Simulated training runs, looked at after each checkpoint: how often a jump is announced where there is
none in the whole run, and how many checkpoints after its onset a real one is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from saltus.emergence import build_series
from saltus.emergence.analysis import Grids, Options, analyse
from saltus.monitor.watch.events import WatchEvent
from saltus.monitor.watch.look import Manner, look
from saltus.monitor.watch.online import spent
from saltus.stats import clopper_pearson

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


def null_runs(count: int, seed: int) -> dict[str, int]:
    """Runs of each kind in which a jump was ever announced."""
    rng = np.random.default_rng(seed)
    grids = Grids()
    told = dict.fromkeys(("flat", "linear", "saturating"), 0)
    for i in range(count):
        kind = ("flat", "linear", "saturating")[i % 3]
        n, tau = int(rng.choice([256, 1000, 5000])), float(rng.choice([0.0, 0.01]))
        rows = run_of(null(kind, rng), DESIGNS[i // 3 % 3], n, tau, rng)
        told[kind] += bool(watched(rows, grids, seed=i))
    return told


def delays(rise: float, n: int, count: int, seed: int) -> list[int | None]:
    """Checkpoints from the first one after a jump to the announcement, None where it never came."""
    rng = np.random.default_rng(seed)
    grids = Grids()
    out: list[int | None] = []
    for i in range(count):
        at = rng.uniform(FIRST + 0.9, LAST - 0.6)

        def truth(u: np.ndarray, at: float = at) -> np.ndarray:
            return 0.25 + rise / (1 + np.exp(-(u - at) / 0.02))

        rows = run_of(truth, 40, n, 0.01, rng)
        first = next(k for k, row in enumerate(rows, 1) if np.log10(row["step"]) >= at)
        found = watched(rows, grids, seed=i)
        out.append(found[0][0] - first if found else None)
    return out


@pytest.mark.slow
def test_a_run_without_a_jump_rarely_has_one_announced() -> None:
    told = null_runs(210, seed=11)
    total = sum(told.values())
    low, high = clopper_pearson(total, 210)
    print(f"announced in {total} of 210 null runs ({float(low):.3f} to {float(high):.3f}): {told}")
    assert total / 210 <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("rise", "n"), [(0.3, 256), (0.2, 1000)])
def test_a_real_jump_is_announced_soon_after_it(rise: float, n: int) -> None:
    found = delays(rise, n, count=12, seed=7)
    told = [delay for delay in found if delay is not None]
    print(f"a jump of {rise} at n = {n}: {len(told)} of 12 announced, after {sorted(told)} checkpoints")
    assert len(told) >= 10
    assert min(told) >= -1  # the jump has a width: it may have begun at the checkpoint before its middle
    assert np.median(told) <= 2
