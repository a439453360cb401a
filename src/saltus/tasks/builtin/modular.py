"""The suite "modular": sums, products and powers modulo a prime, each remainder equally often."""

from __future__ import annotations

from functools import cache

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import Item, Plan, Recipe, Slot, build
from saltus.tasks.task import Suite

MODULI = (5, 7, 13, 29, 97)  # by band


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Sums, products and powers modulo a prime.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _addition(draw: Draw, slot: Slot) -> Item:
    modulus, rest = _wanted(slot)
    a = draw.below(100)
    b = draw.pick([b for b in range(100) if (a + b) % modulus == rest])
    return _item(f"({a} + {b})", slot)


def _multiplication(draw: Draw, slot: Slot) -> Item:
    modulus, rest = _wanted(slot)
    a = draw.pick([a for a in range(2, 100) if a % modulus])  # what has an inverse reaches every remainder
    b = draw.pick([b for b in range(100) if a * b % modulus == rest])
    return _item(f"({a} * {b})", slot)


def _power(draw: Draw, slot: Slot) -> Item:
    base, exponent = draw.pick(_powers(*_wanted(slot)))
    return _item(f"({base} ^ {exponent})", slot)


@cache
def _powers(modulus: int, rest: int) -> list[tuple[int, int]]:
    return [(a, k) for a in range(2, 100) for k in range(2, 10) if pow(a, k, modulus) == rest]


def _wanted(slot: Slot) -> tuple[int, int]:
    """Modulus and remainder: all remainders take turns, so that no guess is better than another."""
    modulus = slot.of(MODULI)
    return modulus, slot.balanced(modulus, "rest")


def _item(term: str, slot: Slot) -> Item:
    modulus, rest = _wanted(slot)
    return Item(
        input=f"Question: What is {term} mod {modulus}? Answer with the number only.\nAnswer:",
        target=f" {rest}",
        slices={"modulus": str(modulus)},
    )


_CHANCE = tuple(1 / modulus for modulus in MODULI)

PLAN = Plan(
    name="modular",
    description="Sums, products and powers modulo a prime, each remainder equally often.",
    limits="Five moduli only. A model that has learned one table by heart is right on that band and no "
    "other.",
    recipes=tuple(
        Recipe(name=name, make=make, quantity="modulus", chance=_CHANCE, description=description)
        for name, make, description in (
            ("addition", _addition, "Remainder of a sum of two numbers below 100."),
            ("multiplication", _multiplication, "Remainder of a product of two numbers below 100."),
            ("power", _power, "Remainder of a number below 100 to a power of 2 to 9."),
        )
    ),
)
