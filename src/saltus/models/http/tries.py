"""Tries a request until it is answered: retries with full jitter, waits for the server, and gives up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TypeVar

from saltus.models.http.abilities import Abilities
from saltus.models.http.bodies import Sent
from saltus.models.http.client import Client, Got
from saltus.models.http.limit import Limit
from saltus.models.http.options import Options
from saltus.models.http.problems import RejectedError, TryFailedError, cannot_be_reached
from saltus.models.http.rates import Rates
from saltus.models.http.workers import Stream
from saltus.records.errors import ModelError

T = TypeVar("T")
_LONGEST_BACKOFF = 60.0  # seconds
_GIVE_UP_AFTER = 8  # requests in a row that failed for reasons of the server
_OF_THE_SERVER = frozenset({401, 403, 404, 429})  # refusals that all other requests would get too


class Tries:
    """All tries of one stream.

    Args:
        base: The server, for messages.
        options: Timeouts and retries.
        client: Sends.
        stream: Whose gate each try goes through.
        limit: Learns how the tries went.
        rates: Requests and tokens a minute.
        abilities: Learns what the server refuses.
    """

    def __init__(
        self,
        base: str,
        options: Options,
        *,
        client: Client,
        stream: Stream,
        limit: Limit,
        rates: Rates,
        abilities: Abilities,
    ) -> None:
        self._base, self._options = base, options
        self._client, self._stream, self._gate = client, stream, stream.gate
        self._limit, self._rates, self._abilities = limit, rates, abilities
        self._loop = asyncio.get_running_loop()
        self._answered = 0
        self._failed_in_a_row = 0
        self._random = random.Random()  # noqa: S311 - spreads retries over time

    async def ask(
        self,
        body: Callable[[frozenset[str]], Sent],
        read: Callable[[Got], T],
        *,
        tokens: float,
        since: float,
    ) -> T:
        """Get one answer.

        Args:
            body: Writes the request without the optional parts it is given.
            read: Reads the answer; raises TryFailedError when it is none.
            tokens: What the request may use, for the rate limit.
            since: When the request was taken, on the loop's clock.

        Raises:
            ModelError: There is no answer after all tries, or the server refuses the request.
        """
        abilities, end = self._abilities, self._end(since)
        left, answered, doubted = self._options.retries, self._answered, frozenset[str]()
        while True:
            sent = body(abilities.refused | doubted)
            if self._rates.any:
                await self._gate.nap(self._rates.reserve(tokens, self._loop.time()))
            if self._stream.gone is not None:
                raise self._stream.gone
            started = self._loop.time()
            try:
                got = await self._client.post(
                    sent.endpoint, sent.data, stream=self._options.stream, until=end
                )
                answer = read(got)
            except RejectedError as error:
                blamed = abilities.blamed(error, sent.used)
                if sent.used & abilities.refused:
                    continue  # another request learned it meanwhile
                if not blamed:
                    raise self._rejected(error) from None
                doubted |= blamed
            except TryFailedError as error:
                if error.pushes_back:
                    self._limit.pushed_back(started, self._loop.time())
                self._rates.settle(tokens, 0)
                # A server that throttles one request while it answers others is no reason to give up.
                left -= not (error.throttled and self._answered > answered)
                answered = self._answered
                await self._wait(error, left, end)
            else:
                self._limit.succeeded(self._loop.time() - started)
                self._answered += 1
                self._failed_in_a_row = 0
                abilities.proved(sent.used)
                if doubted:
                    abilities.refuse(doubted)
                return answer

    def _end(self, since: float) -> float | None:
        return None if self._options.deadline is None else since + self._options.deadline

    async def _wait(self, error: TryFailedError, left: int, end: float | None) -> None:
        """Wait before the next try, with the slot given back; raise when there is none."""
        options = self._options
        done = max(0, options.retries - left - 1)
        longest = min(_LONGEST_BACKOFF, options.backoff * 2**done)
        jitter = self._random.uniform(0, longest)
        seconds = max(jitter, error.wait or 0.0)
        if left < 0:
            raise self._failed(error, f"after {options.retries + 1} tries" if options.retries else "")
        if end is not None and self._loop.time() + seconds >= end:
            raise self._failed(
                error, f"and the deadline of {options.deadline:g} seconds left no time to try again"
            )
        if error.wait is not None:
            if error.wait > options.timeout:
                raise self._failed(error, f"and the server asks to wait {error.wait:,.0f} seconds")
            self._gate.pause(error.wait)  # what the server asks of one request holds for all
        self._gate.leave(answered=False)
        await self._gate.nap(jitter)
        await self._gate.enter_again()

    def _failed(self, error: TryFailedError, after: str) -> ModelError:
        if self._stream.gone is not None:
            return self._stream.gone
        self._count_failure(
            cannot_be_reached(self._base, error)
            if error.unreachable
            else ModelError(f"{self._base} failed {_GIVE_UP_AFTER} requests in a row, the last with: {error}")
        )
        return ModelError(" ".join(part for part in (f"{self._base} failed:", str(error), after) if part))

    def _rejected(self, error: RejectedError) -> ModelError:
        if error.status in _OF_THE_SERVER:
            self._count_failure(
                ModelError(f"{self._base} refused {_GIVE_UP_AFTER} requests in a row: {error}")
            )
        else:
            self._failed_in_a_row = 0  # it is alive, and speaks of this request
        return ModelError(f"{self._base} refused the request: {error}")

    def _count_failure(self, why: ModelError) -> None:
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= _GIVE_UP_AFTER:
            self._stream.break_off(why)
