"""Draws progress on stderr: a panel of tasks and models for an evaluation, plain bars for the rest."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from saltus.cli.output import magnitude

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress

    from saltus.evals import ProgressEvent

_MODELS, _TASKS, _ERRORS = 12, 10, 3  # rows and columns that are shown
_RATE_OVER = 10.0  # seconds


@contextmanager
def evaluation_panel(*, quiet: bool = False) -> Iterator[Callable[[ProgressEvent], None] | None]:
    """A callback for `evaluate` that draws a panel; None where nobody looks.

    Args:
        quiet: Draw nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    panel = Panel()
    with Live(console=Console(stderr=True), get_renderable=panel.draw, refresh_per_second=4, transient=True):
        yield panel.update


class Panel:
    """What is drawn of the last event, and how fast the ones before it came."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._event: ProgressEvent | None = None
        self._seen: list[tuple[float, int]] = []  # moment, requests or answers until then
        self._started = clock()

    def update(self, event: ProgressEvent) -> None:
        """Take the latest event."""
        now = self._clock()
        self._event = event
        self._seen = [one for one in self._seen if now - one[0] <= _RATE_OVER] + [(now, event.done)]

    def draw(self) -> RenderableType:
        """The panel as it looks now."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        event = self._event
        if event is None:
            return Text("Looking at what is there ...")
        bar = Table.grid()
        bar.add_row(ProgressBar(total=max(event.total, 1), completed=event.done, width=60))
        parts: list[RenderableType] = [bar, Text(self._headline(event))]
        for error, count in sorted(event.errors.items(), key=lambda item: -item[1])[:_ERRORS]:
            parts.append(Text(f"{count:,} x {error[:150]}", style="red"))
        if event.sizes:
            parts.append(_cells(event))
        return Group(*parts)

    def _headline(self, event: ProgressEvent) -> str:
        rate = self._rate()
        left = (event.total - event.done) / rate if rate > 0 else None
        words = [
            f"{event.done:,} of {event.total:,}",
            f"{magnitude(rate)}/s",
            f"{magnitude(event.tokens[0])} + {magnitude(event.tokens[1])} tokens",
            f"{event.cached:,} from the cache",
            f"cost {event.cost:.2f}" if event.cost else "",
            f"{event.failed:,} failed" if event.failed else "",
            f"{_duration(left)} left" if left is not None else "",
        ]
        return " · ".join(word for word in words if word)

    def _rate(self) -> float:
        """Responses a second, over the last ten seconds."""
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        if last == first:
            return after / max(last - self._started, 1e-3)
        return (after - before) / (last - first)


def _cells(event: ProgressEvent) -> RenderableType:
    """Share that is done by model and task; around the one that is asked now where there are many."""
    from rich.table import Table

    models = _around(event.models, event.model, _MODELS)
    tasks = _around(list(event.sizes), event.task, _TASKS)
    grid = Table(box=None, padding=(0, 1), pad_edge=False)
    grid.add_column(f"{len(event.models)} models", no_wrap=True)
    for task in tasks:
        grid.add_column(task, justify="right", max_width=14, no_wrap=True)
    for model in models:
        cells = [_share(event.cells.get((model, task), 0), event.sizes[task]) for task in tasks]
        grid.add_row(model, *cells, style="bold" if model == event.model else "")
    return grid


def _share(done: int, size: int) -> str:
    if done >= size:
        return "✓"
    return f"{100 * done // size}%" if done else "·"


def _around(names: Sequence[str], here: str, most: int) -> Sequence[str]:
    at = names.index(here) if here in names else 0
    start = max(0, min(at - most // 2, len(names) - most))
    return names[start : start + most]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def counter(bar: Progress, what: str) -> Callable[[int, int], None]:
    """A callback `(done, total)` that moves one bar."""
    line = bar.add_task(what, total=None)

    def update(done: int, total: int) -> None:
        bar.update(line, completed=done, total=total)

    return update
