"""Scores from log-probabilities: of the target's tokens, of the choices, and of whole texts (perplexity)."""

from __future__ import annotations

import math
import re

from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics.base import Metric

_SPACE = re.compile(r"\s+")


def target_logprob(sample: Sample, response: Response) -> float:
    """Mean log-probability of the target's tokens, nats a token."""
    return math.fsum(response.logprobs) / len(response.logprobs)


def token_accuracy(sample: Sample, response: Response) -> float:
    """Share of the target's tokens that were the likeliest, each given the true ones before it."""
    # Not every server says which token was the likeliest.
    return sum(response.greedy) / len(response.greedy) if response.greedy else math.nan


def greedy_match(sample: Sample, response: Response) -> float:
    """1 when every token of the target was the likeliest: what greedy decoding would have written."""
    return float(all(response.greedy)) if response.greedy else math.nan


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


def target_nll(sample: Sample, response: Response) -> float:
    """Negative log-probability of the whole target, nats."""
    return abs(math.fsum(response.logprobs))


def target_tokens(sample: Sample, response: Response) -> float:
    """Tokens of the target."""
    return float(len(response.logprobs))


def target_words(sample: Sample, response: Response) -> float:
    """Pieces of the target between white space, as lm-evaluation-harness counts words: " a b" has three."""
    return float(len(_SPACE.split(sample.target)))


def target_bytes(sample: Sample, response: Response) -> float:
    """Bytes of the target in UTF-8."""
    return float(len(sample.target.encode()))


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


LIKELIHOOD = (
    Metric("target_logprob", ("target_logprobs",), target_logprob),
    Metric("token_accuracy", ("target_logprobs",), token_accuracy),
    Metric("greedy_match", ("target_logprobs",), greedy_match),
    Metric("choice_correct", ("choice_logprobs",), choice_correct),
    Metric("choice_grade", ("choice_logprobs",), choice_grade),
    Metric("brier", ("choice_logprobs",), brier),
    Metric("target_nll", ("target_logprobs",), target_nll),
    Metric("target_tokens", ("target_logprobs",), target_tokens),
    Metric("target_words", ("target_logprobs",), target_words),
    Metric("target_bytes", ("target_logprobs",), target_bytes),
)
