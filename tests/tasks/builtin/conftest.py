"""The built-in suites, each built once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from saltus.records import Sample
from saltus.tasks import get_suite


@cache
def _built(name: str) -> dict[str, tuple[Sample, ...]]:
    return {task.name.removeprefix(f"{name}-"): tuple(task.items()) for task in get_suite(name).tasks}


@pytest.fixture(scope="session")
def built() -> Callable[[str], dict[str, tuple[Sample, ...]]]:
    """Samples of a suite by the short name of their task."""
    return _built
