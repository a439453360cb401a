"""The search for the changes of one weighted curve: add, move, drop, and test each beside the others.

`stats.changepoints` calls it, and says what was found in plain units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from saltus.stats.changeatoms import Atoms, Grid, bases, basis, best_bends
from saltus.stats.changenull import PRIOR, Null, Search, difference_variance, null_of, search
from saltus.stats.changeplace import gains

Floats = NDArray[np.float64]

_MOST = 8
_SWEEPS = 3
_RESOLUTION = 0.002  # least noise of a value, as a share of its range, where none is known
_AHEAD = 3  # changes tried at once
_KEEP = 0.2  # a change found together with others may be less certain than this beside them
# Autocorrelation before anything is seen, as if so many checkpoints had said so. Residuals of a short series
# hardly tell it, so where the noise is unknown at least this much is allowed for.
_PRIOR_LAG, _PRIOR_LAG_KNOWN, _PRIOR_SIZE = 0.35, 0.1, 20.0


@dataclass(frozen=True, slots=True)
class Model:
    """Smooth curve (its number), and the changes."""

    smooth: int
    atoms: Atoms


class ChangeSearch:
    """One weighted series and the search for its changes."""

    def __init__(self, grid: Grid, y: Floats, root: Floats, known: bool) -> None:
        self.grid, self.y, self.root, self.known = grid, y, root, known
        self.floor = np.maximum(difference_variance(grid.u, y[None], root), 0.0 if known else _RESOLUTION**2)
        self.null: Null = null_of(grid, known=known)

    def forward(self, alpha: float) -> tuple[Model, float]:
        """Add changes while they are significant, alone or a few at once; also the p-value of the first.

        One step of a staircase may be hidden by a smooth curve that two or three together are not.
        """
        grid = self.grid
        none = np.empty((0, grid.size))
        model = Model(self.smoothest(none), Atoms(np.empty(0), np.empty(0, np.int64), none))
        first = 1.0
        most = min(_MOST, (grid.size - 4) // 2)
        while True:
            more, p = self.ahead(model, most, alpha / (1 + len(model.atoms.place)))
            if not len(model.atoms.place):
                first = p
            if more is None:
                return model, first
            model = more

    def ahead(self, model: Model, most: int, alpha: float) -> tuple[Model | None, float]:
        """The model with one to three changes more, if significant, and the p-value."""
        more, best = model, 1.0
        for count in range(1, min(_AHEAD, most - len(model.atoms.place)) + 1):
            frames = bases(self.grid, more.atoms.h, self.root)
            if not frames:
                break
            found = self._search(self.grid.atoms, frames)
            more = Model(int(found.smooth[0]), more.atoms.add(self.grid.atoms.take(found.atom)))
            more = self.settle(more)
            correlation = self.correlation(self.fit(more), more)
            if count == 1:
                p = self.null.p(float(found.strength[0]), correlation)
                if p <= alpha:  # hold it against all smooth curves, and not only those of the search
                    found = self._search(self.grid.atoms, frames, self.rivals(model))
                    p = self.null.p(float(found.strength[0]), correlation)
            else:
                p = self.null.joint(self.strength(model, more), count, correlation)
            best = min(best, p)
            if p <= alpha:
                return more, p
        return None, best

    def _search(
        self, atoms: Atoms, frames: list[Floats], rivals: tuple[Floats, Floats] | None = None
    ) -> Search:
        return search(atoms, frames, self.y[None], self.root, self.floor, known=self.known, rivals=rivals)

    def rivals(self, model: Model) -> tuple[Floats, Floats]:
        """Residual sums of squares of smooth curves of any bend beside a model's changes; their terms."""
        h = model.atoms.h
        rss, terms = self._rss(bases(self.grid, h, self.root))
        bent = best_bends(self.grid, h, self.y, self.root)
        return np.append(rss, bent), np.append(terms, np.full(len(bent), 2.0 + len(h)))

    def _rss(self, frames: list[Floats]) -> tuple[Floats, Floats]:
        total = float(self.y @ self.y)
        rss = np.concatenate([total - ((self.y @ q) ** 2).sum(1) for q in frames])
        return np.maximum(rss, 0), np.concatenate([np.full(len(q), q.shape[2], float) for q in frames])

    def strength(self, less: Model, more: Model) -> float:
        """Minus log of the p-value of an F test of the changes that one model has beyond another."""
        count = len(more.atoms.place) - len(less.atoms.place)
        noise, price = self.noise(self.fit(more), more), np.log(self.grid.size)
        rss, terms = self.rivals(less)
        own = self.grid.curves[more.smooth].shape[1] + len(more.atoms.place)
        left = float(((self.y - self.fit(more)) ** 2).sum()) + (own - count) * price * noise
        gain = float((rss + terms * price * noise).min()) - left
        free = self.free(more) + (PRIOR if self.known else 0)
        ratio = max(gain, 0.0) / count / noise
        return float(-np.log(max(float(fdtrc(count, free, ratio)), 1e-300)))

    def free(self, model: Model) -> float:
        """Degrees of freedom that the changes and the smooth curve leave."""
        taken = self.grid.curves[model.smooth].shape[1] + 2 * len(model.atoms.place)
        return float(max(self.grid.size - taken, 1))

    def smoothest(self, h: Floats) -> int:
        """The smooth curve of the best information criterion beside the changes."""
        frames = bases(self.grid, h, self.root)
        rss, terms = self._rss(frames)
        noise = np.maximum(rss / np.maximum(self.grid.size - terms, 1), max(float(self.floor[0]), 1e-300))
        if self.known:
            noise = np.maximum(noise, 1.0)
        return int((rss + terms * np.log(self.grid.size) * noise.min()).argmin())

    def settle(self, model: Model) -> Model:
        """Move each change to where it fits best beside the others, until none moves."""
        for _ in range(_SWEEPS):
            moved = False
            for j in range(len(model.atoms.place)):
                model, changed = self._move(model, j)
                moved |= changed
            smooth = self.smoothest(model.atoms.h)
            moved |= smooth != model.smooth
            model = Model(smooth, model.atoms)
            if not moved:
                break
        return model

    def _move(self, model: Model, j: int) -> tuple[Model, bool]:
        others = without(model.atoms, j)
        q = basis(self.grid, model.smooth, others.h, self.root)
        low, high = self.between(model.atoms.place, j)
        here, reach = float(model.atoms.place[j]), 2.0 * self.grid.stride + 2
        atoms = self.grid.near(max(low, here - reach), min(high, here + reach))
        if not len(atoms.place):
            return model, False
        gain = gains(atoms.h, q, self.y - q @ (q.T @ self.y), self.root)
        pick = int(gain.argmax())
        one = atoms.take(np.array([pick]))
        changed = bool(np.abs(one.h[0] - model.atoms.h[j]).max() > 1e-9)
        new = others.add(one).take(np.insert(np.arange(len(others.place)), j, len(others.place)))
        return Model(model.smooth, new), changed

    def between(self, places: Floats, j: int) -> tuple[float, float]:
        """The neighbouring changes of change j, or the ends."""
        before, after = places[places < places[j]], places[places > places[j]]
        low = float(before.max()) + 0.5 if len(before) else 0.0
        high = float(after.min()) - 0.5 if len(after) else self.grid.size - 1.0
        return low, high

    def backward(self, model: Model, alpha: float) -> tuple[Model, Floats]:
        """Drop the least certain change until each is significant beside the others."""
        while True:
            tests = np.array([self.test(model, j) for j in range(len(model.atoms.place))])
            if not len(tests) or tests.max() <= max(alpha, _KEEP):
                return model, tests
            model = self.settle(Model(model.smooth, without(model.atoms, int(tests.argmax()))))

    def test(self, model: Model, j: int) -> float:
        """P-value of one change given the others: its strength against the best of a curve without it."""
        frames = bases(self.grid, without(model.atoms, j).h, self.root)
        one = model.atoms.take(np.array([j]))
        found = self._search(one, frames, self.rivals(Model(model.smooth, without(model.atoms, j))))
        return self.null.p(float(found.strength[0]), self.correlation(self.fit(model), model))

    def fit(self, model: Model) -> Floats:
        """The weighted curve at the points."""
        q = basis(self.grid, model.smooth, model.atoms.h, self.root)
        return np.asarray(q @ (q.T @ self.y))

    def noise(self, fit: Floats, model: Model) -> float:
        """Noise variance in units of the weights."""
        rss, free = float(((self.y - fit) ** 2).sum()), self.free(model)
        if self.known:
            return max((rss + PRIOR) / (free + PRIOR), float(self.floor[0]), 1.0)
        return max(rss / free, float(self.floor[0]), 1e-300)

    def correlation(self, fit: Floats, model: Model) -> float:
        """Lag-1 autocorrelation of the residuals, shrunk, with what fitting takes from it given back."""
        rest = self.y - fit
        total = float((rest**2).sum())
        prior = _PRIOR_LAG_KNOWN if self.known else _PRIOR_LAG
        if total <= 0:
            return prior
        n = self.grid.size
        terms = self.grid.curves[model.smooth].shape[1] + 2 * len(model.atoms.place)
        raw = float((rest[1:] * rest[:-1]).sum()) / total + terms / n
        return float(
            np.clip(
                (n * raw + _PRIOR_SIZE * prior) / (n + _PRIOR_SIZE), 0.0 if self.known else _PRIOR_LAG, 0.9
            )
        )


def without(atoms: Atoms, j: int) -> Atoms:
    """All changes but one."""
    return atoms.take(np.arange(len(atoms.place)) != j)
