"""The one protocol that every model implements, local or remote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from saltus.records.errors import ModelError
from saltus.records.evidence import ModelRecord
from saltus.records.requests import GenerateRequest, Generation, Loglikelihood, LoglikelihoodRequest

Request: TypeAlias = GenerateRequest | LoglikelihoodRequest
Answer: TypeAlias = Generation | Loglikelihood


@runtime_checkable
class Model(Protocol):
    """A causal language model that can continue a prompt and score continuations.

    Answers come in the order of the requests. Implementations batch as they like.
    """

    @property
    def record(self) -> ModelRecord:
        """Who this is: name, revision, scale."""
        ...

    @property
    def fingerprint(self) -> str:
        """Content hash of weights, tokenizer and numerics: the model part of the cache key."""
        ...

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Continue each prompt."""
        ...

    def loglikelihood(self, requests: Sequence[LoglikelihoodRequest]) -> list[Loglikelihood]:
        """Score each context's continuations."""
        ...

    def close(self) -> None:
        """Free what the model holds; it is not used afterwards."""
        ...


class Deliver(Protocol):
    """Takes answers as they come."""

    def __call__(self, place: int, answer: Answer | ModelError, seconds: float | None = None, /) -> None:
        """Take one answer.

        Args:
            place: Of its request; 0 is the first one taken.
            answer: Or what went wrong.
            seconds: It took, where the model knows better than a clock that runs from request to answer.
        """
        ...


@runtime_checkable
class StreamingModel(Model, Protocol):
    """A model that answers many requests at a time, each when it is ready: one behind a network."""

    def stream(self, requests: Iterable[Request], deliver: Deliver) -> None:
        """Answer all requests, in any order; returns when the last one was delivered.

        Args:
            requests: Taken one by one, only as fast as they can be sent, so that it may be an endless
                generator in bounded memory.
            deliver: Called in the caller's thread, with each answer or what went wrong with it after all
                tries. What it raises ends the stream: what is in flight is dropped and the error comes out
                here.

        Raises:
            BudgetError: The budget is used up. No further request was taken; those that were are delivered.
        """
        ...
