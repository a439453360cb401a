"""Variants of how an item is typed: typing errors, upper and lower case, punctuation."""

from __future__ import annotations

import re
from collections.abc import Callable

from saltus.tasks.variants.draw import Draw
from saltus.tasks.variants.item import Call, Item, Parameter, VariantInfo, anatomy
from saltus.tasks.variants.protect import COMMON, about_form, guard, marks, touchable
from saltus.tasks.variants.words import REAL, WEIGHTY

NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol", "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "hukm",
    "k": "jil", "l": "kop", "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm",
    "m": "njk",
}  # fmt: skip
_KINDS = ("neighbour", "swap", "drop", "double")
_KNOWN = REAL | WEIGHTY | COMMON
_START = re.compile(r"(?:\A|[.!?]\s+|\n)([A-Z][a-z]*)(?![\w'\u2019.):])")


def on_user_text(item: Item, change: Callable[[str], str]) -> Item:
    """Change the text of the item and of the user's further turns, except for the final cue."""
    parts = anatomy(item.sample.input)
    body = change(parts.body)
    changed = item.with_input(parts.label + body + parts.cue) if body != parts.body else item
    turns = item.sample.extra.get("turns") if item.sample.extra else None
    return changed.with_extra(turns=[change(turn) for turn in turns]) if turns else changed


def typos(item: Item, call: Call) -> Item:
    """Put one typing error into each of a share of the words."""
    guarded = guard(item.sample)
    shortest = 6 if call.options["kind"] in ("neighbour", "drop") else 4
    rate, kind, draw = float(call.options["rate"]), str(call.options["kind"]), call.draw

    def change(text: str) -> str:
        places = [span for span in touchable(text, guarded, shortest) if text[slice(*span)] not in WEIGHTY]
        if not places:
            return text
        for start, end in sorted(draw.some(places, max(1, round(rate * len(places)))), reverse=True):
            for _ in range(8):
                word = _mistyped(text[start:end], kind, draw)
                if word not in _KNOWN and word not in text:
                    text = text[:start] + word + text[end:]
                    break
        return text

    return on_user_text(item, change)


def _mistyped(word: str, kind: str, draw: Draw) -> str:
    """The word with one error behind its first letter; always another word than before."""
    if kind == "mixed":  # a short word with another letter, or with one less, is too often another word
        kind = draw.one(_KINDS if len(word) > 5 else ("swap", "double"))
    place = 1 + draw.below(len(word) - 1)
    match kind:
        case "swap":
            unequal = [i for i in range(1, len(word) - 1) if word[i] != word[i + 1]]
            if unequal:
                i = draw.one(unequal)
                return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        case "drop":
            return word[:place] + word[place + 1 :]
        case "neighbour":
            if near := NEIGHBOURS.get(word[place]):
                return word[:place] + draw.one(near) + word[place + 1 :]
    return word[:place] + word[place] + word[place:]


def casing(item: Item, call: Call) -> Item | None:
    """Write the words in another case."""
    if about_form(item.sample.input):
        return None
    guarded, mode, draw = guard(item.sample, repeated=False), str(call.options["mode"]), call.draw

    def starts(text: str) -> list[tuple[int, int]]:
        return [m.span(1) for m in _START.finditer(text) if m[1].lower() in COMMON]

    def change(text: str) -> str:
        words = touchable(text, guarded)
        if mode in ("lower", "upper"):
            words = [*words, *starts(text)]
        letters = list(text)
        for start, end in words:
            for i in range(start, end):
                letter = letters[i]
                match mode:
                    case "upper":
                        letters[i] = letter.upper() if len(letter.upper()) == 1 else letter
                    case "lower":
                        letters[i] = letter.lower()
                    case "title" if i == start:
                        letters[i] = letter.upper() if len(letter.upper()) == 1 else letter
                    case "random" if draw.below(2) and len(letter.upper()) == 1:
                        letters[i] = letter.upper()
        return "".join(letters)

    return on_user_text(item, change)


def punctuation(item: Item, call: Call) -> Item | None:
    """Leave out, double or space the marks at the ends of words."""
    if about_form(item.sample.input):
        return None
    how = str(call.options["how"])

    def change(text: str) -> str:
        for place in reversed(marks(text)):
            mark = text[place]
            new = {"drop": "", "double": mark * 2, "space": " " + mark}[how]
            text = text[:place] + new + text[place + 1 :]
        return text

    return on_user_text(item, change)


VARIANTS = (
    VariantInfo(
        name="typos",
        group="perturbation",
        summary="One typing error in each of a share of the words of four letters or more.",
        keeps="Numbers, names, quoted text, code, options, words of the answer or named twice.",
        step=typos,
        parameters=(
            Parameter("rate", 0.1, "share of the words that may be changed, at least one word", low=0.01),
            Parameter("kind", "mixed", "sort of error", ("mixed", *_KINDS)),
        ),
    ),
    VariantInfo(
        name="casing",
        group="perturbation",
        summary="Words in upper, lower, title or random case.",
        keeps="Every letter; the case of names, quoted text, code, options and words of the answer.",
        step=casing,
        parameters=(Parameter("mode", "upper", "case", ("upper", "lower", "title", "random")),),
    ),
    VariantInfo(
        name="punctuation",
        group="perturbation",
        summary="Marks at the ends of words left out, doubled or set apart.",
        keeps="Every word and number; marks in numbers, quoted text, code and options.",
        step=punctuation,
        parameters=(Parameter("how", "drop", "what happens to a mark", ("drop", "double", "space")),),
        seeded=False,
    ),
)
