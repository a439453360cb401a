"""How a model behind HTTP is named, loaded and told apart; bad input is one sentence, keys stay secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.models.http.scripted import Reply, Scripted, ask, prompts

from saltus.models import HttpModel, Series, load_model
from saltus.models.http.address import parse_address
from saltus.models.http.problems import retry_after, server_message
from saltus.models.protocol import Model, StreamingModel
from saltus.records import GenerateRequest, ModelError, ModelRecord, UsageError

Connect = Callable[..., HttpModel]
KEY = "sk-very-secret-0123456789"


def test_a_record_with_a_url_is_loaded(server: Scripted) -> None:
    record = ModelRecord(name="tiny", revision="v2", location=f"{server.url}#m")
    model = load_model(record, connections="8", logprobs="false", api="completions")
    assert isinstance(model, StreamingModel)
    assert isinstance(model, Model)
    assert model.record is record
    assert model.generate([GenerateRequest("Q")])[0].text == "answer to Q"
    assert server.asked[0].body["model"] == "m"
    model.close()


def test_a_series_takes_urls(tmp_path: Path) -> None:
    urls = ["http://localhost:8000/v1#EleutherAI/pythia-70m", "http://localhost:8001/v1#EleutherAI/pythia-1b"]
    series = Series.from_dirs([*urls[::-1], "inspect/openai/gpt-4o", "http://[::1]:1234/v1"])
    assert [model.name for model in series.models] == [
        "EleutherAI/pythia-70m",
        "EleutherAI/pythia-1b",
        "openai/gpt-4o",
        "[::1]:1234",
    ]
    assert [model.location for model in series.models[:2]] == urls
    assert series.models[0].params == 70426624.0
    file = tmp_path / "series.toml"
    file.write_text(f'models = ["{urls[0]}", {{name = "big", params = 2e9, location = "{urls[1]}"}}]')
    listed = Series.from_file(file).models
    assert [(model.name, model.location) for model in listed] == [
        ("EleutherAI/pythia-70m", urls[0]),
        ("big", urls[1]),
    ]


@pytest.mark.parametrize(
    ("location", "base", "model", "api"),
    [
        ("http://h:1/v1#a", "http://h:1/v1", "a", ""),
        ("http://h:1/v1/#a/b%20c", "http://h:1/v1", "a/b c", ""),
        ("https://h", "https://h/v1", "", ""),
        ("https://h/openai/v1/chat/completions#a", "https://h/openai/v1", "a", "chat"),
        ("http://h:1/v1/completions#a", "http://h:1/v1", "a", "completions"),
        ("http://[::1]:8/v1#/path/to/model", "http://[::1]:8/v1", "/path/to/model", ""),
    ],
)
def test_locations(location: str, base: str, model: str, api: str) -> None:
    found = parse_address(location)
    assert (found.base, found.model, found.api) == (base, model, api)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://h:port/v1#a", "is no URL"),
        ("http:///v1#a", "names no HTTP server"),
        ("http://me:secret@h/v1#a", "holds a user name or a password"),
        ("http://h/v1?key=secret#a", "has a part after '?'"),
    ],
)
def test_locations_that_cannot_be_used(location: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        load_model(ModelRecord(name="x", location=location))
    assert said in str(raised.value)
    assert "secret" not in str(raised.value)
    assert raised.value.field == "location"


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"conections": 3}, "conections", "'conections' is no option of this model; use api, backoff, conn"),
        ({"connections": 0}, "connections", "the option connections is 0: expected `int` >= 1"),
        ({"connections": "many"}, "connections", "the option connections is 'many': expected `int`"),
        ({"timeout": -1}, "timeout", "the option timeout is -1: expected `float` > 0"),
        ({"api": "soap"}, "api", "the option api is 'soap': invalid enum value 'soap'"),
        ({"max_cost": 1}, "max_cost", "max_cost needs prices; give price_in and price_out"),
        ({"extra": {"prompt": 1}}, "extra", "extra sets 'prompt', which requests set themselves"),
        ({"extra": "{"}, "extra", "the option extra is '{': "),
        ({"key_env": "NOT_SET_HERE"}, "key_env", "the environment variable NOT_SET_HERE is not set"),
    ],
)  # fmt: skip
def test_wrong_options_are_one_sentence(options: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        HttpModel("http://localhost:1/v1#m", **options)
    assert str(raised.value).startswith(said)
    assert raised.value.field == field


def test_the_only_model_of_a_server_needs_no_name(server: Scripted) -> None:
    server.models = ["org/only"]
    assert HttpModel(server.url, api="completions").generate([GenerateRequest("Q")])[0].text == "answer to Q"
    assert server.asked[0].body["model"] == "org/only"
    assert HttpModel(server.url).fingerprint == HttpModel(f"{server.url}#org/only").fingerprint


@pytest.mark.parametrize("models", [["a", "b"], []])
def test_several_models_are_listed(server: Scripted, models: list[str]) -> None:
    server.models = models
    with pytest.raises(ModelError) as raised:
        _ = HttpModel(server.url).fingerprint
    listed = " (a, b)" if models else ""
    assert str(raised.value) == (
        f"{server.url} has {len(models)} models{listed}; write the name of one after the address, as in "
        f"{server.url}#{'a' if models else 'MODEL-NAME'}"
    )


def test_a_server_that_lists_nothing(server: Scripted) -> None:
    with pytest.raises(ModelError, match=r"does not list its models \(.*\); check the address, and write"):
        _ = HttpModel(f"{server.url}/elsewhere").fingerprint


def test_the_fingerprint_is_that_of_the_answers() -> None:
    def of(location: str = "http://h:1/v1#m", revision: str = "", **options: Any) -> str:
        return HttpModel(
            location, record=ModelRecord(name="n", revision=revision, location=location), **options
        ).fingerprint

    same = of(connections=3, timeout=1, retries=0, max_tokens_total=9, requests_per_minute=2, stream=True)
    assert same == of()
    others = [
        of("http://h:2/v1#m"),
        of("http://h:1/v1#k"),
        of(revision="v2"),
        of(api="chat"),
        of(logprobs=False),
        of(extra={"min_p": 0.1}),
        of("http://h:1/v1/chat/completions#m", logprobs=False),
    ]
    assert len({same, *others}) == 8


def test_the_key_is_sent_and_shown_nowhere(
    server: Scripted, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    said = {"error": {"message": f"Incorrect API key provided: {KEY}."}}
    server.rule = lambda asked: Reply(said, status=401)
    model = connect(key_env="MY_KEY")
    [error] = ask(model, prompts(1)).errors.values()
    assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    assert str(error).endswith("401: Incorrect API key provided: ***.")
    assert KEY not in repr(model) + repr(model.record) + repr(error)
    assert model.fingerprint == connect().fingerprint


def test_the_usual_key_goes_only_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    from saltus.models.http.options import Options, read_key

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for location, key in (
        ("http://127.0.0.1:8000/v1#m", KEY),
        ("http://localhost:8000/v1#m", KEY),
        ("https://example.org/v1#m", KEY),
        ("http://example.org/v1#m", ""),
    ):
        assert read_key(Options(), parse_address(location)) == key
    assert read_key(Options(key_env="OPENAI_API_KEY"), parse_address("http://example.org/v1#m")) == KEY


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "a  b\\nc", "param": "seed"}}', ("a b c", "seed")),
        (b'{"error": "plain"}', ("plain", "")),
        (b'{"object": "error", "message": "of vLLM"}', ("of vLLM", "")),
        (b'{"detail": [{"loc": ["body", "seed"], "msg": "not allowed"}]}', ("not allowed", "seed")),
        (b'{"detail": "Not Found"}', ("Not Found", "")),
        (b"Internal Server Error", ("Internal Server Error", "")),
        (b"", ("", "")),
        (b"x" * 400, ("x" * 297 + "...", "")),
    ],
)
def test_what_servers_say(body: bytes, said: tuple[str, str]) -> None:
    assert server_message(body) == said


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:05 GMT", 0.0),
        ("soon", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value} if value else {}, now=10) == seconds
