"""How much an answer hedges: the share of its sentences that limit their own claim, by rules for English."""

from __future__ import annotations

import math
import re

from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics.base import Metric
from saltus.tasks.metrics.english import HEDGES
from saltus.tasks.metrics.language import is_english, sentences, without_code

_QUOTED = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”")


def is_hedged(sentence: str) -> bool:
    """Whether an English sentence limits its own claim.

    Examples:
        >>> is_hedged("It might rain."), is_hedged("He pushed with all his might.")
        (True, False)
    """
    return bool(HEDGES.search(_QUOTED.sub(" ", sentence).replace("’", "'").lower()))  # noqa: RUF001


def hedging(sample: Sample, response: Response) -> float:
    """Share of the output's sentences that are hedged; no score without sentences or outside of English."""
    found = sentences(without_code(response.output))
    if not found or not is_english(sample, response.output):
        return math.nan
    return sum(map(is_hedged, found)) / len(found)


HEDGING = (Metric("hedging", ("output",), hedging),)
