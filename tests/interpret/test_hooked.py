"""A hooked model: the one handed in stays as it is; what cannot be looked into is refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from saltus.interpret.network.architecture import Architecture
from saltus.interpret.network.hooked import KINDS, Batch, Edit, HookedModel, Site
from saltus.records.errors import ModelError
from saltus.records.explanations import Component

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES = {"vocab_size": 24, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SIZES |= {"hidden_size": 16, "num_attention_heads": 4, "max_position_embeddings": 16}
SIZES |= {"num_hidden_layers": 2, "intermediate_size": 24}
BATCH = Batch(
    torch.randint(3, 24, (3, 7), generator=torch.Generator().manual_seed(0)),
    torch.full((3,), 7),
    torch.arange(3),
)


def drawn(kind: str = "GPTNeoXConfig", **options: Any) -> Any:
    torch.manual_seed(0)
    attention = options.pop("attention", None)
    config = getattr(transformers, kind)(**SIZES, **options)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.2)
    return model.eval()


def sites(*kinds: str) -> list[Site]:
    return [Site(kind, layer) for kind in kinds or KINDS for layer in range(2)]


def plain(model: Any) -> Any:
    with torch.no_grad():
        return model(BATCH.tokens).logits


def traces(model: Any) -> Any:
    """All that a careless look would leave behind."""
    return (
        model.training,
        model.config._attn_implementation,
        [module.training for module in model.modules()],
        [
            len(getattr(module, name))
            for module in model.modules()
            for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        ],
        [(one.grad is None, one.requires_grad, one.dtype, one.data_ptr()) for one in model.parameters()],
        [one.detach().double().sum().item() for one in model.parameters()],
    )


def look(model: Any) -> HookedModel:
    """Read, edit and differentiate everything."""
    hooked = HookedModel(model)
    hooked.run(BATCH, read=sites())
    edits = [Edit(site, lambda value, batch: value * 0.5) for site in sites() if site.kind != "pattern"]
    run = hooked.run(BATCH, read=sites(), edits=edits, gradients=True)
    run.logits.sum().backward()
    hooked.unembed(run.values[Site("resid_post", 1)])
    return hooked


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_look_leaves_no_trace(attention: str) -> None:
    model = drawn(attention=attention)
    before, logits = traces(model), plain(model)
    hooked = look(model)
    assert traces(model) == before
    assert torch.equal(plain(model), logits)
    assert traces(hooked._model)[1] == attention


def test_reading_patterns_does_not_change_how_the_next_run_attends() -> None:
    hooked = HookedModel(drawn(attention="sdpa"))
    before = hooked.run(BATCH).logits
    hooked.run(BATCH, read=sites("pattern"))
    assert torch.equal(hooked.run(BATCH).logits, before)


def test_an_exception_within_a_run_leaves_no_trace_either() -> None:
    model = drawn()
    before, hooked = traces(model), HookedModel(model)
    inside, logits = traces(hooked._model), hooked.run(BATCH).logits

    def fail(value: Any, batch: Any = None) -> Any:
        raise RuntimeError("stop")

    at = (torch.tensor([0]), torch.tensor([1]))
    for options in (
        {"read": {Site("z", 0): fail, Site("pattern", 1): None}, "at": at},
        {"read": {Site("pattern", 0): fail}},
        {"edits": [Edit(Site("query", 1), fail)], "gradients": True, "at": at},
    ):
        with pytest.raises(RuntimeError, match="stop"):
            hooked.run(BATCH, **options)  # type: ignore[arg-type]
    assert traces(model) == before
    assert traces(hooked._model) == inside
    assert torch.equal(hooked.run(BATCH).logits, logits)


def test_a_model_in_training_is_looked_into_as_in_use() -> None:
    quiet = plain(drawn())
    model = drawn(hidden_dropout=0.5, attention_dropout=0.5).train()
    before = traces(model)
    assert torch.allclose(HookedModel(model).run(BATCH).logits, quiet, atol=1e-6)
    assert torch.allclose(HookedModel(model).run(BATCH, read=sites()).logits, quiet, atol=1e-5)
    look(model)
    assert traces(model) == before
    assert model.training


def test_training_goes_on_and_shows_in_the_hooked_model() -> None:
    model = drawn()
    hooked = HookedModel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = model(BATCH.tokens, labels=BATCH.tokens).loss
    hooked.run(BATCH, read=sites(), gradients=True).logits.sum().backward()
    loss.backward()
    optimizer.step()
    assert torch.allclose(hooked.run(BATCH).logits, plain(model), atol=1e-6)


def test_hooks_of_the_model_stay_its_own() -> None:
    model = drawn()
    alone = plain(model)
    calls: list[str] = []
    handle = model.gpt_neox.layers[0].register_forward_hook(lambda *_: calls.append("block"))
    model.gpt_neox.layers[1].mlp.register_forward_pre_hook(lambda *_: calls.append("mlp"))
    hooked = look(model)
    assert calls == []
    assert torch.allclose(hooked.run(BATCH).logits, alone, atol=1e-6)
    plain(model)
    assert calls == ["block", "mlp"]
    handle.remove()


def test_tied_embeddings_stay_tied() -> None:
    model = drawn("LlamaConfig", tie_word_embeddings=True)
    hooked = look(model)
    inner = hooked._model
    assert inner.get_output_embeddings().weight is inner.get_input_embeddings().weight
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype: str) -> None:
    model = drawn("LlamaConfig").to(getattr(torch, dtype))
    hooked = look(model)
    run = hooked.run(BATCH, read=sites())
    assert run.logits.dtype == torch.float32
    assert torch.allclose(hooked.run(BATCH).logits, plain(model).float(), atol=1e-6)
    mean = run.values[Site("z", 0)].float().mean((0, 1))
    edited = hooked.run(BATCH, edits=[Edit(Site("z", 0), lambda z, batch: mean.expand_as(z))]).logits
    assert not torch.allclose(edited, run.logits, atol=1e-2)
    last = run.values[Site("resid_post", 1)].float()
    assert torch.allclose(hooked.unembed(last), hooked.run(BATCH).logits, atol=0.1)


def test_a_frozen_model_has_gradients_too() -> None:
    model = drawn().requires_grad_(False)
    run = HookedModel(model).run(BATCH, read=sites(), gradients=True)
    found = torch.autograd.grad(run.logits[0, -1, 5], [run.values[site] for site in sites()])
    assert all(bool(one.abs().max() > 0) for one in found)


def test_what_was_read_can_be_patched_into_a_run_with_gradients() -> None:
    hooked = HookedModel(drawn())
    kept = hooked.run(BATCH, read=sites("resid_post")).values[Site("resid_post", 0)]
    run = hooked.run(
        BATCH,
        read=sites("z"),
        edits=[Edit(Site("resid_post", 0), lambda value, batch: value + 0.1 * (kept - value))],
        gradients=True,
    )
    assert torch.autograd.grad(run.logits.sum(), run.values[Site("z", 1)])[0].shape == (3, 7, 4, 4)


def test_edits_of_one_site_are_made_in_order_and_then_read() -> None:
    site = Site("neurons", 1)
    edits = [
        Edit(site, lambda value, batch: torch.zeros_like(value)),
        Edit(site, lambda value, batch: value + 1),
    ]
    assert (HookedModel(drawn()).run(BATCH, read=[site], edits=edits).values[site] == 1).all()


def test_a_read_function_is_given_the_activation_and_its_result_is_kept() -> None:
    hooked = HookedModel(drawn())
    whole = hooked.run(BATCH, read=sites("pattern")).values
    some = hooked.run(BATCH, read={site: lambda value: value.mean((0, 2, 3)) for site in sites("pattern")})
    for site in sites("pattern"):
        assert torch.allclose(some.values[site], whole[site].mean((0, 2, 3)))


def test_components_in_order() -> None:
    hooked = HookedModel(drawn())
    assert [str(one) for one in hooked.components()][:6] == ["L0H0", "L0H1", "L0H2", "L0H3", "MLP0", "L1H0"]
    assert len(hooked.components("neuron")) == 48
    assert hooked.components("layer") == (Component(0, -1, "layer"), Component(1, -1, "layer"))
    assert repr(hooked) == "HookedModel('gpt_neox', 2 layers, 4 heads, width 16)"


@pytest.mark.parametrize(
    ("site", "sentence"),
    [
        (Site("z", 2), "gpt_neox has no layer 2, its layers are 0 to 1"),
        (Site("z", -1), "gpt_neox has no layer -1"),
        (Site("weights", 0), "no activation is called 'weights'; there are resid_pre, query"),
    ],
)
def test_a_site_that_is_not_there(site: Site, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        HookedModel(drawn()).run(BATCH, read=[site])


def test_patterns_are_not_edited() -> None:
    edit = Edit(Site("pattern", 0), lambda value, batch: value)
    with pytest.raises(ModelError, match="can be read, not changed; change query, key or z"):
        HookedModel(drawn()).run(BATCH, edits=[edit])


def test_an_edit_of_another_shape_is_refused() -> None:
    edit = Edit(Site("z", 1), lambda value, batch: value[:, :1])
    with pytest.raises(ModelError, match=r"made z of layer 1 of shape \(3, 7, 4, 4\) into \(3, 1, 4, 4\)"):
        HookedModel(drawn()).run(BATCH, edits=[edit])


def test_an_architecture_without_a_table() -> None:
    config = transformers.BloomConfig(vocab_size=24, hidden_size=16, n_layer=1, n_head=4)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with pytest.raises(
        ModelError, match=r"no path table for the architecture 'bloom', there are gemma, .*own"
    ):
        HookedModel(model)


NEOX = {
    "blocks": "gpt_neox.layers",
    "norm": "gpt_neox.final_layer_norm",
    "attention": "attention",
    "out": "attention.dense",
    "fused": "attention.query_key_value",
    "layout": "per_head",
    "mlp": "mlp",
    "down": "mlp.dense_4h_to_h",
}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"blocks": "model.layers"}, "model"),
        ({"blocks": "gpt_neox.final_layer_norm"}, "not iterable"),
        ({"norm": "gpt_neox.norm"}, "norm"),
        ({"attention": "attn"}, "attn"),
        ({"mlp": "ffn"}, "ffn"),
        ({"down": "mlp.down"}, "down"),
        ({"down": "mlp.act"}, "weight"),
        ({"mlp_out": "post_norm"}, "post_norm"),
        ({"fused": "attention.qkv"}, "qkv"),
        ({"fused": ""}, "neither query, key and value nor one fused projection"),
        ({"query": "a", "key": "b", "value": "c"}, "or both"),
        ({"layout": "heads"}, "layout of its fused projection is 'heads'"),
        ({"out": "mlp.dense_4h_to_h"}, r"read \[24\] numbers, and the configuration says 2 of 4 heads of 4"),
    ],
)
def test_a_table_that_does_not_fit(changed: dict[str, str], why: str) -> None:
    with pytest.raises(
        ModelError, match=f"does not fit gpt_neox: .*{why}.*; give HookedModel an Architecture that does$"
    ) as caught:
        HookedModel(drawn(), architecture=Architecture(**{**NEOX, **changed}))
    assert "\n" not in caught.value.message


def test_a_table_of_ones_own() -> None:
    hooked = HookedModel(drawn(), architecture=Architecture(**NEOX), name="mine")
    assert hooked.name == "mine"
    assert hooked.run(BATCH, read=sites("query")).values[Site("query", 0)].shape == (3, 7, 4, 4)


@pytest.mark.parametrize("how", ["config", "integers", "packed"])
def test_quantised_weights(how: str) -> None:
    model = drawn("LlamaConfig")
    match how:
        case "config":
            model.config.quantization_config = {"quant_method": "bitsandbytes", "load_in_8bit": True}
        case "integers":
            down = model.model.layers[0].mlp.down_proj
            down.weight = torch.nn.Parameter(down.weight.to(torch.int8), requires_grad=False)
        case _:
            model.model.layers[0].mlp.down_proj = PackedLinear()
    with pytest.raises(ModelError, match=r"weights of llama are quantised, .*; load it without quantisation"):
        HookedModel(model)


class PackedLinear(torch.nn.Module):
    """As torch.ao makes them: the weights are no parameters."""


PackedLinear.__module__ = "torch.ao.nn.quantized.dynamic.modules.linear"


def test_weights_that_are_not_on_one_device() -> None:
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.GPTNeoXConfig(**SIZES))
    with pytest.raises(ModelError, match="lie on meta; load it on one device, without device_map"):
        HookedModel(model)
    model = drawn()
    model.lm_head.to("meta")
    with pytest.raises(ModelError, match="lie on cpu, meta"):
        HookedModel(model)


def test_a_model_that_gives_no_pattern() -> None:
    model = drawn()
    attention = type(model.gpt_neox.layers[0].attention)

    class Silent(attention):  # type: ignore[misc, valid-type]
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return super().forward(*args, **kwargs)[0], None

    for block in model.gpt_neox.layers:
        block.attention.__class__ = Silent
    hooked = HookedModel(model)
    assert hooked.run(BATCH, read=sites("z", "query")).values
    with pytest.raises(ModelError, match=r"gpt_neox gives no pattern.*; read query, key, value or z"):
        hooked.run(BATCH, read=sites("pattern"))


def test_a_copy_apart_runs_inside_a_hook() -> None:
    hooked = HookedModel(drawn())
    apart, truth, seen = hooked.apart(), hooked.run(BATCH, read=sites("z")), []

    def inside(value: Any, batch: Batch) -> Any:
        seen.append(apart.run(batch, read=sites("z")))
        return torch.zeros_like(value)

    edited = hooked.run(BATCH, edits=[Edit(Site("z", 0), inside)]).logits
    assert not torch.allclose(edited, truth.logits, atol=1e-3)
    assert torch.equal(seen[0].logits, truth.logits)


def test_a_closed_model_says_so() -> None:
    hooked = HookedModel(drawn())
    hooked.close()
    with pytest.raises(ModelError, match="gpt_neox has been closed"):
        hooked.run(BATCH)
