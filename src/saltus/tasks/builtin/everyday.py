"""The situations of the suite "commonsense": a story, a question, one right answer and three wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import Slot
from saltus.tasks.builtin.words import HOLDERS, NAMES, ROOMS, THINGS

# What is right and what is wrong is about equally long: a model that likes short answers gains nothing.
_BREAKS = ("wine glass", "china plate", "light bulb", "hand mirror", "teacup", "raw egg", "glass jug")
_LASTS = (
    "wool sock",
    "pillow",
    "bath towel",
    "rubber ball",
    "sponge",
    "leather glove",
    "cotton scarf",
    "straw hat",
)
_MELTS = ("ice cube", "snowball", "ice lolly", "icicle")
_STAYS = (
    "red brick",
    "iron nail",
    "flat stone",
    "clay pot",
    "wool hat",
    "key",
    "tin cup",
    "coin",
    "glass marble",
)
_FLOATS = ("cork", "dry twig", "beach ball", "dry leaf", "wooden match")
_SINKS = ("flat stone", "iron nail", "coin", "brick", "steel spoon", "anchor")
_SOAKS = ("sponge", "bath towel", "wool sock", "napkin")
_REPELS = ("marble", "steel spoon", "china plate", "pebble", "plastic cup", "iron key", "coin")
_LONG = (
    "raising a child",
    "growing an oak tree",
    "building a cathedral",
    "learning ten languages",
    "sailing around the world",
)
_SHORT = (
    "blinking once",
    "switching on a lamp",
    "biting into an apple",
    "closing a thick book",
    "dropping a wet sponge",
    "saying one short word",
)
_COURSES = (
    ("planting the seed", "seeing the first leaf", "picking the ripe tomato", "cooking that tomato"),
    ("kneading the dough", "baking the loaf", "slicing the loaf", "eating the last slice"),
    ("writing the letter", "posting the letter", "sorting it at the post office", "opening it at its goal"),
    ("catching the fish", "cleaning the fish", "frying the fish", "eating the fish"),
    ("felling the tree", "sawing it into boards", "building the table", "painting the table"),
    ("shearing the sheep", "spinning the wool", "knitting the scarf", "wearing the scarf"),
    ("boarding the train", "leaving the station", "reaching the next city", "getting off there"),
    ("digging the pit", "laying the foundation", "raising the walls", "putting on the roof"),
    ("buying the ticket", "entering the cinema", "watching the film", "walking home after it"),
    ("laying the egg", "hatching from it", "learning to fly", "building an own nest"),
)


_PORTABLE = [holder for holder in HOLDERS if holder not in ("drawer", "cupboard")]


class Puzzle(msgspec.Struct, frozen=True):
    """One situation.

    Attributes:
        story: Sentences.
        question: What is asked.
        right: The right answer.
        wrong: Three wrong ones.
        people: Names that the story uses.
    """

    story: Sequence[str]
    question: str
    right: str
    wrong: Sequence[str]
    people: Sequence[str] = ()


def _carried(draw: Draw, slot: Slot) -> Puzzle:
    """A thing goes where its box goes, unless it was taken out before; a walk without it changes nothing."""
    name, other = draw.some(NAMES, 2)
    thing, holder, rooms = draw.pick(THINGS)[0], draw.pick(_PORTABLE), draw.some(ROOMS, 4)
    story = [f"In the {rooms[0]}, {name} puts the {thing} into an empty {holder}."]
    inside = slot.balanced(2, "inside") == 1
    if not inside:
        story.append(f"Then {name} takes the {thing} out again and leaves it in the {rooms[0]}.")
    story.append(f"{name} carries the {holder} to the {rooms[1]} and leaves it there.")
    story.append(f"Then {other} goes from the {rooms[1]} to the {rooms[2]} with empty hands.")
    places = [f"in the {room}" for room in rooms]
    right = places[1] if inside else places[0]
    wrong = [place for place in places if place != right]
    return Puzzle(story, f"Where is the {thing} now?", right, wrong, (name, other))


def _broken(draw: Draw, slot: Slot) -> Puzzle:
    return _odd_one(
        draw, _BREAKS, _LASTS, "drops {} one by one from a roof onto a stone floor", "most likely breaks"
    )


def _melted(draw: Draw, slot: Slot) -> Puzzle:
    return _odd_one(draw, _MELTS, _STAYS, "leaves {} in the hot summer sun for a whole day", "melts")


def _soaked(draw: Draw, slot: Slot) -> Puzzle:
    return _odd_one(draw, _SOAKS, _REPELS, "puts {} on a wet table", "soaks up the most water")


def _floating(draw: Draw, slot: Slot) -> Puzzle:
    if slot.balanced(2, "floats"):
        return _odd_one(draw, _FLOATS, _SINKS, "drops {} into a deep pond", "floats")
    return _odd_one(draw, _SINKS, _FLOATS, "drops {} into a deep pond", "sinks")


def _odd_one(draw: Draw, right: Sequence[str], wrong: Sequence[str], deed: str, outcome: str) -> Puzzle:
    name = draw.pick(NAMES)
    answer, others = draw.pick(right), draw.some(wrong, 3)
    named = [f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}" for thing in draw.shuffled([answer, *others])]
    story = [f"{name} {deed.format(', '.join(named[:-1]) + ' and ' + named[-1])}."]
    return Puzzle(
        story, f"Which of them {outcome}?", f"the {answer}", [f"the {one}" for one in others], (name,)
    )


def _nested(draw: Draw, slot: Slot) -> Puzzle:
    """Four boxes by size, told in random order."""
    holders = draw.some(HOLDERS, 4)
    story = draw.shuffled([f"The {a} fits into the {b}." for a, b in pairwise(holders)])
    smallest = slot.balanced(2, "smallest") == 1
    right = holders[0] if smallest else holders[-1]
    question = "Which is the smallest of the four?" if smallest else "Which is the largest of the four?"
    return Puzzle(story, question, f"the {right}", [f"the {one}" for one in holders if one != right])


def _arrivals(draw: Draw, slot: Slot) -> Puzzle:
    people = draw.some(NAMES, 4)
    verb = draw.pick(("arrived", "left", "called", "woke up", "finished", "sat down"))
    pairs = pairwise(people)
    story = draw.shuffled(
        [f"{a} {verb} before {b}." if draw.below(2) else f"{b} {verb} after {a}." for a, b in pairs]
    )
    place = slot.balanced(4, "arrival")
    rank = ("first", "second", "third", "last")[place]
    right = people[place]
    return Puzzle(
        story, f"Who of the four {verb} {rank}?", right, [one for one in people if one != right], people
    )


def _durations(draw: Draw, slot: Slot) -> Puzzle:
    longest = slot.balanced(2, "longest") == 1
    right = draw.pick(_LONG if longest else _SHORT)
    wrong = draw.some(_SHORT if longest else _LONG, 3)
    name = draw.pick(NAMES)
    story = [f"{name} thinks about four things that people do."]
    return Puzzle(story, f"Which takes the {'most' if longest else 'least'} time?", right, wrong, (name,))


def _courses(draw: Draw, slot: Slot) -> Puzzle:
    steps, name = draw.pick(_COURSES), draw.pick(NAMES)
    place = 0 if slot.balanced(2, "first") else 3
    story = [f"{name} tells how it all happened, in the usual order of things."]
    question = f"What came {'first' if place == 0 else 'last'}?"
    return Puzzle(story, question, steps[place], [step for step in steps if step != steps[place]], (name,))


def _opening(draw: Draw, slot: Slot) -> Puzzle:
    """One of four times lies in the opening hours, be it the first, second, third or last of them."""
    name, shop = draw.pick(NAMES), draw.pick(("shop", "museum", "library", "bakery", "bank", "post office"))
    opens, closes = draw.between(8, 11), draw.between(14, 18)
    before = slot.balanced(4, "before")
    wrong = [*draw.some(range(3, opens - 1), before), *draw.some(range(closes + 1, 24), 3 - before)]
    right = draw.between(opens + 1, closes - 2)
    story = [f"The {shop} opens at {opens}:00 and closes at {closes}:00.", f"{name} is inside as a customer."]
    times = [f"{time}:30" for time in wrong]
    return Puzzle(story, "Which of these times can it be?", f"{right}:30", times, (name,))


def _belief(draw: Draw, slot: Slot) -> Puzzle:
    """Who did not see a thing moved looks where it was; who saw it looks where it is."""
    one, other = draw.some(NAMES, 2)
    thing, holders = draw.pick(THINGS)[0], draw.some(HOLDERS, 4)
    saw = slot.balanced(2, "saw") == 1
    story = [
        f"There are a {holders[0]}, a {holders[1]}, a {holders[2]} and a {holders[3]} in the room.",
        f"{one} puts the {thing} into the {holders[0]}.",
        f"{one} stays and watches." if saw else f"{one} leaves the room and sees and hears nothing of it.",
        f"{other} moves the {thing} from the {holders[0]} to the {holders[1]}.",
        f"A little later {one} wants the {thing}.",
    ]
    places = [f"in the {holder}" for holder in holders]
    right = places[1] if saw else places[0]
    question = f"Where does {one} look for the {thing} first?"
    return Puzzle(story, question, right, [place for place in places if place != right], (one, other))


def _lending(draw: Draw, slot: Slot) -> Puzzle:
    people, thing = draw.some(NAMES, 4), draw.pick(THINGS)[0]
    story = [
        f"{people[0]} buys a {thing} and lends it to {people[1]}.",
        f"{people[1]} lends it on to {people[2]}, who has not given it back yet.",
        f"{people[3]} would like to have one too.",
    ]
    asked = slot.balanced(2, "owner")
    right = people[0] if asked else people[2]
    question = f"Who owns the {thing}?" if asked else f"Who has the {thing} now?"
    return Puzzle(story, question, right, [one for one in people if one != right], people)


def _apology(draw: Draw, slot: Slot) -> Puzzle:
    people, thing = draw.some(NAMES, 4), draw.pick(THINGS)[0]
    story = [
        f"{people[0]} loses the {thing} that belongs to {people[1]}.",
        f"{people[2]} and {people[3]} only watch.",
    ]
    asked = slot.balanced(2, "who")
    right = people[0] if asked else people[1]
    question = "Who should say sorry?" if asked else "Who is owed an apology?"
    return Puzzle(story, question, right, [one for one in people if one != right], people)


def _message(draw: Draw, slot: Slot) -> Puzzle:
    people = draw.some(NAMES, 4)
    story = [f"{people[0]} asks {people[1]} to tell {people[2]} that {people[3]} will be late."]
    place = slot.balanced(4, "role")
    question = (
        "Whose wish is it that the news is passed on?",
        "Who has been asked to pass the news on?",
        "Who is to be given the news?",
        "Who will be late?",
    )[place]
    return Puzzle(story, question, people[place], [one for one in people if one != people[place]], people)


physical = (_carried, _broken, _melted, _soaked, _floating, _nested)
temporal = (_arrivals, _durations, _courses, _opening)
social = (_belief, _lending, _apology, _message)
