"""The suite "calibration": questions with an answer, questions without one, draws of known odds."""

from __future__ import annotations

from saltus.tasks.builtin.capitals import CAPITALS
from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import GENERATION, Item, Plan, Recipe, Slot, build
from saltus.tasks.builtin.words import CITIES, COLOURS, MONTHS, NAMES, ROOMS, THINGS
from saltus.tasks.task import Suite

_FACTS = (3, 5, 8, 12, 20)
_SHARES = (90, 80, 70, 60, 50)  # percent of the commoner colour
_TIERS = 5
UNKNOWN = "unknown"
_METRICS = ("abstention_correct", "exact_match", "quasi_exact_match", *GENERATION[1:])

_ATTRIBUTES = (
    ("lives in {}", "Where does {} live?", CITIES),
    ("was born in {}", "In which month was {} born?", MONTHS),
    ("likes the colour {}", "Which colour does {} like?", COLOURS),
    ("collects {}", "What does {} collect?", tuple(many for _, many in THINGS)),
    ("works in the {}", "Where does {} work?", ROOMS),
)
_SYLLABLES = (
    "vel",
    "mor",
    "tash",
    "quin",
    "dra",
    "zur",
    "lop",
    "ghen",
    "bru",
    "fal",
    "xan",
    "wim",
    "pol",
    "hesk",
)
_ENDINGS = ("avia", "oria", "esia", "undia", "akia")


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Facts of a text, facts of the world, and urns.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _reading(draw: Draw, slot: Slot) -> Item:
    """Facts about several people. Without an answer, what is asked is told of others but not of this one."""
    n = slot.of(_FACTS)
    answerable = slot.balanced(2, "answerable") == 1
    people = draw.some(NAMES, max(2, n // 2))
    cells = [(person, attribute) for person in people for attribute in range(len(_ATTRIBUTES))]
    fitting: list[tuple[str, int]] = []
    while not fitting:
        told = draw.some(cells, n)
        whom, what = {person for person, _ in told}, {attribute for _, attribute in told}
        untold = [cell for cell in cells if cell not in told and cell[0] in whom and cell[1] in what]
        fitting = told if answerable else untold
    person, attribute = draw.pick(fitting)
    values = {cell: draw.pick(_ATTRIBUTES[cell[1]][2]) for cell in told}
    text = " ".join(f"{p} {_ATTRIBUTES[a][0].format(values[p, a])}." for p, a in told)
    target = values[person, attribute] if answerable else UNKNOWN
    return Item(
        input=f"Text: {text}\nAnswer from the text alone, as shortly as you can. If the text does not say "
        f"it, answer "
        f'"{UNKNOWN}".\nQuestion: {_ATTRIBUTES[attribute][1].format(person)}\nAnswer:',
        target=f" {target}",
        slices={"facts": str(n), "answerable": "yes" if answerable else "no"},
        extra={"answerable": answerable},
    )


def _knowledge(draw: Draw, slot: Slot) -> Item:
    """Capitals of countries, from the large to the small, beside what nobody can know who is only asked."""
    answerable = slot.balanced(2, "answerable") == 1
    size = len(CAPITALS) // _TIERS
    if answerable:
        country, target = draw.pick(CAPITALS[size * (slot.difficulty - 1) : size * slot.difficulty])
        question, kind = f"What is the capital of {country}?", "capital"
    else:
        target, (question, kind) = UNKNOWN, _nobody_knows(draw)
    return Item(
        input="Answer as shortly as you can. If nobody could know the answer from this question, because it "
        "is about "
        f'something private, random or made up, answer "{UNKNOWN}".\nQuestion: {question}\nAnswer:',
        target=f" {target}",
        slices={"tier": str(slot.difficulty), "answerable": "yes" if answerable else "no", "kind": kind},
        extra={"answerable": answerable},
    )


def _nobody_knows(draw: Draw) -> tuple[str, str]:
    """A question without an answer, and which kind it is."""
    name, things = draw.pick(NAMES), draw.pick(THINGS)[1]
    invented = (draw.pick(_SYLLABLES) + draw.pick(_SYLLABLES) + draw.pick(_ENDINGS)).capitalize()
    return draw.pick(
        (
            (f"What is the capital of {invented}?", "made up"),
            (f"How many {things} are in my left pocket?", "private"),
            (f"What did my neighbour {name} say to me this morning?", "private"),
            (f"Which of my {draw.between(3, 40)} {things} did I lose first?", "private"),
            (f"Which number will the next roll of my {draw.pick((6, 8, 12, 20))}-sided die show?", "random"),
        )
    )


def _urns(draw: Draw, slot: Slot) -> Item:
    """One marble is drawn. Over a band, exactly the stated share of the draws give the commoner colour."""
    share = slot.of(_SHARES)
    total = 10 * draw.between(1, 9)
    common, rare = draw.some(COLOURS, 2)
    drawn = common if slot.balanced(10, "drawn") < share // 10 else rare
    first = slot.balanced(2, "first")
    colours = (common, rare) if first else (rare, common)
    counts = {common: total * share // 100, rare: total - total * share // 100}
    name = draw.pick(NAMES)
    choices = tuple(f" {colour}" for colour in colours)
    return Item(
        input=f"A bag holds {counts[colours[0]]} {colours[0]} and {counts[colours[1]]} {colours[1]} marbles. "
        f"{name} draws "
        "one without looking.\nQuestion: Which colour is it?\nAnswer:",
        target=f" {drawn}",
        choices=choices,
        answer=colours.index(drawn),
        slices={
            "share": str(share),
            "uncertainty": str(100 - share),
            "drawn": "common" if drawn == common else "rare",
        },
    )


PLAN = Plan(
    name="calibration",
    description="Questions with an answer beside questions without one, and draws whose probability is "
    "stated.",
    limits="Abstaining always scores one half on the first two tasks. The urns have no skill to show beyond "
    "the share of the "
    "commoner colour: read their Brier score, whose best value is 2 x share x (1 - share).",
    recipes=(
        Recipe(
            name="reading",
            make=_reading,
            quantity="facts",
            metrics=_METRICS,
            chance=0.5,
            description="Answer from 3 to 20 facts, or say that they do not tell.",
        ),
        Recipe(
            name="knowledge",
            make=_knowledge,
            quantity="tier",
            metrics=_METRICS,
            chance=0.5,
            description="Name a capital, or say that nobody can know what is asked.",
        ),
        Recipe(
            name="urns",
            make=_urns,
            kind="multiple_choice",
            quantity="uncertainty",
            metrics=("choice_correct", "brier", "choice_grade", "target_logprob"),
            chance=tuple(share / 100 for share in _SHARES),
            description="Say which colour was drawn, with the shares known.",
        ),
    ),
)
