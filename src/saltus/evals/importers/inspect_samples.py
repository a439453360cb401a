"""One sample of an Inspect log: what was asked, what came back, and each scorer's value as a number."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from saltus.evals.importers.parsed import Parsed
from saltus.records.evidence import Response, Sample, Score
from saltus.records.requests import ToolCall

_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # correct, partial, incorrect, no answer
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_FINISH = {"max_tokens": "length", "model_length": "length", "unknown": ""}
_ATTACHMENT = "attachment://"
_LONGEST_SLICE = 80


class InspectSample(msgspec.Struct, frozen=True):
    """The parts of a logged sample that are read; `score` stands in logs of the first version."""

    id: int | str
    epoch: int = 1
    input: str | list[dict[str, Any]] = ""
    choices: list[str] | None = None
    target: str | list[str] = ""
    messages: list[dict[str, Any]] = []
    output: dict[str, Any] = {}
    scores: dict[str, dict[str, Any]] | None = None
    score: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    model_usage: dict[str, dict[str, Any]] = {}
    error: dict[str, Any] | None = None
    limit: dict[str, Any] | None = None
    invalidation: dict[str, Any] | None = None
    attachments: dict[str, str] = {}
    working_time: float | None = None
    total_time: float | None = None


class Asked(msgspec.Struct, frozen=True):
    """What all samples of a log have in common."""

    run: str
    model: str
    provider: str
    task: str
    version: str
    variant: str = ""


def add_sample(given: InspectSample, asked: Asked, parsed: Parsed, unread: dict[str, list[str]]) -> None:
    """Add a sample, its response and its scores.

    Args:
        given: As the log has it.
        asked: The task and the model.
        parsed: Where the rows are added.
        unread: Values that no number stands for, by scorer; what is found is added.
    """
    name = str(given.id)
    parsed.samples.append(_sample(given, asked, name))
    response = _response(given, asked, name)
    scores = list(_scores(given, unread)) if not given.invalidation else []
    if given.invalidation:
        reason = given.invalidation.get("reason") or "no reason given"
        response = msgspec.structs.replace(response, finish="error", error=f"invalidated: {reason}")
    elif given.error is not None and not scores:
        response = msgspec.structs.replace(response, finish="error")
    parsed.responses.append(response)
    parsed.scores += [
        Score(
            run=asked.run, model=asked.model, task=asked.task, sample=name, variant=asked.variant,
            epoch=given.epoch - 1, metric=metric, value=value,
        )
        for metric, value in scores
    ]  # fmt: skip


def to_value(given: Any) -> float | None:
    """A score as a number, as Inspect's own metrics read it; None where no number stands for it.

    Examples:
        >>> to_value("C"), to_value("P"), to_value("no"), to_value(True), to_value("0.25"), to_value("odd")
        (1.0, 0.5, 0.0, 1.0, 0.25, None)
    """
    match given:
        case bool() | int() | float():
            return float(given)
        case str() if given in _LETTERS:
            return _LETTERS[given]
        case str() if given.lower() in _WORDS:
            return _WORDS[given.lower()]
        case str():
            try:
                return float(given)
            except ValueError:
                return None
    return None


def text_of(content: Any, attachments: Mapping[str, str] | None = None) -> str:
    """The text of a message; images, audio and reasoning are left out."""
    if isinstance(content, str):
        if content.startswith(_ATTACHMENT) and attachments:
            return attachments.get(content.removeprefix(_ATTACHMENT), content)
        return content
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
        return "\n".join(text_of(part.get("text"), attachments) for part in parts)
    return ""


def _sample(given: InspectSample, asked: Asked, name: str) -> Sample:
    targets = [given.target] if isinstance(given.target, str) else given.target
    choices = tuple(given.choices or ())
    answer = _answer(targets, choices)
    extra: dict[str, Any] = {}
    if len(targets) > 1:
        extra["references"] = targets[1:]
    if isinstance(given.input, str):
        asked_for = text_of(given.input, given.attachments)
    else:
        asked_for, system, turns = _conversation(given.input, given.attachments)
        extra |= {"system": system} if system else {}
        extra |= {"turns": turns} if turns else {}
    return Sample(
        task=asked.task,
        task_version=asked.version,
        id=name,
        input=asked_for,
        target=choices[answer] if answer >= 0 else targets[0] if targets else "",
        choices=choices,
        answer=answer,
        chance=_chance(given.metadata or {}, choices),
        slices=_slices(given.metadata or {}),
        extra=extra,
    )


def _conversation(
    messages: Sequence[Mapping[str, Any]], attachments: Mapping[str, str]
) -> tuple[str, str, list[str]]:
    """First question, instruction, further questions."""
    system = [text_of(m.get("content"), attachments) for m in messages if m.get("role") == "system"]
    asked = [text_of(m.get("content"), attachments) for m in messages if m.get("role") == "user"]
    return (asked[0] if asked else ""), "\n".join(system), asked[1:]


def _answer(targets: Sequence[str], choices: Sequence[str]) -> int:
    """Index of the right choice: targets name it by letter, or by its text; -1 where several are right."""
    if not choices or len(targets) != 1:
        return -1
    target = targets[0].strip()
    if len(target) == 1 and 0 <= (place := ord(target.upper()) - ord("A")) < len(choices):
        return place
    return choices.index(target) if target in choices else -1


def _chance(metadata: Mapping[str, Any], choices: Sequence[str]) -> float | None:
    """What an export of ours says, else one over the number of choices."""
    told = metadata.get("saltus")
    value = told.get("chance") if isinstance(told, Mapping) else None
    if isinstance(value, int | float) and 0 <= value <= 1:
        return float(value)
    return 1 / len(choices) if choices else None


def _slices(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Tags: the short plain values of the metadata."""
    found = {}
    for key, value in metadata.items():
        if isinstance(value, bool | int | str):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if text and len(text) <= _LONGEST_SLICE and "\n" not in text:
                found[str(key)] = text
    return found


def _response(given: InspectSample, asked: Asked, name: str) -> Response:
    said = [m for m in given.messages if m.get("role") == "assistant"]
    first = next(
        (i for i, m in enumerate(given.messages) if m.get("role") == "assistant"), len(given.messages)
    )
    prompt = "\n\n".join(
        text for m in given.messages[:first] if (text := text_of(m.get("content"), given.attachments))
    )
    choices = given.output.get("choices") or []
    choice = choices[0] if choices and isinstance(choices[0], Mapping) else {}
    message = choice.get("message") or {}
    output = text_of(message.get("content"), given.attachments)
    plain = given.input if isinstance(given.input, str) else ""
    usage = given.model_usage.get(asked.provider) or given.output.get("usage") or {}
    finish = str(choice.get("stop_reason") or "")
    return Response(
        run=asked.run,
        model=asked.model,
        task=asked.task,
        sample=name,
        variant=asked.variant,
        epoch=given.epoch - 1,
        output=output,
        finish=_FINISH.get(finish, finish),
        usage=(_count(usage.get("input_tokens")), _count(usage.get("output_tokens"))),
        latency=float(given.output.get("time") or given.working_time or given.total_time or 0.0),
        error=_problem(given),
        prompt="" if prompt == text_of(plain, given.attachments) else prompt,
        output_logprobs=tuple(_logprobs(choice.get("logprobs"))),
        tool_calls=tuple(_calls(said)),
        turns=tuple(text_of(m.get("content"), given.attachments) for m in said[:-1]),
    )


def _problem(given: InspectSample) -> str:
    if given.error is not None:
        return str(given.error.get("message") or "failed without a message").splitlines()[0]
    if given.limit is not None:
        return f"stopped by the {given.limit.get('type')} limit of {given.limit.get('limit')}"
    return str(given.output.get("error") or "")


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def _logprobs(given: Any) -> Iterator[float]:
    for token in (given or {}).get("content") or []:
        value = token.get("logprob")
        if isinstance(value, int | float) and math.isfinite(value):
            yield float(value)


def _calls(messages: Sequence[Mapping[str, Any]]) -> Iterator[ToolCall]:
    for message in messages:
        for call in message.get("tool_calls") or []:
            yield ToolCall(
                str(call.get("function") or ""),
                json.dumps(call.get("arguments") or {}),
                str(call.get("id") or ""),
            )


def _scores(given: InspectSample, unread: dict[str, list[str]]) -> Iterator[tuple[str, float]]:
    """Metric and value of each score; a dictionary or list gives one metric a part."""
    scores = given.scores if given.scores is not None else {"score": given.score} if given.score else {}
    for scorer, score in scores.items():
        value = score.get("value")
        match value:
            case Mapping():
                parts = {f"{scorer}/{key}": part for key, part in value.items()}
            case list():
                parts = {f"{scorer}/{place}": part for place, part in enumerate(value)}
            case _:
                parts = {scorer: value}
        for metric, part in parts.items():
            number = to_value(part)
            if number is None and part is not None:
                unread.setdefault(metric, []).append(str(part))
            elif number is not None and not math.isnan(number):  # NaN: the scorer left it unscored
                yield metric, number
