"""From the values of all items to one figure: the aggregations that lm-evaluation-harness knows by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from saltus.records.errors import InputError, MissingExtraError

Aggregate = Callable[[Sequence[Any]], Any]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]  # the upper one of two, as the harness takes it


def _nanmean(values: Sequence[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return _mean(there) if there else math.nan


def _perplexity(values: Sequence[float]) -> float:
    return math.exp(-_mean(values))


def _ratio(values: Sequence[tuple[float, float]]) -> float:
    return math.fsum(total for total, _ in values) / math.fsum(size for _, size in values)


def _f1(values: Sequence[tuple[int, int]]) -> float:
    """Of class 1, as scikit-learn computes it for two classes."""
    if other := {index for pair in values for index in pair} - {0, 1}:
        raise InputError(
            f"f1 is defined for two choices, and choice {max(other)} is among them; use mcc or acc"
        )
    hits = sum(gold == predicted == 1 for gold, predicted in values)
    total = sum(gold + predicted for gold, predicted in values)
    return 2 * hits / total if total else 0.0


def _mcc(values: Sequence[tuple[int, int]]) -> float:
    """Matthews' correlation for any number of classes (Gorodkin 2004, equation 8)."""
    classes = sorted({index for pair in values for index in pair})
    table = np.zeros((len(classes), len(classes)))
    for gold, predicted in values:
        table[classes.index(gold), classes.index(predicted)] += 1
    gold_sums, predicted_sums, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    both = np.trace(table) * total - gold_sums @ predicted_sums
    spread = (total**2 - predicted_sums @ predicted_sums) * (total**2 - gold_sums @ gold_sums)
    return float(both / math.sqrt(spread)) if spread > 0 else 0.0


def _corpus(name: str, **options: Any) -> Aggregate:
    """A figure of sacrebleu over all answers and right answers."""

    def compute(values: Sequence[tuple[Any, Any]]) -> float:
        try:
            import sacrebleu
        except ImportError as error:
            raise MissingExtraError(
                'BLEU, chrF and TER need the package sacrebleu; pip install "saltus[metrics]"'
            ) from error
        golds = [[gold] if isinstance(gold, str) else list(gold) for gold, _ in values]
        said = [answer[0] if isinstance(answer, list) else answer for _, answer in values]
        streams = [
            list(stream) for stream in zip(*golds, strict=False)
        ]  # references beyond the fewest are dropped
        return float(getattr(sacrebleu, name)(said, streams, **options).score)

    return compute


AGGREGATIONS: dict[str, Aggregate] = {
    "mean": _mean,
    "median": _median,
    "nanmean": _nanmean,
    "perplexity": _perplexity,
    "weighted_perplexity": lambda values: math.exp(-_ratio(values)),
    "bits_per_byte": lambda values: -_ratio(values) / math.log(2),
    "brier_score": _mean,
    "f1": _f1,
    "matthews_corrcoef": _mcc,
    "bleu": _corpus("corpus_bleu"),
    "chrf": _corpus("corpus_chrf"),
    "chrf++": _corpus("corpus_chrf", word_order=2),
    "ter": _corpus("corpus_ter"),
}
