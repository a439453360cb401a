"""How to watch: everything that `saltus watch` takes besides the folder, the suite and the store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from saltus.monitor.watch.look import Manner
from saltus.monitor.watch.whole import has_tokenizer
from saltus.records import InputError, content_hash
from saltus.tasks import Suite


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to watch; see docs/watch.md.

    Attributes:
        pattern: Regular expression with a group `step`, for folders with unusual names.
        name: Of the training run; by default that of its folder.
        family: To file the checkpoints under.
        tokenizer: Folder of a tokenizer for checkpoints that have none; by default the watched folder.
        tokens_per_step: Training tokens of one optimiser step.
        every: Seconds between looks at the folder.
        settle: Seconds for which a checkpoint's files must stay as they are.
        patience: Seconds after which a checkpoint that is not whole is named.
        newest_first: Take the newest checkpoint first, and look at the run when none is waiting.
        once: Evaluate what is there and end.
        until: End after a checkpoint of this step or a later one.
        idle: End when nothing has changed for so many seconds.
        webhook: Address to which events are posted.
        manner: How the run is looked at.
        how: For `saltus.evaluate`: metrics, limit, epochs, seed, temperature, chat.
        options: For `saltus.models.TransformersModel`.
    """

    pattern: str | None = None
    name: str = ""
    family: str = ""
    tokenizer: str = ""
    tokens_per_step: float | None = None
    every: float = 30.0
    settle: float = 10.0
    patience: float = 600.0
    newest_first: bool = False
    once: bool = False
    until: float | None = None
    idle: float | None = None
    webhook: str = ""
    manner: Manner = Manner()
    how: Mapping[str, Any] = {}
    options: Mapping[str, Any] = {}


def tokenizer_of(root: Path, given: str) -> Path | None:
    """The folder of the tokenizer for checkpoints without one: the one given, or the watched folder.

    Raises:
        InputError: The folder that was given holds none.
    """
    if given:
        folder = Path(given).expanduser().absolute()
        if not has_tokenizer(folder):
            raise InputError(
                "holds no tokenizer; name a folder with tokenizer.json", path=str(folder), field="tokenizer"
            )
        return folder
    return root if has_tokenizer(root) else None


def asked(suite: Suite, settings: Settings) -> str:
    """Hash of what a checkpoint is asked: with another suite, or more of it, it is evaluated again."""
    return content_hash([[(task.name, task.version) for task in suite.tasks], dict(settings.how)], length=16)
