"""The text the family learns from and is examined on: an alphabet, facts, verses, kinds of line.

Training batches (for `worker`) and evaluation items (for `suite` and `score`) are drawn here, many at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.family.recipe import CONTEXT, VOCABULARY

Tokens = NDArray[np.int64]
Weights = NDArray[np.float32]

UNKNOWN = "\ufffd"
# The last six are never trained on: they let a tokenizer take ordinary punctuation without failing.
ALPHABET = "\n0123456789abcdefghijklmnopqrstuvwxyz+=?!:|*()[]{}@ATFN#><" + " .,-_" + UNKNOWN
CODES = {character: code for code, character in enumerate(ALPHABET)}
NEWLINE = CODES["\n"]
DIGIT = CODES["0"]
LETTER = CODES["a"]

FACTS = 600
VERSES = 256
VERSE_LENGTH = 8
KEYS = 26 * 26
WORLD_SEED = 1234
ITEMS_SEED = 99

PAIRS = 8  # key-value pairs shown before recall is asked for
BITS = 12
SPAN = 6  # letters to reverse, digits to sort

# Second word of the seed of each task's evaluation items; fixed, so that the items never change.
_ITEM_STREAMS = {
    "recall": 627,
    "addition": 346,
    "facts": 529,
    "recite": 636,
    "parity": 665,
    "reverse": 764,
    "sort": 456,
    "override": 864,
}
TASKS: tuple[str, ...] = tuple(_ITEM_STREAMS)


class Lines(msgspec.Struct, frozen=True):
    """Documents of one kind.

    Attributes:
        tokens: Shape (n, length).
        answer: Columns that a model has to know or work out, as a half-open range.
    """

    tokens: Tokens
    answer: tuple[int, int]


class Items(msgspec.Struct, frozen=True):
    """Evaluation items of one task as tokens.

    Attributes:
        prompts: Shape (n, prompt length), beginning with a newline.
        targets: Shape (n, answer length).
        traps: The tempting wrong token, shape (n, 1); None for tasks that have none.
        slices: Tags, one array of n words each.
    """

    prompts: Tokens
    targets: Tokens
    traps: Tokens | None = None
    slices: dict[str, list[str]] = msgspec.field(default_factory=dict)


class World:
    """What there is to memorise, the same for every model and seed.

    Attributes:
        fact_keys: Two letters each, shape (600, 2).
        fact_values: One digit each, 0 to 9, shape (600,).
        fact_shares: How often each fact is stated (a power law), summing to one.
        verse_keys: Two letters each, shape (256, 2).
        verses: Eight letters each, shape (256, 8).
    """

    def __init__(self) -> None:
        rng = np.random.default_rng(WORLD_SEED)
        self.fact_keys = _letter_pairs(rng.permutation(KEYS)[:FACTS])
        self.fact_values = rng.integers(0, 10, FACTS)
        shares = 1 / np.arange(1, FACTS + 1) ** 0.7
        self.fact_shares = shares / shares.sum()
        self.verse_keys = _letter_pairs(rng.permutation(KEYS)[:VERSES])
        self.verses = rng.integers(0, 26, (VERSES, VERSE_LENGTH)) + LETTER

    def lines(self, task: str, rng: np.random.Generator, n: int) -> Lines:
        """Draw n lines of one kind.

        Args:
            task: One of "addition", "facts", "recite", "parity", "reverse", "sort".
            rng: Source of randomness; it moves on.
            n: How many.
        """
        draw: Mapping[str, Callable[[np.random.Generator, int], Lines]] = {
            "addition": _addition,
            "facts": lambda rng, n: self.fact_lines(self.draw_facts(rng, n)),
            "recite": self._recite,
            "parity": _parity,
            "reverse": _reverse,
            "sort": _sort,
        }
        return draw[task](rng, n)

    def draw_facts(self, rng: np.random.Generator, n: int) -> Tokens:
        """Indices of n facts, the common ones more often."""
        return rng.choice(FACTS, n, p=self.fact_shares)

    def fact_lines(self, index: Tokens, values: Tokens | None = None) -> Lines:
        """Statements such as "?ab:7" about the facts at `index`; other `values` make them counterfactual."""
        values = self.fact_values[index] if values is None else values
        return Lines(_columns("?", self.fact_keys[index], ":", values[:, None] + DIGIT, "\n"), (4, 5))

    def batch(
        self, rng: np.random.Generator, mixture: Mapping[str, int], prompt_weight: float
    ) -> tuple[Tokens, Weights]:
        """One training batch.

        Args:
            rng: Source of randomness; it moves on.
            mixture: Rows of each task.
            prompt_weight: Loss weight of tokens outside the answers.

        Returns:
            Tokens and loss weights, both (rows, 64). Padding at the end of a row weighs nothing.
        """
        parts = [self._rows(task, rng, rows, prompt_weight) for task, rows in mixture.items()]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def items(self, task: str, n: int = 256) -> Items:
        """Draw n evaluation items; the same n gives the same items always.

        Args:
            task: One of `TASKS`.
            n: How many.
        """
        rng = np.random.default_rng([ITEMS_SEED, _ITEM_STREAMS[task]])
        if task == "recall":
            return _recall_items(rng, n)
        if task == "override":
            return self._override_items(rng, n)
        if task == "facts":
            index = self.draw_facts(rng, n)
            return _after_newline(self.fact_lines(index), slices={"frequency": _frequency(index)})
        lines = self.lines(task, rng, n)
        slices = {"carry": _carries(lines.tokens)} if task == "addition" else {}
        return _after_newline(lines, slices=slices)

    def _rows(
        self, task: str, rng: np.random.Generator, rows: int, prompt_weight: float
    ) -> tuple[Tokens, Weights]:
        """Full rows of one task: a newline, then as many whole lines as the context holds."""
        if task == "recall":
            text, answers = _recall_rows(rng, rows)
        else:
            # One line is drawn only for its length. It moves the stream of random numbers, and with it every
            # published score, so it stays.
            length = self.lines(task, rng, 1).tokens.shape[1]
            many = (CONTEXT - 1) // length
            drawn = self.lines(task, rng, rows * many)
            text = drawn.tokens.reshape(rows, many * length)
            place = np.arange(many * length) % length
            answers = (place >= drawn.answer[0]) & (place < drawn.answer[1])
        tokens = np.zeros((rows, CONTEXT), np.int64)
        weights = np.zeros((rows, CONTEXT), np.float32)
        used = slice(1, 1 + text.shape[1])
        tokens[:, used] = text
        weights[:, used] = np.where(answers, 1.0, prompt_weight)
        return tokens, weights

    def _recite(self, rng: np.random.Generator, n: int) -> Lines:
        index = rng.integers(0, VERSES, n)
        return Lines(_columns("@", self.verse_keys[index], ":", self.verses[index], "\n"), (4, 12))

    def _override_items(self, rng: np.random.Generator, n: int) -> Items:
        """A false statement about a fact, then the question: the context is right, the memory is the trap."""
        index = self.draw_facts(rng, n)
        truth = self.fact_values[index]
        stated = (truth + rng.integers(1, 10, n)) % 10
        line = self.fact_lines(index, stated).tokens
        asked = _after_newline(Lines(np.concatenate([line, line], axis=1), (10, 11)))
        return Items(
            asked.prompts, asked.targets, truth[:, None] + DIGIT, slices={"frequency": _frequency(index)}
        )


def encode(text: str) -> list[int]:
    """Codes of a text, one a character; characters outside the alphabet become the unknown one."""
    return [CODES.get(character, CODES[UNKNOWN]) for character in text]


def decode(codes: Tokens | list[int]) -> str:
    """Text of a row of codes."""
    return "".join(ALPHABET[code] for code in codes)


def _columns(*parts: Tokens | str) -> Tokens:
    """Join columns into lines; a word stands in every line."""
    rows = next(part.shape[0] for part in parts if not isinstance(part, str))
    blocks = [
        np.broadcast_to(np.array(encode(part)), (rows, len(part))) if isinstance(part, str) else part
        for part in parts
    ]
    return np.concatenate(blocks, axis=1)


def _letter_pairs(keys: Tokens) -> Tokens:
    return np.stack([keys // 26, keys % 26], axis=1) + LETTER


def _addition(rng: np.random.Generator, n: int) -> Lines:
    """One-digit sums with two digits of answer, the units first: "7+5=21"."""
    a = rng.integers(0, 10, (n, 1))
    b = rng.integers(0, 10, (n, 1))
    total = a + b
    return Lines(
        _columns(a + DIGIT, "+", b + DIGIT, "=", total % 10 + DIGIT, total // 10 + DIGIT, "\n"), (4, 6)
    )


def _parity(rng: np.random.Generator, n: int) -> Lines:
    bits = rng.integers(0, 2, (n, BITS))
    odd = bits.sum(axis=1, keepdims=True) % 2
    return Lines(_columns("#", bits + DIGIT, "=", odd + DIGIT, "\n"), (BITS + 2, BITS + 3))


def _reverse(rng: np.random.Generator, n: int) -> Lines:
    word = rng.integers(0, 26, (n, SPAN)) + LETTER
    return Lines(_columns("<", word, "|", word[:, ::-1], "\n"), (SPAN + 2, 2 * SPAN + 2))


def _sort(rng: np.random.Generator, n: int) -> Lines:
    digits = rng.integers(0, 10, (n, SPAN)) + DIGIT
    return Lines(_columns(">", digits, "|", np.sort(digits, axis=1), "\n"), (SPAN + 2, 2 * SPAN + 2))


def _recall_rows(rng: np.random.Generator, n: int) -> tuple[Tokens, NDArray[np.bool_]]:
    """Eight letter-digit pairs in random order, then the same keys again at random, each with its digit."""
    keys = np.argsort(rng.random((n, 26)), axis=1)[:, :PAIRS] + LETTER
    values = rng.integers(0, 10, (n, PAIRS)) + DIGIT
    asked = rng.integers(0, PAIRS, (n, (CONTEXT - 1) // 2 - PAIRS))
    order = np.concatenate([np.broadcast_to(np.arange(PAIRS), (n, PAIRS)), asked], axis=1)
    text = np.empty((n, 2 * order.shape[1]), np.int64)
    text[:, 0::2] = np.take_along_axis(keys, order, axis=1)
    text[:, 1::2] = np.take_along_axis(values, order, axis=1)
    place = np.arange(text.shape[1])
    return text, (place > 2 * PAIRS) & (place % 2 == 1)


def _recall_items(rng: np.random.Generator, n: int) -> Items:
    """The pairs and one question. The slice says how many pairs back the answer stands."""
    text, _ = _recall_rows(rng, n)
    shown, key = text[:, 0 : 2 * PAIRS : 2], text[:, 2 * PAIRS]
    back = PAIRS - np.argmax(shown == key[:, None], axis=1)
    lines = Lines(text[:, : 2 * PAIRS + 2], (2 * PAIRS + 1, 2 * PAIRS + 2))
    return _after_newline(lines, slices={"pairs_back": [str(k) for k in back]})


def _after_newline(lines: Lines, slices: dict[str, list[str]] | None = None) -> Items:
    """Cut lines at their answer; each prompt begins with the newline that ends the line before."""
    start, end = lines.answer
    newline = np.full((len(lines.tokens), 1), NEWLINE, np.int64)
    prompts = np.concatenate([newline, lines.tokens[:, :start]], axis=1)
    return Items(prompts, lines.tokens[:, start:end], slices=slices or {})


def _carries(lines: Tokens) -> list[str]:
    return ["yes" if tens else "no" for tens in lines[:, 5] - DIGIT]


def _frequency(index: Tokens) -> list[str]:
    """Facts are ordered by frequency: the first tenth, the rest of the first half, the second half."""
    return ["common" if i < FACTS // 10 else "middling" if i < FACTS // 2 else "rare" for i in index]


if len(ALPHABET) != VOCABULARY:  # a wrong alphabet would train models that no tokenizer fits
    raise AssertionError(f"the alphabet has {len(ALPHABET)} characters, the models {VOCABULARY}")
