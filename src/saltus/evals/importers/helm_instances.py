"""One instance of a HELM run: what was asked, what came back, and which statistics measure the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from saltus.evals.importers.parsed import Parsed
from saltus.records.evidence import Response, Sample, Score

PICKED = "predicted_index"  # which reference came out as the likeliest: no measure, it tells the answer
# What HELM records of a request besides its quality: counts, costs, reasons, what perplexity is made from.
_NO_MEASURE = (
    "num_",
    "training_",
    "inference_",
    "finish_reason_",
    "prompt_truncated",
    "batch_size",
    "max_prob",
    "logprob",
    "estimated_num",
    PICKED,
)
Key = tuple[str, str, int]  # instance, variant, trial


class StatName(msgspec.Struct, frozen=True):
    """What a statistic is about."""

    name: str
    split: str = ""
    perturbation: dict[str, Any] | None = None


class Stat(msgspec.Struct, frozen=True):
    """A statistic: a mean over instances, trials or repeats."""

    name: StatName
    count: int = 0
    mean: float | None = None


class PerInstance(msgspec.Struct, frozen=True):
    """The statistics of one instance in one trial."""

    instance_id: str
    train_trial_index: int = 0
    perturbation: dict[str, Any] | None = None
    stats: list[Stat] = []


class _Text(msgspec.Struct, frozen=True):
    text: str = ""


class _Reference(msgspec.Struct, frozen=True):
    output: _Text = _Text()
    tags: list[str] = []


class _Instance(msgspec.Struct, frozen=True):
    input: _Text = _Text()
    references: list[_Reference] = []
    split: str = ""
    id: str = ""
    sub_split: str | None = None
    perturbation: dict[str, Any] | None = None


class _Token(msgspec.Struct, frozen=True):
    logprob: float | None = None


class _Completion(msgspec.Struct, frozen=True):
    text: str = ""
    tokens: list[_Token] = []
    finish_reason: dict[str, Any] | None = None


class _Result(msgspec.Struct, frozen=True):
    success: bool = True
    completions: list[_Completion] = []
    error: str | None = None
    request_time: float | None = None


class _Request(msgspec.Struct, frozen=True):
    prompt: str = ""
    messages: list[dict[str, Any]] | None = None


class State(msgspec.Struct, frozen=True):
    """One request of `scenario_state.json` with its result."""

    instance: _Instance
    train_trial_index: int = 0
    reference_index: int | None = None
    request_mode: str | None = None
    output_mapping: dict[str, str] | None = None
    request: _Request = _Request()
    result: _Result | None = None


def is_measure(name: str) -> bool:
    """Whether a statistic says how good an answer is.

    Examples:
        >>> is_measure("exact_match"), is_measure("num_prompt_tokens"), is_measure("logprob")
        (True, False, False)
    """
    return not name.startswith(_NO_MEASURE)


def variant_of(perturbation: Mapping[str, Any] | None, split: str) -> str:
    """The name of what was done to an instance; HELM calls nothing "identity".

    Examples:
        >>> variant_of({"name": "typos", "prob": 0.5, "robustness": True, "computed_on": "perturbed"}, "")
        'typos(prob=0.5)'
    """
    if not perturbation or perturbation.get("name") in (None, "identity"):
        return split
    told = {
        key: value
        for key, value in perturbation.items()
        if key not in ("name", "robustness", "fairness", "computed_on", "seed")
        and not isinstance(value, dict | list)
    }
    words = ",".join(f"{key}={value}" for key, value in sorted(told.items()))
    name = f"{perturbation['name']}({words})" if words else str(perturbation["name"])
    return f"{split} {name}".strip()


def key_of(state: State, splits: Mapping[str, str]) -> Key:
    """Which instance, variant and trial a request belongs to."""
    instance = state.instance
    return (
        instance.id,
        variant_of(instance.perturbation, splits.get(instance.split, "")),
        state.train_trial_index,
    )


def add_state(
    state: State,
    marks: Mapping[str, float] | None,
    parsed: Parsed,
    *,
    run: str,
    model: str,
    task: str,
    version: str,
    key: Key,
) -> None:
    """Add what was asked and answered, and the scores of it.

    Where each choice is a request of its own, the first of them stands for the instance: the scores are given
    once, and `marks` is None for the others.
    """
    if state.reference_index and marks is None:
        return
    instance, variant, trial = key
    if not state.instance.perturbation:
        parsed.samples.append(_sample(state, task, version))
    response = _response(state, run=run, model=model, task=task, key=key)
    picked = (marks or {}).get(PICKED)
    if picked is not None and 0 <= picked < len(state.instance.references):
        response = msgspec.structs.replace(
            response, output=state.instance.references[int(picked)].output.text, prompt=""
        )
    parsed.responses.append(response)
    parsed.scores += [
        Score(
            run=run,
            model=model,
            task=task,
            sample=instance,
            metric=name,
            value=value,
            variant=variant,
            epoch=trial,
        )
        for name, value in (marks or {}).items()
        if name != PICKED
    ]


def _sample(state: State, task: str, version: str) -> Sample:
    references = state.instance.references
    right = [place for place, reference in enumerate(references) if "correct" in reference.tags]
    wrong = len(references) > len(right)
    choices = tuple(reference.output.text for reference in references) if wrong else ()
    others = [references[place].output.text for place in right[1:]]
    slices = {"split": state.instance.split} if state.instance.split else {}
    if state.instance.sub_split:
        slices["sub_split"] = state.instance.sub_split
    mapped = state.output_mapping is not None or state.reference_index is not None
    return Sample(
        task=task,
        task_version=version,
        id=state.instance.id,
        input=state.instance.input.text,
        target=references[right[0]].output.text if right else "",
        choices=choices,
        answer=right[0] if choices and len(right) == 1 else -1,
        chance=len(right) / len(references) if choices and right and mapped else None,
        slices=slices,
        extra={"references": others} if others else {},
    )


def _response(state: State, *, run: str, model: str, task: str, key: Key) -> Response:
    result = state.result or _Result(success=False, error="no result was recorded")
    completion = result.completions[0] if result.completions else _Completion()
    output = completion.text
    if state.output_mapping is not None:
        output = state.output_mapping.get(output.strip(), output)
    # A finished request has a reason such as {"reason": "length"}.
    finish = str((completion.finish_reason or {}).get("reason") or "")
    failed = not result.success
    logprobs = [token.logprob for token in completion.tokens]
    instance, variant, trial = key
    return Response(
        run=run,
        model=model,
        task=task,
        sample=instance,
        variant=variant,
        epoch=trial,
        output="" if state.reference_index is not None else output,
        finish="error" if failed else finish,
        usage=(0, 0 if state.reference_index is not None else len(completion.tokens)),
        latency=result.request_time or 0.0,
        error=(result.error or "the request failed").splitlines()[0] if failed else "",
        prompt=_prompt(state.request),
        output_logprobs=tuple(
            value
            for value in logprobs
            if state.reference_index is None and value is not None and math.isfinite(value)
        ),
    )


def _prompt(request: _Request) -> str:
    if request.prompt or not request.messages:
        return request.prompt
    return "\n\n".join(str(message.get("content") or "") for message in request.messages)
