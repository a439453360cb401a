"""`ClusterModel`: a model that is asked on the workers of a cluster, and looked at on this machine only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from saltus.models.http.workers import collect
from saltus.models.protocol import Deliver, Model, Request, StreamingModel
from saltus.records.evidence import ModelRecord
from saltus.records.requests import GenerateRequest, Generation, Loglikelihood, LoglikelihoodRequest


class ClusterModel:
    """Made by `Cluster.load`.

    Args:
        inner: The same model on this machine. Its weights are not loaded: it says who it is.
        ask: Streams requests through the workers.
    """

    def __init__(self, inner: Model, ask: Callable[[Iterable[Request], Deliver], None]) -> None:
        self._inner = inner
        self._ask = ask

    def __repr__(self) -> str:
        return f"ClusterModel({self._inner!r})"

    @property
    def record(self) -> ModelRecord:
        """Who this is: name, revision, scale."""
        return self._inner.record

    @property
    def fingerprint(self) -> str:
        """That of the model on this machine, so that answers are cached alike."""
        return self._inner.fingerprint

    @property
    def scores_text(self) -> bool:
        """Whether it gives log-probabilities of text."""
        return bool(getattr(self._inner, "scores_text", True))

    @property
    def prices(self) -> tuple[float, float]:
        """Of a million prompt tokens and of a million completion tokens."""
        found: tuple[float, float] = getattr(self._inner, "prices", (0.0, 0.0))
        return found

    @property
    def repeats(self) -> bool:
        """Whether asking the same again may give another answer: not of a model that runs here."""
        return isinstance(self._inner, StreamingModel)

    def prepare(self) -> None:
        """Nothing: the workers read the files."""

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Continue each prompt.

        Raises:
            ModelError: One of them has no answer.
        """
        answers: list[Any] = collect(self, requests)
        return answers

    def loglikelihood(self, requests: Sequence[LoglikelihoodRequest]) -> list[Loglikelihood]:
        """Score each context's continuations.

        Raises:
            ModelError: One of them has no answer.
        """
        answers: list[Any] = collect(self, requests)
        return answers

    def stream(self, requests: Iterable[Request], deliver: Deliver) -> None:
        """Answer all requests on the workers, in any order.

        Raises:
            ModelError: No worker starts, or the cluster cannot be reached any more.
        """
        self._ask(requests, deliver)

    def close(self) -> None:
        """Close the model here; the workers let go of theirs when they are asked another."""
        self._inner.close()
