"""The tests of the sandbox run on every kind that this machine has."""

from __future__ import annotations

import pytest

from saltus.records.errors import SandboxError
from saltus.tasks.sandbox import KINDS, Kind, Sandbox, find


def _kinds() -> list[Kind]:
    here: list[Kind] = []
    for kind, make in KINDS.items():
        try:
            make()
        except SandboxError:
            continue
        here.append(kind)
    return here


HERE = _kinds()


@pytest.fixture(scope="session", params=HERE)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """A sandbox of one kind, which stood its self-test."""
    return find(request.param)


@pytest.fixture(scope="session", params=[kind for kind in HERE if kind != "runsc"])
def quick(request: pytest.FixtureRequest) -> Sandbox:
    """The same without runsc, which takes a quarter of a second to start."""
    return find(request.param)


@pytest.fixture(scope="session")
def any_sandbox() -> Sandbox:
    return find()
