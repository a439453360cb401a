"""JSON in an answer: strictly as it stands, or found and mended (fences, prose around it, trailing commas).

The repairs are few and named, so that "valid after repair" means something: white space and prose around
the value, a code fence, trailing commas, comments, single quotes, Python's True, False and None, and
brackets left open at the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics.base import Metric

MISSING: Any = object()  # no JSON value; None is one

_FENCED = re.compile(r"```[\w-]*[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"'  # a string: nothing in it is mended
    r"|'(?:[^'\\]|\\.)*'"
    r"|//[^\n]*|/\*.*?\*/|\#[^\n]*"
    r"|,(?=\s*[\]}])"
    r"|\b(?:True|False|None)\b",
    re.DOTALL,
)
_PYTHON = {"True": "true", "False": "false", "None": "null"}
_CLOSING = {"{": "}", "[": "]"}
_MOST_STARTS = 64  # places at which a value is looked for in prose


def json_valid(sample: Sample, response: Response) -> float:
    """1 when the whole output is one JSON value (RFC 8259), white space around it aside."""
    return float(parse_strict(response.output) is not MISSING)


def json_repaired(sample: Sample, response: Response) -> float:
    """1 when a JSON object or array can be read from the output, if need be after the repairs named above."""
    return float(parse_repaired(response.output) is not MISSING)


def json_prefix(sample: Sample, response: Response) -> float:
    """Share of the output before the first fault in its JSON, in characters; 1 when it is valid."""
    text = response.output.strip()
    if not text:
        return 0.0
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return error.pos / len(text)
    except (ValueError, RecursionError):
        return 0.0
    return 1.0


def parse_strict(text: str) -> Any:
    """The JSON value that a text is, or `MISSING`.

    Examples:
        >>> parse_strict(' {"a": 1} '), parse_strict("NaN") is MISSING
        ({'a': 1}, True)
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return MISSING


def parse_repaired(text: str) -> Any:
    """The first JSON object or array in a text, mended where it must be, or `MISSING`.

    Examples:
        >>> parse_repaired("Sure! Here it is: {'a': [1, 2,], 'b': None} Anything else?")
        {'a': [1, 2], 'b': None}
    """
    for candidate in _candidates(text):
        for attempt in (candidate, mended(candidate)):
            value = parse_strict(attempt)
            if isinstance(value, dict | list):
                return value
    return MISSING


def mended(text: str) -> str:
    """One JSON-like value with its small faults mended; strings in double quotes stay as they are.

    Examples:
        >>> mended("{'a': True, // yes")
        '{"a": true}'
    """
    text = _TOKEN.sub(_mend_token, text).rstrip().rstrip(",")
    return text + "".join(reversed(_open_brackets(text)))


def _mend_token(match: re.Match[str]) -> str:
    token = match.group()
    match token[0]:
        case '"':
            return token
        case "'":
            return json.dumps(token[1:-1].replace("\\'", "'"), ensure_ascii=False)
        case "/" | "#" | ",":
            return ""
        case _:
            return _PYTHON[token]


def _candidates(text: str) -> Iterator[str]:
    """Where a value may stand: the whole text, in a fence, or from a bracket to the one that closes it."""
    yield text.strip()
    for fence in _FENCED.finditer(text):
        yield fence[1].strip()
    starts = [found.start() for found in re.finditer(r"[{\[]", text)][:_MOST_STARTS]
    end = -1
    for start in starts:
        if start < end:
            continue  # inside of what has been tried
        end = _end_of(text, start)
        yield text[start:end]


def _end_of(text: str, start: int) -> int:
    """Just behind the bracket that closes the one at `start`; the end of the text when none does."""
    depth = 0
    at = start
    while at < len(text):
        letter = text[at]
        if letter == '"':
            at = _end_of_string(text, at)
            continue
        depth += (letter in "{[") - (letter in "}]")
        at += 1
        if depth == 0:
            return at
    return len(text)


def _end_of_string(text: str, start: int) -> int:
    at = start + 1
    while at < len(text) and text[at] != '"':
        at += 1 + (text[at] == "\\")
    return at + 1


def _open_brackets(text: str) -> list[str]:
    """The closing brackets, innermost last, that a text lacks; none where it ends within a string."""
    stack: list[str] = []
    at = 0
    while at < len(text):
        letter = text[at]
        if letter == '"':
            at = _end_of_string(text, at)
            if at > len(text):
                return []
            continue
        if letter in _CLOSING:
            stack.append(_CLOSING[letter])
        elif stack and letter == stack[-1]:
            stack.pop()
        at += 1
    return stack


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


JSON_TEXT = (
    Metric("json_valid", ("output",), json_valid),
    Metric("json_repaired", ("output",), json_repaired),
    Metric("json_prefix", ("output",), json_prefix),
)
