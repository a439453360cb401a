"""How many requests may be under way at a time: more while latency holds, half when the server pushes back.

Additive increase and multiplicative decrease with a slow start, as in TCP (Jacobson 1988).
"""

from __future__ import annotations

import math

_TOLERATED = 2.0  # times the baseline
_DRIFT = 1.01  # of the baseline in one round trip: what is asked may become longer
_FEWEST = 8  # answers whose mean says anything


class Limit:
    """A number between `least` and `most`.

    It doubles each round trip until latency rises or the server pushes back, and from then on grows by a
    fixed step a round trip for as long as the mean latency stays below twice the baseline: the lowest mean so
    far, which rises slowly.

    Args:
        start: To begin with.
        least: Never less.
        most: Never more.

    Attributes:
        now: The present limit; its whole part counts.
    """

    def __init__(self, start: int, least: int, most: int) -> None:
        self.least, self.most = min(least, most), most
        self.now = float(min(max(start, self.least), most))
        self._doubling = True
        self._holds = True
        self._step = max(1.0, most / 16)
        self._cut_at = -math.inf
        self._baseline = math.inf
        self._sum, self._count, self._window = 0.0, 0, max(_FEWEST, int(self.now))

    def succeeded(self, seconds: float) -> None:
        """An answer came after so many seconds."""
        self._sum += seconds
        self._count += 1
        if self._count >= self._window:
            self._end_window()
        if self._holds and self.now < self.most:
            self.now = min(self.most, self.now + (1.0 if self._doubling else self._step / self.now))

    def pushed_back(self, sent: float, now: float) -> None:
        """A try that was sent at `sent` was throttled, failed or ran out of time at `now` (seconds).

        What was sent before the last cut says nothing about the limit since, so it does not cut again.
        """
        if sent < self._cut_at:
            return
        self._cut_at = now
        self._doubling = False
        self.now = max(float(self.least), self.now / 2)

    def _end_window(self) -> None:
        mean = self._sum / self._count
        self._baseline = min(mean, self._baseline * _DRIFT)
        self._holds = mean <= _TOLERATED * self._baseline
        self._doubling = self._doubling and self._holds
        self._sum, self._count, self._window = 0.0, 0, max(_FEWEST, int(self.now))
