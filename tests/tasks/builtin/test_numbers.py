"""Arithmetic, modular arithmetic and word problems, worked out again from the words of the prompts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import product

import pytest

from saltus.records import Sample
from saltus.tasks.builtin.arithmetic import PLAN

Built = Callable[[str], dict[str, tuple[Sample, ...]]]


@pytest.mark.parametrize("task", ["addition", "subtraction", "multiplication", "division"])
def test_arithmetic(task: str, built: Built) -> None:
    for sample in built("arithmetic")[task]:
        match = re.match(r"Question: What is (\d+) ([-+*/]) (\d+)\?", sample.input)
        assert match
        a, b = int(match[1]), int(match[3])
        right = {"+": a + b, "-": a - b, "*": a * b, "/": a // (b or 1)}[match[2]]
        assert int(sample.target) == right
        digits = int(sample.slices["digits"])
        match task:
            case "division":
                assert a % b == 0
                assert len(str(b)) + len(str(right)) == digits
            case "multiplication":
                assert len(str(a)) + len(str(b)) == digits
            case _:
                assert len(str(a)) == len(str(b)) == digits


def test_carries_are_counted(built: Built) -> None:
    for sample in built("arithmetic")["addition"]:
        a, b = re.findall(r"\d+", sample.input)
        carries = sum(int(a[-i:]) + int(b[-i:]) >= 10**i for i in range(1, len(a) + 1))
        assert int(sample.slices["carries"]) == carries


def test_chance_of_arithmetic_is_that_of_the_likeliest_answer() -> None:
    ones, tens = range(10), range(10, 100)
    by_name = {recipe.name: recipe for recipe in PLAN.recipes}
    cases = (
        ("addition", 1, [a + b for a, b in product(ones, ones)]),
        ("addition", 2, [a + b for a, b in product(tens, tens)]),
        ("subtraction", 1, [a - b for a, b in product(ones, ones)]),
        ("subtraction", 2, [a - b for a, b in product(tens, tens)]),
        ("multiplication", 1, [a * b for a, b in product(range(1, 10), range(1, 10))]),
        ("multiplication", 2, [a * b for a, b in product(tens, range(1, 10))]),
        ("multiplication", 3, [a * b for a, b in product(tens, tens)]),
    )
    for name, band, answers in cases:
        likeliest = Counter(answers).most_common(1)[0][1] / len(answers)
        assert by_name[name].chance_at(band) == pytest.approx(likeliest), (name, band)


@pytest.mark.parametrize("task", ["addition", "multiplication", "power"])
def test_modular(task: str, built: Built) -> None:
    rests: dict[int, Counter[int]] = {}
    for sample in built("modular")[task]:
        match = re.match(r"Question: What is \((\d+) (.) (\d+)\) mod (\d+)\?", sample.input)
        assert match
        a, b, modulus = int(match[1]), int(match[3]), int(match[4])
        right = {"+": a + b, "*": a * b, "^": a**b}[match[2]] % modulus
        assert int(sample.target) == right
        rests.setdefault(modulus, Counter())[right] += 1
    for modulus, counts in rests.items():
        assert max(counts.values()) <= -(-40 // modulus)


def amounts(text: str) -> int:
    """Follow the sentences of one story."""
    hero, thing = re.match(r"Question: (\w+) has \d+ (\w+)\.", text).groups()  # type: ignore[union-attr]
    amount = 0
    for sentence in text.removeprefix("Question: ").split(". "):
        if not re.search(rf"\b{hero}\b", sentence) or sentence.startswith("How many"):
            continue
        number = int(found[0]) if (found := re.findall(r"\d+", sentence)) else 0
        if f"{hero} has {number} {thing}" in sentence:
            amount = number
        elif " finds " in sentence or " buys " in sentence:
            amount += number
        elif " gives " in sentence or " loses " in sentence:
            amount -= number
        elif " times as many " in sentence:
            amount *= number
        elif " equal piles " in sentence:
            assert amount % number == 0
            amount //= number
        else:
            raise AssertionError(sentence)
    return amount


def shopping(text: str) -> int:
    """Paid, less what was bought."""
    prices = {one: int(price) for one, price in re.findall(r"One (\w+) costs (\d+) dollars", text)}
    bought = {many: int(count) for count, many in re.findall(r"buys (\d+) (\w+)\.", text)}
    paid = int(re.search(r"pays with (\d+) dollars", text)[1])  # type: ignore[index]
    assert {f"{one}s" for one in prices} == set(bought)
    return paid - sum(price * bought[f"{one}s"] for one, price in prices.items())


def journeys(text: str) -> int:
    """Hours times speed of every leg."""
    return sum(int(h) * int(v) for h, v in re.findall(r"for (\d+) hours at (\d+) kilometres", text))


@pytest.mark.parametrize("solve", [amounts, shopping, journeys])
def test_word_problems(solve: Callable[[str], int], built: Built) -> None:
    for sample in built("word-problems")[solve.__name__]:
        assert int(sample.target) == solve(sample.input)
        assert int(sample.target) > 0


def test_every_second_story_has_a_distractor(built: Built) -> None:
    for samples in built("word-problems").values():
        assert Counter(s.slices["distractor"] for s in samples) == {"yes": 100, "no": 100}
