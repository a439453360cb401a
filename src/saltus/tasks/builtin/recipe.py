"""From a rule that writes one item to a task of many: all different, in even bands, the same for a seed.

Item number i depends on the seed, the task and i only. Bands take turns, so the first items of a task
(`--limit`) hold all bands alike, and a longer task begins with the items of the shorter one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from saltus.records.errors import UsageError
from saltus.records.evidence import Sample
from saltus.tasks.builtin.draw import Draw
from saltus.tasks.task import Kind, Suite, Task

BANDS = 5
GENERATION = ("exact_match", "target_logprob", "token_accuracy", "token_edit_distance")
CHOICE = ("choice_correct", "choice_grade", "brier", "target_logprob")
LIKELIHOOD = ("greedy_match", "target_logprob", "token_accuracy")
DEFAULT_METRICS: dict[Kind, tuple[str, ...]] = {
    "generation": GENERATION,
    "multiple_choice": CHOICE,
    "loglikelihood": LIKELIHOOD,
    "perplexity": ("target_logprob",),
}

_TRIES = 3000  # draws before a band is taken to hold no further item


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One item before it is numbered; the fields are those of `Sample`.

    Attributes:
        key: What no other item may share, where different prompts are not enough.
    """

    input: str
    target: str
    choices: tuple[str, ...] = ()
    answer: int = -1
    slices: Mapping[str, str] = {}
    extra: Mapping[str, Any] = {}
    key: str = ""


class Slot(msgspec.Struct, frozen=True):
    """The place in a task that an item is written for.

    Attributes:
        seed: Of the suite.
        task: Name of the task.
        difficulty: Band, 1 to 5.
        turn: How many items (groups, where a recipe writes several at a time) of this band come before.
    """

    seed: int
    task: str
    difficulty: int
    turn: int

    def of(self, by_band: Sequence[Any]) -> Any:
        """The entry of this band among five."""
        return by_band[self.difficulty - 1]

    def balanced(self, n: int, what: str = "") -> int:
        """A number from 0 to n - 1 in random order, each once in every n turns.

        Args:
            n: How many outcomes there are.
            what: Which property it decides; properties of different names do not follow each other.
        """
        order = Draw(self.seed, self.task, self.difficulty, "balance", what, self.turn // n)
        return order.shuffled(range(n))[self.turn % n]


Make = Callable[[Draw, Slot], Item | tuple[Item, ...]]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How the items of one task are written, asked and scored.

    Attributes:
        name: The task is called SUITE-NAME.
        make: Writes the item of a slot, or a group of items that belong together.
        quantity: The slice whose mean grows from band to band.
        description: One sentence.
        chance: Score of the best guess that does not understand the question; one number, or one a band.
        kind: As in `Task`.
        metrics: As in `Task`; a fitting set when left out.
        group: Items that `make` writes at a time.
        paired: Each group is a pair; both get `extra["pair"]`, the id of the other.
        max_tokens: As in `Task`.
        stop: As in `Task`.
        cluster: As in `Task`.
        revision: Counted up when the rule changes, so that the task's version changes with it.
    """

    name: str
    make: Make
    quantity: str
    description: str
    chance: float | tuple[float, ...] = 0.0
    kind: Kind = "generation"
    metrics: tuple[str, ...] = ()
    group: int = 1
    paired: bool = False
    max_tokens: int = 32
    stop: tuple[str, ...] = ("\n",)
    cluster: str = ""
    revision: int = 1

    def scored_by(self) -> tuple[str, ...]:
        """Names of its metrics."""
        return self.metrics or DEFAULT_METRICS[self.kind]

    def chance_at(self, difficulty: int) -> float:
        """Score of guessing in one band."""
        return self.chance[difficulty - 1] if isinstance(self.chance, tuple) else self.chance


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A built-in suite: what it is, and the recipes of its tasks.

    Attributes:
        name: Of the suite.
        description: One sentence for people.
        limits: What a score of it does not say.
        recipes: One a task.
    """

    name: str
    description: str
    limits: str
    recipes: tuple[Recipe, ...]


def build(plan: Plan, seed: int, items: int) -> Suite:
    """The suite of a plan. Items are written when they are asked for, not here.

    Args:
        plan: What to build.
        seed: Of all its items.
        items: Of each task.

    Raises:
        UsageError: The number of items is not positive.
    """
    if items < 1:
        raise UsageError(
            f"a suite needs at least one item a task, {items} were asked for; ask for more", field="items"
        )
    return Suite(
        plan.name,
        tuple(_task(plan.name, recipe, seed, items) for recipe in plan.recipes),
        plan.description,
    )


def choose(slot: Slot, right: str, wrong: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """All choices with a space before each, and the place of the right one; all places take turns."""
    place = slot.balanced(len(wrong) + 1, "place")
    ordered = [*wrong[:place], right, *wrong[place:]]
    return tuple(f" {choice}" for choice in ordered), place


def options(choices: Sequence[str]) -> str:
    """The choices as they stand in a prompt, one a line."""
    return "\n".join(f"-{choice}" for choice in choices)


def _task(suite: str, recipe: Recipe, seed: int, items: int) -> Task:
    chances = [recipe.chance_at(i // recipe.group % BANDS + 1) for i in range(items)]
    bare = Task(
        name=f"{suite}-{recipe.name}",
        kind=recipe.kind,
        items=tuple,
        metrics=tuple(recipe.scored_by()),
        chance=sum(chances) / items,
        description=recipe.description,
        max_tokens=recipe.max_tokens,
        stop=recipe.stop if recipe.kind == "generation" else (),
        cluster=recipe.cluster,
        config={"seed": seed, "items": items, "revision": recipe.revision},
    )
    return msgspec.structs.replace(bare, items=partial(_samples, bare, recipe, seed, items))


def _samples(task: Task, recipe: Recipe, seed: int, items: int) -> Iterator[Sample]:
    version, seen = task.version, set[str]()
    number = 0
    for group in range(-(-items // recipe.group)):
        slot = Slot(seed, task.name, group % BANDS + 1, group // BANDS)
        made = _new(recipe, slot, seen)[: items - number]
        for place, item in enumerate(made):
            extra = dict(item.extra)
            if recipe.paired and len(made) == 2:
                extra["pair"] = f"{task.name}-{number + 1 - 2 * place:05d}"
            yield Sample(
                task=task.name,
                task_version=version,
                id=f"{task.name}-{number:05d}",
                input=item.input,
                target=item.target,
                choices=item.choices,
                answer=item.answer,
                chance=recipe.chance_at(slot.difficulty),
                slices={"difficulty": str(slot.difficulty), **item.slices},
                extra=extra,
            )
            number += 1


def _new(recipe: Recipe, slot: Slot, seen: set[str]) -> tuple[Item, ...]:
    """The first items drawn for this slot that are unlike all before."""
    for attempt in range(_TRIES):
        made = recipe.make(Draw(slot.seed, slot.task, slot.difficulty, slot.turn, attempt), slot)
        group = made if isinstance(made, tuple) else (made,)
        keys = {item.key or item.input for item in group}
        if not keys & seen and len(keys) == len(group):
            seen |= keys
            return group
    raise UsageError(
        f"{slot.task} has about {slot.turn * recipe.group} different items of difficulty {slot.difficulty} "
        "and more were asked for; ask for fewer items",
        field="items",
    )
