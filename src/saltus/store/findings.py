"""Findings in the ledger: each is recorded once; the latest one on a series speaks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from saltus.records.findings import Finding

if TYPE_CHECKING:
    from saltus.store import Store

KIND = "finding"


def record_findings(store: Store, findings: Sequence[Finding]) -> int:
    """Append findings to the ledger, those that the last record of their series does not already say.

    Returns:
        How many were new.
    """
    known = {_series(finding): finding.id for finding in load_findings(store)}
    new = [finding for finding in findings if known.get(_series(finding)) != finding.id]
    for finding in new:
        store.ledger.append(KIND, msgspec.to_builtins(finding))
    return len(new)


def load_findings(store: Store) -> list[Finding]:
    """The latest finding of each series, axis, task, metric and variant, in the order of first record."""
    latest: dict[tuple[str, ...], Finding] = {}
    for event in store.ledger.events(KIND):
        finding = msgspec.convert(event.payload, Finding)
        latest[_series(finding)] = finding
    return list(latest.values())


def _series(finding: Finding) -> tuple[str, ...]:
    return (finding.family, finding.series, finding.axis, finding.task, finding.metric, finding.variant)
