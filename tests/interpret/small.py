"""The shipped 2x64 model and small random ones, with prompts, for the tests of this room's interventions."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from saltus.family import finals
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts, make_prompts
from saltus.models.local import TransformersModel
from saltus.records.evidence import Sample
from saltus.tasks import get_suite


@cache
def trained(size: str = "2x64") -> tuple[Any, HookedModel]:
    """The last checkpoint of one size, as Saltus loads it and to look into."""
    record = next(one for one in finals(0) if one.id.startswith(f"tiro-{size}@"))
    loaded = TransformersModel(record.location, record=record)
    return loaded, HookedModel(loaded.network.model, name=record.id)


@cache
def samples(task: str, n: int = 64) -> tuple[Sample, ...]:
    """The first items of a task of the family."""
    found = next(one for one in get_suite("family").tasks if one.name == task)
    return tuple(list(found.items())[:n])


def prompts(task: str = "recall", n: int = 64, **options: Any) -> Prompts:
    """They, as tokens of the family."""
    loaded, _ = trained()
    metric = "choice_correct" if samples(task, 1)[0].choices else "exact_match"
    return make_prompts(samples(task, n), loaded.encoder, metric=metric, **options)


@cache
def untrained(kind: str = "gpt_neox", seed: int = 0) -> Any:
    """A random model with the family's vocabulary: "gpt_neox", "gpt2", or "llama" (with shared keys)."""
    import transformers as tf

    torch.manual_seed(seed)
    match kind:
        case "gpt2":
            config: Any = tf.GPT2Config(vocab_size=64, n_positions=64, n_embd=32, n_layer=2, n_head=4)
        case "llama":
            config = tf.LlamaConfig(
                vocab_size=64,
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
            )
        case _:
            config = tf.GPTNeoXConfig(
                vocab_size=64,
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
            )
    config.initializer_range = 0.3
    return tf.AutoModelForCausalLM.from_config(config).eval()
