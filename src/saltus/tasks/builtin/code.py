"""The suite "code": functions of one to five stated steps, with tests that fail when any step is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saltus.tasks.builtin.code_steps import FINISHES, LIST_STEPS, MARKING_STEPS, TEXT_STEPS, Step
from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import Item, Plan, Recipe, Slot, build
from saltus.tasks.builtin.words import WORDS
from saltus.tasks.task import Suite

_TESTS = 8
_METRICS = ("pass@1", "target_logprob", "token_accuracy", "token_edit_distance")


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Functions on lists of numbers and on texts.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _lists(draw: Draw, slot: Slot) -> Item:
    """Steps on a list of whole numbers, then the list or one number of it."""

    def example() -> list[int]:
        return [draw.between(-20, 40) for _ in range(draw.between(5, 9))]

    while True:
        chosen = [step(draw) for step in draw.some(LIST_STEPS, slot.difficulty)] + [draw.pick(FINISHES)(draw)]
        cases: list[Any] = [[], *(example() for _ in range(_TESTS - 1))]
        if _needed(chosen, cases):
            return _item("numbers", "a list of whole numbers", chosen, cases)


def _texts(draw: Draw, slot: Slot) -> Item:
    """Steps on a text of a few words."""

    def example() -> str:
        return " ".join(draw.pick(WORDS) for _ in range(draw.between(3, 6)))

    while True:
        decorated = draw.below(2)  # what puts marks into words comes last, so that it is clear what a word is
        makers = draw.some(TEXT_STEPS, slot.difficulty - decorated) + draw.some(MARKING_STEPS, decorated)
        chosen = [step(draw) for step in makers]
        cases = ["", *(example() for _ in range(_TESTS - 1))]
        if _needed(chosen, cases) and _words_stay_words(chosen, cases):
            return _item("text", "a text of words with single spaces between them", chosen, cases)


def _needed(steps: Sequence[Step], cases: Sequence[Any]) -> bool:
    """Whether leaving out any step changes what some case gives, and the cases give different things."""
    right = [_apply(steps, case) for case in cases]
    return len({repr(value) for value in right}) > len(cases) // 2 and all(
        [_apply([*steps[:i], *steps[i + 1 :]], case) for case in cases] != right for i in range(len(steps))
    )


def _words_stay_words(steps: Sequence[Step], cases: Sequence[str]) -> bool:
    """Whether no step leaves two spaces side by side, where one could argue about what a word is."""
    texts = [_apply(steps[:i], case) for case in cases for i in range(1, len(steps) + 1)]
    return all(text == " ".join(text.split()) for text in texts)


def _apply(steps: Sequence[Step], case: Any) -> Any:
    for step in steps:
        case = step.apply(case)
    return case


def _item(argument: str, kind: str, steps: Sequence[Step], cases: Sequence[Any]) -> Item:
    listed = "\n".join(f"# {i}. {step.words}" for i, step in enumerate(steps, 1))
    shown = cases[1]
    prompt = (
        f"# Write the Python function solve({argument}). It takes {kind} and does the following, in this "
        f"order:\n"
        f"{listed}\n# Then it returns the result. For example, solve({shown!r}) returns "
        f"{_apply(steps, shown)!r}.\n\n"
    )
    body = "\n".join(f"    {argument} = {step.code}" for step in steps)
    reference = f"def solve({argument}):\n{body}\n    return {argument}\n"
    tests = "\n".join(f"assert solve({case!r}) == {_apply(steps, case)!r}" for case in cases)
    return Item(
        input=prompt,
        target=reference,
        slices={"steps": str(len(steps))},
        key=reference,
        extra={"entry_point": "solve", "tests": f"{tests}\n", "reference": reference},
    )


_STOP = ("\n# Write", "\nassert ", "\nif __name__", "\nprint(")

PLAN = Plan(
    name="code",
    description="Python functions of one to six stated steps, with eight tests that fail when a step is left "
    "out.",
    limits="Short functions on lists and texts: no classes, no libraries, no design. The log-probability is "
    "that of one "
    "solution among many.",
    recipes=(
        Recipe(
            name="lists",
            make=_lists,
            quantity="steps",
            metrics=_METRICS,
            max_tokens=320,
            stop=_STOP,
            description="Write a function that works on a list of numbers in two to six steps.",
        ),
        Recipe(
            name="texts",
            make=_texts,
            quantity="steps",
            metrics=_METRICS,
            max_tokens=320,
            stop=_STOP,
            description="Write a function that works on a text in one to five steps.",
        ),
    ),
)
