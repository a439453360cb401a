"""Overlap with a reference text: BLEU and chrF by sacrebleu, ROUGE by rouge-score, of one sample each.

`points` gives means of these over samples; corpus BLEU and corpus chrF pool the counts first and differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib import import_module
from typing import Any

from saltus.records.errors import MissingExtraError
from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics.base import Metric
from saltus.tasks.metrics.language import answer_text, right_answers


def sentence_bleu(output: str, references: Sequence[str]) -> float:
    """BLEU of one sentence, 0 to 1: sacrebleu's 13a tokens, exponential smoothing, effective order."""
    return float(_bleu().sentence_score(output, list(references)).score) / 100


def bleu(sample: Sample, response: Response) -> float:
    """BLEU (Papineni et al. 2002; sacrebleu, arXiv:1804.08771) of the output against all right answers."""
    return sentence_bleu(answer_text(sample, response), right_answers(sample))


def chrf(sample: Sample, response: Response) -> float:
    """ChrF2 (Popović 2015), character n-grams up to 6, of the output against all right answers."""
    said = answer_text(sample, response)
    return float(_chrf().sentence_score(said, list(right_answers(sample))).score) / 100


def rouge(kind: str, sample: Sample, response: Response) -> float:
    """F-measure of ROUGE (Lin 2004) without stemming, the best over the right answers.

    Args:
        kind: "rouge1", "rouge2" or "rougeL".
        sample: Its target and references.
        response: What was said.
    """
    scorer = _rouge(kind)
    said = answer_text(sample, response)
    return max(float(scorer.score(answer, said)[kind].fmeasure) for answer in right_answers(sample))


def _import(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"this metric needs {package}, which is not installed; `pip install 'saltus[metrics]'` brings it"
        ) from error


@cache
def _bleu() -> Any:
    return _import("sacrebleu", "sacrebleu").BLEU(effective_order=True)


@cache
def _chrf() -> Any:
    return _import("sacrebleu", "sacrebleu").CHRF()


@cache
def _rouge(kind: str) -> Any:
    return _import("rouge_score.rouge_scorer", "rouge-score").RougeScorer([kind], use_stemmer=False)


def _rouge_metric(name: str, kind: str) -> Metric:
    compute: Callable[[Sample, Response], float] = partial(rouge, kind)
    return Metric(name, ("output",), compute)


OVERLAP = (
    Metric("sentence_bleu", ("output",), bleu),
    Metric("sentence_chrf", ("output",), chrf),
    _rouge_metric("rouge_1", "rouge1"),
    _rouge_metric("rouge_2", "rouge2"),
    _rouge_metric("rouge_l", "rougeL"),
)
