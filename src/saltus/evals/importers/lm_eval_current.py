"""lm-evaluation-harness from 0.4 on: `results_*.json`, and `samples_<task>_*.jsonl` where they were logged.

Where a task's samples are there, and their mean is the mean that the results report, the samples stand for
it. A metric of the whole corpus (perplexity, F1) has no such mean and stays an aggregate.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from saltus.evals.importers.benchmarks import benchmark, chance_of
from saltus.evals.importers.checks import check_n, check_score, check_stderr, recover_n
from saltus.evals.importers.lm_eval_names import model_of
from saltus.evals.importers.lm_eval_samples import TaskSamples, read_samples
from saltus.evals.importers.lm_eval_v03 import number_or_none, shot_variant, shots_or_none
from saltus.evals.importers.parsed import Parsed, Source, failure, read_bytes
from saltus.records.errors import InputError
from saltus.records.evidence import Aggregate
from saltus.records.ids import bytes_hash, content_hash
from saltus.records.metrics import metric_info

FORMAT = "lm-eval"
_STDERR = "_stderr"
_NO_METRIC = frozenset({"alias", "name", "sample_len", "sample_count", "samples", "bypass"})
_SAME = 1e-6  # relative difference up to which the samples' mean is the reported one


class CurrentFile(msgspec.Struct, frozen=True):
    """The parts of a result file that are read."""

    results: dict[str, dict[str, Any]]
    config: dict[str, Any] = {}
    configs: dict[str, dict[str, Any]] = {}
    versions: dict[str, Any] = {}
    shots: dict[str, Any] = msgspec.field(default_factory=dict, name="n-shot")
    counts: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict, name="n-samples")
    group_subtasks: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    model_name: str | None = None
    lm_eval_version: str | None = None
    date: float | None = None


def open_current(path: Path, data: bytes, given: CurrentFile, samples: Mapping[str, Path]) -> Source:
    """The source that a result file and its samples files are.

    Raises:
        InputError: It names no model, or a samples file cannot be read.
    """
    model = model_of(given.config, path, name=given.model_name or "")
    texts = {task: read_bytes(file) for task, file in samples.items()}
    content = content_hash([bytes_hash(data), {task: bytes_hash(text) for task, text in texts.items()}])
    run = content_hash([content, FORMAT, model.id])

    def parse() -> Iterator[Parsed]:
        parsed = Parsed(models={model.id: model})
        names = {**given.groups, **given.results}
        for task in [name for name in names if name in given.results]:
            logged = TaskSamples()
            # Newer versions write the name of a task into that of its file with "_" for all but letters.
            if (file := task if task in texts else re.sub(r"\W", "_", task)) in texts:
                shots = _shots(given, task)
                logged = read_samples(
                    samples[file], texts[file], run=run, model=model.id, task=task, shots=shots,
                    metrics={name.partition(",")[0] for name in given.results[task]},
                    version=_version(given, task),
                )  # fmt: skip
            _read_task(parsed, path, run, model.id, task, given, logged)
        yield parsed

    return Source(
        run=run,
        path=str(path),
        format=FORMAT,
        parse=parse,
        content=content,
        config={
            "model_args": given.config.get("model_args"),
            "shots": given.shots,
            "limit": given.config.get("limit"),
            "seeds": {
                key: given.config.get(key)
                for key in ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
            },
            "lm_eval_version": given.lm_eval_version,
            "date": given.date,
        },
        files=1 + len(texts),
    )


def _read_task(
    parsed: Parsed, path: Path, run: str, model: str, task: str, given: CurrentFile, logged: TaskSamples
) -> None:
    """Aggregates that no samples stand for, and the samples themselves."""
    reported = given.results[task]
    parsed.failed += logged.failed
    means = logged.means()
    kept: set[tuple[str, str]] = set(means)
    for key, value in reported.items():
        metric, _, name = key.partition(",")
        number = number_or_none(value)
        if metric in _NO_METRIC or metric.endswith(_STDERR) or number is None:
            continue
        shots = _shots(given, task)
        variant = shot_variant(shots, "" if name in ("", "none") else name)
        if (mean := means.get((metric, variant))) is not None and not math.isclose(
            mean, number, rel_tol=_SAME, abs_tol=1e-9
        ):
            kept.discard((metric, variant))
        if (metric, variant) in kept:
            continue
        try:
            parsed.aggregates.append(_aggregate(run, model, task, metric, name, number, variant, given))
        except InputError as error:
            parsed.failed.append(failure(path, InputError(f"results.{task}.{key}: {error.message}")))
    parsed.scores += [score for score in logged.scores if (score.metric, score.variant) in kept]
    parsed.samples += logged.samples
    parsed.responses += logged.responses


def _aggregate(
    run: str, model: str, task: str, metric: str, name: str, value: float, variant: str, given: CurrentFile
) -> Aggregate:
    reported = given.results[task]
    stderr = number_or_none(reported.get(f"{metric}{_STDERR},{name}" if name else metric + _STDERR))
    stderr = None if stderr is not None and math.isnan(stderr) else stderr
    check_score(metric, value, strict=False)
    check_stderr(stderr)
    n = _count(given, task)
    if n is None and metric_info(metric).unit == "share":
        n = recover_n(value, stderr)
    known = benchmark(task)
    if n is None and known is not None and known.n_test is not None and given.config.get("limit") is None:
        n = float(known.n_test)
    check_n(n)
    return Aggregate(
        run=run,
        model=model,
        task=task,
        metric=metric,
        value=value,
        stderr=stderr,
        n=n,
        chance=chance_of(task, metric),
        variant=variant,  # it says the shots, as scores have no other place for them and both must agree
    )


def _count(given: CurrentFile, task: str) -> float | None:
    """Samples of a task; of a group, those of its tasks together."""
    if (own := number_or_none(given.counts.get(task, {}).get("effective"))) is not None:
        return own
    if (length := number_or_none(given.results[task].get("sample_len"))) is not None:
        return length
    parts = given.group_subtasks.get(task)
    if not isinstance(parts, list) or not parts:
        return None
    counts = [number_or_none(given.counts.get(part, {}).get("effective")) for part in parts]
    return sum(n for n in counts if n is not None) if all(n is not None for n in counts) else None


def _shots(given: CurrentFile, task: str) -> int | None:
    return shots_or_none(given.shots.get(task, given.configs.get(task, {}).get("num_fewshot")))


def _version(given: CurrentFile, task: str) -> str:
    """Hash of a task's configuration, without what belongs to the model that was asked."""
    definition = {key: value for key, value in given.configs.get(task, {}).items() if key != "metadata"}
    return content_hash([task, given.versions.get(task), definition], length=16)
