"""`Series`: models in order along a scale axis, named by a template, a file or a list of folders.

Nothing is loaded here: a series says which models there are, how big they are and where to find them.
"""

from __future__ import annotations

import json
import struct
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from saltus.models.http.address import is_url, parse_address
from saltus.models.registry import describe, split_step
from saltus.records.errors import InputError, UsageError
from saltus.records.evidence import ModelRecord
from saltus.records.findings import AXES

_LARGEST_HEADER = 100_000_000  # bytes; the limit that safetensors itself sets
_STAMP = "family.json"  # what `saltus family train` writes beside its weights


class Series(msgspec.Struct, frozen=True):
    """Models in order along one axis.

    Attributes:
        name: What the series is called.
        family: Recipe that the models share; empty when they share none.
        axis: One of params, tokens, flops, step, loss, released, layers, width.
        models: In ascending order of the axis.
    """

    name: str
    family: str
    axis: str
    models: tuple[ModelRecord, ...]

    def __len__(self) -> int:
        return len(self.models)

    @classmethod
    def from_hf(
        cls,
        template: str,
        sizes: Sequence[str] = (),
        *,
        axis: str = "params",
        revisions: Sequence[str] | None = None,
    ) -> Series:
        """Models of the Hugging Face hub.

        Args:
            template: A name with `{}` where the size stands, or one name when there are no sizes.
            sizes: What to put there, e.g. ["70m", "160m"].
            axis: The axis to order them along.
            revisions: Checkpoints to take of each, e.g. ["step1000", "step143000"]; the finished model when
                None.

        Raises:
            UsageError: The template and the sizes do not fit, or a model has no place on the axis.

        Examples:
            >>> series = Series.from_hf("EleutherAI/pythia-{}", ["160m", "70m"])
            >>> [model.location for model in series.models]
            ['hf:EleutherAI/pythia-70m', 'hf:EleutherAI/pythia-160m']
        """
        if ("{}" in template) != bool(sizes):
            found = f"{len(sizes)} sizes" if sizes else "no sizes"
            raise UsageError(
                f"the template {template!r} goes with {found}; write {{}} where the size stands and give the "
                "sizes",
                field="template",
            )
        names = [template.replace("{}", size) for size in sizes] if sizes else [template]
        models = []
        for name in names:
            for revision in revisions or [""]:
                record = msgspec.structs.replace(describe(name, revision), name=name, revision=revision)
                where = f"hf:{name}@{revision}" if revision else f"hf:{name}"
                models.append(msgspec.structs.replace(record, location=where))
        return cls.of(models, axis=axis, name=template)

    @classmethod
    def from_dirs(cls, paths: Sequence[str | Path], *, axis: str = "params", name: str = "") -> Series:
        """Local checkpoints in the Hugging Face layout, `hf:NAME@REVISION`, or models behind a server.

        Those are `http(s)://HOST:PORT/v1#MODEL-NAME` or `inspect/PROVIDER/MODEL`.

        Parameters are counted from the safetensors headers, layers, width and heads come from `config.json`,
        the step from a folder called `step500`.

        Raises:
            InputError: A folder has no readable `config.json`.
            UsageError: No paths are given.
        """
        return cls.of([_record_at(path) for path in paths], axis=axis, name=name, strict=False)

    @classmethod
    def from_file(cls, path: str | Path) -> Series:
        """A series file: TOML or JSON.

        Either `template` and `sizes` (and `revisions`), or a list `models`, whose members are names, folders
        (relative to the file) or tables with the fields of a `ModelRecord`. `axis`, `name` and `family` are
        optional.

        Raises:
            InputError: The file cannot be read or says something else.
        """
        place = Path(path)
        given = _read(place)
        try:
            return _from_mapping(cls, given, place.parent)
        except (UsageError, InputError) as error:
            raise InputError(error.message, path=str(place), field=error.field) from error
        except msgspec.ValidationError as error:
            raise InputError(
                f"a model of the series does not fit ({error}); give name, params, tokens, flops, step, "
                "loss, "
                "released or location",
                path=str(place),
                field="models",
            ) from error

    @classmethod
    def of(
        cls, models: Sequence[ModelRecord], *, axis: str = "params", name: str = "", strict: bool = True
    ) -> Series:
        """Order models along an axis.

        Args:
            models: In any order, each once.
            axis: One of `saltus.records.AXES`.
            name: What to call the series; its family when empty.
            strict: Refuse models without a value on the axis; they come last otherwise.

        Raises:
            UsageError: Unknown axis, no models, one model twice, or one without a value on the axis.
        """
        if axis not in AXES:
            raise UsageError(f"no axis is called {axis!r}; choose one of {', '.join(AXES)}", field="axis")
        if not models:
            raise UsageError("the series has no models; name at least one", field="models")
        twice = [m.id for i, m in enumerate(models) if any(m.id == other.id for other in models[:i])]
        if twice:
            raise UsageError(f"the series names {twice[0]} twice; name it once", field="models")
        missing = [model.id for model in models if getattr(model, axis) is None]
        if missing and strict:
            raise UsageError(
                f"{', '.join(missing[:3])} has no {axis}; give it in a series file or choose another axis",
                field=axis,
            )
        placed = [model for model in models if getattr(model, axis) is not None]
        rest = [model for model in models if getattr(model, axis) is None]
        ordered = sorted(placed, key=lambda model: (getattr(model, axis), model.step or 0, model.id)) + rest
        found = {model.family for model in models}
        family = found.pop() if len(found) == 1 else ""
        return cls(name or family or "series", family, axis, tuple(ordered))


def _from_mapping(cls: type[Series], given: dict[str, Any], folder: Path) -> Series:
    unknown = sorted(set(given) - {"template", "sizes", "revisions", "models", "axis", "name", "family"})
    if unknown:
        raise UsageError(
            f"{unknown[0]!r} is no part of a series; use template, sizes, revisions, models, axis, name, "
            "family",
            field=unknown[0],
        )
    axis, family = given.get("axis", "params"), given.get("family", "")
    if "template" in given:
        series = cls.from_hf(
            given["template"], given.get("sizes", ()), axis=axis, revisions=given.get("revisions")
        )
        models = list(series.models)
    elif given.get("models"):
        models = [_member(member, folder) for member in given["models"]]
    else:
        raise UsageError("it names no models; give `models`, or `template` and `sizes`", field="models")
    if family:
        models = [msgspec.structs.replace(model, family=family) for model in models]
    return cls.of(
        models, axis=axis, name=given.get("name", given.get("template", "")), strict="template" in given
    )


def _member(member: Any, folder: Path) -> ModelRecord:
    if isinstance(member, str):
        return _record_at(member if member.startswith("hf:") or _is_remote(member) else folder / member)
    location = member.get("location", "") if isinstance(member, dict) else ""
    if location and not location.startswith("hf:") and not _is_remote(location):
        place = folder / location
        base = _record_at(place)
        return msgspec.convert({**msgspec.to_builtins(base), **member, "location": str(place)}, ModelRecord)
    record = msgspec.convert(member, ModelRecord)
    known = describe(record.name, record.revision)
    return _filled(record, known)


def _record_at(path: str | Path) -> ModelRecord:
    text = str(path)
    if text.startswith("hf:"):
        name, _, revision = text.removeprefix("hf:").partition("@")
        return msgspec.structs.replace(describe(name, revision), name=name, revision=revision, location=text)
    if _is_remote(text):
        name = parse_address(text).name if is_url(text) else text.removeprefix("inspect/")
        return msgspec.structs.replace(describe(name), name=name, location=text)
    folder = Path(path).expanduser()
    if (folder / _STAMP).is_file():
        return msgspec.structs.replace(_stamped(folder / _STAMP), location=text)
    config = _config(folder)
    name, revision = _name_of(folder)
    seen = ModelRecord(
        name=name,
        revision=revision,
        params=count_parameters(folder),
        layers=_first(config, "num_hidden_layers", "n_layer"),
        width=_first(config, "hidden_size", "n_embd"),
        heads=_first(config, "num_attention_heads", "n_head"),
        source="config.json and weights",
        location=text,
    )
    return _filled(seen, describe(name, revision))


def _is_remote(location: str) -> bool:
    return is_url(location) or location.startswith("inspect/")


def count_parameters(folder: Path) -> float | None:
    """Parameters in the safetensors files of a folder, read from their headers; None where there are none.

    Raises:
        InputError: A header cannot be read.
    """
    total = 0
    found = sorted(folder.glob("*.safetensors"))
    for file in found:
        try:
            with file.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                if length > _LARGEST_HEADER:
                    raise ValueError(f"a header of {length} bytes")
                text = stream.read(length)
            header = json.loads(text)
            if len(text) < length or not isinstance(header, dict):
                raise ValueError("its header is cut off")
            for tensor, entry in header.items():
                if tensor != "__metadata__":
                    size = 1
                    for extent in entry["shape"]:
                        size *= extent
                    total += size
        except (OSError, struct.error, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"is no safetensors file ({error}); copy the checkpoint again", path=str(file)
            ) from error
    return float(total) if found else None


def _name_of(folder: Path) -> tuple[str, str]:
    """Name and revision of a folder: `tiro-2x64/step500` is step500 of tiro-2x64."""
    place = folder.absolute()
    name, step = split_step(f"{place.parent.name}/{place.name}")
    return (name, step) if step else (place.name, "")


def _filled(record: ModelRecord, known: ModelRecord) -> ModelRecord:
    """`record`, with what it leaves open taken from `known`."""
    gaps = {
        field: getattr(known, field)
        for field in known.__struct_fields__
        if getattr(record, field) in (None, "") and getattr(known, field) not in (None, "")
    }
    return msgspec.structs.replace(record, **gaps)


def _stamped(file: Path) -> ModelRecord:
    try:
        return msgspec.convert(json.loads(file.read_text(encoding="utf-8"))["record"], ModelRecord)
    except (OSError, ValueError, KeyError, msgspec.ValidationError) as error:
        raise InputError(
            f"does not describe a model ({error}); train the family again", path=str(file)
        ) from error


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            "holds no config.json; name a checkpoint folder in the Hugging Face layout, or hf:NAME@REVISION",
            path=str(folder),
        ) from error
    except ValueError as error:
        raise InputError(f"is no JSON ({error}); copy the checkpoint again", path=str(file)) from error
    return found if isinstance(found, dict) else {}


def _first(config: dict[str, Any], *names: str) -> int | None:
    return next((config[name] for name in names if isinstance(config.get(name), int)), None)


def _read(place: Path) -> dict[str, Any]:
    try:
        data = place.read_bytes()
        found = tomllib.loads(data.decode()) if place.suffix.lower() == ".toml" else json.loads(data)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); check the path", path=str(place)) from error
    except ValueError as error:  # bad TOML, bad JSON and bad UTF-8 alike
        raise InputError(
            f"is neither TOML nor JSON ({error}); name a series file *.toml or *.json", path=str(place)
        ) from error
    if not isinstance(found, dict):
        raise InputError("does not hold a table; write name, axis and models", path=str(place))
    return found
