"""Head scores: against patterns averaged by hand, and on known heads, a trap and random models."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from saltus.interpret.attention.heads import head_effects, head_scores
from saltus.interpret.attention.probes import Vocabulary, make_probes, probe_vocabulary
from saltus.interpret.attention.views import attention_views
from saltus.interpret.network.hooked import Batch, HookedModel, Site
from saltus.records import INTERNALS, InputError, UsageError
from saltus.records.explanations import Component, parse_components

from . import small

WORDS = Vocabulary(tokens=tuple(range(1, 64)), start=(0,))


def of_recall(size="2x64"):
    loaded, model = small.trained(size)
    prompts = small.prompts("recall", 64)
    probes = make_probes(probe_vocabulary(loaded.encoder, prompts), context=64)
    return head_scores(model, probes, prompts)


def named(scores, role):
    return [one.component for one in scores.roles() if one.role == role]


def test_the_heads_of_recall_are_found():
    scores = of_recall()
    assert named(scores, "previous_token") == ["L0H1"]
    assert named(scores, "induction") == ["L1H0"]
    assert named(scores, "source") == ["L1H0"]
    assert [str(head) for head in scores.ranked("induction")[:1]] == ["L1H0"]
    assert scores.score("induction").lengths == (8, 10, 12, 15)


def test_one_layer_has_no_induction_head():
    assert not {"induction", "source", "duplicate"} & {one.role for one in of_recall("1x48").roles()}


def test_a_backup_head_is_found_beside_the_first():
    assert len(named(of_recall("3x80"), "induction")) == 2


def test_without_a_task_the_probes_are_words():
    loaded, _ = small.trained()
    found = probe_vocabulary(loaded.encoder)
    assert loaded.encoder.text(found.tokens) == "abcdefghijklmnopqrstuvwxyz"
    assert (found.values, found.start) == ((), (0,))
    addition = probe_vocabulary(loaded.encoder, small.prompts("addition", 32))
    assert addition == found


def test_a_lookup_gives_keys_and_values():
    loaded, _ = small.trained()
    found = probe_vocabulary(loaded.encoder, small.prompts("recall", 64))
    assert loaded.encoder.text(found.values) == "0123456789"
    assert set(loaded.encoder.text(found.tokens)) <= set("abcdefghijklmnopqrstuvwxyz")
    assert found.shown == 8


@pytest.mark.parametrize(
    "vocabulary", [WORDS, Vocabulary(tokens=tuple(range(20, 50)), values=(1, 2, 3), start=(0,))]
)
def test_probes_repeat_what_they_say(vocabulary):
    probes = make_probes(vocabulary, context=64, seed=3)
    again = make_probes(vocabulary, context=64, seed=3)
    assert len(probes.lengths) >= 3
    for probe, same in zip(probes.repeats, again.repeats, strict=True):
        row = np.arange(len(probe.tokens))[:, None]
        assert (probe.tokens == same.tokens).all()
        assert (probe.tokens[row, probe.queries] == probe.tokens[row, probe.earlier]).all()
        assert (probe.tokens[:, 0] == 0).all()
        assert probe.tokens.shape[1] <= 64
        distances = probe.queries - probe.earlier
        assert len(np.unique(distances)) > 1
        for tokens, queries in zip(probe.tokens, probe.queries, strict=True):
            # Every asked token stands once before, so that what follows it is told by the content.
            assert all((tokens[:place] == tokens[place]).sum() == 1 for place in queries)


def test_segments_of_different_lengths_share_no_distance():
    found = [set((one.queries - one.earlier).ravel()) for one in make_probes(WORDS, context=128).repeats]
    assert all(not a & b for i, a in enumerate(found) for b in found[i + 1 :])


@pytest.mark.parametrize(("many", "context"), [(7, 64), (40, 12)])
def test_too_little_to_probe_with_is_one_sentence(many, context):
    with pytest.raises(InputError, match="do not hold probes of three lengths"):
        make_probes(Vocabulary(tokens=tuple(range(many)), start=(0,)), context=context)
    with pytest.raises(InputError, match="a probe of length 40 does not fit"):
        make_probes(Vocabulary(tokens=tuple(range(30))), context=64, lengths=[40])


@pytest.mark.parametrize("kind", ["gpt_neox", "gpt2", "llama"])
def test_scores_are_means_of_the_pattern(kind):
    model = HookedModel(small.untrained(kind))
    probes = make_probes(WORDS, context=64)
    scores = head_scores(model, probes)
    for i, probe in enumerate(probes.repeats):
        tokens = torch.from_numpy(probe.tokens)
        rows = torch.arange(len(tokens))
        batch = Batch(tokens, torch.full((len(tokens),), tokens.shape[1]), rows)
        pattern = model.run(batch, read=[Site("pattern", 1)]).values[Site("pattern", 1)].double().numpy()
        row = np.arange(len(tokens))[:, None]
        for name, query, key in (
            ("induction", probe.queries, probe.earlier + 1),
            ("duplicate", probe.queries, probe.earlier),
            ("previous_token", probe.earlier + 1, probe.earlier),
        ):
            wanted = pattern[row, :, query, key].mean((0, 1))
            np.testing.assert_allclose(scores.score(name).each.value[i, 1], wanted, atol=1e-6)
        np.testing.assert_allclose(
            scores.score("delimiter").each.value[i, 1], pattern[:, :, 1:, 0].mean((0, 2)), atol=1e-6
        )
    flat = probes.random
    batch = Batch(torch.from_numpy(flat), torch.full((len(flat),), flat.shape[1]), torch.arange(len(flat)))
    pattern = model.run(batch, read=[Site("pattern", 0)]).values[Site("pattern", 0)].double().numpy()
    for head, distance in enumerate(scores.distances[0]):
        wanted = np.mean([pattern[4:, head, q, q - distance] for q in range(1 + distance, flat.shape[1])])
        assert scores.score("fixed_distance").mean.value[0, head] == pytest.approx(wanted, abs=1e-6)


def test_uniform_attention_scores_its_baseline():
    raw = small.untrained("gpt_neox", 5)
    with torch.no_grad():
        for layer in raw.gpt_neox.layers:
            layer.attention.query_key_value.weight.zero_()
            layer.attention.query_key_value.bias.zero_()
    scores = head_scores(HookedModel(raw), make_probes(WORDS, context=64))
    for name in ("previous_token", "induction", "duplicate", "delimiter"):
        score = scores.score(name)
        for value, baseline in zip(score.each.value, score.baselines, strict=True):
            assert value == pytest.approx(np.full_like(value, baseline), abs=1e-6)


def repeating(period, seed=0, layers=1):
    """A model trained on random tokens repeated with one period, and the share of repeats it foretells."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    config = GPTNeoXConfig(
        vocab_size=32,
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    model = GPTNeoXForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0)
    for _ in range(200):
        segment = rng.integers(1, 32, (32, period))
        tokens = torch.from_numpy(np.concatenate([np.zeros((32, 1), int)] + [segment] * 4, 1)[:, :49])
        logits = model(tokens[:, :-1]).logits[:, period + 1 :]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 32), tokens[:, period + 2 :].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = (logits.argmax(-1) == tokens[:, period + 2 :]).float().mean()
    return model.eval(), float(right)


def test_a_head_that_attends_at_one_distance_is_not_called_induction():
    period = 12
    model, right = repeating(period)
    assert right > 0.95
    vocabulary = Vocabulary(tokens=tuple(range(1, 32)), start=(0,))
    # At its own period alone the head looks perfect ...
    tokens = make_probes(vocabulary, context=64, lengths=[period]).repeats[0].tokens[:, 1 : 1 + period]
    fake = torch.from_numpy(np.concatenate([np.zeros((len(tokens), 1), int), tokens, tokens], 1))
    hooked = HookedModel(model)
    batch = Batch(fake, torch.full((len(fake),), fake.shape[1]), torch.arange(len(fake)))
    pattern = hooked.run(batch, read=[Site("pattern", 0)]).values[Site("pattern", 0)]
    place = torch.arange(1 + period, 1 + 2 * period)
    assert pattern[:, :, place, place - period + 1].mean((0, 2)).max() > 0.7
    # ... and is told from induction all the same.
    scores = head_scores(hooked, make_probes(vocabulary, context=64))
    roles = scores.roles()
    assert not [one for one in roles if one.role in ("induction", "duplicate")]
    assert {one.distance for one in roles if one.role == "fixed_distance"} == {period - 1}


@pytest.mark.parametrize("kind", ["gpt_neox", "gpt2", "llama"])
def test_random_models_have_no_roles(kind):
    probes = make_probes(WORDS, context=64)
    with_role = [
        seed for seed in range(20) if head_scores(HookedModel(small.untrained(kind, seed)), probes).roles()
    ]
    assert len(with_role) <= 1


def test_copying_is_found_where_the_circuit_copies():
    raw = small.untrained("gpt_neox", 2)
    with torch.no_grad():  # values are the embedding, and what is written is what the output layer reads
        raw.gpt_neox.embed_in.weight.normal_()
        raw.lm_head.weight.copy_(raw.gpt_neox.embed_in.weight)
        attention = raw.gpt_neox.layers[0].attention
        width = 8
        for head in range(4):
            rows = slice(3 * width * head + 2 * width, 3 * width * (head + 1))
            attention.query_key_value.weight[rows] = torch.eye(32)[head * width : (head + 1) * width]
        attention.dense.weight.copy_(torch.eye(32))
        attention.dense.weight[:, 3 * width :] *= -1
    copying = head_scores(HookedModel(raw), make_probes(WORDS, context=64)).score("copying")
    assert (copying.mean.low[0, :3] > 3 * copying.baseline).all()
    assert copying.mean.value[0, 3] < 0.05


def test_effects_are_rows():
    scores = of_recall()
    rows = head_effects(scores, run="r")
    assert len(rows) == 7 * 8
    by = {(row.method, row.component): row for row in rows}
    induction = by["induction", "L1H0"]
    assert (induction.task, induction.metric, induction.run) == (INTERNALS, "attention", "r")
    assert induction.low < induction.effect < induction.high
    assert induction.baseline < 0.05
    detail = json.loads(induction.detail)
    assert detail["lengths"] == [8, 10, 12, 15]
    assert np.mean(detail["by_length"]) == pytest.approx(induction.effect, abs=1e-3)
    assert by["source", "L1H0"].task == "recall"
    assert by["copying", "L1H0"].metric == "share"
    assert "distance" in json.loads(by["fixed_distance", "L0H0"].detail)


def test_a_score_that_was_not_measured_is_named():
    scores = head_scores(HookedModel(small.untrained()), make_probes(WORDS, context=64))
    with pytest.raises(UsageError, match=r"no score 'source' was measured.*prompts"):
        scores.score("source")


def test_clusters_count_once():
    loaded, model = small.trained()
    prompts = small.prompts("recall", 64, cluster="pairs_back")
    probes = make_probes(probe_vocabulary(loaded.encoder, prompts), context=64)
    source = head_scores(model, probes, prompts).score("source")
    assert source.n == 8


def test_views_show_the_pattern():
    loaded, model = small.trained()
    prompts = small.prompts("recall", 4)
    heads = list(parse_components("L1H0+L0H1"))
    views = attention_views(model, prompts, loaded.encoder, heads, rows=[2, 0])
    assert [view.sample for view in views] == ["recall-002", "recall-000"]
    view = views[0]
    sample = small.samples("recall", 4)[2]
    assert "".join(view.tokens) == sample.input
    assert (view.target, view.heads) == (sample.target, ("L1H0", "L0H1"))
    assert view.tokens[view.sources[0]] == sample.target
    weights = np.array(view.weights)
    assert weights.shape == (2, 18, 18)
    assert np.allclose(weights.sum(-1), 1, atol=0.02)
    assert weights[0, -1, view.sources[0]] > 0.8
    assert (weights == np.round(weights, 3)).all()
    assert not attention_views(model, prompts, loaded.encoder, heads, rows=[0], most_tokens=17)
    with pytest.raises(UsageError, match="has no head L7H0"):
        attention_views(model, prompts, loaded.encoder, [Component(7, 0)], rows=[0])
