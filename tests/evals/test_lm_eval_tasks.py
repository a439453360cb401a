"""Tasks of lm-evaluation-harness, run by Saltus: the same prompts, log-probabilities, scores and figures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.family import path as checkpoint
from saltus.records.evidence import Response, Sample
from saltus.tasks.lm_eval import harness_results, read_lm_eval

GOLDEN = Path(__file__).parents[1] / "golden" / "lm_eval_tasks"
MODELS = {"tiro-2x64-step550": ("tiro-2x64", 550), "tiro-3x80-step2000": ("tiro-3x80", 2000)}
TASKS = sorted(
    path.stem for path in (GOLDEN / "tasks").glob("*.yaml") if not path.stem.startswith(("_", "golden_"))
)
CLOSE = 1e-4


def read_golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{name}.json").read_text())


class Ran:
    """All tasks, run on both models in one store."""

    def __init__(self, folder: Path) -> None:
        self.store = saltus.open(folder)
        self.suites = {
            name: read_lm_eval(GOLDEN / "tasks" / f"{name}.yaml", functions=True) for name in TASKS
        }
        tasks = [task for suite in self.suites.values() for task in suite.tasks]
        records = [
            saltus.ModelRecord(name=name, location=str(checkpoint(*place))) for name, place in MODELS.items()
        ]
        self.summary = saltus.evaluate(records, tasks, store=self.store)
        rows = self.store.sql("SELECT * FROM responses ORDER BY epoch").to_pylist()
        self.responses: dict[tuple[str, str], dict[str, list[Response]]] = {}
        for row in rows:
            found = self.responses.setdefault((row["model"], row["task"]), {})
            found.setdefault(row["sample"], []).append(_response(row))
        self.scores: dict[tuple[str, str, str], dict[str, float]] = {}
        for row in self.store.sql("SELECT * FROM scores").to_pylist():
            key = (row["model"], row["task"], row["sample"])
            self.scores.setdefault(key, {})[row["metric"]] = row["value"]


def _response(row: dict[str, Any]) -> Response:
    names = ("run", "model", "task", "sample", "epoch", "output")
    lists = ("logprobs", "greedy", "choice_logprobs")
    return Response(**{name: row[name] for name in names}, **{name: tuple(row[name] or ()) for name in lists})


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(tmp_path_factory.mktemp("harness"))


def test_every_task_was_run(ran: Ran) -> None:
    assert set(TASKS) == set(read_golden("tiro-2x64-step550")["tasks"])
    assert ran.summary.failed == 0
    assert ran.summary.problems == ()


@pytest.mark.parametrize("name", TASKS)
def test_the_prompts_are_the_same(ran: Ran, name: str) -> None:
    [task] = ran.suites[name].tasks
    golden = read_golden("tiro-2x64-step550")["tasks"][name]["items"]
    assert [_asked(sample, task.kind) for sample in task.items()] == [item["arguments"] for item in golden]


def _asked(sample: Sample, kind: str) -> list[list[str]]:
    match kind:
        case "multiple_choice":
            return [[sample.input, choice] for choice in sample.choices]
        case "loglikelihood":
            return [[sample.input, sample.target]]
        case "perplexity":
            return [[sample.target]]
        case _:
            return [[sample.input]]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", TASKS)
def test_the_answers_are_the_same(ran: Ran, name: str, model: str) -> None:
    [task] = ran.suites[name].tasks
    responses = ran.responses[model, name]
    for number, item in enumerate(read_golden(model)["tasks"][name]["items"]):
        said = responses[str(number)]
        if task.kind == "generation":
            assert [[response.output for response in said]] == item["answers"]
            continue
        theirs = [answer[0] for answer in item["answers"]]
        if task.kind == "multiple_choice":
            assert said[0].choice_logprobs == pytest.approx([one[0] for one in theirs], abs=CLOSE)
        else:
            total = theirs[0][0] if isinstance(theirs[0], list) else theirs[0]
            assert math.fsum(said[0].logprobs) == pytest.approx(total, abs=CLOSE)
            assert not isinstance(theirs[0], list) or all(said[0].greedy) == theirs[0][1]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", TASKS)
def test_the_scores_of_each_item_are_the_same(ran: Ran, name: str, model: str) -> None:
    compared = 0
    for number, item in enumerate(read_golden(model)["tasks"][name]["items"]):
        ours = ran.scores[model, name, str(number)]
        for key, value in item["metrics"].items():
            metric = key if key in ours else key.partition(",")[0]
            if metric in ours and isinstance(value, int | float) and "perplexity" not in key:
                assert ours[metric] == value, (number, key)
                compared += 1
    assert compared or name == "text_rolling"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", TASKS)
def test_the_figures_are_the_same(ran: Ran, name: str, model: str) -> None:
    [task] = ran.suites[name].tasks
    samples = {sample.id: sample for sample in task.items()}
    pairs = [
        (samples[sample], response)
        for sample, repeats in ran.responses[model, name].items()
        for response in repeats
    ]
    golden = read_golden(model)["tasks"][name]["results"]
    ours = harness_results(task, pairs)
    assert ours.keys() == golden.keys()
    for key, value in golden.items():
        exact = key.startswith(("acc", "exact_match", "f1", "mcc", "first_digit", "length"))
        assert ours[key] == pytest.approx(
            value, abs=1e-7 if exact else CLOSE, rel=1e-7 if exact else CLOSE
        ), key


def test_the_store_gives_the_same_perplexities(ran: Ran) -> None:
    golden = read_golden("tiro-2x64-step550")["tasks"]["text_rolling"]["results"]
    points = ran.store.points(task="text_rolling", model="tiro-2x64-step550").to_pylist()
    ours = {row["metric"]: row["value"] for row in points}
    nats = ours["target_nll"] / ours["target_bytes"]
    assert nats / math.log(2) == pytest.approx(golden["bits_per_byte,none"], rel=CLOSE)
    assert math.exp(ours["target_nll"] / ours["target_words"]) == pytest.approx(
        golden["word_perplexity,none"], rel=1e-3
    )


def test_a_group_is_its_tasks_with_what_it_changes(ran: Ran) -> None:
    golden = read_golden("tiro-2x64-step550")["group"]
    suite = read_lm_eval(GOLDEN / "tasks" / "golden_group.yaml")
    assert [task.name for task in suite.tasks] == golden["order"]
    store = saltus.open(ran.store.path.parent / "group")
    record = saltus.ModelRecord(name="m", location=str(checkpoint("tiro-2x64", 550)))
    saltus.evaluate([record], suite, store=store)
    for task in suite.tasks:
        theirs = golden["results"][task.name].get("acc,none")
        if theirs is not None:
            [row] = store.points(task=task.name, metric="acc").to_pylist()
            assert row["value"] == pytest.approx(theirs, abs=1e-9)
