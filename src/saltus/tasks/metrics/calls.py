"""Tool calls against those expected in `extra["calls"]`: name, arguments, order, and calls where none belong.

The calls are read from `Response.tool_calls`. For models without tools of their own they are read from the
text: `<tool_call>{...}</tool_call>` blocks, or JSON with a name and arguments, also in a code fence.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics.base import Metric
from saltus.tasks.metrics.json_text import MISSING, parse_repaired, parse_strict

_TAGGED = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)


class Call(msgspec.Struct, frozen=True):
    """A call with its arguments read; they are None when they are no JSON object."""

    name: str
    arguments: Mapping[str, Any] | None


def tool_calls(sample: Sample, response: Response) -> float:
    """1 when exactly the expected calls were made, with their arguments, in order where `ordered` says so."""
    expected, made = _both(sample, response)
    if sample.extra.get("ordered"):
        return float(len(expected) == len(made) and all(map(_same, expected, made)))
    return float(len(expected) == len(made) and _matched(expected, made) == len(expected))


def tool_name(sample: Sample, response: Response) -> float:
    """1 when the tools called are the expected ones, each as often, whatever their order and arguments."""
    expected, made = _both(sample, response)
    return float(Counter(call.name for call in expected) == Counter(call.name for call in made))


def tool_arguments(sample: Sample, response: Response) -> float:
    """Share of the expected arguments that a call of the right tool gave with the right value.

    An expected call without arguments counts as one. No score where no call is expected.
    """
    expected, made = _both(sample, response)
    if not expected:
        return math.nan
    right = total = 0
    left = list(made)
    for call in expected:
        wanted = call.arguments or {}
        total += max(1, len(wanted))
        rivals = [other for other in left if other.name == call.name]
        if rivals:
            best = max(rivals, key=lambda other: _given(wanted, other))
            right += _given(wanted, best)
            left.remove(best)
    return right / total


def tool_order(sample: Sample, response: Response) -> float:
    """Share of the expected calls that were made in the expected order, other calls between them or not.

    No score where fewer than two calls are expected, or their order is free.
    """
    expected, made = _both(sample, response)
    if len(expected) < 2 or not sample.extra.get("ordered"):
        return math.nan
    common = _common([call.name for call in expected], [call.name for call in made])
    return common / len(expected)


def tool_irrelevance(sample: Sample, response: Response) -> float:
    """1 when no tool was called where none should be. No score where a call is expected."""
    expected, made = _both(sample, response)
    return math.nan if expected else float(not made)


def tool_f1(sample: Sample, response: Response) -> float:
    """Harmonic mean of precision and recall over what calls say: each tool named, each argument's value."""
    expected, made = _both(sample, response)
    wanted, said = _facts(expected), _facts(made)
    if not wanted and not said:
        return 1.0
    return 2 * (wanted & said).total() / (wanted.total() + said.total())


def calls_made(response: Response) -> tuple[Call, ...]:
    """The calls of a response: its own, or those that stand in its text.

    Examples:
        >>> said = Response(run="r", model="m", task="t", sample="s",
        ...     output='<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>')
        >>> calls_made(said)
        (Call(name='add', arguments={'a': 1}),)
    """
    if response.tool_calls:
        return tuple(Call(call.name, _arguments(call.arguments)) for call in response.tool_calls)
    tagged = _TAGGED.findall(response.output)
    found = []
    for text in tagged or [response.output]:
        value = parse_repaired(text)
        found += [call for one in (value if isinstance(value, list) else [value]) if (call := _call(one))]
    return tuple(found)


def _call(value: Any) -> Call | None:
    """A call written as JSON: {"name", "arguments"}, or as OpenAI nests it under "function"."""
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    given = next((value[key] for key in ("arguments", "parameters") if key in value), MISSING)
    return None if given is MISSING else Call(value["name"], _arguments(given))


def _arguments(given: Any) -> Mapping[str, Any] | None:
    if isinstance(given, str):
        given = parse_strict(given) if given.strip() else {}
    return given if isinstance(given, dict) else None


def _both(sample: Sample, response: Response) -> tuple[tuple[Call, ...], tuple[Call, ...]]:
    expected = tuple(Call(call["name"], call.get("arguments", {})) for call in sample.extra["calls"])
    return expected, calls_made(response)


def _same(one: Call, other: Call) -> bool:
    return one.name == other.name and one.arguments is not None and _equal(one.arguments, other.arguments)


def _equal(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are one number, and true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _matched(expected: Sequence[Call], made: Sequence[Call]) -> int:
    left = list(made)
    for call in expected:
        for i, other in enumerate(left):
            if _same(call, other):
                del left[i]
                break
    return len(made) - len(left)


def _given(wanted: Mapping[str, Any], call: Call) -> int:
    """How many arguments are right; of a call that needs none, 1 when it gives none."""
    given = call.arguments
    if given is None:
        return 0
    if not wanted:
        return int(not given)
    return sum(key in given and _equal(value, given[key]) for key, value in wanted.items())


def _facts(calls: Sequence[Call]) -> Counter[tuple[str, ...]]:
    encode = msgspec.json.Encoder(order="deterministic").encode
    facts: Counter[tuple[str, ...]] = Counter()
    for call in calls:
        facts[(call.name,)] += 1
        for key, value in (call.arguments or {}).items():
            number = float(value) if isinstance(value, int) and not isinstance(value, bool) else value
            facts[call.name, key, encode(number).decode()] += 1
    return facts


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for left in one:
        before = row
        row = [0]
        for j, right in enumerate(other, 1):
            row.append(before[j - 1] + 1 if left == right else max(before[j], row[j - 1]))
    return row[-1]


CALLS = (
    Metric("tool_calls", ("output",), tool_calls, extra=("calls",)),
    Metric("tool_name", ("output",), tool_name, extra=("calls",)),
    Metric("tool_arguments", ("output",), tool_arguments, extra=("calls",)),
    Metric("tool_order", ("output",), tool_order, extra=("calls",)),
    Metric("tool_irrelevance", ("output",), tool_irrelevance, extra=("calls",)),
    Metric("tool_f1", ("output",), tool_f1, extra=("calls",)),
)
