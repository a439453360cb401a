"""The steps that functions of the suite "code" are made of: in words, as source, and as a function."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

import msgspec

from saltus.tasks.builtin.draw import Draw

_VOWELS = "aeiou"


class Step(msgspec.Struct, frozen=True):
    """One step.

    Attributes:
        words: What the prompt says.
        code: A Python expression of `numbers` or `text`.
        apply: The same for writing the tests.
    """

    words: str
    code: str
    apply: Callable[[Any], Any]


Maker = Callable[[Draw], Step]


def _multiples(draw: Draw) -> Step:
    k = draw.between(2, 5)
    return Step(
        f"Keep only the multiples of {k}.",
        f"[x for x in numbers if x % {k} == 0]",
        lambda numbers: [x for x in numbers if x % k == 0],
    )


def _no_multiples(draw: Draw) -> Step:
    k = draw.between(2, 5)
    return Step(
        f"Remove the multiples of {k}.",
        f"[x for x in numbers if x % {k} != 0]",
        lambda numbers: [x for x in numbers if x % k != 0],
    )


def _above(draw: Draw) -> Step:
    k = draw.between(-9, 15)
    return Step(
        f"Keep only the numbers greater than {k}.",
        f"[x for x in numbers if x > {k}]",
        lambda numbers: [x for x in numbers if x > k],
    )


def _add(draw: Draw) -> Step:
    k = draw.between(2, 30)
    return Step(
        f"Add {k} to each number.", f"[x + {k} for x in numbers]", lambda numbers: [x + k for x in numbers]
    )


def _times(draw: Draw) -> Step:
    k = draw.between(2, 9)
    return Step(
        f"Multiply each number by {k}.",
        f"[x * {k} for x in numbers]",
        lambda numbers: [x * k for x in numbers],
    )


def _from(draw: Draw) -> Step:
    k = draw.between(10, 99)
    return Step(
        f"Replace each number by {k} minus the number.",
        f"[{k} - x for x in numbers]",
        lambda numbers: [k - x for x in numbers],
    )


def _magnitude(draw: Draw) -> Step:
    return Step(
        "Replace each number by its absolute value.",
        "[abs(x) for x in numbers]",
        lambda numbers: [abs(x) for x in numbers],
    )


def _sorted(draw: Draw) -> Step:
    if draw.below(2):
        return Step("Sort the numbers from small to large.", "sorted(numbers)", sorted)
    return Step(
        "Sort the numbers from large to small.",
        "sorted(numbers, reverse=True)",
        lambda numbers: sorted(numbers, reverse=True),
    )


def _reversed(draw: Draw) -> Step:
    return Step("Reverse the order of the numbers.", "numbers[::-1]", lambda numbers: numbers[::-1])


def _drop(draw: Draw) -> Step:
    k = draw.between(1, 3)
    what = "the first number" if k == 1 else f"the first {k} numbers"
    return Step(f"Remove {what}.", f"numbers[{k}:]", lambda numbers: numbers[k:])


def _second(draw: Draw) -> Step:
    return Step(
        "Keep the first number, the third, the fifth and so on.", "numbers[::2]", lambda numbers: numbers[::2]
    )


def _totals(draw: Draw) -> Step:
    return Step(
        "Replace each number by the sum of itself and all numbers before it.",
        "[sum(numbers[: i + 1]) for i in range(len(numbers))]",
        lambda numbers: list(accumulate(numbers)),
    )


def _gaps(draw: Draw) -> Step:
    return Step(
        "Replace the list by the differences of neighbours, each number minus the one before it.",
        "[b - a for a, b in zip(numbers, numbers[1:])]",
        lambda numbers: [b - a for a, b in pairwise(numbers)],
    )


def _whole(draw: Draw) -> Step:
    return Step(
        "Put the number of elements at the end of the list.",
        "numbers + [len(numbers)]",
        lambda n: [*n, len(n)],
    )


def _sum(draw: Draw) -> Step:
    return Step("Take the sum of all numbers; it is 0 for an empty list.", "sum(numbers)", sum)


def _largest(draw: Draw) -> Step:
    return Step(
        "Take the largest number, or 0 when there is none.",
        "max(numbers, default=0)",
        lambda numbers: max(numbers, default=0),
    )


def _smallest(draw: Draw) -> Step:
    return Step(
        "Take the smallest number, or 0 when there is none.",
        "min(numbers, default=0)",
        lambda numbers: min(numbers, default=0),
    )


def _last(draw: Draw) -> Step:
    return Step(
        "Take the last number, or 0 when there is none.",
        "numbers[-1] if numbers else 0",
        lambda numbers: numbers[-1] if numbers else 0,
    )


def _upper(draw: Draw) -> Step:
    return Step("Turn all letters into capitals.", "text.upper()", lambda text: text.upper())


def _backwards(draw: Draw) -> Step:
    return Step("Reverse the whole text, letter by letter.", "text[::-1]", lambda text: text[::-1])


def _word_order(draw: Draw) -> Step:
    return Step(
        "Reverse the order of the words.",
        '" ".join(text.split()[::-1])',
        lambda text: " ".join(text.split()[::-1]),
    )


def _alphabet(draw: Draw) -> Step:
    return Step(
        "Sort the words alphabetically.",
        '" ".join(sorted(text.split()))',
        lambda text: " ".join(sorted(text.split())),
    )


def _no_vowels(draw: Draw) -> Step:
    return Step(
        "Remove the letters a, e, i, o and u, small or capital.",
        '"".join(c for c in text if c not in "aeiouAEIOU")',
        lambda text: "".join(c for c in text if c.lower() not in _VOWELS),
    )


def _replace(draw: Draw) -> Step:
    old, new = draw.some("aeiounrstl", 1)[0], draw.pick("xyzqvw")
    return Step(
        f"Replace every small letter {old} by {new}.",
        f'text.replace("{old}", "{new}")',
        lambda text: text.replace(old, new),
    )


def _short(draw: Draw) -> Step:
    k = draw.between(5, 7)
    return Step(
        f"Remove the words of fewer than {k} characters.",
        f'" ".join(w for w in text.split() if len(w) >= {k})',
        lambda text: " ".join(w for w in text.split() if len(w) >= k),
    )


def _cut(draw: Draw) -> Step:
    k = draw.between(2, 4)
    return Step(
        f"Cut every word down to its first {k} characters.",
        f'" ".join(w[:{k}] for w in text.split())',
        lambda text: " ".join(w[:k] for w in text.split()),
    )


def _join(draw: Draw) -> Step:
    mark = draw.pick("-_+/")
    return Step(
        f"Put {mark} between the words instead of a space.",
        f'"{mark}".join(text.split())',
        lambda text: mark.join(text.split()),
    )


def _lengths(draw: Draw) -> Step:
    return Step(
        "Put the number of its characters right after every word.",
        '" ".join(w + str(len(w)) for w in text.split())',
        lambda text: " ".join(w + str(len(w)) for w in text.split()),
    )


def _first_words(draw: Draw) -> Step:
    k = draw.between(1, 2)
    what = "the first word" if k == 1 else f"the first {k} words"
    return Step(f"Remove {what}.", f'" ".join(text.split()[{k}:])', lambda text: " ".join(text.split()[k:]))


def _wrap(draw: Draw) -> Step:
    left, right = draw.pick((("(", ")"), ("[", "]"), ("<", ">"), ("*", "*"), ("|", "|")))
    return Step(
        f"Put {left} before every word and {right} after it.",
        f'" ".join("{left}" + w + "{right}" for w in text.split())',
        lambda text: " ".join(left + w + right for w in text.split()),
    )


LIST_STEPS: tuple[Maker, ...] = (
    _multiples,
    _no_multiples,
    _above,
    _add,
    _times,
    _from,
    _magnitude,
    _sorted,
    _reversed,
    _drop,
    _second,
    _totals,
    _gaps,
)
FINISHES: tuple[Maker, ...] = (_whole, _sum, _largest, _smallest, _last)
TEXT_STEPS: tuple[Maker, ...] = (
    _upper,
    _backwards,
    _word_order,
    _alphabet,
    _no_vowels,
    _replace,
    _short,
    _cut,
    _first_words,
)
MARKING_STEPS: tuple[Maker, ...] = (_join, _lengths, _wrap)
