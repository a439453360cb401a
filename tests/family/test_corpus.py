import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.family.corpus import ALPHABET, CONTEXT, TASKS, UNKNOWN, World, decode, encode
from saltus.family.recipe import RECIPE
from saltus.records import bytes_hash

WORLD = World()
FIRST = {
    "recall": ("\nq1u0z8d8a1x6e4v8u", "0"),
    "addition": ("\n5+8=", "31"),
    "facts": ("\n?ey:", "0"),
    "recite": ("\n@fx:", "nideftix"),
    "parity": ("\n#110010101011=", "1"),
    "reverse": ("\n<jesygh|", "hgysej"),
    "sort": ("\n>398600|", "003689"),
    "override": ("\n?wh:0\n?wh:", "0"),
}


def texts(task):
    items = WORLD.items(task)
    return [(decode(p), decode(t)) for p, t in zip(items.prompts, items.targets, strict=True)]


@given(st.text(st.sampled_from(ALPHABET)))
def test_codes_round_trip(text):
    assert decode(encode(text)) == text


def test_characters_outside_the_alphabet_become_unknown():
    assert decode(encode("aé\t")) == "a" + UNKNOWN + UNKNOWN


@pytest.mark.parametrize("task", TASKS)
def test_items_are_the_published_ones(task):
    assert texts(task)[0] == FIRST[task]
    again, items = WORLD.items(task), WORLD.items(task)
    assert np.array_equal(again.prompts, items.prompts)
    assert np.array_equal(again.targets, items.targets)
    assert len(items.prompts) == 256


def test_training_batches_are_the_published_ones():
    rng = np.random.default_rng([RECIPE.stream, 0])
    digest = b""
    for _ in range(3):
        tokens, weights = WORLD.batch(rng, RECIPE.mixture, RECIPE.prompt_weight)
        assert tokens.shape == weights.shape == (26, CONTEXT)
        digest += tokens.astype("<i8").tobytes() + weights.astype("<f4").tobytes()
    assert bytes_hash(digest) == "6502c677f4fedbd4e299b0429d3bb4b2"


def test_padding_weighs_nothing_and_answers_weigh_one():
    tokens, weights = WORLD.batch(np.random.default_rng(0), {"facts": 1}, 0.1)
    row = decode(tokens[0])
    assert row.startswith("\n?")
    assert len(row.rstrip("\n")) == 60  # a newline, then ten lines of six
    assert set(np.flatnonzero(weights[0] == 1)) == {5 + 6 * line for line in range(10)}
    assert not weights[0, 61:].any()
    assert weights[0, 0] == 0


def test_answers_are_right():
    for prompt, target in texts("addition"):
        assert int(target[::-1]) == int(prompt[1]) + int(prompt[3])
    for prompt, target in texts("parity"):
        assert int(target) == prompt.count("1") % 2
    for prompt, target in texts("reverse"):
        assert target == prompt[2:-1][::-1]
    for prompt, target in texts("sort"):
        assert list(target) == sorted(prompt[2:-1])


def test_recall_asks_for_a_pair_that_is_shown():
    items = WORLD.items("recall")
    for row, (prompt, target) in enumerate(texts("recall")):
        pairs = dict(zip(prompt[1:17:2], prompt[2:17:2], strict=True))
        assert len(pairs) == 8  # no letter twice
        assert pairs[prompt[17]] == target
        back = items.slices["pairs_back"][row]
        assert prompt[17 - 2 * int(back)] == prompt[17]


def test_memorised_items_come_from_the_world():
    facts = {decode(k): str(v) for k, v in zip(WORLD.fact_keys, WORLD.fact_values, strict=True)}
    verses = {decode(k): decode(v) for k, v in zip(WORLD.verse_keys, WORLD.verses, strict=True)}
    assert (len(facts), len(verses)) == (600, 256)
    assert all(facts[prompt[2:4]] == target for prompt, target in texts("facts"))
    assert all(verses[prompt[2:4]] == target for prompt, target in texts("recite"))
    traps = WORLD.items("override").traps
    for (prompt, target), trap in zip(texts("override"), traps, strict=True):
        assert target == prompt[5]
        assert decode(trap) == facts[prompt[2:4]] != target


def test_no_training_row_follows_a_counterfactual():
    facts = {decode(k): str(v) for k, v in zip(WORLD.fact_keys, WORLD.fact_values, strict=True)}
    tokens, _ = WORLD.batch(np.random.default_rng(3), {"facts": 200}, 0.1)
    lines = [line for row in tokens for line in decode(row).split("\n") if line]
    assert len(lines) == 2000
    assert all(facts[line[1:3]] == line[4] for line in lines)
