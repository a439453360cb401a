"""Result files of BIG-bench: `scores_*.json`, and `full-log_*.json` where the queries were logged.

A full log holds the scores file's content and every query, so where both lie in one folder the log stands for
both. A metric whose mean the samples give is taken from them; the others stay aggregates.
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
from saltus.evals.importers.lm_eval_v03 import shot_variant
from saltus.evals.importers.parsed import Job, Parsed, Source, broken_job, failure, read_as, read_bytes
from saltus.records.errors import InputError, UsageError
from saltus.records.evidence import Aggregate, ModelRecord, Response, Sample, Score
from saltus.records.ids import bytes_hash, content_hash

FORMAT = "bigbench"
_LOG, _SCORES = "full-log_", "scores_"
_DERIVED = "normalized_aggregate_score"  # another metric, rescaled
_GRADE = "multiple_choice_grade"
_PROGRAMMATIC = "programmatic"
_SAME = 1e-6


class _Scores(msgspec.Struct, frozen=True):
    score_dict: dict[str, float | None]
    preferred_score: str = ""
    number_of_shots: int | None = None
    low_score: float | None = None
    subtask_description: str | None = None


class _Model(msgspec.Struct, frozen=True):
    model_family: str
    model_name: str
    total_params: float | None = None
    non_embedding_params: float | None = None
    description: str = ""
    decoding_params: Any = None


class _Query(msgspec.Struct, frozen=True):
    function: str = ""
    samples: list[dict[str, Any]] = []
    shots: int | None = 0
    task: str | None = None


class _File(msgspec.Struct, frozen=True):
    scores: list[_Scores]
    model: _Model
    task: dict[str, Any] = {}
    queries: list[_Query] | None = None


def jobs(paths: Sequence[Path], mapping: Any) -> list[Job]:
    """One job a result file; in folders only files that are called as BIG-bench calls them.

    Raises:
        UsageError: A mapping is given, which these files do not need.
    """
    if mapping is not None:
        raise UsageError(
            "--map is for tables; BIG-bench files say what they hold, so leave it out", field="map"
        )
    found: dict[Path, Job] = {}
    for path in paths:
        if not path.is_dir():
            found.setdefault(path, Job(path, partial(open_file, path)))
            continue
        logs = sorted(path.rglob(f"{_LOG}*.json"))
        covered = {log.with_name(_SCORES + log.name.removeprefix(_LOG)) for log in logs}
        files = [*logs, *(file for file in sorted(path.rglob(f"{_SCORES}*.json")) if file not in covered)]
        if not files:
            found[path] = broken_job(
                path, f"holds no {_SCORES}*.json and no {_LOG}*.json; name a results folder of BIG-bench"
            )
        for file in files:
            found.setdefault(file, Job(file, partial(open_file, file)))
    return list(found.values())


def open_file(path: Path) -> Source:
    """Read a result file.

    Raises:
        InputError: It cannot be read, or is no result file.
    """
    data = read_bytes(path)
    given = read_as(data, _File, path, of="BIG-bench")
    model = ModelRecord(
        name=f"{given.model.model_family}/{given.model.model_name}",
        family=given.model.model_family,
        params=given.model.total_params or None,
        source="BIG-bench: total_params" if given.model.total_params else "",
    )
    content = bytes_hash(data)
    run = content_hash([content, FORMAT, model.id])
    return Source(
        run=run,
        path=str(path),
        format=FORMAT,
        parse=partial(_parse, path, given, model, run),
        content=content,
        config={
            "task": given.task.get("task_name"),
            "non_embedding_params": given.model.non_embedding_params,
            "description": given.model.description,
            "decoding_params": given.model.decoding_params,
        },
    )


class _Said(msgspec.Struct):
    """What one query says: the right answer, the model's, and the scores."""

    target: str = ""
    choices: tuple[str, ...] = ()
    answer: int = -1
    others: list[str] = []
    marks: dict[str, float] = {}
    output: str = ""
    logprobs: tuple[float, ...] = ()


def _parse(path: Path, given: _File, model: ModelRecord, run: str) -> Iterator[Parsed]:
    parsed = Parsed(models={model.id: model})
    top = str(given.task.get("task_name") or path.parent.parent.name)
    chances = {_task(top, score.subtask_description): _chance(score) for score in given.scores}
    seen: set[tuple[str, str]] = set()
    for query in given.queries or []:
        task, variant = _task(top, query.task), shot_variant(query.shots)
        for place, sample in enumerate(query.samples):
            # BIG-bench gives items no names: their place in the task names them.
            name = str(place)
            try:
                said = _read(sample, query.function)
                for metric, value in said.marks.items():
                    check_score(metric, value, strict=False)
            except InputError as error:
                where = f"queries of {task}, sample {place}: {error.message}"
                parsed.failed.append(failure(path, InputError(where)))
                continue
            if (task, name) not in seen:  # the prompt without examples comes first
                seen.add((task, name))
                parsed.samples.append(_sample(said, sample["input"], task, name, chances.get(task)))
            prompt = sample["input"] if query.shots else ""
            parsed.responses.append(
                Response(
                    run=run, model=model.id, task=task, sample=name, variant=variant, prompt=prompt,
                    output=said.output, choice_logprobs=said.logprobs,
                )
            )  # fmt: skip
            parsed.scores += [
                Score(
                    run=run,
                    model=model.id,
                    task=task,
                    sample=name,
                    variant=variant,
                    metric=metric,
                    value=value,
                )
                for metric, value in said.marks.items()
            ]
    means = _means(parsed.scores)
    kept = {key for key in means if key[1] == "target_logprob"}
    for reported in given.scores:
        _add_reported(reported, parsed, path, means, kept, run=run, model=model.id, top=top)
    # A score whose mean is not the reported one (of a log that was cut) would count beside it.
    parsed.scores = [score for score in parsed.scores if (score.task, score.metric, score.variant) in kept]
    yield parsed


def _read(given: Mapping[str, Any], function: str) -> _Said:
    if not isinstance(given.get("input"), str):
        raise InputError("has no input; evaluate again")
    said = _read_choice(given) if function == "cond_log_prob" else _read_text(given)
    own = {key: float(v) for key, v in (given.get("metrics") or {}).items() if isinstance(v, int | float)}
    return msgspec.structs.replace(said, marks=said.marks | own)


def _read_text(given: Mapping[str, Any]) -> _Said:
    targets = [str(one) for one in given.get("targets") or {}]
    return _Said(
        target=targets[0] if targets else "",
        others=targets[1:],
        marks=_best(given.get("targets")),
        output=str(given.get("output") or ""),
    )


def _read_choice(given: Mapping[str, Any]) -> _Said:
    targets = [str(one) for one in given.get("targets") or []]
    logprobs = _logprobs(given)
    if len(logprobs) != len(targets):
        raise InputError(f"has {len(targets)} targets and {len(logprobs)} log-probabilities; evaluate again")
    values = given.get("target_values")
    marks: dict[str, float] = {}
    if not isinstance(values, Mapping):  # a text to be scored, no choice
        if len(targets) == 1 and math.isfinite(logprobs[0]):
            marks["target_logprob"] = logprobs[0]
        return _Said(target=targets[0] if targets else "", marks=marks)
    right = [place for place, one in enumerate(targets) if values.get(one) == 1]
    answer = right[0] if len(right) == 1 else -1
    if isinstance(given.get("correct"), int | float):
        marks[_GRADE] = float(given["correct"])
    if answer >= 0 and math.isfinite(logprobs[answer]):
        marks["target_logprob"] = logprobs[answer]
    likeliest = max(range(len(logprobs)), key=logprobs.__getitem__) if logprobs else 0
    return _Said(
        target=targets[right[0]] if right else "",
        choices=tuple(targets),
        answer=answer,
        marks=marks,
        output=targets[likeliest] if targets else "",
        logprobs=logprobs,
    )


def _sample(said: _Said, prompt: str, task: str, name: str, chance: float | None) -> Sample:
    guess = 1 / len(said.choices) if said.choices and chance is None else chance
    return Sample(
        task=task,
        task_version="",
        id=name,
        input=prompt,
        target=said.target,
        choices=said.choices,
        answer=said.answer,
        chance=guess if said.choices else None,
        extra={"references": said.others} if said.others else {},
    )


def _logprobs(given: Mapping[str, Any]) -> tuple[float, ...]:
    """Log-probability of each target, nats; the absolute ones where they are there."""
    listed = given.get("absolute_scores") or given.get("scores") or []
    if not all(isinstance(one, int | float) and one <= 0 for one in listed):
        raise InputError("has scores that are no log-probabilities; evaluate again")
    return tuple(float(one) for one in listed)


def _best(targets: Any) -> dict[str, float]:
    """Each metric's best value over the right answers, as BIG-bench takes it."""
    found: dict[str, float] = {}
    for marks in (targets or {}).values() if isinstance(targets, Mapping) else ():
        for metric, value in (marks or {}).items():
            if isinstance(value, int | float):
                found[metric] = max(found.get(metric, -math.inf), float(value))
    return found


def _add_reported(
    given: _Scores, parsed: Parsed, path: Path, means: Mapping[tuple[str, str, str], tuple[float, int]],
    kept: set[tuple[str, str, str]], *, run: str, model: str, top: str,
) -> None:  # fmt: skip
    task, variant = _task(top, given.subtask_description), shot_variant(given.number_of_shots)
    count = next((n for (one, _, other), (_, n) in means.items() if (one, other) == (task, variant)), None)
    for metric, value in given.score_dict.items():
        if (
            value is None
            or not math.isfinite(value)
            or (metric == _DERIVED and given.preferred_score != _DERIVED)
        ):
            continue
        key = (task, metric, variant)
        if key in means and math.isclose(means[key][0], value, rel_tol=_SAME, abs_tol=1e-9):
            kept.add(key)
            continue
        try:
            check_score(metric, value, strict=False)
        except InputError as error:
            parsed.failed.append(failure(path, InputError(f"scores of {task}: {error.message}")))
            continue
        parsed.aggregates.append(
            Aggregate(
                run=run, model=model, task=task, metric=metric, value=value, variant=variant,
                n=float(count) if count else None,
                chance=_chance(given) if metric == _GRADE else None,
            )
        )  # fmt: skip


def _means(scores: Sequence[Score]) -> dict[tuple[str, str, str], tuple[float, int]]:
    values: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for score in scores:
        values[score.task, score.metric, score.variant].append(score.value)
    return {key: (math.fsum(found) / len(found), len(found)) for key, found in values.items()}


def _chance(given: _Scores) -> float | None:
    """BIG-bench's low score, which for multiple choice is that of guessing."""
    low = given.low_score
    return low if given.preferred_score == _GRADE and low is not None and 0 <= low < 1 else None


def _task(top: str, subtask: str | None) -> str:
    return top if not subtask or subtask in (top, _PROGRAMMATIC) else f"{top}:{subtask}"
