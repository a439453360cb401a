"""The suite "family": the eight tasks that the family was made for, 256 items each, as Saltus runs them."""

from __future__ import annotations

from functools import cache, partial
from math import factorial

import numpy as np

from saltus.family.corpus import (
    BITS,
    DIGIT,
    FACTS,
    ITEMS_SEED,
    PAIRS,
    SPAN,
    TASKS,
    VERSE_LENGTH,
    VERSES,
    Items,
    World,
    decode,
)
from saltus.family.marks import Marks, marks
from saltus.records.evidence import Sample
from saltus.tasks.task import Suite, Task

GENERATION_METRICS = ("exact_match", "target_logprob", "token_accuracy", "token_edit_distance")
CHOICE_METRICS = ("choice_correct", "target_logprob", "brier", "choice_grade")

_DESCRIPTIONS = {
    "recall": f"Give the digit that stood behind a letter, {PAIRS} letter-digit pairs earlier in the prompt.",
    "addition": "Add two digits; the answer has two digits, the units first.",
    "facts": f"State the digit of one of {FACTS} facts learned by heart, the common ones asked more often.",
    "recite": f"Continue one of {VERSES} verses of {VERSE_LENGTH} letters learned by heart, from its title.",
    "parity": f"Say whether the number of ones among {BITS} bits is odd.",
    "reverse": f"Write {SPAN} letters backwards.",
    "sort": f"Sort {SPAN} digits.",
    "override": "Repeat a false statement of the prompt about a memorised fact; the truth is the trap.",
}


def suite(n: int = 256) -> Suite:
    """The eight tasks.

    Args:
        n: Items of each task. Published scores are those of 256.
    """
    return Suite("family", tuple(_task(name, n) for name in TASKS), "What the embedded model family can do.")


def chance(task: str, n: int = 256) -> float:
    """Score of the best guess that ignores the question, on the first metric of a task.

    For recall it is the commonest digit among the pairs shown, averaged over the items; for facts the digit
    that most facts have, weighted as they are asked; for addition the commonest sum; for sort the likeliest
    outcome.
    """
    if task == "recall":
        shown = _items(task, n).prompts[:, 2 : 2 * PAIRS + 1 : 2] - DIGIT
        counts = np.stack([(shown == digit).sum(axis=1) for digit in range(10)])
        return float(counts.max(axis=0).mean() / PAIRS)
    guesses: dict[str, float] = {
        "addition": 0.1,  # the sum 9 has ten of the hundred pairs
        "facts": float(np.bincount(_world().fact_values, weights=_world().fact_shares).max()),
        "parity": 0.5,
        "override": 0.5,
        "recite": 26.0**-VERSE_LENGTH,
        "reverse": 26.0**-SPAN,
        "sort": factorial(SPAN) / 10**SPAN,  # six different digits come in 6! orders
    }
    return guesses[task]


def _task(name: str, n: int) -> Task:
    choice = name == "override"
    length = _items(name, n).targets.shape[1]
    return Task(
        name=name,
        kind="multiple_choice" if choice else "generation",
        items=partial(_samples, name, n),
        metrics=CHOICE_METRICS if choice else GENERATION_METRICS,
        chance=chance(name, n),
        description=_DESCRIPTIONS[name],
        max_tokens=length,
        # In recall the next pair follows at once; every other answer ends its line.
        stop=() if name == "recall" else ("\n",),
        config={"items": n, "seed": ITEMS_SEED, "facts": FACTS, "verses": VERSES},
    )


def _samples(name: str, n: int) -> list[Sample]:
    items = _items(name, n)
    task = _task(name, n)
    # The place of the right choice alternates, so that a habit of taking the first one scores one half.
    answers = [-1] * n if items.traps is None else [i % 2 for i in range(n)]
    samples = []
    extras = _marks(name, n)
    for i, answer in enumerate(answers):
        target = decode(items.targets[i])
        choices: tuple[str, ...] = ()
        if items.traps is not None:
            trap = decode(items.traps[i])
            choices = (trap, target) if answer else (target, trap)
        samples.append(
            Sample(
                task=name,
                task_version=task.version,
                id=f"{name}-{i:03d}",
                input=decode(items.prompts[i]),
                target=target,
                choices=choices,
                answer=answer,
                chance=task.chance,
                slices={tag: words[i] for tag, words in items.slices.items()},
                extra=extras[i],
            )
        )
    return samples


@cache
def _world() -> World:
    return World()


@cache
def _items(name: str, n: int) -> Items:
    return _world().items(name, n)


@cache
def _marks(name: str, n: int) -> list[Marks]:
    return marks(name, _items(name, n), _world())
