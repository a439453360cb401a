"""What was found, in the ledger: recorded once; the latest record of a kind and place speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from saltus.records.changes import EarlyWarning, Timeline
from saltus.records.explanations import Explanation
from saltus.records.findings import Finding
from saltus.records.forecasts import Forecast

if TYPE_CHECKING:
    from saltus.store import Store

T = TypeVar("T", bound=msgspec.Struct)
Key = Callable[[Any], tuple[Any, ...]]


def record_findings(store: Store, findings: Sequence[Finding]) -> int:
    """Append findings to the ledger, those that the last record of their series does not already say.

    Returns:
        How many were new.
    """
    return _record(store, "finding", findings, Finding, _finding)


def load_findings(store: Store) -> list[Finding]:
    """The latest finding of each series, axis, task, metric and variant, in the order of first record."""
    return _load(store, "finding", Finding, _finding)


def record_forecasts(store: Store, forecasts: Sequence[Forecast]) -> int:
    """Append forecasts, those that the last record of their series and place does not already say."""
    return _record(store, "forecast", forecasts, Forecast, _forecast)


def load_forecasts(store: Store) -> list[Forecast]:
    """The latest forecast of each series, axis, task, metric and place."""
    return _load(store, "forecast", Forecast, _forecast)


def record_timelines(store: Store, timelines: Sequence[Timeline]) -> int:
    """Append the changes of curves, those that the last record of a curve does not already say."""
    return _record(store, "timeline", timelines, Timeline, _timeline)


def load_timelines(store: Store) -> list[Timeline]:
    """The latest record of each curve's changes."""
    return _load(store, "timeline", Timeline, _timeline)


def record_warnings(store: Store, warnings: Sequence[EarlyWarning]) -> int:
    """Append early warnings that are not recorded yet."""
    return _record(store, "early_warning", warnings, EarlyWarning, _warning)


def load_warnings(store: Store) -> list[EarlyWarning]:
    """Every early warning that was recorded, in order."""
    return _load(store, "early_warning", EarlyWarning, _warning)


def record_explanations(store: Store, explanations: Sequence[Explanation]) -> int:
    """Append explanations, those that the last record of their model and task does not already say."""
    return _record(store, "explanation", explanations, Explanation, _explanation)


def load_explanations(store: Store) -> list[Explanation]:
    """The latest explanation of each model and task; their effects are in the table `effects`, by run."""
    return _load(store, "explanation", Explanation, _explanation)


def _record(store: Store, kind: str, items: Sequence[T], type_: type[T], key: Key) -> int:
    known = {key(item): _said(item) for item in _load(store, kind, type_, key)}
    new = [item for item in items if known.get(key(item)) != _said(item)]
    for item in new:
        store.ledger.append(kind, msgspec.to_builtins(item))
    return len(new)


def _load(store: Store, kind: str, type_: type[T], key: Key) -> list[T]:
    latest: dict[tuple[Any, ...], T] = {}
    for event in store.ledger.events(kind):
        item = msgspec.convert(event.payload, type_)
        latest[key(item)] = item
    return list(latest.values())


def _said(item: Any) -> Any:
    """What tells two records of one place apart: the id of a finding or an explanation, else all of it."""
    return item.id if isinstance(item, Finding | Explanation) else item


def _finding(f: Finding) -> tuple[Any, ...]:
    return (f.family, f.series, f.axis, f.task, f.metric, f.variant)


def _forecast(f: Forecast) -> tuple[Any, ...]:
    return (f.family, f.series, f.axis, f.task, f.metric, f.model, f.at)


def _timeline(t: Timeline) -> tuple[Any, ...]:
    return (t.family, t.series, t.axis, t.task, t.metric)


def _warning(w: EarlyWarning) -> tuple[Any, ...]:
    return (w.family, w.series, w.axis, w.task, w.metric, w.indicator, w.at)


def _explanation(e: Explanation) -> tuple[Any, ...]:
    return (e.model, e.task, e.metric)
