"""Random numbers for the built-in suites: the same key gives the same numbers on every machine, for good.

They come from a hash rather than from NumPy, whose generators may draw differently in a later version: an
item of a published study must not change when a library does.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import shake_128
from typing import TypeVar

T = TypeVar("T")

_WORDS = 64  # 64-bit words taken from the hash at a time


class Draw:
    """A stream of random whole numbers that a key determines.

    Args:
        key: Words and numbers, such as a seed, the name of a task and the number of an item.

    Examples:
        >>> Draw(0, "a").below(1000) == Draw(0, "a").below(1000)
        True
    """

    def __init__(self, *key: str | int) -> None:
        self._key = "\x1f".join(map(str, key)).encode()
        self._block = 0
        self._words: list[int] = []

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1, each equally likely to within n / 2**64."""
        if not self._words:
            block = shake_128(self._key + b"\x1e%d" % self._block).digest(8 * _WORDS)
            self._words = list(struct.unpack(f"<{_WORDS}Q", block))
            self._block += 1
        return self._words.pop() * n >> 64

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + self.below(high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.below(len(options))]

    def some(self, options: Sequence[T], k: int) -> list[T]:
        """K different places of the options, in random order."""
        rest = list(options)
        for i in range(k):
            j = i + self.below(len(rest) - i)
            rest[i], rest[j] = rest[j], rest[i]
        return rest[:k]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """All options in random order."""
        return self.some(options, len(options))
