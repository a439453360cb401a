"""Watch a training run: evaluate each checkpoint as it lands, and say at once what is new.

Start at `loop.watch`. `folder` finds checkpoints and `whole` tells those that are written to their end;
`reading` makes models of them; `look` and `online` decide what to announce; `journal` remembers it over
restarts, and `outbox` brings it to a webhook.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltus.monitor.watch.events import TaskScore, WatchEvent, WatchSummary
    from saltus.monitor.watch.look import Manner
    from saltus.monitor.watch.loop import watch
    from saltus.monitor.watch.settings import Settings

_HOME = {
    "Manner": "look",
    "Settings": "settings",
    "TaskScore": "events",
    "WatchEvent": "events",
    "WatchSummary": "events",
    "watch": "loop",
}

__all__ = ["Manner", "Settings", "TaskScore", "WatchEvent", "WatchSummary", "watch"]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
