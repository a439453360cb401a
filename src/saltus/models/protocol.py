"""The one protocol that every model implements, local or remote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from saltus.records.evidence import ModelRecord
from saltus.records.requests import GenerateRequest, Generation, Loglikelihood, LoglikelihoodRequest


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
