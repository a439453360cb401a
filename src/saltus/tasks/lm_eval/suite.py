"""Reads a task file of lm-evaluation-harness, or a group of them, as a suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from saltus.records.errors import InputError
from saltus.tasks.lm_eval.definition import Definition, read_definition
from saltus.tasks.lm_eval.functions import allowed
from saltus.tasks.lm_eval.reading import read_config
from saltus.tasks.lm_eval.task import make_task
from saltus.tasks.suites.problems import did_you_mean, shown
from saltus.tasks.task import Suite

_OF_GROUPS = frozenset(
    ("group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag", "include")
)
_DEEPEST = 32  # of groups in groups


def read_lm_eval(path: str | Path, *, functions: bool | None = None, num_fewshot: int | None = None) -> Suite:
    """Read a task or a group of lm-evaluation-harness.

    Args:
        path: The YAML file. The tasks that a group names are looked for in its folder and below.
        functions: Whether Python that the file names with `!function` may be run; when None, whether the
            environment variable SALTUS_TASK_CODE is 1.
        num_fewshot: Examples before each item, in place of what the tasks say; a task that says 0 keeps it.

    Returns:
        The task, or the tasks of the group in their order, under the name of the file's task or group.

    Raises:
        InputError: The file cannot be read, or says something that Saltus cannot do as the harness does; with
            the line.
        MissingExtraError: The data needs the package `datasets`, which is not installed.

    Examples:
        ```python
        suite = read_lm_eval("tasks/my_task.yaml")
        saltus.evaluate(models, suite, store=store)
        ```
    """
    definition = read_definition(Path(path))
    run = allowed(functions)
    found = [
        make_task(read_config(one, functions=run, num_fewshot=num_fewshot))
        for one in _Expander(definition.path.parent).tasks(definition, {}, 0)
    ]
    name = str(definition.values.get("group") or definition.values.get("task"))
    if not found:
        raise definition.error(f"the group {name} has no tasks; name them under task", "task")
    return Suite(name, tuple(found))


class _Expander:
    """Follows the names in groups.

    Args:
        folder: Where their files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: dict[str, Definition] | None = None
        self._tags: dict[str, list[str]] = {}

    def tasks(self, definition: Definition, changes: Mapping[str, Any], depth: int) -> Iterator[Definition]:
        """The tasks of a group, or the one task."""
        if "group" not in definition.values:
            if "class" not in definition.values and not isinstance(definition.values.get("task"), str):
                raise definition.error("this is neither a task nor a group; write `task: NAME`", "task")
            yield definition.changed(changes, definition) if changes else definition
            return
        yield from self._group(definition, definition.values, (), changes, depth)

    def _group(
        self,
        definition: Definition,
        group: Mapping[str, Any],
        where: tuple[str | int, ...],
        changes: Mapping[str, Any],
        depth: int,
    ) -> Iterator[Definition]:
        if depth > _DEEPEST:
            raise definition.error(
                f"the group {group['group']} is in itself; remove it there", *where, "task"
            )
        members = group.get("task")
        members = [members] if isinstance(members, str) else members
        if not isinstance(members, list):
            raise definition.error(
                f"task of the group {group['group']} is {shown(members)}, a list was expected", *where, "task"
            )
        own = {key: value for key, value in group.items() if key not in _OF_GROUPS}
        for number, member in enumerate(members):
            yield from self._member(
                definition,
                member,
                (*where, "task", number),
                {**own, **changes},
                str(group["group"]),
                depth + 1,
            )

    def _member(
        self,
        definition: Definition,
        member: Any,
        where: tuple[str | int, ...],
        changes: Mapping[str, Any],
        group: str,
        depth: int,
    ) -> Iterator[Definition]:
        if isinstance(member, str):
            member = {"task": member}
        if not isinstance(member, dict) or not ({"task", "group"} & member.keys()):
            raise definition.error(f"this is {shown(member)}; write the name of a task", *where)
        if "group" in member:
            name = str(member["group"])
            if name not in self._known():
                yield from self._group(
                    definition, {**member, "group": f"{group}::{name}"}, where, changes, depth
                )
                return
            more = {key: value for key, value in member.items() if key != "group"}
            yield from self.tasks(self._known()[name], {**changes, **more}, depth)
            return
        name = str(member["task"])
        more = {**changes, **{key: value for key, value in member.items() if key != "task"}}
        if name in self._known():
            known = self._known()[name]
            yield from self.tasks(known.changed(more, definition, *where), {}, depth)
        elif name in self._tags:
            for tagged in sorted(self._tags[name]):
                yield self._known()[tagged].changed(more, definition, *where)
        elif set(member) == {"task"}:
            there = did_you_mean(name, [*self._known(), *self._tags])
            raise definition.error(
                f"the group names {name}, and no file in its folder is that task; {there}", *where
            )
        else:
            inline = Definition(definition.path, {}, {})
            yield inline.changed({**more, "task": f"{group}::{name}"}, definition, *where)

    def _known(self) -> dict[str, Definition]:
        """All tasks and groups in the folder, and their tags."""
        if self._index is None:
            self._index = {}
            for path in sorted(self._folder.glob("**/*.yaml"), key=lambda path: path.as_posix()):
                try:
                    definition = read_definition(path)
                except InputError:
                    continue  # a file that is no task; one that is named shows its fault as a missing name
                values = definition.values
                name = values.get("group") or values.get("task")
                if isinstance(name, str) and name not in self._index:
                    self._index[name] = definition
                    tags = values.get("tag") or []
                    for tag in [tags] if isinstance(tags, str) else tags:
                        if "group" not in values:
                            self._tags.setdefault(str(tag), []).append(name)
        return self._index
