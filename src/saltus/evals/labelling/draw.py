"""Draws the items of a queue: the most borderline, the riskiest, and a random draw of all the rest.

The first two are taken whole, so each of their items had probability 1; each of the rest had the same known
probability. Together they are a stratified draw of the whole run, from which unbiased means follow.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from saltus.evals.labelling.signals import Candidate
from saltus.records.errors import UsageError

Part = Literal["borderline", "risk", "random"]
PARTS: tuple[Part, ...] = ("borderline", "risk", "random")
SHARES: dict[Part, float] = {"borderline": 0.4, "risk": 0.3, "random": 0.3}
_LEAST = 0.05  # a weaker signal is none


class Drawn(msgspec.Struct, frozen=True):
    """One response that was drawn.

    Attributes:
        candidate: Which.
        part: Why: borderline, risk or random.
        probability: With which it was drawn, given the parts.
        reason: In words.
    """

    candidate: Candidate
    part: Part
    probability: float
    reason: str


class Group(msgspec.Struct, frozen=True):
    """How many responses of one model and task stand in each part.

    Attributes:
        model: Id of the model.
        task: Name of the task.
        borderline: All were drawn.
        risk: All were drawn.
        random: The rest, of which some were drawn at random, or none.
    """

    model: str
    task: str
    borderline: int
    risk: int
    random: int


def draw(
    candidates: Sequence[Candidate], size: int, shares: Mapping[Part, float], rng: np.random.Generator
) -> tuple[list[Drawn], list[Group]]:
    """Draw the items of a queue, in an order that says nothing about why they were drawn.

    Args:
        candidates: All that may be drawn.
        size: How many.
        shares: Of each part. What borderline and risk do not fill goes to random, when that has a share.
        rng: Source of randomness; equal candidates are ordered by it.
    """
    waiting = [candidates[place] for place in rng.permutation(len(candidates))]
    size = min(size, len(waiting))
    total = sum(shares.values())
    found: list[Drawn] = []
    scores: dict[Part, Callable[[Candidate], tuple[float, str]]] = {
        "borderline": lambda one: (one.borderline, one.doubt),
        "risk": lambda one: (one.risk, one.danger),
    }
    for part, score in scores.items():
        top = _top(waiting, round(size * shares.get(part, 0.0) / total), score)
        taken = set(map(id, top))
        waiting = [one for one in waiting if id(one) not in taken]
        found += [Drawn(one, part, 1.0, score(one)[1]) for one in top]
    rest = size - len(found) if shares.get("random", 0.0) > 0 else 0
    # Drawn anew: among equals the first of the order above are taken, so what is left of it is not random.
    chosen = [waiting[place] for place in rng.permutation(len(waiting))[:rest]]
    found += [Drawn(one, "random", rest / len(waiting), "drawn at random") for one in chosen]
    groups = _groups(found, waiting)
    return [found[place] for place in rng.permutation(len(found))], groups


def read_shares(text: str) -> dict[Part, float]:
    """Read `borderline=0.4,risk=0.3,random=0.3`; a part without a number has its default share.

    Raises:
        UsageError: A part is unknown, or a share is no number above 0.

    Examples:
        >>> read_shares("borderline,random=0.5")
        {'borderline': 0.4, 'random': 0.5}
    """
    shares: dict[Part, float] = {}
    for word in text.split(","):
        name, sign, number = word.strip().partition("=")
        part = next((one for one in PARTS if one == name), None)
        if part is None:
            raise UsageError(
                f"no part of a queue is called {name!r}; there are {', '.join(PARTS)}", field="by"
            )
        try:
            shares[part] = float(number) if sign else SHARES[part]
        except ValueError:
            shares[part] = 0.0
        if not 0 < shares[part] < float("inf"):
            raise UsageError(
                f"the share in {word.strip()!r} is no number above 0; write {part}=0.5", field="by"
            )
    return shares


def _top(
    waiting: Sequence[Candidate], count: int, score: Callable[[Candidate], tuple[float, str]]
) -> list[Candidate]:
    """The highest, taken in turn from each model and task, so that none fills the queue."""
    groups: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for one in sorted(waiting, key=lambda one: -score(one)[0]):
        if score(one)[0] >= _LEAST:
            groups[one.model, one.task].append(one)
    ranked = [(rank, -score(one)[0], one) for group in groups.values() for rank, one in enumerate(group)]
    return [one for _, _, one in sorted(ranked, key=lambda entry: entry[:2])][:count]


def _groups(found: Sequence[Drawn], rest: Sequence[Candidate]) -> list[Group]:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for drawn in found:
        if drawn.part != "random":
            counts[drawn.candidate.model, drawn.candidate.task][drawn.part] += 1
    for one in rest:
        counts[one.model, one.task]["random"] += 1
    return [
        Group(model, task, count["borderline"], count["risk"], count["random"])
        for (model, task), count in sorted(counts.items())
    ]
