"""The circuit of one ability in one model: found on one half of the prompts, tested on the other.

`search` finds the sets, `controls` judges them, `bench` measures; `find_circuit` is what `explain` calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from saltus.interpret.causal.ablation import Method
from saltus.interpret.causal.paths import LOGITS, path_effects
from saltus.interpret.circuits.bench import Bench, halves
from saltus.interpret.circuits.controls import (
    ALPHA,
    HALF,
    Control,
    Gate,
    Judgement,
    control,
    gate,
    judge,
    random_sets,
)
from saltus.interpret.circuits.search import SearchSettings, Trials, destroying_sets, grown_set, keeping_set
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import change_interval, mean_interval
from saltus.records.errors import InputError
from saltus.records.explanations import Carried, Circuit, Component, Edge, Effect, set_name
from saltus.records.findings import Interval

Set = tuple[Component, ...]
_PARTS_SHOWN = 12  # members whose removal completeness tries one by one
_TRACED = 20  # members of a circuit among all of which ways are traced
_EDGES = 40
_SHARED = 0.25  # of other tasks' ability: what a stage may cost them over another one before that is named


class Bystander(NamedTuple):
    """Another task, which the components of a specific circuit leave alone.

    Attributes:
        prompts: Of the task.
        chance: Of guessing; None when not known.
    """

    prompts: Prompts
    chance: float | None


class CircuitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to look for a circuit.

    Attributes:
        search: How to search.
        method: Of ablation.
        random_sets: Most random sets.
        completeness: Random parts of the circuit that completeness tries, besides single members and sets.
        edges: Measure the ways between components, where the prompts have corrupted twins.
        level: Of intervals.
        seed: Of the split, the random sets and resampling.
    """

    search: SearchSettings = SearchSettings()
    method: Method = "mean_ablation"
    random_sets: int = 60
    completeness: int = 10
    edges: bool = True
    level: float = 0.9
    seed: int = 0


class CircuitFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, and how sure it is.

    Attributes:
        verdict: "carried", "nothing" or "unclear"; see `controls.judge`.
        reasons: Each test in one sentence.
        able: Whether the model can do the task, on all samples.
        whole: Score of the model as it is, on the held-out samples.
        named: The set whose removal was tested.
        circuit: All of it; None when no set was found, or there is no ability.
        control: The random sets it was held against.
        effects: Everything measured on held-out samples.
        searched: Samples of the search.
        tested: Held-out samples.
        passes: Times the search prompts were run.
        exhausted: The search stopped because it had run them as often as it may: a smaller set may exist.
    """

    verdict: Carried
    reasons: tuple[str, ...]
    able: Gate
    whole: Interval
    named: Set = ()
    circuit: Circuit | None = None
    control: Control | None = None
    effects: tuple[Effect, ...] = ()
    searched: int
    tested: int
    passes: int = 0
    exhausted: bool = False


class _Other(NamedTuple):
    task: str
    search: Bench
    test: Bench
    chance: float


class _Found(NamedTuple):
    named: Set
    sets: tuple[Set, ...]
    mlps: Set
    members: Set


def find_circuit(
    model: HookedModel,
    prompts: Prompts,
    *,
    chance: float | None = None,
    bystanders: Sequence[Bystander] = (),
    settings: CircuitSettings | None = None,
    run: str = "",
    progress: Callable[[int], None] | None = None,
) -> CircuitFinding:
    """Look for the components that carry an ability, and test them.

    The samples are split at random. On one half `search` finds disjoint sets of heads each of which destroys
    the ability (sets of MLPs where no set of heads does), names the one nearest to the output unless other
    tasks need it clearly more, and finds a set of heads and MLPs around it that keeps the ability alone. All
    scores, intervals and tests come from the other half, with the means of the first in the place of what is
    taken out: the choice of the best of many sets does not bias them.

    Args:
        model: The model.
        prompts: Of the task.
        chance: Of guessing.
        bystanders: Other tasks; those the model cannot do are left out.
        settings: How.
        run: The explanation that the effects belong to.
        progress: Called with how often the search prompts were run.

    Raises:
        InputError: There are too few samples to split.
    """
    settings = settings or CircuitSettings()
    first, second = halves(prompts, settings.seed)
    search = Bench(model, first, settings.method, seed=settings.seed)
    test = Bench(model, second, settings.method, search.baseline, settings.seed)
    able = _gate((search, test), chance)
    plain = CircuitFinding(
        verdict="nothing",
        reasons=judge(able, test.without().correct, None, None).reasons,
        able=able,
        whole=_mean(test, (), settings.level),
        searched=len(first.samples),
        tested=len(second.samples),
    )
    if not able.able:
        return plain
    others = [other for one in bystanders if (other := _other(model, one, settings)) is not None]
    trials = Trials(search.marks, able.chance, settings.search.passes, progress)
    found = _search(model, search, trials, others, settings)
    against, said = _judged(model, test, found, able, settings)
    plain = msgspec.structs.replace(
        plain,
        verdict=said.verdict,
        reasons=said.reasons,
        passes=trials.spent,
        exhausted=trials.exhausted,
    )
    if found is None or against is None:
        return plain
    rows = _Rows(run, test, settings.level)
    return msgspec.structs.replace(
        plain,
        named=found.named,
        circuit=_circuit(model, test, found, others, against, settings),
        control=against,
        effects=tuple(rows.all(model, found, others, _controls(model, found, settings)[0])),
    )


def _search(
    model: HookedModel,
    search: Bench,
    trials: Trials,
    others: Sequence[_Other],
    settings: CircuitSettings,
) -> _Found | None:
    def collateral(out: Iterable[Component]) -> float:
        return _collateral([(one.search, one.chance) for one in others], out)

    heads, mlps = model.components("head"), model.components("mlp")
    how = settings.search
    cost = collateral if others else None
    sets = destroying_sets(trials, heads, how, screen=search.guess, collateral=cost)
    sets = sets or destroying_sets(trials, mlps, how, collateral=cost)
    if not sets:
        return None
    # Sets in series: the stage nearest to the output writes the answer, unless other tasks share it more.
    costs = [collateral(one) if others else 0.0 for one in sets]
    place = min(range(len(sets)), key=lambda i: (costs[i] > min(costs) + _SHARED, -_depth(sets[i]), i))
    kind = heads if sets[place][0].part == "head" else mlps
    # What stands in for a set writes where it does or later; what comes before feeds it.
    first = min(one.layer for one in sets[place])
    free = [one for one in kind if one.layer >= first and all(one not in each for each in sets)]
    screen = search.guess if kind is heads else None
    named = grown_set(trials, sets[place], free, how, screen=screen, collateral=cost)
    sets = (*sets[:place], named, *sets[place + 1 :])
    members = keeping_set(trials, [*heads, *mlps], named, settings.search)
    destroying = tuple(one for one in mlps if trials.left([one]) <= settings.search.destroyed)
    return _Found(named, sets, destroying, tuple(sorted(members)))


def _depth(out: Sequence[Component]) -> float:
    """Mean layer of a set."""
    return float(np.mean([one.layer for one in out]))


def _controls(model: HookedModel, found: _Found, settings: CircuitSettings) -> tuple[list[Set], bool]:
    kind = model.components(found.named[0].part)
    size = len(found.named)
    everything = [one for each in found.sets for one in each]
    return random_sets(kind, everything, size, settings.random_sets, settings.seed)


def _judged(
    model: HookedModel, test: Bench, found: _Found | None, able: Gate, settings: CircuitSettings
) -> tuple[Control | None, Judgement]:
    whole, clusters = test.without().correct, test.prompts.clusters
    if found is None:
        return None, judge(able, whole, None, None, clusters)
    removed = test.without(found.named).correct
    sets, everything = _controls(model, found, settings)
    randoms = [test.without(one).correct for one in sets]
    against = control(whole, removed, randoms, clusters, all_sets=everything)
    return against, judge(able, whole, removed, against, clusters)


def _circuit(
    model: HookedModel,
    test: Bench,
    found: _Found,
    others: Sequence[_Other],
    against: Control,
    settings: CircuitSettings,
) -> Circuit:
    everything = model.components("head", "mlp")
    rest = [one for one in everything if one not in found.members]
    tested = [(one.test, one.chance) for one in others]
    shared = [each for each in found.sets if others and _collateral(tested, each) >= HALF]
    shared += [(one,) for one in found.mlps if others and _collateral(tested, [one]) >= HALF]
    return Circuit(
        components=_names(found.members),
        necessary=_names(found.named),
        edges=_edges(model, test.prompts, found) if settings.edges else (),
        kept=_mean(test, rest, settings.level),
        removed=_mean(test, found.named, settings.level),
        random=against.spread,
        random_sets=against.sets,
        worst_random=against.worst,
        completeness=_completeness(test, everything, found, settings),
        of=len(everything),
        method=settings.method,
        sets=tuple(_names(one) for one in found.sets),
        backups=_names(_backups(test, found.named)),
        mlps=_names(found.mlps),
        shared=_names(sorted({one for each in shared for one in each})),
    )


def _completeness(
    test: Bench, everything: Sequence[Component], found: _Found, settings: CircuitSettings
) -> float:
    """Largest difference between circuit and model when the same part of the circuit is out of both."""
    rng = np.random.default_rng([settings.seed, 1])
    members = found.members
    parts: list[Iterable[Component]] = [(), found.named, *((one,) for one in members[:_PARTS_SHOWN])]
    parts += [[one for one in each if one in members] for each in found.sets]
    parts += [
        [one for one, out in zip(members, rng.random(len(members)) < 0.5, strict=True) if out]  # a coin each
        for _ in range(settings.completeness)
    ]
    rest = [one for one in everything if one not in members]
    gaps = [abs(test.without([*rest, *part]).score - test.without(part).score) for part in map(list, parts)]
    return float(max(gaps))


def _backups(test: Bench, named: Set) -> Set:
    """Members that do significantly more once the others are out than while these are in.

    That is self-repair, the Hydra effect (McGrath et al. 2023, arXiv:2307.15771).
    """
    if len(named) < 2:
        return ()
    found = []
    clusters = test.prompts.clusters or test.prompts.samples
    for one in named:
        rest = [other for other in named if other != one]
        alone = test.without().correct - test.without([one]).correct
        then = test.without(rest).correct - test.without(named).correct
        if mean_interval(then - alone, clusters, 1 - 2 * ALPHA).low > 0:
            found.append(one)
    return tuple(found)


def _edges(model: HookedModel, prompts: Prompts, found: _Found) -> tuple[Edge, ...]:
    """Ways that carry something for certain, strongest first; none where prompts have no usable twins.

    Each way costs a run of the prompts, so of large circuits only what the named set reads is traced.
    """
    if prompts.twins is None:
        return ()
    try:
        readers = found.members if len(found.members) <= _TRACED else found.named
        ways = path_effects(model, prompts, found.members, [*readers, LOGITS])
    except InputError:  # twins that do not change the answer's margin leave nothing to trace
        return ()
    sure = [edge for edge in ways if edge.effect.low > 0]
    return tuple(sorted(sure, key=lambda e: (-e.effect.value, e.source, e.target, e.into))[:_EDGES])


class _Rows:
    """Effects of the held-out samples."""

    def __init__(self, run: str, test: Bench, level: float) -> None:
        self._run, self._test, self._level = run, test, level

    def all(
        self, model: HookedModel, found: _Found, others: Sequence[_Other], randoms: Sequence[Set]
    ) -> list[Effect]:
        """The named set, the other sets, members alone and once the others are out, controls, other tasks."""
        test, named = self._test, found.named
        everything = model.components("head", "mlp")
        rest = [one for one in everything if one not in found.members]
        rows = [self.row(test, named, "necessary")]
        rows += [self.row(test, each, "set") for each in found.sets if each != named]
        if len(named) > 1:
            rows += [self.row(test, [one], "alone") for one in named]
            for one in named:
                given = [other for other in named if other != one]
                rows.append(self.row(test, [one], "backup", given=given))
        rows += [self.row(test, [one], "mlp") for one in found.mlps]
        rows.append(self.row(test, rest, "kept", name=set_name(found.members)))
        rows += [self.row(test, one, "control") for one in randoms]
        for other in others:
            rows += [self.row(other.test, each, "collateral") for each in found.sets]
            rows += [self.row(other.test, [one], "collateral") for one in found.mlps]
        return rows

    def row(
        self,
        bench: Bench,
        out: Sequence[Component],
        purpose: str,
        *,
        given: Sequence[Component] = (),
        name: str = "",
    ) -> Effect:
        """The change of the score when a set is taken out, after others that are given."""
        before, after = bench.without(given).correct, bench.without([*given, *out]).correct
        moved = change_interval(before, after, bench.prompts.clusters, self._level)
        detail = {"purpose": purpose, **({"given": set_name(list(given))} if given else {})}
        return Effect(
            run=self._run,
            model=bench.model.name,
            task=bench.prompts.task,
            component=name or set_name(list(out)),
            method=bench.method,
            metric=bench.prompts.metric,
            effect=moved.value,
            low=moved.low,
            high=moved.high,
            level=self._level,
            baseline=float(before.mean()),
            n=len(before),
            detail=json.dumps(detail, sort_keys=True),
        )


def _other(model: HookedModel, one: Bystander, settings: CircuitSettings) -> _Other | None:
    first, second = halves(one.prompts, settings.seed)
    search = Bench(model, first, settings.method, seed=settings.seed)
    test = Bench(model, second, settings.method, search.baseline, settings.seed)
    able = _gate((search, test), one.chance)
    return _Other(one.prompts.task, search, test, able.chance) if able.able else None


def _collateral(others: Sequence[tuple[Bench, float]], out: Iterable[Component]) -> float:
    """Mean share of their ability that other tasks lose; 0 without other tasks."""
    if not others:
        return 0.0
    out = list(out)
    lost = []
    for bench, chance in others:
        whole = bench.without().score
        lost.append(min(max((whole - bench.without(out).score) / max(whole - chance, 1e-9), 0.0), 1.0))
    return float(np.mean(lost))


def _gate(benches: Sequence[Bench], chance: float | None) -> Gate:
    correct = np.concatenate([bench.without().correct for bench in benches])
    clusters = None
    if benches[0].prompts.clusters is not None:
        clusters = [name for bench in benches for name in bench.prompts.clusters or ()]
    return gate(correct, chance, clusters)


def _mean(bench: Bench, out: Iterable[Component], level: float) -> Interval:
    return mean_interval(bench.without(out).correct, bench.prompts.clusters, level)


def _names(components: Iterable[Component]) -> tuple[str, ...]:
    return tuple(str(one) for one in components)
