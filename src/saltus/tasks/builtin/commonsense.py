"""The suite "commonsense": everyday questions with one right answer, among sentences that do not matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.everyday import Puzzle, physical, social, temporal
from saltus.tasks.builtin.recipe import Item, Plan, Recipe, Slot, build, choose, options
from saltus.tasks.builtin.words import COLOURS, DAYS, NAMES
from saltus.tasks.task import Suite

_COLOURS = [colour for colour in COLOURS if colour != "orange"]  # those that "a" goes with
_PAPERS = ("newspaper", "calendar", "poster", "letter", "notebook")


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Things, times and people.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _make(templates: Sequence[Callable[[Draw, Slot], Puzzle]], draw: Draw, slot: Slot) -> Item:
    template = templates[slot.turn % len(templates)]
    puzzle = template(draw, slot)
    story = list(puzzle.story)
    for aside in draw.some(_asides(draw, puzzle.people), slot.difficulty - 1):
        story.insert(draw.below(len(story) + 1), aside)
    choices, answer = choose(slot, puzzle.right, draw.shuffled(puzzle.wrong))
    return Item(
        input=f"{' '.join(story)}\nQuestion: {puzzle.question}\nChoices:\n{options(choices)}\nAnswer:",
        target=choices[answer],
        choices=choices,
        answer=answer,
        slices={"distractors": str(slot.difficulty - 1), "kind": template.__name__.lstrip("_")},
    )


def _asides(draw: Draw, people: Sequence[str]) -> tuple[str, ...]:
    """Sentences about someone or something that no question asks for."""
    one, other, third, fourth = draw.some([name for name in NAMES if name not in people], 4)
    return (
        f"It was a {draw.pick(DAYS)}.",
        f"{one} wore a {draw.pick(_COLOURS)} jacket that day.",
        f"Somewhere a radio played a song that {other} liked.",
        f"The {draw.pick(_PAPERS)} on the wall had a {draw.pick(_COLOURS)} edge.",
        f"{third} had slept badly and said so.",
        f"{fourth} and a friend talked about the price of bread.",
        "A dog barked in the street.",
    )


def _recipe(name: str, templates: Sequence[Callable[[Draw, Slot], Puzzle]], description: str) -> Recipe:
    return Recipe(
        name=name,
        make=lambda draw, slot: _make(templates, draw, slot),
        kind="multiple_choice",
        quantity="distractors",
        chance=0.25,
        description=description,
    )


PLAN = Plan(
    name="commonsense",
    description="Everyday questions about things, times and people, among zero to four sentences that do not "
    "matter.",
    limits="Few situations, which were chosen for answers that no one disputes; common sense is wider. "
    "Choices are "
    "compared by their log-probability, not divided by length.",
    recipes=(
        _recipe("physical", physical, "Where a thing is, what breaks, melts, floats or fits."),
        _recipe("temporal", temporal, "What came first, what takes long, when something can be done."),
        _recipe("social", social, "What someone believes, who owns something, who should say sorry."),
    ),
)
