"""The suite "word-problems": stories that need one to five or more steps of arithmetic."""

from __future__ import annotations

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import Item, Plan, Recipe, Slot, build
from saltus.tasks.builtin.words import NAMES, THINGS
from saltus.tasks.task import Suite

_VEHICLES = ("train", "bus", "ship", "lorry", "cyclist", "van", "tram", "balloon")


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Changing amounts, shopping, and journeys.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _amounts(draw: Draw, slot: Slot) -> Item:
    """An amount that changes step by step; every second story also counts something else."""
    name, other = draw.some(NAMES, 2)
    (_, things), (_, unrelated) = draw.some(THINGS, 2)
    amount = draw.between(6, 60)
    story = [f"{name} has {amount} {things}."]
    for _ in range(slot.difficulty):
        amount, sentence = _change(draw, amount, name, other, things)
        story.append(sentence)
    distracted = slot.balanced(2, "distractor") == 1
    if distracted:
        story.insert(draw.between(1, len(story)), f"{other} has {draw.between(2, 60)} {unrelated}.")
    question = f"How many {things} does {name} have now?"
    return _item(story, question, amount, steps=slot.difficulty, distracted=distracted)


def _change(draw: Draw, amount: int, name: str, other: str, things: str) -> tuple[int, str]:
    """The amount after one event, and the event."""
    shares = [k for k in (2, 3, 4, 5) if amount % k == 0 and amount >= 2 * k]
    event: str = draw.pick(("find", "buy", "give", "lose", "times" if amount < 150 else "lose", "share"))
    match event:
        case "give" if amount > 5:
            k = draw.between(1, amount // 2)
            return amount - k, f"{name} gives {k} {things} to {other}."
        case "lose" if amount > 5:
            k = draw.between(1, amount // 2)
            return amount - k, f"{name} loses {k} {things}."
        case "times":
            k = draw.between(2, 3)
            return amount * k, f"Then {name} trades until there are {k} times as many {things}."
        case "share" if shares:
            k = draw.pick(shares)
            return amount // k, f"{name} puts the {things} into {k} equal piles and keeps only one pile."
        case "buy":
            k = draw.between(2, 40)
            return amount + k, f"{name} buys {k} more {things}."
        case _:
            k = draw.between(2, 40)
            return amount + k, f"{name} finds {k} more {things}."


def _shopping(draw: Draw, slot: Slot) -> Item:
    """A bill of one to five kinds of goods, paid with more than it comes to."""
    name = draw.pick(NAMES)
    goods = draw.some(THINGS, slot.difficulty)
    prices = [draw.between(2, 19) for _ in goods]
    counts = [draw.between(2, 9) for _ in goods]
    bill = sum(price * count for price, count in zip(prices, counts, strict=True))
    paid = bill + draw.between(1, 99)
    story = [f"One {one} costs {price} dollars." for (one, _), price in zip(goods, prices, strict=True)]
    story += [f"{name} buys {count} {many}." for (_, many), count in zip(goods, counts, strict=True)]
    distracted = slot.balanced(2, "distractor") == 1
    if distracted:
        story.append(f"The shop has been open for {draw.between(2, 60)} years.")
    story.append(f"{name} pays with {paid} dollars.")
    return _item(
        story,
        f"How many dollars does {name} get back?",
        paid - bill,
        steps=2 * slot.difficulty,
        distracted=distracted,
    )


def _journeys(draw: Draw, slot: Slot) -> Item:
    """Legs at different speeds; a rest, where there is one, adds no distance."""
    vehicle = draw.pick(_VEHICLES)
    story, distance = [], 0
    for leg in range(slot.difficulty):
        hours, speed = draw.between(2, 9), draw.between(11, 95)
        distance += hours * speed
        start = f"A {vehicle} travels" if leg == 0 else "Then it travels"
        story.append(f"{start} for {hours} hours at {speed} kilometres an hour.")
    distracted = slot.balanced(2, "distractor") == 1
    if distracted:
        story.insert(draw.between(1, len(story)), f"Then it rests for {draw.between(2, 9)} hours.")
    steps = 2 * slot.difficulty - 1
    question = "How many kilometres does it travel in all?"
    return _item(story, question, distance, steps=steps, distracted=distracted)


def _item(story: list[str], question: str, answer: int, *, steps: int, distracted: bool) -> Item:
    return Item(
        input=f"Question: {' '.join(story)} {question} Answer with the number only.\nAnswer:",
        target=f" {answer}",
        slices={"steps": str(steps), "distractor": "yes" if distracted else "no"},
    )


PLAN = Plan(
    name="word-problems",
    description="Stories that need several steps of arithmetic, half of them with a number that does not "
    "matter.",
    limits="Few sentence patterns, simple English, whole numbers. Guessing scores a little above 0 on the "
    "shortest "
    "stories, whose answers are small.",
    recipes=(
        Recipe(
            name="amounts",
            make=_amounts,
            quantity="steps",
            description="Follow an amount through one to five changes.",
        ),
        Recipe(
            name="shopping",
            make=_shopping,
            quantity="steps",
            description="Give the change of a bill of one to five kinds of goods.",
        ),
        Recipe(
            name="journeys",
            make=_journeys,
            quantity="steps",
            description="Add up the distance of one to five legs, each a speed times a duration.",
        ),
    ),
)
