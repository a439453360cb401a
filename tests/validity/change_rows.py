"""Rows on change points along training: false changes, how often changes are found, and interval coverage."""

from __future__ import annotations

from functools import partial

import numpy as np

from saltus.stats.changepoints import change_points

from .change_truths import NULLS, Curve, changed_curve, null_curve
from .harness import Bar, Plan, Rate, measures

SIZES = (20, 40)


def _false(rng: np.random.Generator, i: int) -> bool:
    """Whether a curve that never changes shows a change; kinds and lengths in turn."""
    curve = null_curve(NULLS[i % len(NULLS)], SIZES[i // len(NULLS) % 2], rng)
    return bool(_found(curve))


def _one(kind: str, size: int, sigmas: int, rng: np.random.Generator, i: int) -> tuple[bool, bool | None]:
    """Whether the number of changes is right, and where it is, whether every interval holds its place."""
    curve = changed_curve(kind, size, sigmas, rng)
    found = _found(curve)
    if len(found) != len(curve.changes):
        return False, None
    pairs = zip(found, curve.changes, strict=True)
    return True, all(c.low * 0.9999 <= t <= c.high * 1.0001 for c, t in pairs)


def _found(curve: Curve) -> tuple:
    return change_points(curve.x, curve.y, variance=curve.variance).changes


@measures(Bar("false", "change points: a curve that never changes shows one", most=0.05), seed=501, quick=0.1)
def false_changes(plan: Plan) -> dict[str, Rate]:
    """Flat, linear, saturating, power laws, relaxation, noise correlated .3; 20 and 40 checkpoints."""
    found = plan.map(_false, 700)
    return {"false": Rate.of(sum(found), len(found))}


@measures(
    Bar("step5", "one step of 5 standard deviations, 40 checkpoints: exactly one change", least=0.8),
    Bar("step3", "of 3: exactly one", least=0.55),
    Bar("two10", "two steps of 10, 40 checkpoints: exactly two", least=0.9),
    Bar("onset20", "leaving a floor, 20 standard deviations: exactly one", least=0.85),
    Bar("covers", "90 % intervals of their places, right numbers: cover", least=0.85),
    seed=502,
    quick=0.15,
)
def found_changes(plan: Plan) -> dict[str, Rate]:
    """Binomial and Gaussian noise, log, even and mixed checkpoints."""
    cells = {
        "step5": ("one step", 40, 5),
        "step3": ("one step", 40, 3),
        "two10": ("two steps", 40, 10),
        "onset20": ("onset", 40, 20),
    }
    out, held = {}, []
    for name, cell in cells.items():
        results = plan.map(partial(_one, *cell), 150)
        out[name] = Rate.of(sum(right for right, _ in results), len(results))
        held += [inside for _, inside in results if inside is not None]
    out["covers"] = Rate.of(sum(held), len(held))
    return out
