"""What every verb shares: the store and JSON options, tables for people, one JSON document for programs."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from saltus.store import Store

F = TypeVar("F", bound=Callable[..., Any])


def store_option(function: F) -> F:
    """Add `--store DIR`."""
    return click.option(
        "--store",
        "store_path",
        metavar="DIR",
        default=lambda: os.environ.get("SALTUS_STORE") or "evidence",
        show_default="SALTUS_STORE or ./evidence",
        help="Evidence store.",
    )(function)


def json_option(function: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(
        function
    )


def open_store(path: str, *, create: bool = False) -> Store:
    """Open the store that `--store` names; reading verbs never make a new one."""
    from saltus.store import open as open_

    return open_(path, create=create)


def emit(document: Any) -> None:
    """Print one JSON document and nothing else."""
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
    sys.stdout.buffer.flush()


def console(*, stderr: bool = False) -> Console:
    """The terminal; plain text where it is no terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS") or 160)
    return Console(stderr=stderr, highlight=False, width=width)


def progress_bar() -> Progress:
    """A progress bar on stderr, silent where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Print a table. Cells are shown as they are; markup in them has no meaning."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in columns:
        grid.add_column(name, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell(value)) for value in row))
    console().print(grid)


def say(text: str = "") -> None:
    """Print one line for people."""
    click.echo(text)


def next_step(command: str) -> None:
    """End human output with the natural next command."""
    click.echo(f"\nNext: {command}")


def cell(value: Any) -> str:
    """Write one value the way people read it: 1.2M for big numbers, a dash for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return magnitude(value)


def magnitude(value: float) -> str:
    """Write a number with k, M, B, T; 1B, not 1G; beyond a thousand T as 2.6e+21.

    Examples:
        >>> magnitude(1_011_781_632), magnitude(450), magnitude(0.28125), magnitude(8640)
        ('1.01B', '450', '0.281', '8.64k')
    """
    if abs(value) >= 1e15:
        return f"{value:.3g}"
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
