"""The suite "cipher": translation by rules that stand in the prompt, so that nothing learned before helps."""

from __future__ import annotations

from string import ascii_lowercase

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import Item, Plan, Recipe, Slot, build
from saltus.tasks.builtin.words import WORDS
from saltus.tasks.task import Suite

_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u")
_SIGNS = ("sh", "ch", "th", "oo", "ee", "ng", "ck", "ll", "rr", "ea", "ai", "ou")
_MARKS = ("X", "Q", "J", "W", "Y", "H", "C", "K", "V", "Z", "G", "P")

_AGENTS = ("bird", "child", "doctor", "farmer", "fox", "king", "sailor", "singer", "teacher", "wolf")
_VERBS = ("call", "carry", "follow", "help", "paint", "push", "watch", "wash", "lift", "find")
_PLURALS = {"child": "children", "fox": "foxes", "wolf": "wolves"}
_QUALITIES = ("big", "old", "quick", "quiet", "red", "small")


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Shift ciphers, substitution tables, transliteration rules, and an invented language.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _shift(draw: Draw, slot: Slot) -> Item:
    """One to five words, every letter moved by the same number of places."""
    places = draw.between(1, 25)
    plain = " ".join(draw.some(WORDS, slot.difficulty))
    moved = {a: ascii_lowercase[(i + places) % 26] for i, a in enumerate(ascii_lowercase)}
    code = "".join(moved.get(letter, letter) for letter in plain)
    far = min(places, 26 - places)
    return Item(
        input=f"Each letter of a text was replaced by the letter {places} places later in the alphabet; "
        f"after z comes "
        f"a again.\nCode: {code}\nQuestion: What was the text?\nAnswer:",
        target=f" {plain}",
        slices={
            "words": str(slot.difficulty),
            "shift": "near" if far <= 4 else "middling" if far <= 8 else "far",
        },
    )


def _substitution(draw: Draw, slot: Slot) -> Item:
    """One to five words in a table of signs that is given whole."""
    plain = " ".join(draw.some(WORDS, slot.difficulty))
    letters = sorted(set(plain) - {" "})
    signs = draw.some(ascii_lowercase, len(letters))
    table = dict(zip(letters, signs, strict=True))
    code = "".join(table.get(letter, letter) for letter in plain)
    lines = ", ".join(f"{sign} = {letter}" for letter, sign in draw.shuffled(list(table.items())))
    return Item(
        input=f"Table: {lines}\nCode: {code}\nQuestion: What does the code say?\nAnswer:",
        target=f" {plain}",
        slices={"words": str(slot.difficulty), "signs": str(len(letters))},
    )


def _transliteration(draw: Draw, slot: Slot) -> Item:
    """Two to six rules, some for two letters at once; each rule is needed."""
    pairs: list[str] = []
    for pair in draw.shuffled(
        _SIGNS
    ):  # no two of them share a letter, so that every word reads in one way only
        if len(pairs) < (slot.difficulty + 1) // 2 and not set(pair) & set("".join(pairs)):
            pairs.append(pair)
    singles = draw.some(
        [a for a in ascii_lowercase if a not in "".join(pairs)], slot.difficulty + 1 - len(pairs)
    )
    marks = draw.some(_MARKS, slot.difficulty + 1)
    rules = dict(zip(pairs + singles, marks, strict=True))
    spare = [a for a in ascii_lowercase if a not in singles and a not in "".join(pairs)]
    pieces = draw.shuffled(
        [*rules, *(draw.pick(spare) + draw.pick(spare) for _ in range(slot.difficulty + 1))]
    )
    stated = ", ".join(f"{old} becomes {rules[old]}" for old in draw.shuffled(list(rules)))
    return Item(
        input=f"Rules: {stated}. All other letters stay as they are.\nWord: {''.join(pieces)}\n"
        "Question: What does the word become?\nAnswer:",
        target=f" {''.join(rules.get(piece, piece) for piece in pieces)}",
        slices={"rules": str(len(rules))},
    )


def _language(draw: Draw, slot: Slot) -> Item:
    """A sentence of an invented language. Band k needs k rules of grammar beside the dictionary."""
    vocabulary = (*draw.some(_AGENTS, 4), *draw.some(_VERBS, 3), *draw.some(_QUALITIES, 2))
    foreign = _foreign(draw, len(vocabulary) + 3)
    dictionary = dict(zip(vocabulary, foreign, strict=False))
    plural, past, negative = foreign[-3:]
    subject, thing = vocabulary[:2]
    verb, quality = vocabulary[4], vocabulary[7]
    grammar = draw.shuffled(("order", "plural", "past", "negation", "quality"))[: slot.difficulty]
    rules = []
    if "order" in grammar:
        rules.append("The verb stands at the end of the sentence.")
    if "plural" in grammar:
        rules.append(f"For more than one, put -{plural} at the end of the noun.")
    if "past" in grammar:
        rules.append(f"For the past, put -{past} at the end of the verb.")
    if "negation" in grammar:
        rules.append(f"To deny a sentence, put the word {negative} before its first word.")
    if "quality" in grammar:
        rules.append("An adjective stands after its noun.")
    verb_word = dictionary[verb] + (past if "past" in grammar else "")
    subject_words = [dictionary[subject] + (plural if "plural" in grammar else "")]
    if "quality" in grammar:
        subject_words.append(dictionary[quality])
    middle = [dictionary[thing], verb_word] if "order" in grammar else [verb_word, dictionary[thing]]
    words = [negative] * ("negation" in grammar) + subject_words + middle
    listed = ", ".join(f"{word} = {dictionary[word]}" for word in draw.shuffled(vocabulary))
    return Item(
        input=f"Dictionary of a language: {listed}. There is no word for the.\n"
        f"Grammar: {' '.join(rules)} Otherwise the order of the words is as in English.\n"
        f"English: {_english(subject, verb, thing, quality, grammar)}\nTranslation:",
        target=f" {' '.join(words)}",
        slices={"rules": str(len(rules)), "grammar": "+".join(sorted(grammar))},
    )


def _english(subject: str, verb: str, thing: str, quality: str, grammar: list[str]) -> str:
    many = "plural" in grammar
    noun = _PLURALS.get(subject, f"{subject}s") if many else subject
    who = f"the {quality} {noun}" if "quality" in grammar else f"the {noun}"
    past = "found" if verb == "find" else f"{verb[:-1]}ied" if verb.endswith("y") else f"{verb}ed"
    third = f"{verb[:-1]}ies" if verb.endswith("y") else f"{verb}es" if verb.endswith("h") else f"{verb}s"
    match "past" in grammar, "negation" in grammar:
        case True, True:
            does = f"did not {verb}"
        case True, False:
            does = past
        case False, True:
            does = f"{'do' if many else 'does'} not {verb}"
        case _:
            does = verb if many else third
    return f"{who} {does} the {thing}"


def _foreign(draw: Draw, n: int) -> list[str]:
    """Invented words of two syllables, no two of which begin alike."""
    starts = draw.some([onset + vowel for onset in _ONSETS for vowel in _VOWELS], n)
    return [start + draw.pick(_ONSETS) + draw.pick(_VOWELS) for start in starts]


PLAN = Plan(
    name="cipher",
    description="Translation by rules that stand in the prompt: shifts, tables, transliteration, an invented "
    "language.",
    limits="Working on letters is hard for models that see tokens; a low score may be the tokenizer's. The "
    "invented "
    "languages are regular, as no real one is.",
    recipes=(
        Recipe(
            name="shift",
            make=_shift,
            quantity="words",
            max_tokens=64,
            description="Undo a shift of the alphabet in one to five words.",
        ),
        Recipe(
            name="substitution",
            make=_substitution,
            quantity="words",
            max_tokens=64,
            description="Read one to five words by a table of signs.",
        ),
        Recipe(
            name="transliteration",
            make=_transliteration,
            quantity="rules",
            max_tokens=48,
            description="Apply two to six spelling rules to an invented word.",
        ),
        Recipe(
            name="language",
            make=_language,
            quantity="rules",
            description="Translate a sentence into an invented language by its dictionary and one to five "
            "rules of grammar.",
        ),
    ),
)
