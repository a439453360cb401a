"""The family's 2x64 and its recall prompts, as the tests of geometry use them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from saltus.family import checkpoints
from saltus.interpret.network.checkpoints import open_model
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts, make_prompts
from saltus.records.evidence import ModelRecord
from saltus.tasks import get_suite


@pytest.fixture(scope="session")
def records() -> list[ModelRecord]:
    """Checkpoints of 2x64 before, around and after the onset of recall."""
    wanted = (0, 400, 2000)
    return [record for record in checkpoints("2x64", 0) if record.step in wanted]


@pytest.fixture(scope="session")
def model(records: list[ModelRecord]) -> Iterator[HookedModel]:
    """The last checkpoint."""
    opened = open_model(records[-1])
    yield opened.model
    opened.model.close()


@pytest.fixture(scope="session")
def recall(records: list[ModelRecord]) -> Prompts:
    """The first recall items."""
    opened = open_model(records[-1])
    task = next(one for one in get_suite("family").tasks if one.name == "recall")
    return make_prompts(list(task.items())[:96], opened.encoder, metric="exact_match")
