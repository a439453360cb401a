"""Lets a model that answers in batches be asked like one that streams; a failure costs no other request."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from saltus.models.protocol import Answer, Model, Request
from saltus.records.errors import ModelError, SaltusError
from saltus.records.requests import GenerateRequest, LoglikelihoodRequest

AT_ONCE = 1_024  # requests whose lengths are sorted together; what a killed run can lose of a local model
_GIVE_UP_AFTER = 8  # requests that failed alone, with no answer between them


Delivered: TypeAlias = tuple[int, Answer | SaltusError, float | None]  # place, answer, seconds if known


def stream_batches(
    model: Model, requests: Iterable[Request], deliver: Callable[[Sequence[Delivered]], None]
) -> None:
    """Answer all requests, so many at a time; an answer's seconds are its share of its batch's."""
    batches = _Batches(model, deliver)
    numbered = enumerate(requests)
    while chunk := list(itertools.islice(numbered, AT_ONCE)):
        for kind in (GenerateRequest, LoglikelihoodRequest):
            batches.answer([one for one in chunk if isinstance(one[1], kind)])


class _Batches:
    def __init__(self, model: Model, deliver: Callable[[Sequence[Delivered]], None]) -> None:
        self._model = model
        self._deliver = deliver
        self._failed_in_a_row = 0

    def answer(self, asked: Sequence[tuple[int, Request]]) -> None:
        """Ask all at once; when that fails, ask the halves, down to the requests that fail alone."""
        if not asked:
            return
        started = time.perf_counter()
        requests: list[Any] = [request for _, request in asked]
        generates = isinstance(requests[0], GenerateRequest)
        call: Callable[..., Sequence[Any]] = self._model.generate if generates else self._model.loglikelihood
        try:
            answers = call(requests)
            if len(answers) != len(requests):
                raise RuntimeError(f"{len(requests)} requests got {len(answers)} answers")
        except Exception as error:  # noqa: BLE001 - a model may raise anything; only what it cannot answer is lost
            problem = (
                error if isinstance(error, SaltusError) else ModelError(f"{type(error).__name__}: {error}")
            )
        else:
            self._failed_in_a_row = 0
            share = (time.perf_counter() - started) / len(requests)
            self._deliver([(place, answer, share) for (place, _), answer in zip(asked, answers, strict=True)])
            return
        if len(asked) == 1:
            self._failed_in_a_row += 1
        if len(asked) == 1 or self._failed_in_a_row >= _GIVE_UP_AFTER:
            self._deliver([(place, problem, None) for place, _ in asked])
            return
        middle = len(asked) // 2
        self.answer(asked[:middle])
        if self._failed_in_a_row >= _GIVE_UP_AFTER:
            self._deliver([(place, problem, None) for place, _ in asked[middle:]])
            return
        self.answer(asked[middle:])
