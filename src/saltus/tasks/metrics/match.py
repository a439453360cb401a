"""An output against the right answers: exact, after normalisation, by shared words, by edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics.base import Metric
from saltus.tasks.metrics.language import answer_text, normalised, right_answers


def exact_match(sample: Sample, response: Response) -> float:
    """1 when the output is the target or another right answer, white space at both ends aside."""
    said = answer_text(sample, response).strip()
    return float(any(said == answer.strip() for answer in right_answers(sample)))


def quasi_exact_match(sample: Sample, response: Response) -> float:
    """1 when both are the same but for case, punctuation, articles and spaces (HELM, arXiv:2211.09110)."""
    output = answer_text(sample, response)
    if not output:
        return 0.0
    said = normalised(output)
    return float(any(said == normalised(answer) for answer in right_answers(sample)))


def f1(sample: Sample, response: Response) -> float:
    """Harmonic mean of precision and recall of the words, as bags in normal form (arXiv:1606.05250)."""
    said = normalised(answer_text(sample, response)).split()
    return max(_overlap(said, normalised(answer).split()) for answer in right_answers(sample))


def token_edit_distance(sample: Sample, response: Response) -> float:
    """Tokens to insert, delete or replace from output to target (Levenshtein; arXiv:2304.15004).

    Characters are counted instead where a model does not say its tokens, or shows its working before the
    answer.
    """
    said = answer_text(sample, response)
    if said == response.output and response.target_tokens and (response.output_tokens or not response.output):
        return float(edit_distance(response.output_tokens, response.target_tokens))
    return float(edit_distance(said.strip(), sample.target.strip()))


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Levenshtein distance between two sequences, in their elements.

    Examples:
        >>> edit_distance("kitten", "sitting")
        3
    """
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance(one, other)


def _overlap(said: Sequence[str], right: Sequence[str]) -> float:
    if not said or not right:
        return float(said == right)
    shared = (Counter(said) & Counter(right)).total()
    return 2 * shared / (len(said) + len(right))


MATCH = (
    Metric("exact_match", ("output",), exact_match),
    Metric("quasi_exact_match", ("output",), quasi_exact_match),
    Metric("f1", ("output",), f1),
    Metric("token_edit_distance", ("output", "target_logprobs"), token_edit_distance),
)
