"""`saltus detect`: from the evidence to findings; prints them and records them in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from saltus.cli.findings import explain, explain_jumps, show, sort_findings
from saltus.cli.output import emit, json_option, next_step, open_store, progress_bar, say, store_option
from saltus.cli.progress import counter
from saltus.cli.why import explain_one
from saltus.records.errors import UsageError
from saltus.records.findings import AXES, Finding

if TYPE_CHECKING:
    from saltus.store import Store

__all__ = ["command", "explain", "show", "sort_findings"]


@click.command("detect")
@click.option("--task", "tasks", multiple=True, help="Only these tasks; * is a wildcard.")
@click.option("--family", help="Only this family of models.")
@click.option("--axis", "axes", multiple=True, type=click.Choice(AXES), help="Scale axis.")
@click.option(
    "--metric", "metrics", multiple=True, help="These metrics instead of each task's headline metric."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@click.option(
    "--bootstraps", default=1000, show_default=True, type=click.IntRange(min=99), help="Draws a test."
)
@click.option(
    "--alpha", default=0.05, show_default=True, type=click.FloatRange(0, 0.5), help="False discovery rate."
)
@click.option(
    "--tau",
    type=click.FloatRange(0, 1, max_open=True),
    help="Noise between like models (standard deviation at a score of one half); by default one point, or "
    "what models at the same place say.",
)
@click.option(
    "--min-scales",
    default=4,
    show_default=True,
    type=click.IntRange(min=3),
    help="Places on the axis that a verdict needs.",
)
@click.option(
    "--items/--no-items",
    default=True,
    help="Whether to count that models answered the same items, where the store has them.",
)
@click.option(
    "--pooled", is_flag=True, help="One finding a task over all families, each shifted along the axis."
)
@click.option("--all", "everything", is_flag=True, help="List every finding, also where there are many.")
@click.option(
    "--why",
    metavar="FINDING",
    help="Explain one recorded finding: its id, the first letters of it, or a task.",
)
@store_option
@json_option
def command(
    tasks: tuple[str, ...],
    family: str | None,
    axes: tuple[str, ...],
    metrics: tuple[str, ...],
    seed: int,
    bootstraps: int,
    alpha: float,
    tau: float | None,
    min_scales: int,
    items: bool,
    pooled: bool,
    everything: bool,
    why: str | None,
    store_path: str,
    as_json: bool,
) -> int:
    """Find the jumps, date them with an interval, and say whether each is in the model or in the metric."""
    from saltus.emergence import detect_all, detect_pooled, usable_axes
    from saltus.emergence.parallel import processors
    from saltus.store import Items, record_findings

    if why:
        return explain_one(why, store_path, as_json)
    with open_store(store_path) as store:
        points = store.points(family=family, task=list(tasks) or None)
        if points.num_rows == 0:
            raise _nothing(store, family, tasks)
        there = () if axes else usable_axes(points)
        findings: list[Finding] = []
        rows = Items(store) if items else None
        with progress_bar() as bar:
            look = detect_pooled if pooled else partial(detect_all, items=rows, workers=processors())
            for axis in axes or there[:1]:
                # A task's capability axis is made of the others, also of those not asked for.
                others = tasks and axis == "capability"
                findings += look(
                    store.points(family=family) if others else points,
                    axis=axis,
                    tasks=sorted(set(points["task"].to_pylist())) if others else None,
                    metrics=metrics or None,
                    seed=seed,
                    bootstraps=bootstraps,
                    alpha=alpha,
                    tau=tau,
                    min_scales=min_scales,
                    progress=counter(bar, f"by {axis}"),
                )
        record_findings(store, findings)
    if as_json:
        emit({"findings": findings})
        return 0
    explain_jumps(findings)
    show(findings, everything=everything)
    if there[1:]:
        say(f"Looked along {there[0]}; the evidence also reaches along {', '.join(there[1:])} (--axis).")
    next_step(f"saltus report --store {store_path} -o report.html")
    return 0


def _nothing(store: Store, family: str | None, tasks: Sequence[str]) -> UsageError:
    """What to say when the filters leave no score, or there is none."""
    families = sorted({str(name) for name in store.models()["family"].to_pylist() if name})
    names = store.tasks()["task"].to_pylist()
    if not names:
        return UsageError(
            "The store has no scores yet; `saltus run`, `saltus import` or `saltus demo` bring some."
        )
    asked = " ".join([*([f"--family {family}"] if family else []), *(f"--task {task}" for task in tasks)])
    return UsageError(
        f"Nothing matches {asked}; the store has the families {_few(families)} and the tasks {_few(names)}.",
        field="family" if family else "task",
    )


def _few(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
