"""Findings for people: one line each, jumps first, as many columns as the terminal has room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from saltus.cli.output import console, magnitude, say
from saltus.records.findings import Finding, Interval

GLYPHS = {
    "emergent": "▲",
    "accelerating": "◢",
    "gradual": "∕",
    "declining": "▼",
    "u_shaped": "∪",
    "no_change": "─",
    "not_above_chance": "─",
    "below_threshold": "─",
    "too_few_scales": "?",
}
JUMPS = ("emergent", "accelerating")
LONG = 40  # findings beyond which only jumps are listed
_EXPLAINED = 5  # jumps beyond which none is explained beside the table
_SHORT = {
    "jump_persists": "persists",
    "metric_artifact": "artifact",
    "metric_explained": "explained",
    "unresolved": "unresolved",
}
_MIDDLE, _WIDE = 100, 140  # columns from which the table shows more
_LEAST = 12  # columns that a task's name gets at least
_GAP = "  "


def show(findings: Sequence[Finding], *, everything: bool = True) -> None:
    """Print findings, one line each, jumps first and then by onset; then how many of each verdict there are.

    Args:
        findings: In any order.
        everything: Also those that do not jump, however many.
    """
    ordered = sort_findings(findings)
    jumps = [finding for finding in ordered if finding.verdict in JUMPS]
    listed = ordered if everything or len(ordered) <= LONG else jumps
    if listed:
        _print(listed)
    count = Counter[str](finding.verdict for finding in findings)
    said = ", ".join(f"{count[v]:,} {v.replace('_', ' ')}" for v in GLYPHS if count[v])
    if len(findings) > 1:
        say(f"{len(findings):,} findings: {said}.")
    if len(listed) < len(ordered):
        say("Only jumps are listed; --all lists everything.")


def explain(findings: Iterable[Finding]) -> None:
    """Say each finding in words, with its first reasons: three for a jump, one for the others."""
    for finding in sort_findings(list(findings)):
        where = f"{finding.series or finding.family} by {finding.axis}"
        say(f"{GLYPHS[finding.verdict]} {finding.headline} ({where})")
        for reason in finding.reasons[: 3 if finding.verdict in JUMPS else 1]:
            say(f"    {reason}")


def explain_jumps(findings: Sequence[Finding]) -> None:
    """Say the jumps in words where they are few; else how to ask for one."""
    jumps = [finding for finding in findings if finding.verdict in JUMPS]
    if len(jumps) <= _EXPLAINED:
        explain(jumps)
    else:
        say(f"{len(jumps)} series jump; --why ID explains one in words.")


def sort_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Jumps first, by onset; then the rest by verdict and task."""
    order = list(GLYPHS)

    def key(finding: Finding) -> tuple[object, ...]:
        onset = finding.onset.value if finding.onset else float("inf")
        return (
            order.index(finding.verdict),
            finding.axis,
            onset,
            finding.task,
            finding.metric,
            finding.series,
        )

    return sorted(findings, key=key)


def interval(one: Interval | None) -> str:
    """An estimate with its interval."""
    if one is None:
        return "–"
    return f"{magnitude(one.value)} [{magnitude(one.low)}, {magnitude(one.high)}]"


def _print(findings: Sequence[Finding]) -> None:
    """Aligned by hand: a table that folds its cells would take several lines a finding."""
    width = console().width
    columns = _columns(findings, width)
    cells = [[write(finding) for write in columns.values()] for finding in findings]
    widths = [max(len(head), *(len(row[i]) for row in cells)) for i, head in enumerate(columns)]
    at = list(columns).index("task")
    rest = sum(widths) - widths[at] + len(_GAP) * (len(widths) - 1)
    widths[at] = min(widths[at], max(width - rest, _LEAST))
    say()
    for row in ([*columns], ["─" * n for n in widths], *cells):
        row[at] = _shortened(row[at], widths[at])
        say(_GAP.join(text.ljust(n) for text, n in zip(row, widths, strict=True)).rstrip())
    say()
    same = [
        f"{name} {getattr(findings[0], name)}"
        for name in ("metric", "axis", "family")
        if len({getattr(f, name) for f in findings}) == 1 and getattr(findings[0], name)
    ]
    if same:
        say(f"{'All' if len(findings) > 1 else 'It'}: {', '.join(same)}.")


def _columns(findings: Sequence[Finding], width: int) -> dict[str, Callable[[Finding], str]]:
    """What to show of a finding in so many columns of text; what all have in common is said once below."""
    varies = [
        name
        for name in ("metric", "axis", "family", "variant", "series")
        if len({getattr(f, name) for f in findings}) > 1
    ]
    if "series" in varies and "family" in varies:
        varies.remove("family")

    def task(finding: Finding) -> str:
        return " · ".join([finding.task, *(v for name in varies if (v := getattr(finding, name)))])

    columns: dict[str, Callable[[Finding], str]] = {"verdict": _verdict, "task": task}
    columns["onset [90 %]"] = lambda f: interval(f.onset)
    if width < _MIDDLE:
        columns["artifact"] = lambda f: _SHORT.get(f.artifact or "", "–")
        return columns
    if width < _WIDE:
        columns["rise"] = lambda f: "–" if f.rise is None else _change(f.rise.value)
        columns["q accel"] = lambda f: _q(f.q.acceleration)
        columns["artifact"] = lambda f: _SHORT.get(f.artifact or "", "–")
    else:
        columns["rise [90 %]"] = lambda f: _rise(f.rise)
        columns["q trend/accel/sharp"] = lambda f: "/".join(
            _q(q) for q in (f.q.trend, f.q.acceleration, f.q.sharpness)
        )
        columns["artifact"] = lambda f: (f.artifact or "–").replace("_", " ")
    columns["id"] = lambda f: f.id[:8]
    return columns


def _verdict(finding: Finding) -> str:
    words = f"{GLYPHS[finding.verdict]} {finding.verdict.replace('_', ' ')}"
    return words + (f", {finding.sharpness}" if finding.sharpness else "")


def _rise(rise: Interval | None) -> str:
    return "–" if rise is None else f"{_change(rise.value)} [{_change(rise.low)}, {_change(rise.high)}]"


def _change(value: float) -> str:
    """A difference of shares to two places; of other scores as they are."""
    return f"{value:+.2f}" if abs(value) <= 1 else magnitude(value)


def _q(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _shortened(text: str, room: int) -> str:
    """A long name without its middle, so that a finding stays on one line."""
    if len(text) <= room:
        return text
    tail = (room - 1) // 2
    return f"{text[: room - 1 - tail]}…{text[len(text) - tail :]}"
