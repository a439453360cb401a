"""What `metric_list` measures: each metric under each filter, for one item and for all of them together."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from saltus.records.evidence import Response, Sample
from saltus.tasks.lm_eval.aggregation import AGGREGATIONS, Aggregate
from saltus.tasks.lm_eval.config import Config, MetricEntry, Pipeline
from saltus.tasks.lm_eval.docs import Docs
from saltus.tasks.lm_eval.filters import make_filter, needs_doc
from saltus.tasks.lm_eval.known import DEFAULTS, GENERATED, LIKELIHOOD, Value, exact_match
from saltus.tasks.metrics.base import Need
from saltus.tasks.suites.problems import did_you_mean

_NO_EFFECT = "bypass"


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One metric under one filter.

    Attributes:
        metric: Its name in the harness.
        filter: The name of the filter, "none" where the task has none.
        needs: What of a response it reads.
        value: Of one item.
        single: Whether that is a score by itself; else it only counts in the aggregate.
        aggregate: From the values of all items to the figure that is reported.
        higher_is_better: Direction of progress.
    """

    metric: str
    filter: str
    needs: tuple[Need, ...]
    value: Value
    single: bool
    aggregate: Aggregate
    higher_is_better: bool


def measures_of(config: Config, docs: Docs) -> tuple[Measure, ...]:
    """The measures of a task, in the order of its metrics and filters.

    Raises:
        InputError: A metric or an aggregation does not exist, or does not fit the task.
    """
    entries = config.metrics or tuple(MetricEntry(name=name) for name in DEFAULTS[config.output_type])
    found = []
    for entry in entries:
        if entry.name == _NO_EFFECT:
            continue
        if config.process_results is not None:
            found += [_processed(entry, pipeline, config, docs) for pipeline in config.filters]
        elif config.output_type == "generate_until":
            found += [_generated(entry, pipeline, config, docs) for pipeline in config.filters]
        else:
            found += [_scored(entry, pipeline, config) for pipeline in config.filters]
    return tuple(found)


def _scored(entry: MetricEntry, pipeline: Pipeline, config: Config) -> Measure:
    known = LIKELIHOOD[config.output_type].get(entry.name)
    if known is None or entry.function is not None:
        raise config.definition.error(
            f"{config.output_type} has no metric {entry.name!r} here; "
            f"{did_you_mean(entry.name, sorted(LIKELIHOOD[config.output_type]))}",
            *entry.place,
        )
    if [step.name for step in pipeline.steps] != ["take_first"]:
        raise config.definition.error(
            f"the filter {pipeline.name} would change log-probabilities; give it only take_first",
            "filter_list",
        )
    assert known.value is not None  # noqa: S101 - of the metrics of these types all have one
    return Measure(
        metric=entry.name,
        filter=pipeline.name,
        needs=known.needs,
        value=known.value(config.texts["target_delimiter"]),
        single=known.single,
        aggregate=_aggregate(entry, known.aggregation, config),
        higher_is_better=_direction(entry, known.higher_is_better),
    )


def _generated(entry: MetricEntry, pipeline: Pipeline, config: Config, docs: Docs) -> Measure:
    known = GENERATED.get(entry.name)
    if known is None and entry.function is None:
        raise config.definition.error(
            f"generate_until has no metric {entry.name!r} here; "
            f"{did_you_mean(entry.name, sorted(GENERATED))}",
            *entry.place,
        )
    answer = _filtered(pipeline, config, docs)
    delimiter = config.texts["target_delimiter"]
    if entry.function is not None:
        compare = _from_function(entry)
    elif entry.name == "exact_match":
        compare = _exact(entry, config)
    else:
        compare = None

    def value(sample: Sample, responses: Sequence[Response]) -> Any:
        said = answer(sample, responses)
        several = sample.extra.get("references")
        gold = sample.target.removeprefix(delimiter) if several is None else list(several)
        if compare is None:
            return (gold, said)
        if several is not None:
            return 1.0 if any(compare(said, one) for one in gold) else 0.0
        return compare(said, gold if isinstance(said, str | list) else type(said)(gold))

    return Measure(
        metric=entry.name,
        filter=pipeline.name,
        needs=("output",),
        value=value,
        single=compare is not None,
        aggregate=_aggregate(entry, known.aggregation if known else "mean", config),
        higher_is_better=_direction(entry, known.higher_is_better if known else True),
    )


def _exact(entry: MetricEntry, config: Config) -> Callable[[Any, Any], float]:
    try:
        exact_match("", "", **entry.options)
    except (TypeError, re.error) as error:
        raise config.definition.error(
            f"exact_match cannot take these options ({error}); mend them", *entry.place
        ) from error

    def compare(said: Any, gold: Any) -> float:
        if isinstance(said, list):
            return float(np.mean([compare(one, gold) for one in said]))
        if isinstance(said, str):
            return float(exact_match(said, gold, **entry.options))
        return float(said == gold)

    return compare


def _from_function(entry: MetricEntry) -> Callable[[Any, Any], Any]:
    def compare(said: Any, gold: Any) -> Any:
        assert entry.function is not None  # noqa: S101 - the caller looked
        try:
            found = entry.function(references=[gold], predictions=[said], **entry.options)
        except TypeError:  # the harness's other way of calling: what it returns is only aggregated
            found = entry.function([gold, said])
        return found[entry.name] if isinstance(found, Mapping) else found

    return compare


def _processed(entry: MetricEntry, pipeline: Pipeline, config: Config, docs: Docs) -> Measure:
    process = config.process_results
    if config.output_type == "multiple_choice":
        raise config.definition.error(
            "process_results of a multiple_choice task wants to know of each choice whether it was greedy, "
            "which is not kept; run this task with lm-evaluation-harness",
            "process_results",
        )
    answer = _filtered(pipeline, config, docs) if config.output_type == "generate_until" else _likelihood

    def value(sample: Sample, responses: Sequence[Response]) -> Any:
        assert process is not None  # noqa: S101 - the caller looked
        found = process(docs[int(sample.id)], [answer(sample, responses)])
        return found.get(entry.name, math.nan)

    known = GENERATED.get(entry.name) or LIKELIHOOD.get(config.output_type, {}).get(entry.name)
    generated = config.output_type == "generate_until"
    return Measure(
        metric=entry.name,
        filter=pipeline.name,
        needs=("output",) if generated else ("target_logprobs",),
        value=value,
        single=True,
        aggregate=_aggregate(entry, known.aggregation if known else "mean", config),
        higher_is_better=_direction(entry, known.higher_is_better if known else True),
    )


def _filtered(pipeline: Pipeline, config: Config, docs: Docs) -> Callable[[Sample, Sequence[Response]], Any]:
    run = make_filter(pipeline, config)
    reads_doc = needs_doc(pipeline)

    def answer(sample: Sample, responses: Sequence[Response]) -> Any:
        doc = docs[int(sample.id)] if reads_doc else {}
        return run([response.output for response in responses], doc)

    return answer


def _likelihood(sample: Sample, responses: Sequence[Response]) -> Any:
    total = math.fsum(responses[0].logprobs)
    return total if not sample.input and not sample.choices else (total, all(responses[0].greedy))


def _aggregate(entry: MetricEntry, default: str, config: Config) -> Aggregate:
    if entry.aggregation is None:
        return AGGREGATIONS[default]
    if callable(entry.aggregation):
        return entry.aggregation
    found = AGGREGATIONS.get(entry.aggregation)
    if found is None:
        raise config.definition.error(
            f"no aggregation is called {entry.aggregation!r}; "
            f"{did_you_mean(str(entry.aggregation), AGGREGATIONS)}",
            *entry.place,
        )
    return found


def _direction(entry: MetricEntry, default: bool) -> bool:
    return default if entry.higher_is_better is None else bool(entry.higher_is_better)
