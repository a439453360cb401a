"""Draws progress: one bar over all samples of an evaluation, and plain counters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from saltus.evals import ProgressEvent


def evaluation_progress(bar: Progress) -> Callable[[ProgressEvent], None]:
    """A callback for `evaluate` that moves one bar."""
    line = bar.add_task("starting", total=None)

    def update(event: ProgressEvent) -> None:
        bar.update(line, description=f"{event.model} {event.task}", completed=event.done, total=event.total)

    return update


def counter(bar: Progress, what: str) -> Callable[[int, int], None]:
    """A callback `(done, total)` that moves one bar."""
    line = bar.add_task(what, total=None)

    def update(done: int, total: int) -> None:
        bar.update(line, completed=done, total=total)

    return update
