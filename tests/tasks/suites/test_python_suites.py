"""Tasks in Python: `@task`, arguments, errors of the user's file; and the ways to name a suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.cli import main
from saltus.records import InputError, SaltusError, UsageError
from saltus.tasks import Suite, Task, get_suite
from saltus.tasks.suites.arguments import parse_arguments
from saltus.tasks.suites.python import uses_inspect
from saltus.tasks.validate import check_suite

FILE = '''
import random
import saltus
from saltus import Sample, Task

@saltus.task(prompt="{input}=", stop=["."], metrics=["exact_match"])
def sums(n: int = 3, seed: int = 0, words: list[str] = (), sign="+"):
    """Add numbers.

    More.
    """
    draw = random.Random(seed)
    for _ in range(n):
        a = draw.randrange(9)
        yield {"input": f"{a}{sign}{a}", "target": str(2 * a), "slices": {w: "1" for w in words}}

@saltus.task
def own(n=2):
    return [Sample(task="", task_version="", id=f"i{i}", input="x", target="y") for i in range(n)]

@saltus.task(name="whole")
def makes_a_task():
    def items():
        yield Sample(task="w", task_version=task.version, id="a", input="x", target="y")
    task = Task(name="w", kind="generation", items=items, metrics=("exact_match",))
    return task
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_a_file_of_tasks(file: Path) -> None:
    suite = get_suite(file)
    assert suite.name == "mine"
    assert [task.name for task in suite.tasks] == ["sums", "own", "w"]
    sums, own, whole = suite.tasks
    assert (sums.description, sums.stop, sums.metrics) == ("Add numbers.", (".",), ("exact_match",))
    first = list(sums.items())
    assert first == list(sums.items())
    assert [sample.id for sample in first] == ["sums-00000", "sums-00001", "sums-00002"]
    assert all(sample.task_version == sums.version for sample in first)
    assert [(sample.task, sample.id) for sample in own.items()] == [("own", "i0"), ("own", "i1")]
    assert [sample.id for sample in whole.items()] == ["a"]


def test_arguments_make_another_task(file: Path) -> None:
    plain = get_suite(f"{file}@sums").tasks[0]
    given = get_suite(f"{file}@sums", {"n": "5", "words": '["a"]', "sign": "3"}).tasks[0]
    items = list(given.items())
    assert len(items) == 5
    assert items[0].slices == {"a": "1"}
    assert items[0].input[1] == "3"
    assert plain.version != given.version
    both = get_suite(file, {"n": "1"})
    assert [len(list(task.items())) for task in both.tasks] == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("@sum", {}, "has no task 'sum'; did you mean 'sums'?"),
        ("@sums", {"m": "1"}, "takes no argument 'm'"),
        ("@sums", {"n": "many"}, "takes n as int, and it is 'many'"),
        ("", {"m": "1"}, "takes an argument 'm'"),
    ],
)
def test_wrong_names_and_arguments(file: Path, name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        get_suite(f"{file}{name}", arguments)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("import saltus\n\n1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("import saltus\nx = (\n", 2, "SyntaxError"),
        ("import nowhere_at_all\n", 1, "ModuleNotFoundError"),
        ("raise SystemExit(3)\n", 1, "SystemExit: 3"),
        ("x = 1\n", None, "there are no tasks here; put @saltus.task on a function"),
        ("import saltus\n@saltus.task\ndef t():\n    return 3\n", 2, "task t gives 3, a Task or its items"),
        (
            "import saltus\n@saltus.task\ndef t():\n    yield {'input': 'a'}\n",
            1,
            "target is missing or empty",
        ),
        ("import saltus\n@saltus.task\ndef t():\n    yield 3\n", 1, "this item is 3, a mapping"),
        ("import saltus\n@saltus.task\ndef t():\n    yield {'input': object()}\n", None, "this is no item"),
        ("import saltus\n@saltus.task\ndef t():\n    yield from ()\n", None, "there are no items here"),
        (
            "import saltus\n@saltus.task\ndef t():\n    yield {'input': 'a', 'target': 'b'}\n    {}['k']\n",
            5,
            "KeyError: 'k'",
        ),
        ("import saltus\n@saltus.task(promt='x')\ndef t():\n    yield {}\n", 2, "did you mean 'prompt'?"),
        (
            "import saltus\n@saltus.task\ndef t():\n    pass\n@saltus.task(name='t')\ndef v(): pass\n",
            5,
            "two tasks are called 't'",
        ),
    ],
)
def test_faults_of_a_users_file_have_their_line(
    tmp_path: Path, text: str, line: int | None, said: str
) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        get_suite(path)
    assert said in caught.value.message
    assert Path(str(caught.value.path)) == path
    if "target is missing" not in said and "this item is 3" not in said:
        assert caught.value.line == line
    assert not check_suite(str(path)).valid


def test_items_that_differ_each_time_are_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "wild.py"
    path.write_text(
        "import itertools, saltus\ncount = itertools.count()\n@saltus.task\ndef t():\n"
        "    yield {'input': str(next(count)), 'target': 'b'}\n"
    )
    (problem,) = check_suite(str(path)).problems
    assert "gives other items each time it is called" in problem["message"]


def test_a_file_imports_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "saltus_words_beside.py").write_text("WORDS = ['a', 'b']\n")
    (tmp_path / "t.py").write_text(
        "import saltus\nfrom saltus_words_beside import WORDS\n@saltus.task\ndef t():\n"
        "    for w in WORDS:\n        yield {'input': w, 'target': w}\n"
    )
    assert len(list(get_suite(tmp_path / "t.py").tasks[0].items())) == 2


def test_a_task_function_is_called_for_its_task() -> None:
    @saltus.task(kind="multiple_choice", delimiter=" ")
    def pick(n: int = 1) -> Any:
        """Pick."""
        for i in range(n):
            yield {"input": str(i), "choices": ["a", "b"], "answer": 0}

    made = pick(n=2)
    assert isinstance(made, Task)
    assert (made.name, made.kind, made.description) == ("pick", "multiple_choice", "Pick.")
    assert [sample.target for sample in made.items()] == [" a", " a"]
    with pytest.raises(InputError, match="`kinds` is no key"):
        saltus.task(kinds="x")(one_task)


INSPECT = [
    ("from inspect_ai import Task, task\n@task\ndef t(): ...\n", True),
    ("import inspect_ai as i\n@i.task(name='x')\ndef t(): ...\n", True),
    ("from inspect_ai import task as make\n@make\ndef t(): ...\n", True),
    ("import saltus\n@saltus.task\ndef t(): ...\n", False),
    ("from inspect_ai.model import get_model\nfrom saltus import task\n@task\ndef t(): ...\n", False),
    ("def (", False),
]


@pytest.mark.parametrize(("text", "theirs"), INSPECT)
def test_task_files_of_inspect_are_known(tmp_path: Path, text: str, theirs: bool) -> None:
    (tmp_path / "i.py").write_text(text)
    assert uses_inspect(tmp_path / "i.py") is theirs


class Point:
    """An entry point of some package."""

    value = "their.package:thing"

    def __init__(self, name: str, gives: Any) -> None:
        self.name, self.gives = name, gives

    def load(self) -> Any:
        return self.gives


def one_task(name: str = "t", n: int = 1) -> Task:
    samples = [saltus.Sample(task=name, task_version="v", id=str(i), input="a", target="b") for i in range(n)]
    return Task(name=name, kind="generation", items=lambda: samples, metrics=("exact_match",))


def declare(monkeypatch: pytest.MonkeyPatch, **groups: list[Point]) -> None:
    monkeypatch.setattr(
        "saltus.tasks.registry.entry_points", lambda group: groups.get(group.removeprefix("saltus."), [])
    )


def test_task_files_of_inspect_go_to_their_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "i.py"
    file.write_text(INSPECT[0][0])
    declare(monkeypatch)
    with pytest.raises(UsageError, match="is a task file of Inspect, and nothing here reads those"):
        get_suite(file)
    seen: list[Any] = []

    def read(path: Path, name: str, arguments: dict[str, Any]) -> Suite:
        seen.append((path, name, dict(arguments)))
        return Suite("theirs", (one_task(),))

    declare(monkeypatch, readers=[Point("inspect", read)])
    assert get_suite(f"{file}@t", {"n": "1"}).name == "theirs"
    assert seen == [(file, "t", {"n": "1"})]


def test_suites_of_packages_take_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    def suite(n: int = 2) -> Suite:
        return Suite("theirs", (one_task("a", n), one_task("ab"), one_task("b")), "Theirs.")

    declare(monkeypatch, suites=[Point("theirs", suite)])
    assert len(list(get_suite("theirs", {"n": "7"}).tasks[0].items())) == 7
    assert [task.name for task in get_suite("theirs/b").tasks] == ["b"]
    assert [task.name for task in get_suite("theirs/a*").tasks] == ["a", "ab"]
    assert [task.name for task in get_suite("theirs/b, theirs/a").tasks] == ["b", "a"]
    for name, arguments, said in (
        ("theirs", {"m": "1"}, "takes no argument 'm'"),
        ("theirs/c", {}, "suite theirs has no task 'c', it has a, ab, b"),
        ("their", {}, "did you mean 'theirs'"),
    ):
        with pytest.raises(UsageError, match=said):
            get_suite(name, arguments)


def test_lists_of_suites_and_tasks_of_files(file: Path) -> None:
    (file.parent / "s.yaml").write_text(
        "tasks:\n" + "".join(f"  - {{name: {n}, items: [{{input: x, target: y}}]}}\n" for n in "ab")
    )
    both = get_suite(f"{file}@own,{file.parent / 's.yaml'}@b")
    assert both.name == "mine+s"
    assert [task.name for task in both.tasks] == ["own", "b"]
    with pytest.raises(UsageError, match="has no task 'c'"):
        get_suite(f"{file.parent / 's.yaml'}@c")
    with pytest.raises(UsageError, match="takes no arguments"):
        get_suite(file.parent / "s.yaml", {"n": "1"})


def test_arguments_are_words_with_an_equals_sign() -> None:
    assert parse_arguments(["a=1", "b-c=x=y"]) == {"a": "1", "b_c": "x=y"}
    for bad in (["a"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(UsageError, match="-T"):
            parse_arguments(bad)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["validate", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_validate_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, f"{file}@sums", "-T", "n=4")
    assert (code, err) == (0, "")
    assert "4 items" in out
    assert "sums, first item:" in out
    assert out.rstrip().endswith(f"saltus run {file}@sums -M MODEL")
    (file.parent / "bad.jsonl").write_text('{"input": "a", "target": "b"}\n{"input": "a"}\n{"inptu": 1}\n')
    code, out, err = run(capsys, str(file.parent / "bad.jsonl"))
    assert code == 2
    assert [line.split(": ")[1].rpartition(":")[2] for line in err.splitlines()] == ["2", "3"]
    assert "Next: mend these" in out


def test_validate_for_programs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file.parent / "bad.jsonl").write_text('{"input": "a"}\n' * 1200)
    code, out, err = run(capsys, f"{file}@own", str(file.parent / "bad.jsonl"), "--json")
    document = json.loads(out)
    assert (code, err, document["valid"], document["faults"]) == (2, "", False, 1200)
    good, bad = document["suites"]
    assert set(good) == {"path", "suite", "description", "valid", "tasks", "problems", "left_out"}
    assert set(good["tasks"][0]) == (
        {"name", "kind", "version", "items", "chance", "metrics", "characters", "first"}
    )
    assert good["tasks"][0]["characters"] == {"min": 1, "median": 1, "p90": 1, "max": 1}
    assert (len(bad["problems"]), bad["left_out"]) == (1000, 200)
    assert set(bad["problems"][0]) == {"kind", "message", "path", "line", "field"}


def test_validate_prints_the_schema_and_refuses_nothing_to_check(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--schema")
    assert code == 0
    assert json.loads(out)["$defs"]["TaskEntry"]
    assert run(capsys)[0] == 2
    assert run(capsys, "nowhere-at-all")[0] == 2


def test_installed_suites_are_listed_and_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "suites", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["suites"]]
    assert "family" in names
    assert run(capsys, "family", "--json")[0] == 0


def test_everything_wrong_is_a_saltus_error(tmp_path: Path) -> None:
    for name in ("", ",", "x.yaml", "x.py", "x.py@", "x.jsonl@a", str(tmp_path), "a/b/c", "@", "x.csv.gz"):
        with pytest.raises(SaltusError):
            get_suite(name)
