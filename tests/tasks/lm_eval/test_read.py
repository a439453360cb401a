"""Reading task files of lm-evaluation-harness: what they become, and what is refused, with the line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltus.records import InputError, Response
from saltus.records.metrics import metric_info
from saltus.tasks import Task, get_suite
from saltus.tasks.lm_eval import LmEvalTask, harness_results, read_lm_eval
from saltus.tasks.metrics import GroupMetric, metrics_for

ROWS = [
    {"q": "2+2", "a": "4", "options": ["3", "4"], "label": 1},
    {"q": "1+1", "a": "2", "options": ["2", "5"], "label": 0},
]
CHOICE: dict[str, Any] = {
    "task": "sums",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "rows.jsonl"}},
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{q}}=",
    "doc_to_choice": "{{options}}",
    "doc_to_target": "label",
}
GENERATE = CHOICE | {"output_type": "generate_until", "doc_to_target": "a", "doc_to_choice": None}


@pytest.fixture(autouse=True)
def _rows(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def write(folder: Path, values: dict[str, Any], name: str = "sums.yaml") -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def read(folder: Path, values: dict[str, Any], **options: Any) -> Task:
    [task] = read_lm_eval(write(folder, values), **options).tasks
    return task


def test_a_choice_task(tmp_path: Path) -> None:
    task = read(tmp_path, CHOICE)
    assert (task.name, task.kind) == ("sums", "multiple_choice")
    assert task.metrics == ("acc", "acc_norm", "choice_grade", "brier", "target_logprob")
    first, second = task.items()
    assert (first.input, first.choices, first.answer, first.target) == ("2+2=", (" 3", " 4"), 1, " 4")
    assert (second.id, second.answer, second.chance) == ("1", 0, 0.5)
    assert first.task_version == task.version


def test_the_version_is_of_what_is_asked(tmp_path: Path) -> None:
    task = read(tmp_path, CHOICE)
    assert (
        read(tmp_path, CHOICE | {"metadata": {"version": 3}, "metric_list": [{"metric": "acc"}]}).version
        == task.version
    )
    assert read(tmp_path, CHOICE | {"target_delimiter": ""}).version != task.version
    assert read(tmp_path, CHOICE | {"num_fewshot": 1}).version != task.version
    (tmp_path / "copy.jsonl").write_bytes((tmp_path / "rows.jsonl").read_bytes())
    moved = {"data_files": {"test": str(tmp_path / "copy.jsonl")}}
    assert read(tmp_path, CHOICE | {"dataset_kwargs": moved}).version == task.version
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write(json.dumps(ROWS[0] | {"q": "0+4"}) + "\n")
    assert read(tmp_path, CHOICE).version != task.version


def test_generation_settings(tmp_path: Path) -> None:
    task = read(tmp_path, GENERATE)
    assert (task.max_tokens, task.stop, task.temperature) == (256, ("\n\n",), 0.0)
    kwargs = {
        "until": ["a", "", "a"],
        "max_new_tokens": 5,
        "do_sample": True,
        "temperature": 0.5,
        "top_p": 0.9,
    }
    task = read(tmp_path, GENERATE | {"generation_kwargs": kwargs, "repeats": 4})
    assert (task.max_tokens, task.stop, task.temperature, task.top_p, task.epochs) == (5, ("a",), 0.5, 0.9, 4)
    assert isinstance(task.scorers[0], GroupMetric)
    greedy = {"do_sample": False, "temperature": 0.7, "top_k": 5, "num_beams": 1, "until": "x"}
    task = read(tmp_path, GENERATE | {"generation_kwargs": greedy})
    assert (task.temperature, task.stop) == (0.0, ("x",))


def test_num_fewshot_from_outside(tmp_path: Path) -> None:
    assert [sample.input for sample in read(tmp_path, GENERATE, num_fewshot=1).items()] == [
        "1+1= 2\n\n2+2=",
        "2+2= 4\n\n1+1=",
    ]
    task = read(tmp_path, GENERATE | {"num_fewshot": 0}, num_fewshot=1)
    assert [sample.input for sample in task.items()] == ["2+2=", "1+1="]


def test_items_can_be_gone_through_again(tmp_path: Path) -> None:
    task = read(tmp_path, GENERATE | {"num_fewshot": 1, "fewshot_split": "test"})
    assert list(task.items()) == list(task.items())


def test_names_of_metrics_under_several_filters(tmp_path: Path) -> None:
    filters = [
        {
            "name": name,
            "filter": [{"function": "regex", "regex_pattern": "[0-9]"}, {"function": "take_first"}],
        }
        for name in ("strict", "loose")
    ]
    task = read(tmp_path, GENERATE | {"filter_list": filters})
    assert task.metrics == ("exact_match,strict", "exact_match,loose", "target_logprob")
    assert [metric.name for metric in metrics_for(task)] == list(task.metrics)
    assert metric_info("exact_match,strict").pairs == metric_info("exact_match").pairs
    response = Response(run="r", model="m", task="sums", sample="0", output="it is 4")
    sample = next(iter(task.items()))
    assert [metric.compute(sample, response) for metric in metrics_for(task)[:2]] == [1.0, 1.0]  # type: ignore[union-attr]


def test_targets_without_text_are_not_asked_for_their_logprob(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"q": "x", "a": ""}\n{"q": "y", "a": "1"}\n')
    assert read(tmp_path, GENERATE | {"target_delimiter": ""}).metrics == ("exact_match",)


def test_include_and_lines_of_what_was_included(tmp_path: Path) -> None:
    write(tmp_path, CHOICE, "base.yaml")
    assert read(tmp_path, {"include": "base.yaml", "task": "mine", "doc_to_text": "{{a}}?"}).name == "mine"
    write(tmp_path, {"output_type": "none"} | {"dataset_path": "json"}, "wrong.yaml")
    path = write(tmp_path, {"include": ["base.yaml", "wrong.yaml"], "task": "mine"})
    with pytest.raises(InputError) as caught:
        read_lm_eval(path)
    assert (Path(str(caught.value.path)).name, caught.value.line) == ("wrong.yaml", 1)
    with pytest.raises(InputError, match="includes itself"):
        read_lm_eval(write(tmp_path, {"include": "loop.yaml", "task": "x"}, "loop.yaml"))


def test_functions_run_only_where_they_are_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("def ask(doc):\n    return doc['q'].upper() + '?'\n")
    path = write(tmp_path, GENERATE)
    path.write_text(path.read_text().replace("'{{q}}='", "!function mine.ask"))
    monkeypatch.delenv("SALTUS_TASK_CODE", raising=False)
    with pytest.raises(InputError, match="runs only where you allow it") as caught:
        read_lm_eval(path)
    assert caught.value.line == path.read_text().splitlines().index("doc_to_text: !function mine.ask") + 1
    assert next(iter(read_lm_eval(path, functions=True).tasks[0].items())).input == "2+2?"
    monkeypatch.setenv("SALTUS_TASK_CODE", "1")
    assert next(iter(get_suite(path).tasks[0].items())).input == "2+2?"
    with pytest.raises(InputError, match="runs only where"):
        read_lm_eval(path, functions=False)
    for name, reason in (
        ("mine.none", "AttributeError"),
        ("no_such.one", "ModuleNotFoundError"),
        ("ask", "a dot"),
    ):
        path.write_text(path.read_text().rsplit("!function", 1)[0] + f"!function {name}\n")
        with pytest.raises(InputError, match=reason):
            read_lm_eval(path)


def test_a_function_that_fails_is_the_tasks_fault(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def ask(doc):\n    return doc['nothing']\n")
    path = write(tmp_path, GENERATE)
    path.write_text(path.read_text().replace("'{{q}}='", "!function broken.ask"))
    with pytest.raises(InputError, match="KeyError"):
        read_lm_eval(path, functions=True)


def test_a_processed_split_has_the_same_version_each_time(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def kept(rows):\n    return rows.filter(lambda row: row['a'] == '4')\n"
    )
    path = write(tmp_path, GENERATE | {"process_docs": "x"})
    path.write_text(path.read_text().replace("process_docs: x", "process_docs: !function mine.kept"))
    first, again = (read_lm_eval(path, functions=True).tasks[0] for _ in range(2))
    assert first.version == again.version
    assert [sample.input for sample in first.items()] == ["2+2="]


def test_a_filter_of_the_tasks_own(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "class Last:\n"
        "    def __init__(self, length):\n"
        "        self.length = length\n"
        "    def apply(self, resps, docs):\n"
        "        for answers, doc in zip(resps, docs):\n"
        "            yield [answer[-self.length:] if doc['q'] == '2+2' else '' for answer in answers]\n"
    )
    steps = [{"function": "own", "length": 1}, {"function": "take_first"}]
    path = write(tmp_path, GENERATE | {"filter_list": [{"name": "last", "filter": steps}]})
    path.write_text(path.read_text().replace("function: own", "function: !function own.Last"))
    [task] = read_lm_eval(path, functions=True).tasks
    response = Response(run="r", model="m", task="sums", sample="0", output="3 and 4")
    pairs = [(sample, response) for sample in task.items()]
    assert harness_results(task, pairs) == {"exact_match,last": 0.5}


def test_get_suite_reads_them(tmp_path: Path) -> None:
    suite = get_suite(write(tmp_path, CHOICE))
    assert isinstance(suite.tasks[0], LmEvalTask)


def test_a_group_without_its_tasks(tmp_path: Path) -> None:
    path = write(tmp_path, {"group": "all", "task": ["sums", "sumz"]}, "all.yaml")
    write(tmp_path, CHOICE)
    with pytest.raises(InputError, match="did you mean 'sums'") as caught:
        read_lm_eval(path)
    assert caught.value.line == 4
    with pytest.raises(InputError, match="in itself"):
        read_lm_eval(write(tmp_path, {"group": "all", "task": ["all"]}, "all.yaml"))
    with pytest.raises(InputError, match="has no tasks"):
        read_lm_eval(write(tmp_path, {"group": "all", "task": []}, "all.yaml"))


def test_results_of_other_tasks_are_none() -> None:
    assert harness_results(get_suite("family").tasks[0], []) == {}


WRONG = {
    "docto_text": ({"docto_text": "x"}, "did you mean 'doc_to_text'"),
    "output_type": ({"output_type": "multiple_choise"}, "did you mean 'multiple_choice'"),
    "an image": ({"doc_to_image": "i"}, "images are not put"),
    "unsafe code": ({"unsafe_code": True}, "in a sandbox"),
    "a metric": ({"metric_list": [{"metric": "acc_mutual_info"}]}, "no metric 'acc_mutual_info'"),
    "an aggregation": ({"metric_list": [{"metric": "acc", "aggregation": "meen"}]}, "did you mean 'mean'"),
    "hf_evaluate": ({"metric_list": [{"metric": "acc", "hf_evaluate": True}]}, "evaluate"),
    "a filter of log-probabilities": (
        {"filter_list": [{"name": "n", "filter": [{"function": "lowercase"}]}]}, "change log-probabilities",
    ),
    "a sampler": ({"fewshot_config": {"sampler": "balanced"}}, "default or first_n"),
    "a field of fewshot_config": ({"fewshot_config": {"spilt": "x"}}, "did you mean 'split'"),
    "num_fewshot": ({"num_fewshot": -1}, "whole number"),
    "repeats": ({"repeats": 0}, "1 or more"),
    "a split": ({"test_split": "tests"}, "did you mean 'test'"),
    "a file": ({"dataset_kwargs": {"data_files": {"test": "row.jsonl"}}}, "names row.jsonl"),
    "no split": ({"test_split": None}, "no test_split"),
    "a column": ({"doc_to_text": "{{qq}}"}, "'qq' is undefined"),
    "a template": ({"doc_to_text": "{{q"}, "is no template"),
    "choices": ({"doc_to_choice": "{{q}}, x"}, "no Python literal"),
    "an answer that is no choice": ({"doc_to_target": "{{7}}"}, "none of the 2 choices"),
    "questions as choices": ({"doc_to_text": "label"}, "Winogrande"),
    "too many examples": ({"num_fewshot": 5, "fewshot_split": "test"}, "6 examples are needed"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_its_line(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        list(read(tmp_path, CHOICE | change).items())
    error = caught.value
    lines = (tmp_path / "sums.yaml").read_text().splitlines()
    assert error.line is not None or next(iter(change.values())) is None
    if error.line is not None:
        assert any(str(key) in " ".join(lines[: error.line]) for key in change)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"generation_kwargs": {"num_beams": 4}}, "could change the answers"),
        ({"generation_kwargs": {"do_sample": True}}, "write a temperature"),
        ({"generation_kwargs": {"do_sample": True, "temperature": 1, "top_k": 3}}, "top_k"),
        ({"generation_kwargs": {"until": [1]}}, "list of strings"),
        ({"filter_list": [{"name": "n", "filter": [{"function": "regexx"}]}]}, "did you mean 'regex'"),
        (
            {"filter_list": [{"name": "n", "filter": [{"function": "regex", "regex_pattern": "("}]}]},
            "cannot be made",
        ),
        ({"metric_list": [{"metric": "exact_match", "ignore_cases": True}]}, "ignore_cases"),
        ({"metric_list": [{"metric": "acc"}]}, "no metric 'acc'"),
        ({"doc_to_choice": ["a", "b"]}, "must be the index"),
    ],
)
def test_what_is_wrong_with_a_generation(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        list(read(tmp_path, GENERATE | change).items())


@pytest.mark.parametrize(
    "text", ["", "- a\n", "task: [", "1: 2\n", "task: x\nx: !other y\n", "\x00", "a: *b\n", "task: 3\n"]
)
def test_what_is_no_task(text: str, tmp_path: Path) -> None:
    path = tmp_path / "any.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_lm_eval(path)
    assert caught.value.path == str(path)


KEYS = [
    *CHOICE,
    "metric_list",
    "filter_list",
    "fewshot_config",
    "num_fewshot",
    "generation_kwargs",
    "gen_prefix",
]
KEYS += ["description", "repeats", "fewshot_split", "training_split", "metadata"]
INNER = ["metric", "name", "filter", "function", "until", "split", "test"]
WORDS = st.text(max_size=8) | st.sampled_from(["test", "{{q}}", "a", "first_n"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner, max_size=3),
    max_leaves=6,
)


@given(
    change=st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=3),
    base=st.sampled_from([CHOICE, GENERATE]),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_are_read_or_refused(change: dict[str, Any], base: dict[str, Any], tmp_path: Path) -> None:
    if isinstance(change.get("dataset_path"), str):
        del change["dataset_path"]  # it would be looked for on the hub
    try:
        for task in read_lm_eval(write(tmp_path, base | change)).tasks:
            assert all(sample.task == task.name for sample in task.items())
    except InputError as error:
        assert error.path is not None  # noqa: PT017 - either way is right
