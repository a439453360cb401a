"""Reads generated answers: text, log-probabilities, tool calls, why it ended; whole or as a stream."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec

from saltus.models.http.problems import TryFailedError, server_message
from saltus.models.http.wire import Call, Choice, Function, Logprobs, Reply, Said, Usage, decode_reply
from saltus.records.requests import GenerateRequest, Generation, ToolCall

FINISH = {  # why an answer ended, in the servers' words and in ours; all else is "stop"
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_BROKEN_OFF = frozenset({"abort", "error", "cancelled"})


def read_answer(body: bytes, request: GenerateRequest) -> Generation:
    """Read a whole answer.

    Raises:
        TryFailedError: It is cut off, or something else than an answer.
    """
    if body.startswith(b"data:"):  # a stream that nobody asked for
        events = Events()
        events.feed(body)
        return events.answer(request)
    try:
        reply = decode_reply(body)
    except msgspec.MsgspecError as error:
        raise TryFailedError(f"the answer is no JSON of the OpenAI API ({error})") from None
    if not reply.choices:
        raise TryFailedError(f"the answer has no choices: {server_message(body)[0]}")
    choice = reply.choices[0]
    said = choice.message
    text = choice.text or "" if said is None else _text(said)
    logprobs, tokens = _logprobs(choice.logprobs)
    return _finished(
        request,
        text,
        logprobs,
        tokens,
        finish=choice.finish_reason,
        usage=reply.usage,
        calls=() if said is None else _calls(said),
    )


class Events:
    """Puts a stream of server-sent events together.

    Attributes:
        begun: Whether something of the answer was there.
        done: Whether the stream said that it is at its end.
    """

    def __init__(self) -> None:
        self.begun = self.done = False
        self._rest = b""
        self._text: list[str] = []
        self._logprobs: list[float] = []
        self._tokens: list[str] = []
        self._calls: dict[int, list[str]] = {}  # id, name, arguments
        self._finish: str | None = None
        self._usage: Usage | None = None

    def feed(self, data: bytes) -> None:
        """Take what has come.

        Raises:
            TryFailedError: It is no event of the OpenAI API, or says that the server failed.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._take(line[5:].strip())

    def answer(self, request: GenerateRequest) -> Generation:
        """The whole answer.

        Raises:
            TryFailedError: The stream ended before the answer did.
        """
        if self._rest.startswith(b"data:"):
            rest, self._rest = self._rest, b""
            self._take(rest[5:].strip())
        if self._finish is None and not self.done:
            raise TryFailedError("the stream ended before the answer was finished")
        calls = tuple(ToolCall(name, arguments or "{}", id_) for id_, name, arguments in self._calls.values())
        return _finished(
            request,
            "".join(self._text),
            self._logprobs,
            self._tokens,
            finish=self._finish,
            usage=self._usage,
            calls=calls,
        )

    def _take(self, data: bytes) -> None:
        if not data or data == b"[DONE]":
            self.done = self.done or bool(data)
            return
        try:
            event: Reply = decode_reply(data)
        except msgspec.MsgspecError as error:
            raise TryFailedError(f"an event of the stream is no JSON of the OpenAI API ({error})") from None
        if bytes(event.error) not in (b"", b"null"):
            raise TryFailedError(f"the server broke off: {server_message(data)[0]}", pushes_back=True)
        self._usage = event.usage or self._usage
        for choice in event.choices or ():
            self._add(choice)

    def _add(self, choice: Choice) -> None:
        self._finish = choice.finish_reason or self._finish
        said = choice.delta or choice.message
        text = choice.text or "" if said is None else _text(said)
        if text:
            self._text.append(text)
        logprobs, tokens = _logprobs(choice.logprobs)
        self._logprobs += logprobs
        self._tokens += tokens
        if said is not None:
            for call in said.tool_calls or ():
                self._add_call(call)
            if said.function_call is not None:
                self._add_call(Call(index=0, function=said.function_call))
        self.begun = self.begun or bool(text or self._calls)

    def _add_call(self, call: Call) -> None:
        # Some servers give whole calls and no index: then each is one of its own.
        index = call.index if call.index is not None else len(self._calls)
        known = self._calls.setdefault(index, ["", "", ""])
        known[0] = known[0] or call.id or ""
        if call.function is not None:
            known[1] += call.function.name or ""
            known[2] += _arguments(call.function)


def single(values: Sequence[float]) -> tuple[float, ...]:
    """Round to float32, as they are stored, so that a fresh answer equals a remembered one."""
    return tuple(array("f", values))


def first_stop(text: str, stops: Sequence[str]) -> tuple[int, int] | None:
    """Where the first stop string begins and ends, in case the server ignored it or left it in."""
    found = [(at, at + len(stop)) for stop in stops if stop and (at := text.find(stop)) >= 0]
    return min(found) if found else None


def _finished(
    request: GenerateRequest,
    text: str,
    logprobs: list[float],
    tokens: list[str],
    *,
    finish: str | None,
    usage: Usage | None,
    calls: tuple[ToolCall, ...],
) -> Generation:
    if finish in _BROKEN_OFF:
        raise TryFailedError(f"the server broke off ({finish})", pushes_back=True)
    count = usage.completion_tokens if usage is not None else None
    count = len(logprobs) if count is None else count
    cut = first_stop(text, request.stop)
    if cut is not None:
        start, end = cut
        text = text[:start]
        finish = "stop"
        logprobs = logprobs[: _tokens_until(tokens, end)]
    elif finish is None:
        finish = "length" if count >= request.max_tokens else "stop"
    return Generation(
        text,
        single(logprobs) if logprobs else (),
        "tool_calls" if calls and finish == "stop" else FINISH.get(finish or "", "stop"),
        (usage.prompt_tokens if usage is not None else None) or 0,
        count,
        tool_calls=calls,
    )


def _tokens_until(tokens: Sequence[str], end: int) -> int:
    """How many tokens it takes to write so many characters."""
    length = 0
    for count, token in enumerate(tokens, 1):
        length += len(token)
        if length >= end:
            return count
    return len(tokens)


def _logprobs(found: Logprobs | None) -> tuple[list[float], list[str]]:
    """Log-probabilities and texts of tokens; none when one is missing."""
    if found is None:
        return [], []
    if found.content is not None:
        values = [one.logprob for one in found.content if one.logprob is not None]
        tokens = [one.token for one in found.content]
        return (values, tokens) if len(values) == len(tokens) else ([], [])
    values = [value for value in found.token_logprobs or () if value is not None]
    return (values, found.tokens or []) if len(values) == len(found.token_logprobs or ()) else ([], [])


def _text(said: Said) -> str:
    if isinstance(said.content, str):
        return said.content
    if said.content is not None:
        return "".join(part.text or "" for part in said.content)
    return said.refusal or ""


def _calls(said: Said) -> tuple[ToolCall, ...]:
    if said.tool_calls:
        return tuple(
            ToolCall(call.function.name or "", _arguments(call.function) or "{}", call.id or "")
            for call in said.tool_calls
            if call.function is not None
        )
    if said.function_call is not None and said.function_call.name:
        return (ToolCall(said.function_call.name, _arguments(said.function_call) or "{}"),)
    return ()


def _arguments(function: Function) -> str:
    raw = bytes(function.arguments)
    if raw in (b"", b"null"):
        return ""
    return str(msgspec.json.decode(raw)) if raw.startswith(b'"') else raw.decode()
