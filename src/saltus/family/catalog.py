"""What there is of the family: the checkpoints that are shipped, and those of a family trained elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from saltus.family.checkpoint import RECORD_FILE, checkpoint_path, read_stamp
from saltus.family.recipe import RECIPE, SIZES, Size
from saltus.records.errors import UsageError
from saltus.records.evidence import ModelRecord

WEIGHTS = Path(__file__).parent / "weights"


def catalog(root: str | Path | None = None) -> list[ModelRecord]:
    """Every checkpoint under a directory, ordered by parameters, model and step.

    Args:
        root: Where `saltus family train` wrote; the shipped weights when None.

    Returns:
        Records whose `location` is the checkpoint's directory.

    Raises:
        UsageError: There is no checkpoint under the directory.
        InputError: A checkpoint's `family.json` cannot be read.
    """
    base = Path(root) if root is not None else WEIGHTS
    found = [
        msgspec.structs.replace(read_stamp(file.parent).record, location=str(file.parent))
        for file in base.glob(f"*/step*/{RECORD_FILE}")
    ]
    if not found:
        raise UsageError(
            "no checkpoint of the family is here, train one with `saltus family train --out DIR`",
            path=str(base),
        )
    return sorted(found, key=lambda record: (record.params or 0, record.name, record.step or 0))


def checkpoints(
    size: str | None = None,
    seed: int | None = 0,
    steps: Collection[int] | None = None,
    *,
    root: str | Path | None = None,
) -> list[ModelRecord]:
    """Choose checkpoints of the family.

    Args:
        size: Label such as "2x64"; all sizes when None.
        seed: Seed of the training; all seeds when None.
        steps: Steps to keep; all when None.
        root: A family trained elsewhere; the shipped one when None.

    Returns:
        Records ordered by parameters, model and step; empty when no such checkpoint is there.

    Raises:
        UsageError: The size does not exist, or nothing of the family is in `root`.
    """
    wanted = find_size(size) if size is not None else None
    return [
        record
        for record in catalog(root)
        if (wanted is None or (record.layers, record.width) == (wanted.layers, wanted.width))
        and (seed is None or record.seed == seed)
        and (steps is None or record.step in steps)
    ]


def finals(seed: int | None = 0, *, root: str | Path | None = None) -> list[ModelRecord]:
    """The last checkpoint of each model, ordered by parameters: the series along scale."""
    last = {record.name: record for record in checkpoints(seed=seed, root=root)}
    return list(last.values())


def series(root: str | Path | None = None, *, seed: int | None = None) -> tuple[ModelRecord, ...]:
    """The family as one series to evaluate: every checkpoint there is, ordered by parameters, model and step.

    Args:
        root: A family trained elsewhere; the shipped one when None.
        seed: Only the models of this seed; all seeds when None.
    """
    return tuple(checkpoints(seed=seed, root=root))


def locate(model: str, *, root: str | Path | None = None) -> Path:
    """Directory of one checkpoint by its id, e.g. "tiro-2x64@step500"; the last one for a bare name.

    Raises:
        UsageError: No such checkpoint is there, or the id is not of this form.
    """
    name, _, revision = model.partition("@")
    if not revision:
        return path(name, root=root)
    step = revision.removeprefix("step")
    if not step.isdecimal():
        raise UsageError(
            f'"{revision}" is no revision of the family, write one such as {name}@step500', field="model"
        )
    return path(name, int(step), root=root)


def path(name: str, step: int | None = None, *, root: str | Path | None = None) -> Path:
    """Directory of one checkpoint.

    Args:
        name: Name of a model such as "tiro-2x64" or "tiro-2x16-seed1".
        step: Step of the checkpoint; the last one when None.
        root: A family trained elsewhere; the shipped one when None.

    Raises:
        UsageError: No such checkpoint is there; the message says which steps are.
    """
    there = {int(r.step or 0): r for r in catalog(root) if r.name == name}
    if not there:
        names = sorted({r.name for r in catalog(root)})
        raise UsageError(f'no model is called "{name}", there are {", ".join(names)}', field="name")
    chosen = max(there) if step is None else step
    if chosen not in there:
        raise UsageError(
            f"{name} has no checkpoint of step {chosen}, there are {', '.join(map(str, sorted(there)))}; "
            "`saltus family train` makes the others",
            field="step",
        )
    return Path(there[chosen].location)


def find_size(label: str) -> Size:
    """Look a size up by its label, e.g. "2x64".

    Raises:
        UsageError: It does not exist.
    """
    for size in SIZES:
        if size.label == label:
            return size
    labels = ", ".join(size.label for size in SIZES)
    raise UsageError(f'the family has no size "{label}", its sizes are {labels}', field="sizes")


def shipped() -> list[Path]:
    """Directories that belong into the repository, under the root of a family that holds seeds 0, 1 and 2."""
    last = RECIPE.checkpoints[-1]
    everything = [
        checkpoint_path(Path(), s, 0, step)
        for s in SIZES
        if s.label in {"2x64", "1x48"}
        for step in RECIPE.checkpoints
    ]
    final = [checkpoint_path(Path(), s, seed, last) for s in SIZES for seed in (0, 1, 2)]
    return sorted(set(everything + final))
