"""`InspectModel`: a model behind one of the providers of Inspect, such as Anthropic's or Google's own APIs.

Inspect sends, retries and holds the keys; here are only the way there and the way back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta

from saltus.models.http.answers import FINISH, first_stop, single
from saltus.models.http.budget import Budget
from saltus.models.http.limit import Limit
from saltus.models.http.options import Flow, read_options
from saltus.models.http.workers import Stream, collect, run_stream
from saltus.models.protocol import Answer, Deliver, Request
from saltus.records.errors import MissingExtraError, ModelError, UsageError
from saltus.records.evidence import ModelRecord
from saltus.records.ids import content_hash
from saltus.records.requests import (
    GenerateRequest,
    Generation,
    Loglikelihood,
    LoglikelihoodRequest,
    Message,
    ToolCall,
)

_PREFIX = "inspect/"
_GIVE_UP_AFTER = 8  # requests in a row that failed
_MARKUP = re.compile(r"\[/?[a-z ]*\]")  # for terminals, in some of Inspect's messages


class InspectOptions(Flow, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model behind Inspect takes; `Flow` has the rest.

    Attributes:
        timeout: Seconds that one try may take.
        deadline: Seconds after which a request is given up, all tries and waits included; none by default.
        retries: Tries after the first that failed.
        logprobs: Ask for the log-probabilities of generated tokens, where the provider gives them.
        base_url: Another server for this provider.
        model_args: What the provider takes besides, as a dict or as JSON text.
    """

    timeout: Annotated[float, Meta(gt=0)] = 600.0
    deadline: Annotated[float, Meta(gt=0)] | None = None
    retries: Annotated[int, Meta(ge=0)] = 5
    logprobs: bool = True
    base_url: str | None = None
    model_args: dict[str, Any] = msgspec.field(default_factory=dict)


class InspectModel:
    """A model that Inspect knows how to reach.

    Prompts are put as a user's message. Text cannot be scored.

    Args:
        location: `inspect/PROVIDER/MODEL`, with the names that Inspect gives them.
        record: Who the model is; made from the location when None.
        options: See `saltus.models.inspect.InspectOptions`.

    Raises:
        MissingExtraError: inspect-ai is not installed.
        UsageError: The location names no provider and model, or an option is unknown or out of range.

    Examples:
        ```python
        model = InspectModel("inspect/anthropic/claude-sonnet-4-0", connections=20)
        [answer] = model.generate([GenerateRequest("What is the capital of France?")])
        ```
    """

    scores_text = False

    def __init__(self, location: str, *, record: ModelRecord | None = None, **options: Any) -> None:
        self._name = location.removeprefix(_PREFIX)
        if not location.startswith(_PREFIX) or not all(self._name.partition("/")):
            raise UsageError(
                f"{location!r} names no provider and model of Inspect; write it as inspect/PROVIDER/MODEL",
                field="location",
            )
        self._options = read_options(InspectOptions, options)
        if find_spec("inspect_ai") is None:
            raise MissingExtraError(
                f"{location} needs inspect-ai, which is not installed; install it with: "
                'pip install "saltus[inspect]"'
            )
        self._record = record or ModelRecord(name=self._name, location=location)
        self._budget = Budget(self._options)

    def __repr__(self) -> str:
        return f"InspectModel({self._name!r})"

    @property
    def record(self) -> ModelRecord:
        """Who this is: name, revision, scale."""
        return self._record

    @property
    def fingerprint(self) -> str:
        """Content hash of the names and of the options that change answers."""
        options = self._options
        return content_hash(
            {
                "inspect": self._name,
                "revision": self._record.revision,
                "base_url": options.base_url,
                "logprobs": options.logprobs,
                "model_args": {name: repr(value) for name, value in sorted(options.model_args.items())},
            }
        )

    @property
    def prices(self) -> tuple[float, float]:
        """Of a million prompt tokens and of a million completion tokens."""
        return self._options.price_in, self._options.price_out

    @property
    def spent(self) -> Budget:
        """What the answers have cost until now."""
        return self._budget

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Answer each prompt or conversation.

        Raises:
            ModelError: One of them has no answer.
        """
        return collect(self, requests)

    def loglikelihood(self, requests: Sequence[LoglikelihoodRequest]) -> list[Loglikelihood]:
        """Not possible.

        Raises:
            ModelError: If anything is asked.
        """
        return collect(self, requests)

    def stream(self, requests: Iterable[Request], deliver: Deliver) -> None:
        """Answer all requests, in any order; see `saltus.models.protocol.StreamingModel`.

        Raises:
            BudgetError: The budget is used up; what was taken is delivered.
        """
        if not self._budget.has_room(0):
            raise self._budget.error()
        run_stream(self._stream, requests, deliver)

    def close(self) -> None:
        """Nothing is held between two streams."""

    async def _stream(self, requests: Iterable[Request], deliver: Deliver) -> None:
        most = self._options.connections
        # Inspect waits when a server pushes back, so there is no reason to hold back here.
        stream = Stream(requests, deliver, limit=Limit(most, most, most), budget=self._budget)
        session = _Session(self._name, self._options, self._budget, stream)
        await stream.run(session.answer)
        await session.close()


class _Session:
    """Inspect's model, as long as one event loop lives."""

    def __init__(self, name: str, options: InspectOptions, budget: Budget, stream: Stream) -> None:
        self._name, self._options, self._budget, self._stream = name, options, budget, stream
        self._failed_in_a_row = 0
        self._model: Any = None

    async def answer(self, request: Request) -> Answer:
        if isinstance(request, LoglikelihoodRequest):
            raise ModelError(
                f"inspect/{self._name} cannot score text that it is sent; use tasks that generate, or "
                "another model",
                field="scoring",
            )
        if self._stream.gone is not None:
            raise self._stream.gone
        model = self._model = self._model or self._load()
        tools = _tools(request.tools)
        try:
            output = await model.generate(_messages(request), tools=tools, config=self._config(request))
            found = _generation(output, request)
        except ModelError:
            raise
        except Exception as error:  # noqa: BLE001 - each provider raises errors of its own
            self._fail(error)
        self._failed_in_a_row = 0
        self._budget.count(found.prompt_tokens, found.completion_tokens)
        return found

    async def close(self) -> None:
        if self._model is not None:
            await self._model.__aexit__(None, None, None)

    def _fail(self, error: Exception) -> NoReturn:
        self._failed_in_a_row += 1
        said = f"inspect/{self._name} failed: {_line(error)}"
        if self._failed_in_a_row >= _GIVE_UP_AFTER:
            self._stream.break_off(ModelError(f"{said}; so did {_GIVE_UP_AFTER - 1} requests before it"))
        raise ModelError(said) from None

    def _load(self) -> Any:
        try:
            from inspect_ai.model import get_model

            return get_model(
                self._name, base_url=self._options.base_url, memoize=False, **self._options.model_args
            )
        except Exception as error:  # noqa: BLE001 - whatever a provider raises, nothing can be asked without it
            gone = ModelError(f"inspect/{self._name} cannot be used: {_line(error)}", field="location")
            self._stream.break_off(gone)
            raise gone from None

    def _config(self, request: GenerateRequest) -> Any:
        from inspect_ai.model import GenerateConfig

        options = self._options
        return GenerateConfig(
            max_connections=options.connections,
            max_retries=options.retries,
            attempt_timeout=math.ceil(options.timeout),
            timeout=math.ceil(options.deadline) if options.deadline is not None else None,
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p if request.top_p < 1 else None,
            seed=request.seed if request.temperature > 0 else None,
            stop_seqs=list(request.stop) or None,
            logprobs=options.logprobs or None,
            response_schema=_schema(request.schema),
        )


def _messages(request: GenerateRequest) -> list[Any]:
    from inspect_ai.model import (
        ChatMessageAssistant,
        ChatMessageSystem,
        ChatMessageTool,
        ChatMessageUser,
    )
    from inspect_ai.tool import ToolCall as InspectCall

    def converted(message: Message) -> Any:
        match message.role:
            case "system":
                return ChatMessageSystem(content=message.content)
            case "assistant":
                calls = [
                    InspectCall(
                        id=call.id, function=call.name, arguments=_decoded(call.arguments, "arguments")
                    )
                    for call in message.tool_calls
                ]
                return ChatMessageAssistant(content=message.content, tool_calls=calls or None)
            case "tool":
                return ChatMessageTool(content=message.content, tool_call_id=message.tool_call_id)
            case _:
                return ChatMessageUser(content=message.content)

    return [converted(one) for one in request.messages or (Message("user", request.prompt),)]


def _tools(text: str) -> list[Any]:
    if not text:
        return []
    from inspect_ai.tool import ToolInfo, ToolParams

    found = [one.get("function", one) for one in _decoded(text, "tools")]
    return [
        ToolInfo(
            name=one["name"],
            description=one.get("description") or one["name"],
            parameters=ToolParams.model_validate(
                {"properties": {}, **(one.get("parameters") or {}), "type": "object"}
            ),
        )
        for one in found
    ]


def _schema(text: str) -> Any:
    if not text:
        return None
    from inspect_ai.model import ResponseSchema
    from inspect_ai.util import JSONSchema

    return ResponseSchema(name="answer", json_schema=JSONSchema.model_validate(_decoded(text, "schema")))


def _generation(output: Any, request: GenerateRequest) -> Generation:
    if not output.choices:
        raise ValueError(output.error or "the answer is empty")
    choice = output.choices[0]
    text, finish = output.completion, FINISH.get(choice.stop_reason, "stop")
    logprobs = [one.logprob for one in choice.logprobs.content] if choice.logprobs else []
    cut = first_stop(text, request.stop)
    if cut is not None:
        text, finish, logprobs = text[: cut[0]], "stop", []
    usage = output.usage
    tokens_in = (
        usage.input_tokens + (usage.input_tokens_cache_read or 0) + (usage.input_tokens_cache_write or 0)
        if usage
        else 0
    )
    return Generation(
        text,
        single(logprobs),
        finish,
        tokens_in,
        usage.output_tokens if usage else 0,
        tool_calls=tuple(
            ToolCall(call.function, msgspec.json.encode(call.arguments).decode(), call.id)
            for call in choice.message.tool_calls or ()
        ),
    )


def _decoded(text: str, field: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError as error:
        raise ModelError(
            f"the request's {field} are no JSON ({error}); write them as JSON", field=field
        ) from None


def _line(error: BaseException) -> str:
    text = " ".join(_MARKUP.sub("", str(error)).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
