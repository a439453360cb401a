"""One task of lm-evaluation-harness with defaults filled in and functions loaded; `reading` makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from saltus.tasks.lm_eval.definition import Definition

OutputType = Literal["multiple_choice", "loglikelihood", "loglikelihood_rolling", "generate_until"]
OUTPUT_TYPES: tuple[OutputType, ...] = (
    "multiple_choice",
    "loglikelihood",
    "loglikelihood_rolling",
    "generate_until",
)


class Shots(msgspec.Struct, frozen=True, kw_only=True):
    """How the examples before an item are chosen and written.

    Attributes:
        count: How many.
        sampler: "default" draws, "first_n" takes the first.
        split: Where they come from, None for the harness's rule.
        samples: The examples themselves, or what gives them.
        process_docs: Changes the split.
        texts: The doc_to_text and so on of the examples.
    """

    count: int
    sampler: str
    split: str | None
    samples: Any
    process_docs: Callable[..., Any] | None
    texts: Mapping[str, Any]


class MetricEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `metric_list`."""

    name: str
    function: Callable[..., Any] | None = None
    aggregation: str | Callable[..., Any] | None = None
    higher_is_better: bool | None = None
    options: Mapping[str, Any] = {}
    place: tuple[str | int, ...] = ("metric_list",)


class FilterStep(msgspec.Struct, frozen=True):
    """One step of a filter: its function and arguments.

    Attributes:
        made_by: The class of a filter of the task's own, None for those that have a name.
    """

    name: str
    options: Mapping[str, Any] = {}
    place: tuple[str | int, ...] = ("filter_list",)
    made_by: Callable[..., Any] | None = None


class Pipeline(msgspec.Struct, frozen=True):
    """A named filter."""

    name: str
    steps: tuple[FilterStep, ...]


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer is generated."""

    until: tuple[str, ...]
    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One task; the fields have the harness's names."""

    task: str
    output_type: OutputType
    definition: Definition
    dataset_path: str | None
    dataset_name: str | None
    dataset_kwargs: Mapping[str, Any]
    custom_dataset: Callable[..., Any] | None
    training_split: str | None
    validation_split: str | None
    test_split: str | None
    process_docs: Callable[..., Any] | None
    process_results: Callable[..., Any] | None
    texts: Mapping[str, Any]
    shots: Shots
    metrics: tuple[MetricEntry, ...] | None
    filters: tuple[Pipeline, ...]
    generation: Generation
    repeats: int
    digest: Mapping[str, Any]

    @property
    def has_choices(self) -> bool:
        """Whether `doc_to_choice` is given."""
        return self.texts["doc_to_choice"] is not None
