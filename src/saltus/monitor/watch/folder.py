"""Finds checkpoints in a folder by their names: which training run each belongs to, and its step.

Nothing is opened here but `trainer_state.json`; whether a checkpoint is written to its end, `whole` says.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from saltus.records import UsageError

STATE = "trainer_state.json"  # the Trainer of transformers writes it last
STAMP = "family.json"
_STEP = re.compile(
    r"(?:^|(?P<name>.+)?[-_@.=/])(?:checkpoint|ckpt|global[-_]?step|step|iter(?:ation)?)[-_=]?(?P<step>\d+)"
    r"(?![\d.])",
    re.IGNORECASE,
)
_TEMPORARY = re.compile(
    r"^(?:\.|~|tmp[-_.]|temp[-_.])|(?:[-_.](?:tmp|temp|part|partial|incomplete))$", re.IGNORECASE
)
_CONTENT = ("config.json", "adapter_config.json", "model.safetensors", "pytorch_model.bin", STATE)
_EPOCH = re.compile(r"epoch", re.IGNORECASE)


class Candidate(msgspec.Struct, frozen=True):
    """A folder that may be a checkpoint.

    Attributes:
        path: The folder.
        series: Name of the training run that its place and name suggest.
        step: Optimiser step; None when nothing tells it, and `problem` says so.
    """

    path: Path
    series: str
    step: int | None
    problem: str = ""


def step_pattern(text: str | None) -> re.Pattern[str]:
    """A user's pattern for names of checkpoints, or the usual one.

    Raises:
        UsageError: It is no regular expression, or has no group called `step`.

    Examples:
        >>> step_pattern(None).search("global_step500").group("step")
        '500'
    """
    if text is None:
        return _STEP
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(
            f"--pattern {text!r} is no regular expression ({error}); write 'run-(?P<step>[0-9]+)', say",
            field="pattern",
        ) from error
    if "step" not in pattern.groupindex:
        raise UsageError(
            f"--pattern {text!r} has no group called step; write one such as 'run-(?P<step>[0-9]+)'",
            field="pattern",
        )
    return pattern


def discover(root: Path, *, pattern: str | None = None, name: str = "") -> list[Candidate]:
    """Folders under `root`, and one level deeper, that are or may become checkpoints.

    Args:
        root: Where the training run writes; or where several do, each into a folder of its own.
        pattern: A regular expression with a group `step`, searched for in a folder's name.
        name: What to call the series; by default the name before the step ("tiro-2x64@step400"), else that
            of the folder in which the checkpoint lies.

    Returns:
        By series and step; empty when the folder is not there (yet).

    Raises:
        UsageError: The pattern cannot be used.
    """
    compiled = step_pattern(pattern)
    own = pattern is not None
    found: dict[Path, Candidate] = {}
    for folder in _folders(root):
        if _is_checkpoint(folder, compiled):
            _add(found, _candidate(folder, compiled, own, name or "", root.absolute().name))
            continue
        for inner in _folders(folder):
            if _is_checkpoint(inner, compiled):
                inside = f"{name}/{folder.name}" if name else folder.name
                _add(found, _candidate(inner, compiled, own, inside if name else "", inside))
    return sorted(found.values(), key=lambda one: (one.series, one.step is None, one.step or 0, one.path))


def _add(found: dict[Path, Candidate], one: Candidate) -> None:
    """Keep one of several names of the same folder: its own before a link to it."""
    real = one.path.resolve()
    if real not in found or not one.path.is_symlink():
        found[real] = one


def _folders(place: Path) -> Iterator[Path]:
    """Folders in a folder that are not somebody's temporary ones; none where it cannot be read."""
    try:
        with os.scandir(place) as entries:
            names = sorted(entry.name for entry in entries if _is_folder(entry))
    except OSError:
        return  # it is not there yet, or was deleted this moment
    for name in names:
        if not _TEMPORARY.search(name):
            yield place / name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_checkpoint(folder: Path, pattern: re.Pattern[str]) -> bool:
    return bool(pattern.search(folder.name)) or any((folder / name).is_file() for name in _CONTENT)


def _candidate(folder: Path, pattern: re.Pattern[str], own: bool, name: str, parent: str) -> Candidate:
    found = pattern.search(folder.name)
    before = (found.groupdict().get("name") or "") if found else ""
    series = name or _before(before) or parent
    stamp = read_object(folder / STAMP).get("record")
    if not name and isinstance(stamp, dict) and isinstance(stamp.get("name"), str):
        series = stamp["name"]
    if own:
        try:
            return Candidate(
                folder, series, int(found.group("step")) if found else None, _untold(folder, own)
            )
        except (TypeError, ValueError):
            return Candidate(folder, series, None, _untold(folder, own))
    state = read_object(folder / STATE).get("global_step")
    if isinstance(state, int) and not isinstance(state, bool) and state >= 0:
        return Candidate(folder, series, state)
    if found:
        return Candidate(folder, series, int(found.group("step")))
    return Candidate(folder, series, None, _untold(folder, own))


def _before(text: str) -> str:
    """The name before the step, unless it only counts epochs ("epoch=1-step=500")."""
    text = re.sub(r"(?i)[-_@.=/]*global$", "", text).strip("-_@.=/ ")
    return "" if _EPOCH.search(text) or text.isdigit() else text


def _untold(folder: Path, own: bool) -> str:
    if own:
        return f"--pattern finds no step in the name {folder.name}; change the pattern"
    why = "an epoch is no step" if _EPOCH.search(folder.name) else f"the name {folder.name} tells none"
    return (
        f"no step can be told: {why}, and there is no {STATE}; rename it to step-N, or give --pattern with a "
        "group (?P<step>...)"
    )


def read_object(file: Path) -> dict[str, Any]:
    """A file's JSON object; empty when the file is not there or not yet whole."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
