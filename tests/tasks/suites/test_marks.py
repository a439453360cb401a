"""Marks of users' own items: sources, counterfactuals, and each fault with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.records import InputError, Sample
from saltus.tasks import get_suite
from saltus.tasks.suites.marks import marked_sources
from saltus.tasks.suites.problems import Fault
from saltus.tasks.validate import check_suite

ITEM = {"input": "a 3, b 7, a 9, b", "target": "7"}
LINES = 2  # a whole item stands in the first line


def samples(folder: Path, *items: dict[str, Any], **task: Any) -> list[Sample]:
    (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    whole = {"tasks": [{"name": "t", "items": "items.jsonl"} | task]}
    (folder / "s.yaml").write_text(json.dumps(whole))
    return list(get_suite(folder / "s.yaml").tasks[0].items())


def marked(sample: Sample) -> list[str]:
    return [sample.input[a:b] for a, b in sample.extra["sources"]]


@pytest.mark.parametrize("source", ["7", "b 7", [7, 8], {"text": "b", "occurrence": 1}])
def test_a_source_is_found(tmp_path: Path, source: Any) -> None:
    (sample,) = samples(tmp_path, {**ITEM, "sources": [source]})
    text = source if isinstance(source, str) else "7" if isinstance(source, list) else source["text"]
    assert marked(sample) == [text]
    assert sample.extra["sources"][0][0] == (5 if text.startswith("b") else 7)


def test_an_occurrence_is_counted_from_one(tmp_path: Path) -> None:
    second = {"text": "a", "occurrence": 2}
    (sample,) = samples(tmp_path, {**ITEM, "sources": [second, "9"]})
    assert sample.extra["sources"] == [[10, 11], [12, 13]]


def test_marks_go_through_templates_delimiter_and_examples(tmp_path: Path) -> None:
    twin = {"input": "a 3, b 8, a 9, b", "target": "8"}
    item = {**ITEM, "sources": ["7"], "counterfactuals": {"value": twin}}
    example = {"input": "b 7, b", "target": "7"}
    few_shot = {"k": 1, "items": [example]}
    (sample,) = samples(
        tmp_path, item, prompt="Look: {input}\nAnswer:", delimiter=" ", few_shot=few_shot, kind="generation"
    )
    assert marked(sample) == ["7"]
    assert sample.extra["sources"][0][0] > sample.input.rindex("Look:")
    found = sample.extra["counterfactuals"]["value"]
    assert found == {"input": sample.input.replace("a 3, b 7", "a 3, b 8"), "target": " 8"}


def test_counterfactuals_fill_in_columns(tmp_path: Path) -> None:
    item = {
        "name": "Bert",
        "fact": "Anna 3 Bert 7",
        "target": "7",
        "sources": ["7"],
        "counterfactuals": {"name": {"name": "Anna", "target": "3"}},
    }
    (sample,) = samples(tmp_path, item, prompt="{{ fact }} {{ name }}")
    assert sample.input == "Anna 3 Bert 7 Bert"
    assert marked(sample) == ["7"]
    assert sample.extra["counterfactuals"]["name"] == {"input": "Anna 3 Bert 7 Anna", "target": "3"}


def test_cells_of_a_table_hold_json(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text('input,target,sources\n"a 3 b 7 b",7,"[""7""]"\n')
    (tmp_path / "s.toml").write_text('[[tasks]]\nname = "t"\nitems = "items.csv"\n')
    (sample,) = get_suite(tmp_path / "s.toml").tasks[0].items()
    assert marked(sample) == ["7"]


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"sources": ["8"]}, "sources[0] is '8', which is not in the prompt"),
    ({"sources": ["7", "a"]}, "sources[1] is 'a', which is in the prompt 2 times; say which one it is"),
    ({"sources": [{"text": "7", "occurrence": 2}]}, "wants occurrence 2 of '7', which is in the prompt once"),
    ({"sources": [[3, 99]]}, "sources[0] is [3, 99], which is no range of the prompt's 16 characters"),
    ({"sources": [[3, 3]]}, "sources[0] is [3, 3], which is no range"),
    ({"sources": [7]}, "sources[0] is 7, a text of the prompt, a range"),
    ({"sources": [{"text": "7", "nth": 1}]}, "a mapping with text and occurrence was expected"),
    ({"sources": "7"}, "Expected `array | null`, got `str`"),
    (
        {"counterfactuals": {"x": "b"}},
        "counterfactuals.x is 'b', a mapping with input and target was expected",
    ),
    ({"counterfactuals": {"x": {"input": "b"}}}, "a mapping with input and target was expected"),
    ({"counterfactuals": {"x": {**ITEM, "target": "8"}}}, "counterfactuals.x asks the same as the item"),
    ({"counterfactuals": {"x": {"input": "z", "target": "7"}}}, "has the same target as the item, '7'"),
]


@pytest.mark.parametrize(("wrong", "sentence"), FAULTS)
def test_a_fault_is_one_sentence_with_its_line(tmp_path: Path, wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        samples(tmp_path, ITEM, {**ITEM, **wrong})
    assert caught.value.line == LINES
    assert str(caught.value.path).endswith("items.jsonl")
    assert sentence in caught.value.message
    found = check_suite(str(tmp_path / "s.yaml"))
    assert [one["line"] for one in found.problems if sentence in str(one["message"])] == [LINES]


@given(st.text("ab \n", max_size=20), st.integers(-3, 25), st.integers(-3, 25), st.integers(0, 9))
def test_ranges_are_kept_or_refused(text: str, start: int, end: int, before: int) -> None:
    if 0 <= start < end <= len(text):
        assert marked_sources([[start, end]], text, before) == [[before + start, before + end]]
    else:
        with pytest.raises(Fault):
            marked_sources([[start, end]], text, before)


@given(st.text("ab", max_size=12), st.text("ab", min_size=1, max_size=3), st.integers(1, 5))
def test_occurrences_are_those_of_the_text(text: str, part: str, occurrence: int) -> None:
    places = [i for i in range(len(text)) if text[i : i + len(part)] == part]
    wanted = {"text": part, "occurrence": occurrence}
    if occurrence <= len(places):
        start = places[occurrence - 1]
        assert marked_sources([wanted], text, 0) == [[start, start + len(part)]]
    else:
        with pytest.raises(Fault):
            marked_sources([wanted], text, 0)
