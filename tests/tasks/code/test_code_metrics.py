"""pass@1 and pass@k as metrics: from responses to scores."""

from __future__ import annotations

import math

import pytest

from saltus.records.evidence import Response, Sample
from saltus.stats.passk import pass_at_k
from saltus.tasks.builtin.code import suite
from saltus.tasks.code import CODE_METRICS, code_case, judge_many, pass_at
from saltus.tasks.metrics import GroupMetric, Metric, get_metric, score_responses

SAMPLE = Sample(
    task="t",
    task_version="1",
    id="1",
    input="def double(x):\n",
    target="    return 2 * x\n",
    extra={"tests": "def check(candidate):\n    assert candidate(3) == 6\n", "entry_point": "double"},
)


def said(output: str, epoch: int = 0) -> Response:
    return Response(run="r", model="m", task="t", sample="1", output=output, epoch=epoch, finish="stop")


def test_the_registry_knows_them() -> None:
    assert {metric.name for metric in CODE_METRICS} >= {"pass@1", "pass@10", "pass@100"}
    assert isinstance(get_metric("pass@1"), Metric)
    assert isinstance(get_metric("pass@10"), GroupMetric)


def test_responses_are_scored_in_a_batch() -> None:
    outputs = [
        "    return 2 * x\n",
        "    return x\n",
        "```python\ndef double(x): return x + x\n```",
        "I do not know.",
    ]
    scores = list(
        score_responses(None, [get_metric("pass@1")], [(SAMPLE, said(output)) for output in outputs])
    )
    assert [score.value for score in scores] == [1.0, 0.0, 1.0, 0.0]
    metric = get_metric("pass@1")
    assert isinstance(metric, Metric)
    assert metric.compute(SAMPLE, said(outputs[0])) == 1.0


def test_a_sample_without_tests_is_not_scored() -> None:
    bare = Sample(task="t", task_version="1", id="1", input="", target="")
    assert list(score_responses(None, [get_metric("pass@1")], [(bare, said("x = 1"))])) == []


def test_the_prompt_that_was_asked_is_continued() -> None:
    variant = Response(
        run="r",
        model="m",
        task="t",
        sample="1",
        output="    return 2 * x\n",
        prompt="# Please!\ndef double(x):\n",
    )
    assert code_case(SAMPLE, variant).code == "# Please!\ndef double(x):\n    return 2 * x\n"


def test_epochs_are_scored_together() -> None:
    responses = [said("    return 2 * x\n" if i < 3 else "    return x\n", i) for i in range(10)]
    assert pass_at(5).compute(SAMPLE, responses) == pytest.approx(float(pass_at_k(10, 3, 5)))
    assert math.isnan(pass_at(20).compute(SAMPLE, responses))


def test_the_solutions_of_the_built_in_suite_pass_and_their_mutations_do_not() -> None:
    samples = [sample for task in suite(items=8).tasks for sample in task.items()]
    right = [code_case(sample, said(sample.target)) for sample in samples]
    verdicts = list(judge_many(right))
    assert [verdict.reason for verdict in verdicts if not verdict.passed] == []
    wrong = [code_case(sample, said(_without_last_step(sample.target))) for sample in samples]
    assert not any(verdict.passed for verdict in judge_many(wrong))


def _without_last_step(code: str) -> str:
    lines = code.splitlines()
    return "\n".join([*lines[:-2], lines[-1]]) + "\n"
