"""P-values from simulated statistics that cost no more draws than the answer needs.

Clearly null series stop early (Besag and Clifford 1991); clearly significant ones are read off the fitted
tail of the draws (Knijnenburg et al. 2009), so that a correction over many series is not held up by the
number of draws.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Reading = Literal["counted", "stopped", "tail", "concave"]

_ENOUGH = 50  # exceedances that settle a p-value
_FEW = 10  # exceedances under which a count is coarser than the fitted tail
_LOOK = 250  # draws between two looks
_DEEPEST, _SHALLOWEST, _NARROWER = 0.15, 30, 10  # the tail that is fitted: share, least draws, step
_BEYOND = 1e-3  # how far under one in all draws the tail is believed
_MISFIT = 1.1  # Anderson-Darling statistic of a fitted tail; 95 % of true ones lie under it (simulated)


class MonteCarlo(msgspec.Struct, frozen=True):
    """A simulated p-value.

    Attributes:
        p: The p-value.
        draws: Data sets that were simulated.
        reading: "stopped": after 50 exceedances, p = 50 / draws, which is exact for a test that stops so
            (Besag and Clifford 1991, eq. 2.1). "counted": (1 + exceedances) / (draws + 1) (Davison and
            Hinkley 1997, eq. 4.11). "tail": from a generalised Pareto tail.
    """

    p: float
    draws: int
    reading: Reading


def monte_carlo_p(
    simulate: Callable[[int], Floats], observed: float, *, draws: int = 1000, tolerance: float = 0.0
) -> MonteCarlo:
    """How often a simulated statistic reaches the observed one.

    Args:
        simulate: Gives so many statistics under the null.
        observed: The statistic that was found.
        draws: Most data sets to simulate.
        tolerance: A statistic that is less by no more than this has reached it (rounding).
    """
    parts: list[Floats] = []
    reached = done = 0
    while done < draws:
        size = min(_LOOK, draws - done)
        part = simulate(size)
        hits = np.flatnonzero(part >= observed - tolerance)
        if reached + len(hits) >= _ENOUGH:
            last = done + int(hits[_ENOUGH - reached - 1]) + 1
            if last < draws:
                return MonteCarlo(_ENOUGH / last, last, "stopped")
        reached, done = reached + len(hits), done + size
        parts.append(part)
    counted = (1 + reached) / (draws + 1)
    if reached >= _FEW:
        return MonteCarlo(counted, draws, "counted")
    tail = tail_p(np.concatenate(parts), observed)
    if tail is None:
        return MonteCarlo(counted, draws, "counted")
    return MonteCarlo(max(tail, _BEYOND / (draws + 1)), draws, "tail")


def tail_p(drawn: Floats, observed: float) -> float | None:
    """P-value beyond the draws, from a generalised Pareto fit of their upper tail.

    By probability-weighted moments (Hosking and Wallis 1987), the shape held at 0 or more: a gain in
    chi-square has no upper end, and a bounded fit would give p = 0. The tail begins at 15 % of the draws and
    is narrowed until the fit passes an Anderson-Darling check (after Knijnenburg et al. 2009).

    Args:
        drawn: Simulated statistics, shape (draws,).
        observed: The statistic that was found, within or beyond the largest of them.

    Returns:
        None where no tail of 30 draws or more passes.
    """
    ordered = np.sort(np.asarray(drawn, float))[::-1]
    deepest = int(_DEEPEST * len(ordered))
    for size in range(deepest, _SHALLOWEST - 1, -_NARROWER):
        threshold = (ordered[size - 1] + ordered[size]) / 2
        if observed <= threshold:
            continue
        excess = ordered[:size][::-1] - threshold
        scale, shape = _pareto(excess)
        if scale <= 0 or _anderson_darling(_survival(excess, scale, shape)) > _MISFIT:
            continue
        beyond = float(_survival(np.array([observed - threshold]), scale, shape)[0])
        return size / len(ordered) * beyond
    return None


def _pareto(excess: Floats) -> tuple[float, float]:
    """Scale and shape of a generalised Pareto distribution for excesses in rising order."""
    size = len(excess)
    mean = float(excess.mean())
    above = 1 - (np.arange(1, size + 1) - 0.35) / size
    weighted = float((above * excess).mean())
    if mean <= 2 * weighted:
        return mean, 0.0
    shape = 2 - mean / (mean - 2 * weighted)
    if shape <= 0:
        return mean, 0.0
    return 2 * mean * weighted / (mean - 2 * weighted), shape


def _survival(excess: Floats, scale: float, shape: float) -> Floats:
    if shape == 0:
        return np.exp(-excess / scale)
    return np.asarray((1 + shape * excess / scale) ** (-1 / shape))


def _anderson_darling(survival: Floats) -> float:
    """Distance of probabilities, given for values in rising order, from even ones."""
    size = len(survival)
    s = np.clip(survival, 1e-12, 1 - 1e-12)
    weight = 2 * np.arange(1, size + 1) - 1
    return float(-size - (weight * (np.log1p(-s) + np.log(s[::-1]))).mean())
