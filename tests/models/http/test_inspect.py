"""The bridge to Inspect's providers: its mock, and its OpenAI client against the scripted server."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from tests.models.http.scripted import Reply, Scripted, ask, chat, prompts

from saltus.models import InspectModel, load_model
from saltus.models.protocol import StreamingModel
from saltus.records import (
    BudgetError,
    GenerateRequest,
    LoglikelihoodRequest,
    Message,
    MissingExtraError,
    ModelError,
    ModelRecord,
    ToolCall,
    UsageError,
)

# Of a package that Inspect retries with.
pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter is deprecated")
TOOLS = """[{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters":
    {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}}]"""
Rule = Callable[[Any, Any, Any, Any], Any]


def mock(rule: Rule, **options: Any) -> InspectModel:
    return InspectModel("inspect/mockllm/model", model_args={"custom_outputs": rule}, **options)


def output(text: str, **more: Any) -> Any:
    from inspect_ai.model import ModelOutput, ModelUsage

    found = ModelOutput.from_content("mockllm", text, **more)
    found.usage = ModelUsage(input_tokens=5, output_tokens=3, total_tokens=10, input_tokens_cache_read=2)
    return found


def test_answers_come_in_order_and_are_counted() -> None:
    model = mock(lambda messages, tools, choice, config: output(f"to {messages[-1].text}"), price_in=1e6)
    assert isinstance(model, StreamingModel)
    delivered = ask(model, prompts(50))
    assert delivered.texts == [f"to p{number}" for number in range(50)]
    assert (model.spent.answers, model.spent.tokens, model.spent.cost) == (50, (350, 150), 350)
    assert not model.scores_text


def test_a_conversation_with_tools_and_a_schema() -> None:
    from inspect_ai.model import ModelOutput, ModelUsage

    seen: list[Any] = []

    def rule(messages: Any, tools: Any, choice: Any, config: Any) -> Any:
        seen.extend([messages, tools, config])
        found = ModelOutput.for_tool_call("mockllm", "add", {"a": 1}, tool_call_id="c9")
        found.usage = ModelUsage(input_tokens=1, output_tokens=1)
        return found

    messages = (
        Message("system", "Be brief."),
        Message("user", "1+1?"),
        Message("assistant", "", (ToolCall("add", '{"a": 1}', "c1"),)),
        Message("tool", "2", tool_call_id="c1"),
    )
    schema = '{"type": "object", "properties": {"a": {"type": "string"}}}'
    request = GenerateRequest(
        "", 9, ("END",), 0.5, seed=3, top_p=0.9, messages=messages, tools=TOOLS, schema=schema
    )
    [answer] = mock(rule).generate([request])
    assert answer.tool_calls == (ToolCall("add", '{"a":1}', "c9"),)
    assert answer.finish == "tool_calls"
    [said, tools, config] = seen
    assert [one.role for one in said] == ["system", "user", "assistant", "tool"]
    assert said[2].tool_calls[0].arguments == {"a": 1}
    assert said[3].tool_call_id == "c1"
    assert (tools[0].name, tools[0].parameters.required) == ("add", ["a"])
    assert (config.max_tokens, config.temperature, config.top_p, config.seed) == (9, 0.5, 0.9, 3)
    assert config.stop_seqs == ["END"]
    assert config.response_schema.json_schema.properties["a"].type == "string"


def test_log_probabilities_and_stop_strings() -> None:
    from inspect_ai.model import Logprob, Logprobs

    def rule(messages: Any, *_: Any) -> Any:
        found = output("42\nQ: more", stop_reason="max_tokens")
        values = [Logprob(token=t, logprob=v) for t, v in (("42", -0.123456789), ("\n", -2.0))]
        found.choices[0].logprobs = Logprobs(content=values)
        return found

    [whole, cut] = mock(rule).generate([GenerateRequest("Q"), GenerateRequest("Q", stop=("\n",))])
    assert (whole.text, whole.finish) == ("42\nQ: more", "length")
    assert whole.logprobs == tuple(array("f", [-0.123456789, -2.0]))
    assert (cut.text, cut.finish) == ("42", "stop")


def test_what_a_provider_raises_is_one_sentence_and_soon_the_last() -> None:
    asked: list[str] = []

    def rule(messages: Any, *_: Any) -> Any:
        asked.append(messages[-1].text)
        if asked[-1] == "p2":
            raise RuntimeError("no [bold]entry[/bold]\n today")
        if int(asked[-1][1:]) >= 10:
            raise RuntimeError("gone")
        return output("x")

    delivered = ask(mock(rule, connections=1), prompts(100))
    assert len(delivered.answers) == 9
    assert str(delivered.errors[2]) == "inspect/mockllm/model failed: no entry today"
    assert len(asked) == 10 + 8
    assert str(delivered.errors[99]) == "inspect/mockllm/model failed: gone; so did 7 requests before it"


def test_a_budget_holds_here_too() -> None:
    with pytest.raises(BudgetError, match="4 answers took 40 tokens"):
        ask(mock(lambda *_: output("x"), max_tokens_total=45), prompts(50))


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("inspect/nobody/model", "inspect/nobody/model cannot be used: Model API nobody of model"),
        ("inspect/openai-api/nowhere/model", "cannot be used: ERROR: Unable to initialise nowhere client"),
    ],
)
def test_a_provider_that_cannot_be_used(location: str, said: str) -> None:
    delivered = ask(InspectModel(location), prompts(20))
    assert len(delivered.errors) == 20
    assert said in str(delivered.errors[0])


def test_text_is_not_scored() -> None:
    with pytest.raises(ModelError, match="inspect/mockllm/model cannot score text that it is sent"):
        mock(lambda *_: output("x")).loglikelihood([LoglikelihoodRequest("a", ("b",))])


@pytest.mark.parametrize("location", ["inspect/openai", "inspect/", "inspect//gpt"])
def test_a_location_without_provider_or_model(location: str) -> None:
    with pytest.raises(UsageError, match="write it as inspect/PROVIDER/MODEL"):
        load_model(ModelRecord(name="x", location=location))


def test_unknown_options_are_named() -> None:
    with pytest.raises(UsageError, match="'api' is no option of this model; use base_url, connections"):
        InspectModel("inspect/mockllm/model", api="chat")


def test_without_inspect_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    with pytest.raises(MissingExtraError, match=r'pip install "saltus\[inspect\]"'):
        InspectModel("inspect/openai/gpt-4o")


def test_the_fingerprint_is_that_of_the_answers() -> None:
    same = InspectModel("inspect/openai/gpt-4o", connections=3, timeout=1).fingerprint
    assert same == InspectModel("inspect/openai/gpt-4o").fingerprint
    others = [
        InspectModel("inspect/openai/gpt-5"),
        InspectModel("inspect/openai/gpt-4o", base_url="http://localhost:1/v1"),
        InspectModel("inspect/openai/gpt-4o", model_args={"service_tier": "flex"}),
    ]
    assert len({same, *(one.fingerprint for one in others)}) == 4


def test_inspects_own_client_against_the_scripted_server(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIPTED_API_KEY", "key")
    server.rule = lambda asked: Reply(
        {
            **chat({"content": f"answer to {asked.text}"}),
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
        }
    )
    model = InspectModel("inspect/openai-api/scripted/m", base_url=server.url, logprobs=False)
    delivered = ask(model, prompts(10))
    assert not delivered.errors, delivered.errors
    assert delivered.texts == [f"answer to p{number}" for number in range(10)]
    assert server.tries() == {f"p{number}": 1 for number in range(10)}
    assert model.spent.tokens == (30, 20)
