"""Each kind of variant does what it says, and the target stays right."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.records import Sample, UsageError
from saltus.tasks.variants import get_variant, list_variants, read_answer
from saltus.tasks.variants.novelty import evaluate
from saltus.tasks.variants.words import REAL, SYNONYMS, THINGS, WEIGHTY


def item(text: str, target: str = "x", name: str = "item-1", **changes: Any) -> Sample:
    return Sample(task="t", task_version="1", id=name, input=text, target=target, **changes)


def changed(variant: str, sample: Sample, pool: Sequence[Sample] = ()) -> Sample:
    asked = get_variant(variant).apply(sample, pool)
    assert asked is not None
    assert (asked.task, asked.id, asked.task_version) == (sample.task, sample.id, sample.task_version)
    return asked


SUMS = [item(f"What is {i} + 5?\nAnswer:", str(i + 5), f"sum-{i}") for i in range(40)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("typos", "typos:kind=mixed,rate=0.1"),
        ("typos:rate=0.10,kind=mixed", "typos:kind=mixed,rate=0.1"),
        (" few_shot : k = 2 + polite ", "few_shot:k=2,same=no+polite"),
        ("typos:seed=4", "typos:kind=mixed,rate=0.1,seed=4"),
        ("zero_shot:", "zero_shot"),
    ],
)
def test_one_variant_has_one_name(text: str, name: str) -> None:
    variant = get_variant(text)
    assert variant.name == name
    assert get_variant(variant.name) == variant


def test_the_seed_stands_in_the_name_of_what_draws() -> None:
    assert get_variant("typos+polite", seed=7).name == "typos:kind=mixed,rate=0.1,seed=7+polite"
    sample = item("Please explain carefully which river flows through several countries.")
    texts = {changed(f"typos:seed={seed}", sample).input for seed in range(12)}
    assert len(texts) > 6


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a variant is empty"),
        ("typo", "no variant is called 'typo'; did you mean typos"),
        ("typos:rat=1", "variant typos has no option 'rat'; did you mean rate"),
        ("typos:rate=2", "rate=2 of variant typos is out of range; give a number from 0.01 to 1"),
        ("typos:rate=nan", "out of range"),
        ("few_shot:k=0", "give a whole number from 1 to 64"),
        ("few_shot:k=1.5", "whole number"),
        ("language:to=en", "to=en of variant language is unknown"),
        ("polite:k=1", "it takes none"),
        ("typos:rate", "write each option of variant typos once, as rate=VALUE"),
        ("typos:rate=0.1,rate=0.2", "once"),
        ("typos+", "no variant is called ''"),
    ],
)
def test_what_is_wrong_is_said_with_its_mend(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        get_variant(text)
    assert caught.value.field == "variant"


def test_the_same_text_on_every_machine() -> None:
    """Golden: these must never change, or runs of different days would not be comparable."""
    sample = item("Please explain carefully which river flows through several countries.", name="river")
    assert changed("typos:rate=0.5", sample).input == TYPOS
    assert [one.input.split(" +")[0] for one in [changed("few_shot:k=1", SUMS[0], SUMS)]] == [FEW_SHOT]


TYPOS = "Please explan carefuly which river flows through sevrral countriess."
FEW_SHOT = "What is 24"


def test_groups_keep_and_kinds_of_a_composition() -> None:
    variant = get_variant("few_shot+typos+override+step_by_step")
    assert variant.group == "adversarial"
    assert variant.keeps.count("The item itself") == 3
    assert variant.kinds == ("generation",)
    assert {info.group for info in list_variants()} == {"style", "perturbation", "adversarial", "novelty"}
    assert [info.name for info in list_variants("novelty")] == ["rename", "renumber", "nonce"]


def test_few_shot_never_shows_the_item_itself() -> None:
    twin = item(SUMS[3].input, SUMS[3].target, "twin")
    pool = [*SUMS[:6], twin]
    for sample in (SUMS[3], twin):
        asked = changed("few_shot:k=5", sample, pool).input
        assert asked.count("What is 3 + 5?") == 1
        assert asked.endswith(sample.input)
        assert asked.count("\n\n") == 5
        assert len(set(asked.split("\n\n"))) == 6
    assert get_variant("few_shot:k=6").apply(SUMS[3], pool) is None


def test_few_shot_gives_the_right_answers_and_the_same_ones_where_asked() -> None:
    heads = set()
    for sample in SUMS[:20]:
        *shots, last = changed("few_shot:k=3,same=yes", sample, SUMS).input.split("\n\n")
        assert last == sample.input
        for shot in shots:
            numbers = [int(number) for number in re.findall(r"\d+", shot)]
            assert numbers[0] + numbers[1] == numbers[2]
        heads.add(tuple(shots))
    assert len(heads) <= 4  # one set for all, and a stand-in for those that are in it


def test_few_shot_fits_tight_prompts() -> None:
    tight = [item(f"\n{i}+1=", str(i + 1), f"t{i}") for i in range(5)]
    assert re.fullmatch(r"\n\d\+1=\d\n\d\+1=\d\n0\+1=", changed("few_shot:k=2", tight[0], tight).input)


@given(
    st.text(st.characters(codec="utf-8"), max_size=200),
    st.sampled_from([info.name for info in list_variants()]),
)
def test_any_text_is_changed_or_left_alone_in_the_same_way_twice(text: str, name: str) -> None:
    variant = get_variant(f"{name}+typos") if name == "few_shot" else get_variant(name)
    sample = item(text, "19")
    first = variant.apply(sample, SUMS)
    assert first == variant.apply(sample, SUMS)
    if first is not None:
        assert first.id == sample.id
        assert first != sample
        assert first.choices == ()


WORDS = st.sampled_from([*SYNONYMS, *THINGS, "there", "which", "please", "river", "through", "countries"])
PROTECTED = st.sampled_from(
    [
        "3.14",
        "17",
        '"big fast"',
        "`begin`",
        "x=small",
        "Paris",
        "[begin here]",
        "https://shop.example/start",
        "a_b",
    ]
)


@given(
    st.lists(st.one_of(WORDS, PROTECTED), min_size=3, max_size=20),
    st.sampled_from(
        ["typos:rate=1", "casing:mode=random", "synonyms:rate=1", "punctuation:how=drop", "truncated"]
    ),
)
def test_what_is_protected_stays(words: list[str], name: str) -> None:
    text = f"Question: {' '.join(words)}?\nAnswer:"
    asked = get_variant(name).apply(item(text, "river 9"))
    if asked is None:
        return
    assert asked.input.endswith("\nAnswer:")
    assert asked.input.startswith("Question: ")
    kept = re.compile(r'\S*\d\S*|"[^"]*"|`[^`]*`|\[[^\]]*\]|https\S*|\S*[=_]\S*|Paris|\briver\b')
    assert [m.rstrip("?") for m in kept.findall(asked.input)] == [m.rstrip("?") for m in kept.findall(text)]


@given(st.lists(st.sampled_from(sorted(REAL | WEIGHTY)), min_size=4, max_size=12), st.integers(0, 50))
def test_a_typing_error_makes_no_common_word_of_another(words: list[str], seed: int) -> None:
    asked = get_variant("typos:rate=1", seed).apply(item(" ".join(words)))
    after = asked.input.split() if asked is not None else words
    assert len(after) == len(words)
    for one, other in zip(words, after, strict=True):
        assert one == other or (other not in REAL and other not in WEIGHTY and one not in WEIGHTY)


def test_a_task_about_its_wording_is_left_alone() -> None:
    asked = get_variant("typos:rate=1").apply(
        item("Please spell carefully the strange animal backwards", "lamina")
    )
    assert asked is None or asked.input.split()[4:] == ["strange", "animal", "backwards"]
    for name in ("casing", "punctuation", "synonyms", "truncated", "reorder:what=sentences"):
        assert get_variant(name).apply(item("Reverse the letters. It is big. How many words?")) is None


@given(
    st.permutations(["alpha one", "beta two", "gamma three", "delta four"]),
    st.integers(0, 3),
    st.integers(0, 9),
)
def test_reordered_choices_keep_the_right_one(texts: list[str], right: int, seed: int) -> None:
    letters = "ABCD"
    listed = "\n".join(f"{letter}. {text}" for letter, text in zip(letters, texts, strict=True))
    by_letter = item(f"Which?\n{listed}\nAnswer:", letters[right], choices=tuple(letters), answer=right)
    asked = changed(f"reorder:what=choices,seed={seed}", by_letter)
    assert asked.choices == tuple(letters)
    assert asked.target == letters[asked.answer]
    assert f"{asked.target}. {texts[right]}" in asked.input
    bullets = "\n".join(f"- {text}" for text in texts)
    spaced = tuple(f" {text}" for text in texts)
    by_text = item(f"Which?\n{bullets}\nAnswer:", spaced[right], choices=spaced, answer=right)
    asked = changed(f"reorder:what=choices,seed={seed}", by_text)
    assert asked.target == by_text.target == asked.choices[asked.answer]
    assert re.findall(r"- (.*)", asked.input) == [choice.strip() for choice in asked.choices]
    assert asked.input != by_text.input


@pytest.mark.parametrize("last", ["all of the above", "none of these", "both A and B"])
def test_choices_that_speak_of_others_stay_in_order(last: str) -> None:
    sample = item(f"Which?\nA. one\nB. two\nC. {last}", "one", choices=("one", "two", last), answer=0)
    assert get_variant("reorder").apply(sample) is None


@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from("+-*"), st.integers(0, 20))
def test_new_numbers_have_a_new_right_answer(a: int, b: int, sign: str, seed: int) -> None:
    text = f"{a} {sign} {b}"
    asked = get_variant("renumber", seed).apply(item(f"What is {text}?\nAnswer:", f" {evaluate(text)}"))
    if asked is None:
        return
    found = re.search(r"What is (.*)\?", asked.input)
    assert found is not None
    assert asked.target == f" {evaluate(found[1])}"
    assert [len(n) for n in re.findall(r"\d+", found[1])] == [len(str(a)), len(str(b))]


@pytest.mark.parametrize("text", ["What is 5+8?", "In 1999, what was 5 + 8?"])
def test_a_target_that_is_not_the_value_is_left_alone(text: str) -> None:
    assert get_variant("renumber").apply(item(text, "31")) is None


def test_a_target_that_is_the_value_by_chance_is_left_alone() -> None:
    """A task that writes its digits backwards has some sums that read the same both ways."""
    backwards = [item(f"What is {i} + {i}?\nAnswer:", str(2 * i)[::-1], f"b{i}") for i in range(5, 30)]
    by_chance = item("What is 5 + 6?\nAnswer:", "11")
    assert get_variant("renumber").apply(by_chance, backwards) is None
    assert get_variant("renumber").apply(by_chance, SUMS) is not None


def test_renamed_people_are_the_same_people_everywhere() -> None:
    sample = item(
        "Anna gives Tom a book. Tom gives Anna a pen. Who has the book?",
        "Tom",
        choices=("Tom", "Anna"),
        answer=0,
        extra={"references": ["Tom has it"], "calls": [{"name": "send", "arguments": {"to": "Anna"}}]},
    )
    asked = changed("rename", sample)
    new = dict(zip(("Tom", "Anna"), asked.choices, strict=True))
    assert "Tom" not in asked.input
    assert "Anna" not in asked.input
    assert asked.target == new["Tom"]
    assert asked.extra["references"] == [f"{new['Tom']} has it"]
    assert asked.extra["calls"][0]["arguments"] == {"to": new["Anna"]}


@pytest.mark.parametrize(
    "text",
    [
        "Who is Tom Hanks? Tom Hanks is an actor.",
        "Which wives did King Henry have? Henry was born in 1491.",
        "Who built the tower that Peter saw?",
        "Which letters do Anna and Tom share? Anna has four, Tom has three.",
    ],
)
def test_people_that_are_known_or_spelled_keep_their_names(text: str) -> None:
    assert get_variant("rename").apply(item(text)) is None


def test_wrong_answers_are_wrong_and_of_the_same_sort() -> None:
    for sample in SUMS:
        for name in ("misleading", "contradictory", "constraint_trap"):
            asked = get_variant(name).apply(sample, SUMS)
            if asked is None:
                assert name == "constraint_trap"  # what is ruled out is a part of the answer
                continue
            named = re.findall(r"(?:answer is |but |not be \")(-?\d+)", asked.input)
            assert named
            assert sample.target not in named
            assert asked.target == sample.target
    assert "answer is no." in changed("misleading", item("Is it red, as they say?", "yes")).input


def test_orders_come_after_a_rule_or_in_a_quotation() -> None:
    asked = changed("override", SUMS[0]).input
    assert asked.startswith("Only the task that follows directly counts.")
    assert asked.endswith("\nAnswer:")
    system = item("Is it red?", "yes", extra={"system": "Be brief."})
    assert changed("override", system).extra["system"].startswith("Be brief.\n\nOnly the task")
    turns = item("Is it red?", "yes", extra={"turns": ["Is it blue?", "Is it green?"]})
    assert changed("override", turns).extra["turns"][0] == "Is it blue?"
    assert changed("override", turns).extra["turns"][1].startswith("Is it green?\n\n")
    assert '"' in changed("injection", SUMS[0]).input


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "book",
            "parameters": {
                "type": "object",
                "properties": {
                    "seats": {"type": "integer", "minimum": 1},
                    "note": {"type": "string"},
                },
                "required": ["seats"],
                "additionalProperties": False,
            },
        },
    }
]
CALLS = [{"name": "book", "arguments": {"seats": 3}}]


@pytest.mark.parametrize("target", ["", " " + json.dumps(CALLS)])
@pytest.mark.parametrize("change", ["rename", "retype", "drop", "extra"])
def test_expected_calls_follow_the_schema(change: str, target: str) -> None:
    asked = changed(
        f"tools:change={change}", item("Book 3 seats.", target, extra={"tools": TOOLS, "calls": CALLS})
    )
    functions = {tool["function"]["name"]: tool["function"]["parameters"] for tool in asked.extra["tools"]}
    (call,) = asked.extra["calls"]
    schema = functions[call["name"]]
    assert set(schema["required"]) <= set(call["arguments"]) <= set(schema["properties"])
    if target:
        assert json.loads(asked.target) == asked.extra["calls"]
        assert asked.target.startswith(" ")
    match change:
        case "rename":
            assert list(call["arguments"]) == ["seats_value"]
        case "retype":
            assert schema["properties"]["seats"] == {"type": "string"}
            assert call["arguments"] == {"seats": "3"}
        case "drop":
            assert list(schema["properties"]) == ["seats"]
        case _:
            assert len(functions) == 2
            assert call == CALLS[0]
    assert TOOLS[0]["function"]["parameters"]["properties"]["seats"] == {"type": "integer", "minimum": 1}  # type: ignore[index]


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("3 and 2 make 5.\nAnswer: 5", "5"),
        ("Answer: 4? No.\n**Answer:** 5.", "5"),
        ("answer:\n5\nI am sure.", "5"),
        ("Answer: \\boxed{5}", "5"),
        ("It is 5.", ""),
        ("", ""),
    ],
)
def test_the_answer_is_read_behind_the_last_cue(output: str, answer: str) -> None:
    asked = changed("step_by_step", SUMS[0])
    assert read_answer(asked, output) == answer
    assert read_answer(SUMS[0], output) == output


def test_a_target_with_marks_keeps_its_marks() -> None:
    asked = changed("step_by_step", item("Which sign? Say it.", "`x`."))
    assert read_answer(asked, "Answer: `x`.") == "`x`."


@pytest.mark.parametrize("key", ["tools", "tests", "schema", "constraints", "refusal"])
def test_step_by_step_leaves_out_what_is_scored_as_a_whole(key: str) -> None:
    assert get_variant("step_by_step").apply(item("Write it down.", extra={key: []})) is None


def test_examples_that_an_item_brings_are_not_misspelled() -> None:
    sample = item("Q: Which animal barks loudly?\nA: dog\n\nQ: Which animal swims slowly?\nA:", "fish")
    asked = changed("typos:rate=1", sample).input
    assert asked.startswith("Q: Which animal barks loudly?\nA: dog\n\nQ: ")
    assert asked != sample.input
    assert changed("zero_shot", sample).input == "Q: Which animal swims slowly?\nA:"
    composed = changed("few_shot:k=2+typos:rate=1", SUMS[0], SUMS).input
    assert all(re.fullmatch(r"What is \d+ \+ 5\?\nAnswer: \d+", shot) for shot in composed.split("\n\n")[:2])
