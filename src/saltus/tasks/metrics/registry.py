"""Metrics by name: those of Saltus, those that run code, and those that other packages declare.

An entry point in the group `saltus.metrics` names a `Metric`, `GroupMetric` or `PairMetric`, or several of
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any

from saltus.records.errors import UsageError
from saltus.records.metrics import metric_info
from saltus.tasks.metrics.base import AnyMetric, GroupMetric, Metric, Need, PairMetric
from saltus.tasks.metrics.calls import CALLS
from saltus.tasks.metrics.constraints import CONSTRAINT_METRICS
from saltus.tasks.metrics.grounding import GROUNDING
from saltus.tasks.metrics.groups import GROUPS
from saltus.tasks.metrics.hedging import HEDGING
from saltus.tasks.metrics.json_text import JSON_TEXT
from saltus.tasks.metrics.likelihood import LIKELIHOOD
from saltus.tasks.metrics.match import MATCH
from saltus.tasks.metrics.overlap import OVERLAP
from saltus.tasks.metrics.pairs import PAIRS
from saltus.tasks.metrics.refusal import REFUSAL
from saltus.tasks.metrics.schema import SCHEMA
from saltus.tasks.metrics.surface import SURFACE
from saltus.tasks.task import Kind, Task

GROUP = "saltus.metrics"
_CODE = "saltus.tasks.code"

_GIVEN: dict[Kind, tuple[Need, ...]] = {
    "generation": ("output", "target_logprobs"),
    "multiple_choice": ("choice_logprobs", "target_logprobs"),
    "loglikelihood": ("target_logprobs",),
    "perplexity": ("target_logprobs",),
}

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *MATCH,
        *LIKELIHOOD,
        *OVERLAP,
        *JSON_TEXT,
        *SCHEMA,
        *CALLS,
        *CONSTRAINT_METRICS,
        *REFUSAL,
        *HEDGING,
        *GROUNDING,
        *SURFACE,
    )
}
GROUP_METRICS: dict[str, GroupMetric] = {metric.name: metric for metric in GROUPS}
PAIR_METRICS: dict[str, PairMetric] = {metric.name: metric for metric in PAIRS}


def all_metrics() -> dict[str, AnyMetric]:
    """Every metric that Saltus itself brings, by name, those that run code included."""
    return {**METRICS, **GROUP_METRICS, **PAIR_METRICS, **_code_metrics()}


def get_metric(name: str) -> AnyMetric:
    """One metric.

    Raises:
        UsageError: There is none of this name, or the package that declares it cannot be loaded.
    """
    own = all_metrics()
    if name in own:
        return own[name]
    for point in _declared():
        if point.name == name:
            return _pick(point, name)
    for point in _declared():
        if found := [metric for metric in _load(point) if metric.name == name]:
            return found[0]
    ratios = [ratio for ratio in RATIOS if metric_info(ratio).ratio]
    raise UsageError(f"no metric is called {name!r}, there are {', '.join([*own, *ratios])}", field="metrics")


RATIOS = ("token_perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte")


def metrics_for(task: Task, names: tuple[str, ...] | None = None) -> tuple[AnyMetric, ...]:
    """The metrics that a task is scored by; its own scorers before those that everybody knows.

    A metric of a whole corpus (`RATIOS`) is scored sample by sample as the two sums that it is the ratio of;
    the store forms the ratio.

    Args:
        task: Its kind says what there is to read.
        names: Choose those of them that fit the task, perhaps none; the task's own when None.

    Raises:
        UsageError: A metric does not exist, or the task's own ones do not fit it.
    """
    asked = task.metrics if names is None else names
    own = {scorer.name: scorer for scorer in task.scorers}
    chosen: dict[str, AnyMetric] = {}
    for name in asked:
        parts = [own[name]] if name in own else [get_metric(part) for part in ingredients(name)]
        if all(fits(part, task.kind) for part in parts):
            chosen.update({part.name: part for part in parts})
        elif names is None:
            fitting = [other for other, metric in all_metrics().items() if fits(metric, task.kind)]
            raise UsageError(
                f"task {task.name} is {task.kind}, which {name} cannot score; use {', '.join(fitting)}",
                field="metrics",
            )
    return tuple(chosen.values())


def ingredients(name: str) -> tuple[str, ...]:
    """The metrics that are computed for a name: the sums behind a ratio, else the metric itself."""
    return metric_info(name).ratio or (name,)


def with_partners(task: Task, metrics: Sequence[AnyMetric]) -> tuple[AnyMetric, ...]:
    """Add, to each discontinuous metric that stands alone, the first continuous partner that fits the task.

    So that the artifact check has both.
    """
    chosen = {metric.name: metric for metric in metrics}
    own: dict[str, AnyMetric] = {
        **METRICS,
        **GROUP_METRICS,
        **PAIR_METRICS,
    }  # none that runs code is continuous
    for metric in metrics:
        info = metric_info(metric.name)
        if info.kind == "continuous" or any(name in chosen for name in info.pairs):
            continue
        for name in info.pairs:
            if name in own and fits(own[name], task.kind):
                chosen[name] = own[name]
                break
    return tuple(chosen.values())


def fits(metric: AnyMetric, kind: Kind) -> bool:
    """Whether a task of this kind gives what a metric reads."""
    if isinstance(metric, GroupMetric):
        return kind in ("generation", "multiple_choice")  # whose responses have an output
    return set(metric.needs) <= set(_GIVEN[kind])


@cache
def _code_metrics() -> dict[str, AnyMetric]:
    """Those that run code that a model wrote; they stand with the sandbox."""
    if find_spec(_CODE) is None:
        return {}
    found: Any = getattr(import_module(_CODE), "CODE_METRICS", ())
    metrics = found.values() if isinstance(found, Mapping) else found
    return {metric.name: metric for metric in metrics}


@cache
def _declared() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=GROUP))


def _pick(point: EntryPoint, name: str) -> AnyMetric:
    loaded = list(_load(point))
    named = [metric for metric in loaded if metric.name == name]
    if not named:
        there = ", ".join(metric.name for metric in loaded) or "none"
        raise UsageError(
            f"{point.value} is declared as the metric {name!r} and gives {there}; give both the same name",
            field="metrics",
        )
    return named[0]


def _load(point: EntryPoint) -> Iterator[AnyMetric]:
    try:
        value = point.load()
    except Exception as error:  # code of another package: whatever goes wrong is the metric's
        raise UsageError(
            f"the metric {point.name!r} cannot be loaded from {point.value} ({type(error).__name__}: "
            f"{error}); mend or reinstall that package",
            field="metrics",
        ) from error
    several = value.values() if isinstance(value, Mapping) else value
    for metric in several if isinstance(value, Mapping | list | tuple) else (value,):
        if not isinstance(metric, Metric | GroupMetric | PairMetric):
            raise UsageError(
                f"{point.value} gives a {type(metric).__name__} for the metric {point.name!r} instead of "
                "a Metric, GroupMetric or PairMetric",
                field="metrics",
            )
        yield metric
