"""Suites by name: those that packages declare as entry points, and those that a user writes into a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import msgspec

from saltus.records.errors import InputError, SaltusError, UsageError
from saltus.tasks.suites.arguments import bind_arguments
from saltus.tasks.suites.problems import Report, did_you_mean, stop_at_first
from saltus.tasks.suites.python import read_python, uses_inspect
from saltus.tasks.suites.reader import make_tasks
from saltus.tasks.suites.reading import ItemReader, check_items
from saltus.tasks.suites.sources import item_format
from saltus.tasks.suites.yaml_text import top_level_keys
from saltus.tasks.task import Suite, Task

GROUP = "saltus.suites"
READERS = (
    "saltus.readers"  # entry points that read the task files of other harnesses: (path, name, arguments)
)
_SUITE_FILES = (".toml", ".yaml", ".yml")
_LM_EVAL = frozenset(
    ("dataset_kwargs", "dataset_path", "doc_to_target", "doc_to_text", "group", "include", "output_type")
)


class Found(msgspec.Struct, frozen=True):
    """A suite as it was found, its items not yet checked.

    Attributes:
        name: Of the suite.
        description: Of the suite.
        tasks: Each with the reader of its items where Saltus reads them; None where they come finished.
        path: The file, or the name it was found by.
    """

    name: str
    description: str
    tasks: tuple[tuple[Task, ItemReader | None], ...]
    path: str


def get_suite(name: str | Path, arguments: Mapping[str, Any] | None = None, *, check: bool = True) -> Suite:
    """Find a suite.

    Args:
        name: A declared name such as "family"; a YAML, TOML or Python file; a file of items. Some tasks only:
            "family/recall", "family/re*", "suite.py@sums". Several with commas between them make one suite.
        arguments: For suites that are made by a function, as `-T` gives them.
        check: Read all items of files once and check them; else a fault in one shows when it is asked.

    Raises:
        UsageError: There is no such suite, task or argument, or its package cannot be loaded.
        InputError: The file is not a suite, or an item is none; with the line.
    """
    suites = []
    for one in split_names(name):
        found = find_suite(one, arguments or {}, stop_at_first)
        tasks = tuple(
            check_items(task, reader, stop_at_first) if check and reader is not None else task
            for task, reader in found.tasks
        )
        suites.append(Suite(found.name, tasks, found.description))
    if len(suites) == 1:
        return suites[0]
    names = list(dict.fromkeys(suite.name for suite in suites))
    description = suites[0].description if len(names) == 1 else ""
    return Suite("+".join(names), tuple(task for suite in suites for task in suite.tasks), description)


def list_suites() -> list[str]:
    """Names of the installed suites, sorted."""
    return list(declared_suites())


def declared_suites() -> dict[str, str]:
    """The installed suites, by name, each with the function that makes it."""
    return {point.name: point.value for point in sorted(entry_points(group=GROUP), key=lambda one: one.name)}


def split_names(name: str | Path) -> list[str]:
    """The names in a list with commas; a file whose own name has one is one name."""
    if Path(name).exists():
        return [str(name)]
    return [part.strip() for part in str(name).split(",") if part.strip()] or [""]


def find_suite(name: str, arguments: Mapping[str, Any], report: Report) -> Found:
    """Find one suite without looking at its items.

    Args:
        name: As `get_suite` takes it, one name.
        arguments: For suites that are made by a function.
        report: Told of every fault in a file.
    """
    file, chosen = _file_of(name)
    if file is None:
        declared = {point.name: point for point in entry_points(group=GROUP)}
        suite, _, chosen = name.partition("/")
        if suite not in declared:
            raise _nowhere(name, declared)
        made = _made(declared[suite], arguments)
        only = [task for task in made.tasks if fnmatchcase(task.name, chosen or "*")]
        if not only:
            made.only([chosen])  # says what there is
        return Found(made.name, made.description, tuple((task, None) for task in only), suite)
    if file.suffix.lower() == ".py":
        return _python(file, chosen, arguments, report)
    if arguments:
        raise UsageError(
            f"{file} takes no arguments, it is no Python file; remove -T {next(iter(arguments))}", field="-T"
        )
    found = _lm_eval(file) if _is_lm_eval(file) else None
    if found is None:
        head, tasks = make_tasks(file, report)
        found = Found(head.name, head.description, tuple(tasks), str(file))
    if not chosen:
        return found
    only_them = tuple(one for one in found.tasks if fnmatchcase(one[0].name, chosen))
    if not only_them and found.tasks:
        names = [task.name for task, _ in found.tasks]
        raise UsageError(f"{file} has no task {chosen!r}; {did_you_mean(chosen, names)}", field="task")
    return msgspec.structs.replace(found, tasks=only_them)


def _file_of(name: str) -> tuple[Path | None, str]:
    """The file that a name means, and the task in it that stands behind an @."""
    file, at, task = name.rpartition("@")
    for path, chosen in ((name, ""), (file, task)) if at else ((name, ""),):
        suffix = Path(path).suffix.lower()
        if suffix == ".py" or suffix in _SUITE_FILES or item_format(path):
            return Path(path), chosen
    return None, ""


def _nowhere(name: str, declared: Mapping[str, EntryPoint]) -> UsageError:
    there = ", ".join(sorted(declared)) or "none"
    near = did_you_mean(name.partition("/")[0], sorted(declared))
    hint = f"; {near}" if near.startswith("did") else ""
    return UsageError(
        f"no suite is called {name!r}; installed are {there}, and a path to a .yaml, .toml, .py, .jsonl, "
        f".csv or .parquet file works too{hint}",
        field="suite",
    )


def _made(point: EntryPoint, arguments: Mapping[str, Any]) -> Suite:
    """Call the function that an entry point names."""
    try:
        make: Callable[..., Any] = point.load()
        given = bind_arguments(make, arguments, f"suite {point.name}") if arguments else {}
        suite = make(**given)
    except SaltusError:
        raise
    except Exception as error:  # code of another package: whatever goes wrong is the suite's
        raise UsageError(
            f"the suite {point.name!r} cannot be made by {point.value} ({type(error).__name__}: {error}); "
            "mend or reinstall that package",
            field="suite",
        ) from error
    if not isinstance(suite, Suite):
        raise UsageError(
            f"{point.value} gives a {type(suite).__name__} for the suite {point.name!r} instead of a Suite",
            field="suite",
        )
    return suite


def _python(file: Path, chosen: str, arguments: Mapping[str, Any], report: Report) -> Found:
    if uses_inspect(file):
        readers = {point.name: point for point in entry_points(group=READERS)}
        if "inspect" not in readers:
            raise UsageError(
                f"{file} is a task file of Inspect, and nothing here reads those; install a package that "
                f"declares the entry point `inspect` in the group {READERS}",
                field="suite",
            )
        suite: Suite = readers["inspect"].load()(file, chosen, arguments)
        return Found(suite.name, suite.description, tuple((task, None) for task in suite.tasks), str(file))
    try:
        made = read_python(file, chosen, arguments, report)
    except InputError as error:
        report(error)
        made = []
    return Found(file.stem, "", tuple(made), str(file))


def _is_lm_eval(file: Path) -> bool:
    if file.suffix.lower() not in (".yaml", ".yml"):
        return False
    keys = top_level_keys(file)
    return "tasks" not in keys and "task" in keys and bool(keys & _LM_EVAL)


def _lm_eval(file: Path) -> Found:
    from importlib import import_module

    try:
        read: Callable[[Path], Suite] = import_module("saltus.tasks.lm_eval").read_lm_eval
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{file} is a task of lm-evaluation-harness, which this version cannot read ({error}); write it "
            "as a suite, see docs/tasks.md",
            field="suite",
        ) from error
    suite = read(file)
    return Found(suite.name, suite.description, tuple((task, None) for task in suite.tasks), str(file))
