"""End to end against `transformers serve` on the embedded family: HTTP gives what the model gives here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from saltus.family import locate
from saltus.family.suite import suite
from saltus.models import HttpModel, TransformersModel
from saltus.models.protocol import Answer
from saltus.records import GenerateRequest, Generation, LoglikelihoodRequest, Message, ModelError

STARTED = re.compile(r"Uvicorn running on (http://127\.0\.0\.1:\d+)")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the family, with the least of chat templates, so that the server can chat too."""
    copy = tmp_path_factory.mktemp("served") / "tiro"
    shutil.copytree(locate("tiro-2x64@step2000"), copy)
    (copy / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    return copy


@pytest.fixture(scope="session")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("log") / "serve.log"
    program = Path(sys.executable).with_name("transformers")
    command = [program, "serve", folder, "--host", "127.0.0.1", "--port", "0", "--device", "cpu"]
    with log.open("w") as stream:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=stream,
            stderr=stream,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )
    try:
        while (found := STARTED.search(log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield f"{found[1]}/v1#{folder}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def asked() -> list[GenerateRequest]:
    return [
        GenerateRequest(sample.input, max_tokens=task.max_tokens, stop=task.stop)
        for task in suite().tasks
        if task.kind == "generation"
        for sample in list(task.items())[:3]
    ]


@pytest.fixture(scope="session")
def answers(folder: Path, asked: list[GenerateRequest]) -> list[tuple[str, str]]:
    return [(one.text, one.finish) for one in TransformersModel(folder).generate(asked)]


@pytest.mark.parametrize("options", [{}, {"stream": True}, {"api": "chat"}], ids=["text", "stream", "chat"])
def test_what_comes_over_http_is_what_the_model_says(
    url: str, asked: list[GenerateRequest], answers: list[tuple[str, str]], options: dict[str, object]
) -> None:
    model = HttpModel(url, connections=2, **options)
    found = model.generate(asked)
    assert [(one.text, one.finish) for one in found] == answers
    assert len({one[0] for one in answers}) > 5
    assert all(one.prompt_tokens > 0 and one.completion_tokens > 0 for one in found)
    assert all((one.first_token > 0) == ("stream" in options) for one in found if one.text)


def test_a_conversation_is_put_into_the_template(url: str, asked: list[GenerateRequest]) -> None:
    model = HttpModel(url)
    prompt = asked[-1].prompt
    halves = (Message("user", prompt[:3]), Message("user", prompt[3:]))
    talked = GenerateRequest("", max_tokens=asked[-1].max_tokens, stop=asked[-1].stop, messages=halves)
    [one, other] = model.generate([asked[-1], talked])
    assert one.text == other.text


def test_what_this_server_cannot_do_is_said_once_and_clearly(url: str) -> None:
    model = HttpModel(url)
    assert not model.scores_text
    with pytest.raises(ModelError, match="gives no log-probabilities of text that it is sent"):
        model.loglikelihood([LoglikelihoodRequest("1+1=", ("2", "3"))])


def test_a_name_that_the_server_does_not_have(url: str) -> None:
    base = url.partition("#")[0]
    got: list[Answer | ModelError] = []
    HttpModel(f"{base}#nobody", api="completions").stream(
        iter([GenerateRequest("1+1=")]), lambda place, answer: got.append(answer)
    )
    assert not isinstance(got[0], Generation)
    assert "requested 'nobody'" in str(got[0])
