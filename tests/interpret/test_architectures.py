"""Every architecture of the path table, on small random models: what is read adds up, what is edited acts."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from saltus.interpret.network.architecture import architectures
from saltus.interpret.network.hooked import KINDS, Batch, Edit, HookedModel, Site

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LENGTH = 9
TINY = {"vocab_size": 24, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LONG = {"max_position_embeddings": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
WIDE = {**TINY, **LONG, "hidden_size": 16, "intermediate_size": 24}
GROUPED = {**WIDE, "num_key_value_heads": 2}
OLD = {**TINY, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 16, "n_inner": 24}
WINDOW = {"sliding_window": 3}
GEMMA = {**GROUPED, **WINDOW, "head_dim": 8, "final_logit_softcapping": 2.0}
NEO = {**TINY, "hidden_size": 16, "num_layers": 2, "num_heads": 4, "intermediate_size": 24, "window_size": 3}
NEO |= {"attention_types": [[["global", "local"], 1]], "max_position_embeddings": 16}
CONFIGURATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt_neox": ("GPTNeoXConfig", WIDE),
    "gpt_neox, sequential": ("GPTNeoXConfig", {**WIDE, "use_parallel_residual": False}),
    "gpt_neox, no bias": ("GPTNeoXConfig", {**WIDE, "attention_bias": False}),
    "gpt2": ("GPT2Config", OLD),
    "gpt_neo": ("GPTNeoConfig", NEO),
    "gptj": ("GPTJConfig", {**OLD, "rotary_dim": 2}),
    "llama": ("LlamaConfig", {**GROUPED, "attention_bias": True, "mlp_bias": True}),
    "llama, tied": ("LlamaConfig", {**GROUPED, "tie_word_embeddings": True}),
    "mistral": ("MistralConfig", {**GROUPED, **WINDOW}),
    "qwen2": ("Qwen2Config", GROUPED),
    "qwen3": ("Qwen3Config", {**GROUPED, "head_dim": 8}),
    "gemma": ("GemmaConfig", {**GROUPED, "head_dim": 8}),
    "gemma2": ("Gemma2Config", {**GEMMA, "attn_logit_softcapping": 1.0}),
    "gemma3_text": ("Gemma3TextConfig", GEMMA),
    "olmo": ("OlmoConfig", {**GROUPED, "clip_qkv": 2.0}),
    "olmo2": ("Olmo2Config", GROUPED),
    "olmo3": ("Olmo3Config", {**GROUPED, **WINDOW}),
    "phi": ("PhiConfig", GROUPED),
    "phi3": ("Phi3Config", GROUPED),
    "smollm3": ("SmolLM3Config", GROUPED),
    "stablelm": ("StableLmConfig", GROUPED),
    "starcoder2": ("Starcoder2Config", GROUPED),
}


def drawn(name: str, seed: int = 0) -> Any:
    """A model with weights large enough for every part to matter."""
    kind, options = CONFIGURATIONS[name]
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(getattr(transformers, kind)(**options)).eval()
    with torch.no_grad():
        for path, weight in model.named_parameters():
            weight.normal_(std=0.3 if weight.ndim > 1 else 0.1)
            if weight.ndim == 1 and path.endswith("weight"):
                weight.add_(1)
    return model


def rows(model: HookedModel, many: int = 3, length: int = LENGTH) -> Batch:
    tokens = torch.randint(3, 24, (many, length), generator=torch.Generator().manual_seed(1))
    return Batch(tokens.to(model.device), torch.full((many,), length), torch.arange(many))


class Case:
    def __init__(self, name: str) -> None:
        self.name = name
        self.plain = drawn(name)
        self.model = HookedModel(self.plain)
        self.batch = rows(self.model)
        self.sizes = self.model.anatomy
        self.layers = range(self.sizes.layers)
        self.sites = [Site(kind, layer) for kind in KINDS for layer in self.layers]
        run = self.model.run(self.batch, read=self.sites)
        self.logits, self.values = run
        with torch.no_grad():
            self.truth = self.plain(self.batch.tokens).logits

    def edited(self, site: Site, change: Any) -> Any:
        return self.model.run(self.batch, edits=[Edit(site, change)]).logits


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def near(one: Any, other: Any, scale: float = 1.0) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * max(1.0, scale))


def test_every_architecture_of_the_table_is_tested() -> None:
    kinds = {getattr(transformers, kind).model_type for kind, _ in CONFIGURATIONS.values()}
    assert kinds == set(architectures())


def test_logits_are_those_of_the_plain_model(case: Case) -> None:
    near(case.logits, case.truth)
    for site in case.sites:
        if site.kind != "pattern":
            near(case.edited(site, lambda value, batch: value.clone()), case.truth)


def test_values_have_the_documented_shapes(case: Case) -> None:
    sizes, (many, length) = case.sizes, case.batch.tokens.shape
    shapes = {
        "query": (many, length, sizes.heads, sizes.head_width),
        "key": (many, length, sizes.kv_heads, sizes.head_width),
        "value": (many, length, sizes.kv_heads, sizes.head_width),
        "pattern": (many, sizes.heads, length, length),
        "z": (many, length, sizes.heads, sizes.head_width),
        "neurons": (many, length, sizes.neurons),
    }
    for site in case.sites:
        assert tuple(case.values[site].shape) == shapes.get(site.kind, (many, length, sizes.width))
        assert not case.values[site].requires_grad


def test_the_residual_stream_is_the_sum_of_what_is_added_to_it(case: Case) -> None:
    at = case.values
    total = at[Site("resid_pre", 0)]
    for layer in case.layers:
        near(at[Site("resid_pre", layer)], total, float(total.abs().max()))
        total = total + at[Site("attention_out", layer)] + at[Site("mlp_out", layer)]
        near(at[Site("resid_post", layer)], total, float(total.abs().max()))
    near(case.model.unembed(at[Site("resid_post", case.layers[-1])]), case.truth)


def test_heads_and_neurons_write_what_the_projections_say(case: Case) -> None:
    for layer in case.layers:
        found = {}

        def keep(module: Any, args: Any, output: Any, name: str, found: Any = found) -> None:
            found[name] = output - (0 if getattr(module, "bias", None) is None else module.bias)

        block = case.plain.get_submodule(f"{case.model.architecture.blocks}.{layer}")
        handles = []
        for name in ("out", "down"):
            module = block.get_submodule(getattr(case.model.architecture, name))
            handles.append(module.register_forward_hook(lambda m, a, o, n=name, k=keep: k(m, a, o, n)))
        with torch.no_grad():
            case.plain(case.batch.tokens)
        for handle in handles:
            handle.remove()
        z, weights = case.values[Site("z", layer)], case.model.out_weights(layer)
        near(torch.einsum("bthd,hdw->btw", z, weights), found["out"], float(found["out"].abs().max()))
        neurons = case.values[Site("neurons", layer)] @ case.model.down_weights(layer)
        near(neurons, found["down"], float(found["down"].abs().max()))


def test_patterns_are_causal_and_weigh_the_values(case: Case) -> None:
    several = case.sizes.heads // case.sizes.kv_heads
    ahead = torch.ones(LENGTH, LENGTH).triu(1).bool()
    for layer in case.layers:
        pattern = case.values[Site("pattern", layer)]
        near(pattern.sum(-1), torch.ones(pattern.shape[:-1]))
        assert (pattern[..., ahead] == 0).all()
        value = case.values[Site("value", layer)]
        if case.name == "olmo":
            value = value.clamp(-2, 2)
        value = value.repeat_interleave(several, 2)
        near(torch.einsum("bhqk,bkhd->bqhd", pattern, value), case.values[Site("z", layer)])


@pytest.mark.parametrize("name", ["mistral", "gemma2", "gemma3_text", "olmo3", "gpt_neo"])
def test_a_sliding_window_shows_in_the_pattern(name: str) -> None:
    case = Case(name)
    far = torch.ones(LENGTH, LENGTH).tril(-3).bool()
    seen = [bool((case.values[Site("pattern", layer)][..., far] > 0).any()) for layer in case.layers]
    assert not all(seen)


def test_a_head_set_to_zero_is_a_head_without_rows_in_the_output_projection(case: Case) -> None:
    layer, head = case.layers[0], 1
    without = copy.deepcopy(case.plain)
    out = without.get_submodule(
        f"{case.model.architecture.blocks}.{layer}.{case.model.architecture.out}"
    ).weight
    width = case.sizes.head_width
    own = slice(head * width, (head + 1) * width)
    with torch.no_grad():
        (out if case.name == "gpt2" else out.T)[own] = 0
        theirs = without(case.batch.tokens).logits

    def off(value: Any, batch: Batch) -> Any:
        value = value.clone()
        value[:, :, head] = 0
        return value

    near(case.edited(Site("z", layer), off), theirs)
    assert not torch.allclose(theirs, case.truth, atol=1e-3)


@pytest.mark.parametrize("kind", ["query", "key", "value"])
def test_an_edit_of_a_projection_changes_that_projection_alone(case: Case, kind: str) -> None:
    layer, site = case.layers[-1], Site(kind, case.layers[-1])
    last = case.values[site].shape[2] - 1

    def change(value: Any, batch: Batch) -> Any:
        value = value.clone()
        value[:, :, last] = -value[:, :, last]
        return value

    run = case.model.run(case.batch, read=case.sites, edits=[Edit(site, change)])
    near(run.values[site], change(case.values[site], case.batch))
    for other in {"query", "key", "value"} - {kind}:
        near(run.values[Site(other, layer)], case.values[Site(other, layer)])
    several = case.sizes.heads // case.sizes.kv_heads
    reached = range(last, last + 1) if kind == "query" else range(last * several, (last + 1) * several)
    for head in range(case.sizes.heads):
        moved = (run.values[Site("z", layer)] - case.values[Site("z", layer)])[:, :, head].abs().max() > 1e-5
        # The norms of olmo2 and olmo3 span all heads, so a sign flips nothing but its own head either.
        assert bool(moved) == (head in reached)


def test_every_edit_reaches_the_logits_and_what_stands_behind_it(case: Case) -> None:
    for site in case.sites:
        if site.kind == "pattern":
            continue

        def set_to(value: Any, batch: Batch) -> Any:
            return torch.full_like(value, 0.3)

        run = case.model.run(case.batch, read=[site], edits=[Edit(site, set_to)])
        assert (run.values[site] == 0.3).all()
        # A query that is the same everywhere still asks; a constant elsewhere hides the tokens.
        assert not torch.allclose(run.logits, case.truth, atol=1e-4)


def test_logits_at_places_are_the_full_ones_there(case: Case) -> None:
    index, places = torch.tensor([[0, 0], [2, 1], [1, 1]]), torch.tensor([[3, 8], [5, 0], [2, 7]])
    found = case.model.run(case.batch, at=(index, places)).logits
    near(found, case.truth[index, places])
    empty, values = case.model.run(case.batch, read=[Site("z", 0)], logits=False)
    assert empty.numel() == 0
    near(values[Site("z", 0)], case.values[Site("z", 0)])


def test_gradients_agree_with_finite_differences(case: Case) -> None:
    at = (torch.tensor([0]), torch.tensor([LENGTH - 1]))
    run = case.model.run(case.batch, read=case.sites, gradients=True, at=at)
    found = torch.autograd.grad(run.logits[0, 5], [run.values[site] for site in case.sites])
    assert all(bool(one.abs().max() > 0) for one in found)
    for kind in ("resid_pre", "query", "value", "z", "neurons"):
        site = Site(kind, 0)
        slope = found[case.sites.index(site)]
        step = 1e-3 * torch.sign(slope)
        ends = [
            case.model.run(case.batch, edits=[Edit(site, lambda value, batch, by=by: value + by)], at=at)
            for by in (step, -step)
        ]
        rise = float(ends[0].logits[0, 5] - ends[1].logits[0, 5])
        assert rise == pytest.approx(2 * float((slope * step).sum()), rel=0.03, abs=1e-4), site


def test_the_model_that_was_handed_in_is_as_it_was(case: Case) -> None:
    fresh = drawn(case.name)
    assert case.plain.config._attn_implementation == fresh.config._attn_implementation
    for (path, one), (_, other) in zip(case.plain.named_parameters(), fresh.named_parameters(), strict=True):
        assert torch.equal(one, other), path
        assert one.grad is None
        assert one.requires_grad
    for module in case.plain.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    assert {one.data_ptr() for one in case.model._model.parameters()} == {
        one.data_ptr() for one in case.plain.parameters()
    }
