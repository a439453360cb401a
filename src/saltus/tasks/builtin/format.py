"""The suite "format": facts into JSON, objects that satisfy a schema, rows with given separators."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import GENERATION, Item, Plan, Recipe, Slot, build
from saltus.tasks.builtin.words import CITIES, COLOURS, MONTHS, NAMES, THINGS, WORDS
from saltus.tasks.task import Suite

_CHECKS = ("json_valid", "json_repaired", "schema_valid", "schema_share")
_TEXT, _COUNT = {"type": "string"}, {"type": "integer"}

# Key, type, how the fact is told of a person, and how its value is drawn.
_FACTS: tuple[tuple[str, dict[str, str], str, Callable[[Draw], Any]], ...] = (
    ("age", _COUNT, "is {} years old", lambda draw: draw.between(18, 90)),
    ("city", _TEXT, "lives in {}", lambda draw: draw.pick(CITIES)),
    ("colour", _TEXT, "likes the colour {}", lambda draw: draw.pick(COLOURS)),
    ("month", _TEXT, "was born in {}", lambda draw: draw.pick(MONTHS)),
    ("height", _COUNT, "is {} centimetres tall", lambda draw: draw.between(150, 199)),
    ("collects", _TEXT, "collects {}", lambda draw: draw.pick(THINGS)[1]),
    ("room", _COUNT, "works in room {}", lambda draw: draw.between(100, 999)),
)
_SEPARATORS = (
    ("semicolon", ";"),
    ("vertical bar", "|"),
    ("slash", "/"),
    ("plus sign", "+"),
    ("hash sign", "#"),
)


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Facts into JSON, an object for a schema, and rows.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _object(draw: Draw, slot: Slot) -> Item:
    """A person's two to six facts as JSON. From band 3 on they stand in an object of their own."""
    name, facts = _person(draw, slot.difficulty)
    values = {key: value for key, _, _, value in facts}
    inner = _object_schema({key: schema for key, schema, _, _ in facts})
    nested = slot.difficulty >= 3
    value = {"name": name, "facts": values} if nested else {"name": name, **values}
    schema = (
        _object_schema({"name": _TEXT, "facts": inner})
        if nested
        else _object_schema({"name": _TEXT, **{key: schema for key, schema, _, _ in facts}})
    )
    told = " ".join(f"{name} {words.format(value)}." for _, _, words, value in draw.shuffled(facts))
    keys = ", ".join(f'"{key}"' for key in values)
    order = f'"name" and "facts"; "facts" is an object with the keys {keys}' if nested else f'"name", {keys}'
    return Item(
        input=f"Text: {told}\nWrite this as a JSON object on one line with the keys {order}, in this order. "
        f"Put one "
        "space after each colon and comma and none elsewhere. Numbers stand without quotes.\nJSON:",
        target=f" {json.dumps(value)}",
        slices={"fields": str(len(values) + 1), "nested": "yes" if nested else "no"},
        extra={"schema": schema},
    )


def _schema(draw: Draw, slot: Slot) -> Item:
    """Any object that satisfies a schema of one to five fields; the target is one of many."""
    keys = draw.some(WORDS, slot.difficulty)
    fields = [draw.pick(_FIELDS)(draw) for _ in keys]
    schema = _object_schema(dict(zip(keys, (field for field, _ in fields), strict=True)))
    value = dict(zip(keys, (one for _, one in fields), strict=True))
    return Item(
        input=f"JSON schema: {json.dumps(schema)}\nWrite a JSON object on one line that is valid under this "
        f"schema.\nJSON:",
        target=f" {json.dumps(value)}",
        slices={"fields": str(len(keys))},
        extra={"schema": schema},
    )


def _rows(draw: Draw, slot: Slot) -> Item:
    """Two to six facts in a given order with a given separator."""
    name, facts = _person(draw, slot.difficulty)
    word, mark = draw.pick(_SEPARATORS)
    told = " ".join(f"{name} {words.format(value)}." for _, _, words, value in draw.shuffled(facts))
    order = ", ".join(["name", *(key for key, _, _, _ in facts)])
    return Item(
        input=f"Text: {told}\nWrite on one line: {order}. Put a {word} between them and no space.\nRow:",
        target=" " + mark.join([name, *(str(value) for _, _, _, value in facts)]),
        slices={"fields": str(len(facts) + 1), "separator": word},
    )


def _person(draw: Draw, n: int) -> tuple[str, list[tuple[str, dict[str, str], str, Any]]]:
    facts = [(key, schema, words, value(draw)) for key, schema, words, value in draw.some(_FACTS, n)]
    return draw.pick(NAMES), facts


def _object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _whole(draw: Draw) -> tuple[dict[str, Any], Any]:
    low = draw.between(1, 500)
    high = low + draw.between(0, 40)
    return {"type": "integer", "minimum": low, "maximum": high}, draw.between(low, high)


def _option(draw: Draw) -> tuple[dict[str, Any], Any]:
    words = draw.some(WORDS, draw.between(2, 4))
    return {"type": "string", "enum": words}, draw.pick(words)


def _flag(draw: Draw) -> tuple[dict[str, Any], Any]:
    return {"type": "boolean"}, draw.below(2) == 1


def _numbers(draw: Draw) -> tuple[dict[str, Any], Any]:
    n = draw.between(2, 5)
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": n, "maxItems": n}
    return schema, [draw.below(100) for _ in range(n)]


def _text(draw: Draw) -> tuple[dict[str, Any], Any]:
    low = draw.between(3, 6)
    return {"type": "string", "minLength": low, "maxLength": low + 3}, draw.pick(
        [w for w in WORDS if low <= len(w) <= low + 3]
    )


def _pair(draw: Draw) -> tuple[dict[str, Any], Any]:
    keys = draw.some(WORDS, 2)
    return _object_schema({key: {"type": "integer"} for key in keys}), {key: draw.below(100) for key in keys}


_FIELDS: tuple[Callable[[Draw], tuple[dict[str, Any], Any]], ...] = (
    _whole,
    _option,
    _flag,
    _numbers,
    _text,
    _pair,
)

PLAN = Plan(
    name="format",
    description="Facts into JSON, objects that satisfy a schema, rows with given separators.",
    limits="A server that can be held to a schema makes json_valid and schema_valid 1 by force; exact_match "
    "still says "
    "whether the content is right. The targets of the task schema are one right answer among many.",
    recipes=(
        Recipe(
            name="object",
            make=_object,
            quantity="fields",
            metrics=(*GENERATION, *_CHECKS),
            max_tokens=160,
            description="Write two to six facts as a JSON object.",
        ),
        Recipe(
            name="schema",
            make=_schema,
            quantity="fields",
            metrics=("schema_valid", "schema_share", "json_valid", "json_repaired", "target_logprob"),
            max_tokens=240,
            description="Write any object that satisfies a JSON schema of one to five fields.",
        ),
        Recipe(
            name="rows",
            make=_rows,
            quantity="fields",
            max_tokens=96,
            description="Write two to six facts in a given order with a given separator.",
        ),
    ),
)
