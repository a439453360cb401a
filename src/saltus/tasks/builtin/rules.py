"""The rules of the suite "instructions": in words, as a constraint, and as a change to a draft.

A draft begins as plain sentences; each rule that is drawn changes it, so that the finished draft shows that
the rules of an item can be kept together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.words import WORDS

_QUALITIES = (
    "old",
    "big",
    "red",
    "light",
    "quiet",
    "warm",
    "strange",
    "famous",
    "heavy",
    "small",
    "round",
    "bright",
)
_BANNED = ("very", "nice", "because", "but", "thing", "really", "when", "there", "some", "just")
_OPENINGS = ("To whom it may concern", "Good evening", "Last night", "Once more", "In my view", "By the way")
_ENDINGS = ("That is all.", "See you soon.", "Thank you for reading.", "Think about it.", "I rest my case.")


class Draft:
    """A text in the making.

    Attributes:
        parts: Sentences of prose, lines of a list, or words of a title.
        joint: What stands between them.
        frame: What stands before and behind the whole.
        marks: What each line begins with; "{}" is its number.
        change: Applied to the whole at the end, for upper and lower case.
    """

    def __init__(self, parts: list[str], joint: str) -> None:
        self.parts = parts
        self.joint = joint
        self.frame = ("", "")
        self.marks = ""
        self.change: Callable[[str], str] = str

    def text(self) -> str:
        """The finished text."""
        lines = [self.marks.format(i) + part for i, part in enumerate(self.parts, 1)]
        return self.change(self.frame[0] + self.joint.join(lines) + self.frame[1])


class Rule(msgspec.Struct, frozen=True):
    """One rule, as a sentence of the prompt and as `extra["constraints"]` has it."""

    words: str
    constraint: Mapping[str, Any]


Maker = Callable[[Draw, Draft, str], Rule]


def prose(draw: Draw, topic: str, n: int) -> tuple[Draft, list[Rule]]:
    """Sentences about a topic, and n rules of different kinds that they keep to."""
    draft = Draft([_sentence(draw, topic) for _ in range(4)], " ")
    kinds: tuple[tuple[Maker, ...], ...] = (
        (_sentences, _at_least, _paragraphs),
        (_keyword, _twice),
        (_opening, _ending, _quotes),
        (_small, _capitals, _gaps),
    )
    return draft, _apply(draw, draft, topic, _some(draw, kinds, n))


def lists(draw: Draw, topic: str, n: int) -> tuple[Draft, list[Rule]]:
    """Lines about a topic, and n rules that they keep to; the first one says what kind of list it is."""
    draft = Draft([_sentence(draw, topic) for _ in range(draw.between(2, 7))], "\n")
    kinds: tuple[tuple[Maker, ...], ...] = (
        (_keyword, _twice),
        (_banned,),
        (_no_commas,),
        (_small, _capitals),
    )
    return draft, _apply(draw, draft, topic, [(_bullets, _numbers, _lines), *draw.some(kinds, n - 1)])


def titles(draw: Draw, topic: str, n: int) -> tuple[Draft, list[Rule]]:
    """A few words, and n rules that they keep to; one always asks for certain words."""
    words = [
        draw.pick(_QUALITIES),
        topic,
        "and",
        draw.pick(_QUALITIES),
        *draw.some(WORDS, draw.between(0, 4)),
    ]
    draft = Draft(words, " ")
    kinds: tuple[tuple[Maker, ...], ...] = (
        (_word_count, _at_least),
        (_quotes,),
        (_title_case, _small, _capitals),
        _RESTRAINTS,
    )
    return draft, _apply(draw, draft, topic, [(_keyword,), *draw.some(kinds, n - 1)])


def _some(draw: Draw, kinds: Sequence[tuple[Maker, ...]], n: int) -> list[tuple[Maker, ...]]:
    """N kinds of rule. What a short enough answer keeps to anyway is never the only one."""
    return draw.some(kinds if n == 1 else [*kinds, _RESTRAINTS], n)


def _apply(draw: Draw, draft: Draft, topic: str, kinds: Sequence[tuple[Maker, ...]]) -> list[Rule]:
    """One rule of each kind. Words come first and counts later, since a count must see the finished words."""
    chosen = [draw.pick(makers) for makers in kinds]
    made = {maker: maker(draw, draft, topic) for maker in sorted(chosen, key=_ORDER.index)}
    return [made[maker] for maker in chosen]


def _sentence(draw: Draw, topic: str) -> str:
    one, other = draw.some(_QUALITIES, 2)
    return f"The {topic} is {one} and {other}."


def _keyword(draw: Draw, draft: Draft, topic: str) -> Rule:
    words = draw.some([word for word in WORDS if word not in draft.text()], draw.between(1, 2))
    _insert(draw, draft, words)
    quoted = " and ".join(f'"{word}"' for word in words)
    return Rule(f"Use the word{'s' if len(words) > 1 else ''} {quoted}.", {"kind": "contains", "text": words})


def _twice(draw: Draw, draft: Draft, topic: str) -> Rule:
    word, n = draw.pick([word for word in WORDS if word not in draft.text()]), draw.between(2, 3)
    _insert(draw, draft, [word] * n)
    return Rule(f'Use the word "{word}" exactly {n} times.', {"kind": "contains_times", "text": word, "n": n})


def _insert(draw: Draw, draft: Draft, words: list[str]) -> None:
    for word in words:
        i = draw.below(len(draft.parts))
        part = draft.parts[i]
        draft.parts[i] = f"{part[:-1]} and near the {word}." if part.endswith(".") else f"{part} {word}"


def _banned(draw: Draw, draft: Draft, topic: str) -> Rule:
    words = draw.some(_BANNED, draw.between(1, 3))
    listed = " and ".join(f'"{word}"' for word in words)
    return Rule(
        f"Avoid the word{'s' if len(words) > 1 else ''} {listed}.", {"kind": "excludes", "text": words}
    )


def _no_commas(draw: Draw, draft: Draft, topic: str) -> Rule:
    return Rule("Use no commas.", {"kind": "no_commas"})


def _gaps(draw: Draw, draft: Draft, topic: str) -> Rule:
    n = draw.between(1, 3)
    for _ in range(n):
        i = draw.below(len(draft.parts))
        draft.parts[i] = (
            f"{draft.parts[i][:-1]} and it belongs to [{draw.pick(('name', 'owner', 'friend'))}]."
        )
    gaps = "one gap that is" if n == 1 else f"{n} gaps that are"
    return Rule(
        f"Leave at least {gaps} to be filled in later, written in square brackets such as [name].",
        {"kind": "placeholder_count", "n": n},
    )


def _opening(draw: Draw, draft: Draft, topic: str) -> Rule:
    words = draw.pick(_OPENINGS)
    draft.parts[0] = f"{words} {draft.parts[0][0].lower()}{draft.parts[0][1:]}"
    return Rule(f'Begin with "{words}".', {"kind": "starts_with", "text": words})


def _ending(draw: Draw, draft: Draft, topic: str) -> Rule:
    words = draw.pick(_ENDINGS)
    draft.parts.append(words)
    return Rule(f'End with "{words}"', {"kind": "ends_with", "text": words})


def _quotes(draw: Draw, draft: Draft, topic: str) -> Rule:
    draft.frame = ('"', '"')
    return Rule("Put the whole answer in double quotes.", {"kind": "quote_wrapped"})


def _small(draw: Draw, draft: Draft, topic: str) -> Rule:
    draft.change = str.lower
    return Rule("Use small letters only.", {"kind": "all_lowercase"})


def _capitals(draw: Draw, draft: Draft, topic: str) -> Rule:
    draft.change = str.upper
    return Rule("Use capital letters only.", {"kind": "all_uppercase"})


def _title_case(draw: Draw, draft: Draft, topic: str) -> Rule:
    draft.change = str.title
    return Rule("Begin every word with a capital letter.", {"kind": "title_case"})


def _sentences(draw: Draw, draft: Draft, topic: str) -> Rule:
    n = len(draft.parts)
    return Rule(f"Write exactly {n} sentences.", {"kind": "exact_sentences", "n": n})


def _paragraphs(draw: Draw, draft: Draft, topic: str) -> Rule:
    n = len(draft.parts)
    draft.joint = "\n\n"
    return Rule(f"Write {n} paragraphs with an empty line between them.", {"kind": "n_paragraphs", "n": n})


def _at_least(draw: Draw, draft: Draft, topic: str) -> Rule:
    n = len(draft.text().split()) - draw.between(0, 4)
    return Rule(f"Write at least {n} words.", {"kind": "min_words", "n": n})


def _at_most(draw: Draw, draft: Draft, topic: str) -> Rule:
    n = len(draft.text().split()) + draw.between(0, 4)
    return Rule(f"Write at most {n} words.", {"kind": "max_words", "n": n})


def _word_count(draw: Draw, draft: Draft, topic: str) -> Rule:
    n = len(draft.text().split())
    return Rule(f"Use exactly {n} words.", {"kind": "exact_words", "n": n})


def _bullets(draw: Draw, draft: Draft, topic: str) -> Rule:
    n = len(draft.parts)
    draft.marks = "- "
    return Rule(
        f"Write exactly {n} lines that each begin with a hyphen and a space.",
        {"kind": "exact_bullets", "n": n},
    )


def _numbers(draw: Draw, draft: Draft, topic: str) -> Rule:
    n = len(draft.parts)
    draft.marks = "{}. "
    return Rule(
        f"Write a list numbered from 1 to {n}, such as 1. and so on.", {"kind": "numbered_list", "n": n}
    )


def _lines(draw: Draw, draft: Draft, topic: str) -> Rule:
    n = len(draft.parts)
    return Rule(f"Write exactly {n} lines.", {"kind": "exact_lines", "n": n})


_RESTRAINTS: tuple[Maker, ...] = (_banned, _no_commas, _at_most)
_ORDER: tuple[Maker, ...] = (
    _gaps,
    _keyword,
    _twice,
    _opening,
    _ending,
    _banned,
    _no_commas,
    _quotes,
    _small,
    _capitals,
    _title_case,
    _sentences,
    _paragraphs,
    _word_count,
    _at_least,
    _at_most,
    _bullets,
    _numbers,
    _lines,
)
