"""The rules behind `CONSTRAINTS`: what each one takes, and whether a stripped, non-empty text keeps to it."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal

import msgspec

from saltus.tasks.metrics.json_text import MISSING, parse_strict
from saltus.tasks.metrics.language import lines, paragraphs, sentences, words

_BULLET = re.compile(r"[*\-•]\s+\S")
_NUMBERED = re.compile(r"(\d+)[.)]\s+\S")
_PLACEHOLDER = re.compile(r"\[[^\[\]\n]+\](?!\()")  # not a link
_FENCE = re.compile(r"\A```[\w-]*[ \t]*\n(.*?)\n[ \t]*```\Z", re.DOTALL)
_QUOTES = (('"', '"'), ("“", "”"), ("„", "“"), ("«", "»"))
_SMALL = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "but",
        "by",
        "en",
        "for",
        "from",
        "if",
        "in",
        "into",
        "nor",
        "of",
        "off",
        "on",
        "onto",
        "or",
        "over",
        "per",
        "so",
        "than",
        "the",
        "to",
        "up",
        "via",
        "vs",
        "with",
        "yet",
    ]
)
_SHARE_OF_LETTERS = 0.9

Script_ = Literal[
    "latin",
    "cyrillic",
    "greek",
    "arabic",
    "hebrew",
    "devanagari",
    "han",
    "hiragana",
    "katakana",
    "hangul",
    "thai",
]
_UNICODE = {"han": "CJK UNIFIED"}


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Count(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number."""

    n: Annotated[int, msgspec.Meta(ge=0)]


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of text, compared without regard to case unless `case` says so."""

    text: Annotated[str, msgspec.Meta(min_length=1)]
    case: bool = False


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One piece of text or several."""

    text: Annotated[str, msgspec.Meta(min_length=1)] | Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    case: bool = False


class TextTimes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of text and how often."""

    text: Annotated[str, msgspec.Meta(min_length=1)]
    n: Annotated[int, msgspec.Meta(ge=0)]
    case: bool = False


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A script by its name."""

    script: Script_


def min_words(text: str, given: Count) -> bool:
    """At least so many words."""
    return len(words(text)) >= given.n


def max_words(text: str, given: Count) -> bool:
    """At most so many words, at least one."""
    return 0 < len(words(text)) <= given.n


def exact_words(text: str, given: Count) -> bool:
    """So many words."""
    return len(words(text)) == given.n


def min_sentences(text: str, given: Count) -> bool:
    """At least so many sentences."""
    return len(sentences(text)) >= given.n


def max_sentences(text: str, given: Count) -> bool:
    """At most so many sentences, at least one."""
    return 0 < len(sentences(text)) <= given.n


def exact_sentences(text: str, given: Count) -> bool:
    """So many sentences."""
    return len(sentences(text)) == given.n


def exact_bullets(text: str, given: Count) -> bool:
    """So many bulleted lines."""
    return sum(bool(_BULLET.match(line)) for line in lines(text)) == given.n


def contains(text: str, given: Texts) -> bool:
    """All pieces stand in it."""
    return all(_times(text, piece, given.case) for piece in _pieces(given))


def contains_times(text: str, given: TextTimes) -> bool:
    """The piece stands in it so often."""
    return _times(text, given.text, given.case) == given.n


def excludes(text: str, given: Texts) -> bool:
    """No piece stands in it."""
    return not any(_times(text, piece, given.case) for piece in _pieces(given))


def starts_with(text: str, given: Text) -> bool:
    """It begins with the piece."""
    return _folded(text, given.case).startswith(_folded(given.text.strip(), given.case))


def ends_with(text: str, given: Text) -> bool:
    """It ends with the piece."""
    return _folded(text, given.case).endswith(_folded(given.text.strip(), given.case))


def all_lowercase(text: str, given: Nothing) -> bool:
    """No capital letter."""
    return text == text.lower() and text != text.upper()


def all_uppercase(text: str, given: Nothing) -> bool:
    """No small letter."""
    return text == text.upper() and text != text.lower()


def no_commas(text: str, given: Nothing) -> bool:
    """No comma of any script."""
    return bool(words(text)) and not any(comma in text for comma in ",，、،")  # noqa: RUF001 - commas of other scripts


def is_json(text: str, given: Nothing) -> bool:
    """One JSON value, perhaps in a fence."""
    fenced = _FENCE.match(text)
    return parse_strict(fenced[1] if fenced else text) is not MISSING


def n_paragraphs(text: str, given: Count) -> bool:
    """So many paragraphs."""
    return len(paragraphs(text)) == given.n


def language_letters(text: str, given: Script) -> bool:
    """Nearly all letters are of the script."""
    name = _UNICODE.get(given.script, given.script.upper())
    letters = [letter for letter in text if letter.isalpha()]
    inside = sum(unicodedata.name(letter, "").startswith(name) for letter in letters)
    return bool(letters) and inside >= _SHARE_OF_LETTERS * len(letters)


def title_case(text: str, given: Nothing) -> bool:
    """Every word begins with a capital, but for small words inside."""
    found = [word for word in words(text) if word[0].isalpha()]
    return bool(found) and all(
        word[0] == word[0].upper() or (place and word in _SMALL) for place, word in enumerate(found)
    )


def exact_lines(text: str, given: Count) -> bool:
    """So many lines."""
    return len(lines(text)) == given.n


def numbered_list(text: str, given: Count) -> bool:
    """So many numbered lines, 1 upwards."""
    numbers = [int(match[1]) for line in lines(text) if (match := _NUMBERED.match(line))]
    return numbers == list(range(1, given.n + 1))


def placeholder_count(text: str, given: Count) -> bool:
    """At least so many placeholders."""
    return len(_PLACEHOLDER.findall(text)) >= given.n


def quote_wrapped(text: str, given: Nothing) -> bool:
    """In double quotes from end to end."""
    return len(text) > 1 and any(text[0] == left and text[-1] == right for left, right in _QUOTES)


def _pieces(given: Texts) -> tuple[str, ...]:
    return (given.text,) if isinstance(given.text, str) else given.text


def _times(text: str, piece: str, case: bool) -> int:
    """How often a piece stands in a text, not as a part of a longer word."""
    left = r"(?<!\w)" if piece[:1].isalnum() else ""
    right = r"(?!\w)" if piece[-1:].isalnum() else ""
    pattern = left + re.escape(_folded(piece, case)) + right
    return len(re.findall(pattern, _folded(text, case)))


def _folded(text: str, case: bool) -> str:
    return text if case else text.casefold()
