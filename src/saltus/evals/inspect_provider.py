"""A Saltus model as a model provider of Inspect, `saltus/LOCATION`; `inspect_tasks` runs on it.

Inspect asks for one answer at a time, from many samples at once. What waits is put to the model in one batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolCall as InspectCall

from saltus.evals.asking import Answered, Asker, Question
from saltus.models import load_model
from saltus.models.protocol import Model
from saltus.records.errors import ModelError, SaltusError
from saltus.records.evidence import ModelRecord
from saltus.records.ids import content_hash
from saltus.records.requests import GenerateRequest, Generation, Message, ToolCall

if TYPE_CHECKING:
    _Base = object
else:
    from inspect_ai.model import ModelAPI as _Base

AT_ONCE = 64  # samples that Inspect keeps under way
_MOST_TOKENS = 2048  # of an answer whose task sets no limit
_GATHER = 0.002  # seconds in which further requests join a batch
_STOP_REASONS: dict[str, Any] = {
    "length": "max_tokens",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


class SaltusAPI(_Base):  # type: ignore[misc,unused-ignore]
    """Answers Inspect's requests by a Saltus model.

    Args:
        model_name: Where the model is: a directory, `hf:NAME@REVISION`, a URL; or only a name, with `use`.
        base_url: Not used.
        api_key: Not used.
        config: Inspect's settings for all requests.
        chat: Put single questions as messages too, in the model's chat template.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - as Inspect's own providers have it
        *,
        chat: bool = False,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)  # type: ignore[call-arg,unused-ignore]
        self._location = model_name
        self._chat = chat
        self._model: Model | None = None
        self._asker = Asker(_NoCache())
        self._waiting: list[_Waiting] = []
        self._asking = False
        self._asked: Counter[str] = Counter()

    def use(self, model: Model, asker: Asker, *, chat: bool) -> None:
        """Answer by a model that is there already, through the cache of a store."""
        self._model, self._asker, self._chat = model, asker, chat

    async def generate(
        self, input: list[Any], tools: list[Any], tool_choice: Any, config: GenerateConfig
    ) -> ModelOutput:
        """One answer."""
        request = self._request(input, tools, config)
        answered = await self._answer(request)
        if answered.answer is None:
            raise ModelError(answered.problem)
        return _output(answered.answer, answered.seconds, self._location, config)

    def max_tokens(self) -> int:
        """Of an answer whose task sets no limit."""
        return _MOST_TOKENS

    def max_connections(self) -> int:
        """Requests that are under way together."""
        return AT_ONCE

    def connection_key(self) -> str:
        """Each model counts its own requests."""
        return self._location

    def _request(self, messages: list[Any], tools: list[Any], config: GenerateConfig) -> GenerateRequest:
        request = GenerateRequest(
            "",
            max_tokens=config.max_tokens or _MOST_TOKENS,
            stop=tuple(config.stop_seqs or ()),
            temperature=config.temperature or 0.0,
            top_p=config.top_p if config.top_p is not None else 1.0,
            seed=config.seed or 0,
            tools=_tools(tools) if tools else "",
            schema=_schema(config.response_schema),
        )
        converted = [_message(message) for message in messages]
        plain = len(converted) == 1 and converted[0].role == "user" and not tools and not self._chat
        if plain:
            return msgspec.structs.replace(request, prompt=converted[0].content)
        return msgspec.structs.replace(request, messages=tuple(converted))

    async def _answer(self, request: GenerateRequest) -> Answered[Generation]:
        """Wait for an answer; whoever finds nobody asking asks for all that wait."""
        mine = _Waiting(request, self._repeat(request))
        self._waiting.append(mine)
        try:
            while mine.answered is None:
                if self._asking:
                    await mine.event.wait()
                    mine.event = anyio.Event()
                else:
                    await self._ask_for_all()
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)  # given up
            self._wake_next()
        return mine.answered

    async def _ask_for_all(self) -> None:
        self._asking = True
        batch: list[_Waiting] = []
        try:
            await anyio.sleep(_GATHER)
            batch, self._waiting = self._waiting, []
            await anyio.to_thread.run_sync(self._ask, batch)
        finally:
            self._asking = False
            for one in batch:
                one.event.set()

    def _wake_next(self) -> None:
        if self._waiting and not self._asking:
            self._waiting[0].event.set()

    def _repeat(self, request: GenerateRequest) -> int:
        """Which time this is asked: epochs ask the same, and want answers of their own."""
        key = content_hash(request)
        self._asked[key] += 1
        return self._asked[key] - 1

    def _ask(self, batch: Sequence[_Waiting]) -> None:
        try:
            if self._model is None:
                self._model = load_model(ModelRecord(name=self._location, location=self._location))
            apart = hasattr(self._model, "stream")  # a model behind a network may answer otherwise again
            questions = [Question(one.seeded, one, one.repeat if apart else 0) for one in batch]
            self._asker.ask(self._model, questions, _take)
        except SaltusError as error:  # the model cannot be loaded, or the budget is used up
            for one in batch:
                one.answered = one.answered or Answered(None, str(error))


class _Waiting:
    """A request without an answer yet."""

    __slots__ = ("answered", "event", "repeat", "request")

    def __init__(self, request: GenerateRequest, repeat: int) -> None:
        self.request, self.repeat = request, repeat
        self.answered: Answered[Generation] | None = None
        self.event = anyio.Event()

    @property
    def seeded(self) -> GenerateRequest:
        """The request; where it is sampled, with a seed of its own each time it is asked."""
        request = self.request
        if not request.temperature:
            return request
        return msgspec.structs.replace(request, seed=request.seed + self.repeat)


def _take(question: Question, answered: Answered[Any]) -> None:
    question.place.answered = answered


class _NoCache:
    """For a model that Inspect itself loads: there is no store."""

    def get_many(self, keys: Sequence[str], /) -> Mapping[str, bytes]:
        return {}

    def put(self, key: str, value: bytes, /, *, replace: bool = False) -> None:
        return None


SaltusProvider = modelapi(name="saltus")(SaltusAPI)


def _message(message: Any) -> Message:
    calls = tuple(
        ToolCall(call.function, msgspec.json.encode(call.arguments).decode(), call.id)
        for call in getattr(message, "tool_calls", None) or ()
    )
    return Message(message.role, message.text, calls, getattr(message, "tool_call_id", None) or "")


def _tools(tools: Sequence[Any]) -> str:
    listed = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters.model_dump(exclude_none=True),
            },
        }
        for tool in tools
    ]
    return msgspec.json.encode(listed).decode()


def _schema(given: Any) -> str:
    return "" if given is None else str(given.json_schema.model_dump_json(exclude_none=True))


def _output(answer: Generation, seconds: float, model: str, config: GenerateConfig) -> ModelOutput:
    calls = [_call(call, number) for number, call in enumerate(answer.tool_calls)]
    logprobs = None
    if config.logprobs and answer.logprobs:
        logprobs = Logprobs(content=[Logprob(token="", logprob=value) for value in answer.logprobs])
    return ModelOutput(
        model=model,
        choices=[
            ChatCompletionChoice(
                message=ChatMessageAssistant(
                    content=answer.text, tool_calls=calls or None, model=model, source="generate"
                ),
                stop_reason=_STOP_REASONS.get(answer.finish, "stop"),
                logprobs=logprobs,
            )
        ],
        usage=ModelUsage(
            input_tokens=answer.prompt_tokens,
            output_tokens=answer.completion_tokens,
            total_tokens=answer.prompt_tokens + answer.completion_tokens,
        ),
        time=seconds,
    )


def _call(call: ToolCall, number: int) -> InspectCall:
    arguments: Any = None
    problem = None
    try:
        arguments = msgspec.json.decode(call.arguments or "{}")
    except msgspec.DecodeError as error:
        problem = f"the arguments are no JSON ({error})"
    if problem is None and not isinstance(arguments, dict):
        problem = "the arguments are no JSON object"
    return InspectCall(
        id=call.id or f"call_{number}",
        function=call.name,
        arguments=arguments if isinstance(arguments, dict) else {},
        parse_error=problem,
    )
