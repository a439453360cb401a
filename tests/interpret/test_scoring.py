"""Scores do not depend on padding or batches, and agree with those of the evaluation."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts, make_prompts
from saltus.interpret.network.scoring import ItemScores, change_interval, mean_interval, score_prompts

from .small import prompts, samples, trained, untrained


def mixed() -> Prompts:
    """Rows of different lengths, with answers of different lengths."""
    loaded, _ = trained()
    return make_prompts(
        [*samples("recall", 12), *samples("facts", 12), *samples("recite", 12)], loaded.encoder
    )


def near(one: ItemScores, other: ItemScores) -> None:
    assert np.array_equal(one.correct, other.correct)
    assert np.allclose(one.logprob, other.logprob, atol=1e-5)
    assert np.allclose(one.margin, other.margin, atol=1e-4, equal_nan=True)


@pytest.mark.parametrize("tokens", [1, 30, 100])
@pytest.mark.parametrize("kind", ["gpt_neox", "gpt2", "llama"])
def test_batches_of_any_size_score_alike(kind: str, tokens: int) -> None:
    model, given = HookedModel(untrained(kind)), mixed()
    near(score_prompts(model, given), score_prompts(model, given, batch_tokens=tokens))


def test_more_padding_changes_nothing() -> None:
    _, model = trained()
    given = mixed()
    wider = msgspec.structs.replace(given, tokens=np.pad(given.tokens, ((0, 0), (0, 9)), constant_values=5))
    near(score_prompts(model, given), score_prompts(model, wider))


@pytest.mark.parametrize("task", ["recall", "addition", "recite"])
def test_generations_score_as_the_greedy_ones_do(task: str) -> None:
    loaded, model = trained()
    found = score_prompts(model, prompts(task, 24))
    for sample, right in zip(samples(task, 24), found.correct, strict=True):
        [(prompt, [answer])] = loaded.encoder.pairs([sample.input], [[sample.target]])
        given = torch.tensor([prompt])
        made = loaded.network.model.generate(
            given,
            attention_mask=torch.ones_like(given),  # the prompt's newline is also the padding
            max_new_tokens=len(answer),
            do_sample=False,
            pad_token_id=0,
            eos_token_id=None,
        )
        assert bool(right) == (made[0, len(prompt) :].tolist() == answer)


def test_choices_score_by_their_whole_log_probability() -> None:
    _, model = trained()
    given = prompts("override", 24)
    found = score_prompts(model, given)
    alone = [
        score_prompts(model, msgspec.structs.replace(given.take([row]), right=np.array([True]))).logprob[0]
        for row in range(len(given))
    ]
    right = np.flatnonzero(given.right)
    for i, row in enumerate(right):
        others = [alone[other] for other in np.flatnonzero(given.items == i) if other != row]
        assert found.correct[i] == float(alone[row] > max(others))


def test_a_change_of_shares_keeps_a_width_and_its_clusters() -> None:
    before, after = np.ones(50), np.ones(50)
    same = change_interval(before, after)
    assert same.low < 0 < same.high
    after[:20] = 0
    free = change_interval(before, after)
    tied = change_interval(before, after, [str(i // 10) for i in range(50)])
    assert free.value == tied.value == pytest.approx(-0.4)
    assert tied.high - tied.low > free.high - free.low


def test_values_that_are_not_there_are_left_out() -> None:
    assert mean_interval(np.array([1.0, np.nan, 3.0])).value == 2
    with pytest.raises(ValueError, match="no finite value"):
        mean_interval(np.array([np.nan]))
