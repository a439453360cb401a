"""From responses to score rows: which metrics apply to which response, and metrics over groups and pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from saltus.records.evidence import Response, Sample, Score
from saltus.tasks.metrics.base import AnyMetric, GroupMetric, Metric, Need, Pair, PairMetric
from saltus.tasks.task import Task


def score_responses(
    task: Task | None, metrics: Sequence[AnyMetric], pairs: Sequence[Pair]
) -> Iterator[Score]:
    """Score responses one by one; group and pair metrics among `metrics` are passed over.

    A sample that lacks the `extra` that a metric reads, and a response for which the metric has no score
    (NaN), give no row.

    Args:
        task: The metrics were chosen for its kind; None to look at each response for what it holds.
        metrics: What to score by.
        pairs: Samples with the responses to them, in the order in which the scores come.

    Yields:
        Score rows: all of the metrics without a batch, response by response; then those of each batch.
    """
    single = [metric for metric in metrics if isinstance(metric, Metric)]
    for sample, response in pairs:
        for metric in single:
            if metric.batch is None and applies(task, metric, sample, response):
                yield from _row(metric.name, metric.compute(sample, response), response)
    for metric in single:
        if metric.batch is not None:
            chosen = [pair for pair in pairs if applies(task, metric, *pair)]
            values = metric.batch(chosen) if chosen else []
            for (_, response), value in zip(chosen, values, strict=True):
                yield from _row(metric.name, value, response)


def score_groups(
    metrics: Sequence[AnyMetric],
    groups: Iterable[tuple[Sample, Sequence[Response]]],
    over: Literal["epochs", "variants"],
) -> Iterator[Score]:
    """Score groups of responses to one sample by those metrics that look over epochs, or over variants.

    Args:
        metrics: What to score by; others than `GroupMetric` over `over` are passed over.
        groups: A sample with its epochs in order, or with its variants, the plain one first.
        over: What the groups hold.
    """
    chosen = [metric for metric in metrics if isinstance(metric, GroupMetric) and metric.over == over]
    for sample, responses in groups:
        for metric in chosen:
            if responses and all(key in sample.extra for key in metric.extra):
                value = metric.compute(sample, responses)
                variant = "*" if over == "variants" else responses[0].variant
                epoch = responses[0].epoch if over == "variants" else 0
                yield from _row(metric.name, value, responses[0], variant, epoch)


def score_pairs(metrics: Sequence[AnyMetric], couples: Iterable[tuple[Pair, Pair]]) -> Iterator[Score]:
    """Score the responses to two samples that belong together; the row stands at the first one.

    Args:
        metrics: What to score by; others than `PairMetric` are passed over.
        couples: The two, that whose sample id comes first in front.
    """
    chosen = [metric for metric in metrics if isinstance(metric, PairMetric)]
    for one, other in couples:
        for metric in chosen:
            there = all(key in sample.extra for sample, _ in (one, other) for key in metric.extra)
            if there and all(set(metric.needs) <= given(response) for _, response in (one, other)):
                yield from _row(metric.name, metric.compute(one, other), one[1])


def couple(pairs: Iterable[Pair]) -> Iterator[tuple[Pair, Pair]]:
    """Bring the responses to samples and to their partners together, by model, variant and epoch.

    What waits for its partner is held in memory, so give a task at a time.
    """
    waiting: dict[tuple[str, str, str, int], Pair] = {}
    for sample, response in pairs:
        partner = sample.extra.get("pair")
        if not isinstance(partner, str):
            continue
        where = (response.model, response.variant, response.epoch)
        found = waiting.pop((partner, *where), None)
        if found is None:
            waiting[sample.id, *where] = (sample, response)
            continue
        one, other = sorted(((sample, response), found), key=lambda pair: pair[0].id)
        yield one, other


def given(response: Response) -> set[Need]:
    """What a stored response holds for metrics to read.

    The output of a multiple-choice response is its likeliest choice, not text that a model wrote, unless it
    was asked for a letter.
    """
    found: set[Need] = set()
    if response.logprobs:
        found.add("target_logprobs")
    if response.choice_logprobs:
        found.add("choice_logprobs")
    elif response.finish or response.output or response.tool_calls:
        found.add("output")
    return found


def applies(task: Task | None, metric: Metric, sample: Sample, response: Response) -> bool:
    """Whether a metric can score a response."""
    if any(key not in sample.extra for key in metric.extra):
        return False
    if task is None:
        return set(metric.needs) <= given(response)
    return bool(response.logprobs) or "target_logprobs" not in metric.needs


def _row(
    metric: str, value: float, response: Response, variant: str | None = None, epoch: int | None = None
) -> Iterator[Score]:
    if not math.isnan(value):
        yield Score(
            run=response.run,
            model=response.model,
            task=response.task,
            sample=response.sample,
            metric=metric,
            value=float(value),
            variant=response.variant if variant is None else variant,
            epoch=response.epoch if epoch is None else epoch,
        )
