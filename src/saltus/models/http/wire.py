"""The JSON of the OpenAI API as typed structs: only what is read or sent, so that decoding is fast."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct


class Usage(Struct, gc=False):
    """Tokens that the server counted."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class TokenLogprob(Struct, gc=False):
    """A generated token, in the form of chat (and of llama.cpp)."""

    token: str = ""
    logprob: float | None = None


class Logprobs(Struct, gc=False):
    """Of generated tokens; completions and chat write them differently."""

    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    content: list[TokenLogprob] | None = None


class Function(Struct, gc=False):
    """Which function is to be called, and with what: JSON text, or from some servers an object."""

    name: str | None = None
    arguments: Raw = Raw()


class Call(Struct, gc=False):
    """A tool call, or a piece of one in a stream."""

    id: str | None = None
    index: int | None = None
    function: Function | None = None


class Part(Struct, gc=False):
    """A part of a message whose content is a list."""

    text: str | None = None


class Said(Struct, gc=False):
    """A chat message, or a piece of one in a stream."""

    content: str | list[Part] | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None


class Choice(Struct, gc=False):
    """One answer: `text` of completions, `message` of chat, `delta` of a chat stream."""

    index: int = 0
    text: str | None = None
    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Reply(Struct, gc=False):
    """A whole answer, or one event of a stream."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Raw = Raw()


class EchoLogprobs(Struct, gc=False):
    """Of the tokens of a prompt that was echoed, with the likeliest token at each place."""

    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float | None] | None] | None = None
    text_offset: list[int] | None = None


class PromptToken(Struct, gc=False):
    """A token of the prompt, as vLLM gives it."""

    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


class ScoredChoice(Struct, gc=False):
    """One scored text."""

    index: int = 0
    text: str | None = None
    logprobs: EchoLogprobs | None = None
    prompt_logprobs: list[dict[str, PromptToken] | None] | None = None


class ScoredReply(Struct, gc=False):
    """The answer to a request that scores texts."""

    choices: list[ScoredChoice] | None = None
    usage: Usage | None = None


class ModelEntry(Struct, gc=False):
    """One model of a server."""

    id: str


class ModelList(Struct, gc=False):
    """The answer of `/models`."""

    data: list[ModelEntry]


class Body(Struct, omit_defaults=True, gc=False):
    """A request; `prompt` of completions, `messages` of chat."""

    model: str
    prompt: str | list[str] | None = None
    messages: list[dict[str, Any]] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | bool | None = None
    echo: bool = False
    prompt_logprobs: int | None = None
    tools: Raw | None = None
    response_format: dict[str, Any] | None = None
    stream: bool = False
    stream_options: dict[str, bool] | None = None


class Problem(Struct):
    """What servers say when they refuse: the OpenAI API's form, and others' own."""

    error: Any = None
    message: Any = None
    detail: Any = None


RESERVED = frozenset(field.encode_name for field in msgspec.structs.fields(Body))
encode = msgspec.json.Encoder().encode
decode_reply = msgspec.json.Decoder(Reply).decode
decode_scored = msgspec.json.Decoder(ScoredReply).decode
decode_models = msgspec.json.Decoder(ModelList).decode
