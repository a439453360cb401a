"""Variants of single words: synonyms from our own list, and a text that breaks off early."""

from __future__ import annotations

import re

from saltus.tasks.variants.item import Call, Item, Parameter, VariantInfo, anatomy
from saltus.tasks.variants.protect import COMMON, about_form, guard, touchable
from saltus.tasks.variants.surface import on_user_text
from saltus.tasks.variants.words import SYNONYMS, WEIGHTY

_SENTENCE_END = re.compile(r"[.!?]\s+(?=\S)|\n+(?=\S)")


def synonyms(item: Item, call: Call) -> Item | None:
    """Replace words by others of the same meaning."""
    if about_form(item.sample.input):
        return None
    guarded, rate, draw = guard(item.sample), float(call.options["rate"]), call.draw

    def change(text: str) -> str:
        places = [span for span in touchable(text, guarded) if text[slice(*span)] in SYNONYMS]
        if not places:
            return text
        for start, end in sorted(draw.some(places, max(1, round(rate * len(places)))), reverse=True):
            text = text[:start] + draw.one(SYNONYMS[text[start:end]]) + text[end:]
        return text

    return on_user_text(item, change)


def truncated(item: Item, call: Call) -> Item | None:
    """Cut the end of the last sentence off: words such as "in the", and at most half of one other."""
    sample = item.sample
    parts = anatomy(sample.input)
    if about_form(sample.input) or not parts.natural or not parts.closed:
        return None
    answer, body = guard(sample, repeated=False), parts.body.rstrip()
    begin = max((match.end() for match in _SENTENCE_END.finditer(body)), default=0)
    least = max(
        begin + (len(body) - begin + 1) // 2,
        round(len(body) - float(call.options["rate"]) * (len(body) - begin)),
    )
    cut = len(body)
    for start, end in reversed(touchable(body, answer)):
        word = body[start:end]
        if start < begin or body[end:cut].strip(" ,;.?!"):
            break
        if start >= least and word in COMMON and word not in WEIGHTY:
            cut = len(body[:start].rstrip())
            continue
        if len(word) > 3 and word not in WEIGHTY:
            cut = max(least, start + (len(word) + 1) // 2)
        break
    return item.with_input(parts.label + body[:cut] + parts.cue) if cut < len(body) else None


VARIANTS = (
    VariantInfo(
        name="synonyms",
        group="perturbation",
        summary="Words replaced by synonyms from a fixed list.",
        keeps="The meaning; numbers, names, quoted text, code, options and words of the answer.",
        step=synonyms,
        parameters=(
            Parameter("rate", 0.5, "share of the words that have a synonym, at least one", low=0.01),
        ),
    ),
    VariantInfo(
        name="truncated",
        group="perturbation",
        summary="The last sentence breaks off.",
        keeps='All but words such as "in the" and at most half of one other; numbers, names, the answer.',
        step=truncated,
        parameters=(Parameter("rate", 0.3, "most of the sentence that is cut off", low=0.01, high=0.5),),
        seeded=False,
    ),
)
