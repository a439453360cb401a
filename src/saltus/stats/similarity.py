"""How alike two sets of features of the same samples are: linear CKA without its bias, and Procrustes.

Both ignore rotations and scales. Kornblith et al. 2019's CKA grows towards 1 for unrelated features where
there are fewer samples than dimensions; the estimator of Song et al. 2012 does not, and its sums add up, so
that samples can be streamed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.stats.jackknife import (
    AgainstChance,
    against_chance,
    blocks_of,
    group_numbers,
    jackknife_interval,
    leave_out,
    permuted,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Groups = Sequence[Any] | NDArray[Any] | None


class PairSums(msgspec.Struct, frozen=True):
    """Sums over samples from which the unbiased HSIC of two linear kernels follows; they add and subtract."""

    n: int
    cross: Floats
    x: Floats
    y: Floats
    xx: float
    yy: float
    xyy: Floats
    yxx: Floats
    xxyy: float

    @classmethod
    def of(cls, x: Floats, y: Floats) -> PairSums:
        """The sums of some samples, rows of both."""
        a, b = (x * x).sum(1), (y * y).sum(1)
        return cls(
            len(x), x.T @ y, x.sum(0), y.sum(0), float(a.sum()), float(b.sum()), b @ x, a @ y, float(a @ b)
        )

    def plus(self, other: PairSums, sign: int = 1) -> PairSums:
        """Both together; with -1, this without the other."""
        return PairSums(*(getattr(self, f) + sign * getattr(other, f) for f in self.__struct_fields__))

    def hsic(self, debiased: bool = True) -> float:
        """Unbiased HSIC (Song et al. 2012, eq. 5), NaN for fewer than four samples; or the plain one.

        With linear kernels HSIC is the squared Frobenius norm of the cross-covariance.
        """
        n = self.n
        if not debiased:
            return float(((self.cross - np.outer(self.x, self.y) / n) ** 2).sum()) / (n - 1) ** 2
        if n < 4:
            return float("nan")
        trace = float((self.cross**2).sum()) - self.xxyy
        left, right = float(self.x @ self.x) - self.xx, float(self.y @ self.y) - self.yy
        both = float(self.x @ self.cross @ self.y - self.x @ self.xyy - self.yxx @ self.y) + self.xxyy
        return (trace + left * right / ((n - 1) * (n - 2)) - 2 * both / (n - 2)) / (n * (n - 3))


class _Triple(msgspec.Struct, frozen=True):
    xy: PairSums
    xx: PairSums
    yy: PairSums

    @classmethod
    def of(cls, x: Floats, y: Floats) -> _Triple:
        return cls(PairSums.of(x, y), PairSums.of(x, x), PairSums.of(y, y))

    def plus(self, other: _Triple, sign: int = 1) -> _Triple:
        return _Triple(
            self.xy.plus(other.xy, sign), self.xx.plus(other.xx, sign), self.yy.plus(other.yy, sign)
        )

    def cka(self, debiased: bool = True) -> float:
        own = self.xx.hsic(debiased) * self.yy.hsic(debiased)
        return float(self.xy.hsic(debiased) / np.sqrt(own)) if own > 0 else float("nan")


class CkaStream:
    """Linear CKA of features that come in parts; memory is widths squared times blocks.

    The result is that of all samples at once, no average over parts (as in Nguyen et al. 2021).

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(64, 8)); stream = CkaStream()
        >>> for part in (slice(0, 30), slice(30, 64)):
        ...     stream.add(x[part], 2 * x[part] + 1)
        >>> round(stream.result().value, 9)
        1.0
    """

    def __init__(self) -> None:
        self._blocks: dict[int, _Triple] = {}
        self._shift: tuple[Floats, Floats] | None = None

    def add(self, x: NDArray[Any], y: NDArray[Any], block: int = 0) -> None:
        """Take in samples (rows), all of one block; blocks are what the interval leaves out.

        Raises:
            ValueError: The two have different numbers of samples.
        """
        left, right = np.asarray(x, float), np.asarray(y, float)
        if len(left) != len(right):
            raise ValueError(
                f"the features are of {len(left)} and {len(right)} samples; give those of the same"
            )
        if not len(left):
            return
        if self._shift is None:  # of no effect on the result, but sums of squares stay exact
            self._shift = left.mean(0), right.mean(0)
        found = _Triple.of(left - self._shift[0], right - self._shift[1])
        self._blocks[block] = self._blocks[block].plus(found) if block in self._blocks else found

    def result(self, level: float = 0.9) -> AgainstChance:
        """CKA of everything so far; the interval is None with fewer than three blocks.

        Chance is not measured: it is 0 for independent samples, and above where samples belong together.

        Raises:
            ValueError: There are fewer than four samples.
        """
        blocks = list(self._blocks.values())
        if not blocks or sum(one.xy.n for one in blocks) < 4:
            raise ValueError("the debiased CKA needs four samples; give more")
        total = blocks[0]
        for one in blocks[1:]:
            total = total.plus(one)
        value = total.cka()
        without = [total.plus(one, -1).cka() for one in blocks] if len(blocks) > 2 else []
        ends = jackknife_interval(value, without, level)
        return AgainstChance(value, *ends, level, None, None, None, None, total.xy.n, len(blocks))


def cka(
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    groups: Groups = None,
    debiased: bool = True,
    permutations: int = 100,
    level: float = 0.9,
    seed: int = 0,
) -> AgainstChance:
    """Linear centered kernel alignment (Kornblith et al. 2019, eq. 2), without bias by default.

    Args:
        x: Features, samples x width.
        y: Other features of the same samples; the width may differ.
        groups: What samples belong together (tokens of one prompt); they are left out and permuted together.
            The estimator has no bias for independent samples only: look at chance, which counts the groups.
        debiased: Use the unbiased HSIC (Song et al. 2012; Nguyen et al. 2021); it may come out below 0.
        permutations: Of the samples of `y`, for chance; 0 for none.
        level: Of the interval over samples and of the range of chance.
        seed: Of blocks and permutations.

    Raises:
        ValueError: The sets do not fit, have fewer than four samples, or one does not vary.
    """
    left, right = _checked(x, y)
    left, right = _narrow(left), _narrow(right)
    rng = np.random.default_rng(seed)
    blocks = blocks_of(len(left), groups, rng)
    total = _Triple.of(left, right)
    value = total.cka(debiased)
    if not np.isfinite(value):
        raise ValueError("the features of one set do not vary over these samples; similarity is undefined")
    without = [
        total.plus(_Triple.of(left[blocks == one], right[blocks == one]), -1).cka(debiased)
        for one in range(int(blocks.max()) + 1)
    ]
    own = total.xx.hsic(debiased) * total.yy.hsic(debiased)
    draws = _permutations(
        lambda rows: PairSums.of(left, right[rows]).hsic(debiased) / np.sqrt(own),
        group_numbers(len(left), groups),
        permutations,
        rng,
    )
    ends = jackknife_interval(value, without, level)
    return against_chance(value, ends, draws, (len(left), _count(groups, len(left))), level=level)


def procrustes(
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    groups: Groups = None,
    permutations: int = 100,
    level: float = 0.9,
    seed: int = 0,
) -> AgainstChance:
    """Squared orthogonal Procrustes distance of centred features of unit norm (Ding et al. 2021, section 3).

    2 - 2 ||X'Y||_*: 0 for rotated copies, 2 at most. Few samples make unrelated features look close, so the
    distance is to be read against its chance.

    Args:
        x: Features, samples x width.
        y: Other features of the same samples; the width may differ.
        groups: What samples belong together.
        permutations: Of the samples of `y`, for chance; 0 for none.
        level: Of the interval over samples and of the range of chance.
        seed: Of blocks and permutations.

    Raises:
        ValueError: The sets do not fit, have fewer than four samples, or one does not vary.
    """
    left, right = _checked(x, y)
    left, right = _narrow(left), _narrow(right)
    rng = np.random.default_rng(seed)
    blocks = blocks_of(len(left), groups, rng)
    value, without = leave_out(lambda rows: _distance(left[rows], right[rows]), blocks)
    draws = _permutations(
        lambda rows: _distance(left, right[rows]), group_numbers(len(left), groups), permutations, rng
    )
    ends = jackknife_interval(value, without, level)
    if ends[0] is not None and ends[1] is not None:
        ends = max(ends[0], 0.0), min(ends[1], 2.0)
    counts = (len(left), _count(groups, len(left)))
    return against_chance(value, ends, draws, counts, level=level, larger=False)


def rooted(gram: Floats) -> Floats:
    """Features, as wide as there are samples, whose inner products are these."""
    values, vectors = np.linalg.eigh(gram)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))


def _distance(x: Floats, y: Floats) -> float:
    left, right = x - x.mean(0), y - y.mean(0)
    size = np.linalg.norm(left) * np.linalg.norm(right)
    if size <= 0:
        raise ValueError("the features of one set do not vary over these samples; similarity is undefined")
    return max(0.0, 2 - 2 * float(np.linalg.svd(left.T @ right, compute_uv=False).sum() / size))


def _checked(x: NDArray[Any], y: NDArray[Any]) -> tuple[Floats, Floats]:
    left, right = np.asarray(x, float), np.asarray(y, float)
    if left.ndim != 2 or right.ndim != 2 or len(left) != len(right):
        raise ValueError(
            f"features of shapes {left.shape} and {right.shape}; give samples x width, of the same samples"
        )
    if len(left) < 4:
        raise ValueError(f"there are {len(left)} samples; similarity needs four")
    return left - left.mean(0), right - right.mean(0)


def _narrow(x: Floats) -> Floats:
    """The same inner products in no more dimensions than there are samples."""
    return x if x.shape[1] <= len(x) else rooted(x @ x.T)


def _permutations(
    statistic: Callable[[Ints], float], own: Ints, count: int, rng: np.random.Generator
) -> list[float]:
    drawn = (permuted(own, rng) for _ in range(count))
    return [statistic(rows) for rows in drawn if rows is not None]


def _count(groups: Groups, n: int) -> int:
    return n if groups is None else len(set(np.asarray(groups).tolist()))
