"""Suites by name, and a user's own suites from files, good and bad."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest

from saltus.records import InputError, UsageError
from saltus.tasks import Suite, Task, get_suite, list_suites

SUITE = """
name = "mine"
description = "Two tasks."

[[tasks]]
name = "capitals"
items = "capitals.jsonl"
prompt = "Question: {input}\\nAnswer:"
delimiter = " "

[[tasks]]
name = "sums"
items = "sums.jsonl"
metrics = ["exact_match"]
max_tokens = 4
chance = 0.1
"""
CAPITALS = [
    {
        "id": "fr",
        "input": "Capital of France?",
        "choices": ["Paris", "Rome"],
        "answer": 0,
        "slices": {"in": "eu"},
    },
    {"input": "Capital of {Italy}?", "choices": ["Paris", "Rome", "Oslo"], "answer": 1, "chance": 0.0},
]
SUMS = [{"input": "1+1=", "target": "2"}, {"id": 7, "input": "2+2=", "target": "4"}]


def lines(items: list[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(item) for item in items) + "\n\n"


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    (tmp_path / "capitals.jsonl").write_text(lines(CAPITALS))
    (tmp_path / "sums.jsonl").write_text(lines(SUMS))
    (tmp_path / "mine.toml").write_text(SUITE)
    return tmp_path / "mine.toml"


def test_a_suite_of_ones_own(suite_file: Path) -> None:
    suite = get_suite(suite_file)
    assert (suite.name, suite.description) == ("mine", "Two tasks.")
    capitals, sums = suite.tasks
    assert (capitals.kind, sums.kind) == ("multiple_choice", "generation")
    assert capitals.metrics[0] == "choice_correct"
    assert sums.metrics == ("exact_match",)
    assert (capitals.chance, sums.chance, sums.max_tokens, sums.stop) == (0.25, 0.1, 4, ("\n",))
    first, second = capitals.items()
    assert first.input == "Question: Capital of France?\nAnswer:"
    assert first.choices == (" Paris", " Rome")
    assert (first.id, first.target, first.answer, first.chance) == ("fr", " Paris", 0, 0.5)
    assert first.slices == {"in": "eu"}
    assert first.task_version == capitals.version
    assert "{Italy}" in second.input
    assert (second.id, second.chance) == ("capitals-00001", 0.0)
    assert [sample.id for sample in sums.items()] == ["sums-00000", "7"]


def test_the_version_follows_the_items(suite_file: Path) -> None:
    before = get_suite(suite_file).tasks[1].version
    assert get_suite(suite_file).tasks[1].version == before
    (suite_file.parent / "sums.jsonl").write_text(lines([{"input": "1+1=", "target": "3"}]))
    assert get_suite(suite_file).tasks[1].version != before


def test_one_file_of_items_is_a_suite(suite_file: Path) -> None:
    suite = get_suite(str(suite_file.parent / "sums.jsonl"))
    assert suite.name == "sums"
    assert [task.name for task in suite.tasks] == ["sums"]


@pytest.mark.parametrize(
    ("items", "line", "said"),
    [
        ("", None, "there are no items here"),
        ('{"input": "a", "target": "b"}\n{"input": "a"', 2, "this is no item"),
        ('{"input": "a", "target": "b"}\n\n[1]', 3, "this is no item"),
        ('{"input": "a", "targt": "b"}', 1, "targt"),
        ('{"input": "a"}', 1, "target is missing or empty"),
        ('{"input": "a", "target": ""}', 1, "target is missing or empty"),
        ('{"input": "a", "target": "b", "chance": 2}', 1, "chance"),
        ('{"input": "a", "choices": ["b", "c"], "answer": 2}', 1, "answer is 2, it must be .* 0 to 1"),
        ('{"input": "a", "choices": ["b", "c"]}', 1, "answer is None"),
        ('{"input": "a", "choices": ["b"], "answer": 0}', 1, "two choices or more, this one has 1"),
        (
            '{"input": "a", "choices": ["b", "c"], "answer": 0, "target": "c"}',
            1,
            "target is 'c' but choice 0",
        ),
        (
            '{"input": "a", "target": "b"}\n{"input": "a", "choices": ["b"], "answer": 0}',
            2,
            "task is generation",
        ),
        (
            '{"id": 1, "input": "a", "target": "b"}\n{"id": "1", "input": "c", "target": "d"}',
            2,
            "stands twice",
        ),
    ],
)
def test_bad_items_are_named_with_their_line(tmp_path: Path, items: str, line: int | None, said: str) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text(items)
    with pytest.raises(InputError, match=said) as caught:
        get_suite(file)
    assert (caught.value.path, caught.value.line) == (str(file), line)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "this is no suite"),
        ("name = 'a'", "tasks"),
        ("tasks = []", "this is no suite"),
        ("[[tasks]]\nname = 'a'", "items"),
        ("[[tasks]]\nname = 'a'\nitems = 'sums.jsonl'\nshots = 3", "shots"),
        ("[[tasks]]\nname = 'a'\nitems = 'sums.jsonl'\nkind = 'chat'", "chat"),
        ("[[tasks]]\nname = 'a'\nitems = 'sums.jsonl'\nprompt = 'Q'", "does not contain {input}"),
        ("[[tasks]]\nname = 'a'\nitems = 'sums.jsonl'\n" * 2, "two tasks are called 'a'"),
        ("[[tasks]]\nname = 'a'\nitems = 'gone.jsonl'", "cannot be read"),
    ],
)
def test_bad_suite_files_are_one_sentence(suite_file: Path, text: str, said: str) -> None:
    suite_file.write_text(text)
    with pytest.raises(InputError, match=said):
        get_suite(suite_file)


def test_a_metric_that_does_not_fit_is_refused_at_once(suite_file: Path) -> None:
    suite_file.write_text("[[tasks]]\nname = 'a'\nitems = 'sums.jsonl'\nmetrics = ['brier']")
    with pytest.raises(InputError, match="brier cannot score") as caught:
        get_suite(suite_file)
    assert (caught.value.path, caught.value.line) == (str(suite_file), 4)


def test_only_some_tasks(suite_file: Path) -> None:
    suite = get_suite(suite_file)
    assert [task.name for task in suite.only(["sums"]).tasks] == ["sums"]
    assert suite.only([]) is suite
    with pytest.raises(UsageError, match="suite mine has no task 'sum', it has capitals, sums"):
        suite.only(["sum"])


class Point:
    """An entry point of some package."""

    name = "theirs"
    value = "their.package:suite"

    def __init__(self, gives: Any) -> None:
        self.gives = gives

    def load(self) -> Any:
        return self.gives


def declare(monkeypatch: pytest.MonkeyPatch, gives: Any) -> None:
    monkeypatch.setattr("saltus.tasks.registry.entry_points", lambda group: [Point(gives)])


def test_suites_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Suite("theirs", (Task(name="t", kind="generation", items=tuple, metrics=("exact_match",)),))
    declare(monkeypatch, lambda: theirs)
    assert list_suites() == ["theirs"]
    assert get_suite("theirs") == theirs
    with pytest.raises(UsageError, match="no suite is called 'mine'; installed are theirs, and a path"):
        get_suite("mine")


@pytest.mark.parametrize(
    ("gives", "said"), [(lambda: 1 / 0, "ZeroDivisionError"), (lambda: 3, "gives a int")]
)
def test_a_suite_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, gives: Any, said: str) -> None:
    declare(monkeypatch, gives)
    with pytest.raises(UsageError, match=said):
        get_suite("theirs")


def test_the_embedded_suite_is_declared() -> None:
    declared = {point.name: point.value for point in importlib.metadata.entry_points(group="saltus.suites")}
    assert declared["family"] == "saltus.family.suite:suite"
    assert "family" in list_suites()
