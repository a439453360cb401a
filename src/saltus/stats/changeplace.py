"""Where a change lies: the places that the scatter allows, weighed by their likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from saltus.stats.changeatoms import Grid

Floats = NDArray[np.float64]

_FINE = 0.25


def gains(h: Floats, q: Floats, residual: Floats, root: Floats) -> Floats:
    """By how much each atom (M, n) lowers the residual sum of squares of a model with the basis q."""
    weighted = h * root
    shared = weighted @ q
    norm = np.einsum("mn,mn->m", weighted, weighted)
    own = norm - np.einsum("md,md->m", shared, shared)
    return np.asarray(
        (weighted @ residual) ** 2 * np.where(own > 1e-6 * norm, 1 / np.maximum(own, 1e-300), 0)
    )


def place_interval(
    grid: Grid,
    smooth: bool,
    between: tuple[float, float],
    q: Floats,
    residual: Floats,
    root: Floats,
    noise: float,
    level: float,
) -> tuple[float, float, float]:
    """Lower end, median and upper end of a change's place, as coordinates u.

    The likelihood of each place, with the amplitude profiled out, is averaged over the forms that a change of
    this class may take; all places of the axis u between the neighbouring changes are equally likely
    beforehand. The interval of a jump includes the whole gap in which each of its ends falls.

    Args:
        grid: Checkpoints.
        smooth: A change of the rate; else a jump.
        between: Positions of the neighbouring changes, or the ends.
        q: Orthonormal basis of the rest of the model.
        residual: Weighted residual of the rest.
        root: Square roots of the weights.
        noise: Noise variance in units of the weights, with what autocorrelation adds.
        level: Coverage.
    """
    places = np.arange(max(between[0], 0.0), min(between[1], grid.size - 1.0) + 1e-9, _FINE)
    atoms = grid.atoms_at(places, edge=1)
    atoms = atoms.take(atoms.smooth == smooth)
    gain = gains(atoms.h, q, residual, root)
    weight = np.exp((gain - gain.max()) / (2 * noise))
    width = _FINE if smooth else 1.0
    cells = np.rint(atoms.place / width) if smooth else np.floor(atoms.place)
    kept, cell = np.unique(cells, return_inverse=True)
    forms, form = np.unique(atoms.form, return_inverse=True)
    count, mass = np.zeros((len(kept), len(forms))), np.zeros((len(kept), len(forms)))
    np.add.at(count, (cell, form), 1)
    np.add.at(mass, (cell, form), weight)
    likelihood = np.divide(mass, count, out=np.zeros_like(mass), where=count > 0).mean(1)
    start = kept * width - (width / 2 if smooth else 0)
    low, high = grid.at(start), grid.at(start + width)
    density = likelihood * (high - low)
    total = np.concatenate([[0.0], np.cumsum(density)]) / density.sum()
    tail = (1 - level) / 2
    a, middle, b = (float(v) for v in np.interp([tail, 0.5, 1 - tail], total, np.append(low, high[-1])))
    if not smooth:
        first, last = (int(i) - 1 for i in np.searchsorted(total, [tail, 1 - tail]))
        a, b = float(low[max(first, 0)]), float(high[max(last, 0)])
    return a, middle, b
