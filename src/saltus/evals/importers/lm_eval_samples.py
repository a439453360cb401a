"""Logged samples of lm-evaluation-harness: prompt, target, responses, scores, a JSON object a line."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from saltus.evals.importers.checks import can_be_scores
from saltus.evals.importers.lm_eval_v03 import shot_variant
from saltus.evals.importers.parsed import Failure, decode_object
from saltus.records.errors import InputError
from saltus.records.evidence import Response, Sample, Score

_NO_METRIC = frozenset(
    {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"}
)


@dataclass
class TaskSamples:
    """What the samples file of one task holds."""

    samples: list[Sample] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    def means(self) -> dict[tuple[str, str], float]:
        """Mean score by metric and variant, of metrics that each sample has.

        For a metric of the whole corpus the harness logs what goes into it: a log-likelihood under the name
        "perplexity". Such values lie outside the metric's bounds.
        """
        values: dict[tuple[str, str], list[float]] = defaultdict(list)
        for score in self.scores:
            values[score.metric, score.variant].append(score.value)
        return {
            (metric, variant): math.fsum(found) / len(found)
            for (metric, variant), found in values.items()
            if can_be_scores(metric, found)
        }


class _Line(msgspec.Struct, frozen=True):
    """A line as the harness writes it; the metrics stand beside these under their names."""

    doc_id: int | str
    target: Any = ""
    arguments: dict[str, dict[str, Any]] | list[list[Any]] = []
    resps: list[Any] = []
    filtered_resps: list[Any] = []
    filter: str | None = None
    metrics: list[str] = []


@dataclass(frozen=True)
class _Asked:
    """One line, understood."""

    line: int
    id: str
    variant: str
    prompt: str
    target: str
    choices: tuple[str, ...]
    logprobs: tuple[float, ...]
    output: str
    scores: dict[str, float]


def read_samples(
    path: Path,
    data: bytes,
    *,
    run: str,
    model: str,
    task: str,
    shots: int | None,
    metrics: set[str],
    version: str,
) -> TaskSamples:
    """Read a samples file.

    A file with a broken line gives nothing but that failure: half the samples would give another mean.

    Args:
        path: The file, for messages.
        data: Its content.
        run: Id of the run.
        model: Id of the model.
        task: Name of the task.
        shots: Few-shot examples in the prompts.
        metrics: Names of the metrics that the results report.
        version: Of the task.
    """
    asked: list[_Asked] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            asked.append(_understand(decode_object(line, path), number, metrics, shots))
        except InputError as error:
            message = f"{error.message}; the means of {task} are taken from the results instead"
            return TaskSamples(failed=[Failure(str(path), number, message)])
    return _records(asked, run, model, task, version)


def _records(asked: Sequence[_Asked], run: str, model: str, task: str, version: str) -> TaskSamples:
    found = TaskSamples()
    read_answer = _answer_reader(asked)
    seen: set[str] = set()
    for one in asked:
        answer = read_answer(one)
        if one.id not in seen:
            seen.add(one.id)
            found.samples.append(
                Sample(
                    task=task,
                    task_version=version,
                    id=one.id,
                    input=one.prompt,
                    target=one.choices[answer] if answer >= 0 else one.target,
                    choices=one.choices,
                    answer=answer,
                    chance=1 / len(one.choices) if one.choices else None,
                )
            )
        found.responses.append(
            Response(
                run=run,
                model=model,
                task=task,
                sample=one.id,
                variant=one.variant,
                output=one.choices[_likeliest(one)] if one.choices else one.output,
                choice_logprobs=one.logprobs,
            )
        )
        scores = dict(one.scores)
        logprob = one.logprobs[answer] if answer >= 0 else one.logprobs[0] if _is_single(one) else None
        if logprob is not None and math.isfinite(logprob):
            scores.setdefault("target_logprob", logprob)
        found.scores += [
            Score(
                run=run, model=model, task=task, sample=one.id, metric=name, value=value, variant=one.variant
            )
            for name, value in scores.items()
        ]
    return found


def _understand(given: Mapping[str, Any], line: int, metrics: set[str], shots: int | None) -> _Asked:
    try:
        logged = msgspec.convert(given, _Line)
    except msgspec.ValidationError as error:
        raise InputError(f"is no logged sample ({error}); log the samples again") from error
    requests = _requests(logged.arguments)
    answers = logged.filtered_resps or logged.resps
    generated = bool(requests) and len(requests[0]) > 1 and isinstance(requests[0][1], Mapping)
    logprobs = () if generated else _logprobs(logged.resps or answers)
    choices = _choices(requests) if len(logprobs) > 1 and len(logprobs) == len(requests) else ()
    name = logged.filter or "none"
    scores = {}
    for metric in (*logged.metrics, *sorted(metrics)):
        value = given.get(metric)
        if metric in _NO_METRIC or not isinstance(value, int | float):
            continue
        if not math.isfinite(value):
            raise InputError(f"{metric} is {value}, which is no measurement; evaluate this sample again")
        scores[metric] = float(value)
    first = requests[0] if requests else []
    return _Asked(
        line=line,
        id=str(logged.doc_id),
        variant=shot_variant(shots, "" if name == "none" else name),
        prompt=str(first[0]) if first else "",
        target=str(logged.target),
        choices=choices,
        logprobs=logprobs,
        output=_text(answers) if generated else "",
        scores=scores,
    )


def _requests(given: Any) -> list[list[Any]]:
    """The arguments of each request, as lists; newer files name them gen_args_0, arg_0 and so on."""
    listed = given.values() if isinstance(given, Mapping) else given
    return [list(one.values()) if isinstance(one, Mapping) else one for one in listed]


def _logprobs(given: Sequence[Any]) -> tuple[float, ...]:
    """Log-probability of each request, nats: from [[logprob, greedy]] or, of a whole text, [logprob]."""
    found = []
    for one in given:
        value = one
        while isinstance(value, list) and value:
            value = value[0]
        try:
            found.append(float(value))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"resps hold {value!r} where a log-probability stands; log the samples again"
            ) from error
        if not found[-1] <= 0:
            raise InputError(
                f"resps hold {found[-1]}, and a log-probability is at most 0; log the samples again"
            )
    return tuple(found)


def _choices(requests: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    """What differs between the requests: the continuations, or (as in Winogrande) the contexts."""
    continuations = tuple(str(one[1]) if len(one) > 1 else "" for one in requests)
    contexts = tuple(str(one[0]) for one in requests)
    return contexts if len(set(continuations)) == 1 and len(set(contexts)) > 1 else continuations


def _answer_reader(asked: Sequence[_Asked]) -> Any:
    """A function that gives the index of the right choice, -1 when it cannot be told.

    The log gives the target as an index or as text, and does not say which ("1" may be either). The reading
    that agrees with every recorded accuracy is taken.
    """
    readings = (_by_index, _by_text, _by_score)
    judged = [one for one in asked if one.choices and "acc" in one.scores]
    if not judged:
        return lambda one: max(_by_index(one), _by_text(one)) if one.choices else -1
    for reading in readings:
        if all(
            (answer := reading(one)) >= 0 and (_likeliest(one) == answer) == (one.scores["acc"] == 1)
            for one in judged
        ):
            return reading
    return lambda one: -1


def _by_index(one: _Asked) -> int:
    index = int(one.target) if one.target.isascii() and one.target.isdigit() else -1
    return index if index < len(one.choices) else -1


def _by_text(one: _Asked) -> int:
    stripped = [choice.strip() for choice in one.choices]
    return stripped.index(one.target.strip()) if one.target.strip() in stripped else -1


def _by_score(one: _Asked) -> int:
    """Of two choices, the recorded accuracy tells the right one."""
    if len(one.choices) != 2 or "acc" not in one.scores:
        return -1
    likeliest = _likeliest(one)
    return likeliest if one.scores["acc"] == 1 else 1 - likeliest


def _likeliest(one: _Asked) -> int:
    return max(range(len(one.logprobs)), key=lambda i: one.logprobs[i])


def _is_single(one: _Asked) -> bool:
    return len(one.logprobs) == 1 and not one.choices


def _text(answers: Any) -> str:
    value = answers
    while isinstance(value, list) and value:
        value = value[0]
    return "" if value is None or value == [] else str(value)
