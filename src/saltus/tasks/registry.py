"""Suites by name: those that packages declare as entry points, and those that a user writes into a file."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from saltus.records.errors import UsageError
from saltus.tasks.files import read_suite
from saltus.tasks.task import Suite

GROUP = "saltus.suites"
_FILES = (".toml", ".jsonl")


def get_suite(name: str | Path) -> Suite:
    """Find a suite.

    Args:
        name: A declared name such as "family", or the path of a TOML file of tasks or a JSONL file of items.

    Raises:
        UsageError: There is no such suite, or its package cannot be loaded.
        InputError: The file is not a suite.
    """
    if Path(name).suffix.lower() in _FILES:
        return read_suite(Path(name))
    declared = {point.name: point for point in entry_points(group=GROUP)}
    if str(name) not in declared:
        there = ", ".join(sorted(declared)) or "none"
        raise UsageError(
            f"no suite is called {str(name)!r}; installed are {there}, "
            "and a path to a .toml or .jsonl file works too",
            field="suite",
        )
    point = declared[str(name)]
    try:
        make: Callable[[], Any] = point.load()
        suite = make()
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


def list_suites() -> list[str]:
    """Names of the installed suites, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})
