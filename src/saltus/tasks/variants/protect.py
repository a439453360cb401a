r"""Which words of an item may be changed without changing its answer.

Never touched: numbers and anything with a digit or a sign in it, quoted text, code, brackets, links, listed
options, what follows a colon ("Reverse: ..."; not after "Question:", "Context:" and the like), names and
all other words with a capital, the final cue, and every word that begins like one of the answer: of the
target, the choices, the references, the expected tool calls, the constraints, the evidence, and of
`extra["protect"]`, where a task names what else is to be left alone. Typing errors, synonyms and cuts also
spare what the item names twice. Where the task is about the wording
itself (letters, spelling, copying, ciphers), only the commonest words of instructions are touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from saltus.records.evidence import Sample

STEM = 4  # letters in which a word must differ from those of the answer

# What begins a line comes first, then the commonest case by far: a plain word between spaces.
_TOKEN = re.compile(
    r"""
    ^(?: (?P<label>[ \t]*
            (?:Q|Question|Context|Passage|Problem|Task|Instructions?|User|Premises?|Story|Background)
            [ \t]?\d{0,3}:)
       | (?:[ ]{4}|\t|>>>|def\b|class\b|import\b|return\b|assert\b|from\s+\S+\s+import\b)[^\n]*
       | [ \t]*(?:\(?(?:[A-Ja-j]|\d{1,2})[).:]|[-*•])[ \t][^\n]* )
  | (?<![^\s("“])(?P<word>[a-zà-öø-ÿ]+)(?=[.,;:!?)"”]*(?:\s|\Z))[ ]?
  | (?P<mark>(?<=[a-zà-öø-ÿ])[.,;!?](?=\s|\Z))
  | ```.*?(?:```|\Z) | `[^`\n]*` | "[^"\n]*" | “[^”]*” | «[^»]*» | (?<!\w)'[^'\n]*'(?!\w)
  | \[[^\]\n]*\] | \{[^}]*\} | <[^>\n]*>
  | :[ \t]*\n?\n?[^\n]*(?:\n(?!\n)[^\n]+)*
  | \S*[\d_/\\@\#=<>{}\[\]|~^*$%+&]\S*
  | \w[\w'\u2019-]*[ ]?
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_WORDS = re.compile(r"\w+")
_FORM = """
reverse reversed reverses reversing backward backwards letter letters spell spelled spells spelling spelt
vowel vowels consonant consonants character characters alphabet alphabetic alphabetical alphabetically rhyme
rhymes rhyming cipher ciphers encipher decipher encode encoded encoding decode decoded decoding encrypt
encrypted decrypt decrypted translate translated translation transliterate transliterated transliteration
copy copied copies copying repeat repeated repeats repeating verbatim uppercase lowercase syllable syllables
anagram anagrams palindrome palindromes plural punctuation word words sentence sentences typo typos grammar
grammatical occur occurs occurrence occurrences capitalise capitalised capitalize capitalized string strings
"""
FORM = frozenset(_FORM.split())
_COMMON = """
    a about an and answer are as at below but by calculate can carefully choice choose compute consider
    correct determine do does each exactly explain find following for from give given has have here how if in
    is it know let look many much must name need now of on one only option options or out please problem
    provide question read reply respond result say select should show so solve state such task tell than that
    the their them then there these they think this those to use using was were what when where whether which
    who why will with work write you your
"""
COMMON = frozenset(_COMMON.split())


def about_form(text: str) -> bool:
    """Whether an item asks about its own wording, so that a changed letter may change the answer.

    Examples:
        >>> about_form("Spell the name backwards."), about_form("How many apples are left?")
        (True, False)
    """
    return not FORM.isdisjoint(_WORDS.findall(text.lower()))


def guard(sample: Sample, *, repeated: bool = True) -> frozenset[str]:
    """How the words begin that are left alone: `STEM` letters of each, in lower case, without a plural s.

    Args:
        sample: Its answer and whatever else it is scored by are guarded.
        repeated: Guard what the item names twice as well, since a change in one place would break the link.
    """
    answer = [sample.target, *sample.choices]
    if sample.extra:
        for key in ("references", "calls", "constraints", "evidence", "protect", "entry_point", "schema"):
            answer += strings(sample.extra.get(key))
    found = {word.rstrip("s")[:STEM] for word in _WORDS.findall(" ".join(answer).lower())}
    if repeated:
        seen: set[str] = set()
        for word in _WORDS.findall(sample.input.lower()):
            stem = word.rstrip("s")[:STEM]
            if stem in seen:
                found.add(stem)
            seen.add(stem)
    return frozenset(found)


def strings(value: Any) -> Iterator[str]:
    """Every text and number in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from strings(list(value))
        yield from strings(list(value.values()))
    elif isinstance(value, Iterable):
        for part in value:
            yield from strings(part)
    elif value is not None:
        yield str(value)


def touchable(text: str, guarded: frozenset[str], shortest: int = 1) -> list[tuple[int, int]]:
    """Where the lower-case words stand that may be changed.

    Args:
        text: An item's input.
        guarded: From `guard`.
        shortest: Letters that a word must have.

    Returns:
        Start and end of each word, in order.

    Examples:
        >>> text = 'Tom reads 3 pages of "my book" today. How many pages are left?'
        >>> [text[start:end] for start, end in touchable(text, frozenset(["page"]), 4)]
        ['reads', 'today', 'many', 'left']
    """
    strict = about_form(text)
    found = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "word":
            start, end = match.span("word")
            word = text[start:end]
            if (
                end - start < shortest
                or word.rstrip("s")[:STEM] in guarded
                or (strict and word not in COMMON)
            ):
                continue
            found.append((start, end))
    return found


def marks(text: str) -> list[int]:
    """Where the punctuation marks stand that end a word of plain prose."""
    return [match.start() for match in _TOKEN.finditer(text) if match.lastgroup == "mark"]
