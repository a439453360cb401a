"""Circuits: sets with backups, gates, controls, and recall in the shipped models."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from saltus.family import finals
from saltus.interpret.circuits.bench import Bench, halves
from saltus.interpret.circuits.circuit import Bystander, CircuitFinding, CircuitSettings, find_circuit
from saltus.interpret.circuits.controls import control, gate, judge, random_sets
from saltus.interpret.circuits.search import SearchSettings, Trials, destroying_sets, grown_set, keeping_set
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts, make_prompts
from saltus.models.local import TransformersModel
from saltus.records.errors import InputError
from saltus.records.explanations import Component
from saltus.tasks import get_suite

HEADS = [Component(layer, i) for layer in range(2) for i in range(4)]
Out = frozenset[Component]


def scorer(truth: Callable[[Out], float], n: int = 100) -> Callable[[Out], tuple[np.ndarray, np.ndarray]]:
    """Marks with exactly the true share."""

    def score(out: Out) -> tuple[np.ndarray, np.ndarray]:
        share = truth(out)
        return (np.arange(n) < round(share * n)).astype(float), np.full(n, np.log(max(share, 0.01)))

    return score


def backed_up(out: Out) -> float:
    """Two heads stand in for each other, a third one feeds both; the rest does nothing."""
    pair = {HEADS[4], HEADS[6]}
    return 0.1 if HEADS[1] in out or pair <= out else 1.0


def test_a_backup_is_found_as_a_set_beside_the_stage_before_it() -> None:
    sets = destroying_sets(Trials(scorer(backed_up), 0.1), HEADS)
    assert [set(one) for one in sets] == [{HEADS[1]}, {HEADS[4], HEADS[6]}]


def test_a_pair_without_single_effects_is_found_through_the_screen() -> None:
    many = [Component(layer, i) for layer in range(10) for i in range(10)]
    first, second = many[31], many[77]

    def truth(out: Out) -> float:
        return 0.0 if {first, second} <= out else 0.9 if first in out else 1.0

    def screen(out: Out) -> dict[Component, float]:
        return {first: 1.0, second: 0.5 if first in out else -0.1}

    trials = Trials(scorer(truth), 0.0, passes=200)
    [found] = destroying_sets(trials, many, SearchSettings(chain=1), screen=screen)
    assert set(found) == {first, second}
    assert trials.spent < 70


def test_the_search_stops_at_its_passes() -> None:
    trials = Trials(scorer(lambda out: max(1 - 0.15 * len(out), 0)), 0.0, passes=30)
    destroying_sets(trials, HEADS)
    assert trials.exhausted
    assert trials.spent == 30


def test_nothing_destroys_what_needs_no_head() -> None:
    trials = Trials(scorer(lambda out: 1.0), 0.1)
    assert destroying_sets(trials, HEADS) == ()
    assert trials.spent == 2


def test_other_tasks_decide_between_sets_of_one_size() -> None:
    def truth(out: Out) -> float:
        return 0.0 if HEADS[0] in out or HEADS[5] in out else 1.0

    trials = Trials(scorer(truth), 0.0)
    sets = destroying_sets(trials, HEADS, collateral=lambda out: float(HEADS[0] in out))
    assert sets[0] == (HEADS[5],)


def test_a_set_grows_until_the_rest_of_the_score_is_gone() -> None:
    def truth(out: Out) -> float:
        return 1.0 if HEADS[4] not in out else 0.3 if HEADS[5] not in out else 0.1

    trials = Trials(scorer(truth), 0.28)
    [found, *_] = destroying_sets(trials, HEADS, SearchSettings(chain=1))
    assert found == (HEADS[4],)
    assert set(grown_set(trials, found, HEADS)) == {HEADS[4], HEADS[5]}


def test_what_keeps_the_ability_is_minimal() -> None:
    needed = {HEADS[1], HEADS[4], Component(0, part="mlp")}
    everything = [*HEADS, Component(0, part="mlp"), Component(1, part="mlp")]
    trials = Trials(scorer(lambda out: 0.0 if needed & out else 1.0), 0.0)
    assert set(keeping_set(trials, everything)) == needed
    locked = keeping_set(
        Trials(scorer(lambda out: 0.0 if needed & out else 1.0), 0.0), everything, [HEADS[0]]
    )
    assert set(locked) == needed | {HEADS[0]}


def test_the_gate_knows_luck_from_ability() -> None:
    rng = np.random.default_rng(0)
    luck = [gate((rng.random(256) < 0.29).astype(float), 0.29).able for _ in range(400)]
    assert np.mean(luck) <= 0.02
    assert gate((np.arange(256) < 256 * 0.45).astype(float), 0.29).able
    one = gate((np.arange(256) < 1).astype(float), None)
    assert not one.able
    assert "not known" in one.reason
    alike = gate(np.ones(40), 0.5, [str(i % 2) for i in range(40)])
    assert not alike.able  # two clusters are two coins


def test_random_sets_are_all_there_are_where_they_are_few() -> None:
    sets, everything = random_sets(HEADS, HEADS[:2], 2, 60, seed=0)
    assert everything
    assert len(sets) == 15
    assert not {one for each in sets for one in each} & set(HEADS[:2])
    drawn, everything = random_sets(HEADS, (), 4, 10, seed=0)
    assert not everything
    assert len(set(drawn)) == 10
    assert random_sets(HEADS, HEADS[:6], 3, 60, seed=0) == ([], True)


@pytest.mark.parametrize(
    ("removed", "others", "verdict"),
    [(0.1, 1.0, "carried"), (0.1, 0.15, "unclear"), (0.8, 1.0, "unclear"), (0.1, None, "carried")],
)
def test_the_verdict_asks_for_a_fall_that_belongs_to_the_set(
    removed: float, others: float | None, verdict: str
) -> None:
    n = np.arange(128)
    whole, out = np.ones(128), (n < removed * 128).astype(float)
    randoms = [] if others is None else [(n < others * 128).astype(float)] * 20
    against = control(whole, out, randoms, all_sets=False)
    said = judge(gate(whole, 0.1), whole, out, against)
    assert said.verdict == verdict
    assert ("missing" in said.reasons[-1]) == (others is None)


@pytest.fixture(scope="module")
def recall() -> tuple[HookedModel, dict[str, Prompts], CircuitFinding]:
    return _explained("tiro-2x64")


def test_recall_in_2x64_is_carried_by_its_induction_head(
    recall: tuple[HookedModel, dict[str, Prompts], CircuitFinding],
) -> None:
    model, prompts, found = recall
    circuit = found.circuit
    assert circuit is not None
    assert found.verdict == "carried"
    assert circuit.necessary == ("L1H0",)
    assert circuit.sets == (("L1H0",), ("L0H1",))
    assert set(circuit.components) >= {"L0H1", "L1H0", "MLP0"}
    assert circuit.removed.value <= 0.2
    assert circuit.kept.value >= 0.9
    assert circuit.random.value >= 0.9
    assert "L0H1" in circuit.shared  # its previous-token head serves other tasks too
    facts = Bench(model, prompts["facts"])
    assert facts.without(found.named).score >= 0.95
    assert {edge.target for edge in circuit.edges} >= {"L1H0"}
    collateral = [row for row in found.effects if row.task == "facts" and row.component == "L1H0"]
    assert all(row.low is not None and row.n == found.tested for row in collateral)


def test_the_same_seed_gives_the_same_bytes(
    recall: tuple[HookedModel, dict[str, Prompts], CircuitFinding],
) -> None:
    again = _explained("tiro-2x64")[2]
    assert msgspec.json.encode(again) == msgspec.json.encode(recall[2])


def test_the_control_of_one_layer_has_no_circuit() -> None:
    found = _explained("tiro-1x48")[2]
    assert (found.verdict, found.circuit, found.effects) == ("nothing", None, ())


def test_parity_is_carried_by_nothing(
    recall: tuple[HookedModel, dict[str, Prompts], CircuitFinding],
) -> None:
    model, prompts, _ = recall
    assert find_circuit(model, prompts["parity"], chance=0.5).verdict == "nothing"


def test_the_search_tells_how_far_it_is_and_other_ways_of_ablation_agree(
    recall: tuple[HookedModel, dict[str, Prompts], CircuitFinding],
) -> None:
    model, prompts, _ = recall
    told: list[int] = []
    settings = CircuitSettings(
        method="resample_ablation", random_sets=5, edges=False, search=SearchSettings(chain=1)
    )
    found = find_circuit(model, prompts["recall"], chance=0.29, settings=settings, progress=told.append)
    assert told == list(range(1, found.passes + 1))
    assert found.verdict == "carried"
    assert found.named in ((Component(1, 0),), (Component(0, 1),))


def test_the_guess_sees_a_backup_once_the_head_is_out(
    recall: tuple[HookedModel, dict[str, Prompts], CircuitFinding],
) -> None:
    model, prompts, _ = recall
    guess = Bench(model, prompts["recall"]).guess(frozenset())
    assert set(guess) == set(model.components("head"))
    assert all(np.isfinite(value) for value in guess.values())


def test_too_few_samples_are_refused(
    recall: tuple[HookedModel, dict[str, Prompts], CircuitFinding],
) -> None:
    model, prompts, _ = recall
    with pytest.raises(InputError, match=r"recall has 19 independent samples.*give 20 at least"):
        find_circuit(model, prompts["recall"].take(range(19)))


def test_clusters_are_never_split(
    recall: tuple[HookedModel, dict[str, Prompts], CircuitFinding],
) -> None:
    prompts = recall[1]["recall"]
    clustered = msgspec.structs.replace(
        prompts, clusters=tuple(f"c{i % 30}" for i in range(len(prompts.samples)))
    )
    first, second = halves(clustered, 3)
    assert not set(first.clusters or ()) & set(second.clusters or ())
    assert len(first) + len(second) == len(prompts)


def _explained(name: str) -> tuple[HookedModel, dict[str, Prompts], CircuitFinding]:
    [record] = [one for one in finals(0) if one.name == name]
    local = TransformersModel(record.location, record=record)
    model = HookedModel(local.network.model, name=record.id)
    tasks = {task.name: task for task in get_suite("family").tasks}
    prompts = {
        key: make_prompts(list(tasks[key].items()), local.encoder, metric=tasks[key].metrics[0])
        for key in ("recall", "facts", "addition", "recite", "parity")
    }
    others = [Bystander(prompts[key], tasks[key].chance) for key in ("facts", "addition", "recite", "parity")]
    found = find_circuit(model, prompts["recall"], chance=tasks["recall"].chance, bystanders=others)
    return model, prompts, found
