"""Answers one request after the other with a server's API: the one that fits, with what the server takes."""

from __future__ import annotations

import asyncio

import msgspec

from saltus.models.http.abilities import Abilities
from saltus.models.http.answers import read_answer
from saltus.models.http.bodies import Bodies
from saltus.models.http.budget import Budget
from saltus.models.http.client import Client, Got
from saltus.models.http.options import Options
from saltus.models.http.probe import learn_completions, learn_scoring
from saltus.models.http.problems import TryFailedError
from saltus.models.http.rates import Rates
from saltus.models.http.scoring import Account, continuation, read_scores, split_request
from saltus.models.http.tries import Tries
from saltus.models.http.workers import Stream
from saltus.models.protocol import Answer, Request
from saltus.records.errors import ModelError
from saltus.records.requests import GenerateRequest, Generation, Loglikelihood, LoglikelihoodRequest

_CHARACTERS_A_TOKEN = 4  # until the server has said how many it counts


class Parts(msgspec.Struct, frozen=True):
    """What a model keeps from one stream to the next."""

    base: str
    options: Options
    bodies: Bodies
    abilities: Abilities
    rates: Rates
    budget: Budget


class Exchange:
    """Answers the requests of one stream.

    Args:
        parts: Of the model.
        client: Sends.
        tries: Sends until there is an answer.
        stream: Broken off when the server cannot even be asked what it can do.
    """

    def __init__(self, parts: Parts, *, client: Client, tries: Tries, stream: Stream) -> None:
        self._base, self._options = parts.base, parts.options
        self._bodies, self._abilities = parts.bodies, parts.abilities
        self._rates, self._budget = parts.rates, parts.budget
        self._client, self._tries, self._stream = client, tries, stream
        self._learning = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._characters = self._tokens = 0

    async def answer(self, request: Request) -> Answer:
        """Answer one.

        Raises:
            ModelError: There is no answer.
        """
        if isinstance(request, GenerateRequest):
            return await self._generate(request)
        return await self._score(request)

    async def _generate(self, request: GenerateRequest) -> Generation:
        abilities, bodies = self._abilities, self._bodies
        since = self._loop.time()
        wants_chat = bool(request.messages or request.tools)
        if abilities.completions is None and not wants_chat:
            await self._learn(scoring=False)
        chat = not abilities.completions or (wants_chat and self._options.api == "auto")
        characters = len(request.prompt) + sum(len(message.content) for message in request.messages)
        estimate = self._estimate(characters) + request.max_tokens if self._rates.any else 0.0

        def read(got: Got) -> Generation:
            if got.events is None:
                return read_answer(got.body, request)
            answer = got.events.answer(request)
            return msgspec.structs.replace(answer, first_token=got.first)

        answer = await self._tries.ask(
            lambda without: bodies.generate(request, chat=chat, without=without),
            read,
            tokens=estimate,
            since=since,
        )
        tokens_in = answer.prompt_tokens or self._estimate(characters)
        tokens_out = answer.completion_tokens or -(-len(answer.text) // _CHARACTERS_A_TOKEN)
        self._settle(characters, estimate, tokens_in, tokens_out)
        return answer

    async def _score(self, request: LoglikelihoodRequest) -> Loglikelihood:
        since = self._loop.time()
        if self._abilities.scoring == "auto":
            await self._learn(scoring=True)
        how = self._abilities.scoring
        if how == "none":
            raise ModelError(
                f"{self._base} gives no log-probabilities of text that it is sent, so it cannot score "
                "continuations; use a server with `echo` and `logprobs` (vLLM, SGLang), a local model, or "
                "tasks that generate",
                field="scoring",
            )
        texts, start = split_request(request)
        size = len(texts) if self._abilities.batches else 1
        accounts: list[Account] = []
        for first in range(0, len(texts), size):
            accounts += await self._score_some(texts[first : first + size], how, since)
        scored = [
            continuation(account, text, start, whole=request.rolling)
            for account, text in zip(accounts, texts, strict=True)
        ]
        return Loglikelihood(
            tuple(one for one, _ in scored), prompt_tokens=min((before for _, before in scored), default=0)
        )

    async def _score_some(self, texts: list[str], how: str, since: float) -> list[Account]:
        characters = sum(map(len, texts))
        estimate = self._estimate(characters) + len(texts) if self._rates.any else 0.0
        sent = self._bodies.score(texts, how=how)
        accounts, (tokens_in, tokens_out) = await self._tries.ask(
            lambda _: sent, lambda got: read_scores(got.body, texts), tokens=estimate, since=since
        )
        self._settle(characters, estimate, tokens_in or self._estimate(characters), tokens_out)
        return accounts

    async def _learn(self, *, scoring: bool) -> None:
        """Ask what the server can do, once, however many requests wait for it."""
        async with self._learning:
            if self._stream.gone is not None:
                raise self._stream.gone
            learn = learn_scoring if scoring else learn_completions
            known = self._abilities.scoring != "auto" if scoring else self._abilities.completions is not None
            if known:
                return
            try:
                await learn(self._client, self._bodies, self._abilities, self._base, self._options)
            except (ModelError, TryFailedError) as error:
                self._stream.break_off(error if isinstance(error, ModelError) else ModelError(str(error)))
                raise

    def _estimate(self, characters: int) -> int:
        if self._characters:
            return -(-characters * self._tokens // self._characters)
        return -(-characters // _CHARACTERS_A_TOKEN)

    def _settle(self, characters: int, estimate: float, tokens_in: int, tokens_out: int) -> None:
        self._characters += characters
        self._tokens += tokens_in
        self._budget.count(tokens_in, tokens_out)
        if self._rates.any:
            self._rates.settle(estimate, tokens_in + tokens_out)
