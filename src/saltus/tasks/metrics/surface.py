"""What an answer looks like whatever it says: how long it is and how complex. No direction is better."""

from __future__ import annotations

import math
import zlib

from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics.base import Metric
from saltus.tasks.metrics.language import sentences, words

_LEAST_WORDS = 50  # of the window in which types are counted, as their share falls with length


def output_words(sample: Sample, response: Response) -> float:
    """Words of the output."""
    return float(len(words(response.output)))


def output_tokens(sample: Sample, response: Response) -> float:
    """Tokens of the output, as the model counts them; no score where it does not say."""
    if response.output_tokens:
        return float(len(response.output_tokens))
    counted = response.usage[1]
    return float(counted) if counted or not response.output else math.nan


def word_length(sample: Sample, response: Response) -> float:
    """Mean length of the output's words in characters; no score without words."""
    found = words(response.output)
    return sum(map(len, found)) / len(found) if found else math.nan


def sentence_length(sample: Sample, response: Response) -> float:
    """Mean length of the output's sentences in words; no score without words."""
    found = sentences(response.output)
    return len(words(response.output)) / len(found) if found else math.nan


def type_token(sample: Sample, response: Response) -> float:
    """Share of different words, the mean over all windows of 50 words (MATTR, Covington and McFall 2010).

    No score for fewer than 50 words, as the share falls with the length of a text.
    """
    found = [word.casefold() for word in words(response.output)]
    if len(found) < _LEAST_WORDS:
        return math.nan
    windows = range(len(found) - _LEAST_WORDS + 1)
    return sum(len(set(found[at : at + _LEAST_WORDS])) for at in windows) / (_LEAST_WORDS * len(windows))


def compression(sample: Sample, response: Response) -> float:
    """Bytes of the output after DEFLATE over bytes before, no header: low for text that repeats itself.

    At most 1. Short texts cannot be compressed: compare texts of like length. No score for an empty output.
    """
    raw = response.output.encode()
    if not raw:
        return math.nan
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return min(1.0, len(packer.compress(raw) + packer.flush()) / len(raw))


SURFACE = (
    Metric("output_words", ("output",), output_words),
    Metric("output_tokens", ("output",), output_tokens),
    Metric("word_length", ("output",), word_length),
    Metric("sentence_length", ("output",), sentence_length),
    Metric("type_token", ("output",), type_token),
    Metric("compression", ("output",), compression),
)
