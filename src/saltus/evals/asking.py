"""Puts requests to a model, but only those whose answer is not cached; one that fails costs no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from saltus.models.protocol import Model
from saltus.records.errors import SaltusError
from saltus.records.ids import content_hash
from saltus.records.requests import GenerateRequest, Generation, Loglikelihood, LoglikelihoodRequest

_FORMAT = 2  # of what is cached
_GIVE_UP_AFTER = 8  # requests that failed alone, with no answer between them

Q = TypeVar("Q", GenerateRequest, LoglikelihoodRequest)
A = TypeVar("A", Generation, Loglikelihood)


class Cache(Protocol):
    """What is needed of the store's response cache."""

    def get_many(self, keys: Sequence[str], /) -> Mapping[str, bytes]:
        """The values that are there."""
        ...

    def put_many(self, items: Mapping[str, bytes], /) -> None:
        """Keep values."""
        ...


class Answered(msgspec.Struct, Generic[A], frozen=True):
    """What came back for one request.

    Attributes:
        answer: None when the request failed.
        problem: One sentence, empty when it did not.
        seconds: Its share of the time of the call; 0 when the answer was known.
    """

    answer: A | None
    problem: str = ""
    seconds: float = 0.0


class Asker:
    """Counts what it sends.

    Args:
        cache: Where answers are looked up and kept.
        refresh: Send everything, known or not.

    Attributes:
        sent: Requests sent to models.
        known: Requests that did not have to be sent.
    """

    def __init__(self, cache: Cache, *, refresh: bool = False) -> None:
        self.sent = 0
        self.known = 0
        self._cache = cache
        self._refresh = refresh
        self._failed_in_a_row = 0
        self._model = ""

    def generate(self, model: Model, requests: Sequence[GenerateRequest]) -> list[Answered[Generation]]:
        """An answer or a problem for each request, in their order."""
        return self._ask(model, model.generate, requests, Generation)

    def loglikelihood(
        self, model: Model, requests: Sequence[LoglikelihoodRequest]
    ) -> list[Answered[Loglikelihood]]:
        """An answer or a problem for each request, in their order."""
        return self._ask(model, model.loglikelihood, requests, Loglikelihood)

    def _ask(
        self, model: Model, call: Callable[[Sequence[Q]], list[A]], requests: Sequence[Q], kind: type[A]
    ) -> list[Answered[A]]:
        if model.fingerprint != self._model:
            self._model, self._failed_in_a_row = model.fingerprint, 0
        keys = [content_hash([_FORMAT, kind.__name__, model.fingerprint, request]) for request in requests]
        found = self._known(keys, kind)
        fresh = {key: request for key, request in zip(keys, requests, strict=True) if key not in found}
        self.known += len(requests) - len(fresh)
        answers = dict(zip(fresh, self._split(call, list(fresh.values())), strict=True))
        encode = msgspec.msgpack.Encoder().encode
        self._cache.put_many(
            {key: encode(one.answer) for key, one in answers.items() if one.answer is not None}
        )
        found |= answers
        return [found[key] for key in keys]

    def _known(self, keys: Sequence[str], kind: type[A]) -> dict[str, Answered[A]]:
        if self._refresh:
            return {}
        decoder = msgspec.msgpack.Decoder(kind)
        return {key: Answered(decoder.decode(value)) for key, value in self._cache.get_many(keys).items()}

    def _split(self, call: Callable[[Sequence[Q]], list[A]], requests: Sequence[Q]) -> list[Answered[A]]:
        """Ask all at once; when that fails, ask the halves, down to the requests that fail alone."""
        if not requests:
            return []
        started = time.perf_counter()
        self.sent += len(requests)
        try:
            answers = call(requests)
            if len(answers) != len(requests):
                raise RuntimeError(f"{len(requests)} requests got {len(answers)} answers")
        except Exception as error:  # noqa: BLE001 - a model may raise anything; only what it cannot answer is lost
            problem = str(error) if isinstance(error, SaltusError) else f"{type(error).__name__}: {error}"
            self.sent -= len(requests)
        else:
            self._failed_in_a_row = 0
            share = (time.perf_counter() - started) / len(requests)
            return [Answered(answer, seconds=share) for answer in answers]
        if len(requests) == 1:
            self.sent += 1
            self._failed_in_a_row += 1
        if len(requests) == 1 or self._failed_in_a_row >= _GIVE_UP_AFTER:
            return [Answered(None, problem)] * len(requests)
        middle = len(requests) // 2
        first = self._split(call, requests[:middle])
        if self._failed_in_a_row >= _GIVE_UP_AFTER:
            return first + [Answered(None, first[-1].problem)] * (len(requests) - middle)
        return first + self._split(call, requests[middle:])
