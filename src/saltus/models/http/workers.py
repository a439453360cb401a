"""Runs one stream: long-lived workers take requests as the gate lets them, and deliver each answer once.

It knows nothing of HTTP: how one request is answered is a coroutine that the model gives.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from saltus.models.http.budget import Budget
from saltus.models.http.gate import Gate
from saltus.models.http.limit import Limit
from saltus.models.protocol import Answer, Deliver, Request, StreamingModel
from saltus.records.errors import ModelError

T = TypeVar("T")
_FAILURES_AT_ONCE = 64  # delivered between two looks at the event loop


class Stream:
    """One call of `StreamingModel.stream`.

    Args:
        requests: Taken one by one.
        deliver: Takes each answer.
        limit: How many requests may be under way.
        budget: What the answers may cost.

    Attributes:
        gate: Through which every try goes.
        gone: Why nothing is tried any more, None while all is well.
    """

    def __init__(
        self, requests: Iterable[Request], deliver: Deliver, *, limit: Limit, budget: Budget
    ) -> None:
        self._requests, self._deliver = iter(requests), deliver
        self._limit, self._budget = limit, budget
        self._taken = 0
        self._exhausted = False
        self._stopped: list[bool] = []
        self.gate = Gate(limit, budget.has_room)
        self.gone: ModelError | None = None

    async def run(self, answer: Callable[[Request], Awaitable[Answer]]) -> None:
        """Answer all requests.

        Args:
            answer: Answers one; raises ModelError when it cannot. Whatever else it raises ends the stream.

        Raises:
            BudgetError: The budget is used up; what was taken is delivered.
        """
        workers = [asyncio.create_task(self._work(answer)) for _ in range(self._limit.most)]
        try:
            await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for worker in workers:
                worker.cancel()
            ended = await asyncio.gather(*workers, return_exceptions=True)
        failed = [one for one in ended if one is not None and not isinstance(one, asyncio.CancelledError)]
        if failed:
            raise failed[0]
        if self.gone is not None:
            await self._fail_the_rest(self.gone)
        elif not self._exhausted:
            raise self._budget.error()

    def break_off(self, why: ModelError) -> None:
        """Try nothing any more: all requests that are not answered fail for this reason."""
        if self.gone is None:
            self.gone = why
            self.gate.break_off()

    async def _work(self, answer: Callable[[Request], Awaitable[Answer]]) -> None:
        try:
            await self._work_on(answer)
        except BaseException:
            self._stopped.append(True)  # before another worker takes or delivers anything
            raise

    async def _work_on(self, answer: Callable[[Request], Awaitable[Answer]]) -> None:
        gate = self.gate
        staying = False
        while (staying or await gate.enter()) and not self._stopped:
            request = next(self._requests, None)
            if request is None:
                self._exhausted = True
                gate.finish()
                gate.leave(answered=True)
                return
            place = self._taken
            self._taken += 1
            try:
                answered: Answer | ModelError = await answer(request)
            except ModelError as error:
                answered = error
            if self._stopped:
                return
            self._deliver(place, answered)
            staying = gate.may_stay()
            if not staying:
                gate.leave(answered=True)

    async def _fail_the_rest(self, why: ModelError) -> None:
        for _ in self._requests:
            self._deliver(self._taken, why)
            self._taken += 1
            if self._taken % _FAILURES_AT_ONCE == 0:
                await asyncio.sleep(0)  # where an interrupt is seen


def run_here(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end in an event loop of its own: in this thread, unless that has one."""
    if in_event_loop():
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: run_here(main)).result()
    with asyncio.Runner() as runner:
        return runner.run(main())


def collect(model: StreamingModel, requests: Sequence[Any]) -> list[Any]:
    """All answers of a stream, in the order of the requests.

    Raises:
        ModelError: One of them has none.
    """
    found: list[Any] = [None] * len(requests)

    def take(place: int, answer: Answer | ModelError, seconds: float | None = None, /) -> None:
        found[place] = answer

    model.stream(requests, take)
    for one in found:
        if isinstance(one, ModelError):
            raise one
    return found


def run_stream(
    main: Callable[[Iterable[Request], Deliver], Coroutine[Any, Any, None]],
    requests: Iterable[Request],
    deliver: Deliver,
) -> None:
    """Run a stream, with requests taken and answers delivered in this thread.

    Where this thread runs an event loop already (a notebook), the stream gets a thread of its own, and only
    the taking and delivering happens here.
    """
    if not in_event_loop():
        run_here(lambda: main(requests, deliver))
        return
    calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def here(call: Callable[[], T]) -> T:
        future: Future[T] = Future()
        calls.put((future, call))
        return future.result()

    source = iter(requests)
    taken: Iterator[Any] = iter(lambda: here(lambda: next(source, None)), None)
    ended: Future[None] = Future()

    def from_there(place: int, answer: Answer | ModelError, seconds: float | None = None, /) -> None:
        here(lambda: deliver(place, answer))  # a clock here would measure the crossing too

    def elsewhere() -> None:
        try:
            run_here(lambda: main(taken, from_there))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            ended.set_exception(error)
        else:
            ended.set_result(None)
        calls.put(None)

    thread = threading.Thread(target=elsewhere, name="saltus-stream", daemon=True)
    thread.start()
    broken: BaseException | None = None
    while (asked := calls.get()) is not None:
        future, call = asked
        try:
            future.set_result(call() if broken is None else _raise(broken))
        except BaseException as error:  # noqa: BLE001 - goes through the stream, which ends by it
            broken = error
            future.set_exception(error)
    thread.join()
    ended.result()


def _raise(error: BaseException) -> Any:
    raise error


def in_event_loop() -> bool:
    """Whether this thread runs an event loop."""
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        return True
    return False
