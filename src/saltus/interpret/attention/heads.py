"""What each head attends to: the previous token, an earlier occurrence, what followed it, a fixed distance.

Head scores are shares of attention on made-up sequences (`probes`) and on a task's prompts. They
are correlations: they name candidates, and only an intervention shows what carries an ability.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from saltus.interpret.attention.probes import Probes
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts
from saltus.records import INTERNALS
from saltus.records.errors import InputError, UsageError
from saltus.records.explanations import Component, Effect, Role
from saltus.records.findings import Interval

Floats = NDArray[np.float64]
ScoreName = Literal[
    "previous_token", "induction", "duplicate", "delimiter", "copying", "fixed_distance", "source"
]
THRESHOLD = 0.3
_ON_REPEATS: tuple[ScoreName, ...] = ("previous_token", "induction", "duplicate", "delimiter")
_ROLES: tuple[ScoreName, ...] = (
    "previous_token",
    "induction",
    "duplicate",
    "fixed_distance",
    "delimiter",
    "source",
)


class Shares(msgspec.Struct, frozen=True):
    """Mean shares with intervals, arrays of one shape.

    Attributes:
        value: Mean over sequences.
        low: Lower ends.
        high: Upper ends.
    """

    value: Floats
    low: Floats
    high: Floats


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of score of every head.

    Attributes:
        name: Which one.
        each: At every length of probe: lengths x layers x heads.
        mean: Over the lengths, each counted alike: layers x heads.
        lengths: Tokens of the repeated segments; of the longest sequence where nothing repeats.
        baselines: The same score of uniform attention, one a length; for copying, of a guess.
        n: Sequences.
        level: Of the intervals.
    """

    name: ScoreName
    each: Shares
    mean: Shares
    lengths: tuple[int, ...]
    baselines: tuple[float, ...]
    n: int
    level: float = 0.9

    @property
    def baseline(self) -> float:
        """Of uniform attention, over the lengths."""
        return float(np.mean(self.baselines))

    def of(self, head: Component) -> Interval:
        """The score of one head over all lengths."""
        place = (head.layer, head.index)
        value, low, high = (float(part[place]) for part in (self.mean.value, self.mean.low, self.mean.high))
        return Interval(value, low, high, self.level)


class HeadScores(msgspec.Struct, frozen=True, kw_only=True):
    """All scores of all heads of one model.

    Attributes:
        model: Its name.
        task: Whose prompts gave the source score, empty when there are none.
        scores: By name.
        distances: How many tokens back each head attends most where nothing repeats, layers x heads.
        seed: Of the probes.
    """

    model: str
    task: str
    scores: dict[str, Score]
    distances: NDArray[np.int64]
    seed: int

    def score(self, name: ScoreName) -> Score:
        """One kind of score.

        Raises:
            UsageError: It was not measured.
        """
        if name not in self.scores:
            mend = "; hand head_scores prompts of a task that marks sources" if name == "source" else ""
            raise UsageError(
                f"no score {name!r} was measured, there are {', '.join(self.scores)}{mend}", field="score"
            )
        return self.scores[name]

    def ranked(self, name: ScoreName) -> tuple[Component, ...]:
        """All heads, the one with the highest score first."""
        value = self.score(name).mean.value
        order = np.argsort(-value, axis=None, kind="stable")
        layers, heads = np.unravel_index(order, value.shape)
        return tuple(Component(int(i), int(j)) for i, j in zip(layers, heads, strict=True))

    def roles(self, threshold: float = THRESHOLD) -> tuple[Role, ...]:
        """What heads do, as far as it holds at every length of probe.

        A role is given where, at each length, the interval lies above the threshold and above twice the score
        of uniform attention. A head that attends at one distance passes at the one length where that distance
        leads to the right token, and at no other: it gets the role "fixed_distance" instead.

        Args:
            threshold: Least share of attention.
        """
        found = []
        for name in _ROLES:
            score = self.scores.get(name)
            if score is None:
                continue
            floor = np.maximum(threshold, 2 * np.array(score.baselines))[:, None, None]
            held = (score.each.low > floor).all(0)
            if name == "fixed_distance":
                held &= self.distances > 1  # the token itself and the one before it are no trap
            for head in self.ranked(score.name):
                if held[head.layer, head.index]:
                    found.append(
                        Role(
                            component=str(head),
                            role=name,
                            score=score.of(head),
                            baseline=score.baseline,
                            distance=self._distance(head) if name == "fixed_distance" else None,
                        )
                    )
        return tuple(found)

    def _distance(self, head: Component) -> int:
        return int(self.distances[head.layer, head.index])


def head_scores(
    model: HookedModel,
    probes: Probes,
    prompts: Prompts | None = None,
    *,
    most: int = 64,
    level: float = 0.9,
) -> HeadScores:
    """Score every head on probes, and on a task's prompts.

    What is averaged, over all queries of a sequence and then over sequences:

    * previous_token: attention to the token before, from the places that induction attends to.
    * induction: from a token that occurred before, to the token after that occurrence (Olsson et al. 2022,
      "In-context learning and induction heads").
    * duplicate: to that occurrence itself (Wang et al. 2023, "Interpretability in the wild", section 3.1).
    * delimiter: to the first token of the sequence, where heads rest that have nothing to do.
    * copying: by the output-value circuit (Elhage et al. 2021, "A mathematical framework for transformer
      circuits"), how often a head that attends to a token raises the logit of that very token more than of
      any other token of the probe, relative to what it does elsewhere. No attention enters.
    * fixed_distance: attention to the token so many places back, for the distance at which it is highest;
      chosen on one half of the sequences, scored on the other. In these nothing repeats at any distance.
    * source: on the prompts, from the place that predicts the answer to the tokens marked as its source.

    Args:
        model: The model.
        probes: Made for its vocabulary and context.
        prompts: Of a task that marks the sources of its answers.
        most: Prompts that are used, spread evenly over those given.
        level: Of the intervals, Student's over sequences.

    Raises:
        InputError: The task marks no sources.
    """
    from saltus.interpret.attention import attending  # torch is slow to import

    scores: dict[str, Score] = {}
    found = [attending.on_repeat(model, probe) for probe in probes.repeats]
    uniform = [attending.uniform_on_repeat(probe) for probe in probes.repeats]
    for i, name in enumerate(_ON_REPEATS):
        baselines = [one[i] for one in uniform]
        scores[name] = _score(name, [one[i] for one in found], probes.lengths, baselines, level)
    distances, fixed, copied, candidates = attending.on_random(model, probes)
    length = probes.random.shape[1]
    at_two = float((1 / np.arange(probes.start + 3, length + 1)).mean())
    scores["fixed_distance"] = _score("fixed_distance", [fixed], (length,), [at_two], level)
    scores["copying"] = _score("copying", [copied], (length,), [1 / candidates], level)
    if prompts is not None:
        scores["source"] = _source(model, prompts, most, level)
    return HeadScores(
        model=model.name,
        task="" if prompts is None else prompts.task,
        scores=scores,
        distances=distances,
        seed=probes.seed,
    )


def head_effects(scores: HeadScores, *, run: str = "") -> list[Effect]:
    """Rows for the evidence store, one a head and score.

    Args:
        scores: Of one model.
        run: The explanation that measured them.

    Returns:
        Effects of the task `saltus.records.INTERNALS`, those of the source score of its own task. `detail`
        holds the lengths of the probes and the score and baseline at each; for fixed distances also the
        distance.
    """
    rows = []
    for name, score in scores.scores.items():
        for head in scores.ranked(score.name):
            own = score.of(head)
            each = score.each.value[:, head.layer, head.index]
            detail: dict[str, object] = {
                "lengths": score.lengths,
                "by_length": [round(float(one), 4) for one in each],
                "baselines": [round(one, 4) for one in score.baselines],
            }
            if name == "fixed_distance":
                detail["distance"] = int(scores.distances[head.layer, head.index])
            rows.append(
                Effect(
                    run=run,
                    model=scores.model,
                    task=scores.task if name == "source" else INTERNALS,
                    component=str(head),
                    method=name,
                    metric="share" if name == "copying" else "attention",
                    effect=own.value,
                    low=own.low,
                    high=own.high,
                    level=own.level,
                    baseline=score.baseline,
                    n=score.n,
                    detail=json.dumps(detail),
                )
            )
    return rows


def _source(model: HookedModel, prompts: Prompts, most: int, level: float) -> Score:
    from saltus.interpret.attention import attending

    if prompts.sources is None:
        raise InputError(
            f"the items of task {prompts.task} do not mark where their answers stand; add `sources` to each "
            "as docs/tasks.md says, or leave the source score out",
            field="sources",
        )
    rows = np.flatnonzero(prompts.right)
    spread = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))
    right = prompts.take(rows[spread])
    values, uniform = attending.on_prompts(model, right)
    if right.clusters is not None:
        _, group = np.unique(np.array(right.clusters)[right.items], return_inverse=True)
        counts = np.bincount(group)[:, None, None]
        summed = np.zeros((len(counts), *values.shape[1:]))
        np.add.at(summed, group, values)
        values = summed / counts
    longest = int(right.starts.max()) + 1
    return _score("source", [values], (longest,), [float(uniform.mean())], level)


def _score(
    name: ScoreName,
    values: Sequence[Floats],
    lengths: Sequence[int],
    baselines: Sequence[float],
    level: float,
) -> Score:
    """Means with Student's intervals at each length, and over the lengths with Welch's degrees of freedom."""
    mean = np.stack([one.mean(0) for one in values])
    error = np.stack([one.var(0, ddof=1) / len(one) for one in values])  # squared
    freedom = np.array([len(one) - 1 for one in values])[:, None, None]
    total = error.sum(0)
    parts = (error**2 / freedom).sum(0)
    pooled = np.where(parts > 0, total**2 / np.where(parts > 0, parts, 1), 1)
    return Score(
        name=name,
        each=_shares(mean, np.sqrt(error), freedom, level),
        mean=_shares(mean.mean(0), np.sqrt(total) / len(values), pooled, level),
        lengths=tuple(lengths),
        baselines=tuple(baselines),
        n=sum(map(len, values)),
        level=level,
    )


def _shares(mean: Floats, error: Floats, freedom: Floats, level: float) -> Shares:
    reach = stdtrit(freedom, (1 + level) / 2) * error
    return Shares(mean, np.clip(mean - reach, 0, 1), np.clip(mean + reach, 0, 1))
