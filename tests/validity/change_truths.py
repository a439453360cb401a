"""Curves along training whose changes are known, measured with binomial, Gaussian or autocorrelated noise."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NULLS = ("flat", "linear", "log-linear", "saturating", "power law", "relaxation", "correlated")
JUMPS = ("one step", "two steps", "three steps", "onset", "kink", "sigmoid", "two rises")


@dataclass(frozen=True)
class Curve:
    """A measured curve.

    Attributes:
        x: Checkpoints.
        y: Measured values.
        variance: Known sampling variance at each point, None where it is to be estimated.
        changes: True places of all changes, plain units.
        sigma: Noise of a point where the truth is half of its range.
    """

    kind: str
    x: Floats
    y: Floats
    variance: Floats | None
    changes: tuple[float, ...]
    sigma: float


def grid(rng: np.random.Generator, size: int, kind: str = "") -> Floats:
    """Checkpoints: log-spaced, even, or doubling first and even afterwards, as published runs have them."""
    kind = kind or str(rng.choice(["log", "even", "mixed"]))
    last = float(rng.choice([1e4, 143000.0]))
    if kind == "log":
        x = np.geomspace(last / 10 ** float(rng.choice([2, 3])), last, size)
    elif kind == "even":
        x = np.linspace(last / size, last, size)
    else:
        early = min(size // 3, 9)
        x = np.concatenate(
            [last / size * 2.0 ** -np.arange(early, 0, -1), last / size * np.arange(1, size - early + 1)]
        )
    return np.asarray(x)


def null_shape(kind: str, u: Floats, rng: np.random.Generator) -> Floats:
    """A curve from 0 to 1 that never changes, at coordinates u = log10 of the step."""
    plain = 10 ** (u - u[-1])
    match kind:
        case "flat" | "correlated":
            return np.zeros_like(u)
        case "linear":
            return plain
        case "log-linear":
            return (u - u[0]) / np.ptp(u)
        case "saturating":
            power = 10 ** rng.uniform(-0.5, 0.4)
            h = 1 - 10 ** (-power * (u - u[0]))
        case "power law":
            power = rng.uniform(0.1, 0.6)
            h = -(10 ** (-power * u))
        case _:
            h = -np.exp(-plain / 10 ** rng.uniform(-2, 0.3))
    return np.asarray((h - h.min()) / np.ptp(h))


def _measured(
    kind: str,
    x: Floats,
    mean: Floats,
    rng: np.random.Generator,
    noise: str,
    changes: tuple[float, ...],
    sigma: float,
) -> Curve:
    """A mean between 0 and 1 with noise: binomial of known n, or Gaussian of unknown size."""
    if noise == "binomial":
        n = max(round(0.25 / sigma**2), 20)
        y = rng.binomial(n, np.clip(mean, 0, 1)) / n
        smooth = np.convolve(np.pad(y, 1, mode="edge"), (0.25, 0.5, 0.25), "valid")
        variance = np.maximum(smooth * (1 - smooth), 1 / (n + 2)) / n
        return Curve(kind, x, y, variance, changes, sigma)
    e = rng.standard_normal(len(x))
    if noise == "correlated":
        for i in range(1, len(x)):
            e[i] = 0.3 * e[i - 1] + np.sqrt(1 - 0.09) * e[i]
    return Curve(kind, x, mean + sigma * e, None, changes, sigma)


def null_curve(kind: str, size: int, rng: np.random.Generator, noise: str = "") -> Curve:
    """A curve without a change: rises of 2 to 40 times its noise."""
    noise = noise or str(rng.choice(["binomial", "normal"]))
    noise = "correlated" if kind == "correlated" else noise
    x = grid(rng, size)
    sigma = 10 ** rng.uniform(-2.2, -1.2)
    rise = min(sigma * 10 ** rng.uniform(0.3, 1.6), 0.8)
    mean = rng.uniform(0.05, 0.95 - rise) + rise * null_shape(kind, np.log10(x), rng)
    if rng.random() < 0.3:
        mean = 1 - mean
    return _measured(kind, x, mean, rng, noise, (), sigma)


def changed_curve(
    kind: str, size: int, sigmas: float, rng: np.random.Generator, noise: str = "", grid_kind: str = ""
) -> Curve:
    """A curve with changes of `sigmas` times its noise (a rise or kink gains that much by its end)."""
    noise = noise or str(rng.choice(["binomial", "normal"]))
    x = grid(rng, size, grid_kind)
    u, index = np.log10(x), np.arange(size)
    sigma = min(0.04, 0.75 / sigmas / (3 if "three" in kind else 2 if "two" in kind else 1))
    rise = sigmas * sigma
    count = {"two steps": 2, "three steps": 3, "two rises": 2}.get(kind, 1)
    edges = np.linspace(0.1, 0.9, count + 1) * (size - 1)
    margin = 0.3 if kind in ("onset", "kink") else 0.12
    places = [rng.uniform(a + margin * (b - a), b - margin * (b - a)) for a, b in pairwise(edges)]
    at = np.interp(places, index, u)
    mean = np.full(size, 0.1)
    sign = 1.0
    for place, t in zip(places, at, strict=True):
        if "step" in kind:
            mean = mean + sign * rise * (u > t)
            sign = -sign if kind == "three steps" and rng.random() < 0.5 else sign
            sign = 1.0 if mean[-1] < 0.2 else sign
        elif kind == "onset":
            mean = mean + rise * np.maximum(u - t, 0) / (u[-1] - t)
        elif kind == "kink":
            mean = mean + 0.3 * (u - u[0]) / np.ptp(u) + (rise * np.maximum(u - t, 0) / (u[-1] - t)) * 0.6
        elif kind == "sigmoid":  # `place` is where it has done 10 % of its rise
            mean = mean + rise / (1 + np.exp(-(index - place) * 2 + np.log(9)))
        else:
            width = size / 10
            mean = mean + rise * -np.expm1(-np.maximum(index - place, 0) / width)
    return _measured(kind, x, mean, rng, noise, tuple(float(10**t) for t in at), sigma)
