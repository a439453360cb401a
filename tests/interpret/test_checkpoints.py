"""Checkpoints one after the other: the same model as transformers loads, and what a broken one says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from saltus.family import checkpoints
from saltus.interpret.network.checkpoints import open_checkpoints, open_model, random_models
from saltus.interpret.network.hooked import Batch, HookedModel
from saltus.models import TransformersModel
from saltus.records import ModelError, ModelRecord

TOKENS = torch.arange(1, 25)[None]
BATCH = Batch(TOKENS, torch.tensor([24]), torch.tensor([0]))


def logits(model: HookedModel) -> torch.Tensor:
    return model.run(BATCH).logits


def plain(record: ModelRecord) -> torch.Tensor:
    """As transformers loads it."""
    with torch.inference_mode():
        found: torch.Tensor = TransformersModel(record.location).network.model(TOKENS).logits
    return found


def copied(record: ModelRecord, to: Path) -> ModelRecord:
    shutil.copytree(record.location, to)
    return msgspec.structs.replace(record, location=str(to), revision=f"{record.revision}-{to.name}")


def change(record: ModelRecord, edit: Any) -> None:
    """Write the weights again after an edit of their dict."""
    file = Path(record.location) / "model.safetensors"
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file)


def gpt2(to: Path, seed: int, **how: Any) -> ModelRecord:
    """A tiny GPT-2, whose output layer is its embedding, with the family's tokenizer."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    config = GPT2Config(vocab_size=64, n_positions=64, n_embd=16, n_layer=2, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(to, **how)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(checkpoints("2x64")[0].location) / name, to / name)
    return ModelRecord(name="tiny", revision=to.name, location=str(to))


def test_every_checkpoint_is_the_model_that_transformers_loads() -> None:
    records = [*checkpoints("2x64", steps=(0, 500, 2000)), *checkpoints("1x48", steps=(500, 2000))]
    seen = []
    for record, model in open_checkpoints(iter(records)):
        assert model.name == record.id
        assert torch.equal(logits(model), plain(record))
        seen.append(record)
    assert seen == records


def test_shards_tied_weights_and_pickles(tmp_path: Path) -> None:
    records = [gpt2(tmp_path / f"s{seed}", seed, max_shard_size="8KB") for seed in (1, 2)]
    assert len(list((tmp_path / "s2").glob("*.safetensors"))) > 1
    records.append(gpt2(tmp_path / "whole", 3))
    pickled = gpt2(tmp_path / "pickled", 4)
    weights = Path(pickled.location) / "model.safetensors"
    torch.save(load_file(weights), weights.with_name("pytorch_model.bin"))
    weights.unlink()
    for record, model in open_checkpoints([*records, pickled, records[0]]):
        assert torch.equal(logits(model), plain(record)), record.id


def test_weights_that_transformers_renames_are_read_its_way(tmp_path: Path) -> None:
    """GPT-2 files without the prefix `transformer.` are of the same model."""
    records = [gpt2(tmp_path / f"s{seed}", seed) for seed in (1, 2)]
    for record in records:
        file = Path(record.location) / "model.safetensors"
        save_file(
            {k.removeprefix("transformer."): v for k, v in load_file(file).items()}, file, {"format": "pt"}
        )
    found = [logits(model) for _, model in open_checkpoints(records)]
    assert all(torch.equal(a, plain(record)) for a, record in zip(found, records, strict=True))
    assert not torch.equal(*found)


def test_a_model_is_closed_when_the_next_comes() -> None:
    models = [model for _, model in open_checkpoints(checkpoints("2x64", steps=(0, 500)))]
    with pytest.raises(ModelError, match=r"tiro-2x64@step0 has been closed"):
        logits(models[0])


def test_one_broken_checkpoint_does_not_cost_the_others(tmp_path: Path) -> None:
    first, *_ = records = checkpoints("2x64", steps=(0, 300, 400, 500, 600))
    missing, shape, half, config = (copied(r, tmp_path / str(i)) for i, r in enumerate(records[1:]))
    gone = "gpt_neox.layers.0.attention.dense.weight"
    change(missing, lambda tensors: tensors.pop(gone))
    change(shape, lambda tensors: tensors.update({gone: torch.zeros(3, 3)}))
    file = Path(half.location) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:9000])
    (Path(config.location) / "config.json").write_text("{")
    nowhere = ModelRecord(name="nowhere")
    served = ModelRecord(name="served", location="http://localhost:1/v1#m")
    problems: list[str] = []
    found = [
        (record, logits(model).clone())
        for record, model in open_checkpoints(
            [first, missing, shape, half, records[1], config, nowhere, served, records[2]], problems=problems
        )
    ]
    assert [record for record, _ in found] == [first, records[1], records[2]]
    assert all(torch.equal(own, plain(record)) for record, own in found)
    for problem, said in zip(
        problems,
        (
            f"lack 1 tensors that config.json asks for, such as {gone}",
            "has the shape (3, 3) and config.json asks for (64, 64)",
            "cannot be read",
            "cannot be loaded",
            "nowhere has no location",
            "served runs elsewhere",
        ),
        strict=True,
    ):
        assert said in problem
    assert problems[0].startswith(f"{missing.id}: {missing.location}: ")
    with pytest.raises(ModelError, match="lack 1 tensors"):
        list(open_checkpoints([first, missing]))


def test_a_broken_first_checkpoint_does_not_cost_the_others(tmp_path: Path) -> None:
    broken = copied(checkpoints("2x64", steps=(300,))[0], tmp_path / "broken")
    change(broken, lambda tensors: tensors.pop("lm_head.weight"))
    problems: list[str] = []
    good = checkpoints("2x64", steps=(400, 500))
    assert [record for record, _ in open_checkpoints([broken, *good], problems=problems)] == good
    assert "such as lm_head.weight" in problems[0]


def test_prompts_of_another_tokenizer_are_refused(tmp_path: Path) -> None:
    record = checkpoints("2x64", steps=(500,))[0]
    other = copied(record, tmp_path / "other")
    file = Path(other.location) / "tokenizer.json"
    data = json.loads(file.read_text())
    vocabulary = data["model"]["vocab"]
    a, b = [token for token in vocabulary if token.isdigit()][:2]
    vocabulary[a], vocabulary[b] = vocabulary[b], vocabulary[a]
    file.write_text(json.dumps(data))
    problems: list[str] = []
    encoder = open_model(record).encoder
    found = [one for one, _ in open_checkpoints([record, other], encoder=encoder, problems=problems)]
    assert found == [record]
    assert "tokenizer is not the one" in problems[0]


def test_open_model_gives_what_prompts_need() -> None:
    record = checkpoints("2x64", steps=(500,))[0]
    model, encoder, context = open_model(record)
    assert torch.equal(logits(model), plain(record))
    assert context == 64
    assert encoder.tokens(encoder.prompts(["ab"])[0])[-1] == "b"


def test_random_models_are_drawn_by_seed_and_leave_torch_as_it_was() -> None:
    record = checkpoints("2x64", steps=(2000,))[0]
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    one = [logits(model) for model in random_models(record, 2, seed=3)]
    again = [logits(model) for model in random_models(record, 2, seed=3)]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one[0], again[0])
    assert torch.equal(one[1], again[1])
    assert not torch.equal(one[0], one[1])
    assert float((one[0] - plain(record)).abs().max()) > 1
