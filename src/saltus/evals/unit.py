"""One model on one task: which requests a sample needs, and how answers become responses and scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from saltus.evals.asking import Answered, Asker
from saltus.models.protocol import Model
from saltus.records.evidence import Response, Sample, Score
from saltus.records.requests import GenerateRequest, Generation, Loglikelihood, LoglikelihoodRequest
from saltus.tasks.metrics import Metric
from saltus.tasks.task import Task

CHUNK = 512  # samples between two looks at the cache: what a killed run can lose


class Plan(msgspec.Struct, frozen=True):
    """What is asked of every model for one task.

    Attributes:
        task: The task.
        samples: Those that are asked.
        everything: All samples of the task; they are stored even where a limit leaves some out.
        metrics: What the answers are scored by.
    """

    task: Task
    samples: tuple[Sample, ...]
    everything: tuple[Sample, ...]
    metrics: tuple[Metric, ...]

    @property
    def generates(self) -> bool:
        """Whether the prompt is continued."""
        return self.task.kind == "generation" and any("output" in metric.needs for metric in self.metrics)

    @property
    def scores_text(self) -> bool:
        """Whether the log-probability of the target, or of the choices, is asked."""
        return self.task.kind != "generation" or any(
            "target_logprobs" in metric.needs for metric in self.metrics
        )

    @property
    def requests_per_sample(self) -> int:
        """Requests that one sample needs."""
        return self.generates + self.scores_text


class Measured(msgspec.Struct):
    """Evidence to be written: what was said, what it scored, and what went wrong by sample.

    Attributes:
        responses: Of samples with scores.
        scores: One for each of those samples and each metric.
        failures: Responses that have an error instead of scores.
    """

    responses: list[Response] = []
    scores: list[Score] = []
    failures: list[Response] = []


def measure(
    run: str,
    model: Model,
    plan: Plan,
    samples: Sequence[Sample],
    asker: Asker,
    *,
    tell: Callable[[int], None],
    found: Measured,
) -> None:
    """Ask one model some samples of a task and score its answers.

    Args:
        run: Id of the run.
        model: Whom to ask.
        plan: The task.
        samples: Those to ask.
        asker: Sends the requests.
        tell: Called after each chunk with the number of samples done.
        found: Where the evidence is added.
    """
    for start in range(0, len(samples), CHUNK):
        chunk = samples[start : start + CHUNK]
        generations: Sequence[Answered[Generation] | None] = [None] * len(chunk)
        likelihoods: Sequence[Answered[Loglikelihood] | None] = [None] * len(chunk)
        if plan.generates:
            generations = asker.generate(model, [_generate_request(plan.task, sample) for sample in chunk])
        if plan.scores_text:
            likelihoods = asker.loglikelihood(model, [_loglikelihood_request(sample) for sample in chunk])
        for sample, generation, likelihood in zip(chunk, generations, likelihoods, strict=True):
            response = _response(run, model.record.id, sample, generation, likelihood)
            _score(sample, response, plan.metrics, found)
        tell(start + len(chunk))


def _generate_request(task: Task, sample: Sample) -> GenerateRequest:
    return GenerateRequest(sample.input, max_tokens=task.max_tokens, stop=task.stop)


def _loglikelihood_request(sample: Sample) -> LoglikelihoodRequest:
    return LoglikelihoodRequest(sample.input, sample.choices or (sample.target,))


def _response(
    run: str,
    model: str,
    sample: Sample,
    generation: Answered[Generation] | None,
    likelihood: Answered[Loglikelihood] | None,
) -> Response:
    fields: dict[str, Any] = {}
    problems: list[str] = []
    cut = 0
    if likelihood is not None:
        problems.append(likelihood.problem)
        if (scored := likelihood.answer) is not None:
            cut = scored.truncated
            target = scored.continuations[sample.answer if sample.choices else 0]
            tokens = sum(len(one.logprobs) for one in scored.continuations)
            fields.update(
                logprobs=target.logprobs,
                greedy=target.greedy,
                target_tokens=target.tokens,
                usage=(scored.prompt_tokens, tokens),
            )
            if sample.choices:
                totals = tuple(one.total for one in scored.continuations)
                fields.update(choice_logprobs=totals, output=sample.choices[totals.index(max(totals))])
    if generation is not None:
        problems.append(generation.problem)
        if (written := generation.answer) is not None:
            cut = max(cut, written.truncated)
            usage = (written.prompt_tokens, written.completion_tokens)
            fields.update(
                output=written.text, output_tokens=written.tokens, finish=written.finish, usage=usage
            )
    failed = "; ".join(dict.fromkeys(problem for problem in problems if problem))
    if failed:
        fields["finish"] = "error"
    elif cut:
        failed = f"The prompt was cut by {cut} tokens on the left to fit the model's context."
    return Response(
        run=run,
        model=model,
        task=sample.task,
        sample=sample.id,
        latency=sum(one.seconds for one in (generation, likelihood) if one is not None),
        error=failed,
        **fields,
    )


def _score(sample: Sample, response: Response, metrics: Sequence[Metric], found: Measured) -> None:
    problem = response.error if response.finish == "error" else _what_is_missing(response, metrics)
    if problem:
        found.failures.append(msgspec.structs.replace(response, finish="error", error=problem))
        return
    found.responses.append(response)
    found.scores.extend(
        Score(
            run=response.run,
            model=response.model,
            task=response.task,
            sample=response.sample,
            metric=metric.name,
            value=metric.compute(sample, response),
        )
        for metric in metrics
    )


def _what_is_missing(response: Response, metrics: Sequence[Metric]) -> str:
    """Why the response cannot be scored; empty when it can."""
    if not response.logprobs and any("target_logprobs" in metric.needs for metric in metrics):
        return "the target has no tokens, so it has no log-probability"
    strange = [value for value in (*response.logprobs, *response.choice_logprobs) if not math.isfinite(value)]
    return f"the model gave a log-probability of {strange[0]}" if strange else ""
