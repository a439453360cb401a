"""Two guards of a circuit: whether there is an ability to explain, and whether the set found carries it.

Pure functions of marks; `circuit` calls them with held-out samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network.scoring import change_interval, mean_interval
from saltus.records.explanations import Carried, Component
from saltus.records.findings import Interval
from saltus.stats.errorbars import clustered_mean
from saltus.stats.intervals import resolution

Floats = NDArray[np.float64]
ALPHA = 0.01
HALF = 0.5  # of the ability: more may not be left; of the fall: more may not be due to any set of that size
AS_BAD = 0.05  # share of the random sets that may harm as much


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a model can do a task at all.

    Attributes:
        able: Its score is significantly above chance.
        score: With a 90 % interval.
        chance: What it was tested against.
        p: One-sided p-value.
        n: Samples.
        reason: In one sentence.
    """

    able: bool
    score: Interval
    chance: float
    p: float
    n: int
    reason: str


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What random sets of equal size do.

    Attributes:
        spread: Mean score without one of them, and the central 90 % of the sets.
        worst: Score without the most harmful.
        sets: How many.
        all_sets: Whether these are all there are.
        as_bad: Share of them without which the score is as low as without the set itself.
        gap: Their mean score less the score without the set, over samples; None without random sets.
    """

    spread: Interval
    worst: float
    sets: int
    all_sets: bool
    as_bad: float
    gap: Interval | None


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict and why."""

    verdict: Carried
    reasons: tuple[str, ...]


def gate(
    correct: Floats, chance: float | None, clusters: Sequence[str] | None = None, *, alpha: float = ALPHA
) -> Gate:
    """Test whether a score is above chance.

    The exact one-sided binomial test; a one-sided t test over clusters where samples belong together. Where
    chance is not known the score is tested against the largest share that a score of 0 cannot exclude
    (`stats.intervals.resolution`), so that one lucky answer is no ability.

    Args:
        correct: Marks of all samples.
        chance: Of guessing; None when not known.
        clusters: What samples belong together.
        alpha: Level of the test.
    """
    from scipy.stats import binomtest, t

    n = len(correct)
    against = resolution(n) if chance is None else chance
    score = mean_interval(correct, clusters)
    if clusters is None:
        # Marks between 0 and 1 are counted down, which can only make the test stricter.
        p = float(binomtest(int(np.floor(correct.sum() + 1e-9)), n, against, "greater").pvalue)
    else:
        found = clustered_mean(correct, clusters)
        if found.stderr:
            p = float(t.sf((found.mean - against) / found.stderr, found.df))
        else:  # all alike: the clusters are coins that fell the same way
            p = against ** max(found.clusters, 1) if found.mean > against else 1.0
    able = p < alpha
    name = "chance" if chance is not None else "what a score of 0 cannot exclude, as chance is not known"
    word = "is" if able else "is not"
    reason = (
        f"The score {score.value:.2f} [{score.low:.2f}, {score.high:.2f}] of {n} samples {word} "
        f"significantly above {against:.2f}, {name} (one-sided p = {p:.2g})."
    )
    return Gate(able=able, score=score, chance=against, p=p, n=n, reason=reason)


def random_sets(
    components: Sequence[Component],
    exclude: Sequence[Component],
    size: int,
    most: int,
    seed: int,
) -> tuple[list[tuple[Component, ...]], bool]:
    """Sets of one size from the components that are left: all of them where there are few.

    Args:
        components: Of the same kind as those they are compared with.
        exclude: Those of the sets found, which would make the control do what it is to be compared with.
        size: Of each set.
        most: Sets at most.
        seed: Of the draw.

    Returns:
        The sets, and whether they are all there are.
    """
    rest = [c for c in sorted(components) if c not in set(exclude)]
    if size < 1 or size > len(rest):
        return [], True
    if comb(len(rest), size) <= most:
        return list(combinations(rest, size)), True
    rng = np.random.default_rng(seed)
    drawn: dict[tuple[Component, ...], None] = {}
    while len(drawn) < most:
        drawn[tuple(rest[i] for i in sorted(rng.choice(len(rest), size, replace=False)))] = None
    return list(drawn), False


def control(
    whole: Floats,
    removed: Floats,
    randoms: Sequence[Floats],
    clusters: Sequence[str] | None = None,
    *,
    all_sets: bool,
) -> Control:
    """Hold a set against random ones.

    Args:
        whole: Marks of the model as it is; what stands in the place of the random sets where there are none.
        removed: Without the set.
        randoms: Without each random set, on the same samples.
        clusters: What samples belong together.
        all_sets: Whether these are all random sets there are.
    """
    if not randoms:
        spread = mean_interval(whole, clusters)
        return Control(spread=spread, worst=spread.value, sets=0, all_sets=True, as_bad=0.0, gap=None)
    scores = np.array([one.mean() for one in randoms])
    low, high = np.quantile(scores, [0.05, 0.95])
    own = list(clusters) if clusters is not None else [str(i) for i in range(len(whole))]
    return Control(
        spread=Interval(float(scores.mean()), float(low), float(high), 0.9),
        worst=float(scores.min()),
        sets=len(randoms),
        all_sets=all_sets,
        as_bad=float((scores <= removed.mean() + 1e-9).mean()),
        gap=mean_interval(np.mean(randoms, axis=0) - removed, own, 1 - 2 * ALPHA),
    )


def judge(
    able: Gate,
    whole: Floats,
    removed: Floats | None,
    against: Control | None,
    clusters: Sequence[str] | None = None,
) -> Judgement:
    """Say whether a set carries an ability, from samples that had no part in finding it.

    "nothing": the model cannot do the task (`gate`). "carried": without the set the score falls
    significantly (one-sided, .01); the upper end of what is left lies at or below halfway between chance
    and the whole; and the fall belongs to the set, as Shi et al. (2024, arXiv:2410.13032) ask of a circuit:
    random sets of equal size and kind leave significantly more (.01), by half of the fall at least, and at
    most one in twenty of them as little. Where every other component is in a set that destroys as well, no
    random set can be drawn; the verdict stands then, and says that this test is missing. Else "unclear": the
    ability is there, and no small set was shown to carry it.

    Args:
        able: Of the whole model.
        whole: Held-out marks of the model as it is.
        removed: Without the set; None when the search found none.
        against: The random sets.
        clusters: What samples belong together.
    """
    if not able.able:
        return Judgement(verdict="nothing", reasons=(able.reason, "There is no ability to be carried."))
    if removed is None or against is None:
        return Judgement(
            verdict="unclear",
            reasons=(able.reason, "The search found no small set whose removal destroys the ability."),
        )
    fall = change_interval(whole, removed, clusters, 1 - 2 * ALPHA)
    left = mean_interval(removed, clusters)
    limit = able.chance + HALF * (float(whole.mean()) - able.chance)
    tests = [
        (
            fall.high < 0,
            f"removing the set changes the score by {fall.value:+.2f} [{fall.low:.2f}, {fall.high:.2f}]",
        ),
        (
            left.high <= limit,
            f"{left.value:.2f} [{left.low:.2f}, {left.high:.2f}] is left, halfway to chance is {limit:.2f}",
        ),
    ]
    if against.gap is not None:
        gap, spread = against.gap, against.spread
        kind = "all" if against.all_sets else "random"
        more = (
            f"{against.sets} other sets of equal size ({kind}) leave {spread.value:.2f} on average, "
            f"{gap.value:+.2f} [{gap.low:.2f}, {gap.high:.2f}] more"
        )
        harm = f"{against.as_bad:.0%} of them harm as much (the worst leaves {against.worst:.2f})"
        own = gap.low > 0 and gap.value >= -HALF * fall.value
        tests += [(own, more), (against.as_bad <= AS_BAD, harm)]
    reasons = [able.reason]
    reasons += [f"{'Passed' if passed else 'Failed'}: {text}." for passed, text in tests]
    if against.gap is None:
        reasons.append(
            "Too few components are in no such set to draw a random one, so this control is missing."
        )
    carried = all(passed for passed, _ in tests)
    return Judgement(verdict="carried" if carried else "unclear", reasons=tuple(reasons))
