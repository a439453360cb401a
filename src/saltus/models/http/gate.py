"""Lets tries through, as many at a time as the limit says: retries first, and none during a pause."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from saltus.models.http.limit import Limit


class Gate:
    """The slots of one stream; lives in one event loop.

    Args:
        limit: How many tries may be under way.
        may_take: Whether a new request may be taken beside so many that are not answered yet.

    Attributes:
        under_way: Requests that were let in and are not answered, those that wait for a retry included.
        broken_off: Whether nothing is tried any more.
    """

    def __init__(self, limit: Limit, may_take: Callable[[int], bool]) -> None:
        self.under_way = 0
        self.broken_off = False
        self._limit, self._may_take = limit, may_take
        self._loop = asyncio.get_running_loop()
        self._running = 0
        self._finished = False
        self._paused_until = 0.0
        self._new: deque[asyncio.Future[bool]] = deque()
        self._again: deque[asyncio.Future[bool]] = deque()
        self._naps: set[asyncio.Future[bool]] = set()

    async def enter(self) -> bool:
        """Wait for a slot for a new request; False when no new one is taken any more."""
        if self._finished:
            return False
        if not self._new and not self._again and self._is_free() and self._may_take(self.under_way):
            self._running += 1
            self.under_way += 1
            return True
        return await self._wait(self._new)

    async def enter_again(self) -> None:
        """Wait for a slot for another try of a request that is under way."""
        if not self._again and self._is_free():
            self._running += 1
        else:
            await self._wait(self._again)

    def may_stay(self) -> bool:
        """Whether an answered request's slot goes to a new one at once; when not, it has to be left."""
        if (
            self._again
            or self._finished
            or self._paused_until
            or self._running > self._limit.now
            or not self._may_take(self.under_way - 1)
        ):
            return False
        if self._new and self._running + 1 <= self._limit.now:
            self._grant()  # the limit has grown
        return True

    def leave(self, *, answered: bool) -> None:
        """Give a slot back; its request is answered, or will be tried again."""
        self._running -= 1
        if answered:
            self.under_way -= 1
            if not self.under_way and not self._may_take(0):
                self.finish()
        self._grant()

    def pause(self, seconds: float) -> None:
        """Let nobody through for a while: the server asked for it."""
        until = self._loop.time() + seconds
        if until > self._paused_until:
            self._paused_until = until
            self._loop.call_at(until, self._resume)

    async def nap(self, seconds: float) -> None:
        """Sleep, but no longer than until everything is broken off."""
        if self.broken_off or seconds <= 0:
            return
        future: asyncio.Future[bool] = self._loop.create_future()
        timer = self._loop.call_later(seconds, _tell, future, True)
        self._naps.add(future)
        try:
            await future
        finally:
            timer.cancel()
            self._naps.discard(future)

    def finish(self) -> None:
        """Take no new request; those under way go on."""
        self._finished = True
        while self._new:
            _tell(self._new.popleft(), False)

    def break_off(self) -> None:
        """Take no new request, and let those that wait see that there is nothing to wait for."""
        self.finish()
        self.broken_off = True
        self._grant()
        for future in self._naps:
            _tell(future, True)

    def _is_free(self) -> bool:
        return self.broken_off or (self._running + 1 <= self._limit.now and not self._paused_until)

    async def _wait(self, queue: deque[asyncio.Future[bool]]) -> bool:
        future: asyncio.Future[bool] = self._loop.create_future()
        queue.append(future)
        return await future

    def _resume(self) -> None:
        if self._loop.time() >= self._paused_until - 1e-3:  # a later pause brings its own timer
            self._paused_until = 0.0
            self._grant()

    def _grant(self) -> None:
        while (self._again or self._new) and self._is_free():
            is_new = not self._again
            if is_new and not self._may_take(self.under_way):
                return
            self._running += 1
            self.under_way += is_new
            _tell((self._new if is_new else self._again).popleft(), True)


def _tell(future: asyncio.Future[bool], answer: bool) -> None:
    if not future.done():
        future.set_result(answer)
