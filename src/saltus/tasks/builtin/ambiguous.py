"""The suite "ambiguous": prompts with two readings or a gap, beside the same prompts without."""

from __future__ import annotations

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import GENERATION, Item, Plan, Recipe, Slot, build, choose, options
from saltus.tasks.builtin.words import CITIES, DAYS, NAMES, THINGS
from saltus.tasks.task import Suite

_FIELDS = (2, 3, 4, 5, 6)
_CONTACTS = (3, 4, 6, 8, 12)
_OPEN = "the text leaves it open"
_WOMEN = ("Ada", "Carla", "Greta", "Ines", "Keiko", "Mira", "Nadia", "Petra", "Rosa", "Tara", "Vera", "Zoe")
_MEN = ("Ben", "Dario", "Hugo", "Jonas", "Leo", "Omar", "Samir", "Umar", "Walter", "Yusuf", "Boris", "Diego")
_SURNAMES = ("Abel", "Berg", "Costa", "Dahl", "Eder", "Fox", "Gray", "Hale", "Iqbal", "Jung", "Khan", "Lund")
_UNCLEAR, _COMPLETE = "unclear", "complete"

# What a booking needs, how it is told, and how a value is drawn.
_NEEDS = (
    ("day", "on {}", DAYS),
    ("time", "at {}", tuple(f"{hour}:00" for hour in range(11, 22))),
    ("name", "under the name {}", _SURNAMES),
    ("city", "in {}", CITIES),
    ("number of people", "for {} people", tuple(map(str, range(2, 13)))),
    ("price limit", "for at most {} dollars", tuple(map(str, range(40, 400, 20)))),
)
_SERVICES = ("a table", "a tour", "a room", "a boat", "a course", "a concert visit", "a driver")


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Who is meant, which one is meant, and what is missing.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _readings(draw: Draw, slot: Slot) -> Item:
    """A sentence with two readings; in two of three items a later sentence decides."""
    female = draw.below(2) == 1
    one, other, *rest = draw.some(_WOMEN if female else _MEN, 6)
    she, her = ("she", "her") if female else ("he", "his")
    thing = draw.pick(THINGS)[0]
    kinds = (
        (f"{one} told {other} that {she} had won a {thing}.", "had won", "The winner was {}."),
        (
            f"{one} met {other} after {she} had found a {thing}.",
            "had found it",
            "It was {} who had found it.",
        ),
        (
            f"{one} asked {other} whether {her} {thing} was broken.",
            "owns the thing",
            f"The {thing} belonged to {{}}.",
        ),
        (
            f"{one} saw {other} with the new binoculars.",
            "had the binoculars",
            "The binoculars were in the hands of {}.",
        ),
        (f"{one} rang {other} when {she} was ill.", "was ill", "It was {} who was ill."),
    )
    story, question, clue = kinds[slot.turn % len(kinds)]
    question = question.replace("the thing", f"the {thing}")
    reading = slot.balanced(3, "reading")
    asides = [
        f"{rest[i]} had {draw.pick(('tea', 'soup', 'bread', 'rice'))} that day."
        for i in range(slot.difficulty - 1)
    ]
    text = [story, *asides]
    if reading < 2:
        text.append(clue.format((one, other)[reading]))
    answers = [f"{one}, for certain", f"{other}, for certain", _OPEN]
    right = answers.pop(reading)
    choices, answer = choose(slot, right, answers)
    return Item(
        input=f"Text: {' '.join(text)}\nQuestion: Who {question}, as far as the text says for certain?\n"
        f"Choices:\n{options(choices)}\nAnswer:",
        target=choices[answer],
        choices=choices,
        answer=answer,
        slices={"between": str(slot.difficulty - 1), "ambiguous": "no" if reading < 2 else "yes"},
    )


def _contacts(draw: Draw, slot: Slot) -> Item:
    """A request names a contact by first name; every second time two have it and nothing tells them apart."""
    n = slot.of(_CONTACTS)
    shared, *names = draw.some(NAMES, n - 1)
    first = [shared, shared, *names]
    people = [f"{name} {last}" for name, last in zip(first, draw.some(_SURNAMES, n), strict=True)]
    cities = draw.some(CITIES, n)
    unclear = slot.balanced(2, "unclear") == 1
    alike = unclear or draw.below(2) == 1  # half of the clear requests name one of the two, with the city
    asked = draw.below(2) if alike else draw.between(2, n - 1)
    known_by_city = alike and not unclear
    where = f" in {cities[asked]}" if known_by_city else ""
    listed = draw.shuffled([f"{name} ({city})" for name, city in zip(people, cities, strict=True)])
    deed = draw.pick(("Call", "Invite", "Write to", "Visit", "Thank"))
    target = _UNCLEAR if unclear else people[asked]
    return Item(
        input=f"Contacts: {', '.join(listed)}.\nRequest: {deed} {first[asked]}{where}.\nQuestion: Which "
        f"contact is meant? "
        f'Answer with the full name, or with "{_UNCLEAR}" when more than one fits.\nAnswer:',
        target=f" {target}",
        slices={"contacts": str(n), "ambiguous": "yes" if unclear else "no"},
        extra={"answerable": not unclear},
    )


def _missing(draw: Draw, slot: Slot) -> Item:
    """A request that lacks one of the details it needs, or none; all outcomes equally often."""
    n = slot.of(_FIELDS)
    missing = _NEEDS[slot.balanced(len(_NEEDS), "missing")]
    complete = slot.balanced(n + 1, "complete") == n
    others = draw.some([need for need in _NEEDS if need != missing], n - 1)
    needs = [missing, *others]
    told = [words.format(draw.pick(values)) for _, words, values in (needs if complete else others)]
    service = draw.pick(_SERVICES)
    names = [name for name, _, _ in needs]
    target = _COMPLETE if complete else missing[0]
    listed = ", ".join(draw.shuffled(names))
    return Item(
        input=f"A booking needs these details: {listed}.\nRequest: Please book {service} "
        f"{' '.join(draw.shuffled(told))}.\n"
        f'Question: Which detail is missing? Answer with its name, or with "{_COMPLETE}" when none '
        f"is.\nAnswer:",
        target=f" {target}",
        slices={"details": str(n), "ambiguous": "no" if complete else "yes"},
        extra={"answerable": complete},
    )


PLAN = Plan(
    name="ambiguous",
    description="Prompts with two readings or a gap, beside the same prompts without: is the gap seen?",
    limits="The prompts ask outright whether something is open. Whether a model asks back of its own accord "
    "is another "
    "question.",
    recipes=(
        Recipe(
            name="readings",
            make=_readings,
            kind="multiple_choice",
            quantity="between",
            chance=1 / 3,
            description="Say who is meant, or that the text leaves it open.",
        ),
        Recipe(
            name="contacts",
            make=_contacts,
            quantity="contacts",
            metrics=(GENERATION[0], "quasi_exact_match", *GENERATION[1:]),
            chance=0.5,
            description="Say which of 3 to 12 contacts a request means, or that more than one fits.",
        ),
        Recipe(
            name="missing",
            make=_missing,
            quantity="details",
            metrics=(GENERATION[0], "quasi_exact_match", *GENERATION[1:]),
            chance=tuple(1 / (n + 1) for n in _FIELDS),
            description="Say which of 2 to 6 details a booking lacks, if any.",
        ),
    ),
)
