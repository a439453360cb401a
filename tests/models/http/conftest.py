"""The scripted server, started once, and models that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.models.http.scripted import Scripted

from saltus.models import HttpModel


@pytest.fixture(scope="session")
def _one_server() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.close()


@pytest.fixture
def server(_one_server: Scripted, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """The scripted server, which for a start answers everything."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    _one_server.reset()
    return _one_server


@pytest.fixture
def connect(server: Scripted) -> Callable[..., HttpModel]:
    """Makes a model at the scripted server; quick to retry, nothing asked that a test does not ask."""

    def make(**options: Any) -> HttpModel:
        given = {"api": "completions", "scoring": "none", "backoff": 0.01, "logprobs": False, **options}
        return HttpModel(f"{server.url}#m", **given)

    return make
