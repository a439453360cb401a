"""Rows on circuits: nothing found where nothing is, recall found, intervals that survive the search."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from saltus.interpret.circuits.search import SearchSettings, Trials, destroying_sets
from saltus.records.evidence import ModelRecord
from saltus.records.explanations import Component
from saltus.stats.intervals import clopper_pearson

from .harness import Bar, Plan, Rate, measures

HEADS = [Component(layer, i) for layer in range(3) for i in range(5)]
SAMPLES = 128
EASY = SearchSettings(destroyed=0.97, exhaustive=500, chain=1)  # takes the lucky set for a find


def _winner(rng: np.random.Generator, i: int) -> tuple[bool, bool, bool]:
    """Every set leaves the same score; the one that looks worst is chosen and measured again."""
    truth = rng.uniform(0.5, 0.95)

    def score(out: frozenset[Component]) -> tuple[np.ndarray, np.ndarray]:
        marks = (rng.random(SAMPLES) < (truth if out else 0.99)).astype(float)
        return marks, marks

    trials = Trials(score, 0.0)
    found = destroying_sets(trials, HEADS, EASY)
    if not found:
        return False, True, True
    low, high = clopper_pearson(trials.score(found[0]) * SAMPLES, SAMPLES, 0.9)
    again = rng.binomial(SAMPLES, truth)
    low2, high2 = clopper_pearson(again, SAMPLES, 0.9)
    return True, bool(low <= truth <= high), bool(low2 <= truth <= high2)


@measures(
    Bar(
        "held out", "circuit, best of many equal sets: 90 % interval from held-out samples covers", least=0.9
    ),
    Bar("same", "the same interval from the samples of the search"),
    seed=501,
)
def winners(plan: Plan) -> dict[str, Rate]:
    """The winner's curse."""
    found = [one for one in plan.map(_winner, 2000) if one[0]]
    return {
        "held out": Rate.of(sum(one[2] for one in found), len(found)),
        "same": Rate.of(sum(one[1] for one in found), len(found)),
    }


@cache
def _tasks() -> dict[str, tuple[list, str, float | None]]:
    from saltus.tasks import get_suite

    return {
        task.name: (list(task.items()), task.metrics[0], task.chance) for task in get_suite("family").tasks
    }


def _explain(record: ModelRecord, task: str, others: Sequence[str], untrained: int | None = None):
    """The circuit finding of a task, and the score of facts with and without what was named."""
    import torch

    from saltus.family.checkpoint import new_model
    from saltus.family.recipe import SIZES
    from saltus.interpret.circuits.bench import Bench
    from saltus.interpret.circuits.circuit import Bystander, find_circuit
    from saltus.interpret.network.hooked import HookedModel
    from saltus.interpret.network.prompts import make_prompts
    from saltus.models.local import TransformersModel

    torch.set_num_threads(1)
    local = TransformersModel(record.location, record=record)
    network = local.network.model
    if untrained is not None:
        [size] = [one for one in SIZES if (one.layers, one.width) == (record.layers, record.width)]
        network = new_model(size, untrained)
    model = HookedModel(network, name=record.id)
    prompts = {
        name: make_prompts(_tasks()[name][0], local.encoder, metric=_tasks()[name][1])
        for name in (task, *others)
    }
    bystanders = [Bystander(prompts[name], _tasks()[name][2]) for name in others]
    found = find_circuit(model, prompts[task], chance=_tasks()[task][2], bystanders=bystanders)
    left = {name: Bench(model, given).without(found.named).score for name, given in prompts.items()}
    return found, left


def _finals(seeds: Sequence[int], names: Sequence[str] = ()) -> list[ModelRecord]:
    from saltus.family import finals

    return [
        record
        for seed in seeds
        for record in finals(seed)
        if not names or record.name.removesuffix(f"-seed{seed}") in names
    ]


def _untrained(seed: int) -> bool:
    [record] = _finals([0], ["tiro-3x80" if seed % 2 else "tiro-2x64"])
    return all(_explain(record, task, (), seed)[0].verdict == "nothing" for task in ("recall", "parity"))


@measures(
    Bar("untrained", "random weights, 2x64 and 3x80: nothing carries recall or parity", least=0.95),
    Bar("parity", "parity in every trained model of seeds 0 to 2: nothing carries it", least=0.95),
    Bar("layer", "recall in the one-layer models of seeds 0 to 2: nothing carries it", least=0.95),
    seed=502,
    quick=0.15,
)
def nothing(plan: Plan) -> dict[str, Rate]:
    """Where there is nothing to find."""
    trained = _finals([0, 1, 2])
    single = [record for record in trained if record.layers == 1]

    def none(task: str):
        return lambda record: _explain(record, task, ())[0].verdict == "nothing"

    hits = {
        "untrained": plan.each(_untrained, range(plan.size(20))),
        "parity": plan.each(none("parity"), trained[: plan.size(len(trained))]),
        "layer": plan.each(none("recall"), single[: plan.size(len(single), 2)]),
    }
    return {key: Rate.of(sum(found), len(found)) for key, found in hits.items()}


@measures(
    Bar("carried", "recall in 2x64 and 3x80, seeds 0 to 2: a set is said to carry it", least=1.0),
    Bar("removed", "recall without it, the highest of these models", most=0.2),
    Bar("facts", "facts without it, the lowest of these models", least=0.95),
    Bar("random", "recall without random sets of equal size, the lowest mean", least=0.9),
    Bar("kept", "recall with everything but the circuit out, the lowest", least=0.9),
    seed=503,
    quick=0.2,
)
def recall(plan: Plan) -> dict[str, Rate]:
    """Where there is something to find."""
    models = _finals([0, 1, 2], ["tiro-2x64", "tiro-3x80"])
    chosen = models[: plan.size(len(models))]
    others = ("facts", "addition", "recite", "reverse", "sort")
    found = plan.each(lambda record: _explain(record, "recall", others), chosen)
    circuits = [one.circuit for one, _ in found if one.circuit is not None]
    size = len(found)
    facts = sorted(left["facts"] for _, left in found)
    return {
        "carried": Rate.of(sum(one.verdict == "carried" for one, _ in found), size),
        "removed": Rate(max(left["recall"] for _, left in found), None, size),
        "facts": Rate(facts[0], None, size),
        "random": Rate(min(one.random.value for one in circuits), None, size),
        "kept": Rate(min(one.kept.value for one in circuits), None, size),
    }
