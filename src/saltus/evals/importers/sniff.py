"""The format "auto": tells by name and content which program wrote a file, and hands it to that importer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from saltus.evals.importers.parsed import Job, broken_job
from saltus.records.errors import UsageError

_MODULES = {
    "helm": "helm",
    "inspect": "inspect_log",
    "bigbench": "bigbench",
    "promptfoo": "promptfoo",
    "lm-eval": "lm_eval",
    "csv": "table",
}
_TABLES = (".csv", ".tsv")
_NAMED = "lm-eval, inspect, helm, bigbench, promptfoo or csv"


def jobs(paths: Sequence[Path], mapping: Any) -> list[Job]:
    """The jobs of each file's own importer; what nobody knows in a folder is left alone.

    Raises:
        UsageError: A mapping is given; it belongs to tables.
    """
    if mapping is not None:
        raise UsageError("--map is for tables; name the format csv with it", field="map")
    listed: dict[str, list[Path]] = {name: [] for name in _MODULES}
    unknown: list[Job] = []
    for path in paths:
        found = list(_formats(path))
        for name, file in found:
            listed[name].append(file)
        if not found:
            what = "holds no file of a known format" if path.is_dir() else "is of no known format"
            unknown.append(broken_job(path, f"{what}; name the format in place of auto: {_NAMED}"))
    told: list[Job] = []
    for name, files in listed.items():
        if files:
            module = import_module(f"saltus.evals.importers.{_MODULES[name]}")
            told += module.jobs(list(dict.fromkeys(files)), None)
    return told + unknown


def format_of(path: Path) -> str | None:
    """Name of the format that a file has, None when no importer knows it."""
    name, ending = path.name, path.suffix.lower()
    if name == "run_spec.json":
        return "helm"
    if ending == ".eval":
        return "inspect"
    if ending in _TABLES:
        return "csv"
    if ending == ".jsonl":
        return "lm-eval" if name.startswith("samples_") else _of_first_line(path)
    return _of_keys(path) if ending == ".json" else None


def _formats(path: Path) -> Iterator[tuple[str, Path]]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    runs = {file.parent for file in files if file.name == "run_spec.json"}
    for file in files:
        if not file.is_file() or (file.parent in runs and file.name != "run_spec.json"):
            continue
        found = format_of(file)
        covered = found == "bigbench" and file.name.startswith("scores_")
        if covered and file.with_name(file.name.replace("scores_", "full-log_", 1)).exists():
            continue
        if found:
            yield found, file


def _of_keys(path: Path) -> str | None:
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None  # whoever names its format is told what is wrong with it
    if {"eval", "status"} <= keys.keys():
        return "inspect"
    if {"scores", "model"} <= keys.keys():
        return "bigbench"
    if "results" not in keys:
        return None
    head = bytes(keys["results"])[:400].lstrip()
    inner = head.startswith(b"{") and (b'"version"' in head or b'"results"' in head or b'"stats"' in head)
    return (
        "promptfoo"
        if inner and ("config" in keys or "evalId" in keys) and "configs" not in keys
        else "lm-eval"
    )


def _of_first_line(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            keys = msgspec.json.decode(file.readline(), type=dict[str, msgspec.Raw])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None  # as above
    return "promptfoo" if {"provider", "prompt"} <= keys.keys() else None
