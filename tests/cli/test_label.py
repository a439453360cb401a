"""`saltus label` from queue to scores, as a person in a terminal and as a program use it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.cli import main

from ..evals.labelling_world import RUN, fill  # noqa: TID252 - tests are no installed package


@pytest.fixture
def path(tmp_path: Path) -> str:
    fill(tmp_path / "evidence").close()
    return str(tmp_path / "evidence")


def run(capfd: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """Call a verb with --json."""
    assert main(["label", *arguments, "--json"]) == code
    return json.loads(capfd.readouterr().out)


def test_from_a_queue_to_scores(path: str, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = ("--store", path)
    queue = run(capfd, "queue", "last", "--size", "6", "--task", "sums", "--by", "borderline,random", *store)
    assert (queue["run"], len(queue["items"]), queue["raters"]) == (RUN, 6, 2)
    for rater in ("ann", "bob"):
        while (shown := run(capfd, "next", "--rater", rater, *store))["item"] is not None:
            assert "model" not in json.dumps(shown)
            answer = ["--skip", "unclear"] if shown["item"] == 6 else ["--mark", str(shown["item"] % 2)]
            run(capfd, "next", "--rater", rater, "--item", str(shown["item"]), *answer, *store)
    status = run(capfd, "status", "last", *store)
    assert (status["complete"], status["settled"], status["alpha"]["value"]) == (5, 5, 1.0)
    assert run(capfd, "status", *store)["queues"] == [status]
    file = tmp_path / "labels.csv"
    assert run(capfd, "export", "-o", str(file), *store) == {
        "queue": queue["id"], "labels": 12, "path": str(file),
    }  # fmt: skip
    applied = run(capfd, "apply", "--per-rater", *store)
    assert (applied["added"], applied["unsettled"]) == (15, 1)
    assert run(capfd, "apply", "--per-rater", *store)["added"] == 0
    run(capfd, "next", "--rater", "ann", "--item", "1", "--mark", "0", *store)
    assert run(capfd, "apply", *store)["changed"] == []  # now a dispute, which gives no value
    run(capfd, "next", "--rater", "bob", "--item", "1", "--mark", "0", *store)
    assert run(capfd, "apply", *store, code=1)["changed"] == [1]


def test_in_the_terminal(
    path: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["label", "queue", "last", "--size", "5", "--store", path]) == 0
    out = capfd.readouterr().out
    assert "borderline" in out
    assert out.rstrip().splitlines()[-1].startswith("Next: saltus label serve")
    keys = ["1", "x", "s", "s not mine", "u", "2", "3", "q"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(keys) + "\n"))
    assert main(["label", "next", "--rater", "ann", "--store", path]) == 0
    out = capfd.readouterr().out
    assert "There is no 'x' here" in out
    assert "Right answer" in out
    assert "tiny" not in out
    assert "large" not in out
    assert "3 labelled, 0 skipped, 2 wait for ann." in out
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n1\n1\n"))
    assert main(["label", "next", "--rater", "ann", "--store", path]) == 0
    out = capfd.readouterr().out
    assert "Nothing waits." in out
    assert "Next: saltus label status" in out
    assert main(["label", "status", "--store", path]) == 0
    assert "not defined yet" in capfd.readouterr().out
    assert main(["label", "apply", "--least", "1", "--store", path]) == 0
    assert "4 scores added" in capfd.readouterr().out


def test_an_answer_cannot_repaint_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from saltus.records import Response, RunRecord, Sample

    path = str(tmp_path / "evil")
    with saltus.open(path) as store:
        store.append("runs", [RunRecord(id="r", kind="run", source="s", format="saltus")])
        store.append("samples", [Sample(task="t", task_version="1", id="0", input="Q", target="A")])
        answer = "a\x1b[2J\x9b31m[bold]b\u202ec"
        store.append("responses", [Response(run="r", model="m", task="t", sample="0", output=answer)])
    assert main(["label", "queue", "r", "--store", path]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["label", "next", "--rater", "ann", "--store", path]) == 0
    out = capfd.readouterr().out
    assert "a\\x1b[2J\\x9b31m[bold]b\\x202ec" in out
    assert "\x1b[2J" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["queue", "nothing"], "no run is called 'nothing'"),
        (["queue", "last", "--model", "huge"], "no responses of model 'huge'"),
        (["queue", "last", "--question", "beauty"], "no rubric is called 'beauty'"),
        (["queue", "last", "--threshold", "2"], "between 0 and 1"),
        (["status", "zzz"], "no queue is called 'zzz'"),
        (["next", "--rater", "a b"], "no queue"),
        (["apply"], "no queue is called 'last'"),
        (["serve", "--token", "short"], "16 to 128"),
        (["serve", "--host", "no.such.host.invalid"], "is no address"),
    ],
)
def test_wrong_calls_are_one_sentence(
    path: str, capfd: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    error = run(capfd, *arguments, "--store", path, code=2)["error"]
    assert words in error["message"]


def test_options_that_do_not_go_together(path: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["label", "queue", "last", "--store", path]) == 0
    capfd.readouterr()
    for wrong in (["--mark", "1"], ["--item", "1"], ["--item", "1", "--mark", "1", "--skip", "x"]):
        error = run(capfd, "next", "--rater", "a", *wrong, "--store", path, code=2)["error"]
        assert "--item N and one of" in error["message"]
    error = run(capfd, "next", "--rater", "a", "--item", "1", "--mark", "yes", "--store", path, code=2)
    assert "whole number" in error["error"]["message"]
    error = run(capfd, "next", "--rater", "a b", "--store", path, code=2)
    assert "no name of a rater" in error["error"]["message"]
