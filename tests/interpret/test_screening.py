"""Attribution patching against true patching, and its exactness where a network is linear."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from saltus.interpret.causal.ablation import reference
from saltus.interpret.causal.effects import screen_effects
from saltus.interpret.causal.screening import check_screen, screen, screen_ablation
from saltus.interpret.network.hooked import HookedModel
from saltus.records.errors import UsageError

from .small import prompts, trained, untrained


@pytest.mark.parametrize("direction", ["denoise", "noise"])
def test_the_screen_finds_both_heads_of_recall(direction: str) -> None:
    _, model = trained()
    given = prompts(n=64, counterfactual="key")
    found = screen(model, given, direction=direction)  # type: ignore[arg-type]
    assert found.passes <= 5
    assert {str(one) for one, _ in found.ranked()[:2]} == {"L1H0", "L0H1"}
    check = check_screen(found, model, given, top=2)
    assert check.correlation > 0.97
    assert not check.missed
    assert abs(check.worst_estimate - check.worst_truth) < 0.3


def test_one_gradient_misses_a_saturated_head() -> None:
    _, model = trained()
    given = prompts(n=64, counterfactual="key")
    check = check_screen(screen(model, given, steps=1), model, given)
    assert str(check.worst) == "L0H1"
    assert check.worst_truth - check.worst_estimate > 0.8


def test_estimates_at_places_add_up() -> None:
    model = HookedModel(untrained("llama"))
    found = screen(model, prompts(n=16), neurons=True)
    assert np.allclose(found.by_place.sum(1), found.effects[: len(found.by_place)], atol=1e-4)
    assert len(found.components) == 2 * (4 + 1 + 64)


def test_neurons_add_up_to_their_mlp() -> None:
    """An MLP's output is linear in its neurons, so their estimates sum to its own."""
    model = HookedModel(untrained())
    found = screen(model, prompts(n=16), neurons=True, steps=2)
    for layer in range(2):
        own = [i for i, one in enumerate(found.components) if one.layer == layer and one.part == "neuron"]
        mlp = next(i for i, one in enumerate(found.components) if str(one) == f"MLP{layer}")
        assert found.effects[own].sum() == pytest.approx(found.effects[mlp], abs=1e-3)


def test_memory_and_batches_change_nothing_and_no_weight_has_a_gradient() -> None:
    net = untrained()
    model, given = HookedModel(net), prompts(n=16)
    a, b = (screen(model, given, memory=memory) for memory in (2**28, 1))
    assert np.allclose(a.estimates, b.estimates, atol=1e-4)
    assert all(weight.grad is None for weight in net.parameters())


def test_the_last_layer_is_estimated_well_without_twins() -> None:
    _, model = trained()
    given = prompts("facts", 48)
    found = screen_ablation(model, given, reference(model, given))
    check = check_screen(found, model, given, baseline=reference(model, given))
    assert check.rank_correlation > 0.5
    rows = screen_effects(found, model, given)
    assert {row.metric for row in rows} == {"target_log_odds"}


def test_rows_keep_the_largest_neurons() -> None:
    _, model = trained()
    given = prompts(n=32)
    rows = screen_effects(screen(model, given, neurons=True), model, given, most=5)
    assert sum("N" in row.component for row in rows) == 5
    alike = msgspec.structs.replace(given, twins=given.tokens)
    assert screen_effects(screen(model, alike), model, alike) == []


def test_misuse_is_said_in_one_sentence() -> None:
    _, model = trained()
    given = prompts(n=8)
    with pytest.raises(UsageError, match="1 to 5 passes"):
        screen(model, given, steps=9)
    with pytest.raises(UsageError, match="neurons=True"):
        screen_ablation(model, given, reference(model, given), neurons=True)
