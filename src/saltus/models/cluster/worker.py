"""What runs on the cluster: an actor that holds one model at a time and answers batches of requests."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from saltus._version import __version__
from saltus.models.protocol import Answer, Model, Request, StreamingModel
from saltus.records.errors import InputError, ModelError, SaltusError
from saltus.records.evidence import ModelRecord
from saltus.records.requests import GenerateRequest, Generation, Loglikelihood, LoglikelihoodRequest


class Subject(msgspec.Struct, frozen=True):
    """The model that a batch is for.

    Attributes:
        record: Who it is.
        options: For `load`.
        fingerprint: What the model must have there as here.
        load: Makes it.
    """

    record: ModelRecord
    options: dict[str, Any]
    fingerprint: str
    load: Callable[..., Model]


class Questions(msgspec.Struct, array_like=True):
    """Requests on their way to a worker, all of one kind."""

    generate: list[GenerateRequest] = []
    score: list[LoglikelihoodRequest] = []


class Replies(msgspec.Struct, array_like=True):
    """What a worker found, in the order of the requests.

    Attributes:
        generations: None where there is a problem.
        likelihoods: Likewise.
        problems: Why there is no answer, by place.
        seconds: Of each answer; of a local model its share of the batch.
        failed: Why the batch as a whole has no answers, empty when it has.
        unloadable: Whether that is because this worker cannot have the model.
        impossible: Whether that is because the model cannot be asked such a thing.
    """

    generations: list[Generation | None] = []
    likelihoods: list[Loglikelihood | None] = []
    problems: dict[int, str] = {}
    seconds: list[float] = []
    failed: str = ""
    unloadable: bool = False
    impossible: bool = False

    @property
    def answers(self) -> Sequence[Answer | None]:
        """Of the kind that was asked for."""
        return self.generations or self.likelihoods


ENCODE = msgspec.msgpack.Encoder().encode
_QUESTIONS = msgspec.msgpack.Decoder(Questions).decode
REPLIES = msgspec.msgpack.Decoder(Replies).decode


def pack(requests: Sequence[Request]) -> bytes:
    """Requests of one kind as bytes."""
    return ENCODE(
        Questions(
            [one for one in requests if isinstance(one, GenerateRequest)],
            [one for one in requests if isinstance(one, LoglikelihoodRequest)],
        )
    )


class Worker:
    """Becomes an actor of Ray; whatever a model raises comes back as a value, so an error means a death."""

    def __init__(self) -> None:
        self._model: Model | None = None
        self._fingerprint = ""

    def hello(self) -> tuple[str, str, int]:
        """Version of Saltus, name of the machine, process id."""
        return __version__, platform.node(), os.getpid()

    def ask(self, subject: Subject, packed: bytes) -> bytes:
        """Answer one batch; gives packed `Replies`."""
        try:
            model = self._load(subject)
        except Exception as error:  # noqa: BLE001 - files of others: whatever goes wrong costs this model only
            return ENCODE(Replies(failed=_sentence(error), unloadable=True))
        questions = _QUESTIONS(packed)
        requests = questions.generate or questions.score
        try:
            if isinstance(model, StreamingModel):
                return ENCODE(_stream(model, requests))
            return ENCODE(_batch(model, requests))
        except Exception as error:  # noqa: BLE001 - a model may raise anything; it costs what it cannot answer
            return ENCODE(Replies(failed=_sentence(error), impossible=isinstance(error, InputError)))

    def _load(self, subject: Subject) -> Model:
        if self._model is None or self._fingerprint != subject.fingerprint:
            if self._model is not None:
                self._model.close()
                self._model = None
            model = subject.load(subject.record, **subject.options)
            if model.fingerprint != subject.fingerprint:
                raise ModelError(
                    f"on {platform.node()} {subject.record.id} has other files, or computes in another data "
                    "type, than on the machine that started the run; put the same files there, or name the "
                    "type, for instance with -O dtype=bfloat16"
                )
            self._model, self._fingerprint = model, subject.fingerprint
        return self._model


def _batch(model: Model, requests: Sequence[Any]) -> Replies:
    started = time.perf_counter()
    generates = isinstance(requests[0], GenerateRequest)
    answers: Sequence[Any] = (model.generate if generates else model.loglikelihood)(requests)
    if len(answers) != len(requests):
        raise RuntimeError(f"{len(requests)} requests got {len(answers)} answers")
    seconds = [(time.perf_counter() - started) / len(requests)] * len(requests)
    return Replies(list(answers), seconds=seconds) if generates else Replies([], list(answers), {}, seconds)


def _stream(model: StreamingModel, requests: Sequence[Request]) -> Replies:
    begun: list[float] = []
    seconds = [0.0] * len(requests)
    answers: list[Any] = [None] * len(requests)
    problems: dict[int, str] = {}

    def taken() -> Any:
        for request in requests:
            begun.append(time.perf_counter())
            yield request

    def deliver(place: int, answer: Answer | ModelError, took: float | None = None, /) -> None:
        seconds[place] = time.perf_counter() - begun[place] if took is None else took
        if isinstance(answer, ModelError):
            problems[place] = str(answer)
        else:
            answers[place] = answer

    model.stream(taken(), deliver)
    generates = isinstance(requests[0], GenerateRequest)
    return Replies(answers if generates else [], [] if generates else answers, problems, seconds)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, SaltusError) else f"{type(error).__name__}: {error}"
