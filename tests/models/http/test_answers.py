"""What is sent and what is read: chat and completions, tools, schemas, stop strings, streams, refusals."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.models.http.scripted import Asked, Reply, Scripted, answer_to, ask, chat, completion, prompts

from saltus.models import HttpModel
from saltus.models.http.answers import Events
from saltus.records import GenerateRequest, Generation, Message, ModelError, ToolCall

Connect = Callable[..., HttpModel]
TOOLS = '[{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]'
SCHEMA = '{"type": "object", "properties": {"a": {"type": "integer"}}}'


def one(model: HttpModel, request: GenerateRequest) -> Generation:
    [answer] = model.generate([request])
    return answer


def error(model: HttpModel, request: GenerateRequest) -> str:
    [found] = ask(model, [request]).errors.values()
    return str(found)


def test_a_completion_is_asked_with_what_the_request_says(server: Scripted, connect: Connect) -> None:
    request = GenerateRequest("Q", max_tokens=7, stop=("\n", "END"), temperature=0.5, seed=3, top_p=0.9)
    one(connect(logprobs=True, extra={"min_p": 0.1}), request)
    assert server.asked[0].path == "/v1/completions"
    assert server.asked[0].body == {
        "model": "m",
        "prompt": "Q",
        "max_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "stop": ["\n", "END"],
        "logprobs": 1,
        "min_p": 0.1,
    }
    assert "Authorization" not in server.asked[0].headers


def test_a_greedy_completion_says_no_more_than_it_must(server: Scripted, connect: Connect) -> None:
    one(connect(), GenerateRequest("Q", max_tokens=7, seed=5))
    assert server.asked[0].body == {"model": "m", "prompt": "Q", "max_tokens": 7, "temperature": 0.0}


def test_chat_sends_the_whole_conversation(server: Scripted, connect: Connect) -> None:
    messages = (
        Message("system", "Be brief."),
        Message("user", "1+1?"),
        Message("assistant", "", (ToolCall("add", '{"a":1}', "c1"),)),
        Message("tool", "2", tool_call_id="c1"),
    )
    one(
        connect(api="chat", logprobs=True), GenerateRequest("", messages=messages, tools=TOOLS, schema=SCHEMA)
    )
    body = server.asked[0].body
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    assert server.asked[0].path == "/v1/chat/completions"
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "2", "tool_call_id": "c1"},
    ]
    assert body["tools"] == json.loads(TOOLS)
    assert body["response_format"]["json_schema"]["schema"] == json.loads(SCHEMA)
    assert body["logprobs"] is True


def test_chat_puts_a_prompt_as_a_users_message(server: Scripted, connect: Connect) -> None:
    one(connect(api="chat"), GenerateRequest("Q"))
    assert server.asked[0].body["messages"] == [{"role": "user", "content": "Q"}]


def test_auto_sends_text_and_conversations_to_their_own_endpoint(server: Scripted, connect: Connect) -> None:
    model = connect(api="auto")
    one(model, GenerateRequest("Q"))
    one(model, GenerateRequest("", messages=(Message("user", "Q"),)))
    assert [asked.path.removeprefix("/v1") for asked in server.asked] == [
        "/completions",  # the trial
        "/completions",
        "/chat/completions",
    ]


def test_auto_takes_chat_where_there_are_no_completions(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: (
        Reply(b"", status=404) if asked.path == "/v1/completions" else answer_to(asked)
    )
    model = connect(api="auto", connections=8)
    assert len(ask(model, prompts(20)).answers) == 20
    one(model, GenerateRequest("Q"))
    assert [asked.path for asked in server.asked].count("/v1/completions") == 1


def test_completions_take_no_conversation(server: Scripted, connect: Connect) -> None:
    for request in (GenerateRequest("", messages=(Message("user", "Q"),)), GenerateRequest("Q", tools=TOOLS)):
        assert error(connect(), request) == (
            "a conversation and tools need a chat API; give the option api=chat or api=auto"
        )
    assert server.asked == []


def test_tools_that_are_no_json_are_one_sentence(server: Scripted, connect: Connect) -> None:
    assert "the request's tools are no JSON" in error(connect(api="chat"), GenerateRequest("Q", tools="[{"))
    assert server.asked == []


@pytest.mark.parametrize(
    ("message", "calls"),
    [
        (
            {"tool_calls": [{"id": "a", "function": {"name": "add", "arguments": '{"a": 1}'}}]},
            (ToolCall("add", '{"a": 1}', "a"),),
        ),
        (
            {"content": None, "tool_calls": [{"function": {"name": "add", "arguments": {"a": 1}}}] * 2},
            (ToolCall("add", '{"a":1}'), ToolCall("add", '{"a":1}')),
        ),
        ({"function_call": {"name": "add", "arguments": "{broken"}}, (ToolCall("add", "{broken"),)),
        ({"tool_calls": [{"id": "a", "function": {"name": "now"}}]}, (ToolCall("now", "{}", "a"),)),
    ],
)
def test_tool_calls(server: Scripted, connect: Connect, message: Any, calls: tuple[ToolCall, ...]) -> None:
    server.rule = lambda asked: Reply(chat(message, finish_reason="stop"))
    answer = one(connect(api="chat"), GenerateRequest("Q", tools=TOOLS))
    assert (answer.text, answer.tool_calls, answer.finish) == ("", calls, "tool_calls")


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        (None, "stop"),
    ],
)
def test_why_an_answer_ended(server: Scripted, connect: Connect, said: str | None, ours: str) -> None:
    server.rule = lambda asked: Reply(completion("x", finish_reason=said))
    assert one(connect(), GenerateRequest("Q")).finish == ours


def test_no_word_on_why_it_ended_but_as_long_as_allowed(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(completion("x", finish_reason=None))
    assert one(connect(), GenerateRequest("Q", max_tokens=2)).finish == "length"


@pytest.mark.parametrize(
    ("content", "text"),
    [("x", "x"), (None, ""), ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab")],
)
def test_content_of_a_message(server: Scripted, connect: Connect, content: Any, text: str) -> None:
    server.rule = lambda asked: Reply(chat({"content": content}))
    assert one(connect(api="chat"), GenerateRequest("Q")).text == text


def test_a_refusal_is_an_answer(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(chat({"content": None, "refusal": "I will not."}))
    assert one(connect(api="chat"), GenerateRequest("Q")).text == "I will not."


LOGPROBS = [-0.1234567890123, -2.0, -30.123456789, -0.5]
TEXTS = [" four", "\n", "\nQ", ":"]


@pytest.mark.parametrize(
    "found",
    [
        {"tokens": TEXTS, "token_logprobs": LOGPROBS, "top_logprobs": [{}] * 4, "text_offset": [0, 5, 6, 8]},
        {"content": [{"token": t, "logprob": v} for t, v in zip(TEXTS, LOGPROBS, strict=True)]},
    ],
    ids=["completions", "chat"],
)
def test_log_probabilities_are_rounded_as_they_are_stored_and_end_with_the_stop_string(
    server: Scripted, connect: Connect, found: Any
) -> None:
    server.rule = lambda asked: Reply(completion("".join(TEXTS), logprobs=found))
    whole = one(connect(logprobs=True), GenerateRequest("Q"))
    assert whole.logprobs == tuple(array("f", LOGPROBS))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=Generation) == whole
    cut = one(connect(logprobs=True), GenerateRequest("Q", stop=("Q:", "\n\n")))
    assert (cut.text, cut.finish, cut.logprobs) == (" four", "stop", tuple(array("f", LOGPROBS[:3])))


def test_a_stop_string_that_the_server_ignored(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(completion("42\nQ: 1+1=\nA: 2", finish_reason="length"))
    answer = one(connect(), GenerateRequest("Q", stop=("Q:", "\n", "")))
    assert (answer.text, answer.finish, answer.completion_tokens) == ("42", "stop", 2)


def test_missing_usage_and_log_probabilities_are_no_failure(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(
        {"choices": [{"text": "12345678", "logprobs": {"tokens": ["a"], "token_logprobs": [None]}}]}
    )
    model = connect()
    assert one(model, GenerateRequest("abcdefgh")) == Generation("12345678")
    assert model.spent.tokens == (2, 2)  # by the usual four characters a token


def refuse(field: str, said: str, status: int = 400) -> Callable[[Asked], Reply]:
    def rule(asked: Asked) -> Reply:
        if field in asked.body:
            return Reply({"error": {"message": said}}, status=status)
        return answer_to(asked)

    return rule


@pytest.mark.parametrize(
    ("field", "said", "status", "refused", "request_"),
    [
        ("logprobs", "logprobs are not supported", 400, "logprobs", GenerateRequest("p0")),
        ("logprobs", "Unexpected fields: {'logprobs'}", 422, "logprobs", GenerateRequest("p0")),
        ("logprobs", "invalid request", 400, "logprobs", GenerateRequest("p0")),
        ("response_format", "no response_format", 400, "schema", GenerateRequest("p0", schema=SCHEMA)),
        ("seed", "`seed` is not allowed", 422, "seed", GenerateRequest("p0", temperature=1.0, seed=4)),
        ("max_tokens", "Use 'max_completion_tokens' instead.", 400, "max_tokens", GenerateRequest("p0")),
    ],
)  # fmt: skip
def test_what_a_server_refuses_is_left_out_from_then_on(
    server: Scripted,
    connect: Connect,
    field: str,
    said: str,
    status: int,
    refused: str,
    request_: GenerateRequest,
) -> None:
    server.rule = refuse(field, said, status)
    model = connect(api="chat", logprobs=True, connections=1)
    assert ask(model, [request_, *prompts(5)[1:]]).texts == [f"answer to p{i}" for i in range(5)]
    assert server.tries() == {f"p{number}": 2 if number == 0 else 1 for number in range(5)}
    assert model.refused == {refused} or (said == "invalid request" and refused in model.refused)
    assert model.spent.answers == 5


def test_a_refusal_that_many_requests_meet_at_once(server: Scripted, connect: Connect) -> None:
    server.rule = refuse("logprobs", "no logprobs here")
    model = connect(logprobs=True, connections=8, start_connections=8)
    assert len(ask(model, prompts(50)).answers) == 50
    assert 50 < len(server.asked) <= 58


def test_what_worked_before_is_not_blamed_later(server: Scripted, connect: Connect) -> None:
    long = Reply({"error": {"message": "too long, with logprobs or without"}}, status=400)
    server.rule = lambda asked: long if asked.text == "p3" else answer_to(asked)
    model = connect(logprobs=True, connections=1)
    delivered = ask(model, prompts(6))
    assert server.tries() == {f"p{number}": 1 for number in range(6)}
    assert (list(delivered.errors), model.refused) == ([3], frozenset())


def events(*texts: str, finish: str | None = "stop", done: bool = True) -> list[Any]:
    found: list[Any] = [{"choices": [{"index": 0, "text": text, "finish_reason": None}]} for text in texts]
    if finish:
        found.append({"choices": [{"index": 0, "text": "", "finish_reason": finish}]})
    found.append({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    return [*found, b"data: [DONE]\n\n"] if done else found


def test_a_stream_gives_the_time_to_the_first_token(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(events=events("for", "ty-two\nno more"), pause=0.02)
    answer = one(connect(stream=True), GenerateRequest("Q", stop=("\n",)))
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("forty-two", 3, 2)
    assert answer.first_token > 0
    assert server.asked[0].body["stream"] is True
    assert server.asked[0].body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    "bad",
    [
        Reply(events=events("hal", finish=None, done=False)),
        Reply(events=[]),
        Reply(events=events("half", finish=None, done=False), break_off=True),
        Reply(events=[*events("half", done=False)[:1], b'data: {"choi\n\n']),
        Reply(events=[*events("half", done=False)[:1], {"error": {"message": "out of memory"}}]),
    ],
    ids=["half-closed", "empty", "broken", "garbage", "error"],
)
def test_a_stream_that_does_not_come_to_its_end_is_tried_again(
    server: Scripted, connect: Connect, bad: Reply
) -> None:
    server.rule = lambda asked: bad if asked.try_ == 1 else Reply(events=events(asked.text))
    model = connect(stream=True, connections=3)
    assert ask(model, prompts(6)).texts == [f"p{number}" for number in range(6)]
    assert server.tries() == {f"p{number}": 2 for number in range(6)}
    assert model.spent.answers == 6


@pytest.mark.parametrize(
    "stream", [events("x", done=False), events("x", finish=None)], ids=["finish", "done"]
)
def test_a_stream_ends_with_a_finish_reason_or_a_last_word(
    server: Scripted, connect: Connect, stream: list[Any]
) -> None:
    server.rule = lambda asked: Reply(events=stream)
    assert one(connect(stream=True), GenerateRequest("Q")).text == "x"


def test_a_slow_drip_is_fine_while_the_timeout_holds(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(events=events(*"abcdef"), pause=0.02 if asked.try_ > 1 else 0.3)
    answer = one(connect(stream=True, timeout=1.0), GenerateRequest("Q"))
    assert answer.text == "abcdef"
    assert server.tries() == {"Q": 2}  # the first dripped for longer than a second


def test_a_stream_of_tool_calls(server: Scripted, connect: Connect) -> None:
    def delta(**what: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": what, "finish_reason": None}]}

    pieces = [
        delta(role="assistant", content=None),
        delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "add", "arguments": ""}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '{"a"'}}]),
        delta(tool_calls=[{"index": 1, "id": "b", "function": {"name": "now", "arguments": "{}"}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        b"data: [DONE]\n\n",
    ]
    server.rule = lambda asked: Reply(events=pieces)
    answer = one(connect(api="chat", stream=True), GenerateRequest("Q", tools=TOOLS))
    assert answer.tool_calls == (ToolCall("add", '{"a": 1}', "a"), ToolCall("now", "{}", "b"))
    assert answer.finish == "tool_calls"


def test_a_server_that_does_not_stream_is_understood(server: Scripted, connect: Connect) -> None:
    assert one(connect(stream=True), GenerateRequest("Q")).text == "answer to Q"


def test_a_stream_that_nobody_asked_for_is_understood(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(events=events("x"))
    assert one(connect(), GenerateRequest("Q")).text == "x"


def test_events_may_be_cut_anywhere() -> None:
    whole = b": hello\r\n\r\n" + b"".join(
        one if isinstance(one, bytes) else b"data: " + json.dumps(one).encode() + b"\r\n\r\n"
        for one in events("für ", "dich ☂")
    )
    for size in range(1, 40):
        stream = Events()
        for start in range(0, len(whole), size):
            stream.feed(whole[start : start + size])
        assert stream.answer(GenerateRequest("Q")).text == "für dich ☂"


def test_a_large_prompt(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(completion(str(len(asked.text))))
    assert one(connect(), GenerateRequest("x" * 3_000_000)).text == "3000000"


def test_loglikelihood_needs_a_server_that_scores(connect: Connect) -> None:
    from saltus.records import LoglikelihoodRequest

    with pytest.raises(ModelError, match="gives no log-probabilities of text that it is sent"):
        connect(api="chat").loglikelihood([LoglikelihoodRequest("a", ("b",))])
