"""What must hold of a sample before a model is asked: a target, and extras of the right shape."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from saltus.records.errors import InputError
from saltus.records.evidence import Sample
from saltus.tasks.suites.kinds import SCORES_WITHOUT_TARGET, Preset
from saltus.tasks.suites.problems import Fault, did_you_mean, shown

_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def check_sample(sample: Sample, preset: Preset | None = None) -> Iterator[Fault]:
    """Every fault of one sample.

    Args:
        sample: What a model would be asked.
        preset: The kind of its task, where it has one: what its items need.
    """
    extra = sample.extra
    if not sample.target and not SCORES_WITHOUT_TARGET.intersection(extra):
        yield Fault("target is missing or empty; write the right answer", "target")
    if not sample.input and preset is not None and preset.asks != "perplexity":
        yield Fault("input is empty; write what is asked", "input")
    if preset is not None:
        for key in preset.needs:
            if key not in extra and key != "choices":
                yield Fault(f"{key} is missing, and items of kind {preset.name} need it; add it", key)
    if extra:
        yield from check_extra(extra)


def check_extra(extra: Mapping[str, Any]) -> Iterator[Fault]:
    """Every fault of what else an item has; keys that Saltus does not know are left alone."""
    for key, check in _CHECKS.items():
        if key in extra:
            try:
                yield from check(extra[key], extra)
            except (
                TypeError,
                AttributeError,
                KeyError,
                ValueError,
            ) as error:  # a shape that no check foresaw
                yield Fault(f"{key} is {shown(extra[key])}, see docs/tasks.md for its shape ({error})", key)


def _tools(tools: Any, extra: Mapping[str, Any]) -> Iterator[Fault]:
    yield from (Fault(*fault) for fault in _tool_faults(msgspec.json.encode(tools)))


@lru_cache(maxsize=256)
def _tool_faults(text: bytes) -> tuple[tuple[str, str], ...]:
    """Faults of a list of tools; cached, because the items of a task mostly share theirs."""
    found: list[tuple[str, str]] = []
    names: list[str] = []
    tools = msgspec.json.decode(text)
    if not isinstance(tools, list):
        return ((f"tools is {shown(tools)}, a list of tool definitions was expected", "tools"),)
    for number, tool in enumerate(tools):
        place = f"tools[{number}]"
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict):
            found.append(
                (
                    f'{place} is {shown(tool)}, expected {{"type": "function", "function": ...}}; mend it',
                    place,
                )
            )
            continue
        name = function.get("name")
        if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
            found.append(
                (
                    f"{place}.function.name is {shown(name)}, expected at most 64 letters, digits, ., _ or -",
                    f"{place}.function.name",
                )
            )
        elif name in names:
            found.append((f"two tools are called {name!r}; rename one", f"{place}.function.name"))
        names.append(str(name))
        parameters = function.get("parameters", {})
        reason = _schema_fault(msgspec.json.encode(parameters))
        if reason:
            found.append(
                (
                    f"{place}.function.parameters is no JSON schema ({reason}); mend it",
                    f"{place}.function.parameters",
                )
            )
    return tuple(found)


def _schema(schema: Any, extra: Mapping[str, Any]) -> Iterator[Fault]:
    reason = _schema_fault(msgspec.json.encode(schema))
    if reason:
        yield Fault(f"schema is no JSON schema ({reason}); mend it", "schema")


@lru_cache(maxsize=256)
def _schema_fault(text: bytes) -> str:
    """What is wrong with a JSON schema; empty when nothing is."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    schema = msgspec.json.decode(text)
    if not isinstance(schema, dict):
        return f"it is {shown(schema)}, a mapping was expected"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path))
        return f"{where + ': ' if where else ''}{' '.join(error.message.split())[:160]}"
    return ""


def _calls(calls: Any, extra: Mapping[str, Any]) -> Iterator[Fault]:
    tools = {
        tool["function"]["name"]: tool["function"].get("parameters", {})
        for tool in extra.get("tools", [])
        if isinstance(tool, dict) and isinstance(tool.get("function"), dict) and "name" in tool["function"]
    }
    for number, call in enumerate(calls):
        place = f"calls[{number}]"
        if set(call) != {"name", "arguments"} or not isinstance(call["arguments"], dict):
            yield Fault(
                f"{place} is {shown(call)}, a mapping with name and arguments was expected; write it so",
                place,
            )
        elif "tools" not in extra:
            continue  # they stand in the prompt, where nothing can be looked up
        elif call["name"] not in tools:
            yield Fault(
                f"{place}.name is {call['name']!r}, which is no tool of this item; "
                f"{did_you_mean(str(call['name']), tools)}",
                f"{place}.name",
            )
        else:
            reason = _argument_fault(
                msgspec.json.encode(tools[call["name"]]), msgspec.json.encode(call["arguments"])
            )
            if reason:
                yield Fault(
                    f"{place}.arguments do not fit the tool {call['name']} ({reason}); mend them",
                    f"{place}.arguments",
                )


@lru_cache(maxsize=1024)
def _argument_fault(schema: bytes, arguments: bytes) -> str:
    if not isinstance(msgspec.json.decode(schema), dict) or _schema_fault(schema):
        return ""  # that is the tool's fault, and said there
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from jsonschema_specifications import REGISTRY

    validator = Draft202012Validator(msgspec.json.decode(schema), registry=REGISTRY)  # which fetches nothing
    try:
        error = best_match(validator.iter_errors(msgspec.json.decode(arguments)))
    except Exception as failure:  # noqa: BLE001 - a reference that leads nowhere has many names
        return f"the tool's schema cannot be followed, {type(failure).__name__}"
    return " ".join(str(error.message).split())[:160] if error is not None else ""


def _turns(turns: Any, extra: Mapping[str, Any]) -> Iterator[Fault]:
    for number, turn in enumerate(turns):
        if not isinstance(turn, str) or not turn.strip():
            place = f"turns[{number}]"
            yield Fault(f"{place} is {shown(turn)}, what the user says next was expected; write it", place)


def _constraints(constraints: Any, extra: Mapping[str, Any]) -> Iterator[Fault]:
    from saltus.tasks.metrics import CONSTRAINTS, check_constraint

    for number, constraint in enumerate(constraints):
        place = f"constraints[{number}]"
        kind = constraint.get("kind") if isinstance(constraint, dict) else None
        if not isinstance(kind, str) or not kind:
            yield Fault(
                f"{place} is {shown(constraint)}, a mapping with a kind was expected; write it so", place
            )
        elif kind not in CONSTRAINTS:
            yield Fault(
                f"{place}.kind is {kind!r}, which is no kind of constraint; "
                f"{did_you_mean(kind, CONSTRAINTS)}",
                f"{place}.kind",
            )
        else:
            try:
                check_constraint(constraint)
            except InputError as error:
                yield Fault(f"{place}: {error.message}", place)


def _tests(tests: Any, extra: Mapping[str, Any]) -> Iterator[Fault]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(tests)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f" in line {line} of it" if line else ""
        yield Fault(f"tests is no Python ({getattr(error, 'msg', error)}{where}); mend it", "tests")


def _entry_point(name: Any, extra: Mapping[str, Any]) -> Iterator[Fault]:
    if not isinstance(name, str) or not name.isidentifier():
        yield Fault(
            f"entry_point is {shown(name)}, the name of a function was expected; mend it", "entry_point"
        )


def _documents(documents: Any, extra: Mapping[str, Any]) -> Iterator[Fault]:
    ids: list[str] = []
    for number, document in enumerate(documents):
        place = f"documents[{number}]"
        if not isinstance(document, dict) or not isinstance(document.get("text"), str):
            yield Fault(
                f"{place} is {shown(document)}, a mapping with id and text was expected; write it so", place
            )
        elif document.get("id") in (None, ""):
            yield Fault(f"{place} has no id, by which evidence names it; add one", f"{place}.id")
        elif str(document["id"]) in ids:
            yield Fault(f"two documents have the id {document['id']!r}; give each its own", f"{place}.id")
        ids.append(str(document.get("id")) if isinstance(document, dict) else "")


def _evidence(evidence: Sequence[Any], extra: Mapping[str, Any]) -> Iterator[Fault]:
    ids = [str(document["id"]) for document in extra.get("documents", []) if "id" in document]
    for name in evidence:
        if str(name) not in ids:
            yield Fault(
                f"evidence names the document {name!r}, which this item has not; "
                f"{did_you_mean(str(name), ids)}",
                "evidence",
            )


_CHECKS = {
    "tools": _tools,
    "schema": _schema,
    "calls": _calls,
    "turns": _turns,
    "constraints": _constraints,
    "tests": _tests,
    "entry_point": _entry_point,
    "documents": _documents,
    "evidence": _evidence,
}
