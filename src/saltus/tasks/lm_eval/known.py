"""The metrics that lm-evaluation-harness knows by name: what each is for one item, and for all."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics.base import Need
from saltus.tasks.metrics.likelihood import choice_probabilities, target_bytes, target_words

Value = Callable[[Sample, Sequence[Response]], Any]
"""From an item and the responses to it (one for each repeat) to what the harness logs as the metric."""


class Known(msgspec.Struct, frozen=True):
    """What the harness knows of a metric by its name."""

    aggregation: str
    higher_is_better: bool = True
    needs: tuple[Need, ...] = ("choice_logprobs",)
    value: Callable[[str], Value] | None = None  # from the delimiter before choices
    single: bool = True


def exact_match(
    prediction: str,
    reference: str,
    *,
    regexes_to_ignore: Sequence[str] | None = None,
    ignore_case: bool = False,
    ignore_punctuation: bool = False,
    ignore_numbers: bool = False,
) -> bool:
    """Whether two texts are the same when what is to be ignored is taken out of both.

    Examples:
        >>> exact_match("The answer!", "the answer", ignore_case=True, ignore_punctuation=True)
        True
    """
    texts = [prediction, reference]
    for pattern in regexes_to_ignore or ():
        texts = [re.sub(pattern, "", text) for text in texts]
    if ignore_case:
        texts = [text.lower() for text in texts]
    dropped = (string.punctuation if ignore_punctuation else "") + (string.digits if ignore_numbers else "")
    if dropped:
        table = str.maketrans("", "", dropped)
        texts = [text.translate(table) for text in texts]
    return texts[0] == texts[1]


def _gold(sample: Sample) -> list[int]:
    return list(sample.extra.get("answers", (sample.answer,)))


def _accuracy(length: Callable[[str], int] | None) -> Callable[[str], Value]:
    """Whether the likeliest choice is right, its log-probability divided by a length of its text."""

    def with_delimiter(delimiter: str) -> Value:
        def value(sample: Sample, responses: Sequence[Response]) -> float:
            scores = np.asarray(responses[0].choice_logprobs)
            if length is not None:
                sizes = [float(length(choice.removeprefix(delimiter))) for choice in sample.choices]
                with np.errstate(divide="ignore", invalid="ignore"):
                    scores = scores / np.asarray(sizes)
            return 1.0 if int(np.argmax(scores)) in _gold(sample) else 0.0

        return value

    return with_delimiter


def _of(value: Value) -> Callable[[str], Value]:
    return lambda delimiter: value


def _bytes(text: str) -> int:
    return len(text.encode())


def _brier(sample: Sample, responses: Sequence[Response]) -> float:
    probabilities = choice_probabilities(responses[0])
    return math.fsum((p - (i == sample.answer)) ** 2 for i, p in enumerate(probabilities))


def _greedy(sample: Sample, responses: Sequence[Response]) -> float:
    return float(all(responses[0].greedy))


def _decision(sample: Sample, responses: Sequence[Response]) -> tuple[int, int]:
    return sample.answer, int(np.argmax(responses[0].choice_logprobs))


def _total(sample: Sample, responses: Sequence[Response]) -> float:
    return math.fsum(responses[0].logprobs)


def _over(count: Callable[[Sample, Response], float]) -> Callable[[str], Value]:
    return _of(lambda sample, responses: (_total(sample, responses), count(sample, responses[0])))


_TARGET: tuple[Need, ...] = ("target_logprobs",)
LIKELIHOOD: dict[str, dict[str, Known]] = {
    "multiple_choice": {
        "acc": Known("mean", value=_accuracy(None)),
        "acc_norm": Known("mean", value=_accuracy(len)),
        "acc_bytes": Known("mean", value=_accuracy(_bytes)),
        "exact_match": Known("mean", needs=_TARGET, value=_of(_greedy)),
        "brier_score": Known("brier_score", False, value=_of(_brier)),
        "f1": Known("f1", value=_of(_decision), single=False),
        "mcc": Known("matthews_corrcoef", value=_of(_decision), single=False),
    },
    "loglikelihood": {
        "acc": Known("mean", needs=_TARGET, value=_of(_greedy)),
        "perplexity": Known("perplexity", False, needs=_TARGET, value=_of(_total), single=False),
    },
    "loglikelihood_rolling": {
        "word_perplexity": Known("weighted_perplexity", False, _TARGET, _over(target_words), single=False),
        "byte_perplexity": Known("weighted_perplexity", False, _TARGET, _over(target_bytes), single=False),
        "bits_per_byte": Known("bits_per_byte", False, _TARGET, _over(target_bytes), single=False),
    },
}
GENERATED = {
    "exact_match": Known("mean"),
    "bleu": Known("bleu"),
    "chrf": Known("chrf"),
    "chrf++": Known("chrf++"),
    "ter": Known("ter", False),
}
DEFAULTS = {
    "multiple_choice": ("acc", "acc_norm"),
    "loglikelihood": ("perplexity", "acc"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    "generate_until": ("exact_match",),
}
