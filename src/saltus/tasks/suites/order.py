"""Which items of a source, and in which order: all as they stand, the first few, or drawn by a seed.

A shuffled source is read in several passes, each of which holds a window of the new order and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from saltus.tasks.suites.sources import Part

Placed = tuple[Part, int, int, Any]  # part, line or row in it, index over all parts, the row
_WINDOW = 8_192


def in_order(
    parts: Sequence[Part], *, shuffle: bool = False, seed: int = 0, limit: int | None = None
) -> Iterator[Placed]:
    """The rows of a source; none but a window of them is held.

    Args:
        parts: The source.
        shuffle: Draw the order.
        seed: Of the draw; the same seed gives the same order for the same number of rows.
        limit: At most so many.
    """
    if not shuffle:
        yield from islice(_all(parts), limit)
        return
    import numpy as np

    count = sum(1 for _ in _all(parts))
    order = np.random.default_rng(seed).permutation(count)[:limit]
    rank = np.full(count, -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    for start in range(0, len(order), _WINDOW):
        end = min(start + _WINDOW, len(order))
        window: list[Placed | None] = [None] * (end - start)
        wanted = (rank >= start) & (rank < end)
        for placed, take in zip(_all(parts), wanted.tolist(), strict=True):
            if take:
                window[int(rank[placed[2]]) - start] = placed
        yield from (placed for placed in window if placed is not None)


def _all(parts: Sequence[Part]) -> Iterator[Placed]:
    index = 0
    for part in parts:
        for number, row in part.rows():
            yield part, number, index, row
            index += 1
