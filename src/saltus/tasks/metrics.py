"""From one response to one number. Each metric says which part of the response it reads.

What the numbers mean (bounds, direction, partners) stands in `saltus.records.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Literal

import msgspec

from saltus.records.errors import UsageError
from saltus.records.evidence import Response, Sample
from saltus.tasks.task import Kind, Task

Need = Literal["output", "target_logprobs", "choice_logprobs"]
Pair = tuple[Sample, Response]

_GIVEN: dict[Kind, tuple[Need, ...]] = {
    "generation": ("output", "target_logprobs"),
    "multiple_choice": ("choice_logprobs", "target_logprobs"),
    "loglikelihood": ("target_logprobs",),
    "perplexity": ("target_logprobs",),
}


class Metric(msgspec.Struct, frozen=True):
    """How one response is scored.

    Attributes:
        name: As it stands in the store.
        needs: "output" (generated text and its tokens), "target_logprobs" (those of the target's tokens, with
            the tokens and greedy flags), "choice_logprobs" (the sum of each choice).
        compute: The score of one response.
        extra: Keys of `Sample.extra` that it reads; a sample without one of them is not scored by it.
        batch: Scores many responses at once, for what runs elsewhere (a sandbox); called instead of `compute`.
    """

    name: str
    needs: tuple[Need, ...]
    compute: Callable[[Sample, Response], float]
    extra: tuple[str, ...] = ()
    batch: Callable[[Sequence[Pair]], list[float]] | None = None


class GroupMetric(msgspec.Struct, frozen=True):
    """How several responses to one sample are scored together.

    Attributes:
        name: As it stands in the store.
        over: "epochs" groups the repeats of one variant of a sample (the score keeps that variant),
            "variants" all variants of a sample (the score's variant is "*").
        compute: The score of one group, in the order of epochs, or of variants with the plain one first.
        extra: Keys of `Sample.extra` that it reads; a sample without one of them is not scored by it.
    """

    name: str
    over: Literal["epochs", "variants"]
    compute: Callable[[Sample, Sequence[Response]], float]
    extra: tuple[str, ...] = ()


def exact_match(sample: Sample, response: Response) -> float:
    """1 when the output is the target, white space at both ends aside."""
    return float(response.output.strip() == sample.target.strip())


def token_accuracy(sample: Sample, response: Response) -> float:
    """Share of the target's tokens that were the likeliest, each given the true ones before it."""
    return sum(response.greedy) / len(response.greedy)


def greedy_match(sample: Sample, response: Response) -> float:
    """1 when every token of the target was the likeliest: what greedy decoding would have written."""
    return float(all(response.greedy))


def target_logprob(sample: Sample, response: Response) -> float:
    """Mean log-probability of the target's tokens, nats a token."""
    return math.fsum(response.logprobs) / len(response.logprobs)


def choice_correct(sample: Sample, response: Response) -> float:
    """1 when the right choice is the likeliest; the first of equally likely ones counts."""
    return float(response.choice_logprobs.index(max(response.choice_logprobs)) == sample.answer)


def choice_grade(sample: Sample, response: Response) -> float:
    """Probability of the right choice among the choices, the multiple-choice grade of arXiv:2206.04615."""
    return choice_probabilities(response)[sample.answer]


def brier(sample: Sample, response: Response) -> float:
    """Squared distance of the choices' probabilities from the truth, summed over choices; 0 is best."""
    return math.fsum(
        (probability - (i == sample.answer)) ** 2
        for i, probability in enumerate(choice_probabilities(response))
    )


def token_edit_distance(sample: Sample, response: Response) -> float:
    """Tokens to insert, delete or replace from output to target (Levenshtein; arXiv:2304.15004).

    Characters are counted instead where a model does not say its tokens.
    """
    if response.target_tokens and (response.output_tokens or not response.output):
        return float(edit_distance(response.output_tokens, response.target_tokens))
    return float(edit_distance(response.output.strip(), sample.target.strip()))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("exact_match", ("output",), exact_match),
        Metric("token_edit_distance", ("output", "target_logprobs"), token_edit_distance),
        Metric("target_logprob", ("target_logprobs",), target_logprob),
        Metric("token_accuracy", ("target_logprobs",), token_accuracy),
        Metric("greedy_match", ("target_logprobs",), greedy_match),
        Metric("choice_correct", ("choice_logprobs",), choice_correct),
        Metric("choice_grade", ("choice_logprobs",), choice_grade),
        Metric("brier", ("choice_logprobs",), brier),
    )
}


def metrics_for(task: Task, names: tuple[str, ...] | None = None) -> tuple[Metric, ...]:
    """The metrics that a task is scored by.

    Args:
        task: Its kind says what there is to read.
        names: Choose those of them that fit the task, perhaps none; the task's own when None.

    Raises:
        UsageError: A metric does not exist, or the task's own ones do not fit it.
    """
    asked = task.metrics if names is None else names
    fitting = [name for name, metric in METRICS.items() if set(metric.needs) <= set(_GIVEN[task.kind])]
    for name in asked:
        if name not in METRICS:
            raise UsageError(f"no metric is called {name!r}, there are {', '.join(METRICS)}", field="metrics")
        if names is None and name not in fitting:
            raise UsageError(
                f"task {task.name} is {task.kind}, which {name} cannot score; use {', '.join(fitting)}",
                field="metrics",
            )
    return tuple(METRICS[name] for name in dict.fromkeys(asked) if name in fitting)


def choice_probabilities(response: Response) -> list[float]:
    """Softmax of the choices' log-probabilities.

    Examples:
        >>> response = Response(run="r", model="m", task="t", sample="s", choice_logprobs=(-1.0, -1.0))
        >>> choice_probabilities(response)
        [0.5, 0.5]
    """
    top = max(response.choice_logprobs)
    weights = [math.exp(value - top) for value in response.choice_logprobs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Levenshtein distance between two sequences, in their elements.

    Examples:
        >>> edit_distance("kitten", "sitting")
        3
    """
    if one == other:
        return 0
    if len(one) < len(other):
        one, other = other, one
    before = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        row = [i]
        for j, right in enumerate(other, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right)))
        before = row
    return before[-1]
