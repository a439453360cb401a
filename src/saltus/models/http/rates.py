"""Token buckets that keep a model below so many requests and tokens a minute."""

from __future__ import annotations


class Bucket:
    """Hands out `per_minute` units a minute, never more than that in any sixty seconds.

    Units are reserved in the order of the calls: each call says how long to wait before using them. One
    reservation that is larger than the bucket waits until the bucket is full.

    Args:
        per_minute: Units a minute.
    """

    def __init__(self, per_minute: float) -> None:
        # What may be used at once counts against the minute too, so the rest flows that much slower.
        self._size = max(1.0, per_minute / 60)
        self._rate = (per_minute - self._size if per_minute > 2 * self._size else per_minute) / 60
        self._level = self._size
        self._seen = float("-inf")

    def reserve(self, units: float, now: float) -> float:
        """Take units.

        Args:
            units: How many.
            now: Seconds of any clock that does not go back.

        Returns:
            Seconds to wait before they may be used.
        """
        self._fill(now)
        self._level -= units
        short = -self._level if units <= self._size else self._size - units - self._level
        return max(0.0, short / self._rate)

    def give_back(self, units: float) -> None:
        """Return units that were not used; a negative number takes more."""
        self._level = min(self._size, self._level + units)

    def _fill(self, now: float) -> None:
        if self._seen > float("-inf"):
            self._level = min(self._size, self._level + (now - self._seen) * self._rate)
        self._seen = max(now, self._seen)


class Rates:
    """Both limits of a model.

    Args:
        requests_per_minute: None for no limit.
        tokens_per_minute: None for no limit.
    """

    def __init__(self, requests_per_minute: float | None, tokens_per_minute: float | None) -> None:
        self._requests = Bucket(requests_per_minute) if requests_per_minute else None
        self._tokens = Bucket(tokens_per_minute) if tokens_per_minute else None
        self.any = self._requests is not None or self._tokens is not None

    def reserve(self, tokens: float, now: float) -> float:
        """Seconds to wait before a request of so many tokens may be sent."""
        wait = self._requests.reserve(1, now) if self._requests else 0.0
        return max(wait, self._tokens.reserve(tokens, now)) if self._tokens else wait

    def settle(self, reserved: float, used: float) -> None:
        """Put right what was reserved, once the answer says what was used."""
        if self._tokens:
            self._tokens.give_back(reserved - used)
