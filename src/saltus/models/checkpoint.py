"""Where a local model's files are, on disk or on the Hugging Face hub, and the hash that stands for them.

No torch here: a run whose answers are all cached needs no more of a model than this.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from saltus.records.errors import MissingExtraError, ModelError
from saltus.records.ids import content_hash

HUB = "hf:"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)
_CONFIG = ("config.json", "generation_config.json")
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")


def locate(location: str | Path) -> Path:
    """Find the folder of a model, downloading it first if it is on the hub and not here.

    Args:
        location: A directory in the Hugging Face layout, or "hf:NAME" or "hf:NAME@REVISION".

    Raises:
        ModelError: There is no such directory, it lacks a part, or the hub does not give it.
    """
    place = str(location)
    folder = _download(place.removeprefix(HUB)) if place.startswith(HUB) else Path(place).expanduser()
    if not folder.is_dir():
        raise ModelError(
            "no model directory is here; give a directory with config.json and weights, or hf:NAME@REVISION",
            path=str(folder),
        )
    if not (folder / "config.json").is_file():
        raise ModelError(
            "this directory has no config.json; give one in the Hugging Face layout", path=str(folder)
        )
    if not _weights(folder):
        raise ModelError(
            "this directory has no weights; put model.safetensors (or its shards) beside config.json",
            path=str(folder),
        )
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(
            "this directory has no tokenizer; put tokenizer.json beside config.json", path=str(folder)
        )
    return folder


def fingerprint(folder: Path, numerics: str) -> str:
    """Hash configuration, tokenizer and weights by their content, with the numerics they are computed in.

    Args:
        folder: What `locate` found.
        numerics: Name of the data type of the computation, e.g. "float32".

    Returns:
        32 hexadecimal characters; the same for copies of a model in different places.

    Raises:
        ModelError: A file cannot be read.
    """
    files = [folder / name for name in (*_CONFIG, *TOKENIZER_FILES, *_INDEXES) if (folder / name).is_file()]
    try:
        hashes = {file.name: _file_hash(file) for file in [*files, *_weights(folder)]}
    except OSError as error:
        raise ModelError(
            f"a file of the model cannot be read ({error.strerror})", path=str(error.filename or folder)
        ) from error
    return content_hash({"files": hashes, "numerics": numerics})


def commit(location: str) -> str:
    """The commit that "hf:NAME@REVISION" stands for: the content of a model on the hub, before it is fetched.

    Raises:
        ModelError: Neither the hub nor what was fetched before knows it.
    """
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError as error:
        raise missing_extra() from error
    name, _, revision = location.removeprefix(HUB).partition("@")
    try:
        found = HfApi().model_info(name, revision=revision or None).sha
        if found:
            return str(found)
        reason = "it names no commit"
    except Exception as error:  # noqa: BLE001 - the hub's client raises errors of the HTTP library it is built on
        reason = first_line(error)
    try:
        return Path(snapshot_download(name, revision=revision or None, local_files_only=True)).name
    except (OSError, ValueError) as error:
        raise _not_given(location.removeprefix(HUB), reason) from error


def read_ahead(folder: Path) -> None:
    """Ask the kernel to have the weights in memory soon, without waiting and without keeping any."""
    for file in _weights(folder):
        with file.open("rb") as stream:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


def default_name(location: str | Path) -> tuple[str, str]:
    """Name and revision that a location suggests when no record says better.

    Examples:
        >>> default_name("hf:EleutherAI/pythia-70m@step3000")
        ('EleutherAI/pythia-70m', 'step3000')
        >>> default_name("models/mine/")
        ('mine', '')
    """
    place = str(location)
    if place.startswith(HUB):
        name, _, revision = place.removeprefix(HUB).partition("@")
        return name, revision
    return Path(place).expanduser().absolute().name, ""


def _weights(folder: Path) -> list[Path]:
    """Safetensors files, or pickled ones where there are no safetensors."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def _file_hash(file: Path) -> str:
    # The hub's cache names large files by the SHA-256 of their content, which saves reading gigabytes.
    target = file.resolve()
    if target.parent.name == "blobs" and len(target.name) == 64:
        return target.name
    with target.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(wanted: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise missing_extra() from error
    name, _, revision = wanted.partition("@")

    def fetch(*patterns: str) -> Path:
        # Files in subfolders are other formats of the same weights, and code (*.py) is never fetched.
        return Path(
            snapshot_download(
                name, revision=revision or None, allow_patterns=list(patterns), ignore_patterns=["*/*"]
            )
        )

    try:
        folder = fetch("*.json", "*.model", "*.txt", "*.jinja", "*.safetensors")
        return (
            folder
            if _weights(folder)
            else fetch("*.json", "*.model", "*.txt", "*.jinja", "pytorch_model*.bin")
        )
    except (OSError, ValueError) as error:
        raise _not_given(wanted, first_line(error)) from error


def _not_given(wanted: str, reason: str) -> ModelError:
    return ModelError(
        f"the hub does not give {HUB}{wanted} ({reason}); check the name, the revision and the network"
    )


def first_line(error: BaseException) -> str:
    """What an error of another library says, in a form that fits into a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def missing_extra() -> MissingExtraError:
    """The sentence for a machine without torch and transformers."""
    return MissingExtraError(
        "local models need torch and transformers; run: "
        'pip install torch==2.13.0 && pip install "saltus[local]"'
    )
