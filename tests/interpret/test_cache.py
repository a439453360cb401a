"""Activations in a stream: the whole of them in pieces, and never more at once than the budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saltus.interpret.network.cache import MOST_TOKENS, activations, batch_tokens, row_bytes
from saltus.interpret.network.hooked import KINDS, Batch, HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import InputError, UsageError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def model() -> HookedModel:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=24,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
    )
    return HookedModel(transformers.AutoModelForCausalLM.from_config(config))


def drawn(lengths: list[int]) -> Prompts:
    many, longest = len(lengths), max(lengths)
    tokens = np.random.default_rng(0).integers(1, 24, (many, longest))
    return Prompts(
        task="random",
        metric="exact_match",
        samples=tuple(map(str, range(many))),
        tokens=np.where(np.arange(longest) < np.array(lengths)[:, None], tokens, 0),
        lengths=np.array(lengths),
        starts=np.array(lengths) - 1,
        answers=np.ones((many, 1), np.int64),
        items=np.arange(many),
        right=np.ones(many, bool),
        rivals=np.full(many, -1),
    )


def all_sites() -> list[Site]:
    return [Site(kind, layer) for kind in KINDS for layer in range(2)]


def test_pieces_are_the_whole(model: HookedModel) -> None:
    prompts = drawn([5, 9, 3, 9, 7, 8])
    one = 2 * row_bytes(model, 9, all_sites())  # at least what the stream counts
    seen = []
    for batch, values in activations(model, prompts, all_sites(), budget_bytes=2 * one):
        assert batch.tokens.numel() <= 4 * 9
        seen += batch.rows.tolist()
        for i, row in enumerate(batch.rows.tolist()):
            length = int(prompts.lengths[row])
            alone = Batch(
                torch.from_numpy(prompts.tokens[row : row + 1, :length]),
                torch.tensor([length]),
                torch.tensor([row]),
            )
            for site, value in model.run(alone, read=all_sites()).values.items():
                own = values[site][i]
                own = own[:, :length, :length] if site.kind == "pattern" else own[:length]
                torch.testing.assert_close(own, value[0], rtol=0, atol=1e-5)
    assert sorted(seen) == list(range(6))


def test_reduced_activations(model: HookedModel) -> None:
    prompts = drawn([6, 6, 6])
    read = {Site("pattern", layer): lambda value: value.diagonal(-1, 2, 3).mean(-1) for layer in range(2)}
    [(batch, values)] = list(activations(model, prompts, read))
    assert values[Site("pattern", 1)].shape == (3, 4)
    whole = model.run(batch, read=[Site("pattern", 1)]).values[Site("pattern", 1)]
    torch.testing.assert_close(values[Site("pattern", 1)], whole.diagonal(-1, 2, 3).mean(-1))


def test_a_prompt_over_the_budget_says_what_it_needs(model: HookedModel) -> None:
    prompts = drawn([200])
    with pytest.raises(
        UsageError, match=r"one prompt of 200 tokens needs [\d.]+ MB .* budget is 0.1 MB; give"
    ):
        next(activations(model, prompts, all_sites(), budget_bytes=100_000))
    assert batch_tokens(model, 200, budget_bytes=1_000) == 200  # whoever has no choice runs one at a time


def test_corrupted_prompts_that_are_not_there(model: HookedModel) -> None:
    with pytest.raises(InputError, match="has no corrupted prompts"):
        next(activations(model, drawn([4]), all_sites(), twins=True))


def test_what_costs_more_gets_fewer_tokens(model: HookedModel) -> None:
    patterns = [Site("pattern", layer) for layer in range(2)]
    reduced: dict[Site, Any] = dict.fromkeys(patterns, lambda value: value.mean())

    def cost(*args: Any, **options: Any) -> int:
        return row_bytes(model, 256, *args, **options)

    assert cost() < cost(reduced)
    assert cost() < cost(patterns[:1]) < cost(patterns)
    assert cost() < cost([Site("z", 0)]) < cost([Site("z", 0), Site("z", 1)])
    assert cost() < cost(gradients=True)
    assert cost() < cost(places=256 * 100)
    tokens = [
        batch_tokens(model, 256, read, budget_bytes=2 * cost(patterns))
        for read in ([], patterns[:1], patterns)
    ]
    assert tokens == sorted(tokens, reverse=True)
    assert tokens[-1] == 2 * 256
    assert batch_tokens(model, 8, budget_bytes=1 << 40) == MOST_TOKENS
    assert batch_tokens(model, 20_000, budget_bytes=1 << 40) == 20_000


@pytest.mark.parametrize("what", ["nothing", "residuals", "patterns", "reduced", "gradients"])
def test_the_cost_is_no_less_than_what_torch_allocates(model: HookedModel, what: str) -> None:
    """Every tensor that torch makes is counted, those that are alive at once among them."""
    length, many = 256, 2
    tokens = torch.from_numpy(drawn([length] * many).tokens)
    batch = Batch(tokens, torch.full((many,), length), torch.arange(many))
    kinds = {"residuals": ("resid_pre", "resid_post", "mlp_out"), "patterns": ("pattern",)}
    read: Any = [Site(kind, layer) for kind in kinds.get(what, ()) for layer in range(2)]
    if what == "reduced":
        read = {Site("pattern", layer): lambda value: value.double().mean((0, 2, 3)) for layer in range(2)}
    model.run(batch, read=read)
    with torch.profiler.profile(profile_memory=True) as profile:
        kept = model.run(batch, read=read, gradients=what == "gradients", logits=what == "gradients")
    del kept
    alive = peak = 0
    for event in sorted(profile.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            alive += event.nbytes()
            peak = max(peak, alive)
    places = length if what == "gradients" else 0
    assert peak > 0
    assert peak <= many * row_bytes(model, length, read, places=places, gradients=what == "gradients")
