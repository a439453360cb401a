"""A suite file as plain values that still know their lines: YAML by its nodes, TOML by its text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from saltus.records.errors import InputError
from saltus.tasks.suites.yaml_text import compose

Path_ = Sequence[str | int]  # of keys and indexes, from the top of the document


class Document(Protocol):
    """A file's content and where each part of it stands."""

    path: str
    value: Any

    def line(self, where: Path_) -> int | None:
        """Line of a key or an item, or of the nearest thing around it."""
        ...


class YamlDocument:
    """A YAML file.

    Args:
        path: Its name, for errors.
        text: Its content.

    Raises:
        InputError: It is not YAML, or it uses what a suite has no use for: tags, keys that are no words.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.root = compose(path, text)
        self.value = self.root.plain()

    def line(self, where: Path_) -> int | None:
        """Line of a key or an item, or of the nearest thing around it."""
        node, line = self.root, self.root.line
        for step in where:
            if isinstance(node.value, dict) and step in node.value:
                line, node = node.keys[str(step)], node.value[step]
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.line
            else:
                break
        return line


class TomlDocument:
    """A TOML file; its lines are found by looking for headers and keys in the text.

    Args:
        path: Its name, for errors.
        text: Its content.

    Raises:
        InputError: It is not TOML.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._lines = text.splitlines()
        try:
            self.value: Any = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            place = re.search(r"\(at line (\d+), column \d+\)", str(error))
            reason = re.sub(r" \(at .*\)", "", str(error))
            raise InputError(
                f"this is no suite, TOML cannot read it ({reason}); mend this line, or see "
                "docs/tasks.md for an example",
                path=path,
                line=int(place[1]) if place else len(self._lines) or 1,
            ) from error

    def line(self, where: Path_) -> int | None:
        """Line of a key, or of the header of the table around it."""
        found, start = 1, 0
        header = ""
        for step in where:
            if isinstance(step, int):
                starts = self._find(rf"\s*\[\[\s*{re.escape(header)}\s*\]\]", 0)
                if step < len(starts):
                    start, found = starts[step] + 1, starts[step] + 1
                continue
            header = f"{header}.{step}" if header else step
            key = self._find(rf"""\s*["']?{re.escape(step)}["']?\s*=""", start, one_table=True)
            table = self._find(rf"\s*\[\[?\s*{re.escape(header)}\s*\]", start)
            if key or table:
                found = (key or table)[0] + 1
                start = start if key else found
        return found

    def _find(self, pattern: str, start: int, *, one_table: bool = False) -> list[int]:
        found = []
        for number in range(start, len(self._lines)):
            if re.match(pattern, self._lines[number]):
                found.append(number)
            elif one_table and re.match(r"\s*\[", self._lines[number]) and "=" not in self._lines[number]:
                break
        return found


def read_document(path: Path) -> Document:
    """Read a YAML or TOML file.

    Raises:
        InputError: It cannot be read or parsed; with the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            f"this file cannot be read ({error.strerror}); check the path", path=str(path)
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(
            f"this is no suite, byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8",
            path=str(path),
            line=line,
        ) from error
    if path.suffix.lower() == ".toml":
        return TomlDocument(str(path), text)
    return YamlDocument(str(path), text)
