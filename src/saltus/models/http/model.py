"""`HttpModel`: a model behind an OpenAI-compatible server, which answers many requests at a time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from saltus.models.http.abilities import Abilities
from saltus.models.http.address import parse_address
from saltus.models.http.bodies import Bodies
from saltus.models.http.budget import Budget
from saltus.models.http.client import Client
from saltus.models.http.exchange import Exchange, Parts
from saltus.models.http.limit import Limit
from saltus.models.http.options import Options, read_key, read_options
from saltus.models.http.probe import find_model, learn_scoring
from saltus.models.http.rates import Rates
from saltus.models.http.tries import Tries
from saltus.models.http.wire import RESERVED
from saltus.models.http.workers import Stream, collect, run_here, run_stream
from saltus.models.protocol import Deliver, Request
from saltus.records.errors import ModelError
from saltus.records.evidence import ModelRecord
from saltus.records.ids import content_hash
from saltus.records.requests import GenerateRequest, Generation, Loglikelihood, LoglikelihoodRequest

T = TypeVar("T")
_MOST_TO_START = 256  # a server that can take more is found out within a round trip or two


class HttpModel:
    """A model at a server that speaks the OpenAI API: vLLM, SGLang, llama.cpp, Ollama, `transformers serve`.

    Nothing is sent before it is first asked something.

    Args:
        location: `http(s)://HOST:PORT/v1#MODEL-NAME`; the name may be left out where the server has one
            model.
        record: Who the model is; made from the location when None.
        options: See `saltus.models.http.options.Options`.

    Raises:
        UsageError: The location is no such URL, an option is unknown or out of range, or the variable with
            the key is not set.

    Examples:
        ```python
        model = HttpModel("http://localhost:8000/v1#Qwen/Qwen3-8B", connections=128, timeout=60)
        [answer] = model.generate([GenerateRequest("The capital of France is", max_tokens=3)])
        ```
    """

    def __init__(self, location: str, *, record: ModelRecord | None = None, **options: Any) -> None:
        self._address = parse_address(location)
        if self._address.api:
            options = {"api": self._address.api, **options}
        self._options = read_options(Options, options, reserved=RESERVED)
        self._key = read_key(self._options, self._address)
        self._record = record or ModelRecord(name=self._address.name, location=location)
        self._name = self._address.model
        self._abilities = Abilities(self._options)
        self._limit = make_limit(self._options)
        self._rates = Rates(self._options.requests_per_minute, self._options.tokens_per_minute)
        self._budget = Budget(self._options)

    def __repr__(self) -> str:
        return f"HttpModel({self._record.id!r}, at {self._address.base!r})"

    @property
    def record(self) -> ModelRecord:
        """Who this is: name, revision, scale."""
        return self._record

    @property
    def fingerprint(self) -> str:
        """Content hash of the address, the names, and the options that change answers.

        A server does not say which weights it holds: give the record a revision when they change.
        """
        return content_hash(
            {
                "base": self._address.base,
                "model": self._model_name(),
                "revision": self._record.revision,
                "api": self._options.api,
                "logprobs": self._options.logprobs,
                "extra": self._options.extra,
            }
        )

    @property
    def scores_text(self) -> bool:
        """Whether the server gives log-probabilities of text that it is sent; asked, if that is not known.

        A server that cannot be asked is taken to be one that does: each request then says what is wrong.
        """
        if self._abilities.scoring == "auto":
            try:
                bodies = self._bodies()
                self._with_client(
                    lambda client: learn_scoring(
                        client, bodies, self._abilities, self._address.base, self._options
                    )
                )
            except ModelError:
                return True
        return self._abilities.scoring != "none"

    @property
    def prices(self) -> tuple[float, float]:
        """Of a million prompt tokens and of a million completion tokens."""
        return self._options.price_in, self._options.price_out

    @property
    def spent(self) -> Budget:
        """What the answers have cost until now."""
        return self._budget

    @property
    def refused(self) -> frozenset[str]:
        """Optional parts of requests that the server does not take, such as "logprobs"; they are left out."""
        return self._abilities.refused

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Continue each prompt.

        Raises:
            ModelError: One of them has no answer.
        """
        return collect(self, requests)

    def loglikelihood(self, requests: Sequence[LoglikelihoodRequest]) -> list[Loglikelihood]:
        """Score each context's continuations.

        Raises:
            ModelError: One of them has no answer, or the server cannot score text.
        """
        return collect(self, requests)

    def stream(self, requests: Iterable[Request], deliver: Deliver) -> None:
        """Answer all requests, in any order; see `saltus.models.protocol.StreamingModel`.

        Raises:
            BudgetError: The budget is used up; what was taken is delivered.
        """
        if not self._budget.has_room(0):
            raise self._budget.error()
        parts = Parts(
            self._address.base, self._options, self._bodies(), self._abilities, self._rates, self._budget
        )
        run_stream(lambda taken, give: self._stream(parts, taken, give), requests, deliver)

    def close(self) -> None:
        """Nothing is held between two streams."""

    async def _stream(self, parts: Parts, requests: Iterable[Request], deliver: Deliver) -> None:
        client = self._client()
        try:
            stream = Stream(requests, deliver, limit=self._limit, budget=self._budget)
            tries = Tries(
                self._address.base,
                self._options,
                client=client,
                stream=stream,
                limit=self._limit,
                rates=self._rates,
                abilities=self._abilities,
            )
            await stream.run(Exchange(parts, client=client, tries=tries, stream=stream).answer)
        finally:
            await client.close()

    def _bodies(self) -> Bodies:
        options = self._options
        return Bodies(
            self._model_name(), logprobs=options.logprobs, stream=options.stream, extra=options.extra
        )

    def _model_name(self) -> str:
        if not self._name:
            self._name = self._with_client(
                lambda client: find_model(client, self._address.base, self._options)
            )
        return self._name

    def _client(self) -> Client:
        return Client(
            self._address.base,
            key=self._key,
            timeout=self._options.timeout,
            deadline=self._options.deadline,
            local=self._address.local,
        )

    def _with_client(self, ask: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        async def main() -> T:
            client = self._client()
            try:
                return await ask(client)
            finally:
                await client.close()

        return run_here(main)


def make_limit(options: Any) -> Limit:
    """The limit of a remote model, before it has answered anything."""
    start = options.start_connections or min(_MOST_TO_START, options.connections)
    return Limit(start, options.min_connections, options.connections)
