"""One checkpoint on disk: a Hugging Face directory and, in `family.json`, its record.

The weights are in fp16, the tokenizer takes one character for one token. A directory appears whole, by a
rename, or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.family.corpus import ALPHABET, NEWLINE, UNKNOWN
from saltus.family.recipe import CONTEXT, FAMILY, VOCABULARY, Recipe, Size, model_name
from saltus.records.errors import InputError, MissingExtraError
from saltus.records.evidence import ModelRecord

if TYPE_CHECKING:
    from transformers import GPTNeoXForCausalLM

RECORD_FILE = "family.json"
WEIGHTS_FILE = "model.safetensors"


class Stamp(msgspec.Struct, frozen=True):
    """What `family.json` holds: the record (its location left empty) and the recipe it was made by."""

    recipe: str
    record: ModelRecord


def checkpoint_path(root: Path, size: Size, seed: int, step: int) -> Path:
    """Where a checkpoint lies under the root of a family."""
    return root / model_name(size, seed) / f"step{step}"


def record_of(size: Size, seed: int, step: int, params: int, recipe: Recipe) -> ModelRecord:
    """The record of a checkpoint: scale, compute (6 x parameters x tokens), role; no location yet."""
    tokens = step * recipe.tokens_per_step
    return ModelRecord(
        name=model_name(size, seed),
        family=FAMILY,
        revision=f"step{step}",
        params=params,
        tokens=tokens,
        flops=6 * params * tokens,
        step=step,
        layers=size.layers,
        width=size.width,
        heads=size.heads,
        seed=seed,
        role=size.role,
        source=f"saltus family, recipe {recipe.id}",
    )


def read_stamp(directory: Path) -> Stamp:
    """Read a checkpoint's `family.json`.

    Raises:
        InputError: It is not there or not what it should be.
    """
    path = directory / RECORD_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stamp)
    except FileNotFoundError:
        raise InputError(
            "the checkpoint has no family.json, train it again with `saltus family train`", path=str(path)
        ) from None
    except msgspec.MsgspecError as error:
        raise InputError(
            f"the checkpoint's record cannot be read ({error}), delete the directory and train it again",
            path=str(path),
        ) from None


def write_checkpoint(directory: Path, model: GPTNeoXForCausalLM, record: ModelRecord, recipe: Recipe) -> None:
    """Write a checkpoint so that it becomes visible whole, in one rename.

    Args:
        directory: Where it will be; must not exist.
        model: The model, in fp32; it is not changed.
        record: Its record.
        recipe: The recipe it is trained by.
    """
    try:
        import torch
        from safetensors.torch import save_file
    except ImportError:
        raise missing_local() from None
    directory.parent.mkdir(parents=True, exist_ok=True)
    part = directory.with_name(f".{directory.name}.part")
    if part.exists():  # left by a process that was killed
        shutil.rmtree(part)
    part.mkdir()
    write_configs(part, model)
    halves = {name: tensor.to(torch.float16).contiguous() for name, tensor in model.state_dict().items()}
    save_file(halves, part / WEIGHTS_FILE, metadata={"format": "pt"})
    write_tokenizer(part)
    stamp = msgspec.json.encode(Stamp(recipe.id, record))
    (part / RECORD_FILE).write_bytes(msgspec.json.format(stamp) + b"\n")
    for file in part.iterdir():
        file.chmod(0o644)  # safetensors keeps its file to the owner, an installed package is for everyone
        _flush(file)
    part.rename(directory)


def write_configs(directory: Path, model: GPTNeoXForCausalLM) -> None:
    """Write `config.json` and `generation_config.json`.

    The dtype in them stays float32: fp16 is how the weights are kept, not how they are to be run.
    """
    from transformers import GenerationConfig

    ends: dict[str, Any] = {"bos_token_id": NEWLINE, "eos_token_id": NEWLINE, "pad_token_id": NEWLINE}
    config: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=True))
    # What transformers 4 calls the same things; without them it would rotate a quarter of each head only.
    rope = config["rope_parameters"]
    config["rotary_pct"] = rope["partial_rotary_factor"]
    config["rotary_emb_base"] = rope["rope_theta"]
    text = json.dumps(config, indent=2, sort_keys=True)
    (directory / "config.json").write_text(text + "\n", encoding="utf-8")
    generation: Any = GenerationConfig  # untyped in transformers
    generation(**ends).save_pretrained(directory)


def write_tokenizer(directory: Path) -> None:
    """Write the character tokenizer: `tokenizer.json` and `tokenizer_config.json`."""
    character: dict[str, Any] = {
        "type": "Split",
        "pattern": {"Regex": "[\\s\\S]"},
        "behavior": "Isolated",
        "invert": False,
    }
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": character,
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "WordLevel",
            "vocab": {letter: code for code, letter in enumerate(ALPHABET)},
            "unk_token": UNKNOWN,
        },
    }
    newline = ALPHABET[NEWLINE]
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": CONTEXT,
        "bos_token": newline,
        "eos_token": newline,
        "pad_token": newline,
        "unk_token": UNKNOWN,
        "clean_up_tokenization_spaces": False,
        "add_bos_token": False,
        "add_eos_token": False,
    }
    for name, content in (("tokenizer.json", tokenizer), ("tokenizer_config.json", settings)):
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (directory / name).write_text(text + "\n", encoding="utf-8")


def new_model(size: Size, seed: int) -> GPTNeoXForCausalLM:
    """An untrained model; the same size and seed give the same weights."""
    try:
        import torch
        from transformers import GPTNeoXConfig, GPTNeoXForCausalLM
    except ImportError:
        raise missing_local() from None
    settings: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": size.width,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "intermediate_size": 4 * size.width,
        "max_position_embeddings": CONTEXT,
        "rotary_pct": 1.0,
        "use_parallel_residual": True,
        "attn_implementation": "sdpa",
        "bos_token_id": NEWLINE,
        "eos_token_id": NEWLINE,
        "pad_token_id": NEWLINE,
        "tie_word_embeddings": False,
        "initializer_range": 0.02 if size.width >= 64 else 0.05,
        "dtype": "float32",
    }
    config = GPTNeoXConfig(**settings)
    config.architectures = ["GPTNeoXForCausalLM"]
    torch.manual_seed(seed)
    return GPTNeoXForCausalLM(config)


def missing_local() -> MissingExtraError:
    """The error for a machine without torch and transformers."""
    return MissingExtraError(
        "the model family needs torch and transformers, install them with `pip install 'saltus[local]'`"
    )


def _flush(path: Path) -> None:
    """Bring a file to the disk before the rename that makes it visible."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
