"""A task file of lm-evaluation-harness as values that know their lines, with what it includes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from saltus.records.errors import InputError
from saltus.tasks.suites.problems import shown

_DEEPEST_LINES = 4  # of nesting; what stands deeper is found by what holds it


class Function(msgspec.Struct, frozen=True):
    """A `!function` that has not been loaded.

    Attributes:
        name: As it is written: the module and the function, with a dot between.
        folder: That of the file it is written in.
    """

    name: str
    folder: str


class Place(NamedTuple):
    """Where a value is written."""

    path: str
    line: int | None


class Definition:
    """The values of a task or group.

    Attributes:
        path: The file that was read, for errors without a closer place.
        values: By key; those of included files below the file's own.
        own: The file's own keys.
    """

    def __init__(
        self, path: Path, values: Mapping[str, Any], places: Mapping[tuple[str | int, ...], Place]
    ) -> None:
        self.path = path
        self.values = dict(values)
        self._places = dict(places)

    def place(self, where: Sequence[str | int] = ()) -> Place:
        """The line of a key or item, or of the nearest thing around it that has one."""
        for end in range(len(where), 0, -1):
            found = self._places.get(tuple(where[:end]))
            if found is not None:
                return found
        return Place(str(self.path), None)

    def error(self, sentence: str, *where: str | int) -> InputError:
        """What is wrong with the value of a key."""
        place = self.place(where)
        field = ".".join(str(step) for step in where) or None
        return InputError(sentence, path=place.path, line=place.line, field=field)

    def below(self, other: Definition) -> Definition:
        """These values with those of another definition on top."""
        return self._with(other.values, other._places, other.path)

    def changed(self, changes: Mapping[str, Any], by: Definition, *where: str | int) -> Definition:
        """These values with some replaced from a place in another file."""
        place = by.place(where)
        return self._with(changes, {(key,): place for key in changes}, self.path)

    def _with(
        self, changes: Mapping[str, Any], places: Mapping[tuple[str | int, ...], Place], path: Path
    ) -> Definition:
        kept = {where: place for where, place in self._places.items() if where[0] not in changes}
        return Definition(path, {**self.values, **changes}, {**kept, **places})


def read_definition(path: Path) -> Definition:
    """Read a file with what it includes; nothing of it is run.

    Raises:
        InputError: It cannot be read, is not YAML, or includes itself.
    """
    return _read(path, ())


def _read(path: Path, opened: tuple[Path, ...]) -> Definition:
    resolved = path.resolve()
    if resolved in opened:
        raise InputError("this file includes itself; remove the include", path=str(path), field="include")
    definition = _parse(path)
    includes = definition.values.pop("include", None)
    if includes is None:
        return definition
    base: Definition | None = None
    for number, name in enumerate(includes if isinstance(includes, list) else [includes]):
        if not isinstance(name, str):
            raise definition.error(f"include is {shown(name)}; write the name of a file", "include", number)
        there = path.parent / name
        if not there.is_file():
            raise definition.error(
                f"include names {name}, which is not there; check the path", "include", number
            )
        part = _read(there, (*opened, resolved))
        part.values.pop("task_list", None)
        base = part if base is None else base.below(part)
    return definition if base is None else base.below(definition)


def _parse(path: Path) -> Definition:
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"this file cannot be read ({reason}); check the path", path=str(path)) from error
    loader = _loader(path.parent)(text)
    try:
        node = loader.get_single_node()
        value = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise InputError(
            f"this is no YAML ({reason}); mend this line",
            path=str(path),
            line=mark.line + 1 if mark else None,
        ) from error
    except (RecursionError, ValueError, TypeError) as error:
        raise InputError(
            f"this YAML cannot be read ({type(error).__name__}: {error}); make it simpler", path=str(path)
        ) from error
    finally:
        loader.dispose()
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InputError(
            "this is no task of lm-evaluation-harness, which is a mapping with the key task or group; see "
            "docs/lm-eval.md",
            path=str(path),
            line=1,
        )
    places: dict[tuple[str | int, ...], Place] = {}
    _find_lines(node, (), str(path), places)
    return Definition(path, value, places)


def _loader(folder: Path) -> Any:
    """YAML 1.1 as the harness reads it, where `yes` and `on` are true."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("TaskLoader", (base,), {})

    def function(reader: Any, node: Any) -> Function:
        return Function(str(reader.construct_scalar(node)), str(folder))

    loader.add_constructor("!function", function)
    return loader


def _find_lines(
    node: Any, where: tuple[str | int, ...], path: str, places: dict[tuple[str | int, ...], Place]
) -> None:
    if len(where) >= _DEEPEST_LINES:
        return
    parts: list[tuple[Any, Any, Any]] = []
    if node.id == "mapping":
        parts = [(key.value, key, value) for key, value in node.value if isinstance(key.value, str)]
    elif node.id == "sequence":
        parts = [(number, value, value) for number, value in enumerate(node.value)]
    for step, marked, value in parts:
        places[(*where, step)] = Place(path, marked.start_mark.line + 1)
        _find_lines(value, (*where, step), path, places)
