"""Patching and path patching: what must add up on any model, and what they find in the shipped one."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from saltus.interpret.causal.effects import patching_effects
from saltus.interpret.causal.patching import patch, patch_residual, path_effects
from saltus.interpret.causal.paths import LOGITS
from saltus.interpret.causal.twins import Twins
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import InputError, UsageError
from saltus.records.explanations import Component, parse_components

from .small import prompts, trained, untrained

EMBED = Component(-1, part="embedding")


def told_apart(model: HookedModel, given: Prompts) -> Prompts:
    """The rows on which a random model happens to tell prompt and twin apart the most."""
    alone = [patch(model, given.take([i]), [EMBED])[0] for i in range(len(given))]
    gap = np.array([one.clean - one.corrupt for one in alone])
    return given.take(np.argsort(-gap)[:12])


@pytest.mark.parametrize("direction", ["denoise", "noise"])
@pytest.mark.parametrize("kind", ["gpt_neox", "gpt2", "llama"])
def test_everything_together_recovers_all(kind: str, direction: str) -> None:
    model = HookedModel(untrained(kind))
    given = told_apart(model, prompts("recall", 48, counterfactual="query"))
    whole = [EMBED, *model.components("layer")]
    found = patch(model, given, [whole, EMBED], direction=direction)  # type: ignore[arg-type]
    full = 1.0 if direction == "denoise" else 0.0
    for one in found:
        assert one.recovered is not None
        assert one.recovered.value == pytest.approx(full, abs=1e-4)


def test_no_place_recovers_what_only_the_last_one_has() -> None:
    _, model = trained()
    given = prompts(n=64, counterfactual="query")
    last, source = (patch(model, given, parse_components("L1H0"), places=at)[0] for at in ("last", "source"))
    assert last.recovered is not None
    assert last.recovered.low > 0.9
    assert source.recovered is not None
    assert abs(source.recovered.value) < 0.02


@pytest.mark.parametrize("name", ["key", "query", "value"])
def test_the_induction_head_recovers_the_difference(name: str) -> None:
    _, model = trained()
    found = patch(model, prompts(n=64, counterfactual=name), model.components())
    best = max(found, key=lambda one: -1 if one.recovered is None else one.recovered.value)
    assert best.name == "L1H0"
    assert best.recovered is not None
    assert best.recovered.value > 0.9
    rows = patching_effects(found, model, prompts(n=64))
    assert len(rows) == len(found)
    assert {row.metric for row in rows} == {"recovered"}


def test_memory_and_batches_change_nothing() -> None:
    _, model = trained()
    given = prompts(n=24)
    a, b = (patch(model, given, parse_components("L1H0+L0H1"), memory=memory) for memory in (2**28, 1))
    for one, other in zip(a, b, strict=True):
        assert one.patched == pytest.approx(other.patched, abs=1e-4)


def test_the_residual_stream_moves_from_the_source_to_the_end() -> None:
    _, model = trained()
    found = patch_residual(model, prompts(n=48, counterfactual="value"), around="source")
    at = {(one.name, one.places): one.recovered.value for one in found if one.recovered is not None}
    assert at["L0", "source+0"] == pytest.approx(1, abs=1e-3)
    assert abs(at["L0", "source+1"]) < 1e-3
    ends = patch_residual(model, prompts(n=48, counterfactual="query"))
    assert {one.places for one in ends} == {"last+0"}


def test_twins_alike_give_no_share() -> None:
    model = HookedModel(untrained())
    given = prompts(n=48)
    alike = msgspec.structs.replace(given, twins=given.tokens)
    [found] = patch(model, alike, parse_components("L0H0"))
    assert found.recovered is None
    assert "no difference to recover" in found.problem
    assert not patching_effects([found], model, alike)
    with pytest.raises(InputError, match="no difference to recover"):
        path_effects(model, alike, parse_components("L0H0"), [LOGITS])


def test_a_random_model_has_a_share_at_most_once_in_many() -> None:
    rng = np.random.default_rng(0)
    bounded = sum(not Twins(rng.normal(size=64), rng.normal(size=64)).problem for _ in range(500))
    assert bounded <= 4


def test_paths_name_the_circuit_of_recall() -> None:
    _, model = trained()
    given = prompts(n=48, counterfactual="key")
    edges = path_effects(model, given, [EMBED, *model.components()], [*parse_components("L1H0"), LOGITS])
    by = {(edge.source, edge.target, edge.into): edge.effect for edge in edges}
    assert by["L0H1", "L1H0", "k"].low > 0.8
    assert by["L1H0", LOGITS, ""].low > 0.9
    assert abs(by["L0H1", "L1H0", "q"].value) < 0.05
    assert abs(by["L0H2", "L1H0", "k"].value) < 0.1
    assert ("L1H1", "L1H0", "k") not in by


@pytest.mark.parametrize("kind", ["gpt_neox", "llama"])
def test_a_way_without_a_change_has_no_effect(kind: str) -> None:
    """In a block of parallel halves a head does not reach its own MLP; after each other it does."""
    model = HookedModel(untrained(kind))
    given = told_apart(model, prompts("recall", 48, counterfactual="query"))
    [edge] = path_effects(model, given, parse_components("L0H0"), parse_components("MLP0"))
    moves = abs(edge.effect.value) > 1e-6
    assert moves == (kind == "llama")


def test_a_shared_key_is_changed_for_one_head_alone() -> None:
    model = HookedModel(untrained("llama"))
    given = told_apart(model, prompts("recall", 48, counterfactual="key"))
    edges = path_effects(model, given, [EMBED], model.components("head"), into=("k",))
    assert len({round(edge.effect.value, 6) for edge in edges}) > 4


def test_misuse_is_said_in_one_sentence() -> None:
    _, model = trained()
    given = prompts(n=8)
    with pytest.raises(UsageError, match="no direction"):
        patch(model, given, parse_components("L0H0"), direction="up")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no choice of places"):
        patch(model, given, parse_components("L0H0"), places="first")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="mark `sources`"):
        patch(model, msgspec.structs.replace(given, sources=None), parse_components("L0H0"), places="source")
    with pytest.raises(InputError, match="mark `counterfactuals`"):
        patch(model, msgspec.structs.replace(given, twins=None), parse_components("L0H0"))
    with pytest.raises(InputError, match="begin with"):
        patch(model, msgspec.structs.replace(given, rivals=np.full(8, -1)), parse_components("L0H0"))
    with pytest.raises(UsageError, match="cannot receive"):
        path_effects(model, given, parse_components("L0H0"), parse_components("L1"))
    with pytest.raises(UsageError, match="cannot send"):
        path_effects(model, given, parse_components("MLP0N1"), [LOGITS])
