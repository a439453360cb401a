"""What an item marks for `saltus explain`: where its answer stands, and prompts with another answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from saltus.tasks.suites.problems import Fault, shown


def marked_sources(sources: Sequence[Any], question: str, before: int) -> list[list[int]]:
    """Ranges of characters of the whole prompt.

    Args:
        sources: Each a range `[start, end]` of the question, a text that occurs in it once, or a mapping with
            `text` and `occurrence`, counted from 1.
        question: The prompt without what stands before it.
        before: Characters before it: the solved examples.

    Raises:
        Fault: One is none of these, or is not in the question.
    """
    found = []
    for number, source in enumerate(sources):
        start, end = _range(source, question, f"sources[{number}]")
        found.append([before + start, before + end])
    return found


def counterfactuals(
    given: Mapping[str, Any],
    prompt: str,
    target: str,
    delimiter: str,
    ask: Callable[[Mapping[str, Any]], str],
) -> dict[str, dict[str, str]]:
    """Prompts and their answers, by name, as a model would be asked.

    Args:
        given: By name `input` and `target`; other keys fill in the template.
        prompt: Of the item itself.
        target: Of the item itself.
        delimiter: Put before each target.
        ask: The prompt of an item with some of its keys changed.

    Raises:
        Fault: One has another shape, or asks or answers the same as the item.
    """
    found = {}
    for name, changes in given.items():
        place = f"counterfactuals.{name}"
        if not isinstance(changes, Mapping) or not isinstance(changes.get("target"), str | int):
            raise Fault(
                f"{place} is {shown(changes)}, a mapping with input and target was expected; write it so",
                place,
            )
        other = {"input": ask(changes), "target": delimiter + str(changes["target"])}
        if other["input"] == prompt:
            raise Fault(f"{place} asks the same as the item; change its input", f"{place}.input")
        if other["target"] == target:
            raise Fault(
                f"{place} has the same target as the item, {target!r}; change what changes the answer",
                f"{place}.target",
            )
        found[name] = other
    return found


def _range(source: Any, question: str, place: str) -> tuple[int, int]:
    occurrence = 0
    match source:
        case [int(start), int(end)] if not isinstance(start, bool) and not isinstance(end, bool):
            if 0 <= start < end <= len(question):
                return start, end
            raise Fault(
                f"{place} is [{start}, {end}], which is no range of the prompt's {len(question)} characters; "
                "mend it, or mark the text itself",
                place,
            )
        case str(text) if text:
            pass
        case {"text": str(text), "occurrence": int(occurrence), **rest} if (
            text and occurrence > 0 and not rest
        ):
            pass
        case _:
            raise Fault(
                f"{place} is {shown(source)}, a text of the prompt, a range [start, end] or a mapping with "
                "text and occurrence was expected; write it so",
                place,
            )
    starts = [i for i in range(len(question)) if question.startswith(text, i)]
    if not starts:
        raise Fault(f"{place} is {text!r}, which is not in the prompt; mark text that is", place)
    if occurrence > len(starts):
        raise Fault(
            f"{place} wants occurrence {occurrence} of {text!r}, which is in the prompt "
            f"{_times(len(starts))}; mend the number",
            place,
        )
    if not occurrence and len(starts) > 1:
        raise Fault(
            f"{place} is {text!r}, which is in the prompt {_times(len(starts))}; say which one it is, such "
            f"as {{text: {text!r}, occurrence: {len(starts)}}}",
            place,
        )
    start = starts[max(occurrence, 1) - 1]
    return start, start + len(text)


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"
