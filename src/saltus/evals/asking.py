"""Puts questions to a model, but only those whose answer is not known; each answer is kept as it comes.

A local model that answers in batches and one behind a network that answers out of order are both asked
through `Asker.ask`, which holds no more than what is under way.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from saltus.evals.batches import Delivered, stream_batches
from saltus.models.protocol import Answer, Model, Request, StreamingModel
from saltus.records.errors import InputError
from saltus.records.ids import content_hash
from saltus.records.requests import GenerateRequest, Generation, Loglikelihood, LoglikelihoodRequest

_FORMAT = 3  # of what is cached
_LOOKED_UP_AT_ONCE = 512

A = TypeVar("A", Generation, Loglikelihood)


class Cache(Protocol):
    """What is needed of the store's response cache."""

    def get_many(self, keys: Sequence[str], /) -> Mapping[str, bytes]:
        """The values that are there."""
        ...

    def put(self, key: str, value: bytes, /, *, replace: bool = False) -> None:
        """Keep a value, so that killing the process does not lose it."""
        ...


class Answered(msgspec.Struct, Generic[A], frozen=True):
    """What came back for one request.

    Attributes:
        answer: None when the request failed.
        problem: One sentence, empty when it did not.
        seconds: From the request to the answer, or its share of a batch's time; when it was first asked.
        impossible: Whether the request is one that the model cannot answer, however often it is asked.
    """

    answer: A | None
    problem: str = ""
    seconds: float = 0.0
    impossible: bool = False


class Question:
    """One request on its way to its answer.

    Args:
        request: What is asked.
        place: Whatever the asker's caller knows it by.
        repeat: 0, or which repetition of the same request this is: each has an answer of its own.
    """

    __slots__ = ("key", "place", "repeat", "request", "started")

    def __init__(self, request: Request, place: Any = None, repeat: int = 0) -> None:
        self.request = request
        self.place = place
        self.repeat = repeat
        self.key = ""
        self.started = 0.0


class _Kept(msgspec.Struct, Generic[A], array_like=True, frozen=True):
    seconds: float
    answer: A


_ENCODE = msgspec.msgpack.Encoder().encode
_GENERATION = msgspec.msgpack.Decoder(_Kept[Generation]).decode
_LOGLIKELIHOOD = msgspec.msgpack.Decoder(_Kept[Loglikelihood]).decode


class Asker:
    """Counts what it sends.

    Args:
        cache: Where answers are looked up and kept.
        refresh: Send everything, known or not; new answers replace the known ones.

    Attributes:
        sent: Requests sent to models that came back, with an answer or an error.
        answers: Those with an answer.
        known: Requests that did not have to be sent.
        prompt_tokens: Of the answers that were sent for.
        completion_tokens: Likewise.
    """

    def __init__(self, cache: Cache, *, refresh: bool = False) -> None:
        self.sent = 0
        self.answers = 0
        self.known = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self._cache = cache
        self._refresh = refresh

    def ask(
        self,
        model: Model,
        questions: Iterable[Question],
        answered: Callable[[Question, Answered[Any]], Question | None],
    ) -> None:
        """Ask questions, which may be an endless generator, in bounded memory.

        Args:
            model: Whom.
            questions: Taken as fast as the model answers.
            answered: Called with each question and its answer, in any order; a question that it returns is
                asked next.

        Raises:
            BudgetError: The model's budget is used up; what it answered is kept.
        """
        _Course(self, model, iter(questions), answered).run()

    def generate(self, model: Model, requests: Sequence[GenerateRequest]) -> list[Answered[Generation]]:
        """An answer or a problem for each request, in their order."""
        return self._all(model, requests)

    def loglikelihood(
        self, model: Model, requests: Sequence[LoglikelihoodRequest]
    ) -> list[Answered[Loglikelihood]]:
        """An answer or a problem for each request, in their order."""
        return self._all(model, requests)

    def _all(self, model: Model, requests: Sequence[Request]) -> list[Answered[A]]:
        found: list[Answered[A] | None] = [None] * len(requests)

        def take(question: Question, answered: Answered[A]) -> None:
            found[question.place] = answered

        self.ask(model, (Question(request, i) for i, request in enumerate(requests)), take)
        return [one for one in found if one is not None]

    def scores_text(self, model: Model) -> bool:
        """Whether a model gives log-probabilities of text that it is handed.

        One behind a network may have to be asked for that; what it once said is in the cache.
        """
        if not isinstance(model, StreamingModel):
            return True
        known = self._cache.get_many([_ability(model)]).get(_ability(model))
        return bool(getattr(model, "scores_text", True)) if known is None else known == b"yes"

    def remember(self, model: Model, *, scores_text: bool) -> None:
        """Keep what a model that answers was found to be able to do."""
        if isinstance(model, StreamingModel):
            self._cache.put(_ability(model), b"yes" if scores_text else b"no", replace=self._refresh)

    def look_up(self, questions: Sequence[Question]) -> dict[str, bytes]:
        """What is known, by key."""
        if self._refresh:
            return {}
        return dict(self._cache.get_many([question.key for question in questions]))

    def keep(self, question: Question, answer: Answer, seconds: float) -> None:
        """Make an answer outlive this process."""
        self._cache.put(question.key, _ENCODE(_Kept(seconds, answer)), replace=self._refresh)


class _Course:
    """One call of `Asker.ask`."""

    def __init__(
        self,
        asker: Asker,
        model: Model,
        questions: Iterator[Question],
        answered: Callable[..., Question | None],
    ) -> None:
        self._asker = asker
        self._model = model
        self._fingerprint = model.fingerprint
        self._questions = questions
        self._answered = answered
        self._next: deque[Question] = deque()  # follow-ups
        self._flying: dict[int, Question] = {}
        self._alike: dict[str, list[Question]] = {}  # by the key of one that is under way
        self._late: dict[str, Answered[Any]] = {}  # what was answered since the last look-up
        self._fresh = self._unknown()

    def run(self) -> None:
        while (first := next(self._fresh, None)) is not None:
            self._count = itertools.count()
            if isinstance(self._model, StreamingModel):
                self._model.stream(
                    self._requests(first),
                    lambda place, answer, seconds=None: self._deliver([(place, answer, seconds)]),
                )
            else:
                stream_batches(self._model, self._requests(first), self._deliver)
            self._fresh = self._unknown()  # what the last answers led to

    def _requests(self, first: Question) -> Iterator[Request]:
        for question in itertools.chain([first], self._fresh):
            question.started = time.perf_counter()
            self._flying[next(self._count)] = question
            yield question.request

    def _unknown(self) -> Iterator[Question]:
        """The questions that have to be sent; those whose answer is known are answered on the way."""
        while True:
            chunk = [self._next.popleft() for _ in range(min(len(self._next), _LOOKED_UP_AT_ONCE))]
            chunk = chunk or list(itertools.islice(self._questions, _LOOKED_UP_AT_ONCE))
            if not chunk:
                return
            for question in chunk:
                kind = "Generation" if isinstance(question.request, GenerateRequest) else "Loglikelihood"
                asked = [_FORMAT, kind, self._fingerprint, question.request]
                question.key = content_hash([*asked, question.repeat] if question.repeat else asked)
            self._late.clear()
            known = self._asker.look_up(chunk)
            for question in chunk:
                if (value := known.get(question.key)) is not None:
                    self._asker.known += 1
                    self._tell(question, _decoded(question, value))
                elif question.key in self._late:  # while the questions before it were sent
                    self._asker.known += 1
                    self._tell(question, self._late[question.key])
                elif question.key in self._alike:
                    self._asker.known += 1
                    self._alike[question.key].append(question)
                else:
                    self._alike[question.key] = []
                    yield question

    def _deliver(self, delivered: Sequence[Delivered]) -> None:
        """Keep all answers before anything is made of one."""
        asker = self._asker
        told: list[tuple[Question, Answered[Any]]] = []
        for place, answer, seconds in delivered:
            question = self._flying.pop(place)
            asker.sent += 1
            if isinstance(answer, Exception):
                impossible = isinstance(answer, InputError)
                told.append((question, Answered(None, str(answer), impossible=impossible)))
                continue
            taken = time.perf_counter() - question.started if seconds is None else seconds
            asker.keep(question, answer, taken)
            asker.answers += 1
            told.append((question, Answered(answer, seconds=taken)))
            asker.prompt_tokens += answer.prompt_tokens
            if isinstance(answer, Generation):
                asker.completion_tokens += answer.completion_tokens
        for question, answered in told:
            self._late[question.key] = answered
            self._tell(question, answered)
            for other in self._alike.pop(question.key):
                self._tell(other, answered)

    def _tell(self, question: Question, answered: Answered[Any]) -> None:
        follow_up = self._answered(question, answered)
        if follow_up is not None:
            self._next.append(follow_up)


def _ability(model: Model) -> str:
    return content_hash([_FORMAT, "scores text", model.fingerprint])


def _decoded(question: Question, value: bytes) -> Answered[Any]:
    if isinstance(question.request, GenerateRequest):
        written = _GENERATION(value)
        return Answered(written.answer, seconds=written.seconds)
    scored = _LOGLIKELIHOOD(value)
    return Answered(scored.answer, seconds=scored.seconds)
