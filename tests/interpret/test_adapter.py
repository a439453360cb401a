"""An adapter does to a plain model what its edits do, leaves nothing behind, and knows its model."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from saltus.interpret.causal.ablation import ablate, reference
from saltus.interpret.causal.adapter import (
    dose_effects,
    dose_response,
    load_adapter,
    make_adapter,
    save_adapter,
)
from saltus.interpret.network.hooked import HookedModel
from saltus.records.errors import InputError, ModelError, UsageError
from saltus.records.explanations import parse_components

from .small import prompts, trained, untrained


@pytest.mark.parametrize("kind", ["gpt_neox", "gpt2", "llama"])
def test_scale_nothing_is_ablation_on_both_ways_of_running(kind: str, tmp_path: Path) -> None:
    net = untrained(kind)
    model, given = HookedModel(net), prompts("facts", 8)
    parts = parse_components("L0H1+L1H3+MLP1")
    parts += parse_components("MLP0N5")
    # An adapter meets any text, so it knows no places: it puts the mean over all of them there.
    baseline = msgspec.structs.replace(reference(model, given, neurons=True), places={})
    batch = next(given.batches("cpu"))
    save_adapter(make_adapter(model, parts, baseline=baseline), tmp_path / "a.json")
    adapter = load_adapter(tmp_path / "a.json")
    wanted = model.run(batch, edits=ablate(model, parts, baseline=baseline)).logits
    before = {name: weight.clone() for name, weight in net.named_parameters()}
    with torch.inference_mode():
        plain = net(batch.tokens).logits
        with adapter.applied(net) as on:
            hooked = on(batch.tokens).logits
        after = net(batch.tokens).logits
    assert torch.allclose(model.run(batch, edits=adapter.edits(model)).logits, wanted, atol=1e-5)
    assert torch.allclose(hooked, wanted, atol=1e-5)
    assert torch.equal(plain, after)
    assert not torch.allclose(plain, hooked)
    assert all(torch.equal(weight, before[name]) for name, weight in net.named_parameters())


def test_scale_one_does_nothing_and_remove_can_be_called_twice() -> None:
    net = untrained()
    tokens = torch.arange(8)[None]
    with torch.inference_mode():
        plain = net(tokens).logits
        handle = make_adapter(HookedModel(net), parse_components("ATTN0+MLP1"), scale=1).apply(net)
        assert torch.allclose(net(tokens).logits, plain, atol=1e-5)
        handle.remove()
        handle.remove()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_another_model_is_refused() -> None:
    adapter = make_adapter(HookedModel(untrained()), parse_components("L0H0"))
    with pytest.raises(ModelError, match="width 32"):
        adapter.edits(trained()[1])
    with pytest.raises(ModelError, match="a gpt_neox of 2 layers"):
        adapter.apply(untrained("gpt2"))
    other = untrained(seed=1)
    with pytest.raises(ModelError, match="other weights"):
        adapter.apply(other)
    adapter.apply(other, same_weights=False).remove()


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match="no adapter"):
        load_adapter(path)
    good = make_adapter(HookedModel(untrained()), parse_components("L0H0"))
    bad = msgspec.structs.replace(
        good, components=(msgspec.structs.replace(good.components[0], component="X"),)
    )
    save_adapter(bad, path)
    with pytest.raises(InputError, match="names no component"):
        load_adapter(path)
    path.write_text('{"format": "else"}')
    with pytest.raises(InputError, match="no adapter"):
        load_adapter(path)
    with pytest.raises(UsageError, match="at least one"):
        make_adapter(HookedModel(untrained()), ())


def test_more_suppression_hurts_more() -> None:
    _, model = trained()
    given = prompts(n=64)
    parts = parse_components("L1H0")
    doses = dose_response(
        model, {"recall": given}, parts, scales=(0, 0.5, 1), baseline=reference(model, given)
    )
    low, half, full = (one.score.value for one in doses)
    assert low < 0.3
    assert low <= half <= full == 1
    assert doses[2].change.value == 0
    rows = dose_effects(doses, model, parts)
    assert rows[0].detail == '{"scale":0.0}' or rows[0].detail == '{"scale":0}'
