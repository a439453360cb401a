"""Where the answers of the family's items come from, and prompts like theirs with another answer.

`saltus.interpret` reads these marks from the samples of `suite`: `sources` are ranges of characters of the
prompt, `counterfactuals` are prompts of equal length whose answer begins with another token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from saltus.family.corpus import BITS, DIGIT, ITEMS_SEED, PAIRS, SPAN, Items, Tokens, World, decode

Marks = dict[str, Any]
_LETTERS, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
_STREAM = 71  # apart from those that draw the items


def marks(task: str, items: Items, world: World) -> list[Marks]:
    """Marks of every item of a task, for `Sample.extra`.

    Args:
        task: One of the family's tasks.
        items: Its items.
        world: The facts and verses that were learned.

    Returns:
        For each item `counterfactuals`, by name a prompt (`input`) and its answer (`target`); the first name
        is the one to patch with. And `sources`, the places of the prompt that hold the answer's first token,
        where the answer stands in the prompt.
    """
    rng = np.random.default_rng([ITEMS_SEED, _STREAM])
    if task in ("facts", "recite"):
        return _from_memory(rng, items, *_learned(task, world))
    one = _BY_TASK[task]
    traps: list[Tokens | None] = [None] * len(items.prompts) if items.traps is None else list(items.traps)
    return [
        one(rng, decode(prompt), decode(target) + ("" if trap is None else decode(trap)))
        for prompt, target, trap in zip(items.prompts, items.targets, traps, strict=True)
    ]


def _learned(task: str, world: World) -> tuple[Tokens, Tokens]:
    """Keys and answers that a model has to know by heart."""
    if task == "facts":
        return world.fact_keys, world.fact_values[:, None] + DIGIT
    return world.verse_keys, world.verses


def _from_memory(rng: np.random.Generator, items: Items, keys: Tokens, answers: Tokens) -> list[Marks]:
    """Another key, whose answer begins with another token."""
    found = []
    for prompt, target in zip(items.prompts, items.targets, strict=True):
        other = rng.choice(np.flatnonzero(answers[:, 0] != target[0]))
        asked = prompt.copy()
        asked[2:4] = keys[other]
        found.append(_marked({"key": (decode(asked), decode(answers[other]))}))
    return found


def _recall(rng: np.random.Generator, prompt: str, target: str) -> Marks:
    """Pairs of a letter and a digit from place 1 on, then the letter that is asked."""
    keys, values, asked = prompt[1 : 2 * PAIRS : 2], prompt[2 : 2 * PAIRS + 1 : 2], prompt[-1]
    own = keys.index(asked)
    value = _other(rng, _DIGITS, target)
    twins: dict[str, tuple[str, str]] = {}
    differ = [i for i in range(PAIRS) if values[i] != target]
    if differ:  # which fails for one item in ten million
        other = int(rng.choice(differ))
        swapped = list(prompt)
        swapped[1 + 2 * own], swapped[1 + 2 * other] = keys[other], asked
        twins = {
            "key": ("".join(swapped), values[other]),
            "query": (prompt[:-1] + keys[other], values[other]),
        }
    twins["value"] = (_put(prompt, [2 + 2 * own], value), value)
    return _marked(twins, [2 + 2 * own])


def _addition(rng: np.random.Generator, prompt: str, target: str) -> Marks:
    """Another first digit, so another last digit of the sum."""
    a = _other(rng, _DIGITS, prompt[1])
    total = int(a) + int(prompt[3])
    return _marked({"digit": (_put(prompt, [1], a), f"{total % 10}{total // 10}")})


def _parity(rng: np.random.Generator, prompt: str, target: str) -> Marks:
    """One bit flipped."""
    place = 2 + int(rng.integers(BITS))
    return _marked({"bit": (_put(prompt, [place], "10"[int(prompt[place])]), "10"[int(target)])})


def _reverse(rng: np.random.Generator, prompt: str, target: str) -> Marks:
    """The last letter, which is said first, is another one."""
    letter = _other(rng, _LETTERS, target[0])
    return _marked({"letter": (_put(prompt, [1 + SPAN], letter), letter + target[1:])}, [1 + SPAN])


def _sort(rng: np.random.Generator, prompt: str, target: str) -> Marks:
    """The smallest digit, wherever it stands, is another one."""
    places = [i for i in range(2, 2 + SPAN) if prompt[i] == target[0]]
    changed = _put(prompt, places, _other(rng, _DIGITS, target[0]))
    return _marked({"digit": (changed, "".join(sorted(changed[2 : 2 + SPAN])))}, places)


def _override(rng: np.random.Generator, prompt: str, target: str) -> Marks:
    """Another false statement. `target` is the stated digit and the true one."""
    value = _other(rng, _DIGITS, target)
    return _marked({"value": (_put(prompt, [5], value), value)}, [5])


_BY_TASK: dict[str, Callable[[np.random.Generator, str, str], Marks]] = {
    "recall": _recall,
    "addition": _addition,
    "parity": _parity,
    "reverse": _reverse,
    "sort": _sort,
    "override": _override,
}


def _marked(twins: dict[str, tuple[str, str]], places: list[int] | None = None) -> Marks:
    marks: Marks = {"counterfactuals": {name: {"input": a, "target": b} for name, (a, b) in twins.items()}}
    if places:
        marks["sources"] = [[place, place + 1] for place in places]
    return marks


def _other(rng: np.random.Generator, letters: str, but: str) -> str:
    """One of the letters that is none of those."""
    return str(rng.choice([letter for letter in letters if letter not in but]))


def _put(text: str, places: list[int], letter: str) -> str:
    return "".join(letter if i in places else old for i, old in enumerate(text))
