"""Rows on early warnings: false alarms along a whole run without a jump, and how soon a rise is seen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from saltus.stats.warning import Looks, epoch_ratios, flip_ratios, leaves_floor, rate_rises, slowing

from .harness import Bar, Plan, Rate, measures

ALPHA = 0.05
LENGTH, SPACING = 50, 25.0
STEPS = SPACING * np.arange(1, LENGTH + 1)
SAMPLES, EPOCHS = 256, 4
Curve = Callable[[np.random.Generator], np.ndarray]


def correlated(rng: np.random.Generator, by: float) -> np.ndarray:
    """Noise of unit variance, an AR(1)."""
    noise = rng.standard_normal(LENGTH)
    for i in range(1, LENGTH):
        noise[i] = by * noise[i - 1] + np.sqrt(1 - by**2) * noise[i]
    return noise


NULLS: dict[str, Curve] = {
    "flat": lambda rng: rng.standard_normal(LENGTH),
    "steady": lambda rng: rng.uniform(0, 0.3) * np.arange(LENGTH) + rng.standard_normal(LENGTH),
    "correlated .3": lambda rng: correlated(rng, 0.3),
    "relaxing": lambda rng: 30 * (1 - np.exp(-STEPS / rng.uniform(100, 1000))) + rng.standard_normal(LENGTH),
    "power law": lambda rng: -40 * (STEPS / SPACING) ** -rng.uniform(0.1, 1) + correlated(rng, 0.3),
}
HARD: dict[str, Curve] = {
    "correlated .6": lambda rng: correlated(rng, 0.6),
    "heavy tails": lambda rng: rng.standard_t(3, LENGTH),
    "random walk": lambda rng: np.cumsum(rng.standard_normal(LENGTH)),
}


def false_alarm(looks: Looks) -> bool:
    """Whether a run without a jump raised anything."""
    return bool((looks.corrected <= ALPHA).any())


def _any(
    nulls: dict[str, Curve], look: Callable[[np.ndarray], Looks], rng: np.random.Generator, i: int
) -> bool:
    return false_alarm(look(nulls[list(nulls)[i % len(nulls)]](rng)))


def _rate(found: list[bool]) -> Rate:
    return Rate.of(sum(found), len(found))


@measures(
    Bar("rises", "early warning, a run of 50 checkpoints whose rate never rises: false alarm", most=ALPHA),
    Bar("floor", "the same, leaving a floor: false alarm", most=ALPHA),
    Bar("correlated .6", "noise correlated .6 between checkpoints: false alarm"),
    Bar("heavy tails", "noise of Student's t with 3 degrees of freedom: false alarm"),
    Bar("random walk", "a random walk: false alarm"),
    seed=401,
)
def rates(plan: Plan) -> dict[str, Rate]:
    """The continuous metric and scalars."""
    rises, floor = partial(rate_rises, STEPS), partial(leaves_floor, STEPS)
    out = {
        "rises": _rate(plan.map(partial(_any, NULLS, rises), 2000)),
        "floor": _rate(plan.map(partial(_any, NULLS, floor), 2000)),
    }
    for name, curve in HARD.items():
        out[name] = _rate(plan.map(partial(_any, {name: curve}, rises), 500))
    return out


def _marks(rng: np.random.Generator, i: int) -> np.ndarray:
    """Marks of a run: guesses, samples that stay as they are for a while, or samples learned one by one."""
    p = rng.uniform(0.1, 0.6)
    fresh = rng.random((LENGTH, SAMPLES)) < p
    match i % 3:
        case 0:
            return fresh.astype(float)
        case 1:  # each sample is drawn anew with a chance that stays, or falls as the learning rate does
            renewed = (
                rng.random((LENGTH, SAMPLES)) < np.linspace(1, rng.uniform(0.2, 1), LENGTH)[:, None] * 0.6
            )
            marks = fresh.astype(float)
            for t in range(1, LENGTH):
                marks[t] = np.where(renewed[t], marks[t], marks[t - 1])
            return marks
        case _:
            learned = STEPS[:, None] > rng.exponential(1500, SAMPLES)
            return np.where(learned, 1.0, fresh)


def _flips(rng: np.random.Generator, i: int) -> bool:
    return false_alarm(rate_rises(STEPS, flip_ratios(_marks(rng, i))))


def _epochs(rng: np.random.Generator, i: int) -> bool:
    chances = rng.beta(2, 5, SAMPLES) if i % 2 else np.full(SAMPLES, 0.3)
    gain = np.linspace(0, 0.3, LENGTH)[:, None] if i % 4 > 1 else 0.0
    right = rng.binomial(EPOCHS, np.clip(chances + gain, 0, 1), (LENGTH, SAMPLES))
    return false_alarm(rate_rises(STEPS, epoch_ratios(right, np.full(right.shape, EPOCHS))))


@measures(
    Bar("flips", "flips of 256 samples, 50 checkpoints (guesses, sticky, learned one by one)", most=ALPHA),
    Bar("epochs", "disagreement of 4 epochs of 256 samples, 50 checkpoints", most=ALPHA),
    seed=402,
)
def flicker(plan: Plan) -> dict[str, Rate]:
    """Marks of samples."""
    return {"flips": _rate(plan.map(_flips, 900)), "epochs": _rate(plan.map(_epochs, 900))}


def _slow(kind: str, rng: np.random.Generator, i: int) -> bool:
    noise = correlated(rng, 0.3 if i % 2 else 0.0)
    p = 0.3 + (0.5 * (1 - np.exp(-STEPS / 600)) if i % 3 == 0 else 0.0)
    error = np.sqrt(p * (1 - p) / SAMPLES) * np.ones(LENGTH)
    return false_alarm(slowing(p + error * noise, error, kind, rng, draws=200))


@measures(
    Bar("variance", "rising variance of a score, 50 checkpoints (flat, learning, correlated .3)", most=ALPHA),
    Bar("autocorrelation", "rising autocorrelation of the same", most=ALPHA),
    seed=403,
    quick=0.2,
)
def slowing_down(plan: Plan) -> dict[str, Rate]:
    """Critical slowing down."""
    return {kind: _rate(plan.map(partial(_slow, kind), 300)) for kind in ("variance", "autocorrelation")}


def _soon(rate: float, rng: np.random.Generator, i: int) -> bool:
    """Whether a rise after 24 flat checkpoints is seen within six, and not before it begins."""
    y = correlated(rng, 0.3) + rate * np.maximum(np.arange(LENGTH) - 24, 0)
    crossed = np.flatnonzero(rate_rises(STEPS, y).corrected <= ALPHA)
    return bool(len(crossed)) and 24 < crossed[0] <= 24 + 6


@measures(
    Bar("4", "a rise of 4 standard deviations a checkpoint is seen within 6 checkpoints", least=0.9),
    Bar("2", "a rise of 2 standard deviations a checkpoint is seen within 6 checkpoints"),
    seed=404,
)
def power(plan: Plan) -> dict[str, Rate]:
    """How soon a rise is seen."""
    return {str(rate): _rate(plan.map(partial(_soon, rate), 500)) for rate in (2, 4)}
