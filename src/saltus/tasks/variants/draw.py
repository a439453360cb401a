"""Random draws that are the same on every machine and in every version of Python: SplitMix64 from a hash."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1


class Draw:
    """A stream of random numbers (SplitMix64; Steele, Lea and Flood 2014).

    Args:
        seed: Whatever the stream depends on, as one text.

    Examples:
        >>> draw = Draw("0|typos|item-1")
        >>> [draw.below(10) for _ in range(5)]
        [4, 8, 5, 8, 2]
    """

    __slots__ = ("_state",)

    def __init__(self, seed: str) -> None:
        self._state = int.from_bytes(blake2b(seed.encode("utf-8", "replace"), digest_size=8).digest(), "big")

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1; the bias of the reduction is under n / 2^64."""
        self._state = state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((state ^ (state >> 31)) * n) >> 64

    def one(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[self.below(len(values))]

    def some(self, values: Sequence[T], k: int) -> list[T]:
        """K different places of the sequence, in random order."""
        left = list(values)
        k = min(k, len(left))
        for i in range(k):
            j = i + self.below(len(left) - i)
            left[i], left[j] = left[j], left[i]
        return left[:k]

    def order(self, n: int) -> list[int]:
        """A permutation of 0 to n - 1 that moves something, where n is 2 or more."""
        while True:
            found = self.some(range(n), n)
            if n < 2 or found != list(range(n)):
                return found
