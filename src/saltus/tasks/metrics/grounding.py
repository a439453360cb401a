"""Citations in an answer against the documents it was given: `[1]` by place, `[doc-id]` by id.

`extra["documents"]` lists what was given, `extra["evidence"]` the ids of what supports the answer.
"""

from __future__ import annotations

import math
import re

from saltus.records.errors import InputError
from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics.base import Metric
from saltus.tasks.metrics.language import sentences, without_code

_BRACKETED = re.compile(r"[\[【]([^\[\]【】\n]{1,200})[\]】](?!\()")
_ITEM = re.compile(r"\s*(?:,|;|\band\b|&)\s*")
_RANGE = re.compile(r"(\d{1,3})\s*[-–]\s*(\d{1,3})")  # noqa: RUF001 - an en dash is a range
_PREFIX = re.compile(r"^(?:doc(?:ument)?|source|ref|passage)s?[\s.:#]*(?=\w)", re.IGNORECASE)
UNKNOWN = "?"  # a citation of a document that was not given


def citations(sample: Sample, text: str) -> list[str]:
    """Ids of the documents that a text cites, in order; `UNKNOWN` for a number or id that was not given.

    Something in brackets counts as a citation when it is a number, a range of numbers, an id, or a list of
    these; other brackets ("[sic]") do not, so an id that was made up is only seen where it is a number.
    """
    ids = [str(document["id"]) for document in sample.extra.get("documents", ())]
    by_name = {name.casefold(): name for name in ids}
    found: list[str] = []
    for bracket in _BRACKETED.finditer(without_code(text)):
        cited: list[str] = []
        for item in _ITEM.split(bracket[1].strip()):
            cited += _cited(item.strip(), ids, by_name)
        found += cited
    return found


def citation_precision(sample: Sample, response: Response) -> float:
    """Share of the citations that name a supporting document; no score for an output without citations."""
    cited = citations(sample, response.output)
    evidence = _evidence(sample)
    return sum(name in evidence for name in cited) / len(cited) if cited else math.nan


def evidence_coverage(sample: Sample, response: Response) -> float:
    """Share of the supporting documents that are cited; no score where nothing supports an answer."""
    evidence = _evidence(sample)
    cited = set(citations(sample, response.output))
    return len(evidence & cited) / len(evidence) if evidence else math.nan


def cited_sentences(sample: Sample, response: Response) -> float:
    """Share of the output's sentences that cite a document that was given; no score without sentences."""
    # A citation behind the full stop belongs to the sentence before it.
    text = re.sub(r"([.!?])\s*((?:\[[^\[\]\n]{1,200}\]\s*)+)", r" \2\1 ", without_code(response.output))
    found = sentences(text)
    if not found:
        return math.nan
    return sum(any(name != UNKNOWN for name in citations(sample, one)) for one in found) / len(found)


def _cited(item: str, ids: list[str], by_name: dict[str, str]) -> list[str]:
    for name in (item, _PREFIX.sub("", item)):
        if name.casefold() in by_name:
            return [by_name[name.casefold()]]
    number = _PREFIX.sub("", item)
    if span := _RANGE.fullmatch(number):
        first, last = int(span[1]), int(span[2])
        return [_by_place(place, ids) for place in range(first, min(last, first + 50) + 1)]
    if number.isdecimal() and len(number) <= 3:
        return [_by_place(int(number), ids)]
    return []


def _by_place(place: int, ids: list[str]) -> str:
    return ids[place - 1] if 1 <= place <= len(ids) else UNKNOWN


def _evidence(sample: Sample) -> set[str]:
    given = {str(document["id"]) for document in sample.extra["documents"]}
    evidence = {str(name) for name in sample.extra["evidence"]}
    if strange := sorted(evidence - given):
        raise InputError(
            f"sample {sample.id!r} names {strange[0]!r} as evidence, which is none of its documents; "
            "give the id of a document",
            field="evidence",
        )
    return evidence


_GIVEN = ("documents", "evidence")
GROUNDING = (
    Metric("citation_precision", ("output",), citation_precision, extra=_GIVEN),
    Metric("evidence_coverage", ("output",), evidence_coverage, extra=_GIVEN),
    Metric("cited_sentences", ("output",), cited_sentences, extra=("documents",)),
)
