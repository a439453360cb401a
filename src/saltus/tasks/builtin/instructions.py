"""The suite "instructions": write a text that keeps to one to five rules which a program can check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import Item, Plan, Recipe, Slot, build
from saltus.tasks.builtin.rules import Draft, Rule, lists, prose, titles
from saltus.tasks.builtin.words import WORDS
from saltus.tasks.task import Suite

_METRICS = ("constraints_strict", "constraints", "target_logprob", "token_accuracy")
_CHANCE = (0.2, 0.15, 0.05, 0.02, 0.0)  # the best fixed answer found, such as four short paragraphs
_PROSE = ("a short note", "a diary entry", "a short advertisement", "a message to a friend", "a few lines")


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Prose, lists and titles under rules.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _prose(draw: Draw, slot: Slot) -> Item:
    topic = draw.pick(WORDS)
    draft, rules = prose(draw, topic, slot.difficulty)
    return _item(f"Write {draw.pick(_PROSE)} about the {topic}.", rules, draft)


def _lists(draw: Draw, slot: Slot) -> Item:
    topic = draw.pick(WORDS)
    draft, rules = lists(draw, topic, slot.difficulty)
    return _item(f"Write down what one could know about the {topic}.", rules, draft)


def _titles(draw: Draw, slot: Slot) -> Item:
    topic = draw.pick(WORDS)
    draft, rules = titles(draw, topic, slot.difficulty)
    return _item(f"Write a title for a story about the {topic}.", rules, draft)


def _item(request: str, rules: Sequence[Rule], draft: Draft) -> Item:
    constraints: list[dict[str, Any]] = [dict(rule.constraint) for rule in rules]
    return Item(
        input=f"Request: {request} {' '.join(rule.words for rule in rules)}\nAnswer:\n",
        target=draft.text(),
        slices={
            "constraints": str(len(rules)),
            "kinds": "+".join(sorted(one["kind"] for one in constraints)),
        },
        extra={"constraints": constraints},
    )


PLAN = Plan(
    name="instructions",
    description="Write a text that keeps to one to five rules which a program can check.",
    limits="Says nothing of whether the text is good or on its topic. The log-probability is that of one "
    "plain text that "
    "keeps to the rules, among countless others; take the share of rules kept as the continuous measure.",
    recipes=tuple(
        Recipe(
            name=name,
            make=make,
            quantity="constraints",
            chance=chance,
            metrics=_METRICS,
            max_tokens=tokens,
            stop=("\nRequest:",),
            description=description,
        )
        for name, make, tokens, chance, description in (
            ("prose", _prose, 256, _CHANCE, "Sentences under rules of length, words, letters and frame."),
            ("lists", _lists, 256, _CHANCE, "Bulleted, numbered or plain lines under rules."),
            ("titles", _titles, 48, 0.0, "A title under rules; some words are always asked for."),
        )
    ),
)
