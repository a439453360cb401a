"""Integrated gradients, with captum as the oracle."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest

from saltus.family import checkpoints
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts, make_prompts
from saltus.interpret.readout.gradients import gradient_effects, integrated_inputs, integrated_neurons
from saltus.interpret.readout.integration import Baseline, Precision
from saltus.models.local import TransformersModel
from saltus.records.errors import InputError, UsageError
from saltus.tasks import get_suite

torch = pytest.importorskip("torch")
attr = pytest.importorskip("captum.attr")

FIXED = Precision(first=24, most=24)


@cache
def local() -> TransformersModel:
    record = next(one for one in checkpoints("2x64") if one.step == 2000)
    return TransformersModel(record.location, record=record)


@cache
def asked(task: str, rows: int = 24) -> Prompts:
    found = next(one for one in get_suite("family").tasks if one.name == task)
    return make_prompts(list(found.items())[:rows], local().encoder, metric=found.metrics[0])


def hooked() -> HookedModel:
    return HookedModel(local().network.model)


def margin_of(prompts: Prompts, **given: Any) -> Any:
    """The margin by the model itself, for captum."""
    logits = local().network.model(**given, use_cache=False).logits
    rows = torch.arange(len(prompts))
    at = logits[rows, torch.from_numpy(prompts.starts)]
    own, rival = torch.from_numpy(prompts.answers[:, 0]), torch.from_numpy(prompts.rivals)
    return at[rows, own] - at[rows, rival]


@pytest.mark.parametrize("task", ["recall", "facts"])
@pytest.mark.parametrize("baseline", ["twin", "zero"])
def test_inputs_agree_with_captum(task: str, baseline: Baseline) -> None:
    prompts = asked(task)
    found = integrated_inputs(hooked(), prompts, baseline=baseline, precision=FIXED)
    embed = local().network.model.get_input_embeddings()
    x = embed(torch.from_numpy(prompts.tokens)).detach()
    start = torch.zeros_like(x) if baseline == "zero" else embed(torch.from_numpy(prompts.twins)).detach()
    expected, error = attr.IntegratedGradients(
        lambda inputs: margin_of(prompts, inputs_embeds=inputs)
    ).attribute(x, start, n_steps=24, internal_batch_size=len(prompts), return_convergence_delta=True)
    np.testing.assert_allclose(found.values, expected.sum(-1).numpy(), atol=2e-4)
    np.testing.assert_allclose(found.error, error.abs().numpy(), atol=1e-3)


@pytest.mark.parametrize("layer", [0, 1])
def test_neurons_agree_with_captum(layer: int) -> None:
    prompts = asked("facts")
    found = integrated_neurons(hooked(), prompts, layer, precision=FIXED)
    module = local().network.model.gpt_neox.layers[layer].mlp.dense_4h_to_h
    oracle = attr.LayerIntegratedGradients(lambda tokens: margin_of(prompts, input_ids=tokens), module)
    expected = oracle.attribute(
        torch.from_numpy(prompts.tokens),
        torch.from_numpy(prompts.twins),
        n_steps=24,
        attribute_to_layer_input=True,
        internal_batch_size=len(prompts),
    )
    np.testing.assert_allclose(found.values, expected.sum(1).detach().numpy(), atol=2e-4)


def test_more_steps_are_taken_until_the_parts_are_complete() -> None:
    prompts = asked("facts")
    found = integrated_inputs(
        hooked(), prompts, baseline="mean", precision=Precision(first=2, tolerance=1e-3)
    )
    assert found.converged.all()
    assert (found.error <= 1e-3 * np.maximum(np.abs(found.change), 1)).all()
    assert len(set(found.steps)) > 1
    np.testing.assert_allclose(np.abs(found.values.sum(1) - found.change), found.error, atol=1e-9)


def test_it_says_when_the_limit_comes_first() -> None:
    found = integrated_inputs(
        hooked(), asked("recall"), baseline="zero", precision=Precision(first=2, most=4, tolerance=1e-4)
    )
    assert not found.converged.all()
    assert found.error[~found.converged].min() > 1e-4
    assert found.steps.max() == 4


def test_tokens_that_the_twin_shares_get_nothing() -> None:
    prompts = asked("facts")
    assert prompts.twins is not None
    found = integrated_inputs(hooked(), prompts)
    assert found.baseline == "twin"
    assert (found.values[prompts.tokens == prompts.twins] == 0).all()
    assert found.change.mean() > 10


def test_the_caller_s_model_stays_as_it_was() -> None:
    model = local().network.model
    wanted = [weights.requires_grad for weights in model.parameters()]
    integrated_neurons(hooked(), asked("facts"), 1, precision=Precision(first=2, most=2))
    assert [weights.requires_grad for weights in model.parameters()] == wanted
    assert all(weights.grad is None for weights in model.parameters())


def test_rows() -> None:
    rows = gradient_effects(
        hooked(), asked("recall", 40), run="r", model_id="m", neurons=3, samples=20, precision=FIXED
    )
    by_name = {row.component: row for row in rows}
    assert list(by_name)[:3] == ["EMBED", "MLP0", "MLP1"]
    assert len(rows) == 6
    assert by_name["EMBED"].n == 20
    detail = msgspec.json.decode(by_name["EMBED"].detail)
    assert detail["baseline"] == "mean"
    assert detail["completeness_error"] < 1
    neuron = rows[-1]
    assert (neuron.n, msgspec.json.decode(neuron.detail)["chosen_on"]) == (10, 10)
    layer = neuron.component.split("N")[0]
    assert neuron.baseline is not None
    assert neuron.baseline == pytest.approx(by_name[layer].effect, abs=0.05)


def test_bad_baselines_are_refused() -> None:
    prompts = asked("facts")
    with pytest.raises(UsageError, match="'noise' is no baseline"):
        integrated_inputs(hooked(), prompts, baseline="noise")  # type: ignore[arg-type]
    bare = msgspec.structs.replace(prompts, twins=None)
    with pytest.raises(InputError, match="no corrupted prompts"):
        integrated_inputs(hooked(), bare, baseline="twin")
    assert integrated_inputs(hooked(), bare, precision=Precision(first=1, most=1)).baseline == "mean"
