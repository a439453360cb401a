"""lm-evaluation-harness v0.3: one JSON file a run, means and standard errors only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from saltus.evals.importers.benchmarks import benchmark, chance_of
from saltus.evals.importers.checks import check_score, check_stderr, recover_n
from saltus.evals.importers.lm_eval_names import model_of
from saltus.evals.importers.parsed import Parsed, Source, failure
from saltus.records.errors import InputError
from saltus.records.evidence import Aggregate
from saltus.records.ids import bytes_hash, content_hash
from saltus.records.metrics import metric_info

FORMAT = "lm-eval-0.3"
_STDERR = "_stderr"


class OldFile(msgspec.Struct, frozen=True):
    """The parts of a result file that are read."""

    results: dict[str, dict[str, Any]]
    config: dict[str, Any] = {}
    versions: dict[str, Any] = {}


def open_old(path: Path, data: bytes, given: OldFile) -> Source:
    """The source that a v0.3 result file is.

    Raises:
        InputError: It names no model.
    """
    model = model_of(given.config, path)
    content = bytes_hash(data)
    run = content_hash([content, FORMAT, model.id])

    def parse() -> Iterator[Parsed]:
        shots = shots_or_none(given.config.get("num_fewshot"))
        parsed = Parsed(models={model.id: model})
        for task, metrics in given.results.items():
            _read_task(
                parsed, path, run, model.id, task, metrics, shots, given.config.get("limit") is not None
            )
        yield parsed

    return Source(
        run=run,
        path=str(path),
        format=FORMAT,
        parse=parse,
        content=content,
        config={
            "model_args": given.config.get("model_args"),
            "shots": given.config.get("num_fewshot"),
            "limit": given.config.get("limit"),
        },
    )


def shot_variant(shots: int | None, variant: str = "") -> str:
    """How a prompt differs from the plain zero-shot one, as one word for the store."""
    return " ".join(word for word in (f"{shots}-shot" if shots else "", variant) if word)


def number_or_none(value: Any) -> float | None:
    """A number; None for what stands for a missing one ("N/A", null, an empty text)."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def shots_or_none(value: Any) -> int | None:
    """A number of examples; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def _read_task(
    parsed: Parsed,
    path: Path,
    run: str,
    model: str,
    task: str,
    metrics: Mapping[str, Any],
    shots: int | None,
    limited: bool,
) -> None:
    n = count_of(metrics)
    if n is None and not limited and (known := benchmark(task)) is not None and known.n_test is not None:
        n = float(known.n_test)
    for metric, given in metrics.items():
        value = number_or_none(given)
        if metric.endswith(_STDERR) or value is None:
            continue
        stderr = number_or_none(metrics.get(metric + _STDERR))
        try:
            check_score(metric, value, strict=False)
            if stderr is not None and math.isnan(stderr):
                stderr = None  # the harness writes NaN for a single sample
            check_stderr(stderr)
        except InputError as error:
            parsed.failed.append(failure(path, InputError(f"results.{task}.{metric}: {error.message}")))
            continue
        parsed.aggregates.append(
            Aggregate(
                run=run,
                model=model,
                task=task,
                metric=metric,
                value=value,
                stderr=stderr,
                n=n,
                chance=chance_of(task, metric),
                variant=shot_variant(shots),
                shots=shots,
            )
        )


def count_of(metrics: Mapping[str, Any], stderr: str = _STDERR) -> float | None:
    """Samples of a task, recovered from the first share that tells; all its metrics see the same ones."""
    for metric, given in metrics.items():
        value = number_or_none(given)
        if metric.endswith(stderr) or value is None or metric_info(metric).unit != "share":
            continue
        n = recover_n(value, number_or_none(metrics.get(metric + stderr)))
        if n is not None:
            return n
    return None
