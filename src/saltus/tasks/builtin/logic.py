"""Two tasks of the suite "planning": knights and knaves, and truth values of nested expressions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import Item, Slot
from saltus.tasks.builtin.words import NAMES

_PEOPLE = (2, 3, 4, 5, 6)
_OPERATORS = (2, 4, 8, 12, 20)
CHANCE_OF_KNIGHTS = tuple(0.5**n for n in _PEOPLE)

# Who speaks, what is said ("is", "same", "different", "count"), of whom, and the rest of it.
Statement = tuple[int, str, int, int]


def knights(draw: Draw, slot: Slot) -> Item:
    """Everyone says one thing; the statements are drawn until one assignment alone fits them."""
    n = slot.of(_PEOPLE)
    people = draw.some(NAMES, n)
    pattern = slot.balanced(2**n, "pattern")
    truth = tuple(bool(pattern >> i & 1) for i in range(n))
    while True:
        statements = [_statement(draw, i, truth) for i in range(n)]
        if solutions(n, statements) == [truth]:
            break
    said = " ".join(
        f'{people[speaker]} says: "{_words(people, statement)}"'
        for statement in statements
        for speaker in statement[:1]
    )
    answer = ", ".join("knight" if honest else "knave" for honest in truth)
    return Item(
        input="Knights always tell the truth, knaves always lie. Everyone here is a knight or a knave.\n"
        f"{said}\nQuestion: What are {', '.join(people[:-1])} and {people[-1]}, in this order? "
        "Write knight or knave for each, with commas between them.\nAnswer:",
        target=f" {answer}",
        slices={"people": str(n), "knights": str(sum(truth))},
    )


def solutions(n: int, statements: Sequence[Statement]) -> list[tuple[bool, ...]]:
    """All ways to be knights and knaves under which knights' statements are true and knaves' are false."""
    return [
        honest
        for honest in product((False, True), repeat=n)
        if all(honest[statement[0]] == _holds(statement, honest) for statement in statements)
    ]


def _statement(draw: Draw, speaker: int, truth: Sequence[bool]) -> Statement:
    """Something that a knight may say when it is true and a knave when it is not."""
    others = [i for i in range(len(truth)) if i != speaker]
    while True:
        kind = draw.pick(("is", "same", "different", "count"))
        statement = (speaker, kind, draw.pick(others), draw.below(len(truth) + 1 if kind == "count" else 2))
        if _holds(statement, truth) == truth[speaker]:
            return statement


def _holds(statement: Statement, honest: Sequence[bool]) -> bool:
    speaker, kind, whom, rest = statement
    match kind:
        case "is":
            return honest[whom] == bool(rest)
        case "same":
            return honest[speaker] == honest[whom]
        case "different":
            return honest[speaker] != honest[whom]
        case _:
            return sum(honest) == rest


def _words(people: Sequence[str], statement: Statement) -> str:
    _, kind, whom, rest = statement
    match kind:
        case "is":
            return f"{people[whom]} is a {'knight' if rest else 'knave'}."
        case "same":
            return f"{people[whom]} and I are of the same kind."
        case "different":
            return f"{people[whom]} and I are of different kinds."
        case _:
            return (
                "There is exactly 1 knight here." if rest == 1 else f"There are exactly {rest} knights here."
            )


def boolean(draw: Draw, slot: Slot) -> Item:
    """A random expression of a given number of operators, true and false taking turns."""
    operators = slot.of(_OPERATORS)
    wanted = slot.balanced(2, "value") == 1
    while True:
        text, value = _expression(draw, operators)
        if value == wanted:
            break
    text = text[1:-1] if text.startswith("(") else text
    return Item(
        input=f"Question: Is the following expression true or false? {text}\nAnswer:",
        target=f" {'true' if value else 'false'}",
        slices={"operators": str(operators)},
    )


def _expression(draw: Draw, operators: int) -> tuple[str, bool]:
    if operators == 0:
        value = draw.below(2) == 1
        return ("true" if value else "false"), value
    if draw.below(4) == 0:
        text, value = _expression(draw, operators - 1)
        return f"not {text}", not value
    left = draw.below(operators)
    (a, x), (b, y) = _expression(draw, left), _expression(draw, operators - 1 - left)
    return (f"({a} and {b})", x and y) if draw.below(2) else (f"({a} or {b})", x or y)
