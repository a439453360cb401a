"""Logits, patterns and ablations against what TransformerLens recorded of the same models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from saltus.family import checkpoints
from saltus.interpret.causal.ablation import ablate, reference
from saltus.interpret.network.hooked import Batch, HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.models.local import TransformersModel

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "interpret"
NAMES = ("tiro-2x64", "gpt2", "llama")
SIZES = {"vocab_size": 40, "bos_token_id": 0, "eos_token_id": 0}


def built(name: str, weights: dict[str, Any]) -> Any:
    match name:
        case "tiro-2x64":
            record = next(one for one in checkpoints("2x64", 0) if one.step == 2000)
            return TransformersModel(record.location, record=record).network.model
        case "gpt2":
            config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=32, **SIZES)
        case _:
            config = transformers.LlamaConfig(
                hidden_size=32,
                intermediate_size=48,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=32,
                **SIZES,
            )
    model = transformers.AutoModelForCausalLM.from_config(config)
    state = {name: torch.from_numpy(value).float() for name, value in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert set(missing) <= {"lm_head.weight"}
    model.tie_weights()
    return model


class Recorded:
    def __init__(self, name: str) -> None:
        held = dict(np.load(GOLDEN / f"{name}.npz"))
        prefix = "weight:"
        weights = {key.removeprefix(prefix): held[key] for key in held if key.startswith(prefix)}
        self.model = HookedModel(built(name, weights))
        self.said = held
        self.tokens = held["tokens"]
        rows, length = self.tokens.shape
        self.batch = Batch(
            torch.from_numpy(self.tokens), torch.full((rows,), length), torch.arange(rows, dtype=torch.long)
        )

    def prompts(self) -> Prompts:
        rows, length = self.tokens.shape
        return Prompts(
            task="peer",
            metric="exact_match",
            samples=tuple(str(i) for i in range(rows)),
            tokens=self.tokens,
            lengths=np.full(rows, length),
            starts=np.full(rows, length - 1),
            answers=np.ones((rows, 1), np.int64),
            items=np.arange(rows),
            right=np.ones(rows, bool),
            rivals=np.full(rows, -1),
        )


@pytest.fixture(scope="module", params=NAMES)
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return Recorded(request.param)


def near(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=0, atol=1e-5)


def test_logits_patterns_and_what_heads_write_are_those_of_transformer_lens(recorded: Recorded) -> None:
    layers = range(recorded.model.anatomy.layers)
    sites = [Site(kind, layer) for kind in ("pattern", "z") for layer in layers]
    run = recorded.model.run(recorded.batch, read=sites)
    near(run.logits, recorded.said["logits"])
    near(torch.stack([run.values[Site("pattern", layer)] for layer in layers]), recorded.said["pattern"])
    near(torch.stack([run.values[Site("z", layer)] for layer in layers]), recorded.said["z"])
    near(recorded.model.run(recorded.batch).logits, recorded.said["logits"])  # without eager attention


@pytest.mark.parametrize("method", ["mean", "zero"])
def test_ablations_of_single_heads_are_those_of_transformer_lens(recorded: Recorded, method: str) -> None:
    # The recorded ablations put the mean over all places at each.
    baseline = msgspec.structs.replace(reference(recorded.model, recorded.prompts()), places={})
    rows, length = recorded.tokens.shape
    last = (torch.arange(rows), torch.full((rows,), length - 1))
    for head, theirs in zip(
        recorded.model.components("head"), recorded.said[f"{method}_ablated"], strict=True
    ):
        edits = ablate(recorded.model, [head], f"{method}_ablation", baseline=baseline)  # type: ignore[arg-type]
        near(recorded.model.run(recorded.batch, edits=edits, at=last).logits, theirs)
