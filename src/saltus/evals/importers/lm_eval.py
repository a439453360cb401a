"""Finds the result files of lm-evaluation-harness among files and folders, and tells its versions apart.

Version 0.3 wrote one JSON file a run; the current one writes `results_*.json` and, when asked to, a
`samples_<task>_*.jsonl` for each task beside it. Either is read by the module named after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from saltus.evals.importers.lm_eval_current import CurrentFile, open_current
from saltus.evals.importers.lm_eval_v03 import OldFile, open_old
from saltus.evals.importers.parsed import Job, Source, broken_job, decode_object, read_bytes
from saltus.records.errors import InputError, UsageError

_STAMP = re.compile(r"_(\d{4}-\d{2}-\d{2}T[\d.-]+)$")
_RESULTS = "results"


def jobs(paths: Sequence[Path], mapping: Any) -> list[Job]:
    """One job a result file; samples belong to the results of the same folder and date.

    Raises:
        UsageError: A mapping is given, which these files do not need.
    """
    if mapping is not None:
        raise UsageError(
            "--map is for tables; lm-eval files say what they hold, so leave it out", field="map"
        )
    results: dict[Path, Job] = {}
    for path in paths:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*.json") if file.is_file())
            orphans = [f for f in path.rglob("samples_*.jsonl") if results_of(f) is None]
            if not files and not orphans:
                results[path] = broken_job(path, "holds no *.json file; name a result file or another folder")
            for file in files:
                results.setdefault(file, Job(file, partial(open_results, file)))
            for file in sorted(orphans):
                results[file] = _without_results(file)
        elif path.suffix == ".jsonl":
            owner = results_of(path)
            if owner is None:
                results[path] = _without_results(path)
            else:
                results.setdefault(owner, Job(owner, partial(open_results, owner)))
        else:
            results.setdefault(path, Job(path, partial(open_results, path)))
    return list(results.values())


def open_results(path: Path) -> Source:
    """Read one result file of either version.

    Raises:
        InputError: It cannot be read, is no JSON, or holds no results.
    """
    data = read_bytes(path)
    given = decode_object(data, path)
    if not isinstance(given.get(_RESULTS), dict) or not given[_RESULTS]:
        found = (
            "an empty table of results" if _RESULTS in given else f"no results (its keys are {_keys(given)})"
        )
        raise InputError(
            f"holds {found}; name a result file that lm-evaluation-harness wrote after the evaluation",
            path=str(path),
            field=_RESULTS,
        )
    current = (
        "configs" in given
        or "n-shot" in given
        or any("," in name for row in given[_RESULTS].values() if isinstance(row, dict) for name in row)
    )
    try:
        if current:
            return open_current(
                path, data, msgspec.convert(given, CurrentFile, strict=False), samples_of(path)
            )
        return open_old(path, data, msgspec.convert(given, OldFile, strict=False))
    except msgspec.ValidationError as error:
        raise InputError(
            f"is not laid out as lm-evaluation-harness lays out results ({error}); evaluate again",
            path=str(path),
        ) from error


def samples_of(results: Path) -> dict[str, Path]:
    """The samples files that belong to a result file, by task."""
    stamp = _STAMP.search(results.stem)
    if not stamp:
        return {}
    found = {}
    for file in sorted(results.parent.glob(f"samples_*{stamp.group(0)}.jsonl")):
        found[_STAMP.sub("", file.stem).removeprefix("samples_")] = file
    return found


def results_of(samples: Path) -> Path | None:
    """The result file that a samples file belongs to, None when it is not there."""
    stamp = _STAMP.search(samples.stem)
    if not stamp:
        return None
    return next(iter(sorted(samples.parent.glob(f"*{stamp.group(0)}.json"))), None)


def _without_results(path: Path) -> Job:
    return broken_job(path, "has no results_*.json of the same date beside it; put it back there")


def _keys(given: dict[str, Any]) -> str:
    shown = ", ".join(list(given)[:6])
    return shown + (", ..." if len(given) > 6 else "") if given else "none"
