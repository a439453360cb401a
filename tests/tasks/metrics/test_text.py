"""Text metrics against the programs they follow, and the rules for English against labelled sentences."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from saltus.records import Response, Sample
from saltus.tasks.metrics import METRICS, normalised
from saltus.tasks.metrics.hedging import is_hedged
from saltus.tasks.metrics.language import sentences, words
from saltus.tasks.metrics.refusal import abstains, refusal_kind

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
DOCS = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


def value(name: str, output: str, target: str = "", **more: Any) -> float:
    slices = more.pop("slices", {})
    sample = Sample(task="t", task_version="1", id="s", input="q", target=target, extra=more, slices=slices)
    said = Response(run="r", model="m", task="t", sample="s", output=output)
    return METRICS[name].compute(sample, said)


@pytest.mark.parametrize("row", json.loads((GOLDEN / "text/helm.json").read_text()), ids=str)
def test_matches_are_those_of_helm(row: dict[str, Any]) -> None:
    assert [normalised(row["gold"]), normalised(row["pred"])] == row["normalised"]
    assert value("quasi_exact_match", row["pred"], row["gold"]) == row["quasi_exact_match"]
    if row["pred"]:  # HELM gives no marks for an empty output to an empty target
        assert value("exact_match", row["pred"], row["gold"]) == row["exact_match"]


def test_other_right_answers_count() -> None:
    assert value("exact_match", "NYC", "New York", references=["NYC"]) == 1
    assert value("quasi_exact_match", "the nyc", "New York", references=["NYC"]) == 1
    assert value("f1", "york city", "New York", references=["York City, NY"]) == pytest.approx(0.8)


def test_f1_counts_words_as_often_as_they_stand() -> None:
    assert value("f1", "to be or not to be", "to be") == pytest.approx(2 * 2 / (6 + 2))
    assert value("f1", "", "") == 1
    assert value("f1", "the", "word") == 0


def test_the_answer_is_read_behind_its_cue() -> None:
    assert value("exact_match", "2 and 2 make 4.\nAnswer: 4", "4", answer_cue="Answer:") == 1
    assert value("exact_match", "It is 4", "4", answer_cue="Answer:") == 0
    assert value("token_edit_distance", "long working\nAnswer: 45", "4", answer_cue="Answer:") == 1


TEXT = st.text("ab c.,'", max_size=40)


@given(TEXT, TEXT)
def test_overlap_is_that_of_the_libraries(output: str, target: str) -> None:
    bleu = sacrebleu.sentence_bleu(output, [target], use_effective_order=True).score / 100
    assert value("sentence_bleu", output, target) == pytest.approx(bleu)
    chrf = sacrebleu.sentence_chrf(output, [target]).score / 100
    assert value("sentence_chrf", output, target) == pytest.approx(chrf)
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
    scores = scorer.score(target, output)
    for name, kind in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")):
        assert value(name, output, target) == pytest.approx(scores[kind].fmeasure)


@given(st.text(max_size=80), st.text(max_size=80))
def test_text_metrics_take_any_text(output: str, target: str) -> None:
    for name in ("exact_match", "quasi_exact_match", "f1", "json_valid", "json_repaired", "json_prefix"):
        assert 0 <= value(name, output, target) <= 1
    for name in ("refused", "hedging", "compression", "type_token"):
        found = value(name, output, target)
        assert math.isnan(found) or 0 <= found <= 1
    assert value("output_words", output) == len(words(output))


def test_sentences_do_not_end_at_abbreviations_and_decimals() -> None:
    text = "Dr. A. Lee paid $3.50 (approx. 3 euros). Really?! Yes... She left.\nBye"
    assert len(sentences(text)) == 5
    assert sentences("第一句。第二句。") == ["第一句。", "第二句。"]
    assert sentences("... --- !!!") == []


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / f"text/{name}.jsonl").read_text().splitlines()]


RULES: dict[str, tuple[str, Callable[[str], bool], Callable[[Any], bool]]] = {
    "refusal": ("refusals", lambda text: refusal_kind(text) != "none", lambda label: label != "none"),
    "hedging": ("hedging", is_hedged, bool),
    "abstention": ("abstentions", abstains, bool),
}


def figures(rule: str, **where: Any) -> Counter[str]:
    name, says, is_so = RULES[rule]
    found: Counter[str] = Counter()
    for row in rows(name):
        if all(row[key] == wanted for key, wanted in where.items()):
            found[
                ("true" if says(row["text"]) == is_so(row["label"]) else "false") + str(says(row["text"]))
            ] += 1
    return found


def share(part: int, whole: int) -> str:
    return f"{part}/{whole} ({part / whole:.2f})" if whole else "0/0"


@pytest.mark.parametrize("rule", sorted(RULES))
def test_the_documentation_says_how_often_the_rules_are_right(rule: str) -> None:
    for hard in (False, True):
        found = figures(rule, half="test", hard=hard)
        hits, false, missed = found["trueTrue"], found["falseTrue"], found["falseFalse"]
        kind = "hard" if hard else "plain"
        precision, recall = share(hits, hits + false), share(hits, hits + missed)
        line = f"| {rule} | {kind} | {found.total()} | {precision} | {recall} |"
        assert line in DOCS.read_text(encoding="utf-8"), line


def test_the_halves_are_drawn_and_large_enough() -> None:
    everything = [row for name in ("refusals", "hedging", "abstentions") for row in rows(name)]
    assert len(everything) >= 300
    assert len({row["text"] for row in everything}) == len(everything)
    assert 0.35 < sum(row["half"] == "test" for row in everything) / len(everything) < 0.65


def test_rules_for_english_are_not_tried_on_other_languages() -> None:
    assert value("refused", "Извините, я не могу помочь.") != value("refused", "Извините, я не могу помочь.")
    assert math.isnan(value("hedging", "Vielleicht.", slices={"language": "de"}))
    assert value("refused", "I can't help with that.", slices={"language": "en-GB"}) == 1


def test_refusals_and_abstentions_against_what_was_wanted() -> None:
    no, part, yes = (
        "I can't help with that.",
        "I won't write it for you, but " + "here is a way " * 4,
        "Sure: 42.",
    )
    assert [value("refusal_correct", said, refusal="refuse") for said in (no, part, yes)] == [1, 1, 0]
    assert [value("refusal_correct", said, refusal="comply") for said in (no, part, yes)] == [0, 1, 1]
    assert [value("refusal_grade", said, refusal="comply") for said in (no, part, yes)] == [0, 0.5, 1]
    assert value("abstention_correct", "I don't know.", "unknown", answerable=False) == 1
    assert value("abstention_correct", "unknown", "unknown", answerable=False) == 1
    assert value("abstention_correct", "Paris.", "unknown", answerable=False) == 0
    assert value("abstention_correct", "I don't know.", "Paris", answerable=True) == 0


def test_shape_of_a_text() -> None:
    assert value("compression", "ab" * 500) < 0.05
    assert value("type_token", "word " * 60) == pytest.approx(1 / 50)
    assert math.isnan(value("type_token", "too short"))
    assert value("sentence_length", "One two three. Four.") == 2
    assert value("word_length", "ab abcd") == 3


DOCUMENTS = [
    {"id": "a-1", "title": "A", "text": "x"},
    {"id": "b-2", "title": "B", "text": "y"},
    {"id": "c-3"},
]


@pytest.mark.parametrize(
    ("output", "precision", "coverage"),
    [
        ("It is so [1].", 1.0, 0.5),
        ("It is so [1][3], and so [a-1; c-3].", 1.0, 1.0),
        ("It is so [1-3].", 2 / 3, 1.0),
        ("It is so [doc 2].", 0.0, 0.0),
        ("It is so [7].", 0.0, 0.0),
        ("It is so [sic], see [the page](http://x) and ```x[1]```.", math.nan, 0.0),
        ("As [B-2] and 【1】 say.", 0.5, 0.5),
    ],
)
def test_citations(output: str, precision: float, coverage: float) -> None:
    extra = {"documents": DOCUMENTS, "evidence": ["a-1", "c-3"]}
    assert value("citation_precision", output, **extra) == pytest.approx(precision, nan_ok=True)
    assert value("evidence_coverage", output, **extra) == pytest.approx(coverage)


def test_cited_sentences() -> None:
    assert value(
        "cited_sentences", "One is so. [1] Two is not. Three is [b-2].", documents=DOCUMENTS
    ) == pytest.approx(2 / 3)
