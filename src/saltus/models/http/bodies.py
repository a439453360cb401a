"""Turns requests into the bytes that are sent, with only those optional fields that the server takes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from saltus.models.http.wire import Body, encode
from saltus.records.errors import ModelError
from saltus.records.requests import GenerateRequest, Message

_NOTHING: frozenset[str] = frozenset()


class Sent(msgspec.Struct, frozen=True, gc=False):
    """What goes to the server.

    Attributes:
        endpoint: Below the base URL.
        data: JSON.
        used: Optional parts that are in it.
    """

    endpoint: str
    data: bytes
    used: frozenset[str] = _NOTHING


class Bodies:
    """Writes the bodies of one model's requests.

    Args:
        model: Its name at the server.
        logprobs: Whether to ask for log-probabilities of generated tokens.
        stream: Whether to ask for a stream of events.
        extra: Further fields for every request.
    """

    def __init__(self, model: str, *, logprobs: bool, stream: bool, extra: dict[str, Any]) -> None:
        self._model, self._logprobs, self._stream = model, logprobs, stream
        self._extra = b"," + encode(extra)[1:] if extra else b"}"

    def generate(self, request: GenerateRequest, *, chat: bool, without: frozenset[str]) -> Sent:
        """A request to generate.

        Args:
            request: What is asked.
            chat: Send messages, not text.
            without: Optional parts to leave out.

        Raises:
            ModelError: The request needs chat and the server is asked for completions, or its tools or its
                schema are no JSON.
        """
        if not chat and (request.messages or request.tools):
            raise ModelError(
                "a conversation and tools need a chat API; give the option api=chat or api=auto",
                field="api",
            )
        body = Body(self._model, temperature=request.temperature)
        if chat:
            body.messages = _messages(request)
            if request.tools:
                body.tools = _raw(request.tools, "tools")
        else:
            body.prompt = request.prompt
        if request.top_p != 1:
            body.top_p = request.top_p
        if "max_tokens" in without:
            body.max_completion_tokens = request.max_tokens
        used = self._add_optional(body, request, without, chat=chat)
        endpoint = "/chat/completions" if chat else "/completions"
        return Sent(endpoint, self._encoded(body), _interned(tuple(used)))

    def score(self, texts: list[str], *, how: str) -> Sent:
        """A request for the log-probabilities of texts: all of them in one list, or a single one as it is."""
        body = Body(self._model, prompt=texts if len(texts) > 1 else texts[0], max_tokens=1, temperature=0.0)
        if how == "echo":
            body.echo = True
            body.logprobs = 1
        elif how == "prompt_logprobs":
            body.prompt_logprobs = 0  # the prompt's own tokens, with their ranks
        return Sent("/completions", self._encoded(body))

    def _add_optional(
        self, body: Body, request: GenerateRequest, without: frozenset[str], *, chat: bool
    ) -> list[str]:
        """Write the parts that a server may refuse, and say which were written."""
        used = []
        if "max_tokens" not in without:
            body.max_tokens = request.max_tokens
            used.append("max_tokens")
        if request.stop and "stop" not in without:
            body.stop = request.stop
            used.append("stop")
        if request.temperature > 0 and "seed" not in without:
            body.seed = request.seed
            used.append("seed")
        if self._logprobs and "logprobs" not in without:
            body.logprobs = chat or 1
            used.append("logprobs")
        if request.schema and "schema" not in without:
            inner = {"name": "answer", "schema": _raw(request.schema, "schema"), "strict": True}
            body.response_format = {"type": "json_schema", "json_schema": inner}
            used.append("schema")
        body.stream = self._stream
        if self._stream and "stream_options" not in without:
            body.stream_options = {"include_usage": True}
            used.append("stream_options")
        return used

    def _encoded(self, body: Body) -> bytes:
        return encode(body)[:-1] + self._extra


def _messages(request: GenerateRequest) -> list[dict[str, Any]]:
    if not request.messages:
        return [{"role": "user", "content": request.prompt}]
    return [_message(message) for message in request.messages]


def _message(message: Message) -> dict[str, Any]:
    written: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        written["content"] = message.content or None
        written["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        written["tool_call_id"] = message.tool_call_id
    return written


@lru_cache(maxsize=1024)
def _raw(text: str, field: str) -> msgspec.Raw:
    """JSON text, checked, to be put into a body as it is."""
    try:
        msgspec.json.decode(text)
    except msgspec.MsgspecError as error:
        raise ModelError(
            f"the request's {field} are no JSON ({error}); write them as JSON", field=field
        ) from None
    return msgspec.Raw(text.encode())


@lru_cache(maxsize=256)
def _interned(used: tuple[str, ...]) -> frozenset[str]:
    return frozenset(used)
