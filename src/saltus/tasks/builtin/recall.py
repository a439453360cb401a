"""The suite "recall": what a model can take from its own prompt, by how much stands there."""

from __future__ import annotations

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import Item, Plan, Recipe, Slot, build
from saltus.tasks.builtin.words import WORDS
from saltus.tasks.task import Suite

_MANY = (4, 8, 16, 32, 64)
_SPANS = (2, 4, 8, 16, 32)
_REVERSED = (2, 3, 4, 6, 8)
_DEPTHS = ("start", "middle", "end")


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Looking up, copying, reversing, counting to a place, and continuing a repeated pattern.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _lookup(draw: Draw, slot: Slot) -> Item:
    n = slot.of(_MANY)
    keys = draw.some(WORDS, n)
    values = draw.some(range(100, 1000), n)
    place = slot.balanced(n, "place")
    shown = [f"{key}: {value}" for key, value in zip(keys, values, strict=True)]
    lines = "\n".join(shown)
    end = len("\n".join(shown[: place + 1]))
    return Item(
        input=f"{lines}\nQuestion: Which number belongs to {keys[place]}? Answer with the number "
        f"only.\nAnswer:",
        target=f" {values[place]}",
        slices={"pairs": str(n), "depth": _depth(place, n)},
        extra={"sources": [[end - 3, end]]},
    )


def _copy(draw: Draw, slot: Slot) -> Item:
    n = slot.of(_SPANS)
    words = " ".join(draw.pick(WORDS) for _ in range(n))
    return Item(
        input=f"Repeat the words in the same order.\nWords: {words}\nAnswer:",
        target=f" {words}",
        slices={"words": str(n)},
    )


def _reverse(draw: Draw, slot: Slot) -> Item:
    n = slot.of(_REVERSED)
    words = draw.some(WORDS, n)
    return Item(
        input=f"Write the words in reverse order.\nWords: {' '.join(words)}\nAnswer:",
        target=f" {' '.join(reversed(words))}",
        slices={"words": str(n)},
    )


def _position(draw: Draw, slot: Slot) -> Item:
    n = slot.of(_MANY)
    words = draw.some(WORDS, n)
    place = slot.balanced(n, "place")
    return Item(
        input=f"Words: {' '.join(words)}\nQuestion: Which word is number {place + 1} from the left? "
        "Answer with the word only.\nAnswer:",
        target=f" {words[place]}",
        slices={"words": str(n), "depth": _depth(place, n)},
    )


def _pattern(draw: Draw, slot: Slot) -> Item:
    """Random words, then the same words again up to the one that is asked: pure induction, no instruction."""
    n = slot.of(_MANY)
    words = draw.some(WORDS, n)
    place = 1 + slot.balanced(n - 1, "place")
    start = len(" ".join(words[:place])) + 1
    return Item(
        input=" ".join([*words, *words[:place]]),
        target=f" {words[place]}",
        slices={"period": str(n), "depth": _depth(place, n)},
        extra={"sources": [[start, start + len(words[place])]]},
    )


def _depth(place: int, n: int) -> str:
    return _DEPTHS[min(2, 3 * place // n)]


_ONE_OF_THEM = tuple(1 / n for n in _MANY)

PLAN = Plan(
    name="recall",
    description="What a model can take from its own prompt: look up, copy, reverse, count, continue a "
    "pattern.",
    limits="English words of one to three tokens. Says nothing of recall from training, nor of texts longer "
    "than some "
    "hundred tokens (see needle).",
    recipes=(
        Recipe(
            name="lookup",
            make=_lookup,
            quantity="pairs",
            chance=_ONE_OF_THEM,
            description="Give the number that stands beside a word, among 4 to 64 pairs.",
            revision=2,
        ),
        Recipe(
            name="copy",
            make=_copy,
            quantity="words",
            max_tokens=160,
            description="Copy 2 to 32 random words.",
        ),
        Recipe(
            name="reverse",
            make=_reverse,
            quantity="words",
            max_tokens=64,
            description="Write 2 to 8 random words in reverse order.",
        ),
        Recipe(
            name="position",
            make=_position,
            quantity="words",
            chance=_ONE_OF_THEM,
            description="Give the word at a place of a list of 4 to 64.",
        ),
        Recipe(
            name="pattern",
            make=_pattern,
            kind="loglikelihood",
            quantity="period",
            chance=_ONE_OF_THEM,
            description="Continue random words that have begun to repeat, with a period of 4 to 64; no "
            "instruction.",
            revision=2,
        ),
    ),
)
