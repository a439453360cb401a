"""Recall, ciphers and the invented language, solved again from nothing but the prompts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from string import ascii_lowercase

import pytest

from saltus.records import Sample
from saltus.tasks.builtin.words import CITIES, COLOURS, HOLDERS, NAMES, ROOMS, THINGS, WORDS

Built = Callable[[str], dict[str, tuple[Sample, ...]]]


def field(sample: Sample, name: str) -> str:
    match = re.search(rf"^{name}: (.*)$", sample.input, re.MULTILINE)
    assert match, name
    return match[1]


def lookup(sample: Sample) -> str:
    pairs = dict(re.findall(r"^(\w+): (\d+)$", sample.input, re.MULTILINE))
    assert len(pairs) == len(set(pairs.values())) == int(sample.slices["pairs"])
    return str(pairs[re.search(r"belongs to (\w+)\?", sample.input)[1]])  # type: ignore[index]


def copy(sample: Sample) -> str:
    return field(sample, "Words")


def reverse(sample: Sample) -> str:
    return " ".join(field(sample, "Words").split()[::-1])


def position(sample: Sample) -> str:
    place = int(re.search(r"number (\d+) from the left", sample.input)[1])  # type: ignore[index]
    return field(sample, "Words").split()[place - 1]


def pattern(sample: Sample) -> str:
    words = sample.input.split()
    period = int(sample.slices["period"])
    assert words[period:] == words[: len(words) - period]
    assert len(words) > period
    return words[len(words) - period]


def shift(sample: Sample) -> str:
    places = int(re.search(r"letter (\d+) places later", sample.input)[1])  # type: ignore[index]
    back = {a: ascii_lowercase[i - places] for i, a in enumerate(ascii_lowercase)}
    return "".join(back.get(letter, letter) for letter in field(sample, "Code"))


def substitution(sample: Sample) -> str:
    table = dict(entry.split(" = ") for entry in field(sample, "Table").split(", "))
    assert len(set(table.values())) == len(table)
    return "".join(table.get(sign, sign) for sign in field(sample, "Code"))


def transliteration(sample: Sample) -> str:
    """From the left, in every way that the rules allow: there is one only, and it uses every rule."""
    rules = dict(re.findall(r"([a-z]+) becomes ([A-Z])", sample.input))
    ways = [("", field(sample, "Word"))]
    done: set[str] = set()
    while ways:
        made, rest = ways.pop()
        if not rest:
            done.add(made)
            continue
        fitting = [old for old in rules if rest.startswith(old)]
        ways += [(made + rules[old], rest[len(old) :]) for old in fitting]
        if not fitting:
            ways.append((made + rest[0], rest[1:]))
    assert len(done) == 1
    result = done.pop()
    assert all(sign in result for sign in rules.values())
    return result


def language(sample: Sample) -> str:
    """Parse the English sentence, then build the foreign one by the rules that are stated."""
    dictionary = dict(
        entry.split(" = ") for entry in field(sample, "Dictionary of a language").split(". ")[0].split(", ")
    )
    grammar, english = field(sample, "Grammar"), field(sample, "English")
    subject, verb, thing = re.match(  # type: ignore[union-attr]
        r"the ((?:\w+ )?\w+?) ((?:do(?:es)?|did) not \w+|\w+) the (\w+)$", english
    ).groups()
    *adjectives, noun = subject.split()
    plurals = {"children": "child", "foxes": "fox", "wolves": "wolf"}
    many = noun not in dictionary
    noun = noun if not many else plurals.get(noun, noun.removesuffix("s"))
    negated = " not " in verb
    past = verb.startswith("did") or (not negated and (verb.endswith("ed") or verb == "found"))
    bare = next(
        word
        for word in dictionary
        if verb.split()[-1]
        in (word, f"{word}s", f"{word}es", f"{word}ed", f"{word[:-1]}ies", f"{word[:-1]}ied")
        or (word == "find" and verb == "found")
    )
    nouns = [dictionary[noun] + (re.search(r"than one, put -(\w+)", grammar)[1] if many else "")]  # type: ignore[index]
    if adjectives:
        assert "adjective stands after" in grammar
        nouns.append(dictionary[adjectives[0]])
    action = dictionary[bare] + (re.search(r"past, put -(\w+)", grammar)[1] if past else "")  # type: ignore[index]
    rest = [dictionary[thing], action] if "verb stands at the end" in grammar else [action, dictionary[thing]]
    denial = [re.search(r"put the word (\w+) before", grammar)[1]] if negated else []  # type: ignore[index]
    assert ("than one" in grammar, "past" in grammar, "deny" in grammar) == (many, past, negated)
    return " ".join([*denial, *nouns, *rest])


@pytest.mark.parametrize("solve", [lookup, copy, reverse, position, pattern])
def test_recall(solve: Callable[[Sample], str], built: Built) -> None:
    for sample in built("recall")[solve.__name__]:
        assert sample.target.strip() == solve(sample)


@pytest.mark.parametrize("solve", [shift, substitution, transliteration, language])
def test_ciphers(solve: Callable[[Sample], str], built: Built) -> None:
    for sample in built("cipher")[solve.__name__]:
        assert sample.target.strip() == solve(sample)


def test_the_asked_place_is_anywhere(built: Built) -> None:
    for task in ("lookup", "position", "pattern"):
        counts = Counter(s.slices["depth"] for s in built("recall")[task])
        assert set(counts) == {"start", "middle", "end"}
        assert min(counts.values()) > 40


def test_every_grammar_rule_is_needed_equally_often(built: Built) -> None:
    rules = Counter(rule for s in built("cipher")["language"] for rule in s.slices["grammar"].split("+"))
    assert len(rules) == 5
    assert min(rules.values()) > 90  # of 120 each, over the bands


def test_word_lists_hold_no_word_twice() -> None:
    for words in (NAMES, WORDS, CITIES, COLOURS, ROOMS, HOLDERS, [one for one, _ in THINGS]):
        assert len(words) == len(set(words))
    assert all(3 <= len(word) <= 8 and word.isalpha() and word.islower() for word in WORDS)
    assert all(many == f"{one}s" for one, many in THINGS)
