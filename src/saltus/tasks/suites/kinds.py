"""The kinds a suite file can name: each is a way of asking with the settings that go with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from saltus.tasks.suites.schema import KindName
from saltus.tasks.task import Kind


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind stands for.

    Attributes:
        name: As a suite file gives it.
        asks: How the model is asked.
        metrics: Those it is scored by where a task names none; what fits, the headline first.
        needs: Keys that every item must have, its own or the task's.
        prompt: Template where a task has none.
        max_tokens: Of an answer, where a task does not say.
        stop: What ends an answer, where a task does not say.
    """

    name: KindName
    asks: Kind
    metrics: tuple[str, ...]
    needs: tuple[str, ...] = ()
    prompt: str = "{input}"
    max_tokens: int = 64
    stop: tuple[str, ...] = ()


_TEXT = ("exact_match", "target_logprob", "token_accuracy", "token_edit_distance")
_FREE_TEXT = ("quasi_exact_match", "f1", "target_logprob")
_TOOLS = ("tool_calls", "tool_f1", "tool_name", "tool_arguments", "tool_order", "tool_irrelevance")
_READ_TARGET = frozenset((*_TEXT, *_FREE_TEXT))
_LINE = ("\n",)
_WITH_DOCUMENTS = (
    "{% for document in documents | default([]) %}"
    "[{{ document.id }}] {% if document.title is defined %}{{ document.title }}: {% endif %}"
    "{{ document.text }}\n\n"
    "{% endfor %}{{ input }}"
)

PRESETS: dict[KindName, Preset] = {
    preset.name: preset
    for preset in (
        Preset(name="generation", asks="generation", metrics=_TEXT, stop=_LINE),
        Preset(
            name="multiple_choice",
            asks="multiple_choice",
            metrics=("choice_correct", "choice_grade", "brier", "target_logprob"),
            needs=("choices",),
        ),
        Preset(
            name="loglikelihood",
            asks="loglikelihood",
            metrics=("greedy_match", "target_logprob", "token_accuracy"),
        ),
        Preset(name="perplexity", asks="perplexity", metrics=("target_logprob",)),
        Preset(name="tool_call", asks="generation", metrics=_TOOLS, needs=("tools", "calls"), max_tokens=256),
        Preset(
            name="structured",
            asks="generation",
            metrics=("schema_valid", "schema_share", "schema_repaired"),
            needs=("schema",),
            max_tokens=512,
        ),
        Preset(name="multi_turn", asks="generation", metrics=_FREE_TEXT, needs=("turns",), max_tokens=256),
        Preset(name="long_context", asks="generation", metrics=_TEXT, prompt=_WITH_DOCUMENTS, stop=_LINE),
        Preset(
            name="grounded",
            asks="generation",
            metrics=_FREE_TEXT,
            needs=("documents",),
            prompt=_WITH_DOCUMENTS,
            max_tokens=256,
        ),
        Preset(name="code", asks="generation", metrics=(), needs=("tests",), max_tokens=512),
    )
}
_TELLING: tuple[tuple[str, KindName], ...] = (
    ("choices", "multiple_choice"),
    ("tools", "tool_call"),
    ("tests", "code"),
    ("turns", "multi_turn"),
    ("schema", "structured"),
    ("documents", "grounded"),
)
# An item with one of these can be scored without a target.
SCORES_WITHOUT_TARGET = frozenset(
    ("calls", "schema", "tests", "constraints", "refusal", "answerable", "references")
)


def kind_of(item: Mapping[str, Any]) -> KindName:
    """The kind that an item shows by the keys it has."""
    return next((kind for key, kind in _TELLING if item.get(key)), "generation")


def default_metrics(preset: Preset, item: Mapping[str, Any]) -> tuple[str, ...]:
    """The metrics of a task that names none: those of its kind, then those that its items call for."""
    from saltus.tasks.metrics import all_metrics, fits

    known = all_metrics()
    answered = preset.asks != "generation" or item.get("target") not in (None, "")
    usual = [name for name in preset.metrics if name in known and (answered or name not in _READ_TARGET)]
    special = [
        metric.name
        for metric in known.values()
        if metric.extra
        and fits(metric, preset.asks)
        and all(item.get(key) is not None for key in metric.extra)
    ]
    return tuple(dict.fromkeys([*usual, *special])) or ("exact_match",)
