"""From plain values to the structs of a suite file, every key on its own, so that all faults are found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from saltus.tasks.suites.marked import Document
from saltus.tasks.suites.problems import Fault, Report, did_you_mean, shown
from saltus.tasks.suites.schema import FewShot, SuiteFile, TaskEntry, TaskSettings

S = TypeVar("S", bound=msgspec.Struct)
_WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number", type(None): "nothing"}
_NAMES = {
    "str": "text",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "null": "nothing",
    "object": "a mapping",
    "array": "a list",
}
# A task with a fault in one of these keys still has its items checked.
_HARMLESS = frozenset(
    ("chance", "cluster", "description", "epochs", "max_tokens", "metrics", "stop", "temperature", "top_p")
)
# Structs whose keys are looked at one by one, by the key that holds them.
_INSIDE: dict[str, type[msgspec.Struct]] = {"few_shot": FewShot}


class Parsed(msgspec.Struct, frozen=True):
    """A suite file: its name and description, and those of its tasks that are whole, each with its number."""

    name: str
    description: str
    tasks: list[tuple[int, TaskEntry]]


def parse_suite(document: Document, report: Report) -> Parsed | None:
    """Read a suite.

    Args:
        document: The file's values.
        report: Told of every fault.

    Returns:
        The suite with the tasks that are as they should be; None when it is no suite.
    """
    if not isinstance(document.value, dict):
        found = "is empty" if document.value is None else f"holds {_what(document.value)}"
        report(
            Fault(
                f"this is no suite, it {found} where `name` and `tasks` were expected; see docs/tasks.md for "
                "an example"
            ).at(document.path, document.line(()))
        )
        return None
    raw = dict(document.value)
    tasks = raw.pop("tasks", None)
    entries: list[tuple[int, TaskEntry]] = []
    if not isinstance(tasks, list) or not tasks:
        found = "there is no `tasks`" if tasks is None else f"tasks is {shown(tasks)}"
        report(
            Fault(
                f"this is no suite, {found}; write a list of tasks, each with a name and items", "tasks"
            ).at(document.path, document.line(("tasks",)))
        )
    else:
        for number, value in enumerate(tasks):
            entry = parse_struct(TaskEntry, value, document, ("tasks", number), report)
            if entry is not None:
                entries.append((number, entry))
        _check_names(tasks, document, report)
    head = parse_struct(SuiteFile, raw | {"tasks": []}, document, (), report)
    return Parsed(head.name, head.description, entries) if head is not None else Parsed("", "", entries)


def parse_settings(settings: dict[str, Any], document: Document, report: Report) -> TaskSettings:
    """Read the settings of a task that is written in Python."""
    return parse_struct(TaskSettings, settings, document, (), report) or TaskSettings()


def parse_struct(
    kind: type[S], value: Any, document: Document, where: Sequence[str | int], report: Report
) -> S | None:
    """Read one mapping, key by key.

    Returns:
        The struct, or None when a key is missing, or wrong in a way that leaves nothing to go on with.
    """
    place = name_of(where)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if not isinstance(value, dict):
        expected = ", ".join(name for name, field in fields.items() if field.required)
        fault = Fault(
            f"{place} is {shown(value)}, a mapping with {expected} was expected; write it so", place
        )
        report(fault.at(document.path, document.line(where)))
        return None
    given: dict[str, Any] = {}
    whole, wrong = True, set[str]()
    for key, part in value.items():
        inside = (*where, key)
        try:
            if key not in fields:
                raise _unknown(str(key), list(fields), place)
            nested = _INSIDE.get(key)
            if nested is not None and isinstance(part, dict):
                given[key] = parse_struct(nested, part, document, inside, report)
                whole = whole and given[key] is not None
            else:
                given[key] = _convert(part, fields[key], name_of(inside))
        except Fault as fault:
            wrong.update(difflib.get_close_matches(str(key), fields, n=1) or [str(key)])
            report(
                fault.at(
                    document.path, document.line((*inside, *steps(fault.field.removeprefix(name_of(inside)))))
                )
            )
    for name, field in fields.items():
        if field.required and name not in value:
            whole = False
            sentence = f"{place or 'the suite'} has no `{name}`; add one{_example(field)}"
            report(Fault(sentence, name_of((*where, name))).at(document.path, document.line(where)))
    return kind(**given) if whole and wrong <= _HARMLESS else None


def steps(place: str) -> list[str | int]:
    """Read a place again.

    Examples:
        >>> steps(".few_shot.k"), steps("[2].id")
        (['few_shot', 'k'], [2, 'id'])
    """
    return [int(index) if index else key for index, key in re.findall(r"\[(\d+)\]|\.(\w+)", place)]


def _convert(value: Any, field: msgspec.structs.FieldInfo, name: str) -> Any:
    if field.name == "tasks":  # they have been read already
        return value
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError as error:
        path = re.search(r"at `\$(.*)`$", str(error))
        steps = re.findall(r"\[(\d+|\.\.\.)\]|\.(\w+)", path[1] if path else "")
        inner, at = value, name
        for index, key in steps:
            if index == "..." or (index and not isinstance(inner, list)):
                break
            inner = inner[int(index)] if index else inner.get(key)
            at += f"[{index}]" if index else f".{key}"
        expected = _expected(field.type) if at == name else _in_words(str(error))
        raise Fault(f"{at} is {shown(inner)}, expected {expected}{_example(field)}", at) from error


def _check_names(tasks: list[Any], document: Document, report: Report) -> None:
    seen: dict[str, int] = {}
    for number, value in enumerate(tasks):
        name = value.get("name") if isinstance(value, dict) else None
        if not isinstance(name, str):
            continue
        if name in seen:
            before = document.line(("tasks", seen[name], "name"))
            fault = Fault(
                f"two tasks are called {name!r}, the first in line {before}; give each its own name",
                f"tasks[{number}].name",
            )
            report(fault.at(document.path, document.line(("tasks", number, "name"))))
        seen.setdefault(name, number)


def _unknown(key: str, known: list[str], place: str) -> Fault:
    of = f" of {place}" if place else " of a suite"
    return Fault(f"`{key}` is no key{of}; {did_you_mean(key, known)}", f"{place}.{key}" if place else key)


def name_of(where: Sequence[str | int]) -> str:
    """Write a place the way people do.

    Examples:
        >>> name_of(("tasks", 0, "few_shot", "k"))
        'tasks[0].few_shot.k'
    """
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _example(field: msgspec.structs.FieldInfo) -> str:
    """An example to copy, where the field's description has one."""
    examples = _meta(field.type, "examples")
    if not examples:
        return ""
    text = msgspec.json.encode(examples[0]).decode()
    return f"; for example {field.encode_name}: {text}"


def _meta(kind: Any, name: str) -> Any:
    for part in getattr(kind, "__metadata__", ()):
        if isinstance(part, msgspec.Meta) and getattr(part, name) is not None:
            return getattr(part, name)
    return None


def _expected(kind: Any) -> str:  # noqa: PLR0911 - one line a kind of type
    """A type in words.

    Examples:
        >>> _expected(Annotated[int, msgspec.Meta(ge=1)] | None)
        'a whole number of 1 or more'
        >>> _expected(list[str])
        'a list of text'
    """
    if get_origin(kind) is Annotated:
        return _expected(get_args(kind)[0]) + _bounds(kind)
    origin = get_origin(kind)
    arguments = get_args(kind)
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is list:
        return f"a list of {_expected(arguments[0])}"
    if origin is dict:
        return "a mapping"
    if origin is Union or type(kind).__name__ == "UnionType":
        return " or ".join(_expected(part) for part in arguments if part is not type(None))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"a mapping with {', '.join(kind.__struct_fields__)}"
    return _WORDS.get(kind, "another value")


def _in_words(reason: str) -> str:
    """What msgspec expected.

    Examples:
        >>> _in_words("Expected `str | null`, got `int` - at `$[1]`")
        'text or nothing'
    """
    wanted = re.match(r"Expected `([^`]*)`", reason)
    if not wanted:
        return reason.partition(" - at")[0]
    return " or ".join(_NAMES.get(part, part) for part in wanted[1].split(" | "))


def _bounds(kind: Any) -> str:
    low, above, high = (_meta(kind, name) for name in ("ge", "gt", "le"))
    if _meta(kind, "pattern"):
        return " with no slash and no comma in it"
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if above is not None and high is not None:
        return f" above {above:g}, {high:g} at most"
    return f" of {low:g} or more" if low is not None else ""


def _what(value: Any) -> str:
    return "a list" if isinstance(value, list) else shown(value)
