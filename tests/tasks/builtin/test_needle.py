"""The needle is there once, the contradiction is there, and the rule picks one memo."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from statistics import mean

import pytest

from saltus.records import Response, Sample
from saltus.tasks.builtin.needle import LENGTHS, PLAN
from saltus.tasks.metrics import METRICS

Built = Callable[[str], dict[str, tuple[Sample, ...]]]


def memos(sample: Sample) -> list[tuple[str, str, str, str]]:
    """Id, date, office and body of each memo."""
    found = re.findall(r"^\[(D\d+)\] (\d{4}-\d\d-\d\d), (\w+) office\n(.*)$", sample.input, re.MULTILINE)
    assert [one[0] for one in found] == [f"D{i}" for i in range(1, len(found) + 1)]
    return found


def stating(sample: Sample) -> list[tuple[str, str, str, str]]:
    """Id, date, office and number of the memos that give a number for what is asked."""
    thing = re.search(r"what is the number of the (.*?)\?", sample.input, re.IGNORECASE)[1]  # type: ignore[index]
    found = []
    for name, date, office, body in memos(sample):
        numbers = re.findall(rf"The number of the {thing} is (\d{{4}})\.", body)
        found += [(name, date, office, number) for number in numbers]
    assert sample.input.count(thing) == len(found) + 1
    return found


def test_one_memo_states_the_fact(built: Built) -> None:
    for sample in built("needle")["fact"]:
        [(_, _, _, number)] = stating(sample)
        assert sample.target == f" {number}"


@pytest.mark.parametrize("task", ["conflict", "cited"])
def test_three_memos_contradict_each_other_and_the_rule_picks_one(task: str, built: Built) -> None:
    for sample in built("needle")[task]:
        found = stating(sample)
        assert len(found) == len({number for *_, number in found}) == 3
        assert len({date for _, date, _, _ in found}) == 3
        rule = re.search(r"contradict each other, (.*) is right", sample.input)[1]  # type: ignore[index]
        if rule == "the newest one":
            right = max(found, key=lambda memo: memo[1])
        elif rule == "the oldest one":
            right = min(found, key=lambda memo: memo[1])
        else:
            office = re.fullmatch(r"the memo of the (\w+) office", rule)[1]  # type: ignore[index]
            [right] = [memo for memo in found if memo[2] == office]
        assert sample.target == f" {right[3]}" + (f" [{right[0]}]" if task == "cited" else "")
        if task == "cited":
            assert sample.extra["evidence"] == [right[0]]


@pytest.mark.parametrize("task", ["conflict", "cited"])
def test_first_middle_and_last_are_right_equally_often(task: str, built: Built) -> None:
    places: Counter[int] = Counter()
    rules: Counter[str] = Counter()
    for sample in built("needle")[task]:
        places[[number for *_, number in stating(sample)].index(sample.target.split()[0])] += 1
        rules[sample.slices["rule"]] += 1
    assert max(places.values()) - min(places.values()) <= 6
    assert max(rules.values()) - min(rules.values()) <= 6


def test_prompts_are_as_long_as_they_say(built: Built) -> None:
    for task in ("fact", "conflict"):
        for sample in built("needle")[task]:
            assert 0.88 <= len(sample.input) / int(sample.slices["length"]) <= 1.25
        assert {int(sample.slices["length"]) for sample in built("needle")[task]} == set(LENGTHS)


def test_chance_of_the_fact_is_that_of_any_number_stated(built: Built) -> None:
    fact = next(recipe for recipe in PLAN.recipes if recipe.name == "fact")
    for band in range(1, 6):
        shares = [
            1 / len(re.findall(r" is \d{4}\.", sample.input))
            for sample in built("needle")["fact"]
            if sample.slices["difficulty"] == str(band)
        ]
        assert fact.chance_at(band) == pytest.approx(mean(shares), rel=0.25)


def test_citations_are_scored(built: Built) -> None:
    for sample in built("needle")["cited"]:
        assert [document["id"] for document in sample.extra["documents"]] == [
            name for name, *_ in memos(sample)
        ]
        assert [document["text"] for document in sample.extra["documents"]] == [
            body for *_, body in memos(sample)
        ]
        said = Response(run="r", model="m", task=sample.task, sample=sample.id, output=sample.target)
        for metric in ("exact_match", "evidence_coverage", "citation_precision", "f1"):
            assert METRICS[metric].compute(sample, said) == 1.0
