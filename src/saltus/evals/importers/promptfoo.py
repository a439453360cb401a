"""Results of promptfoo (`promptfoo eval -o results.json`), versions 2 and 3 of the format, and `.jsonl`.

Each provider is a model, each set of variables a sample, each prompt template a variant where there are
several. `pass`, `score` and the named scores of the assertions are the metrics.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from saltus.evals.importers.checks import check_score
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
from saltus.records.errors import InputError, UsageError
from saltus.records.evidence import ModelRecord, Response, Sample, Score
from saltus.records.ids import bytes_hash, content_hash

FORMAT = "promptfoo"
_AT_ONCE = 512
_ERROR = 2  # `failureReason` of a request that brought no answer
_EXPECTS = (
    "equals",
    "contains",
    "icontains",
    "starts-with",
    "is-json",
    "similar",
    "factuality",
    "llm-rubric",
)
_SHORT = 80


class _Results(msgspec.Struct, frozen=True):
    results: list[msgspec.Raw]
    version: int | None = None
    prompts: list[dict[str, Any]] | None = None
    table: dict[str, Any] | None = None


class _File(msgspec.Struct, frozen=True):
    results: _Results
    config: dict[str, Any] = {}
    metadata: dict[str, Any] | None = None


class _Row(msgspec.Struct, frozen=True, rename="camel"):
    """One answer of one provider to one prompt."""

    provider: dict[str, Any] | str
    vars: dict[str, Any] = {}
    prompt: dict[str, Any] | str = {}
    response: dict[str, Any] | None = None
    error: str | None = None
    success: bool = False
    score: float | None = None
    named_scores: dict[str, float | None] = {}
    latency_ms: float | None = None
    cost: float | None = None
    grading_result: dict[str, Any] | None = None
    failure_reason: int | None = None
    test_case: dict[str, Any] | None = None
    prompt_idx: int | None = None
    test_idx: int | None = None
    description: str | None = None


def jobs(paths: Sequence[Path], mapping: Any) -> list[Job]:
    """One job a result file; folders are searched for `.json` and `.jsonl`.

    Raises:
        UsageError: A mapping is given, which these files do not need.
    """
    if mapping is not None:
        raise UsageError(
            "--map is for tables; promptfoo files say what they hold, so leave it out", field="map"
        )
    found: dict[Path, Job] = {}
    for path in paths:
        if path.is_dir():
            files = sorted(f for end in ("json", "jsonl") for f in path.rglob(f"*.{end}") if f.is_file())
            if not files:
                found[path] = broken_job(
                    path, "holds no .json or .jsonl file; name what `promptfoo eval -o` wrote"
                )
            for file in files:
                found.setdefault(file, Job(file, partial(open_file, file)))
        else:
            found.setdefault(path, Job(path, partial(open_file, path)))
    return list(found.values())


def open_file(path: Path) -> Source:
    """Read a result file.

    Raises:
        InputError: It cannot be read, or promptfoo did not write it.
    """
    data = read_bytes(path)
    if path.suffix == ".jsonl":
        given = _File(_Results([msgspec.Raw(line) for line in data.splitlines() if line.strip()]))
        lines: Sequence[int | None] = [i for i, line in enumerate(data.splitlines(), 1) if line.strip()]
    else:
        given = read_as(data, _File, path, of="promptfoo")
        lines = [None] * len(given.results.results)
    content = bytes_hash(data)
    run = content_hash([content, FORMAT])
    task = str(given.config.get("description") or path.stem)
    return Source(
        run=run,
        path=str(path),
        format=FORMAT,
        parse=partial(_parse, path, given, run, task, lines),
        content=content,
        config={
            "version": given.results.version,
            "metadata": given.metadata,
            "description": given.config.get("description"),
        },
    )


def _parse(path: Path, given: _File, run: str, task: str, lines: Sequence[int | None]) -> Iterator[Parsed]:
    rows = _rows(path, given, lines)
    parsed = Parsed()
    several = len({_prompt_name(prompt) for prompt in _prompts(given)}) > 1
    epochs: dict[tuple[str, str, str], int] = defaultdict(int)  # responses to one thing so far
    for place, row in enumerate(rows):
        if isinstance(row, Failure):
            parsed.failed.append(row)
            continue
        try:
            _add(row, parsed, run=run, task=task, several=several or _is_lines(lines), epochs=epochs)
        except InputError as error:
            where = InputError(f"results[{place}]: {error.message}")
            parsed.failed.append(failure(path, where, lines[place]))
        if len(parsed.responses) >= _AT_ONCE:
            yield parsed
            parsed = Parsed()
    yield parsed


def _rows(path: Path, given: _File, lines: Sequence[int | None]) -> Iterator[_Row | Failure]:
    for place, (raw, line) in enumerate(zip(given.results.results, lines, strict=True)):
        try:
            yield read_as(bytes(raw), _Row, path, of="promptfoo")
        except InputError as error:
            yield failure(path, InputError(f"results[{place}] {error.message}"), line)


def _add(
    row: _Row, parsed: Parsed, *, run: str, task: str, several: bool, epochs: dict[tuple[str, str, str], int]
) -> None:
    model = _model(row)
    parsed.models[model.id] = model
    case = row.test_case or {}
    name = content_hash([row.vars, case.get("description"), case.get("assert")], length=16)
    variant = _prompt_name(row.prompt) if several else ""
    epoch = epochs[model.id, name, variant]
    epochs[model.id, name, variant] += 1
    if ("", name, "") not in epochs:
        epochs["", name, ""] = 1  # the sample has been given
        parsed.samples.append(_sample(row, task, name, case))
    response = _response(row, run=run, model=model.id, task=task, name=name, variant=variant, epoch=epoch)
    parsed.responses.append(response)
    if response.finish == "error":
        return
    marks = {"pass": float(row.success), "score": row.score, **row.named_scores}
    for metric, value in marks.items():
        if value is None or not math.isfinite(value):
            continue
        check_score(metric, value, strict=False)
        parsed.scores.append(
            Score(
                run=run,
                model=model.id,
                task=task,
                sample=name,
                metric=metric,
                value=float(value),
                variant=variant,
                epoch=epoch,
            )
        )


def _model(row: _Row) -> ModelRecord:
    if isinstance(row.provider, str):
        told = row.provider
    else:
        told = str(row.provider.get("label") or row.provider.get("id") or "")
    if not told:
        raise InputError("names no provider; evaluate again")
    if told.startswith(("file://", "exec:", "python:")):
        told = neutral(told.partition(":")[2])
    return ModelRecord(name=told)


def _sample(row: _Row, task: str, name: str, case: Mapping[str, Any]) -> Sample:
    wanted = next(
        (
            one["value"]
            for one in case.get("assert") or []
            if isinstance(one, Mapping) and one.get("type") in _EXPECTS and isinstance(one.get("value"), str)
        ),
        "",
    )
    metadata = case.get("metadata")
    tags = metadata.items() if isinstance(metadata, Mapping) else ()
    return Sample(
        task=task,
        task_version="",
        id=name,
        input=_prompt_text(row.prompt),
        target=wanted,
        slices={
            str(key): str(value)
            for key, value in tags
            if isinstance(value, str | int | bool)
            and not str(key).startswith("_")
            and len(str(value)) <= _SHORT
        },
        extra={"vars": row.vars} if row.vars else {},
    )


def _response(row: _Row, *, run: str, model: str, task: str, name: str, variant: str, epoch: int) -> Response:
    said = row.response or {}
    output = said.get("output")
    told = row.failure_reason == _ERROR or (row.failure_reason is None and bool(row.error) and output is None)
    usage = said.get("tokenUsage") or {}
    return Response(
        run=run,
        model=model,
        task=task,
        sample=name,
        variant=variant,
        epoch=epoch,
        output=output if isinstance(output, str) else "" if output is None else json.dumps(output),
        finish="error" if told else str(said.get("finishReason") or ""),
        usage=(_count(usage.get("prompt")), _count(usage.get("completion"))),
        latency=(row.latency_ms or 0.0) / 1000,
        error=str(row.error or said.get("error") or "no answer").splitlines()[0] if told else "",
        prompt=_prompt_text(row.prompt),
        cost=float(row.cost or said.get("cost") or 0.0),
    )


def _prompts(given: _File) -> Sequence[Any]:
    """The templates: listed in version 3, at the head of the table in version 2."""
    if given.results.prompts is not None:
        return given.results.prompts
    head = (given.results.table or {}).get("head")
    return head.get("prompts") or [] if isinstance(head, Mapping) else []


def _prompt_name(prompt: Any) -> str:
    told = (
        prompt.get("label") or prompt.get("display") or prompt.get("raw")
        if isinstance(prompt, Mapping)
        else prompt
    )
    name = " ".join(str(told or "").split())
    return name if len(name) <= _SHORT else content_hash(name, length=12)


def _prompt_text(prompt: Any) -> str:
    return str(prompt.get("raw") or "") if isinstance(prompt, Mapping) else str(prompt)


def _is_lines(lines: Sequence[int | None]) -> bool:
    return any(line is not None for line in lines)


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**31 else 0
