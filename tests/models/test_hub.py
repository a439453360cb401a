"""Models by name: fetched through the hub's own client from a hub on loopback, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.models.hub import Hub

from saltus.family import path

SCRIPT = """
import json, sys
from saltus.models import TransformersModel
from saltus.records import GenerateRequest, ModelError
try:
    model = TransformersModel(sys.argv[1])
    said = {"record": [model.record.name, model.record.revision], "fingerprint": model.fingerprint}
    if "ask" in sys.argv:
        said["text"] = model.generate([GenerateRequest("recall a1 a", max_tokens=2)])[0].text
except ModelError as error:
    said = {"error": str(error)}
print(json.dumps(said))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    served = Hub({("org/tiro", "step2000"): path("tiro-2x64"), ("org/tiro", "main"): path("tiro-1x48")})
    yield served
    served.close()


def ask(home: Path, url: str, *arguments: str) -> dict[str, Any]:
    env = os.environ | {"HF_HOME": str(home), "HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1"}
    env.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], env=env, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def test_a_revision_is_fetched_when_it_is_asked_and_known_before(hub: Hub, tmp_path: Path) -> None:
    known = ask(tmp_path, hub.url, "hf:org/tiro@step2000")
    assert known["record"] == ["org/tiro", "step2000"]
    assert hub.asked == []  # the fingerprint is the commit, which the hub tells
    answered = ask(tmp_path, hub.url, "hf:org/tiro@step2000", "ask")
    assert answered["fingerprint"] == known["fingerprint"]
    assert "model.safetensors" in hub.asked
    assert not any(name.endswith(".py") for name in hub.asked)
    fetched = len(hub.asked)
    other = ask(tmp_path, hub.url, "hf:org/tiro", "ask")
    assert other["fingerprint"] != known["fingerprint"]
    assert len(hub.asked) > fetched
    # Without a hub, what was fetched is enough.
    url = hub.url
    hub.close()
    again = ask(tmp_path, url, "hf:org/tiro@step2000", "ask")
    assert again == answered


def test_what_the_hub_does_not_have_is_one_sentence(hub: Hub, tmp_path: Path) -> None:
    said = ask(tmp_path, hub.url, "hf:org/gone@v1")
    assert said["error"].startswith("the hub does not give hf:org/gone@v1 (")
    assert said["error"].endswith("check the name, the revision and the network")
