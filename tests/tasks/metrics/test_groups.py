"""Metrics over several responses, the rows they become, the registry, and the table in the documentation."""

from __future__ import annotations

import math
import re
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from saltus.records import METRICS as MEANINGS
from saltus.records import Response, Sample, UsageError
from saltus.tasks import Task
from saltus.tasks.metrics import (
    GROUP_METRICS,
    METRICS,
    PAIR_METRICS,
    RATIOS,
    Metric,
    all_metrics,
    couple,
    get_metric,
    metrics_for,
    registry,
    score_groups,
    score_pairs,
    score_responses,
    with_partners,
)

DOCS = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


def sample(name: str = "s", target: str = "x", **extra: Any) -> Sample:
    return Sample(task="t", task_version="1", id=name, input="q", target=target, extra=extra)


def said(output: str = "", name: str = "s", **more: Any) -> Response:
    return Response(run="r", model="m", task="t", sample=name, output=output, finish="stop", **more)


def group(name: str, *outputs: str) -> float:
    return GROUP_METRICS[name].compute(sample(), [said(one, epoch=i) for i, one in enumerate(outputs)])


def test_agreement_is_the_share_of_pairs_that_agree() -> None:
    assert group("epoch_agreement", "Paris", "paris.", "the Paris", "Rome") == pytest.approx(3 / 6)
    assert math.isnan(group("epoch_agreement", "Paris"))
    assert group("epoch_agreement", "!", "?") == 0


def test_diversity() -> None:
    assert group("distinct_1", "a b", "a c") == 3 / 4
    assert group("distinct_2", "a b c", "a b c") == 2 / 4
    assert math.isnan(group("distinct_2", "a", ""))
    same, other = "the cat sat on the mat", "wholly other words stand in here"
    assert group("self_bleu", same, same) == pytest.approx(1)
    assert group("self_bleu", same, other) < 0.1


def test_pairs() -> None:
    one, other = sample("a", "Yes", pair="b"), sample("b", "Yes", pair="a")

    def both(name: str, left: Response, right: Response) -> float:
        return PAIR_METRICS[name].compute((one, left), (other, right))

    assert both("pair_consistent", said("yes"), said("Yes.")) == 1
    assert both("pair_consistent", said("yes"), said("no")) == 0
    assert both("pair_gap", said(logprobs=(-1.0,)), said(logprobs=(-3.0,))) == 2
    assert both("pair_same_choice", said(choice_logprobs=(-1, -2)), said(choice_logprobs=(-3, -2))) == 0
    other_names = sample("a", "Ann", pair="b"), sample("b", "Ben", pair="a")
    consistent = PAIR_METRICS["pair_consistent"].compute(
        (other_names[0], said("Ann")), (other_names[1], said("Ben"))
    )
    assert consistent == 1


def test_partners_are_brought_together_whatever_their_order() -> None:
    pairs = [
        (sample(name, pair=partner), said(name, name, variant=variant))
        for variant in ("", "v")
        for name, partner in (("b", "a"), ("c", "gone"), ("a", "b"))
    ]
    found = [(one[1].sample, other[1].sample, one[1].variant) for one, other in couple(pairs)]
    assert found == [("a", "b", ""), ("a", "b", "v")]
    rows = list(score_pairs([PAIR_METRICS["pair_consistent"]], couple(pairs)))
    assert [(row.sample, row.variant, row.value) for row in rows] == [("a", "", 0.0), ("a", "v", 0.0)]


def test_rows_of_responses() -> None:
    pairs = [
        (sample("a", "x"), said("x", "a", epoch=2, variant="v")),
        (sample("b", "x", calls=[]), said("", "b")),
        (sample("c", "x"), said("", "c", logprobs=(-1.0, -2.0))),
    ]
    metrics = [METRICS[name] for name in ("exact_match", "tool_calls", "tool_arguments", "target_logprob")]
    rows = [(row.metric, row.sample, row.value) for row in score_responses(None, metrics, pairs)]
    assert rows == [
        ("exact_match", "a", 1.0),
        ("exact_match", "b", 0.0),
        ("tool_calls", "b", 1.0),
        ("exact_match", "c", 0.0),
        ("target_logprob", "c", -1.5),
    ]
    first = next(score_responses(None, metrics, pairs))
    assert (first.run, first.model, first.variant, first.epoch) == ("r", "m", "v", 2)


def test_a_batch_is_scored_once_and_only_where_it_applies() -> None:
    seen: list[int] = []

    def batch(pairs: Any) -> list[float]:
        seen.append(len(pairs))
        return [math.nan if response.output == "?" else 1.0 for _, response in pairs]

    metric = Metric("run", ("output",), lambda sample, response: 0.0, extra=("tests",), batch=batch)
    pairs = [
        (sample("a", tests="x"), said("1", "a")),
        (sample("b"), said("2", "b")),
        (sample("c", tests="x"), said("?", "c")),
    ]
    rows = list(score_responses(None, [metric], pairs))
    assert (seen, [(row.sample, row.value) for row in rows]) == ([2], [("a", 1.0)])
    task = Task(name="t", kind="generation", items=tuple, metrics=())
    assert [row.sample for row in score_responses(task, [metric], pairs)] == ["a"]


def test_rows_of_groups() -> None:
    responses = [
        said("x", variant="", epoch=0),
        said("x", variant="typos", epoch=0),
        said("y", variant="z", epoch=0),
    ]
    [row] = score_groups(list(GROUP_METRICS.values()), [(sample(), responses)], "variants")
    assert (row.metric, row.variant, row.epoch, row.value) == (
        "variant_agreement",
        "*",
        0,
        pytest.approx(1 / 3),
    )
    repeats = [said("x", variant="v", epoch=epoch) for epoch in (0, 1)]
    found = {
        row.metric: row for row in score_groups(list(GROUP_METRICS.values()), [(sample(), repeats)], "epochs")
    }
    assert set(found) == {"epoch_agreement", "distinct_1", "self_bleu"}
    assert all((row.variant, row.epoch) == ("v", 0) for row in found.values())


def test_multiple_choice_has_no_text_of_its_own() -> None:
    chosen = said("x", choice_logprobs=(-1.0, -2.0), logprobs=(-1.0,))
    rows = list(
        score_responses(None, [METRICS["exact_match"], METRICS["choice_correct"]], [(sample(), chosen)])
    )
    assert [row.metric for row in rows] == ["choice_correct"]


def test_a_corpus_metric_is_scored_by_its_terms() -> None:
    task = Task(name="t", kind="perplexity", items=tuple, metrics=("word_perplexity", "bits_per_byte"))
    assert [metric.name for metric in metrics_for(task)] == ["target_nll", "target_words", "target_bytes"]
    assert {name for name, info in MEANINGS.items() if info.ratio} == set(RATIOS)


def test_words_are_counted_as_the_harness_does() -> None:
    counted = METRICS["target_words"].compute(sample(target=" two  words\n"), said())
    assert counted == len(re.split(r"\s+", " two  words\n")) == 4


def test_partners_are_added_to_discontinuous_metrics() -> None:
    task = Task(name="t", kind="generation", items=tuple, metrics=("tool_calls", "exact_match"))
    names = [metric.name for metric in with_partners(task, metrics_for(task))]
    assert names == ["tool_calls", "exact_match", "tool_f1", "target_logprob"]
    assert with_partners(task, metrics_for(task, ("f1",))) == (METRICS["f1"],)


OURS = Metric("ours", ("output",), lambda sample, response: 1.0)
NOT_OURS = 42


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ours", "tests_metric:missing", "cannot be loaded"),
        ("other", "{here}:OURS", "gives ours"),
        ("ours", "{here}:NOT_OURS", "gives a int"),
    ],
)
def test_what_packages_declare_is_checked(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, name, value)
    with pytest.raises(UsageError, match=message):
        get_metric(name)


def test_packages_may_add_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, "ours", "{here}:OURS")
    assert get_metric("ours").name == "ours"
    task = Task(name="t", kind="generation", items=tuple, metrics=("ours",))
    assert [metric.name for metric in metrics_for(task)] == ["ours"]


def declare(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """What an installed package would have in its metadata."""
    point = EntryPoint(name, value.replace("{here}", __name__), registry.GROUP)
    registry._declared.cache_clear()
    monkeypatch.setattr(registry, "_declared", lambda: (point,))


def test_the_documentation_lists_every_metric() -> None:
    table = {
        match[1]: match[0]
        for match in re.finditer(r"^\| `([^`]+)` \|.*$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    }
    ours = [*METRICS, *GROUP_METRICS, *PAIR_METRICS, *RATIOS, "pass@1", "pass@2"]
    assert set(table) >= set(ours)
    for name in ours:
        info = MEANINGS[name]
        cells = [cell.strip() for cell in table[name].strip("| ").split(" | ")]
        low = "-∞" if info.low is None else f"{info.low:g}"
        high = "∞" if info.high is None else f"{info.high:g}"
        arrow = "–" if info.neutral else "↑" if info.higher_is_better else "↓"  # noqa: RUF001
        assert cells[2] == f"{low} to {high} {arrow}", f"{name}: {low} to {high} {arrow}"
        pairs = ", ".join(f"`{pair}`" for pair in info.pairs if pair in all_metrics())
        assert cells[3] == (pairs if info.kind == "discontinuous" else "continuous"), f"{name}: {pairs}"
