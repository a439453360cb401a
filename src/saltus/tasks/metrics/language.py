"""Words and sentences of a text, and the normal form in which two answers are compared."""

from __future__ import annotations

import re
import string

from saltus.records.evidence import Response, Sample

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")  # noqa: RUF001 - a typographic apostrophe
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_END = re.compile(r"(?:[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？]+|\n+)")  # noqa: RUF001 - full stops of other scripts
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|cf|Fig|No|approx|Inc|Ltd|Jr|Sr)|\b[A-Za-z]|\b[eE]\.g|\b[iI]\.e)\.$"
)


def words(text: str) -> list[str]:
    """Runs of letters and digits; an apostrophe or hyphen inside belongs to its word.

    Examples:
        >>> words("Don't stop: a well-known fact, 3.5 %.")
        ["Don't", 'stop', 'a', 'well-known', 'fact', '3', '5']
    """
    return _WORD.findall(text)


def sentences(text: str) -> list[str]:
    """Split at full stops, question and exclamation marks and line ends, not after common abbreviations.

    Examples:
        >>> sentences("Dr. Lee paid $3.50. Why? It was e.g. late.")
        ['Dr. Lee paid $3.50.', 'Why?', 'It was e.g. late.']
    """
    found = []
    start = 0
    for end in _END.finditer(text):
        piece = text[start : end.end()].strip()
        if end.group().strip() == "." and end.end() < len(text) and _ABBREVIATION.search(piece):
            continue
        if words(piece):
            found.append(piece)
        start = end.end()
    if words(text[start:]):
        found.append(text[start:].strip())
    return found


def paragraphs(text: str) -> list[str]:
    """Blocks of text between empty lines."""
    return [block.strip() for block in re.split(r"\n\s*\n", text) if block.strip()]


def lines(text: str) -> list[str]:
    """Lines that are not empty, without the white space at their ends."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def without_code(text: str) -> str:
    """The text without its fenced blocks of code."""
    return _FENCE.sub("\n", text)


def normalised(text: str) -> str:
    """Lower case, no ASCII punctuation, no articles, single spaces: the normal form of HELM and SQuAD.

    Examples:
        >>> normalised(" The  U.S. army!")
        'us army'
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def answer_text(sample: Sample, response: Response) -> str:
    """The answer in an output: all of it, or what is behind the cue where the sample asked for working."""
    if "answer_cue" not in sample.extra:
        return response.output
    from saltus.tasks.variants import read_answer

    return read_answer(sample, response.output)


def right_answers(sample: Sample) -> tuple[str, ...]:
    """The target and, where `extra["references"]` names some, other right answers."""
    return (sample.target, *sample.extra.get("references", ()))


def is_english(sample: Sample, text: str) -> bool:
    """Whether rules for English may be tried on an answer.

    Not where the sample's slice `language` names another language, and not where half of the letters or more
    are outside the Latin script. A text in another language of that script is not recognised.
    """
    language = sample.slices.get("language", "en").lower()
    if not language.startswith("en"):
        return False
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(letter < "ɐ" for letter in letters)
    return not letters or 2 * latin > len(letters)
