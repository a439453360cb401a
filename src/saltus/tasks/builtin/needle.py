"""The suite "needle": one fact in up to 64,000 characters of memos, alone or contradicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import GENERATION, Item, Plan, Recipe, Slot, build
from saltus.tasks.builtin.words import COLOURS, NAMES, ROOMS, THINGS
from saltus.tasks.task import Suite

LENGTHS = (1_000, 4_000, 16_000, 32_000, 64_000)  # characters of all documents together
_GIVEN = (4, 6, 10, 16, 24)  # documents of the task cited
_RIVALS = 3  # documents that contradict each other, the right one among them
_OFFICES = (
    "harbour",
    "archive",
    "treasury",
    "survey",
    "forestry",
    "railway",
    "museum",
    "post",
    "water",
    "census",
)
_DEPTHS = ("start", "middle", "end")
_RULES = ("newest", "oldest", "office")
_MEMO = 700  # characters of a memo, about


class Memo(msgspec.Struct, frozen=True):
    """One document.

    Attributes:
        id: As it is cited.
        date: ISO 8601.
        office: Which wrote it.
        text: Its body.
    """

    id: str
    date: str
    office: str
    text: str

    def show(self) -> str:
        """Header and body, as they stand in the prompt."""
        return f"[{self.id}] {self.date}, {self.office} office\n{self.text}"


def suite(seed: int = 0, items: int = 200) -> Suite:
    """A fact, a contradiction, and a citation.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _fact(draw: Draw, slot: Slot) -> Item:
    """One memo of many says it."""
    length = slot.of(LENGTHS)
    thing, number = _thing(draw), draw.between(1000, 9999)
    memos = _memos(draw, thing, max(1, length // _MEMO), length)
    third = slot.balanced(3, "depth")
    place = (third * len(memos) + draw.below(len(memos))) // 3
    memos[place] = _with(draw, memos[place], _statement(thing, number))
    return Item(
        input=f"{_shown(memos)}\n\nQuestion: According to the memos, what is the number of the {thing}? "
        f"Answer with "
        "the number only.\nAnswer:",
        target=f" {number}",
        slices={"length": str(length), "depth": _depth(place, len(memos)), "contradicted": "no"},
        key=f"{thing} {number}",
    )


def _conflict(draw: Draw, slot: Slot) -> Item:
    length = slot.of(LENGTHS)
    case = _contradicted(draw, slot, max(_RIVALS, length // _MEMO), length)
    return Item(
        input=f"{case.prompt()} Answer with the number only.\nAnswer:",
        target=f" {case.number}",
        slices={"length": str(length), **case.slices()},
        key=case.key,
    )


def _cited(draw: Draw, slot: Slot) -> Item:
    """As a conflict, with shorter memos; the answer has to name the memo it rests on."""
    n = slot.of(_GIVEN)
    case = _contradicted(draw, slot, n, n * 200)
    right = case.memos[case.place]
    documents: list[dict[str, Any]] = [
        {"id": memo.id, "title": f"{memo.date}, {memo.office} office", "text": memo.text}
        for memo in case.memos
    ]
    return Item(
        input=f"{case.prompt()} Answer with the number and, in square brackets, the memo it stands in, such "
        f"as "
        "1234 [D1].\nAnswer:",
        target=f" {case.number} [{right.id}]",
        slices={"documents": str(n), **case.slices()},
        extra={"documents": documents, "evidence": [right.id], "answerable": True},
        key=case.key,
    )


class Case(msgspec.Struct, frozen=True):
    """Memos of which three give different numbers for one thing.

    Attributes:
        thing: What has the number.
        number: The right one.
        memos: All documents.
        place: Which memo is right.
        rule: Why: it is the "newest", the "oldest", or that of an "office".
        office: Which wrote the right memo.
    """

    thing: str
    number: int
    memos: Sequence[Memo]
    place: int
    rule: str
    office: str

    @property
    def key(self) -> str:
        """What no two items share."""
        return f"{self.thing} {self.number}"

    def prompt(self) -> str:
        """Memos, rule and question."""
        right = f"the memo of the {self.office} office" if self.rule == "office" else f"the {self.rule} one"
        return (
            f"{_shown(self.memos)}\n\nRule: Where memos contradict each other, {right} is right.\n"
            f"Question: What is the number of the {self.thing}?"
        )

    def slices(self) -> dict[str, str]:
        """Tags that all such items have."""
        return {"depth": _depth(self.place, len(self.memos)), "contradicted": "yes", "rule": self.rule}


def _contradicted(draw: Draw, slot: Slot, n: int, length: int) -> Case:
    """The rule and which of the three is right, first, middle or last, take turns."""
    thing, numbers = _thing(draw), draw.some(range(1000, 10000), _RIVALS)
    memos = _memos(draw, thing, n, length)
    places = sorted(draw.some(range(n), _RIVALS))
    first = places.pop(slot.balanced(_RIVALS, "place"))
    rule = _RULES[slot.balanced(len(_RULES), "rule")]
    offices = draw.some(_OFFICES, _RIVALS)
    dates = sorted(draw.some(sorted({memo.date for memo in memos}), _RIVALS), reverse=rule == "newest")
    if rule == "office":
        dates = draw.shuffled(dates)
    for place, number, date, office in zip([first, *places], numbers, dates, offices, strict=True):
        memo = Memo(memos[place].id, date, office, memos[place].text)
        memos[place] = _with(draw, memo, _statement(thing, number))
    return Case(thing, numbers[0], memos, first, rule, offices[0])


def _memos(draw: Draw, thing: str, n: int, length: int) -> list[Memo]:
    """N memos of together about so many characters that say nothing of the thing."""
    memos: list[Memo] = []
    room = length / n - 100  # what a header, empty lines and the needle take
    for day in draw.some(range(2800), n):
        sentences = [_filler(draw, thing)]
        while sum(map(len, sentences)) < room - 30:
            sentences.append(_filler(draw, thing))
        # Months of 28 days: every date exists, and different days are different dates.
        date = f"{2020 + day // 336}-{day % 336 // 28 + 1:02}-{day % 28 + 1:02}"
        memos.append(Memo(f"D{len(memos) + 1}", date, draw.pick(_OFFICES), " ".join(sentences)))
    return memos


def _filler(draw: Draw, thing: str) -> str:
    """A sentence that does not bear on the thing; one in six gives the number of something else."""
    kind = draw.below(6)
    name, things, room = draw.pick(NAMES), draw.pick(THINGS)[1], draw.pick(ROOMS)
    match kind:
        case 0:
            other = _thing(draw)
            return _statement(other, draw.between(1000, 9999)) if other != thing else _filler(draw, thing)
        case 1:
            return f"{name} has counted the {things} in the {room} and found {draw.between(2, 99)} of them."
        case 2:
            return f"The {room} will be painted {draw.pick(COLOURS)} once {name} is back."
        case 3:
            return f"{name} asks that the {things} be kept in the {room} until further notice."
        case 4:
            return f"Nobody has seen the {things} since {name} moved to the {room}."
        case _:
            return f"The order for {draw.between(2, 99)} {things} was sent by {name}."


def _thing(draw: Draw) -> str:
    """What has a number: "red lamp in the attic"."""
    return f"{draw.pick(COLOURS)} {draw.pick(THINGS)[0]} in the {draw.pick(ROOMS)}"


def _statement(thing: str, number: int) -> str:
    return f"The number of the {thing} is {number}."


def _with(draw: Draw, memo: Memo, sentence: str) -> Memo:
    """The memo with one more sentence somewhere among its own."""
    sentences = memo.text.removesuffix(".").split(". ")
    sentences.insert(draw.below(len(sentences) + 1), sentence.removesuffix("."))
    return msgspec.structs.replace(memo, text=". ".join(sentences) + ".")


def _shown(memos: Sequence[Memo]) -> str:
    return "\n\n".join(memo.show() for memo in memos)


def _depth(place: int, n: int) -> str:
    return _DEPTHS[min(2, 3 * place // n)]


PLAN = Plan(
    name="needle",
    description="One fact in up to 64,000 characters of memos, alone or contradicted, with a rule on whom to "
    "trust.",
    limits="Memos of few sentence patterns, so that the needle stands out less than in a novel and more than "
    "in real files. "
    "A model whose context is too short sees a prompt that was cut; the response says so.",
    recipes=(
        Recipe(
            name="fact",
            make=_fact,
            quantity="length",
            chance=(0.3, 0.1, 0.02, 0.01, 0.006),  # any number that some memo states
            description="Give a number that one memo states, in 1,000 to 64,000 characters.",
        ),
        Recipe(
            name="conflict",
            make=_conflict,
            quantity="length",
            chance=1 / _RIVALS,
            description="Give the number of the memo that a rule trusts, where three contradict each other.",
        ),
        Recipe(
            name="cited",
            make=_cited,
            quantity="documents",
            metrics=("exact_match", "evidence_coverage", "citation_precision", "f1", *GENERATION[1:]),
            chance=1 / _RIVALS,
            description="The same in 4 to 24 short memos, naming the memo.",
        ),
    ),
)
