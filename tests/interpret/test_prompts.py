"""Samples as tokens: rows of choices, twins, sources, and the sentences for what does not fit."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from saltus.interpret.network.prompts import make_prompts
from saltus.records.errors import InputError

from .small import prompts, samples, trained


def test_a_row_holds_prompt_and_answer_without_its_last_token() -> None:
    loaded, _ = trained()
    found = prompts("addition", 8)
    first = samples("addition", 1)[0]
    [(prompt, [answer])] = loaded.encoder.pairs([first.input], [[first.target]])
    assert found.tokens[0, : found.lengths[0]].tolist() == [*prompt, *answer[:-1]]
    assert found.starts[0] == len(prompt) - 1
    assert found.answers[0].tolist() == answer


def test_a_choice_has_a_row_and_its_rival_is_another_answer() -> None:
    found = prompts("override", 8)
    assert len(found) == 16
    assert found.right.sum() == 8
    assert (found.rivals != found.answers[:, 0]).all()


def test_a_rival_that_begins_alike_is_none() -> None:
    loaded, _ = trained()
    sample = msgspec.structs.replace(
        samples("addition", 1)[0],
        target="21",
        extra={"counterfactuals": {"alike": {"input": samples("addition", 1)[0].input, "target": "20"}}},
    )
    assert make_prompts([sample], loaded.encoder).rivals.tolist() == [-1]


def test_take_keeps_samples_and_rows_together() -> None:
    found = prompts("override", 8)
    some = found.take([4, 5, 10, 11])
    assert some.samples == (found.samples[2], found.samples[5])
    assert some.items.tolist() == [0, 0, 1, 1]
    assert (some.tokens == found.tokens[[4, 5, 10, 11]]).all()


@pytest.mark.parametrize("name", ["key", "query", "value"])
def test_twins_are_aligned_and_answer_otherwise(name: str) -> None:
    found = prompts("recall", 32, counterfactual=name)
    assert found.twins is not None
    assert found.twins.shape == found.tokens.shape
    assert (found.rivals != found.answers[:, 0]).all()
    assert (found.twins != found.tokens).any(1).all()


def test_sources_hold_the_answer() -> None:
    found = prompts("recall", 32)
    assert found.sources is not None
    assert (np.take_along_axis(found.tokens, found.sources, 1)[:, 0] == found.answers[:, 0]).all()


def test_misfits_are_said_in_one_sentence() -> None:
    loaded, _ = trained()
    good = samples("recall", 1)[0]
    with pytest.raises(InputError, match="no samples"):
        make_prompts([], loaded.encoder)
    with pytest.raises(InputError, match="18 tokens and the model reads 10"):
        make_prompts([good], loaded.encoder, context=10)
    with pytest.raises(InputError, match="no counterfactual 'other'"):
        make_prompts([good], loaded.encoder, counterfactual="other")
    short = msgspec.structs.replace(good, extra={"counterfactuals": {"x": {"input": "ab", "target": "1"}}})
    with pytest.raises(InputError, match="needs them aligned"):
        make_prompts([short], loaded.encoder)
    with pytest.raises(InputError, match="no corrupted prompts"):
        next(msgspec.structs.replace(prompts(), twins=None).batches("cpu", twins=True))
