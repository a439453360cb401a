"""Scoring a stored run: what is added, what is not asked, what stays, and corpus ratios."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.cli import main
from saltus.evals import evaluate
from saltus.evals.scoring import score
from saltus.evals.stored import find_run, pages, units
from saltus.records import Response, RunRecord, Sample, Score, UsageError
from saltus.store import Store
from saltus.tasks import METRICS, Suite
from saltus.tasks.variants import get_variant


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return saltus.open(tmp_path / "evidence")


def count(store: Store, table: str, where: str = "true") -> int:
    return int(store.sql(f"SELECT count(*) AS n FROM {table} WHERE {where}")["n"][0].as_py())


def put(store: Store, samples: Sequence[Sample], responses: Sequence[Response], run: str = "r1") -> None:
    store.append("runs", [RunRecord(id=run, kind="run", source="s", format="saltus", created=1.0)])
    store.append("samples", samples)
    store.append("responses", responses)


def sample(name: str, target: str = "x", task: str = "t", **extra: Any) -> Sample:
    return Sample(task=task, task_version="1", id=name, input=f"q {name}", target=target, extra=extra)


def said(name: str, output: str = "", *, run: str = "r1", model: str = "m", **more: Any) -> Response:
    more = {"finish": "stop", "task": "t"} | more
    return Response(run=run, model=model, sample=name, output=output, **more)


def test_metrics_are_those_that_the_run_itself_would_give(store: Store, rules: Any, numbers: Suite) -> None:
    run = evaluate(rules, numbers, store=store).run
    columns = "model, task, sample, metric, value"
    first = store.sql(f"SELECT {columns} FROM scores ORDER BY ALL").to_pylist()
    other = saltus.open(store.path.parent / "other")
    for table in ("runs", "samples", "responses"):
        other.append(table, store.sql(f"SELECT * FROM {table}"))
    asked = sum(model.asked for model in rules)
    score(run, sorted({row["metric"] for row in first}), store=other)
    assert sum(model.asked for model in rules) == asked
    rows = other.sql(f"SELECT {columns} FROM scores WHERE run = ?", [run]).to_pylist()
    again = {(row["model"], row["task"], row["sample"], row["metric"]): row["value"] for row in rows}
    for row in first:  # log-probabilities are stored as float32
        key = (row["model"], row["task"], row["sample"], row["metric"])
        assert again.pop(key) == pytest.approx(row["value"], rel=1e-6), key
    # More metrics fit a task than it names: all that were asked for are computed.
    assert {(task, metric) for _, task, _, metric in again} == {
        ("generation", "greedy_match"),
        ("multiple_choice", "greedy_match"),
        ("multiple_choice", "token_accuracy"),
        ("loglikelihood", "token_accuracy"),
    }


def test_the_same_metric_again_adds_nothing(store: Store, rules: Any, numbers: Suite) -> None:
    run = evaluate(rules, numbers, store=store).run
    first = score(run, ["f1", "exact_match"], store=store)
    assert (first.added, first.present) == (36, 36)
    before = count(store, "scores")
    second = score(run[:8], ["f1", "exact_match"], store=store)
    assert (second.run, second.added, second.present) == (run, 0, 72)
    assert count(store, "scores") == before


def test_again_is_a_run_of_its_own_that_takes_precedence(store: Store) -> None:
    put(store, [sample("a"), sample("b")], [said("a", "x"), said("b", "y")])
    score("r1", ["exact_match"], store=store)
    store.append(
        "scores", [Score(run="r1", model="m", task="t", sample="z", metric="exact_match", value=1.0)]
    )
    summary = score("r1", ["exact_match"], store=store, again=True)
    assert summary.run != "r1"
    assert (summary.added, count(store, "responses", f"run = '{summary.run}'")) == (2, 2)
    [point] = store.points(metric="exact_match").to_pylist()
    assert (point["run"], point["value"], point["n"]) == (summary.run, 0.5, 2)


def test_errors_are_not_scored_and_one_response_counts_once(store: Store) -> None:
    responses = [
        said("a", "", finish="error", error="busy"),
        said("a", "x"),
        said("b", finish="error", error="no"),
    ]
    put(store, [sample("a"), sample("b")], responses)
    store.append("responses", [said("a", "x")], part="written-twice")
    assert score("last", ["exact_match"], store=store).added == 1
    assert store.sql("SELECT sample, value FROM scores").to_pylist() == [{"sample": "a", "value": 1.0}]


def test_only_what_is_asked_for(store: Store) -> None:
    samples = [sample("a", task=task) for task in ("t", "u")]
    put(store, samples, [said("a", "x", model=model, task=task) for model in "mn" for task in "tu"])
    assert score("r1", ["f1"], store=store, models=["n"], tasks=["u"]).added == 1
    for options, message in (
        ({"models": ["o"]}, "no responses of model 'o', it has m, n"),
        ({"tasks": ["v"]}, "no responses of task 'v'"),
    ):
        with pytest.raises(UsageError, match=message):
            score("r1", ["f1"], store=store, **options)  # type: ignore[arg-type]


def test_pages_hold_whole_samples_in_order(store: Store) -> None:
    responses = [
        said(f"s{i:02d}", variant=variant, epoch=epoch)
        for i in range(20)
        for variant in ("", "v")
        for epoch in (1, 0)
    ]
    put(store, [sample(f"s{i:02d}") for i in range(20)], responses)
    [unit] = units(store, "r1")
    assert unit.responses == 80
    found = list(pages(store, unit, page=10))
    assert [len(page) for page in found] == [12] * 6 + [8]
    order = [(response.sample, response.variant, response.epoch) for page in found for _, response in page]
    assert order == sorted(order)
    assert len(set(order)) == 80


def test_group_and_pair_metrics(store: Store) -> None:
    samples = [sample("a", "yes", pair="b"), sample("b", "yes", pair="a"), sample("c")]
    responses = [
        said("a", "yes", epoch=0), said("a", "no", epoch=1), said("a", "Yes", variant="v"),
        said("b", "yes"), said("c", "x"),
    ]  # fmt: skip
    put(store, samples, responses)
    names = ["epoch_agreement", "variant_agreement", "pair_consistent"]
    assert score("r1", names, store=store).added == 3
    rows = store.sql("SELECT metric, sample, variant, epoch, value FROM scores ORDER BY metric").to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("epoch_agreement", "a", "", 0, 0.0),
        ("pair_consistent", "a", "", 0, 1.0),
        ("variant_agreement", "a", "*", 0, 1.0),
    ]
    assert score("r1", names, store=store).added == 0


def test_variants_are_scored_against_the_sample_as_it_was_asked(store: Store) -> None:
    asked = Sample(task="t", task_version="1", id="a", input="2 + 3 =", target="5")
    variant = get_variant("renumber")
    changed = variant.apply(asked)
    assert changed is not None
    assert changed.target != asked.target
    changes = json.dumps({"target": changed.target})
    answered = said("a", changed.target, variant=variant.name, prompt=changed.input, changes=changes)
    put(store, [asked], [answered])
    score("r1", ["exact_match"], store=store)
    assert store.sql("SELECT value FROM scores")["value"].to_pylist() == [1.0]


def test_corpus_metrics_are_ratios_of_sums(store: Store) -> None:
    texts = {"a": "one two three", "b": "a much longer text of many more words", "c": "ü"}
    nats = {"a": (-2.0, -4.0), "b": (-1.0, -0.5, -0.25), "c": (-3.0,)}
    samples = [sample(name, text) for name, text in texts.items()]
    put(store, samples, [said(name, finish="", logprobs=nats[name]) for name in texts])
    summary = score(
        "r1", ["token_perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte"], store=store
    )
    assert set(summary.metrics) == {"target_nll", "target_tokens", "target_words", "target_bytes"}
    found = {row["metric"]: row for row in store.points().to_pylist()}
    total = -sum(map(sum, nats.values()))
    sizes = {
        "token": sum(map(len, nats.values())),
        "word": sum(len(text.split()) for text in texts.values()),
        "byte": sum(len(text.encode()) for text in texts.values()),
    }
    for name, size in sizes.items():
        assert found[f"{name}_perplexity"]["value"] == pytest.approx(math.exp(total / size))
    assert found["bits_per_byte"]["value"] == pytest.approx(total / sizes["byte"] / math.log(2))
    # The delta method, by hand.
    ratio, mean = total / sizes["word"], sizes["word"] / 3
    residuals = [(-sum(nats[name]) - ratio * len(texts[name].split())) / mean for name in texts]
    stderr = math.sqrt(sum(one**2 for one in residuals) / 2 / 3) * math.exp(ratio)
    assert found["word_perplexity"]["stderr"] == pytest.approx(stderr)
    assert found["word_perplexity"]["n"] == 3


def test_a_run_is_found_by_its_first_letters(store: Store) -> None:
    for name, created, kind in (("abc1", 1.0, "run"), ("abd2", 2.0, "import"), ("x", 3.0, "judge")):
        store.append("runs", [RunRecord(id=name, kind=kind, source="s", format="saltus", created=created)])
    assert [find_run(store, name) for name in ("abc", "abd2", "last")] == ["abc1", "abd2", "abd2"]
    for name, message in (("ab", "2 runs begin with 'ab'"), ("zz", "no run is called 'zz'")):
        with pytest.raises(UsageError, match=message):
            find_run(store, name)


def test_the_command(store: Store, rules: Any, numbers: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(rules, numbers, store=store)
    at = ["--store", str(store.path)]
    assert main(["score", "last", "-m", "f1", *at, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["added"], document["metrics"], document["responses"]) == (36, ["f1"], 108)
    assert main(["score", "last", "-m", "f1", *at]) == 0
    assert "0 scores added, 36 were there, 72 do not apply" in capsys.readouterr().out
    for arguments, message in (
        (["last", "-m", "judge:helpfulness"], "asks a judge; name one with --judge"),
        (["last", "-m", "pairwise", "--judge", "x"], "go together"),
        (["last", "-m", "nothing"], "no metric is called 'nothing'"),
    ):
        assert main(["score", *arguments, *at]) == 2
        assert message in capsys.readouterr().err


def test_progress_reaches_the_end(store: Store) -> None:
    put(store, [sample("a"), sample("b")], [said("a"), said("b")])
    seen: list[tuple[int, int]] = []
    tell: Callable[[int, int], None] = lambda done, total: seen.append((done, total))  # noqa: E731
    score("r1", [METRICS["f1"]], store=store, progress=tell)
    assert seen[-1] == (2, 2)
