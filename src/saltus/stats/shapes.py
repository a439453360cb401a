"""The curves a score may follow along an axis: shapes h(u; theta) on a grid of their nonlinear parameters.

A score is y = c + A h(u; theta), u = log10 of the axis (or an axis stretched to two decades where a logarithm
means nothing). With theta on a grid, c and A are a weighted regression in closed form (`stats.curves`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

KINDS = (
    "linear",
    "saturating",
    "capped",
    "proportional",
    "ramp",
    "exponential",
    "logistic",
    "gompertz",
    "segment",
    "step",
    "hinge",
    "concave",
)
CODE = {kind: code for code, kind in enumerate(KINDS)}
# Free parameters beside the mean, for the information criterion: amplitude and nonlinear ones.
DEGREES = {
    "flat": 1,
    "linear": 2,
    "saturating": 3,
    "capped": 3,
    "proportional": 2,
    "ramp": 4,
    "exponential": 3,
    "logistic": 4,
    "gompertz": 4,
    "segment": 4,
    "step": 3,
    "hinge": 3,
    "concave": 6,
}
SIGMOIDS = ("logistic", "gompertz", "segment")
# So dense that a power law of any exponent under 3 is one of these to within 1e-4 of its sum of squares.
EXPONENTS = tuple(float(f"{a:.4g}") for a in np.geomspace(0.03, 3.0, 96))
FINE_EXPONENTS = EXPONENTS
WIDTHS = (0.02, 0.05, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0, 4.0)
_LOGISTIC = float(np.log(81))  # 10 to 90 % of a logistic of rate 1 takes log(81)
_GOMPERTZ = float(np.log10(np.log(0.1) / np.log(0.9)))  # 10 to 90 % of exp(-10^-v), in decades
_LN2 = float(np.log(2))
_LN10 = float(np.log(10))
# Share of its sum of squares by which a shape must differ to be tested too: gradual, broad, narrow, hinges.
_APART = (1e-4, 6e-4, 2e-3, 2e-3)


@dataclass(frozen=True, slots=True)
class ShapeGrid:
    """All candidate shapes at the measured points, in groups that the tests set against each other.

    Attributes:
        u: Coordinates of the points, shape (n,).
        knots: Distinct coordinates in order.
        h: Shapes at the points, shape (K, n).
        code: Index into `KINDS`, shape (K,).
        theta: Nonlinear parameters, shape (K, 3): exponent, knot, (midpoint, width) or (knot, knot, weight).
        gradual: Columns of shapes that never accelerate.
        broad: Sigmoids whose 10 to 90 % width is at least `sharp_below`.
        narrow: Narrower sigmoids and steps.
        hinge: Hinges.
        concave: Values at `knots` of the one shape of kind "concave", straight in plain units between.
        tested: Rows that the bootstrap compares: those that differ from each other enough to matter.
    """

    u: Floats
    knots: Floats
    h: Floats
    code: NDArray[np.int64]
    theta: Floats
    gradual: slice
    broad: slice
    narrow: slice
    hinge: slice
    concave: Floats
    tested: NDArray[np.intp]

    @property
    def low(self) -> float:
        """Lowest coordinate."""
        return float(self.knots[0])

    @property
    def high(self) -> float:
        """Highest coordinate."""
        return float(self.knots[-1])

    def curves(self, pick: NDArray[np.int64], at: Floats, rng: np.random.Generator | None = None) -> Floats:
        """Shapes `pick` at other coordinates, shape (len(pick), len(at)).

        A step says nothing of where between two scales it lies: with `rng` its place is drawn evenly in the
        gap, without it stands in the middle.
        """
        out = np.empty((len(pick), len(at)))
        codes, theta = self.code[pick], self.theta[pick].copy()
        steps = codes == CODE["step"]
        if rng is not None and steps.any():
            right = np.searchsorted(self.knots, theta[steps, 0])
            a, b = self.knots[right - 1], self.knots[right]
            theta[steps, 0] = a + (b - a) * rng.random(int(steps.sum()))
        for code in np.unique(codes):
            rows = codes == code
            if KINDS[code] == "concave":
                out[rows] = np.interp(10**at, 10**self.knots, self.concave)
                continue
            out[rows] = _shape(KINDS[code], theta[rows], at, self.low, self.high)
        return out


def shape_grid(
    u: Floats,
    *,
    training: bool = False,
    plain: bool = False,
    sharp_below: float = 1.0,
    density: int = 33,
    exponents: Sequence[float] = EXPONENTS,
) -> ShapeGrid:
    """Build the grid for points at `u`.

    Args:
        u: Coordinates, shape (n,), at least two distinct ones.
        training: The axis counts training (steps, tokens) and u is its log10. Then "gradual" also holds every
            curve whose rate per plain step never rises: mixtures of ramps min(N / Nk, 1), 1 - exp(-N / Nk).
            Steady learning per step looks convex on a log axis and is no jump.
        plain: "Gradual" also holds growth in proportion to 10^u (an axis of small counts: layers).
        sharp_below: Width in decades under which a sigmoid counts as sharp.
        density: Places tried for each midpoint or knot.
        exponents: Of the saturating power laws; none above 3, since steeper ones are steps to coarse scales.

    Returns:
        The grid; shapes that do not vary over the points are left out.
    """
    knots = np.unique(u)
    low, high = float(knots[0]), float(knots[-1])
    span = high - low
    gradual = [spec("linear"), spec("saturating", exponents)]
    if len(knots) > 4:  # straight up to a ceiling, through four scales at least
        gradual.append(spec("capped", np.linspace(knots[3], high - 0.02 * span, 16)))
    if plain:
        gradual.append(spec("proportional"))
    if training:
        gradual += _training_shapes(low, high)
    mids, widths = np.meshgrid(np.linspace(low - 0.1 * span, high + 0.35 * span, density), WIDTHS)
    steps = spec("step", (knots[:-1] + knots[1:]) / 2)
    hinges = spec("hinge", np.linspace(low + 0.02 * span, high - 0.02 * span, density))
    sigmoids = [sigmoid(kind, mids, widths, low) for kind in SIGMOIDS]
    grid = assemble(np.asarray(u, float), (gradual, *split_by_width(sigmoids, sharp_below), [hinges]), steps)
    return replace(grid, tested=_distinct(grid))


Spec = tuple[str, Floats]  # a kind and its parameters, shape (m, 3)
_ONE = (0.0,)


def spec(kind: str, first: ArrayLike = _ONE, second: ArrayLike = _ONE, third: ArrayLike = _ONE) -> Spec:
    """Rows of one kind of shape from its parameters, broadcast against each other."""
    return kind, np.column_stack(np.broadcast_arrays(*(np.asarray(a, float) for a in (first, second, third))))


def sigmoid(kind: str, mids: ArrayLike, widths: ArrayLike, low: float) -> Spec:
    """Rows of one kind of sigmoid; segments that start below the axis only slow down, and are dropped."""
    _, theta = spec(kind, np.ravel(mids), np.ravel(widths))
    return kind, theta if kind != "segment" else theta[theta[:, 0] - 0.625 * theta[:, 1] >= low]


def split_by_width(sigmoids: list[Spec], sharp_below: float) -> tuple[list[Spec], list[Spec]]:
    """Sigmoids of at least `sharp_below` decades, and narrower ones."""
    broad = [(kind, theta[theta[:, 1] >= sharp_below - 1e-9]) for kind, theta in sigmoids]
    narrow = [(kind, theta[theta[:, 1] < sharp_below - 1e-9]) for kind, theta in sigmoids]
    return broad, narrow


def evaluate(kind: str, theta: Floats, grid: ShapeGrid) -> Floats:
    """Shapes of one kind at the points of a grid, shape (len(theta), n)."""
    return _shape(kind, theta, grid.u, grid.low, grid.high)


def assemble(u: Floats, groups: tuple[list[Spec], ...], steps: Spec) -> ShapeGrid:
    """A grid from its groups: gradual, broad, narrow (to which the steps go) and hinges."""
    knots = np.unique(u)
    gradual, broad, narrow, hinge = groups
    rows, codes, thetas, slices = [], [], [], []
    start = 0
    for group in (gradual, broad, [*narrow, steps], hinge):
        size = 0
        for kind, theta in group:
            if not len(theta):
                continue
            h = _shape(kind, theta, u, float(knots[0]), float(knots[-1]))
            keep = np.ptp(h, axis=1) > 1e-3
            rows.append(h[keep])
            thetas.append(theta[keep])
            codes.append(np.full(int(keep.sum()), CODE[kind]))
            size += int(keep.sum())
        slices.append(slice(start, start + size))
        start += size
    a, b, c, d = slices
    stacked = np.vstack(rows), np.concatenate(codes), np.vstack(thetas)
    return ShapeGrid(u, knots, *stacked, a, b, c, d, np.zeros(len(knots)), np.arange(start))


def _distinct(grid: ShapeGrid) -> NDArray[np.intp]:
    """Rows of which no two in a group are the same but for level and amplitude.

    The shapes of a null are kept more finely than those of an alternative, as a null that is missed by a
    little looks like a jump where the scores are exact.
    """
    centred = grid.h - grid.h.mean(1, keepdims=True)
    unit = (centred / np.linalg.norm(centred, axis=1, keepdims=True)).astype(np.float32)
    kept: list[int] = []
    for group, apart in zip((grid.gradual, grid.broad, grid.narrow, grid.hinge), _APART, strict=True):
        near = unit[group] @ unit[group].T > 1 - apart / 2
        alive = np.ones(len(near), bool)
        for row in range(len(near)):
            if alive[row]:
                kept.append(group.start + row)
                alive &= ~near[row]
    return np.array(kept)


def with_concave(grid: ShapeGrid, y: Floats, root: Floats) -> ShapeGrid:
    """Add the concave curve of the plain count that fits best: non-decreasing, at a rate that never rises.

    Every such curve is a level plus ramps min(N / Nk, 1) with weights of 0 or more, so the best one is a
    non-negative least squares problem. Since it is fitted to the very data that are tested, a test against it
    errs on the side of "gradual".
    """
    base = y.min() - 2 * np.ptp(y)  # low enough that the level is free
    at_points, at_knots = concave_curve(grid.u, grid.knots, y - base, root)
    if np.ptp(at_points) < 1e-6:
        return grid
    place = grid.gradual.stop

    def later(s: slice) -> slice:
        return slice(s.start + 1, s.stop + 1)

    return ShapeGrid(
        grid.u,
        grid.knots,
        np.insert(grid.h, place, at_points, axis=0),
        np.insert(grid.code, place, CODE["concave"]),
        np.insert(grid.theta, place, 0.0, axis=0),
        slice(0, place + 1),
        later(grid.broad),
        later(grid.narrow),
        later(grid.hinge),
        at_knots,
        np.insert(grid.tested + (grid.tested >= place), np.searchsorted(grid.tested, place), place),
    )


def whitened(root: Floats, columns: Floats) -> Floats:
    """Columns by point, shape (n, m) or (n,), divided by the noise: see `Noise.root`."""
    if root.ndim == 2:
        return np.asarray(root @ columns)
    return np.asarray(columns * (root if columns.ndim == 1 else root[:, None]))


def concave_curve(u: Floats, knots: Floats, y: Floats, root: Floats) -> tuple[Floats, Floats]:
    """Least squares over concave rising curves of 10^u; the best one at `u` and at `knots`."""
    from scipy.optimize import nnls

    def ramps(at: Floats) -> Floats:
        return np.column_stack([np.ones(len(at)), 10 ** np.minimum(at[:, None] - knots[None, :], 0)])

    solution, _ = nnls(whitened(root, ramps(u)), whitened(root, y))
    return np.asarray(ramps(u) @ solution), np.asarray(ramps(knots) @ solution)


def _training_shapes(low: float, high: float) -> list[Spec]:
    """Concave curves of the plain count N = 10^u: ramps to Nk, mixtures of two, and relaxation."""
    ends = np.linspace(low + 0.1, high + 0.3, 14)
    i, j = np.triu_indices(len(ends), 1)
    pairs = [spec("ramp", ends[i], ends[j], w) for w in (0.25, 0.5, 0.75)]
    return [spec("ramp", ends, ends, 1.0), *pairs, spec("exponential", np.linspace(low, high + 0.5, 20))]


def _shape(kind: str, theta: Floats, at: Floats, low: float, high: float) -> Floats:  # noqa: PLR0911
    """One kind of shape for rows of parameters, shape (len(theta), len(at))."""
    first, second, third = theta[:, :1], theta[:, 1:2], theta[:, 2:3]
    x = at[None, :]
    match kind:
        case "linear":
            return np.broadcast_to((x - low) / (high - low), (len(theta), len(at)))
        case "saturating":
            return np.asarray(np.expm1(-first * _LN10 * (x - low)) / np.expm1(-first * _LN10 * (high - low)))
        case "capped":
            return np.asarray(np.minimum(x - low, first - low) / (first - low))
        case "proportional":
            full = 10.0 ** (high - low) - 1
            return np.broadcast_to((10.0 ** (x - low) - 1) / full, (len(theta), len(at)))
        case "ramp":
            one, two = (np.exp(_LN10 * np.minimum(x - end, 0)) for end in (first, second))
            return np.asarray(third * one + (1 - third) * two)
        case "exponential":
            return -np.expm1(-np.exp(_LN10 * (x - first)))
        case "logistic":
            return 1 / (1 + np.exp(-np.clip((x - first) * _LOGISTIC / second, -50, 50)))
        case "gompertz":
            return np.exp(-_LN2 * np.exp(np.clip(-_LN10 * _GOMPERTZ / second * (x - first), -21, 21)))
        case "segment":  # straight between two corners, 1.25 widths apart
            return np.clip((x - first) / (1.25 * second) + 0.5, 0, 1)
        case "step":
            return (x >= first).astype(float)
        case "hinge":
            return np.maximum(0, x - first) / (high - first)
        case _:
            raise ValueError(f"no shape is called {kind!r}")
