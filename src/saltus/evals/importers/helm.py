"""Run folders of HELM (crfm-helm): `run_spec.json` and the files that `helm-run` writes beside it.

Every instance and trial becomes a response, every per-instance statistic that measures an answer a score. A
statistic that only the whole run has (a calibration error, a macro F1) stays an aggregate.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from saltus.evals.importers.checks import check_score
from saltus.evals.importers.helm_instances import (
    PICKED,
    PerInstance,
    Stat,
    State,
    add_state,
    is_measure,
    key_of,
    variant_of,
)
from saltus.evals.importers.parsed import Job, Parsed, Source, broken_job, failure, read_as, read_bytes
from saltus.records.errors import InputError, UsageError
from saltus.records.evidence import Aggregate, ModelRecord
from saltus.records.ids import bytes_hash, content_hash

FORMAT = "helm"
_SPEC = "run_spec.json"
_FILES = (_SPEC, "scenario_state.json", "per_instance_stats.json", "stats.json")
_NO_PART_OF_THE_TASK = ("model", "model_deployment", "data_augmentation")
_AT_ONCE = 1024


class _Adapter(msgspec.Struct, frozen=True):
    model: str = ""
    model_deployment: str = ""
    method: str = ""
    max_train_instances: int = 0


class _Spec(msgspec.Struct, frozen=True):
    """The parts of `run_spec.json` that are read."""

    name: str
    adapter_spec: _Adapter
    scenario_spec: dict[str, Any] = {}
    groups: list[str] = []


class _States(msgspec.Struct, frozen=True):
    request_states: list[msgspec.Raw] = []


def jobs(paths: Sequence[Path], mapping: Any) -> list[Job]:
    """One job a run folder; a suite's folder, or any above it, stands for all in it.

    Raises:
        UsageError: A mapping is given, which run folders do not need.
    """
    if mapping is not None:
        raise UsageError(
            "--map is for tables; HELM's folders say what they hold, so leave it out", field="map"
        )
    found: dict[Path, Job] = {}
    for path in paths:
        if path.is_dir():
            specs = sorted(path.rglob(_SPEC))
            if not specs:
                found[path] = broken_job(
                    path, f"holds no {_SPEC}; name a folder that helm-run wrote (benchmark_output/runs/SUITE)"
                )
            for spec in specs:
                found.setdefault(spec.parent, Job(spec.parent, partial(open_run, spec.parent)))
        elif path.name in _FILES:
            found.setdefault(path.parent, Job(path.parent, partial(open_run, path.parent)))
        else:
            found[path] = broken_job(path, f"is no file of a HELM run; name the folder that holds {_SPEC}")
    return list(found.values())


def open_run(folder: Path) -> Source:
    """Read what was run.

    Raises:
        InputError: A file is missing or cannot be read.
    """
    there = {name: folder / name for name in _FILES if (folder / name).is_file()}
    if "stats.json" not in there and "per_instance_stats.json" not in there:
        raise InputError(
            "holds neither stats.json nor per_instance_stats.json, so the run failed or is not done; "
            "run it again",
            path=str(folder),
        )
    spec = read_as(read_bytes(there[_SPEC]), _Spec, there[_SPEC], of="HELM")
    if not spec.adapter_spec.model:
        raise InputError(
            "names no model; run it again with a newer HELM",
            path=str(there[_SPEC]),
            field="adapter_spec.model",
        )
    content = content_hash({name: bytes_hash(read_bytes(path)) for name, path in there.items()})
    model = ModelRecord(name=spec.adapter_spec.model.removeprefix("huggingface/"))
    run = content_hash([content, FORMAT, model.id])
    return Source(
        run=run,
        path=str(folder),
        format=FORMAT,
        parse=partial(_parse, there, spec, model, run),
        content=content,
        config={"name": spec.name, "groups": spec.groups, "method": spec.adapter_spec.method,
                "deployment": spec.adapter_spec.model_deployment, "scenario": spec.scenario_spec},
        files=len(there),
    )  # fmt: skip


def task_of(name: str) -> str:
    """The task of a run: its name without the model and the perturbation.

    Examples:
        >>> task_of("mmlu:subject=anatomy,method=multiple_choice_joint,model=openai_gpt2")
        'mmlu:subject=anatomy,method=multiple_choice_joint'
        >>> task_of("simple1:model=simple_model1")
        'simple1'
    """
    scenario, _, rest = name.partition(":")
    kept = [word for word in rest.split(",") if word and word.partition("=")[0] not in _NO_PART_OF_THE_TASK]
    return f"{scenario}:{','.join(kept)}" if kept else scenario


def _parse(there: Mapping[str, Path], spec: _Spec, model: ModelRecord, run: str) -> Iterator[Parsed]:
    parsed = Parsed(models={model.id: model})
    task = task_of(spec.name)
    version = content_hash([task, spec.scenario_spec], length=16)
    splits = _splits(there)
    marks, names = _marks(there, splits, parsed)
    for state in _states(there, parsed):
        key = key_of(state, splits)
        add_state(
            state, marks.pop(key, None), parsed, run=run, model=model.id, task=task, version=version, key=key
        )
        if len(parsed.responses) >= _AT_ONCE:
            yield parsed
            parsed = Parsed(models={model.id: model})
    _add_aggregates(there, parsed, names, splits, run=run, model=model.id, task=task)
    yield parsed


def _states(there: Mapping[str, Path], parsed: Parsed) -> Iterator[State]:
    path = there.get("scenario_state.json")
    if path is None:
        return
    try:
        states = read_as(read_bytes(path), _States, path, of="HELM").request_states
    except InputError as error:
        parsed.failed.append(failure(path, error))
        return
    for place, raw in enumerate(states):
        try:
            yield read_as(bytes(raw), State, path, of="HELM")
        except InputError as error:
            parsed.failed.append(failure(path, InputError(f"request_states[{place}] {error.message}")))


def _marks(
    there: Mapping[str, Path], splits: Mapping[str, str], parsed: Parsed
) -> tuple[dict[tuple[str, str, int], dict[str, float]], set[str]]:
    """Scores of each instance, variant and trial, and the names of all statistics that instances have."""
    path = there.get("per_instance_stats.json")
    found: dict[tuple[str, str, int], dict[str, float]] = defaultdict(dict)
    names: set[str] = set()
    if path is None:
        return found, names
    try:
        listed = read_as(read_bytes(path), list[PerInstance], path, of="HELM")
    except InputError as error:
        parsed.failed.append(failure(path, error))
        return found, names
    for instance in listed:
        for stat in instance.stats:
            names.add(stat.name.name)
            wanted = is_measure(stat.name.name) or stat.name.name == PICKED
            if wanted and stat.count and stat.mean is not None and math.isfinite(stat.mean):
                variant = variant_of(
                    instance.perturbation or stat.name.perturbation, splits.get(stat.name.split, "")
                )
                found[instance.instance_id, variant, instance.train_trial_index][stat.name.name] = stat.mean
    return found, names


def _splits(there: Mapping[str, Path]) -> dict[str, str]:
    """What each split adds to the variant: nothing for "test", or where there is one split only."""
    path = there.get("stats.json")
    if path is None:
        return {}
    stats = read_as(read_bytes(path), list[Stat], path, of="HELM")
    names = sorted({stat.name.split for stat in stats if stat.name.split})
    main = "test" if "test" in names else names[0] if names else ""
    return {name: "" if name == main else name for name in names}


def _add_aggregates(
    there: Mapping[str, Path], parsed: Parsed, names: set[str], splits: Mapping[str, str], *,
    run: str, model: str, task: str,
) -> None:  # fmt: skip
    path = there.get("stats.json")
    if path is None:
        return
    stats = read_as(read_bytes(path), list[Stat], path, of="HELM")
    counts = {
        s.name.split: s.mean for s in stats if s.name.name == "num_instances" and not s.name.perturbation
    }
    for stat in stats:
        name = stat.name
        if name.name in names or not is_measure(name.name) or not stat.count or stat.mean is None:
            continue
        if name.perturbation and name.perturbation.get("computed_on") != "perturbed":
            continue  # the worst or the original of several: samples give it
        if not math.isfinite(stat.mean):
            continue
        try:
            check_score(name.name, stat.mean, strict=False)
        except InputError as error:
            parsed.failed.append(failure(path, InputError(f"{name.name}: {error.message}")))
            continue
        count = counts.get(name.split)
        parsed.aggregates.append(
            Aggregate(
                run=run, model=model, task=task, metric=name.name, value=stat.mean,
                variant=variant_of(name.perturbation, splits.get(name.split, "")),
                n=float(count) if count else None,
            )
        )  # fmt: skip
