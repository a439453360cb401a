"""Words that several built-in suites share: people, things, places, plain short words."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES = _words(
    """
    Ada Ben Carla Dario Elif Femi Greta Hugo Ines Jonas Keiko Leo Mira Nadia Omar Petra Quinn Rosa
    Samir Tara Umar Vera Walter Xenia Yusuf Zoe Amina Boris Chloe Diego Emma Farid Gloria Henry Ivan
    Julia Karim Lena Marco Nora Oscar Priya Ravi Sofia Tomas Ursula Victor Wanda Yara Zane
    """
)

# One thing, several things.
THINGS = (
    ("apple", "apples"),
    ("book", "books"),
    ("button", "buttons"),
    ("candle", "candles"),
    ("coin", "coins"),
    ("cup", "cups"),
    ("feather", "feathers"),
    ("flower", "flowers"),
    ("key", "keys"),
    ("lamp", "lamps"),
    ("marble", "marbles"),
    ("map", "maps"),
    ("mug", "mugs"),
    ("nail", "nails"),
    ("orange", "oranges"),
    ("pear", "pears"),
    ("pencil", "pencils"),
    ("plate", "plates"),
    ("ring", "rings"),
    ("shell", "shells"),
    ("spoon", "spoons"),
    ("stamp", "stamps"),
    ("stone", "stones"),
    ("ticket", "tickets"),
)

ROOMS = (
    "kitchen",
    "garden",
    "garage",
    "attic",
    "cellar",
    "library",
    "office",
    "hallway",
    "bedroom",
    "workshop",
)
HOLDERS = ("basket", "box", "drawer", "bag", "chest", "bucket", "suitcase", "cupboard", "crate", "jar")
COLOURS = ("red", "blue", "green", "yellow", "black", "white", "brown", "purple", "orange", "grey")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
CITIES = _words(
    """
    Lisbon Oslo Cairo Lima Seoul Nairobi Vienna Prague Dublin Athens Ottawa Havana Tunis Quito Riga
    Hanoi Amman Accra Dakar Bogota Sofia Tallinn Minsk Lusaka
    """
)

# Plain words of three to eight letters.
WORDS = _words(
    """
    anchor apron arrow autumn badge bamboo barley basil beacon bench berry blade boat bone bottle
    branch brick bridge brush bubble camel canal candle canvas carpet castle cedar chain chalk
    cheese cherry circle clay cliff clock cloud clover cobalt collar comet copper coral corner
    cotton cradle crane crow crown dagger daisy desert diesel dinner dolphin dragon drum eagle
    engine falcon fennel ferry fiddle finger flame flute forest fossil fountain garlic garnet ginger
    glass globe goose grape gravel hammer harbor hazel helmet heron honey island ivory jacket jungle
    kettle kite ladder lagoon lantern laurel leaf lemon linen lizard magnet maple meadow melon
    mirror mitten monkey needle nickel nutmeg oak oyster paddle panda parcel pepper piano pigeon
    pillow pine planet plum pocket pond potato prism puzzle quartz rabbit raft rain ribbon river
    rocket saddle salmon sand scarf sheep silver slate snail sparrow spider spiral sponge spruce
    statue stork sugar summit swan table tailor temple thunder tiger timber tomato tower tulip
    tunnel turtle valley velvet violin walnut water whale wheat willow window winter wolf zebra
    """
)
