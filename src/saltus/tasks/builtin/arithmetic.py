"""The suite "arithmetic": two whole numbers and one operation, by number of digits."""

from __future__ import annotations

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import Item, Plan, Recipe, Slot, build
from saltus.tasks.task import Suite

# Digits of both operands by band; for division those of the quotient and the divisor.
_PRODUCT_DIGITS = ((1, 1), (2, 1), (2, 2), (3, 2), (3, 3))


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Addition, subtraction, multiplication and division.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _addition(draw: Draw, slot: Slot) -> Item:
    a, b = (_number(draw, slot.difficulty, zero=True) for _ in range(2))
    carries = _carries(a, b)
    return _item(f"{a} + {b}", a + b, "addition", slot.difficulty, {"carries": str(carries)})


def _subtraction(draw: Draw, slot: Slot) -> Item:
    a, b = (_number(draw, slot.difficulty, zero=True) for _ in range(2))
    sign = "negative" if a < b else "positive" if a > b else "zero"
    return _item(f"{a} - {b}", a - b, "subtraction", slot.difficulty, {"sign": sign})


def _multiplication(draw: Draw, slot: Slot) -> Item:
    left, right = slot.of(_PRODUCT_DIGITS)
    a, b = _number(draw, left), _number(draw, right)
    return _item(f"{a} * {b}", a * b, "multiplication", left + right, {})


def _division(draw: Draw, slot: Slot) -> Item:
    left, right = slot.of(_PRODUCT_DIGITS)
    quotient, divisor = _number(draw, left), _number(draw, right)
    return _item(f"{quotient * divisor} / {divisor}", quotient, "division", left + right, {})


def _item(question: str, answer: int, operation: str, digits: int, slices: dict[str, str]) -> Item:
    return Item(
        input=f"Question: What is {question}? Answer with the number only.\nAnswer:",
        target=f" {answer}",
        slices={"operation": operation, "digits": str(digits), **slices},
    )


def _number(draw: Draw, digits: int, *, zero: bool = False) -> int:
    """A number of so many digits; one-digit numbers begin at 0 or at 1."""
    return draw.between(0 if zero and digits == 1 else 10 ** (digits - 1), 10**digits - 1)


def _carries(a: int, b: int) -> int:
    carry = count = 0
    while a or b:
        carry = int(a % 10 + b % 10 + carry > 9)
        count += carry
        a, b = a // 10, b // 10
    return count


# The likeliest sum or difference of two numbers out of n is one in n. The likeliest products of 81, 810
# and 8100 pairs have 4, 6 and 16 of them; beyond, none has one in a thousand, which is written as 0.
_ONE_IN = (1 / 10, 1 / 90, 1 / 900, 1 / 9000, 1 / 90000)

PLAN = Plan(
    name="arithmetic",
    description="Two whole numbers and one operation, by number of digits.",
    limits="Only whole numbers in digits; one wording. Tokenizers that split numbers differently make the "
    "same item "
    "harder or easier.",
    recipes=(
        Recipe(
            name="addition",
            make=_addition,
            quantity="digits",
            chance=_ONE_IN,
            description="Add two numbers of the same number of digits.",
        ),
        Recipe(
            name="subtraction",
            make=_subtraction,
            quantity="digits",
            chance=_ONE_IN,
            description="Subtract two numbers of the same number of digits; the answer may be negative.",
        ),
        Recipe(
            name="multiplication",
            make=_multiplication,
            quantity="digits",
            chance=(4 / 81, 6 / 810, 16 / 8100, 0.0, 0.0),
            description="Multiply two numbers.",
        ),
        Recipe(
            name="division",
            make=_division,
            quantity="digits",
            chance=(1 / 9, 1 / 90, 1 / 90, 1 / 900, 1 / 900),
            description="Divide two numbers; the answer is whole.",
        ),
    ),
)
