"""What a finding keeps beside its verdict, as rows: tests, settings, the links that were tried, families."""

from __future__ import annotations

from typing import Any

from saltus.records.findings import Finding, Settings, TestRecord, TriedLink
from saltus.report.words import interval_on_axis, number, q_text

_DASH = "\u2013"


def record(finding: Finding) -> dict[str, Any]:
    """The rows of one finding's page; empty ones for findings of an older version."""
    check = finding.check
    links = () if check is None else check.links
    return {
        "tests": [_test(one) for one in finding.tests],
        "assumed": {} if finding.settings is None else _assumed(finding.settings),
        "resolution": None if finding.resolution is None else f"{finding.resolution:.3g}",
        "settle": [one.text for one in finding.settle],
        "links": [_link(one) for one in links],
        "link_points": [check.fitted, check.asked] if check is not None and links else None,
        "families": [
            [one.family, interval_on_axis(one.onset, finding.axis), one.models] for one in finding.families
        ],
    }


def _test(test: TestRecord) -> list[str]:
    draws = _DASH if test.draws is None else f"{test.draws:,}"
    how = "" if test.method in ("", "counted") else f", {test.method}"
    return [test.name, number(test.statistic, ""), q_text(test.p), q_text(test.q), draws + how]


def _assumed(used: Settings) -> dict[str, str]:
    lines = {
        "Noise between like models": f"{used.tau:.3g}, {used.tau_from}",
        "Scatter over the noise": f"{used.dispersion:.2g}",
        "Design effect": "" if used.design_effect is None else f"{used.design_effect:.2g}",
        "Items": "paired" if used.paired else "",
        "Draws a test": f"{used.bootstraps:,}",
    }
    return {name: text for name, text in lines.items() if text}


def _link(link: TriedLink) -> list[str]:
    shape = _DASH if link.rate is None else f"rate {link.rate:.3g}, exponent {link.exponent or 1.0:.3g}"
    return [link.name, shape, number(link.rmse, ""), number(link.r2), link.refused or "counts"]
