"""Curves whose truth is known, and measurements of them as rows of points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saltus.emergence import detect
from saltus.records import Finding

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]

LOW, HIGH = 8.0, 8.0 + np.log10(120)  # 100M to 12B parameters, the span of several published families
SIZES = (100, 300, 1000, 3000, 10_000)
SCALES = (5, 8, 12)


@dataclass(frozen=True)
class Truth:
    """A curve over log10 parameters between two scales, and the score of guessing."""

    kind: str
    curve: Curve
    chance: float = 0.25
    low: float = LOW
    high: float = HIGH

    def onset(self, rise: float = 0.05) -> float:
        """First place, in parameters, where the curve is `rise` above its beginning; inf when none is."""
        fine = np.linspace(self.low, self.high, 8001)
        above = self.curve(fine) >= self.curve(fine[:1]) + rise
        return float(10 ** fine[np.argmax(above)]) if above.any() else np.inf


@dataclass(frozen=True)
class Design:
    """How a truth is measured: scales, samples a scale, noise between models, and how the scales lie."""

    scales: int = 8
    n: int = 1000
    tau: float = 0.01
    even: bool = True

    def places(self, truth: Truth, rng: np.random.Generator) -> Floats:
        """Scales as log10 parameters: evenly spaced, or shifted by up to a third of a gap."""
        u = np.linspace(truth.low, truth.high, self.scales)
        if not self.even:
            u[1:-1] += rng.uniform(-1, 1, self.scales - 2) * (u[1] - u[0]) / 3
        return u


def any_design(rng: np.random.Generator) -> Design:
    """A design from those that the table names."""
    return Design(
        int(rng.choice(SCALES)),
        int(rng.choice(SIZES)),
        float(rng.choice([0, 0.01])),
        bool(rng.random() < 0.5),
    )


def measure(truth: Truth, design: Design, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Scales (log10) and scores: models differ by tau at one half, and samples are binomial."""
    u = design.places(truth, rng)
    mean = np.clip(truth.curve(u), 0, 1)
    share = mean + rng.standard_normal(len(u)) * design.tau * 2 * np.sqrt(mean * (1 - mean))
    return u, rng.binomial(design.n, np.clip(share, 0, 1)) / design.n


def rows_of(u: Floats, y: Floats, **more: Any) -> list[dict[str, Any]]:
    """Rows of points, one model a scale; further columns are values for all or one a row."""
    columns = {"n": 1000, "chance": 0.25, **more}
    return [
        {
            "name": f"m{i}",
            "model": f"m{i}",
            "family": "made",
            "run": "r",
            "task": "t",
            "metric": "acc",
            "value": float(b),
            "params": float(10**a),
            **{
                name: v[i] if isinstance(v, (Sequence, np.ndarray)) and not isinstance(v, str) else v
                for name, v in columns.items()
            },
        }
        for i, (a, b) in enumerate(zip(u, y, strict=True))
    ]


def judge(truth: Truth, design: Design, rng: np.random.Generator, bootstraps: int = 1000) -> Finding:
    """The finding on one new measurement of a truth, judged alone."""
    u, y = measure(truth, design, rng)
    rows = rows_of(u, y, n=design.n, chance=truth.chance)
    return detect(rows, axis="params", bootstraps=bootstraps, seed=int(rng.integers(2**31)))


def any_null(kind: str, rng: np.random.Generator) -> Truth:
    """A flat, linear or saturating truth that starts near chance, where emergence can be called."""
    chance = float(rng.choice([0.0, 0.1, 0.25, 0.5]))
    floor = chance + rng.uniform(0, 0.05)
    rise = rng.uniform(0.05, min(0.6, 0.97 - floor))
    span = float(rng.choice([HIGH - LOW, rng.uniform(1.2, 3.0)]))
    power = 10 ** rng.uniform(np.log10(0.3), np.log10(3))
    high = LOW + span
    curves: dict[str, Curve] = {
        "flat": lambda u: np.full_like(u, floor + rise * (power > 1)),
        "linear": lambda u: floor + rise * (u - LOW) / span,
        "saturating": lambda u: floor + rise * (1 - 10 ** (-power * (u - LOW))),
    }
    return Truth(kind, curves[kind], chance, LOW, high)


def step(middle: float, rise: float, chance: float = 0.25) -> Truth:
    """A step from chance."""
    return Truth("step", lambda u: chance + rise * (u >= middle), chance)


def sigmoid(kind: str, middle: float, width: float, rise: float, chance: float = 0.25) -> Truth:
    """A logistic, or the Gompertz curve that p^L follows, that takes `width` decades from 10 to 90 %."""
    if kind == "logistic":
        return Truth(kind, lambda u: chance + rise / (1 + np.exp(-(u - middle) * np.log(81) / width)), chance)
    rate = np.log10(np.log(0.1) / np.log(0.9)) / width
    return Truth(kind, lambda u: chance + rise * np.exp(-np.log(2) * 10 ** (-rate * (u - middle))), chance)


def answers_of_tokens(rng: np.random.Generator) -> Truth:
    """Exact match of an answer of L tokens, p^L, where the loss a token falls as a power law of the size.

    log p = -c 10^(-a (u - LOW)) gives a Gompertz curve that takes 1.34 / a decades from 10 to 90 %.
    """
    width = rng.uniform(1.3, 3.0)
    rate = np.log10(np.log(0.1) / np.log(0.9)) / width
    tokens = int(rng.integers(2, 25))
    middle = LOW + rng.uniform(0.2, 0.9) * (HIGH - LOW)
    loss = np.log(2) / tokens * 10 ** (rate * (middle - LOW))
    return Truth("p^L", lambda u: np.exp(-loss * 10 ** (-rate * (u - LOW))) ** tokens, 0.0)
