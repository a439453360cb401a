"""What is new after a look at a training run, with the looks before it paid for.

Looking again and again finds, by chance, what one look would not. Each look spends a part of the error rate,
and the parts add up to it however long the run is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from saltus.monitor.watch.events import WatchEvent
from saltus.records import EarlyWarning, Finding, Interval

JUMPS = ("emergent", "accelerating")
HALF = 20  # looks that spend half of the error rate

Key: TypeAlias = tuple[str, str, str]  # task, metric, variant


def spent(look: int, alpha: float = 0.05) -> float:
    """Error rate of one look: alpha x h / ((k + h - 1)(k + h)) with h = 20.

    The parts are differences of k / (k + h), so the first K of them add up to alpha x K / (K + h), and all of
    them to alpha: by Boole's inequality no number of looks errs more often, however they depend on each
    other. From the fifth look on each gets more than under the usual 6 alpha / (pi k)^2.

    Args:
        look: Counted from 1.
        alpha: Of all looks together.

    Examples:
        >>> round(spent(1), 5), round(spent(20), 5)
        (0.00238, 0.00064)
        >>> round(sum(spent(k) for k in range(1, 21)), 6)
        0.025
    """
    return alpha * HALF / ((look + HALF - 1) * (look + HALF))


def standing(events: Iterable[WatchEvent]) -> dict[Key, Finding]:
    """The jumps that were announced and not withdrawn."""
    found: dict[Key, Finding] = {}
    for event in events:
        if event.finding is None:
            continue
        if event.kind in ("finding", "changed"):
            found[_key(event.finding)] = event.finding
        elif event.kind == "withdrawn":
            found.pop(_key(event.finding), None)
    return found


def news(findings: Sequence[Finding], announced: dict[Key, Finding], *, level: float) -> list[WatchEvent]:
    """What to announce of this look's findings.

    A jump is announced when its q-values are at or under `level`; once announced it stands while the findings
    at their own, larger level still call it a jump.

    Args:
        findings: Of this look, made at the ordinary level.
        announced: What stands, by task, metric and variant.
        level: What this look may spend.
    """
    out = []
    for finding in findings:
        before = announced.get(_key(finding))
        jumps = finding.verdict in JUMPS
        if before is None and jumps and passes(finding, level):
            out.append(WatchEvent(kind="finding", headline=finding.headline, finding=finding))
        elif before is not None and not jumps:
            text = f"{finding.task}: the jump no longer holds ({finding.headline})"
            out.append(WatchEvent(kind="withdrawn", headline=text, finding=finding, was=before.headline))
        elif before is not None and _differs(before, finding):
            out.append(
                WatchEvent(kind="changed", headline=finding.headline, finding=finding, was=before.headline)
            )
    return out


def passes(finding: Finding, level: float) -> bool:
    """Whether both tests of a jump hold at a level."""
    q = finding.q
    return q.trend is not None and q.acceleration is not None and q.trend <= level and q.acceleration <= level


def unsaid(warnings: Sequence[EarlyWarning], events: Iterable[WatchEvent]) -> list[WatchEvent]:
    """Warnings that were not announced; one of a task and indicator at another checkpoint is another one."""
    known = {_sign(event.warning) for event in events if event.warning is not None}
    out = []
    for one in sorted(warnings, key=lambda w: w.at):
        if _sign(one) not in known:
            known.add(_sign(one))
            text = f"{one.task} may jump soon: {one.indicator} (p = {one.p:.2g})"
            out.append(WatchEvent(kind="early_warning", headline=text, reasons=(one.reason,), warning=one))
    return out


def _sign(one: EarlyWarning) -> tuple[str | float, ...]:
    return one.task, one.metric, one.indicator, one.at


def _key(finding: Finding) -> Key:
    return finding.task, finding.metric, finding.variant


def _differs(before: Finding, now: Finding) -> bool:
    """Whether there is something else to say: another verdict or artifact check, or a clearly other onset."""
    if (before.verdict, before.artifact) != (now.verdict, now.artifact):
        return True
    return _moved(before.onset, now.onset)


def _moved(before: Interval | None, now: Interval | None) -> bool:
    """Whether each onset lies outside the other's interval; an onset that was unknown before counts."""
    if before is None or now is None:
        return before is None and now is not None
    return not (now.low <= before.value <= now.high) and not (before.low <= now.value <= before.high)
