"""Logs of Inspect (inspect_ai): `.eval` archives and `.json` files, of any version since 0.3.

Every scorer becomes a metric under its own name; letter grades become numbers as Inspect's metrics read them.
Where a log holds samples they stand for the means; a metric that is no mean of them stays an aggregate.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from saltus.evals.importers.archive import Archive
from saltus.evals.importers.benchmarks import chance_of
from saltus.evals.importers.checks import check_score
from saltus.evals.importers.inspect_samples import Asked, InspectSample, add_sample, to_value
from saltus.evals.importers.lm_eval_names import neutral
from saltus.evals.importers.parsed import (
    Failure,
    Job,
    Parsed,
    Source,
    broken_job,
    failure,
    read_as,
    read_bytes,
)
from saltus.models.registry import split_step, step_of
from saltus.records.errors import InputError, UsageError
from saltus.records.evidence import Aggregate, ModelRecord
from saltus.records.ids import content_hash

FORMAT = "inspect"
_AT_ONCE = 256  # samples that are in memory together
_SAMPLE = re.compile(r"samples/.+_epoch_\d+\.json")
_MEANS = frozenset({"accuracy", "mean"})
_SPREADS = frozenset({"stderr", "bootstrap_stderr", "std", "var"})
# Providers that run a model by the name it has on a hub; of others the name is part of the model's.
_RUNS_HUB_MODELS = frozenset({"hf", "vllm", "vllm-local", "sglang", "transformer_lens", "nnterp", "nnsight"})
T = TypeVar("T")


class _Log(msgspec.Struct, frozen=True):
    """The head of a log; `.json` files hold the samples too."""

    eval: dict[str, Any]
    version: int = 2
    status: str = "started"
    plan: dict[str, Any] = {}
    results: dict[str, Any] | None = None
    samples: list[msgspec.Raw] | None = None


def jobs(paths: Sequence[Path], mapping: Any) -> list[Job]:
    """One job a log; folders are searched for `.eval` and `.json` files.

    Raises:
        UsageError: A mapping is given, which logs do not need.
    """
    if mapping is not None:
        raise UsageError("--map is for tables; Inspect logs say what they hold, so leave it out", field="map")
    found: dict[Path, Job] = {}
    for path in paths:
        if path.is_dir():
            files = sorted(f for end in ("eval", "json") for f in path.rglob(f"*.{end}") if _may_be_log(f))
            if not files:
                found[path] = broken_job(path, "holds no .eval or .json log; name a log or another folder")
            for file in files:
                found.setdefault(file, Job(file, partial(open_log, file)))
        else:
            found.setdefault(path, Job(path, partial(open_log, path)))
    return list(found.values())


def open_log(path: Path) -> Source:
    """Read the head of a log.

    Raises:
        InputError: It cannot be read, or is no Inspect log.
    """
    content = _file_hash(path)
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    log, read = _open_archive(path) if zipped else _open_json(path)
    if not isinstance(log.eval.get("task"), str) or not isinstance(log.eval.get("model"), str):
        raise InputError(
            "names no task or no model; name a log that Inspect wrote", path=str(path), field="eval"
        )
    model = model_of(log.eval)
    run = content_hash([content, FORMAT, model.id])
    asked = Asked(
        run=run, model=model.id, provider=log.eval["model"], task=log.eval["task"],
        version=content_hash([log.eval["task"], log.eval.get("task_version")], length=16),
        variant=_variant(log.eval),
    )  # fmt: skip
    return Source(
        run=run,
        path=str(path),
        format=FORMAT,
        parse=partial(_parse, path, log, read, asked, model),
        content=content,
        config={
            "model": log.eval["model"],
            "model_args": _plain(log.eval.get("model_args")),
            "task_args": _plain(log.eval.get("task_args")),
            "config": log.eval.get("config"),
            "generate": {**(log.plan.get("config") or {}), **(log.eval.get("model_generate_config") or {})},
            "status": log.status,
            "packages": log.eval.get("packages"),
            "created": log.eval.get("created"),
        },
    )


def model_of(spec: Mapping[str, Any]) -> ModelRecord:
    """The model of a log: `hf/ORG/NAME` and a local `model_path` lose provider and folders.

    Examples:
        >>> model_of({"model": "hf/EleutherAI/pythia-70m", "model_args": {"revision": "step3000"}}).id
        'EleutherAI/pythia-70m@step3000'
        >>> model_of({"model": "openai/gpt-4o-mini"}).id
        'openai/gpt-4o-mini'
    """
    args = spec.get("model_args") or {}
    told = str(spec["model"])
    provider, _, rest = told.partition("/")
    if args.get("model_path"):
        told = neutral(str(args["model_path"]))
    elif rest and (provider in _RUNS_HUB_MODELS or rest.count("/")):
        told = rest if rest.count("/") < 2 else rest.rsplit("/", 2)[1] + "/" + rest.rsplit("/", 1)[1]
    name, revision = split_step(told)
    given = str(args.get("revision") or "")
    revision = given if given not in ("", "main") else revision
    facts = (
        ((spec.get("metadata") or {}).get("saltus") or {})
        if isinstance(spec.get("metadata"), Mapping)
        else {}
    )
    known = {
        key: facts[key]
        for key in (
            "family",
            "params",
            "tokens",
            "flops",
            "step",
            "loss",
            "released",
            "layers",
            "width",
            "heads",
        )
        if isinstance(facts, Mapping) and facts.get(key) is not None
    }
    return msgspec.convert(
        {
            "step": step_of(revision),
            "source": "Inspect log" if known else "",
            **known,
            "name": name,
            "revision": revision,
        },
        ModelRecord,
    )


def _open_archive(path: Path) -> tuple[_Log, Callable[[], Iterator[tuple[str, bytes]]]]:
    with Archive(path) as archive:
        names = archive.names
        head = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
        if head is None:
            raise InputError(
                "is an archive without header.json; name a log that Inspect wrote", path=str(path)
            )
        log = _decode(archive.read(head), _Log, path, head)

    def read() -> Iterator[tuple[str, bytes]]:
        with Archive(path) as opened:
            for name in opened.names:
                if _SAMPLE.fullmatch(name):
                    yield name, opened.read(name)

    return log, read


def _open_json(path: Path) -> tuple[_Log, Callable[[], Iterator[tuple[str, bytes]]]]:
    log = _decode(read_bytes(path), _Log, path, "")

    def read() -> Iterator[tuple[str, bytes]]:
        for place, sample in enumerate(log.samples or []):
            yield f"samples[{place}]", bytes(sample)

    return log, read


def _parse(
    path: Path, log: _Log, read: Callable[[], Iterator[tuple[str, bytes]]], asked: Asked, model: ModelRecord
) -> Iterator[Parsed]:
    parsed = Parsed(models={model.id: model})
    unread: dict[str, list[str]] = {}
    means: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    count = 0
    for place, data in read():
        try:
            add_sample(_decode(data, InspectSample, path, place), asked, parsed, unread)
            count += 1
        except InputError as error:
            parsed.failed.append(failure(path, error))
        if len(parsed.samples) >= _AT_ONCE:
            _count_means(parsed, means)
            yield parsed
            parsed = Parsed(models={model.id: model})
    _count_means(parsed, means)
    found = {
        metric: math.fsum(total / n for total, n in items.values()) / len(items)
        for metric, items in means.items()
    }
    _add_aggregates(parsed, path, log, asked, found, has_samples=count > 0)
    for metric, values in unread.items():
        parsed.failed.append(
            Failure(
                str(path), None,
                f"{len(values)} values of {metric} are no numbers, such as {values[0][:40]!r}, and were left "
                "out; score with letters (C, I, P, N), yes and no, or numbers",
            )
        )  # fmt: skip
    if log.status != "success":
        total = (log.results or {}).get("total_samples") or (log.eval.get("dataset") or {}).get("samples")
        of = f" of {total}" if total else ""
        parsed.failed.append(
            Failure(
                str(path), None,
                f"the evaluation ended with the status {log.status}; the {count}{of} samples it logged went "
                "in, so evaluate again for the rest",
            )
        )  # fmt: skip
    yield parsed


def _count_means(parsed: Parsed, means: dict[str, dict[str, list[float]]]) -> None:
    for score in parsed.scores:
        entry = means[score.metric][score.sample]
        entry[0] += score.value
        entry[1] += 1


def _add_aggregates(
    parsed: Parsed, path: Path, log: _Log, asked: Asked, means: Mapping[str, float], *, has_samples: bool
) -> None:
    """Reported means that no samples stand for."""
    for score in (log.results or {}).get("scores") or []:
        name, scorer = str(score.get("name")), str(score.get("scorer"))
        metrics = score.get("metrics") or {}
        stderr = next(
            (to_value(metrics[key].get("value")) for key in _SPREADS & metrics.keys() if "stderr" in key),
            None,
        )
        for metric, reported in metrics.items():
            value = to_value(reported.get("value"))
            if metric in _SPREADS or value is None or math.isnan(value):
                continue
            mean = means.get(name, means.get(f"{scorer}/{name}"))
            if (
                mean is not None
                and metric in _MEANS
                and math.isclose(mean, value, rel_tol=1e-6, abs_tol=1e-9)
            ):
                continue
            reducer = str(score.get("reducer") or "")
            words = (name, "" if reducer == "mean" else reducer, "" if metric in _MEANS else metric)
            told = "/".join(word for word in words if word)
            if told in means:
                told = f"{told}/{metric}"
            try:
                check_score(told, value, strict=False)
            except InputError as error:
                parsed.failed.append(failure(path, InputError(f"results.{told}: {error.message}")))
                continue
            n = score.get("scored_samples") or (log.eval.get("dataset") or {}).get("samples")
            parsed.aggregates.append(
                Aggregate(
                    run=asked.run, model=asked.model, task=asked.task, metric=told, value=value,
                    variant=asked.variant, stderr=stderr if metric in _MEANS else None,
                    n=float(n) if isinstance(n, int) and n > 0 else None,
                    chance=chance_of(asked.task, told),
                )
            )  # fmt: skip


def _variant(spec: Mapping[str, Any]) -> str:
    """The task's arguments that were given, as they change what is asked; old logs list only those."""
    given = spec.get("task_args_passed", spec.get("task_args")) or {}
    words = [str(value) if key == "variant" else f"{key}={value}" for key, value in sorted(given.items())]
    return " ".join(word for word in words if word)


def _plain(given: Any) -> dict[str, Any]:
    """Arguments without what is long, such as a list of prepared answers."""
    items = given.items() if isinstance(given, Mapping) else ()
    return {str(key): value for key, value in items if isinstance(value, str | int | float | bool)}


def _may_be_log(file: Path) -> bool:
    return file.is_file() and not file.name.startswith((".", "logs.json", "eval-set.json"))


def _decode(data: bytes, kind: type[T], path: Path, place: str) -> T:
    try:
        return read_as(data, kind, path, of="Inspect")
    except InputError as error:
        raise InputError(f"{place} {error.message}".strip(), path=str(path), line=error.line) from error


def _file_hash(path: Path) -> str:
    """Hash of a file's bytes, read a stretch at a time."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror}); check the path and its permissions", path=str(path)
        ) from error
