"""YAML as nodes that know their lines, composed from parse events.

YAML is read as in version 1.2: only `true` and `false` are booleans, so that `yes`, `no` and `on` stay the
words that they are in a list of choices, and numbers are those of JSON.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saltus.records.errors import InputError
from saltus.tasks.suites.problems import shown

if TYPE_CHECKING:
    import yaml

_DEEPEST = 64
_LARGEST = 2_000_000  # values, with what aliases repeat
_STRING_TAGS = ("!", "tag:yaml.org,2002:str")
_COLLECTION_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}


class Node:
    """One value of a YAML file: a scalar, a list of nodes or a mapping of nodes.

    Attributes:
        line: Where it begins, counted from 1.
        value: As Python has it, its parts being nodes.
        keys: Lines of a mapping's keys.
        size: Values in it, what aliases repeat included.
    """

    __slots__ = ("keys", "line", "size", "value")

    def __init__(self, line: int, value: Any) -> None:
        self.line, self.value, self.size = line, value, 1
        self.keys: dict[str, int] = {}

    def plain(self) -> Any:
        """The value without its lines."""
        if isinstance(self.value, list):
            return [part.plain() for part in self.value]
        if isinstance(self.value, dict):
            return {key: part.plain() for key, part in self.value.items()}
        return self.value


def compose(path: str, text: str) -> Node:
    """Read a YAML text.

    Args:
        path: Name of the file, for errors.
        text: Its content.

    Raises:
        InputError: It is not YAML, or it uses what a suite has no use for: tags, keys that are no words.
    """
    return _Composer(path).compose(text)


def top_level_keys(path: Path) -> frozenset[str]:
    """Keys of a YAML file's outermost mapping, whatever tags its values have; none if it cannot be read."""
    import yaml

    try:
        with path.open(encoding="utf-8-sig") as file:
            keys, depth, is_key = set(), 0, True
            for event in yaml.parse(file, Loader=_loader()):
                if isinstance(event, yaml.CollectionEndEvent):
                    depth -= 1
                if depth == 1 and isinstance(event, yaml.ScalarEvent) and is_key:
                    keys.add(event.value)
                if depth == 1 and not isinstance(event, yaml.CollectionStartEvent):
                    is_key = not is_key
                if isinstance(event, yaml.CollectionStartEvent):
                    if depth == 0 and not isinstance(event, yaml.MappingStartEvent):
                        break
                    depth += 1
            return frozenset(keys)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return frozenset()


class _Composer:
    """Builds nodes from parse events on a stack of its own, so that no depth of nesting ends the process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._anchors: dict[str, Node | None] = {}  # None: not finished yet

    def compose(self, text: str) -> Node:
        import yaml

        root: Node | None = None
        try:
            for event in yaml.parse(text, Loader=_loader()):
                match event:
                    case yaml.DocumentStartEvent() if root is not None:
                        raise self._wrong(event, "a second document begins here; keep one suite in a file")
                    case yaml.DocumentStartEvent():
                        root = Node(event.start_mark.line + 1, None)
                        stack: list[_Open] = []
                    case yaml.NodeEvent():
                        node = self._node(event, stack)
                        if node is not None:
                            root = self._place(node, event, stack) or root
                    case yaml.CollectionEndEvent():
                        done = stack.pop()
                        root = self._place(self._close(done), done.event, stack) or root
        except yaml.YAMLError as error:
            raise self._unreadable(error, text) from error
        return root or Node(1, None)

    def _node(self, event: yaml.NodeEvent, stack: list[_Open]) -> Node | None:
        """The finished node of an event; None where a collection begins."""
        import yaml

        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            known = self._anchors.get(event.anchor)
            if known is None:
                what = "contains itself" if event.anchor in self._anchors else "is not defined above"
                raise self._wrong(event, f"the alias *{event.anchor} {what}; write the values out")
            return known
        if event.tag and event.tag not in (*_STRING_TAGS, *_COLLECTION_TAGS):
            raise self._wrong(
                event, f"the tag {shown(event.tag)} means nothing in a suite; write plain values"
            )
        if event.anchor:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and not event.tag
            node = Node(line, _scalar(event.value) if plain else event.value)
            if event.anchor:
                self._anchors[event.anchor] = node
            return node
        if len(stack) >= _DEEPEST:
            raise self._wrong(event, f"values are nested more than {_DEEPEST} deep here; make it flatter")
        stack.append(_Open(event, Node(line, [] if isinstance(event, yaml.SequenceStartEvent) else {})))
        return None

    def _place(self, node: Node, event: yaml.NodeEvent, stack: list[_Open]) -> Node | None:
        """Put a node where it belongs; the outermost one is given back."""
        if not stack:
            return node
        top = stack[-1]
        top.node.size += node.size
        if top.node.size > _LARGEST:
            raise self._wrong(event, "aliases repeat too much here; keep the items in a file of their own")
        if isinstance(top.node.value, list):
            top.node.value.append(node)
        elif top.key is None:
            top.key = self._key(node, event, top)
        else:
            self._put(top, top.key, node, event)
            top.key = None
        return None

    def _key(self, node: Node, event: yaml.NodeEvent, top: _Open) -> tuple[str, int]:
        if isinstance(node.value, list | dict):
            raise self._wrong(event, "a key is a list or a mapping here; a key must be a word")
        name = getattr(event, "value", node.value)  # as it is written: `1:` and `no:` are words here
        line = event.start_mark.line + 1
        if name in top.node.keys:
            raise self._wrong(
                event, f"the key {shown(name)} stands here and in line {top.node.keys[name]}; keep one"
            )
        return str(name), line

    def _put(self, top: _Open, key: tuple[str, int], node: Node, event: yaml.NodeEvent) -> None:
        name, line = key
        if name != "<<":
            top.node.value[name] = node
            top.node.keys[name] = line
            return
        for part in node.value if isinstance(node.value, list) else [node]:
            if not isinstance(part.value, dict):
                raise self._wrong(event, "`<<` takes a mapping, or a list of mappings; point it at one")
            top.merged.append(part)

    def _close(self, done: _Open) -> Node:
        for part in done.merged:
            for name, node in part.value.items():
                if name not in done.node.value:
                    done.node.value[name], done.node.keys[name] = node, part.keys[name]
        if done.event.anchor:
            self._anchors[done.event.anchor] = done.node
        return done.node

    def _wrong(self, event: yaml.Event, sentence: str) -> InputError:
        return InputError(sentence, path=self._path, line=event.start_mark.line + 1)

    def _unreadable(self, error: yaml.YAMLError, text: str) -> InputError:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark is not None else None
        position = getattr(error, "position", None)
        if line is None and isinstance(position, int):
            line = text[:position].count("\n") + 1
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        return InputError(
            f"this is no suite, YAML cannot read it ({' '.join(str(reason).split())}); mend this line, or "
            "see docs/tasks.md for an example",
            path=self._path,
            line=line,
        )


class _Open:
    """A collection that is not finished."""

    __slots__ = ("event", "key", "merged", "node")

    def __init__(self, event: yaml.NodeEvent, node: Node) -> None:
        self.event, self.node = event, node
        self.key: tuple[str, int] | None = None
        self.merged: list[Node] = []


def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _scalar(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 19 else text
    return float(text) if _NUMBER.fullmatch(text) else text
