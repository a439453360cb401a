"""The pieces of a training curve: smooth curves that never change, and what a change adds from its place on.

`stats.changepoints` writes a curve as one smooth curve plus changes; both are built here at the checkpoints.
Places are positions along the checkpoints (2.5: halfway between the third and the fourth), so that log-spaced
and even grids are treated alike. A change lies where it begins: a jump over a few checkpoints at its foot.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KINK = 10  # first form that is no jump
RAMPS = (1.0, 2.0, 3.0)  # gaps between checkpoints from foot to top
RELAXATIONS = tuple(1.0 * 1.4**i for i in range(11))  # gaps until 63 % of a saturating rise is done
_COARSE = slice(1, None, 3)  # those that the first search tries
EXPONENTS = (0.15, 0.3, 0.5, 0.75, 1.0, 1.5, 2.2, 3.0)
GROWTH = (0.5, 1.0)
_BOTH = (0.5, 1.5, 3.0)
_MOST_PLACES = 60
_ZOOM, _ZOOMS = 17, 3


@dataclass(frozen=True)
class Grid:
    """The checkpoints: coordinate u (log10 of the axis, or the axis scaled to two units), shape (n,)."""

    u: Floats
    logarithmic: bool

    @property
    def size(self) -> int:
        """How many checkpoints."""
        return len(self.u)

    @cached_property
    def plain(self) -> Floats:
        """The axis in plain units, the last checkpoint at 1."""
        return np.asarray(10 ** (self.u - self.u[-1])) if self.logarithmic else self.u - self.u[0]

    def at(self, position: Floats) -> Floats:
        """Coordinates u of positions along the checkpoints."""
        return np.interp(position, np.arange(self.size), self.u)

    @cached_property
    def stride(self) -> int:
        """Checkpoints between two places that the first search tries."""
        return -(-self.size // _MOST_PLACES)

    @cached_property
    def curves(self) -> tuple[Floats, ...]:
        """Bases of the curves without a change, each (n, d): flat, straight, power laws, relaxation.

        The saturating powers c + A N^-a and the relaxation c + A exp(-N / Nk) span the same curves wherever
        one starts to count, so no origin has to be fitted.
        """
        one, u = np.ones(self.size), (self.u - self.u.mean()) / np.ptp(self.u)
        curved = [h for bend, thetas in self.bends(8).items() for h in self.bent(bend, thetas)]
        out = [one[:, None], np.column_stack([one, u]), *(np.column_stack([one, h]) for h in curved)]
        if self.size >= 10:
            both = [*self.bent("falling", _BOTH)]
            if self.logarithmic:
                both += [*self.bent("growing", (1.0,))]
            out += [np.column_stack([one, u, h]) for h in both]
        return tuple(out)

    def bends(self, ends: int) -> dict[str, ArrayLike]:
        """Kinds of bent smooth curves with the bends that the search tries."""
        if not self.logarithmic:
            return {"falling": EXPONENTS}
        reach = np.linspace(self.u[0] - self.u[-1], 0.5, ends + 1)[1:]
        return {"falling": EXPONENTS, "growing": GROWTH, "relaxation": reach}

    def bent(self, bend: str, thetas: ArrayLike) -> Floats:
        """N^-theta, N^theta, or exp(-N / Nk) with theta = log10(Nk over the last checkpoint), as (m, n)."""
        theta = np.asarray(thetas, float)[:, None]
        match bend:
            case "falling":
                h = 10 ** (-theta * (self.u - self.u[0]))
            case "growing":
                h = 10 ** (theta * (self.u - self.u[-1]))
            case _:
                h = np.exp(-self.plain / 10**theta)
        spread = np.maximum(np.ptp(h, axis=1, keepdims=True), 1e-12)
        return np.asarray((h - h.mean(1, keepdims=True)) / spread)

    @cached_property
    def atoms(self) -> Atoms:
        """What the first search tries."""
        step = 0.5 if self.size <= 30 else float(self.stride)
        atoms = self.atoms_at(np.arange(0.5 if self.size <= 30 else 1.0, self.size - 0.75, step))
        tried = [*range(KINK + 2), *range(KINK + 2, KINK + 2 + len(RELAXATIONS))[_COARSE]]
        return atoms.take(np.isin(atoms.form, tried))

    @cached_property
    def every(self) -> Atoms:
        """What a change may add at every checkpoint, and halfway between each two."""
        return self.atoms_at(np.arange(0.5, self.size - 0.75, 0.5))

    def near(self, low: float, high: float) -> Atoms:
        """Those of `every` from one position to another."""
        return self.every.take((self.every.place >= low) & (self.every.place <= high))

    def atoms_at(self, places: Floats, *, edge: int = 2) -> Atoms:
        """What a change at each of the places may add; steps only halfway between two checkpoints.

        Args:
            places: Positions along the checkpoints, shape (m,).
            edge: Checkpoints that must lie on either side.
        """
        index = np.arange(self.size)[None, :]
        parts: list[tuple[int, Floats, Floats]] = []
        inside = places[(places >= edge - 1) & (places <= self.size - edge)]
        gaps = np.unique(np.floor(inside[inside < self.size - edge]) + 0.5)
        parts.append((0, gaps, (index > gaps[:, None]).astype(float)))
        for form, width in enumerate(RAMPS, 1):
            foot = inside[inside <= self.size - edge - width]
            parts.append((form, foot, np.clip((index - foot[:, None]) / width, 0, 1)))
        kinks = inside[inside <= self.size - 1 - edge]
        u = self.at(kinks)[:, None]
        parts.append((KINK, kinks, np.maximum(self.u[None, :] - u, 0)))
        if self.logarithmic:
            parts.append((KINK + 1, kinks, np.maximum(self.plain[None, :] - 10 ** (u - self.u[-1]), 0)))
        for form, scale in enumerate(RELAXATIONS, KINK + 2):
            if scale < self.size:
                rise = -np.expm1(-np.maximum(index - kinks[:, None], 0) / scale)
                parts.append((form, kinks, rise))
        return Atoms(
            np.concatenate([at for _, at, _ in parts]),
            np.concatenate([np.full(len(at), form) for form, at, _ in parts]),
            np.vstack([h for _, _, h in parts]),
        )


@dataclass(frozen=True)
class Atoms:
    """Changes that may be: place (M,), form (M,) and what each adds at the checkpoints (M, n)."""

    place: Floats
    form: Ints
    h: Floats

    @property
    def smooth(self) -> NDArray[np.bool_]:
        """Which are changes of the rate, and no jumps."""
        return self.form >= KINK

    def take(self, rows: Ints | NDArray[np.bool_]) -> Atoms:
        """Some of them."""
        return Atoms(self.place[rows], self.form[rows], self.h[rows])

    def add(self, other: Atoms) -> Atoms:
        """These, then others."""
        return Atoms(
            np.concatenate([self.place, other.place]),
            np.concatenate([self.form, other.form]),
            np.concatenate([self.h, other.h]),
        )


@lru_cache(maxsize=16)
def grid_of(u: bytes, logarithmic: bool) -> Grid:
    """The grid of coordinates given as bytes; series at the same checkpoints share it."""
    return Grid(np.frombuffer(u, float), logarithmic)


def bases(grid: Grid, extra: Floats, root: Floats) -> list[Floats]:
    """Orthonormal bases of each smooth curve with the changes `extra` (m, n), weighted by `root`.

    Returns:
        Stacks (g, n, d) of those with equally many terms, in the order of `Grid.curves`.
    """
    out: list[Floats] = []
    for terms, group in groupby(grid.curves, key=lambda h: h.shape[1]):
        if terms + len(extra) < grid.size - 2:
            curves = np.stack(list(group))
            more = np.broadcast_to(extra.T, (len(curves), grid.size, len(extra)))
            out.append(np.linalg.qr(np.concatenate([curves, more], axis=2) * root[:, None])[0])
    return out


def best_bends(grid: Grid, extra: Floats, y: Floats, root: Floats) -> Floats:
    """Least residual sum of squares of each kind of bent curve, its bend sought to the fourth digit or so.

    Args:
        grid: Checkpoints.
        extra: Changes beside it, (m, n).
        y: Weighted values, (n,).
        root: Square roots of the weights.
    """
    out = []
    beside = np.linalg.qr(np.column_stack([np.ones(grid.size), extra.T]) * root[:, None])[0]
    rest = y - beside @ (beside.T @ y)
    for bend, tried in grid.bends(8).items():
        thetas = np.asarray(tried, float)
        low, high = float(thetas.min()), float(thetas.max())
        if bend != "relaxation":
            low, high = low / 4, high * 1.3
        least = np.inf
        for _ in range(_ZOOMS):
            thetas = np.linspace(low, high, _ZOOM)
            weighted = grid.bent(bend, thetas) * root
            weighted = weighted - (weighted @ beside) @ beside.T
            norm = (weighted**2).sum(1)
            gain = np.where(norm > 1e-12, (weighted @ rest) ** 2 / np.maximum(norm, 1e-300), 0)
            at = int(gain.argmax())
            least = min(least, float(rest @ rest) - float(gain[at]))
            low, high = float(thetas[max(at - 1, 0)]), float(thetas[min(at + 1, _ZOOM - 1)])
        out.append(max(least, 0.0))
    return np.array(out)


def basis(grid: Grid, smooth: int, extra: Floats, root: Floats) -> Floats:
    """The basis of one smooth curve with the changes."""
    return np.asarray(np.linalg.qr(np.column_stack([grid.curves[smooth], extra.T]) * root[:, None])[0])
