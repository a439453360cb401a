"""Logit lens and tuned lens."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
import pytest

from saltus.family import checkpoints
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts, make_prompts
from saltus.interpret.network.scoring import score_prompts
from saltus.interpret.readout.lens import METRICS, lens_effects, logit_lens, tuned_lens
from saltus.interpret.readout.translators import train_translators
from saltus.models.local import TransformersModel
from saltus.tasks import get_suite

torch = pytest.importorskip("torch")


@cache
def local(step: int) -> TransformersModel:
    record = next(one for one in checkpoints("2x64") if one.step == step)
    return TransformersModel(record.location, record=record)


@cache
def asked(task: str) -> Prompts:
    found = next(one for one in get_suite("family").tasks if one.name == task)
    return make_prompts(list(found.items()), local(2000).encoder, metric=found.metrics[0])


def hooked(step: int) -> HookedModel:
    return HookedModel(local(step).network.model)


@pytest.mark.parametrize("task", ["recall", "reverse", "override"])
def test_the_last_place_is_the_model_itself(task: str) -> None:
    found = logit_lens(hooked(2000), asked(task))
    scores = score_prompts(hooked(2000), asked(task))
    assert [str(one) for one in found.components] == ["EMBED", "L0", "L1"]
    np.testing.assert_allclose(found.target_logprob[:, -1], scores.logprob, atol=1e-4)
    np.testing.assert_array_equal(found.divergence[:, -1], 0)
    assert (found.divergence[:, :-1] > 0).all()
    assert ((found.entropy >= 0) & (found.entropy <= np.log(64) + 1e-5)).all()
    if task == "recall":
        np.testing.assert_array_equal(found.first_correct[:, -1], scores.correct)


def test_batches_and_slices_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = logit_lens(hooked(2000), asked("reverse"))
    monkeypatch.setattr("saltus.interpret.readout.lens._LOGITS", 64 * 6 * 7)
    parts = logit_lens(hooked(2000), asked("reverse"), batch_tokens=200)
    for metric in METRICS:
        np.testing.assert_allclose(getattr(parts, metric), getattr(whole, metric), atol=1e-4)


def test_recall_is_read_only_after_the_last_block_and_only_after_the_onset() -> None:
    early, late = (logit_lens(hooked(step), asked("recall")) for step in (400, 2000))
    assert late.interval("first_correct", 2).low > 0.95
    assert late.interval("first_correct", 1).high < 0.3
    assert early.interval("first_correct", 2).high < 0.4
    tuned = tuned_lens(hooked(2000), asked("recall"))
    assert tuned.interval("first_correct", 1).high < 0.3


def test_the_tuned_lens_is_nearer_on_what_it_has_not_seen() -> None:
    found = tuned_lens(hooked(2000), asked("facts"), seed=4)
    plain = logit_lens(hooked(2000), asked("facts"))
    assert len(found.translators) == 2
    for fold in found.translators:
        assert fold.tokens > 50
        assert all(tuned < logit for tuned, logit in zip(fold.tuned, fold.logit, strict=True))
    assert found.divergence[:, 1].mean() < plain.divergence[:, 1].mean()
    np.testing.assert_allclose(found.target_logprob[:, -1], plain.target_logprob[:, -1], atol=1e-6)


def test_same_seed_same_lens_and_the_weights_stay() -> None:
    model = local(2000).network.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    one, two, other = (tuned_lens(hooked(2000), asked("recall"), seed=s, steps=20) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.target_logprob, two.target_logprob)
    assert (one.target_logprob != other.target_logprob).any()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weights.grad is None for weights in model.parameters())


def test_untrained_translators_are_the_logit_lens() -> None:
    model, prompts = hooked(2000), asked("recall")
    plain, tuned = logit_lens(model, prompts), tuned_lens(model, prompts, steps=0)
    np.testing.assert_allclose(tuned.divergence, plain.divergence, atol=1e-4)
    found = train_translators(model, prompts, steps=0)
    np.testing.assert_allclose(found.tuned, found.logit, atol=1e-5)


def test_other_text_and_one_sample() -> None:
    model = hooked(2000)
    found = tuned_lens(model, asked("recall"), text=asked("facts"), steps=20)
    assert len(found.translators) == 1
    alone = tuned_lens(model, asked("recall").take([3]), steps=2)
    assert alone.interval("target_logprob", 1).high == np.inf


def test_rows() -> None:
    rows = lens_effects(hooked(2000), asked("recall").take(range(60)), run="r", model_id="m")
    assert len(rows) == 2 * 3 * len(METRICS)
    last = {row.metric: row for row in rows if row.component == "L1" and row.method == "logit_lens"}
    assert all(row.effect == pytest.approx(row.baseline) for row in last.values())
    tuned = next(row for row in rows if row.component == "L0" and row.method == "tuned_lens")
    detail = msgspec.json.decode(tuned.detail)
    assert detail["held_out_tuned"] < detail["held_out_logit"]
    assert all(row.low <= row.effect <= row.high and row.n == 60 for row in rows)  # type: ignore[operator]
