"""Search for the parts that an ability hangs on: smallest sets that destroy it, smallest set that keeps it.

Knows no model: it asks `Trials` what is left when a set is taken out. `circuit` gives it half of the prompts
and tests what it found on the other half.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.records.explanations import Component

Floats = NDArray[np.float64]
Set = frozenset[Component]
Score = Callable[[Set], tuple[Floats, Floats]]
"""Marks and log-probabilities, one a sample, of the model without these components."""
Screen = Callable[[Set], dict[Component, float]]
"""Guess, without a pass for each, how much each component matters once these are out; larger is more."""
Collateral = Callable[[Set], float]
"""Mean share of their ability that other tasks lose without these components."""


_ALIKE = 0.02  # scores and costs that differ by less count as equal
_JOINING = 2  # further members of a destroying set
_COMPARED = 8  # destroying sets of one size whose cost for other tasks is compared


class SearchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to search.

    Attributes:
        destroyed: An ability is destroyed when at most this share of the score above chance is left.
        kept: A set keeps an ability when at least this share of the score above chance is left with
            everything else out.
        largest: Most components of a set whose removal destroys; half of them when None.
        chain: Most such sets, each made of components that are in none before.
        joins: Level at which the score has to fall for a further member to join a destroying set.
        exhaustive: All sets of one size are tried where there are at most so many, else a beam is grown.
        beam: Sets that are grown further.
        screened: Components tried as the next member where there are more: the best guesses of the screen.
        passes: Most evaluations of the search prompts in all.
    """

    destroyed: float = 0.1
    kept: float = 0.9
    largest: int | None = None
    chain: int = 4
    joins: float = 0.01
    exhaustive: int = 60
    beam: int = 3
    screened: int = 16
    passes: int = 600


class Trials:
    """What is left of an ability without a set, each set measured once.

    Args:
        score: Measures one set; the empty one gives the whole model.
        chance: Of guessing.
        passes: Most measurements.
        progress: Called after each one with how many were made.

    Attributes:
        chance: Of guessing.
        spent: Measurements made.
    """

    def __init__(
        self,
        score: Score,
        chance: float,
        passes: int = 10_000,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._score, self._passes, self._progress = score, passes, progress
        self.chance = chance
        self._known: dict[Set, tuple[float, float]] = {}
        self._marks: dict[Set, Floats] = {}
        self.spent = 0
        self._whole = self._means(frozenset())

    @property
    def exhausted(self) -> bool:
        """Whether the measurements are used up."""
        return self.spent >= self._passes

    def score(self, out: Iterable[Component] = ()) -> float:
        """Score without a set."""
        return self._means(frozenset(out))[0]

    def left(self, out: Iterable[Component], floor: float | None = None) -> float:
        """Share of the ability that is left: 1 is all of it, 0 the floor, which is chance when None."""
        floor = self.chance if floor is None else floor
        return (self.score(out) - floor) / max(self._whole[0] - floor, 1e-9)

    def rank(self, out: Iterable[Component]) -> tuple[float, float, tuple[Component, ...]]:
        """Sorts the most harmful set first: by the score in steps of .02, then by log-probability."""
        out = frozenset(out)
        score, logprob = self._means(out)
        return round(score * 50), round(logprob, 6), tuple(sorted(out))

    def falls(self, out: Iterable[Component], further: Iterable[Component]) -> float:
        """P-value of the score falling when further components are out too: the sign test over samples."""
        from scipy.stats import binomtest

        before, after = frozenset(out), frozenset(further)
        self._means(before), self._means(after)
        gap = self._marks[after] - self._marks[before]
        lost, won = int((gap < 0).sum()), int((gap > 0).sum())
        return float(binomtest(lost, lost + won, 0.5, "greater").pvalue) if lost + won else 1.0

    def _means(self, out: Set) -> tuple[float, float]:
        if out not in self._known:
            correct, logprob = self._score(out)
            self._known[out] = float(correct.mean()), float(logprob.mean())
            self._marks[out] = correct
            self.spent += 1
            if self._progress:
                self._progress(self.spent)
        return self._known[out]


def destroying_sets(
    trials: Trials,
    components: Sequence[Component],
    settings: SearchSettings | None = None,
    *,
    screen: Screen | None = None,
    collateral: Collateral | None = None,
) -> tuple[tuple[Component, ...], ...]:
    """Smallest sets each of which destroys the ability when it is taken out.

    Components that stand in for each other hide one another from single ablations (McGrath et al. 2023), so
    sets grow by joint measurement: all sets of a size where there are few, else a beam whose members are
    extended by what matters *once they are out*. The first set is the smallest found; the next is the
    smallest among components that are in no set before, and so on. Within a set members stand in for each
    other, the sets work in series.

    Args:
        trials: What is left without a set.
        components: Of one kind.
        settings: How to search.
        screen: Needed only where there are more components than `settings.screened`; all are tried without.
        collateral: Among destroying sets of one size those come first that cost other tasks less.

    Returns:
        The sets, members by harm, most harmful first; none when not even all components together destroy.
    """
    settings = settings or SearchSettings()
    pool = sorted(components)
    if not pool:
        return ()
    goal = Goal(trials, trials.chance, settings.destroyed, 0.1)
    if not goal.reached(pool):
        return ()
    largest = settings.largest or max(1, len(pool) // 2)
    found: list[tuple[Component, ...]] = []
    while pool and len(found) < settings.chain and not trials.exhausted:
        one = _smallest(goal, pool, min(largest, len(pool)), settings, screen, collateral)
        if one is None or (len(found) > 1 and len(pool) - len(one) < max(map(len, found))):
            break  # nothing small is left, or too little would be left to draw a random set from
        found.append(_by_harm(trials, one))
        pool = [c for c in pool if c not in one]
        largest = min(largest, len(one) + 1)
    return tuple(found)


def grown_set(
    trials: Trials,
    found: Sequence[Component],
    components: Sequence[Component],
    settings: SearchSettings | None = None,
    *,
    screen: Screen | None = None,
    collateral: Collateral | None = None,
) -> tuple[Component, ...]:
    """A destroying set with further members that bring the rest of the score down to its floor.

    Guessing among what a prompt shows can still score at chance; what does that may be a backup at work.
    Members join one at a time, the one that leaves least, while the score falls significantly (sign test,
    `settings.joins`); of those that leave about as little, the one that costs other tasks least.

    Args:
        trials: What is left without a set.
        found: The set, which destroys.
        components: That may join it, of its kind.
        settings: How to search; at most two join.
        screen: As for `destroying_sets`.
        collateral: Likewise.

    Returns:
        The set with those that joined.
    """
    settings = settings or SearchSettings()
    out, pool = frozenset(found), sorted(set(components) - set(found))
    if not pool:
        return tuple(found)
    floor = min(trials.score([*out, *pool]), trials.chance)
    cost = collateral if collateral is not None else (lambda one: 0.0)
    for _ in range(_JOINING):
        rest = [one for one in pool if one not in out]
        if not rest or trials.exhausted or trials.left(out, floor) <= 0:
            break
        if screen is not None and len(rest) > settings.screened:
            guess = screen(out)
            rest = sorted(rest, key=lambda one: (-guess.get(one, 0.0), one))[: settings.screened]
        grown = _within(trials, [out | {one} for one in rest])
        if not grown:
            break
        least = min(trials.score(one) for one in grown)
        near = [one for one in grown if trials.score(one) <= least + _ALIKE]
        best = min(near, key=lambda one: (round(cost(one) / _ALIKE), trials.rank(one)))
        if trials.falls(out, best) > settings.joins:
            break
        out = best
    return _by_harm(trials, out)


def keeping_set(
    trials: Trials,
    components: Sequence[Component],
    locked: Iterable[Component] = (),
    settings: SearchSettings | None = None,
    *,
    order: dict[Component, float] | None = None,
) -> tuple[Component, ...]:
    """A small set that keeps the ability while everything else is taken out, none of which can be spared.

    Components are taken out for good, least important first, halves before single ones (group testing), and
    again until no single one can follow: the result is minimal by inclusion, like that of automatic circuit
    discovery (Conmy et al. 2023), on nodes. Several orders are tried, the smallest result counts.

    Args:
        trials: What is left without a set.
        components: All there are.
        locked: Stay in.
        settings: How to search.
        order: Importance of each, the less the sooner out; by single ablation when None.

    Returns:
        The set, in order of the layers; all components when nothing can be spared.
    """
    settings = settings or SearchSettings()
    stay = frozenset(locked)
    free = sorted(c for c in components if c not in stay)
    harm = order or {c: 1 - trials.left([c]) for c in free}
    orders = [
        sorted(free, key=lambda c: (harm.get(c, 0.0), c)),
        sorted(free, key=lambda c: (-c.layer, harm.get(c, 0.0), c)),  # from the output back
    ]
    best: Set | None = None
    for queue in orders:
        out = _eliminate(trials, queue, frozenset(), settings.kept)
        while True:
            more = _eliminate(trials, [c for c in queue if c not in out], out, settings.kept)
            if more == out:
                break
            out = more
        best = out if best is None or len(out) > len(best) else best
        if trials.exhausted:
            break
    return tuple(sorted(c for c in components if c not in (best or frozenset())))


class Goal(NamedTuple):
    """When an ability counts as destroyed."""

    trials: Trials
    floor: float
    share: float
    step: float  # costs for other tasks that differ by less count as equal

    def reached(self, out: Iterable[Component]) -> bool:
        """Whether taking this out leaves no more than the share."""
        return self.trials.left(out, self.floor) <= self.share


def _smallest(
    goal: Goal,
    pool: Sequence[Component],
    largest: int,
    settings: SearchSettings,
    screen: Screen | None,
    collateral: Collateral | None,
    start: Set = frozenset(),
) -> Set | None:
    trials = goal.trials
    frontier: list[Set] = [start]
    for size in range(1, largest + 1):
        ranked = sorted(_grown(trials, frontier, pool, size, settings, screen, start), key=trials.rank)
        hits = list(dict.fromkeys(_pruned(goal, one, start) for one in ranked if goal.reached(one)))[
            :_COMPARED
        ]
        if hits and collateral is not None:
            return min(hits, key=lambda one: (round(collateral(one) / goal.step), trials.rank(one)))
        if hits:
            return hits[0]
        if trials.exhausted:
            break
        frontier = ranked[: settings.beam]
    return None


def _grown(
    trials: Trials,
    frontier: Sequence[Set],
    pool: Sequence[Component],
    size: int,
    settings: SearchSettings,
    screen: Screen | None,
    start: Set,
) -> list[Set]:
    """The sets of one size to measure."""
    if math.comb(len(pool), size) <= settings.exhaustive:
        return _within(trials, [start.union(one) for one in combinations(pool, size)])
    sets: dict[Set, None] = {}
    for one in frontier:
        rest = [c for c in pool if c not in one]
        if screen is not None and len(rest) > settings.screened:
            guess = screen(one)
            rest = sorted(rest, key=lambda c: (-guess.get(c, 0.0), c))[: settings.screened]
        sets.update(dict.fromkeys(one | {c} for c in rest))
    return _within(trials, list(sets))


def _within(trials: Trials, sets: list[Set]) -> list[Set]:
    """Measure sets while measurements are left; those that were."""
    done = []
    for one in sets:
        if trials.exhausted:
            break
        trials.left(one)
        done.append(one)
    return done


def _by_harm(trials: Trials, found: Set) -> tuple[Component, ...]:
    return tuple(sorted(found, key=lambda c: trials.rank([c])))


def _pruned(goal: Goal, found: Set, start: Set) -> Set:
    """Without members that are not needed to reach the goal."""
    for one in sorted(found - start):
        fewer = found - {one}
        if fewer and goal.reached(fewer):
            found = fewer
    return found


def _eliminate(trials: Trials, queue: Sequence[Component], out: Set, kept: float) -> Set:
    """Take out what can be spared, in halves."""
    if not queue or trials.exhausted:
        return out
    if trials.left(out | set(queue)) >= kept:
        return out | set(queue)
    if len(queue) == 1:
        return out
    middle = (len(queue) + 1) // 2
    out = _eliminate(trials, queue[:middle], out, kept)
    return _eliminate(trials, queue[middle:], out, kept)
