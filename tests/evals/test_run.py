"""What `evaluate` writes, what it asks, and what happens when something fails."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.evals import ProgressEvent, evaluate
from saltus.records import InputError, MissingExtraError, ModelError, ModelRecord, UsageError
from saltus.store import Store
from saltus.tasks import Suite, Task


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return saltus.open(tmp_path / "evidence")


def count(store: Store, table: str, where: str = "true") -> int:
    return int(store.sql(f"SELECT count(*) AS n FROM {table} WHERE {where}")["n"][0].as_py())


def value(store: Store, model: str, task: str, metric: str) -> float:
    query = "SELECT avg(value) AS v FROM scores WHERE model = ? AND task = ? AND metric = ?"
    return float(store.sql(query, [model, task, metric])["v"][0].as_py())


def test_everything_is_asked_scored_and_written(store: Store, rules: Any, numbers: Suite) -> None:
    summary = evaluate(rules, numbers, store=store)
    assert (summary.samples, summary.failed, summary.cached) == (108, 0, 0)
    assert summary.requests == sum(model.asked for model in rules) == 3 * 12 * 4
    assert count(store, "models") == 3
    assert count(store, "samples") == 36
    assert count(store, "runs") == 1
    assert count(store, "responses") == 108
    assert count(store, "scores") == 3 * 12 * (4 + 4 + 2)
    for i in range(3):
        assert value(store, f"rule-{i}", "generation", "exact_match") == pytest.approx(3 * i / 12)
        assert value(store, f"rule-{i}", "loglikelihood", "greedy_match") == pytest.approx(3 * i / 12)
    # What is not known gets -2 and -1 a letter, so the first of two one-letter choices wins.
    assert value(store, "rule-0", "multiple_choice", "choice_correct") == pytest.approx(10 / 12)
    row = store.sql("SELECT * FROM runs").to_pylist()[0]
    assert (row["id"], row["kind"], row["source"], row["rows"]) == (summary.run, "run", "numbers", 360)
    assert json.loads(row["config"])["models"][2]["id"] == "rule-2"
    assert all(model.closed == 0 for model in rules)  # they are the caller's


def test_responses_keep_what_the_scores_came_from(store: Store, rules: Any, numbers: Suite) -> None:
    evaluate(rules[1:2], numbers, store=store)
    query = "SELECT * FROM responses WHERE sample = ?"
    [written] = store.sql(query, ["generation-11"]).to_pylist()
    assert (written["output"], written["finish"], written["error"]) == ("?", "stop", "")
    assert written["logprobs"] == [-4.0, -4.0]
    assert written["greedy"] == [False, False]
    assert written["latency"] > 0
    [chosen] = store.sql(query, ["multiple_choice-1"]).to_pylist()
    assert (chosen["output"], chosen["choice_logprobs"]) == ("1", [-0.125, -3.0])
    assert chosen["logprobs"] == [-0.125]
    assert (chosen["prompt_tokens"], chosen["completion_tokens"]) == (2, 2)


def test_a_second_run_asks_nothing_and_adds_nothing(store: Store, rules: Any, numbers: Suite) -> None:
    first = evaluate(rules, numbers, store=store)
    tables = ("models", "samples", "runs", "responses", "scores")
    before = {table: count(store, table) for table in tables}
    asked = sum(model.asked for model in rules)
    second = evaluate(rules, numbers, store=store)
    assert (second.run, second.samples) == (first.run, first.samples)
    assert (second.requests, second.cached, second.failed) == (0, first.requests, 0)
    assert sum(model.asked for model in rules) == asked
    assert {table: count(store, table) for table in tables} == before


def test_another_run_takes_from_the_cache_what_is_known(store: Store, rules: Any, numbers: Suite) -> None:
    part = evaluate(rules, numbers, store=store, limit=5)
    assert (part.samples, part.requests) == (45, 60)
    assert count(store, "samples") == 15
    whole = evaluate(rules, numbers, store=store)
    assert whole.run != part.run
    assert (whole.samples, whole.requests, whole.cached) == (108, 84, 60)
    assert count(store, "samples") == 36


def test_refresh_asks_again_as_a_run_of_its_own(store: Store, rules: Any, numbers: Suite) -> None:
    first = evaluate(rules, numbers, store=store)
    again = evaluate(rules, numbers, store=store, refresh=True)
    assert again.run != first.run
    assert (again.requests, again.cached) == (first.requests, 0)
    assert count(store, "runs") == 2


def test_only_some_metrics(store: Store, rules: Any, numbers: Suite) -> None:
    summary = evaluate(rules, numbers, store=store, metrics=["exact_match"])
    # One task can be scored by it, and nothing but its generations is asked.
    assert (summary.samples, summary.requests) == (36, 36)
    assert store.sql("SELECT DISTINCT task, metric FROM scores").to_pylist() == [
        {"task": "generation", "metric": "exact_match"}
    ]


def test_progress_reaches_the_end(store: Store, rules: Any, numbers: Suite) -> None:
    events: list[ProgressEvent] = []
    evaluate(rules, numbers, store=store, progress=events.append)
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert (events[0].done, events[-1].done, events[-1].total) == (0, 108, 108)
    assert events[-1].requests == 144
    assert {event.task for event in events} == {task.name for task in numbers.tasks}


def test_a_model_that_is_missing_costs_no_other(
    store: Store, tmp_path: Path, rules: Any, numbers: Suite
) -> None:
    gone = ModelRecord(name="gone", location=str(tmp_path / "nowhere"))
    summary = evaluate([rules[0], gone, rules[2]], numbers, store=store)
    assert (summary.samples, summary.failed) == (72, 36)
    [problem] = summary.problems
    assert problem.startswith("gone, 36 samples: ")
    assert "no model directory is here" in problem
    assert count(store, "scores", "model = 'rule-2'") == 120


def test_records_are_loaded_when_their_turn_comes(store: Store, rules: Any, numbers: Suite) -> None:
    by_id = {model.record.id: model for model in rules}

    def load(record: ModelRecord) -> Any:
        if record.name == "rule-1":
            raise ModelError("the disk is away")
        return by_id[record.id]

    summary = evaluate([model.record for model in rules], numbers, store=store, load=load)
    assert (summary.samples, summary.failed) == (72, 36)
    assert summary.problems == ("rule-1, 36 samples: the disk is away",)
    assert [model.closed for model in rules] == [1, 0, 1]


def test_the_next_model_gets_ready_while_one_is_asked(
    store: Store, rules: Any, rule_model: Any, numbers: Suite
) -> None:
    ready: list[str] = []

    class Far(rule_model):  # type: ignore[misc]
        def prepare(self) -> None:
            ready.append(self.record.id)

        def generate(self, requests: Any) -> Any:
            if self.record.id != "rule-2":
                deadline = time.monotonic() + 10
                while f"rule-{int(self.record.id[-1]) + 1}" not in ready and time.monotonic() < deadline:
                    time.sleep(0.001)
            return super().generate(requests)

    evaluate([Far(rule.record) for rule in rules], numbers, store=store)
    assert ready == ["rule-1", "rule-2"]


def test_a_missing_extra_stops_at_once(store: Store, rules: Any, numbers: Suite) -> None:
    def load(record: ModelRecord) -> Any:
        raise MissingExtraError("local models need torch")

    with pytest.raises(MissingExtraError):
        evaluate([rules[0].record], numbers, store=store, load=load)
    assert count(store, "runs") == 0


def test_a_sample_that_fails_costs_no_other(
    store: Store, rules: Any, rule_model: Any, numbers: Suite
) -> None:
    bad = rule_model(rules[2].record, trap="g7")
    summary = evaluate([bad], numbers, store=store)
    assert (summary.samples, summary.failed) == (35, 1)
    assert summary.problems == (
        "rule-2, task generation, 1 sample such as generation-7: ValueError: cannot read g7",
    )
    [failed] = store.sql("SELECT * FROM responses WHERE sample = 'generation-7'").to_pylist()
    assert (failed["finish"], failed["error"]) == ("error", "ValueError: cannot read g7")
    assert count(store, "scores", "sample = 'generation-7'") == 0
    # The same again: what failed is kept as failed, and asked again on request only.
    rows = count(store, "responses")
    again = evaluate([bad], numbers, store=store)
    assert (again.run, again.failed, again.samples, again.requests) == (summary.run, 1, 35, 0)
    assert again.problems == summary.problems
    # Its failure is not written twice.
    again = evaluate([bad], numbers, store=store, retry_failed=True)
    assert (again.run, again.failed, again.samples, again.requests) == (summary.run, 1, 35, 2)
    assert again.problems == summary.problems
    assert count(store, "responses") == rows
    # Mended, it is completed within the same run.
    mended = evaluate([rules[2]], numbers, store=store, retry_failed=True)
    assert (mended.run, mended.samples, mended.failed, mended.requests) == (summary.run, 36, 0, 2)
    assert mended.problems == ()
    assert count(store, "scores") == 120
    assert count(store, "responses", "error = ''") == 36


def test_a_target_that_is_too_long_costs_only_what_needs_it(
    store: Store, rules: Any, rule_model: Any, numbers: Suite
) -> None:
    class Short(rule_model):  # type: ignore[misc]
        def loglikelihood(self, requests: Any) -> Any:
            if any(request.context == "g5" for request in requests):
                raise InputError("a continuation has 130 tokens and rule-1 reads 64 at most; cut it")
            return super().loglikelihood(requests)

    summary = evaluate([Short(rules[1].record)], numbers, store=store)
    assert (summary.samples, summary.failed) == (36, 0)
    found = store.sql("SELECT metric FROM scores WHERE sample = 'generation-5'")["metric"].to_pylist()
    assert found == ["exact_match"]
    [row] = store.sql("SELECT finish, error FROM responses WHERE sample = 'generation-5'").to_pylist()
    assert row["finish"] == "stop"
    assert row["error"].startswith("a continuation has 130 tokens")


def test_a_model_that_fails_at_everything_is_soon_left_alone(
    store: Store, rules: Any, rule_model: Any
) -> None:
    many = Task(name="loglikelihood", kind="loglikelihood", items=_hundred, metrics=("target_logprob",))
    broken = rule_model(rules[0].record, broken=True)
    summary = evaluate([broken, rules[1]], [many], store=store)
    assert (summary.samples, summary.failed) == (100, 100)
    assert summary.problems == (
        "rule-0, task loglikelihood, 100 samples such as loglikelihood-0: RuntimeError: no weights",
    )
    assert len(broken.log) < 30


def test_strange_numbers_fail_the_sample(store: Store, rules: Any) -> None:
    task = Task(name="loglikelihood", kind="loglikelihood", items=_strange, metrics=("target_logprob",))
    summary = evaluate(rules[:1], [task], store=store)
    assert (summary.samples, summary.failed) == (1, 2)
    assert any("a log-probability of nan" in problem for problem in summary.problems)
    assert any("the target has no tokens" in problem for problem in summary.problems)


def test_an_interrupt_leaves_what_is_written(store: Store, rules: Any, numbers: Suite) -> None:
    def stop(event: ProgressEvent) -> None:
        if event.done >= 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(rules, numbers, store=store, progress=stop)
    assert count(store, "responses") >= 48
    asked = sum(model.asked for model in rules)
    summary = evaluate(rules, numbers, store=store)
    assert summary.samples == 108
    assert summary.requests == 144 - asked
    assert count(store, "responses") == 108


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit": 0}, "limit is 0"),
        ({"metrics": ["bleu"]}, "no metric is called 'bleu'"),
        ({"metrics": []}, "nothing to measure"),
    ],
)
def test_wrong_options(store: Store, rules: Any, numbers: Suite, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        evaluate(rules, numbers, store=store, **options)


def test_nothing_and_twice(store: Store, rules: Any, numbers: Suite) -> None:
    with pytest.raises(UsageError, match="there is no model to measure"):
        evaluate([], numbers, store=store)
    with pytest.raises(UsageError, match="'rule-0' names more than one model"):
        evaluate([rules[0], rules[0]], numbers, store=store)
    with pytest.raises(UsageError, match="'generation' names more than one task"):
        evaluate(rules, [numbers.tasks[0], numbers.tasks[0]], store=store)
    with pytest.raises(UsageError, match="no suite is called 'nothing'"):
        evaluate(rules, "nothing", store=store)
    assert count(store, "runs") == 0


def _hundred() -> Sequence[Any]:
    return _samples([f"#{i}" for i in range(100)])


def _strange() -> Sequence[Any]:
    empty = saltus.Sample(task="loglikelihood", task_version="1", id="empty", input="#3", target="")
    return [*_samples(["#1", "#nan"]), empty]


def _samples(prompts: Sequence[str], task: str = "loglikelihood") -> list[Any]:
    return [
        saltus.Sample(task=task, task_version="1", id=f"{task}-{i}", input=prompt, target=prompt[1:])
        for i, prompt in enumerate(prompts)
    ]
