"""Two samples that differ in one attribute (a name, a gender): is the answer the same, or how far off?"""

from __future__ import annotations

from saltus.tasks.metrics.base import Pair, PairMetric
from saltus.tasks.metrics.language import answer_text, normalised, right_answers
from saltus.tasks.metrics.likelihood import choice_grade, target_logprob


def pair_consistent(one: Pair, other: Pair) -> float:
    """1 when both outputs are the same in normal form, or each is right for its own sample."""
    said = [normalised(answer_text(*pair)) for pair in (one, other)]
    return float(said[0] == said[1] or (_right(one) and _right(other)))


def pair_same_choice(one: Pair, other: Pair) -> float:
    """1 when the likeliest choice is the same one, by its place."""
    likeliest = [
        max(range(len(r.choice_logprobs)), key=r.choice_logprobs.__getitem__) for _, r in (one, other)
    ]
    return float(likeliest[0] == likeliest[1])


def pair_gap(one: Pair, other: Pair) -> float:
    """Distance between the log-probabilities of the two targets, nats a token."""
    return abs(target_logprob(*one) - target_logprob(*other))


def pair_choice_gap(one: Pair, other: Pair) -> float:
    """Distance between the probabilities of the two right choices."""
    return abs(choice_grade(*one) - choice_grade(*other))


def _right(pair: Pair) -> bool:
    said = normalised(answer_text(*pair))
    return said in [normalised(answer) for answer in right_answers(pair[0])]


PAIRS = (
    PairMetric("pair_consistent", ("output",), pair_consistent),
    PairMetric("pair_same_choice", ("choice_logprobs",), pair_same_choice),
    PairMetric("pair_gap", ("target_logprobs",), pair_gap),
    PairMetric("pair_choice_gap", ("choice_logprobs",), pair_choice_gap),
)
