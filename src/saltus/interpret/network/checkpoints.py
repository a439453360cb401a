"""Models to look into, one after the other: a checkpoint's weights go into the modules of the one before.

Everything that follows a network along training or scale (`development`) reads them here.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from saltus.interpret.network.hooked import HookedModel
from saltus.models import checkpoint
from saltus.models.checkpoint import HUB, TOKENIZER_FILES, first_line
from saltus.models.local import TransformersModel
from saltus.records.errors import ModelError
from saltus.records.evidence import ModelRecord
from saltus.records.ids import bytes_hash, content_hash

if TYPE_CHECKING:
    from saltus.models.encoding import Encoder

_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_SAYS_NOTHING = ("_name_or_path", "transformers_version")  # of config.json: they do not change the modules
_ELSEWHERE = ("http://", "https://", "inspect/")


class Opened(NamedTuple):
    """One model, ready to be looked into.

    Attributes:
        model: With a name for every activation.
        encoder: Text to tokens.
        context: Most tokens that it reads, None where that is unknown.
    """

    model: HookedModel
    encoder: Encoder
    context: int | None


def open_model(record: ModelRecord, *, device: str = "auto", dtype: str = "auto") -> Opened:
    """Load one checkpoint.

    Args:
        record: Its `location` is a directory or "hf:NAME@REVISION".
        device: "auto" takes the GPU where there is one.
        dtype: "auto" computes in float32 on a CPU and in the stored type elsewhere.

    Raises:
        ModelError: It does not run here, its files are not whole, or there is no path table for it.
        UsageError: There is no such device or data type.
    """
    loaded = _load(record, device, dtype)
    model = HookedModel(loaded.network.model, name=record.id)
    return Opened(model, loaded.encoder, loaded.network.context)


def open_checkpoints(
    records: Iterable[ModelRecord],
    *,
    device: str = "auto",
    dtype: str = "auto",
    encoder: Encoder | None = None,
    problems: list[str] | None = None,
) -> Iterator[tuple[ModelRecord, HookedModel]]:
    """Load checkpoints one after the other, with the weights of one in memory.

    The modules are built once for a configuration; the safetensors of each next checkpoint with the same
    config.json and tokenizer are read straight into them, which takes a millisecond for a small model, and
    the file after that is read ahead. Anything else (a revision on the hub, pickled weights, files whose
    tensors the architecture renames) is loaded as a model of its own.

    Args:
        records: In the order wanted; those of one configuration side by side are fastest.
        device: As for `open_model`.
        dtype: As for `open_model`.
        encoder: Of the prompts that the models will be asked: a checkpoint with another tokenizer would be
            asked something else, and counts as one that cannot be used.
        problems: Gets one sentence for each checkpoint that cannot be used, and the others go on. The first
            such is raised when None.

    Yields:
        Records with their models. A model is closed when the next one is asked for.

    Raises:
        ModelError: A checkpoint cannot be used, and `problems` is None.
        UsageError: There is no such device or data type.
    """
    wanted = list(records)
    tree: _Tree | None = None
    for record, following in zip_longest(wanted, wanted[1:]):
        if following is not None:
            _read_ahead(following)
        try:
            key = _key(record)
            if tree is None or not key or tree.key != key:
                tree = None  # before the next is built, so that there is one at a time
                tree = _Tree(record, key, _load(record, device, dtype), encoder)
            else:
                tree.read(record)
            model = tree.hooked(record.id)
        except ModelError as error:
            if problems is None:
                raise
            problems.append(f"{record.id}: {error}")
            continue
        yield record, model
        model.close()


def random_models(
    record: ModelRecord, draws: int = 4, *, seed: int = 0, device: str = "auto"
) -> Iterator[HookedModel]:
    """Models of the same configuration that have learned nothing, as transformers initialises them.

    Args:
        record: Whose configuration.
        draws: How many.
        seed: Of the first; the random state of torch is left as it was.
        device: As for `open_model`.

    Yields:
        One after the other; each is closed when the next one is asked for.

    Raises:
        ModelError: The configuration cannot be read.
    """
    from saltus.models.network import quiet, require_torch, resolve_numerics

    torch, transformers = require_torch()
    folder = checkpoint.locate(_here(record))
    place, _ = resolve_numerics(str(folder), device, "float32")
    for draw in range(draws):
        try:
            with torch.random.fork_rng(devices=[]), quiet(transformers):
                torch.manual_seed(seed + draw)
                config = transformers.AutoConfig.from_pretrained(
                    str(folder), local_files_only=True, trust_remote_code=False
                )
                made = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        except Exception as error:  # configurations of others: whatever goes wrong is the model's
            raise ModelError(
                f"no model can be made of this configuration ({first_line(error)}); check config.json",
                path=str(folder),
            ) from error
        model = HookedModel(made.to(place), name=f"{record.name}, randomly initialised")
        yield model
        model.close()


class _Tree:
    """The modules of one configuration, whose weights can be read anew."""

    def __init__(
        self, record: ModelRecord, key: str, loaded: TransformersModel, encoder: Encoder | None
    ) -> None:
        self.model = loaded.network.model
        # One encoder serves all checkpoints with the same tokenizer files, see `TransformersModel`.
        if encoder is not None and loaded.encoder is not encoder:
            raise ModelError(
                "its tokenizer is not the one that the prompts were made with, so their tokens would mean "
                "something else; explain it by itself"
            )
        self._state: dict[str, Any] = self.model.state_dict()
        self._names = self._read_directly(_folder(record)) if key else frozenset()
        self.key = key if self._names else ""
        self._hooked = HookedModel(self.model, name=record.id)

    def hooked(self, name: str) -> HookedModel:
        """One to hand out and close; what it remembers of the weights is its own."""
        model = copy.copy(self._hooked)
        model.name = name
        return model

    def read(self, record: ModelRecord) -> None:
        """Put the weights of another checkpoint into the modules; nothing changes where it cannot be used."""
        import torch

        folder = checkpoint.locate(record.location)
        files = _files(folder)
        self._check(files, str(folder))
        with torch.no_grad():
            for name, tensor in _tensors(files):
                if name in self._names:
                    self._state[name].copy_(tensor)

    def _read_directly(self, folder: Path) -> frozenset[str]:
        """The tensors in the files of the checkpoint that is loaded, if these are its weights as they stand.

        Transformers may rename, split or fuse what it reads; a copy would then not be the model.
        """
        import torch

        seen = set()
        for name, tensor in _tensors(_files(folder)):
            own = self._state.get(name)
            if own is None:
                continue  # left over from another version of the architecture, and not used
            if own.shape != tensor.shape or not torch.equal(own, tensor.to(own.device, own.dtype)):
                return frozenset()
            seen.add(name)
        stored = {self._state[name].data_ptr() for name in seen}  # tied weights are there once
        complete = all(value.data_ptr() in stored for value in self._state.values())
        return frozenset(seen) if complete else frozenset()

    def _check(self, files: list[Path], location: str) -> None:
        there = {name: shape for file in files for name, shape in _shapes(file).items()}
        missing = sorted(self._names - there.keys())
        if missing:
            raise ModelError(
                f"the weights lack {len(missing)} tensors that config.json asks for, such as {missing[0]}; "
                "the files are of two models, or incomplete",
                path=location,
            )
        for name in sorted(self._names):
            expected = tuple(self._state[name].shape)
            if there[name] != expected:
                raise ModelError(
                    f"the tensor {name} has the shape {there[name]} and config.json asks for {expected}; the "
                    "files are of two models",
                    path=location,
                )


def _load(record: ModelRecord, device: str, dtype: str) -> TransformersModel:
    """The plain way, through transformers."""
    return TransformersModel(_here(record), record=record, device=device, dtype=dtype)


def _here(record: ModelRecord) -> str:
    if not record.location:
        raise ModelError(
            f"{record.id} has no location, so it cannot be looked into; give a directory or hf:NAME@REVISION",
            field="location",
        )
    if record.location.startswith(_ELSEWHERE):
        raise ModelError(
            f"{record.id} runs elsewhere ({record.location}), and its activations stay there; give the "
            "directory of its weights or hf:NAME@REVISION",
            field="location",
        )
    return record.location


def _key(record: ModelRecord) -> str:
    """What checkpoints share that fit into the same modules; empty when it is loaded the plain way."""
    folder = _folder(record)
    if not (folder / "config.json").is_file() or not _files(folder):
        return ""
    try:
        config = json.loads((folder / "config.json").read_bytes())
        files = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
        tokenizer = {file.name: bytes_hash(file.read_bytes()) for file in files}
    except (OSError, ValueError):
        return ""  # loading says what is wrong with it
    if not isinstance(config, dict):
        return ""
    for name in _SAYS_NOTHING:
        config.pop(name, None)
    return content_hash({"config": config, "tokenizer": tokenizer})


def _files(folder: Path) -> list[Path]:
    """Safetensors, shards in order; empty when there are none."""
    if (folder / _WHOLE).is_file():
        return [folder / _WHOLE]
    if not (folder / _INDEX).is_file():
        return []
    try:
        shards = set(json.loads((folder / _INDEX).read_bytes())["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"the index of the shards cannot be read ({first_line(error)}); write it as transformers does",
            path=str(folder / _INDEX),
        ) from error
    return [folder / str(name) for name in sorted(shards)]


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes from the head of a file; no weights are read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="pt") as stream:
            return {name: tuple(stream.get_slice(name).get_shape()) for name in stream.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _broken(file, error) from error


def _tensors(files: list[Path]) -> Iterator[tuple[str, Any]]:
    """One tensor at a time."""
    from safetensors import SafetensorError, safe_open

    for file in files:
        try:
            with safe_open(str(file), framework="pt") as stream:
                for name in stream.keys():  # noqa: SIM118 - no dict
                    yield name, stream.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise _broken(file, error) from error


def _broken(file: Path, error: BaseException) -> ModelError:
    return ModelError(
        f"the weights cannot be read ({first_line(error)}); the file is broken or half written, get it anew",
        path=str(file),
    )


def _read_ahead(record: ModelRecord) -> None:
    """Have the kernel fetch the next weights while this model is at work; a bad place is found out later."""
    if (folder := _folder(record)).is_dir():
        checkpoint.read_ahead(folder)


def _folder(record: ModelRecord) -> Path:
    """Of a model on disk; for any other a path that is none."""
    on_disk = record.location and not record.location.startswith((HUB, *_ELSEWHERE))
    return Path(record.location if on_disk else "/nonexistent").expanduser()
