"""A task of lm-evaluation-harness as a Saltus task, and the harness's own figures from the answers to it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from saltus.records.evidence import Response, Sample
from saltus.records.ids import content_hash
from saltus.tasks.lm_eval.config import Config
from saltus.tasks.lm_eval.docs import Docs, Splits
from saltus.tasks.lm_eval.items import Items, located, look_at_first
from saltus.tasks.lm_eval.measures import Measure, measures_of
from saltus.tasks.lm_eval.templates import Texts
from saltus.tasks.metrics.base import GroupMetric, Metric, Pair
from saltus.tasks.suites.problems import Fault
from saltus.tasks.task import Kind, Task

_KINDS: dict[str, Kind] = {
    "multiple_choice": "multiple_choice",
    "loglikelihood": "loglikelihood",
    "loglikelihood_rolling": "perplexity",
    "generate_until": "generation",
}
# Metrics of Saltus that stand beside the harness's own: continuous ones of the same answers.
_BESIDE: dict[str, tuple[str, ...]] = {
    "multiple_choice": ("choice_grade", "brier", "target_logprob"),
    "loglikelihood": ("target_logprob", "target_nll"),
    "loglikelihood_rolling": ("target_logprob",),
    "generate_until": ("target_logprob",),
}
_BY_SAMPLE = {
    "bleu": "sentence_bleu",
    "chrf": "sentence_chrf",
    "chrf++": "sentence_chrf",
    "word_perplexity": "word_perplexity",
    "byte_perplexity": "byte_perplexity",
    "bits_per_byte": "bits_per_byte",
}


class LmEvalTask(Task, frozen=True, kw_only=True):
    """A task that was read from the harness's YAML.

    Attributes:
        measures: What its `metric_list` measures, for `harness_results`.
    """

    measures: tuple[Measure, ...] = ()


def make_task(config: Config) -> LmEvalTask:
    """Make a task.

    Raises:
        InputError: The data, a template or a metric is wrong.
        MissingExtraError: The package `datasets` is needed and not installed.
    """
    try:
        splits = Splits(config)
        docs = splits.items()
        look_at_first(config, docs)
        pool = splits.examples() if config.shots.count else None
    except Fault as fault:
        raise located(fault, config) from fault
    measures = measures_of(config, docs)
    scorers = tuple(_scorer(measure, config) for measure in measures if measure.single)
    beside = [_BY_SAMPLE[one.metric] for one in measures if not one.single and one.metric in _BY_SAMPLE]
    beside += [name for name in _BESIDE[config.output_type] if _can_score(name, config, docs)]
    generation = config.generation
    task = LmEvalTask(
        name=config.task,
        kind=_KINDS[config.output_type],
        items=tuple,
        metrics=tuple(dict.fromkeys([scorer.name for scorer in scorers] + beside)),
        scorers=scorers,
        description=f"{config.task} of lm-evaluation-harness",
        max_tokens=generation.max_tokens,
        stop=generation.until,
        temperature=generation.temperature,
        top_p=generation.top_p,
        epochs=config.repeats if config.output_type == "generate_until" else 1,
        config={
            "format": "lm-eval",
            "definition": content_hash([config.digest, config.shots.count]),
            "items": docs.digest,
            "examples": pool.digest if pool is not None else "",
        },
        measures=measures,
    )
    return msgspec.structs.replace(task, items=Items(config, docs, pool, task.version))


def harness_results(task: Task, pairs: Iterable[Pair]) -> dict[str, float]:
    """The figures that lm-evaluation-harness itself reports, from the answers to a task.

    Means of per-sample scores are among them, and what only exists for the whole corpus: perplexities, BLEU,
    F1, Matthews' correlation.

    Args:
        task: One that `read_lm_eval` gave.
        pairs: Each sample with a response to it; of repeats all, in the order of their epochs.

    Returns:
        By the harness's key, "METRIC,FILTER"; empty for other tasks.
    """
    if not isinstance(task, LmEvalTask):
        return {}
    answered: dict[str, tuple[Sample, list[Response]]] = {}
    for sample, response in pairs:
        answered.setdefault(sample.id, (sample, []))[1].append(response)
    found = {}
    for measure in task.measures if answered else ():
        values = [measure.value(sample, responses) for sample, responses in answered.values()]
        found[f"{measure.metric},{measure.filter}"] = float(measure.aggregate(values))
    return found


def _scorer(measure: Measure, config: Config) -> Metric | GroupMetric:
    """One metric a measure; with several filters its name goes on with the filter's, as in the harness."""
    name = measure.metric if len(config.filters) == 1 else f"{measure.metric},{measure.filter}"

    def over(sample: Sample, responses: Sequence[Response]) -> float:
        return _number(measure.value(sample, responses))

    if config.repeats > 1 and config.output_type == "generate_until":
        return GroupMetric(name, "epochs", over)
    return Metric(name, measure.needs, lambda sample, response: over(sample, (response,)))


def _number(value: Any) -> float:
    """A score; what is no number only counts in the aggregate."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _can_score(name: str, config: Config, docs: Docs) -> bool:
    """Whether each target has something whose log-probability can be asked."""
    if config.output_type != "generate_until" or config.texts["target_delimiter"]:
        return True
    texts = Texts(config.texts, docs.columns, has_choices=config.has_choices)
    try:
        return all(texts.target(doc) not in ("", [], None) for doc in docs)
    except Fault as fault:
        raise located(fault, config) from fault
