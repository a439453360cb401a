"""Tells a checkpoint that is written to its end from one that is not, by what its own files say.

A safetensors file says how long it is, an index which files there are, and JSON ends with its bracket.
"""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any, TypeAlias

from saltus.models.checkpoint import TOKENIZER_FILES

Signature: TypeAlias = tuple[tuple[str, int, int], ...]

_LARGEST_HEADER = 100_000_000  # bytes; the limit that safetensors itself sets
_INDEXES = {"model.safetensors.index.json": ".safetensors", "pytorch_model.bin.index.json": ".bin"}
_CONFIGS = ("config.json", "generation_config.json", "trainer_state.json")


def signature(folder: Path) -> Signature:
    """Names, sizes and times of the files that make up a model; empty when the folder is gone.

    What the optimiser leaves beside them does not count.
    """
    found = []
    try:
        for file in sorted(folder.iterdir()):
            if _belongs(file.name):
                about = file.stat()
                found.append((file.name, about.st_size, about.st_mtime_ns))
    except OSError:
        return ()  # a file went away between two calls: the next look sees what is left
    return tuple(found)


def lacking(folder: Path, *, tokenizer: bool = True) -> str:
    """What is missing before a checkpoint can be loaded, in a few words; empty when it is whole.

    Args:
        folder: In the Hugging Face layout.
        tokenizer: Whether it must have a tokenizer of its own.
    """
    try:
        return _config(folder) or _weights(folder) or (_tokenizer(folder) if tokenizer else "")
    except OSError as error:
        return f"{error.filename or folder} cannot be read ({error.strerror})"


def has_tokenizer(folder: Path) -> bool:
    """Whether any file of a tokenizer is there."""
    return any((folder / name).is_file() for name in TOKENIZER_FILES)


def _belongs(name: str) -> bool:
    return (
        name in _CONFIGS
        or name in TOKENIZER_FILES
        or name in _INDEXES
        or name.endswith(".safetensors")
        or (name.startswith("pytorch_model") and name.endswith(".bin"))
    )


def _config(folder: Path) -> str:
    file = folder / "config.json"
    if not file.is_file():
        if (folder / "adapter_config.json").is_file():
            return "it holds an adapter and no whole model: merge it into its base model"
        return "config.json is missing"
    return _json_fault(file)


def _json_fault(file: Path) -> str:
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        return f"{file.name} is no whole JSON"
    return "" if isinstance(found, dict) else f"{file.name} holds no JSON object"


def _weights(folder: Path) -> str:
    for name, ending in _INDEXES.items():
        if (folder / name).is_file():
            fault = _json_fault(folder / name)
            return fault or _shards(folder, folder / name, ending)
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not files:
        return "model.safetensors is missing"
    if any("-of-" in file.name for file in files):
        return f"the index of its shards is missing ({files[0].name} is there)"
    return next((fault for file in files if (fault := _file_fault(file))), "")


def _shards(folder: Path, index: Path, ending: str) -> str:
    named = json.loads(index.read_bytes()).get("weight_map")
    if not isinstance(named, dict) or not named:
        return f"{index.name} names no files"
    names = sorted({str(name) for name in named.values()})
    for name in names:
        if "/" in name or not name.endswith(ending):
            return f"{index.name} names {name}, which is no file of weights beside it"
        if not (folder / name).is_file():
            missing = sum(not (folder / one).is_file() for one in names)
            return f"{name} is missing ({missing} of {len(names)} shards)"
    return next((fault for name in names if (fault := _file_fault(folder / name))), "")


def _file_fault(file: Path) -> str:
    if file.suffix == ".safetensors":
        return safetensors_fault(file)
    # A pickled file of torch is a zip archive, whose table of contents is written last.
    return "" if zipfile.is_zipfile(file) else f"{file.name} is cut off"


def safetensors_fault(file: Path) -> str:
    """Why a safetensors file is not whole; empty when its header parses and its length is what it says."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(8)
        if len(head) < 8:
            return f"{file.name} is cut off ({size:,} bytes)"
        (length,) = struct.unpack("<Q", head)
        if length > _LARGEST_HEADER:
            return f"{file.name} is no safetensors file"
        text = stream.read(length)
    if len(text) < length:
        return f"{file.name} is cut off in its header ({size:,} bytes)"
    try:
        end = _end(json.loads(text))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return f"{file.name} has no readable header"
    expected = 8 + length + end
    if size != expected:
        return f"{file.name} has {size:,} of {expected:,} bytes"
    return ""


def _end(header: dict[str, Any]) -> int:
    return max(
        (int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"), default=0
    )


def _tokenizer(folder: Path) -> str:
    files = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
    if not files:
        return "it has no tokenizer: give --tokenizer DIR"
    return next((fault for file in files if file.suffix == ".json" and (fault := _json_fault(file))), "")
