"""Several responses to one sample, over its epochs or variants: how much they agree, how they differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics.base import GroupMetric
from saltus.tasks.metrics.language import answer_text, normalised, words
from saltus.tasks.metrics.overlap import sentence_bleu


def agreement(sample: Sample, responses: Sequence[Response]) -> float:
    """Share of the pairs of responses whose answers are the same in normal form; no score for fewer than two.

    An answer without letters and digits is compared as it stands.
    """
    n = len(responses)
    if n < 2:
        return math.nan
    said = [answer_text(sample, one) for one in responses]
    alike = Counter(normalised(one) or one.strip() for one in said)
    return sum(k * (k - 1) for k in alike.values()) / (n * (n - 1))


def distinct(n: int, responses: Sequence[Response]) -> float:
    """Different n-grams of words over all n-grams of the responses together (Li et al., arXiv:1510.03055).

    Examples:
        >>> said = Response(run="r", model="m", task="t", sample="s", output="a b a b")
        >>> distinct(2, [said])
        0.6666666666666666
    """
    grams: Counter[tuple[str, ...]] = Counter()
    for one in responses:
        found = [word.casefold() for word in words(one.output)]
        grams.update(zip(*(found[i:] for i in range(n)), strict=False))
    return len(grams) / grams.total() if grams else math.nan


def distinct_1(sample: Sample, responses: Sequence[Response]) -> float:
    """Different words over all words of the responses; no score where there are none."""
    return distinct(1, responses)


def distinct_2(sample: Sample, responses: Sequence[Response]) -> float:
    """Different pairs of neighbouring words over all of them; no score where there are none."""
    return distinct(2, responses)


def self_bleu(sample: Sample, responses: Sequence[Response]) -> float:
    """Mean BLEU of each response against the others (Zhu et al., arXiv:1802.01886); 1 when all are alike.

    No score for fewer than two responses.
    """
    if len(responses) < 2:
        return math.nan
    outputs = [one.output for one in responses]
    return sum(
        sentence_bleu(said, outputs[:i] + outputs[i + 1 :]) if said.strip() else 0.0
        for i, said in enumerate(outputs)
    ) / len(outputs)


GROUPS = (
    GroupMetric("epoch_agreement", "epochs", agreement),
    GroupMetric("variant_agreement", "variants", agreement),
    GroupMetric("distinct_1", "epochs", distinct_1),
    GroupMetric("distinct_2", "epochs", distinct_2),
    GroupMetric("self_bleu", "epochs", self_bleu),
)
