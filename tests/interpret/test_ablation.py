"""Taking components out: what is put in their place, and what does not depend on batches."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from saltus.interpret.causal.ablation import METHODS, Method, ablate, reference
from saltus.interpret.causal.effects import ablation_effects
from saltus.interpret.network.hooked import HookedModel, Site
from saltus.interpret.network.scoring import score_prompts
from saltus.records.errors import UsageError
from saltus.records.explanations import parse_components

from .small import prompts, trained, untrained
from .test_scoring import mixed, near


@pytest.mark.parametrize("method", METHODS)
def test_batches_of_any_size_give_equal_ablations(method: Method) -> None:
    model, given = HookedModel(untrained("llama")), mixed()
    edits = ablate(model, parse_components("L0H1+MLP0+L1H2"), method, baseline=reference(model, given))
    near(score_prompts(model, given, edits), score_prompts(model, given, edits, batch_tokens=1))


def test_means_are_those_of_real_tokens() -> None:
    model, given = HookedModel(untrained()), mixed()
    found = reference(model, given, neurons=True, batch_tokens=64).means
    sums = torch.zeros(4, 8, dtype=torch.float64)
    for batch in given.batches("cpu", 1):
        sums += model.run(batch, read=[Site("z", 1)]).values[Site("z", 1)][0].double().sum(0)
    assert torch.allclose(found[Site("z", 1)].double(), sums / given.lengths.sum(), atol=1e-5)


def test_the_mean_alone_is_left_at_every_place() -> None:
    model, given = HookedModel(untrained()), mixed()
    baseline = reference(model, given)
    batch = next(given.batches("cpu"))
    edits = ablate(model, parse_components("L0H2+MLP1"), baseline=baseline)
    sites = [Site("z", 0), Site("mlp_out", 1)]
    found = model.run(batch, read=sites, edits=edits).values
    plain = model.run(batch, read=sites).values
    assert torch.equal(
        found[sites[0]][:, :, 2], baseline.means[sites[0]][2].expand_as(found[sites[0]][:, :, 2])
    )
    assert torch.equal(found[sites[0]][:, :, 1], plain[sites[0]][:, :, 1])
    assert torch.equal(found[sites[1]], baseline.means[sites[1]].expand_as(found[sites[1]]))


def test_resampling_takes_another_prompt_of_equal_length() -> None:
    model, given = HookedModel(untrained()), mixed()
    site = Site("z", 0)
    edits = ablate(
        model, parse_components("ATTN0"), "resample_ablation", baseline=reference(model, given), seed=3
    )
    own = {
        int(batch.rows[0]): model.run(batch, read=[site]).values[site][0] for batch in given.batches("cpu", 1)
    }
    for batch in given.batches("cpu", 1):
        row = int(batch.rows[0])
        value = model.run(batch, read=[site], edits=edits).values[site][0]
        same = [
            other
            for other, theirs in own.items()
            if given.lengths[other] == given.lengths[row] and torch.allclose(theirs, value, atol=1e-5)
        ]
        assert same
        assert given.items[row] not in given.items[same]


def test_a_set_is_the_same_in_any_order_and_a_layer_is_its_parts() -> None:
    model, given = HookedModel(untrained("gpt2")), mixed()
    baseline = reference(model, given)
    for one, other in (("L0H1+MLP1", "MLP1+L0H1"), ("L1", "ATTN1+MLP1"), ("ATTN0", "L0H0+L0H1+L0H2+L0H3")):
        a, b = (ablate(model, parse_components(text), baseline=baseline) for text in (one, other))
        near(score_prompts(model, given, a), score_prompts(model, given, b))


def test_recall_falls_with_its_induction_head() -> None:
    _, model = trained()
    given = prompts(n=128)
    rows = ablation_effects(
        model,
        given,
        [*parse_components("L1H0+L1H1"), *parse_components("L1H1"), parse_components("L1H0")],
        baseline=reference(model, given),
    )
    by = {(row.component, row.metric): row for row in rows}
    hit = by["L1H0", "exact_match"]
    assert hit.effect < -0.8
    assert hit.high is not None
    assert hit.high < -0.7
    assert hit.baseline == 1
    assert hit.n == 128
    assert hit.model == model.name
    assert abs(by["L1H1", "exact_match"].effect) < 0.05
    assert by["L1H0", "logit_difference"].effect < -5


def test_misuse_is_said_in_one_sentence() -> None:
    _, model = trained()
    given = prompts(n=4)
    baseline = reference(model, given)
    for text in ("L7H0", "L0H9", "MLP5", "MLP0N9999", "L2", "ATTN2"):
        with pytest.raises(UsageError, match="counted from 0"):
            ablate(model, parse_components(text), "zero_ablation")
    with pytest.raises(UsageError, match="embedding"):
        ablate(model, parse_components("EMBED"), "zero_ablation")
    with pytest.raises(UsageError, match="neurons=True"):
        ablate(model, parse_components("MLP0N3"), baseline=baseline)
    with pytest.raises(UsageError, match="measure"):
        ablate(model, parse_components("L0H0"))
    with pytest.raises(UsageError, match="measure"):
        ablate(model, parse_components("L0H0"), "resample_ablation")
    with pytest.raises(UsageError, match="no way of ablation"):
        ablate(model, parse_components("L0H0"), "other")  # type: ignore[arg-type]
    resampled = ablate(model, parse_components("L0H0"), "resample_ablation", baseline=baseline)
    with pytest.raises(UsageError, match="others are run"):
        score_prompts(model, prompts("facts", 4), resampled)
    single = msgspec.structs.replace(baseline, prompts=given.take(np.array([0])))
    with pytest.raises(UsageError, match="two samples"):
        ablate(model, parse_components("L0H0"), "resample_ablation", baseline=single)
