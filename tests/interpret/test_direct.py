"""Direct logit attribution: the parts add up to the margin, in every kind of block."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import numpy as np
import pytest

from saltus.family import checkpoints
from saltus.interpret.network.architecture import Architecture
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts, make_prompts
from saltus.interpret.network.scoring import score_prompts
from saltus.interpret.readout.direct import direct_effects, direct_logits, top_neurons
from saltus.interpret.readout.norms import freeze
from saltus.models.local import TransformersModel
from saltus.records.errors import ModelError
from saltus.records.explanations import Component, parse_components
from saltus.tasks import get_suite

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SMALL: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
GROUPED = {**SMALL, "num_key_value_heads": 1, "head_dim": 8}
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt_neox": ("GPTNeoXConfig", SMALL),
    "gpt_neox_in_turn": ("GPTNeoXConfig", {**SMALL, "use_parallel_residual": False}),
    "gpt2": (
        "GPT2Config",
        {"vocab_size": 40, "n_embd": 24, "n_layer": 2, "n_head": 3, "n_positions": 32, "n_inner": 32},
    ),
    "llama": ("LlamaConfig", GROUPED),
    "llama_with_biases": ("LlamaConfig", {**GROUPED, "attention_bias": True, "mlp_bias": True}),
    "mistral": ("MistralConfig", GROUPED),
    "qwen2": ("Qwen2Config", {k: v for k, v in GROUPED.items() if k != "head_dim"}),
    "qwen3": ("Qwen3Config", GROUPED),
    "gemma": ("GemmaConfig", GROUPED),
    "gemma2": ("Gemma2Config", {**GROUPED, "final_logit_softcapping": 3.0}),
    "gemma3": ("Gemma3TextConfig", GROUPED),
    "olmo": ("OlmoConfig", {k: v for k, v in GROUPED.items() if k != "head_dim"}),
    "olmo2": ("Olmo2Config", {k: v for k, v in GROUPED.items() if k != "head_dim"}),
}


def random_model(name: str) -> Any:
    """Every weight, bias and norm of it is random, so that nothing is left out by being zero."""
    kind, sizes = CONFIGS[name]
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(getattr(transformers, kind)(**sizes)).eval()
    with torch.no_grad():
        for key, weights in model.named_parameters():
            weights.copy_(torch.randn_like(weights) * 0.3 + (1.0 if "norm" in key or "ln_" in key else 0.0))
    return model


def random_prompts(rivals: bool = True) -> Prompts:
    draw = np.random.default_rng(1)
    rows, length = 12, 9
    answers = draw.permutation(40)[:rows]
    return Prompts(
        task="random",
        metric="exact_match",
        samples=tuple(f"s{i}" for i in range(rows)),
        tokens=draw.integers(1, 40, (rows, length)),
        lengths=np.array([length - i % 3 for i in range(rows)]),
        starts=np.array([length - i % 3 - 1 for i in range(rows)]),
        answers=answers[:, None],
        items=np.arange(rows),
        right=np.ones(rows, bool),
        rivals=(answers + 1) % 40 if rivals else np.full(rows, -1),
    )


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("rivals", [True, False])
def test_the_parts_add_up_to_the_margin(name: str, rivals: bool) -> None:
    model, prompts = random_model(name), random_prompts(rivals)
    found = direct_logits(HookedModel(model), prompts)
    plain = copy.deepcopy(model)
    if getattr(plain.config, "final_logit_softcapping", None):
        plain.config.final_logit_softcapping = None
    with torch.no_grad():
        logits = plain(torch.from_numpy(prompts.tokens)).logits[range(12), prompts.starts].double().numpy()
    margin = logits[range(12), prompts.answers[:, 0]] - (
        logits[range(12), prompts.rivals] if rivals else logits.mean(1)
    )
    assert found.contrast == ("logit_difference" if rivals else "target_logit")
    assert np.abs(margin).max() > 0.5
    np.testing.assert_allclose(found.values.sum(1), margin, atol=1e-4)
    assert found.error < (1e-3 if found.softcap else 1e-4)
    assert len(found.components) == 1 + 2 * (3 + 1) + 1


@pytest.mark.parametrize("name", ["gpt2", "gemma2"])
def test_an_mlp_is_the_sum_of_its_neurons_and_batches_do_not_matter(name: str) -> None:
    model, prompts = HookedModel(random_model(name)), random_prompts()
    found = direct_logits(model, prompts)
    neurons = top_neurons(model, prompts, found, most=64)
    assert len(neurons.components) == 64
    for layer in range(2):
        own = [i for i, one in enumerate(neurons.components) if one.layer == layer]
        whole = found.values[:, found.components.index(Component(layer, part="mlp"))]
        np.testing.assert_allclose(neurons.values[:, own].sum(1), whole, atol=1e-4)
    small = direct_logits(model, prompts, batch_tokens=20)
    np.testing.assert_allclose(small.values, found.values, atol=1e-5)
    again = top_neurons(model, prompts, small, most=3, batch_tokens=20)
    assert again.components == neurons.components[:3]
    np.testing.assert_allclose(again.values, neurons.values[:, :3], atol=1e-5)


def test_a_head_that_writes_nothing_has_no_effect() -> None:
    model = random_model("llama")
    with torch.no_grad():
        model.model.layers[1].self_attn.o_proj.weight[:, 8:16] = 0
    rows = direct_effects(HookedModel(model), random_prompts(), run="r", model_id="m", neurons=2)
    by_name = {row.component: row for row in rows}
    silent = by_name["L1H1"]
    assert (silent.effect, silent.low, silent.high) == (0, 0, 0)
    assert by_name["L1H0"].effect != 0
    assert {str(parse_components(row.component)[0]) for row in rows} == set(by_name)


def test_the_induction_head_carries_recall() -> None:
    record = next(one for one in checkpoints("2x64") if one.step == 2000)
    local = TransformersModel(record.location, record=record)
    model = HookedModel(local.network.model)
    task = next(one for one in get_suite("family").tasks if one.name == "recall")
    prompts = make_prompts(list(task.items()), local.encoder, metric="exact_match")
    rows = direct_effects(model, prompts, run="r", model_id=record.id, neurons=5)
    by_name = {row.component: row for row in rows}
    margin = score_prompts(model, prompts).margin.mean()
    top = max(by_name.values(), key=lambda row: row.effect)
    assert top.component == "L1H0"
    assert top.effect > 0.9 * margin
    assert top.baseline == pytest.approx(margin, abs=1e-4)
    assert top.low is not None
    assert top.low > 0.85 * margin
    assert (top.n, top.method, top.metric) == (256, "direct_logit", "logit_difference")
    parts = [row.effect for row in rows if "N" not in row.component]
    assert sum(parts) == pytest.approx(margin, abs=1e-4)
    neurons = [row for row in rows if "N" in row.component]
    assert [(row.n, msgspec.json.decode(row.detail)["chosen_on"]) for row in neurons] == [(128, 128)] * 5


def test_clusters_stay_together_when_neurons_are_chosen() -> None:
    model = HookedModel(random_model("gpt_neox"))
    prompts = msgspec.structs.replace(random_prompts(), clusters=tuple("abcdefabcdef"))
    neurons = top_neurons(model, prompts, direct_logits(model, prompts), most=2)
    np.testing.assert_array_equal(neurons.held_out[:6], neurons.held_out[6:])


@pytest.mark.parametrize("width", [7, 8])
def test_norms_are_measured(width: int) -> None:
    torch.manual_seed(0)
    layer, root = torch.nn.LayerNorm(width), torch.nn.RMSNorm(width)
    bare = torch.nn.LayerNorm(width, elementwise_affine=False)
    for norm in (layer, root):
        with torch.no_grad():
            for weights in norm.parameters():
                weights.normal_()
    x, read = torch.randn(5, width), torch.randn(width)
    for norm, centred in ((layer, True), (root, False), (bare, True)):
        frozen = freeze(norm, width, "m")
        out = norm(x).detach()
        assert frozen.centred == centred
        linear = (frozen.back(read) * x).sum(-1) / frozen.scale(x, out) + read @ frozen.bias
        torch.testing.assert_close(linear, out @ read, atol=1e-5, rtol=1e-4)


def test_a_norm_that_is_none_is_refused() -> None:
    with pytest.raises(ModelError, match="neither a LayerNorm nor an RMSNorm"):
        freeze(torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Tanh()), 6, "m")


def test_a_block_that_is_no_sum_is_refused() -> None:
    config = transformers.GraniteConfig(**{**GROUPED, "residual_multiplier": 0.5})
    torch.manual_seed(0)
    model = transformers.GraniteForCausalLM(config).eval()
    paths = Architecture(
        blocks="model.layers",
        norm="model.norm",
        attention="self_attn",
        out="self_attn.o_proj",
        query="self_attn.q_proj",
        key="self_attn.k_proj",
        value="self_attn.v_proj",
        mlp="mlp",
        down="mlp.down_proj",
    )
    with torch.no_grad():
        for weights in model.parameters():
            weights.normal_(0.5, 0.3)
    with pytest.raises(ModelError, match="miss the margin"):
        direct_logits(HookedModel(model, architecture=paths), random_prompts())
