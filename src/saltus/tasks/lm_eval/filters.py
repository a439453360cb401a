"""The filters of `filter_list`: what is done to the answers of one item before they are scored."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from saltus.tasks.lm_eval.config import Config, FilterStep, Pipeline
from saltus.tasks.lm_eval.templates import Doc
from saltus.tasks.suites.problems import did_you_mean

Filter = Callable[[Any, Doc], Any]
"""From the answers of an item, as the step before left them, and the item itself."""
_NUMBER = r"#### (\-?[0-9\.\,]+)"
_FALLBACK = "[invalid]"


def make_filter(pipeline: Pipeline, config: Config) -> Filter:
    """All steps of a filter, one after another.

    Raises:
        InputError: A step does not exist, or its arguments are wrong.
    """
    steps = [_step(step, config) for step in pipeline.steps]

    def run(answers: Any, doc: Doc) -> Any:
        for step in steps:
            answers = step(answers, doc)
        return answers

    return run


def needs_doc(pipeline: Pipeline) -> bool:
    """Whether a filter reads the item, not only the answer."""
    return any(
        step.made_by is not None or step.name in ("multi_choice_regex", "custom") for step in pipeline.steps
    )


def _step(step: FilterStep, config: Config) -> Filter:
    make = partial(_own, step.made_by) if step.made_by is not None else _FILTERS.get(step.name)
    if make is None:
        mend = did_you_mean(step.name, sorted(_FILTERS))
        raise config.definition.error(f"no filter is called {step.name!r}; {mend}", *step.place)
    try:
        return make(**step.options)
    except (TypeError, ValueError, re.error) as error:
        raise config.definition.error(
            f"the filter {step.name} cannot be made ({error}); mend its arguments", *step.place
        ) from error


def _each(change: Callable[[Any], Any]) -> Filter:
    return lambda answers, doc: [change(answer) for answer in answers]


def _regex(regex_pattern: str = _NUMBER, group_select: int = 0, fallback: str = _FALLBACK) -> Filter:
    pattern = re.compile(regex_pattern)

    def extract(answer: Any) -> str:
        found = pattern.findall(answer if isinstance(answer, str) else "")
        if not found:
            return fallback
        chosen = found[group_select]
        if isinstance(chosen, tuple):
            chosen = next((group for group in chosen if group), fallback)
        return str(chosen).strip()

    return _each(extract)


def _map(mapping_dict: Mapping[Any, Any] | None = None, default_value: Any = None) -> Filter:
    if mapping_dict is not None and not isinstance(mapping_dict, Mapping):
        raise TypeError("mapping_dict must be a mapping")
    mapping = mapping_dict or {}
    return _each(lambda answer: mapping.get(answer, default_value))


def _take_first() -> Filter:
    return lambda answers, doc: answers[0]


def _take_first_k(k: int) -> Filter:
    def take(answers: Any, doc: Doc) -> Any:
        if len(answers) < k:
            raise ValueError(f"take_first_k needs {k} answers and there are {len(answers)}; raise repeats")
        return answers[:k]

    return take


def _majority_vote() -> Filter:
    return lambda answers, doc: [Counter(answers).most_common(1)[0][0]]


def _custom(filter_fn: Callable[..., Any]) -> Filter:
    if not callable(filter_fn):
        raise TypeError("filter_fn must be a !function")
    return lambda answers, doc: next(iter(filter_fn([answers], [doc])))


def _own(made_by: Callable[..., Any], **options: Any) -> Filter:
    """A filter of the task's own: a class with `apply`, to which all answers to all items are given."""
    own = made_by(**options)
    return lambda answers, doc: next(iter(own.apply([answers], [doc])))


def _multi_choice_regex(
    regex_pattern: str = _NUMBER,
    group_select: int = 0,
    fallback: str = _FALLBACK,
    ignore_case: bool = False,
    ignore_punctuation: bool = False,
    regexes_to_ignore: Sequence[str] | None = None,
) -> Filter:
    """A letter in brackets: by the pattern, else by the words of a choice, else by a letter after a colon."""
    pattern = re.compile(regex_pattern)

    def plain(text: str) -> str:
        for ignored in regexes_to_ignore or ():
            text = re.sub(ignored, "", text)
        text = text.lower() if ignore_case else text
        return text.translate(_punctuation()) if ignore_punctuation else text

    def select(expression: re.Pattern[str], text: str, letters: Mapping[str, str]) -> str:
        found = expression.findall(text)
        if not found:
            return ""
        chosen = found[group_select]
        if isinstance(chosen, tuple):
            chosen = next((group for group in chosen if group), "")
        return letters.get(chosen.strip(), chosen.strip())

    def letter(answers: Any, doc: Doc) -> list[str]:
        names = [chr(ord("A") + number) for number in range(len(doc["choices"]))]
        by_words = {
            plain(choice.strip()): f"({name})" for name, choice in zip(names, doc["choices"], strict=True)
        }
        words = re.compile("|".join(re.escape(text) for text in _longest_first(by_words)))
        by_name = {name: f"({name})" for name in names}
        after_colon = re.compile(rf":[\s]*({'|'.join(names)})")
        return [
            select(pattern, text, {})
            or select(words, plain(text), by_words)
            or select(after_colon, text, by_name)
            or fallback
            for text in (answer if isinstance(answer, str) else "" for answer in answers)
        ]

    return letter


def _longest_first(texts: Mapping[str, str]) -> list[str]:
    """So that a choice which begins another one does not hide it."""
    return sorted(texts, key=lambda text: len(re.escape(text)), reverse=True)


@cache
def _punctuation() -> dict[int, None]:
    return dict.fromkeys(
        code for code in range(sys.maxunicode) if unicodedata.category(chr(code)).startswith("P")
    )


_FILTERS: dict[str, Callable[..., Filter]] = {
    "regex": _regex,
    "remove_whitespace": lambda: _each(lambda answer: answer.strip()),
    "lowercase": lambda: _each(lambda answer: answer.lower()),
    "uppercase": lambda: _each(lambda answer: answer.upper()),
    "map": _map,
    "take_first": _take_first,
    "take_first_k": _take_first_k,
    "majority_vote": _majority_vote,
    "multi_choice_regex": _multi_choice_regex,
    "custom": _custom,
}
