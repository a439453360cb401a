"""One look at a training run: its scores so far, through the detectors, to events and to the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from saltus.emergence import detect_all
from saltus.emergence.scores import choose_metrics
from saltus.emergence.timeline import timelines
from saltus.emergence.warning import early_warnings
from saltus.monitor.watch.events import TaskScore, WatchEvent
from saltus.monitor.watch.online import news, spent, standing, unsaid
from saltus.records import EarlyWarning, Finding, metric_info

if TYPE_CHECKING:
    from saltus.store import Store

_PLACES = 4  # that a verdict needs; step 0 has none on a logarithmic axis
_CLEAR = 1.96  # standard errors

Rows = list[dict[str, Any]]


class Manner(msgspec.Struct, frozen=True):
    """How to look.

    Attributes:
        alpha: Rate of runs without a jump in which one is ever announced.
        bootstraps: Simulated data sets a test.
        seed: Of all randomness.
    """

    alpha: float = 0.05
    bootstraps: int = 1000
    seed: int = 0


def points_of(store: Store, series: str, tasks: Sequence[str]) -> Any:
    """The scores of one training run on these tasks, as the store's points."""
    return store.points(model=series, task=list(tasks), variant="")


def can_decide(points: Any) -> bool:
    """Whether there are the places along training that a verdict needs."""
    return len({row for row in points["step"].to_pylist() if row}) >= _PLACES


def look(
    points: Any,
    earlier: Iterable[WatchEvent],
    *,
    number: int,
    manner: Manner,
    samples: Callable[[str], Any] | None = None,
) -> list[WatchEvent]:
    """Everything new that the scores of a training run say.

    Args:
        points: Of one training run.
        earlier: What was announced of it.
        number: Of this look, from 1: the error rate is spent over all looks.
        manner: How to look.
        samples: Gives the per-sample scores of a task, for the early warnings that need them.
    """
    events = list(earlier)
    level = spent(number, manner.alpha)
    findings = detect_all(
        points, axis="step", seed=manner.seed, bootstraps=manner.bootstraps, alpha=manner.alpha
    )
    found = news(findings, standing(events), level=level)
    found += unsaid(_warnings(points, findings, manner, samples), events)
    return [_marked(event, number, level) for event in found]


def samples_of(store: Store, points: Any, series: str) -> Callable[[str], Any]:
    """Per-sample scores of a task, of the runs behind the points: without what was overwritten."""

    def samples(task: str) -> Any:
        runs = sorted({row["run"] for row in points.to_pylist() if row["task"] == task})
        return store.scores(model=series, task=task, run=runs, variant="").arrow()

    return samples


def record(store: Store, points: Any, events: Sequence[WatchEvent], manner: Manner) -> None:
    """Put what a look says into the ledger: announced findings, early warnings, and all changes.

    Raises:
        StoreError: The ledger cannot be written.
    """
    from saltus.store import record_findings, record_timelines, record_warnings

    record_findings(store, [event.finding for event in events if event.finding is not None])
    record_warnings(store, [event.warning for event in events if event.warning is not None])
    record_timelines(store, timelines(points, axis="step", seed=manner.seed, alpha=manner.alpha))


def scores_of(points: Any, step: float) -> tuple[TaskScore, ...]:
    """The headline score of each task at a checkpoint, and how it moved since the one before."""
    by_task: dict[str, Rows] = {}
    for row in points.to_pylist():
        if row["step"] is not None and row["step"] <= step:
            by_task.setdefault(row["task"], []).append(row)
    found = (_score(task, rows, step) for task, rows in sorted(by_task.items()))
    return tuple(one for one in found if one is not None)


def _score(task: str, rows: Rows, step: float) -> TaskScore | None:
    here = [row for row in rows if row["step"] == step]
    values: dict[str, list[Any]] = {}
    for row in here:
        values.setdefault(row["metric"], []).append(row["value"])
    chosen = choose_metrics(values, None)
    if not chosen:
        return None
    now = next(row for row in here if row["metric"] == chosen[0])
    past = [row for row in rows if row["metric"] == chosen[0] and row["step"] < step]
    before = max(past, key=lambda row: float(row["step"]), default=None)
    return TaskScore(
        task=task,
        metric=chosen[0],
        value=now["value"],
        n=now["n"],
        before=None if before is None else before["value"],
        moves="" if before is None else _moves(before, now),
    )


def _moves(before: dict[str, Any], now: dict[str, Any]) -> Any:
    change = now["value"] - before["value"]
    error = float(np.hypot(before["stderr"] or 0.0, now["stderr"] or 0.0))
    if abs(change) <= _CLEAR * error or change == 0:
        return "same"
    better = (change > 0) == metric_info(now["metric"]).higher_is_better
    return "up" if better else "down"


def _marked(event: WatchEvent, number: int, level: float) -> WatchEvent:
    """The event with its look; the finding's own reasons say at which level it was announced."""
    finding = event.finding
    reasons = event.reasons
    if finding is not None:
        finding = _with_reason(finding, event.kind, number, level)
        reasons = finding.reasons
    return msgspec.structs.replace(event, finding=finding, reasons=reasons, look=number, level=level)


def _with_reason(finding: Finding, kind: str, number: int, level: float) -> Finding:
    if kind != "finding":
        return finding
    note = (
        f"Found while watching, at look {number}: the q-values are at or under the {level:.2g} that this "
        "look may spend."
    )
    return msgspec.structs.replace(finding, reasons=(*finding.reasons, note))


def _warnings(
    points: Any, findings: Sequence[Finding], manner: Manner, samples: Callable[[str], Any] | None
) -> list[EarlyWarning]:
    """Warnings on every task; each indicator errs with `alpha` over all tasks together (Bonferroni)."""
    tasks = sorted({finding.task for finding in findings})
    out: list[EarlyWarning] = []
    for task in tasks:
        marks = samples(task) if samples is not None else None
        out += early_warnings(
            points, task=task, axis="step", samples=marks, seed=manner.seed, alpha=manner.alpha / len(tasks)
        )
    return out
