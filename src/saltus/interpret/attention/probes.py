"""Token sequences made up to find out what heads attend to: random tokens that recur at many distances.

`saltus.interpret.attention.heads` runs them. They ask nothing of a model but to read, and belong to no task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import InputError

if TYPE_CHECKING:
    from saltus.models.encoding import Encoder

Ints = NDArray[np.int64]

_SEGMENTS = (5, 48)  # shortest and longest, tokens: in shorter ones uniform attention is no longer small
_PAIRS = (3, 16)
_LENGTHS = 4
_LONGEST_RANDOM = 256
_LEAST = 8  # tokens of a vocabulary
_WORDS = 4096
_LOOKED_UP = 0.9  # share of a task's prompts that have to be of the form of a lookup


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """What probes are made of.

    Attributes:
        tokens: That may recur: words, or the keys of pairs.
        values: That stand behind keys; empty where any token may stand behind any.
        shown: Fewest pairs that the model is used to see before it is asked.
        start: Put in front of every row, such as BOS.
    """

    tokens: tuple[int, ...]
    values: tuple[int, ...] = ()
    shown: int = 3
    start: tuple[int, ...] = ()


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Sequences in which tokens occur twice, in every row at other distances.

    Attributes:
        length: Tokens of the segment that is repeated, or pairs of key and value that are shown.
        tokens: Rows x length.
        queries: Places of second occurrences, rows x many.
        earlier: Places of the first occurrence of the same tokens, rows x many.
        start: Tokens at the beginning that stand in front of every text.
    """

    length: int
    tokens: Ints
    queries: Ints
    earlier: Ints
    start: int


class Probes(msgspec.Struct, frozen=True, kw_only=True):
    """Repeats of several lengths, and sequences in which nothing recurs at a fixed distance.

    Attributes:
        vocabulary: What they are made of.
        repeats: One for each length, short ones first.
        random: Independent tokens, rows x length. A head that attends at one distance here does not look at
            the content.
        seed: Of the tokens.
    """

    vocabulary: Vocabulary
    repeats: tuple[Probe, ...]
    random: Ints
    seed: int

    @property
    def start(self) -> int:
        """Tokens at the beginning that stand in front of every text."""
        return len(self.vocabulary.start)

    @property
    def stride(self) -> int:
        """Every how many tokens one stands that may recur."""
        return 2 if self.vocabulary.values else 1

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of the repeats."""
        return tuple(one.length for one in self.repeats)


def make_probes(
    vocabulary: Vocabulary,
    *,
    context: int,
    lengths: Sequence[int] | None = None,
    rows: int = 8,
    seed: int = 0,
) -> Probes:
    """Draw probes.

    Without values a row is some tokens, a segment, some tokens, and the segment again; how many stand between
    differs from row to row, and all tokens but those of the second segment differ. With values a row is pairs
    of a key and a value, then the same keys in another order, each again with its value.

    Args:
        vocabulary: Tokens to draw from, as `probe_vocabulary` finds them.
        context: Most tokens that the model reads.
        lengths: Tokens of the segments, or pairs; when None four from 5 to 48 tokens, or from the fewest
            pairs to 16, or to what fits.
        rows: Of each length.
        seed: Of the tokens.

    Raises:
        InputError: The vocabulary or the context is too small for these lengths, or for three of them.
    """
    known = np.unique(np.asarray(vocabulary.tokens, np.int64))
    values = np.unique(np.asarray(vocabulary.values, np.int64))
    paired, room = len(values) > 0, context - len(vocabulary.start)
    lengths = sorted(set(lengths)) if lengths else _lengths(vocabulary, len(known), room)
    for length in lengths:
        if length < 2 or not _fits(paired, length, len(known), room):
            raise InputError(
                f"a probe of length {length} does not fit {len(known)} different tokens and a context of "
                f"{context}; give shorter lengths",
                field="lengths",
            )
    rng = np.random.default_rng([seed, 17])
    front = np.broadcast_to(np.asarray(vocabulary.start, np.int64), (rows, len(vocabulary.start)))
    random = rng.choice(known, (rows, min(room, _LONGEST_RANDOM, 3 * max(lengths) * (2 if paired else 1))))
    if paired:
        random[:, 1::2] = rng.choice(values, random[:, 1::2].shape)
    draw = _pairs if paired else _segments
    return Probes(
        vocabulary=vocabulary,
        repeats=tuple(draw(rng, known, values, front, length) for length in lengths),
        random=np.concatenate([front, random], axis=1),
        seed=seed,
    )


def probe_vocabulary(encoder: Encoder, prompts: Prompts | None = None) -> Vocabulary:
    """What to make probes of, so that they look like what the model knows.

    The prompts of a task decide where they are lookups: the last token occurs once before, and behind that
    occurrence stands the answer. Asked tokens are then keys and answers values; where the two are of one
    kind, both together are words. A small model that learned to look digits up by letters does so in such
    pairs and nowhere else, and not before as many pairs as it was trained on.

    Otherwise words in small letters are taken, the first 4,096 of the vocabulary, which are mostly the
    commonest: rare tokens are often untrained. Where there are fewer than eight, any letters will do, and
    then any token that is not special.

    Args:
        encoder: Of the model.
        prompts: Of the task that is to be explained.

    Raises:
        InputError: The tokenizer has fewer than eight ordinary tokens.
    """
    start, _ = encoder.whole("")
    found = None if prompts is None else _looked_up(prompts, tuple(start))
    if found is not None:
        return found
    return Vocabulary(tokens=_words(encoder, set(start)), start=tuple(start))


def _looked_up(prompts: Prompts, start: tuple[int, ...]) -> Vocabulary | None:
    keys: set[int] = set()
    values: set[int] = set()
    lookups = 0
    right = np.flatnonzero(prompts.right)
    for row in right:
        last, tokens = int(prompts.starts[row]), prompts.tokens[row]
        before = np.flatnonzero(tokens[:last] == tokens[last])
        if len(before) == 1 and tokens[before[0] + 1] == prompts.answers[row, 0]:
            lookups += 1
            keys.add(int(tokens[last]))
            values.add(int(prompts.answers[row, 0]))
    if lookups < _LOOKED_UP * len(right) or len(keys) < _LEAST:
        return None
    if len(keys & values) > len(values) // 2:
        return Vocabulary(tokens=tuple(sorted(keys | values)), start=start)
    shown = max(_PAIRS[0], (int(prompts.starts.min()) - len(start)) // 2)
    return Vocabulary(
        tokens=tuple(sorted(keys - values)), values=tuple(sorted(values)), shown=shown, start=start
    )


def _words(encoder: Encoder, start: set[int]) -> tuple[int, ...]:
    small: list[int] = []
    letters: list[int] = []
    others: list[int] = []
    for ids, texts in encoder.ordinary():
        for one, text in zip(ids, texts, strict=True):
            word = text.strip()
            if not word or one in start:
                continue
            others.append(one)
            if word.isalpha():
                letters.append(one)
                if word.islower():
                    small.append(one)
        if len(small) >= _WORDS:
            break
    for found in (small, letters, others):
        if len(found) >= _LEAST:
            return tuple(found[:_WORDS])
    raise InputError(
        f"the tokenizer has fewer than {_LEAST} ordinary tokens, too few to probe heads with; give "
        "make_probes a vocabulary of your own",
        field="vocabulary",
    )


def _segments(rng: np.random.Generator, known: Ints, values: Ints, front: Ints, length: int) -> Probe:
    """Spare tokens stand before the first segment or between the two, in all proportions."""
    spare, rows = _spare(length), len(front)
    drawn = np.stack([rng.choice(known, length + spare, replace=False) for _ in range(rows)])
    between = rng.permutation(np.arange(rows) % (spare + 1))
    first = (spare - between)[:, None] + np.arange(length)
    tokens = np.concatenate([front, drawn, np.take_along_axis(drawn, first, axis=1)], axis=1)
    queries = np.broadcast_to(np.arange(tokens.shape[1] - length, tokens.shape[1]), (rows, length))
    return Probe(
        length=length, tokens=tokens, queries=queries, earlier=front.shape[1] + first, start=front.shape[1]
    )


def _pairs(rng: np.random.Generator, known: Ints, values: Ints, front: Ints, length: int) -> Probe:
    rows, start = len(front), front.shape[1]
    keys = np.stack([rng.choice(known, length, replace=False) for _ in range(rows)])
    held = rng.choice(values, (rows, length))
    order = rng.permuted(np.broadcast_to(np.arange(length), (rows, length)), axis=1)
    shown = np.stack([keys, held], axis=2)
    again = np.take_along_axis(shown, order[..., None], axis=1)
    tokens = np.concatenate([front, shown.reshape(rows, -1), again.reshape(rows, -1)], axis=1)
    queries = np.broadcast_to(start + 2 * (length + np.arange(length)), (rows, length))
    return Probe(length=length, tokens=tokens, queries=queries, earlier=start + 2 * order, start=start)


def _spare(length: int) -> int:
    """By how many tokens the distance varies: a third of the shortest one."""
    return max(1, length // 3)


def _fits(paired: bool, length: int, tokens: int, room: int) -> bool:
    if paired:
        return length <= tokens and 4 * length <= room
    return length + _spare(length) <= tokens and 2 * length + _spare(length) <= room


def _lengths(vocabulary: Vocabulary, tokens: int, room: int) -> list[int]:
    """Four lengths in equal ratios, so that no distance of one probe of segments occurs in another."""
    paired = bool(vocabulary.values)
    least, most = _PAIRS if paired else _SEGMENTS
    longest = max((n for n in range(least, most + 1) if _fits(paired, n, tokens, room)), default=0)
    if paired:
        least = max(least, min(vocabulary.shown, longest - 3))
    found = sorted({round(n) for n in np.geomspace(least, max(longest, least), _LENGTHS)})
    if longest < least or len(found) < 3:
        raise InputError(
            f"{tokens} different tokens and room for {room} do not hold probes of three lengths; give at "
            "least 9 tokens and a context of 20",
            field="vocabulary",
        )
    return found
