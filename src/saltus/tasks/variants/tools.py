"""Variants of the tools that an item offers: schemas that are nearly, and not quite, the usual ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from saltus.tasks.variants.draw import Draw
from saltus.tasks.variants.item import Call, Item, Parameter, VariantInfo

_NUMERIC = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "default")
_SUFFIXES = ("value", "field", "input")
_CONFUSABLE = ("{}_v2", "{}_legacy", "{}_batch", "quick_{}", "{}_async")


def tools(item: Item, call: Call) -> Item | None:
    """Change one schema, and the expected calls with it."""
    given = item.sample.extra.get("tools")
    calls = item.sample.extra.get("calls")
    if not given or calls is None:
        return None
    change, draw = str(call.options["change"]), call.draw
    if change == "extra":
        return item.with_extra(tools=_with_double(given, draw))
    places = [
        (i, name)
        for i, tool in enumerate(given)
        for name in _properties(tool)
        if change != "drop" or _may_go(tool, name, calls)
        if change != "retype" or _properties(tool)[name].get("type") in ("integer", "number", "boolean")
        if not _spoken_of(item, name)
    ]
    if not places or not _agrees(item.sample.target, calls):
        return None
    given_in = {(str(one["name"]), name) for one in calls for name in one.get("arguments") or {}}
    used = [(i, name) for i, name in places if (given[i].get("function", given[i])["name"], name) in given_in]
    number, name = draw.one(used or places)
    return _changed(item, change, number, name)


def _changed(item: Item, change: str, number: int, name: str) -> Item:
    """The item with one parameter of one tool renamed, retyped or left out, in schema, calls and target."""
    sample = item.sample
    tools = [msgspec.json.decode(msgspec.json.encode(tool)) for tool in sample.extra["tools"]]
    calls = [dict(one) for one in sample.extra["calls"]]
    function = tools[number].get("function", tools[number])
    schema = function["parameters"]
    match change:
        case "rename":
            new = next(f"{name}_{end}" for end in _SUFFIXES if f"{name}_{end}" not in schema["properties"])
            _rename(schema, name, new)
            _arguments(calls, function["name"], lambda found: _renamed(found, name, new))
        case "retype":
            _retype(schema["properties"][name])
            _arguments(calls, function["name"], lambda found: _retyped(found, name))
        case _:
            del schema["properties"][name]
    target = sample.target
    if target.strip():
        target = target[: len(target) - len(target.lstrip())] + json.dumps(calls, ensure_ascii=False)
    item = msgspec.structs.replace(item, sample=msgspec.structs.replace(sample, target=target))
    return item.with_extra(tools=tools, calls=calls)


def _retype(schema: dict[str, Any]) -> None:
    schema["type"] = "string"
    for word in _NUMERIC:
        schema.pop(word, None)
    if "enum" in schema:
        schema["enum"] = [_text(one) for one in schema["enum"]]


def _properties(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    function = tool.get("function", tool)
    found = (function.get("parameters") or {}).get("properties") or {}
    assert isinstance(found, Mapping)  # noqa: S101 - a tool's properties are an object
    return found


def _may_go(tool: Mapping[str, Any], name: str, calls: Sequence[Mapping[str, Any]]) -> bool:
    """Whether no expected call uses a parameter that is not required."""
    function = tool.get("function", tool)
    used = any(one["name"] == function["name"] and name in (one.get("arguments") or {}) for one in calls)
    return not used and name not in (function["parameters"].get("required") or ())


def _spoken_of(item: Item, name: str) -> bool:
    """Whether the item itself speaks of the parameter, so that a change of it would not be consistent."""
    text = f"{item.sample.input} {item.sample.extra.get('system', '')}"
    return any(f"{mark}{name}{mark}" in text for mark in "\"'`")


def _agrees(target: str, calls: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the target is empty or the expected calls as JSON, which can be written anew."""
    return not target.strip() or target.strip() == json.dumps(list(calls), ensure_ascii=False)


def _rename(schema: dict[str, Any], name: str, new: str) -> None:
    schema["properties"] = {new if key == name else key: one for key, one in schema["properties"].items()}
    if "required" in schema:
        schema["required"] = [new if key == name else key for key in schema["required"]]


def _arguments(calls: list[dict[str, Any]], tool: str, change: Any) -> None:
    for one in calls:
        if one["name"] == tool:
            one["arguments"] = change(one.get("arguments") or {})


def _renamed(arguments: Mapping[str, Any], name: str, new: str) -> dict[str, Any]:
    return {new if key == name else key: value for key, value in arguments.items()}


def _retyped(arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: _text(value) if key == name else value for key, value in arguments.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _with_double(given: Sequence[Mapping[str, Any]], draw: Draw) -> list[Any]:
    """The tools with one more, whose name is nearly that of another and whose purpose is not."""
    tool = draw.one(given)
    function = tool.get("function", tool)
    taken = {one.get("function", one)["name"] for one in given}
    names = [name for form in _CONFUSABLE if (name := form.format(function["name"])) not in taken]
    double = {
        "name": draw.one(names),
        "description": "Retired. Always fails; do not use it.",
        "parameters": function.get("parameters", {"type": "object", "properties": {}}),
    }
    new = {"type": "function", "function": double} if "function" in tool else double
    place = draw.below(len(given) + 1)
    return [*given[:place], new, *given[place:]]


VARIANTS = (
    VariantInfo(
        name="tools",
        group="adversarial",
        summary="A schema that is nearly right: a parameter renamed, retyped or missing, or a tool too many.",
        keeps="What has to be called; the expected calls follow a parameter's new name or type.",
        step=tools,
        parameters=(Parameter("change", "rename", "what is changed", ("rename", "retype", "drop", "extra")),),
    ),
)
