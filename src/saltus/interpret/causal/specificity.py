"""What the ablation found for one ability does to the other tasks, beside random sets of equal size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from saltus.interpret.causal.ablation import Method, Reference, ablate, reference
from saltus.interpret.causal.effects import ablation_row
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import ItemScores, change_interval, score_prompts
from saltus.records.errors import UsageError
from saltus.records.explanations import Component, Effect, set_name
from saltus.records.findings import Interval
from saltus.stats.errorbars import paired_difference
from saltus.stats.multiplicity import holm

ALPHA = 0.05


class Collateral(msgspec.Struct, frozen=True, kw_only=True):
    """What an ablation did to one task.

    Attributes:
        task: Its name.
        metric: Its score.
        before: Score without the ablation.
        after: Score with it.
        change: After less before, with an interval over samples.
        p: Of no change, paired over samples; None where it cannot be tested.
        adjusted: The same after Holm 1979, over all tasks.
        hurt: Whether the score fell, at 5 % over all tasks.
        random: Change by random sets of equal size: mean and central range over the sets; None where there is
            no other set.
        random_sets: How many.
    """

    task: str
    metric: str
    before: float
    after: float
    change: Interval
    p: float | None
    adjusted: float | None
    hurt: bool
    random: Interval | None
    random_sets: int


class Specificity(msgspec.Struct, frozen=True, kw_only=True):
    """What taking out a set did to all tasks.

    Attributes:
        components: The set.
        method: Of ablation.
        tasks: One a task.
        effects: Rows for the store, changes of each task by the set.
        text: One sentence: which tasks are hurt.
    """

    components: tuple[Component, ...]
    method: Method
    tasks: tuple[Collateral, ...]
    effects: tuple[Effect, ...]
    text: str


def specificity(
    model: HookedModel,
    tasks: Mapping[str, Prompts],
    components: Sequence[Component],
    *,
    method: Method = "mean_ablation",
    random_sets: int = 10,
    seed: int = 0,
    run: str = "",
    level: float = 0.9,
) -> Specificity:
    """Take a set of components out while the model does every task.

    Each task has its own means in their place, so that only what a component says about a prompt is lost.
    Random sets have as many heads, MLPs and so on as the set, none of them of it.

    Args:
        model: The model.
        tasks: Prompts by name: the other tasks, and the ability itself if it is to be among them.
        components: The set.
        method: Of ablation.
        random_sets: How many to draw; fewer where there are fewer.
        seed: Of the draw.
        run: The explanation that the effects belong to.
        level: Of the intervals.

    Raises:
        UsageError: There are no tasks or no components.
    """
    if not tasks or not components:
        raise UsageError("specificity needs at least one task and one component", field="tasks")
    neurons = any(one.part == "neuron" for one in components)
    label = set_name(tuple(components))
    draws = random_sets_like(model, components, random_sets, seed)
    found: list[Collateral] = []
    effects: list[Effect] = []
    for name, prompts in tasks.items():
        baseline = reference(model, prompts, neurons=neurons)
        before = score_prompts(model, prompts)
        after = _ablated(model, prompts, components, method, baseline)
        others = [_ablated(model, prompts, one, method, baseline).score - before.score for one in draws]
        found.append(_collateral(name, prompts, before, after, others, level))
        effects += [
            ablation_row(model, prompts, label, method, metric, (before, after), run=run, level=level)
            for metric in (prompts.metric, "target_logprob")
        ]
    tested = _adjusted(found)
    return Specificity(
        components=tuple(sorted(components)),
        method=method,
        tasks=tested,
        effects=tuple(effects),
        text=_text(label, tested),
    )


def random_sets_like(
    model: HookedModel, components: Sequence[Component], count: int, seed: int = 0
) -> list[tuple[Component, ...]]:
    """Different random sets with as many components of each part, none of them of the given set.

    Args:
        model: The model.
        components: The set to be like.
        count: How many at most; none where the model has too few other components.
        seed: Of the draw.
    """
    rng = np.random.default_rng(seed)
    own = set(components)
    pools = []
    for part in sorted({one.part for one in components}):
        size = sum(one.part == part for one in components)
        pool = [one for one in model.components(part) if one not in own]
        if len(pool) < size:
            return []
        pools.append((pool, size))
    draws: dict[tuple[Component, ...], None] = {}
    for _ in range(20 * count):
        if len(draws) == count:
            break
        one = [pool[i] for pool, size in pools for i in rng.choice(len(pool), size, replace=False)]
        draws[tuple(sorted(one))] = None
    return list(draws)


def _ablated(
    model: HookedModel, prompts: Prompts, components: Sequence[Component], method: Method, baseline: Reference
) -> ItemScores:
    return score_prompts(model, prompts, ablate(model, components, method, baseline=baseline))


def _collateral(
    name: str, prompts: Prompts, before: ItemScores, after: ItemScores, others: list[float], level: float
) -> Collateral:
    test = paired_difference(before.correct, after.correct, prompts.clusters, level=level)
    tail = (1 - level) / 2
    random = None
    if others:
        low, high = np.quantile(others, [tail, 1 - tail])
        random = Interval(float(np.mean(others)), float(low), float(high), level)
    return Collateral(
        task=name,
        metric=prompts.metric,
        before=before.score,
        after=after.score,
        change=change_interval(before.correct, after.correct, prompts.clusters, level),
        p=test.p,
        adjusted=None,
        hurt=False,
        random=random,
        random_sets=len(others),
    )


def _adjusted(found: Sequence[Collateral]) -> tuple[Collateral, ...]:
    tested = [one for one in found if one.p is not None]
    adjusted = dict(zip([one.task for one in tested], holm([one.p or 0.0 for one in tested]), strict=True))
    return tuple(
        msgspec.structs.replace(
            one,
            adjusted=float(adjusted[one.task]) if one.task in adjusted else None,
            hurt=one.task in adjusted and adjusted[one.task] <= ALPHA and one.change.value < 0,
        )
        for one in found
    )


def _text(name: str, tasks: Sequence[Collateral]) -> str:
    hurt = sorted((one for one in tasks if one.hurt), key=lambda one: one.change.value)
    kept = [one.task for one in tasks if not one.hurt]
    if not hurt:
        return f"Taking out {name} hurts none of {', '.join(kept)} (Holm, 5 % over {len(tasks)} tasks)."
    said = ", ".join(f"{one.task} ({one.before:.2f} to {one.after:.2f})" for one in hurt)
    rest = f", and not {', '.join(kept)}" if kept else ""
    return f"Taking out {name} hurts {said}{rest} (Holm, 5 % over {len(tasks)} tasks)."
