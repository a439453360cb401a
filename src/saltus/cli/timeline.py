"""`saltus timeline`: all changes of every curve along training, and which curve changes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.output import (
    emit,
    json_option,
    magnitude,
    next_step,
    open_store,
    progress_bar,
    say,
    store_option,
    table,
)
from saltus.cli.progress import counter
from saltus.records.changes import Change, Timeline
from saltus.records.errors import UsageError

if TYPE_CHECKING:
    from saltus.store import Store

KINDS = {"level": "jumps", "slope": "rate changes", "onset": "leaves its floor"}
_MOST_LAGS = 40


@click.command("timeline")
@click.option(
    "--task", "tasks", multiple=True, help="Only these tasks; * is a wildcard; internals for scalars."
)
@click.option("--metric", "metrics", multiple=True, help="Only these metrics or scalars.")
@click.option("--family", help="Only this family of models.")
@click.option(
    "--model", "models", multiple=True, help="Only these models, all their checkpoints; * is a wildcard."
)
@click.option(
    "--axis", type=click.Choice(["step", "tokens"]), default="step", show_default=True, help="Training axis."
)
@click.option("--lags", "with_lags", is_flag=True, help="Say which curve changes first, and by how much.")
@click.option(
    "--which",
    type=click.Choice(["main", "first", "last"]),
    default="main",
    show_default=True,
    help="For --lags: the change that speaks for a curve.",
)
@click.option(
    "--alpha", default=0.05, show_default=True, type=click.FloatRange(0, 0.5), help="False discovery rate."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the draws for --lags.")
@store_option
@json_option
def command(
    tasks: tuple[str, ...],
    metrics: tuple[str, ...],
    family: str | None,
    models: tuple[str, ...],
    axis: str,
    with_lags: bool,
    which: Any,
    alpha: float,
    seed: int,
    store_path: str,
    as_json: bool,
) -> int:
    """Date every change of every curve along training: scores, losses, scalars from inside the network."""
    from saltus.emergence.lags import lags
    from saltus.emergence.timeline import timelines
    from saltus.store import record_timelines

    with open_store(store_path) as store:
        points = _points(store, family, tasks, models)
        with progress_bar() as bar:
            found = timelines(
                points,
                axis=axis,
                metrics=metrics or None,
                seed=seed,
                alpha=alpha,
                progress=counter(bar, "curves"),
            )
        record_timelines(store, found)
    aligned = lags(found, which=which, alpha=alpha, seed=seed) if with_lags else []
    if as_json:
        emit({"timelines": found, **({"lags": aligned} if with_lags else {})})
        return 0
    show(found)
    if with_lags:
        for lag in aligned[:_MOST_LAGS]:
            say(lag.reason)
        if len(aligned) > _MOST_LAGS:
            say(f"And {len(aligned) - _MOST_LAGS} pairs more (--json shows all).")
        if not aligned:
            say("No two curves of one run change, so there is no order to tell.")
        next_step(f"saltus report --store {store_path} -o report.html")
    else:
        next_step(f"saltus timeline --lags --store {store_path}")
    return 0


def show(found: Sequence[Timeline]) -> None:
    """Print the changes, one line each, by run and in order of place; then the curves without one."""
    changed = [(line, change) for line in found for change in line.changes]
    changed.sort(key=lambda pair: (pair[0].family, pair[0].series, pair[1].at.value))
    if changed:
        table(
            ("series", "task", "metric", "change", f"{found[0].axis} [90 %]", "size", "p"),
            (
                (
                    line.series,
                    line.task,
                    line.metric,
                    KINDS[change.kind],
                    _interval(change),
                    f"{change.size:+.3g}" + (" a decade" if change.kind == "slope" else ""),
                    f"{change.p:.2g}",
                )
                for line, change in changed
            ),
        )
    still = [line for line in found if not line.changes]
    if still:
        say(f"{len(still)} of {len(found)} curves show no change; for example:")
        for line in still[:5]:
            say(f"    {line.series} {line.task} {line.metric}: {line.reasons[0]}")


def _points(store: Store, family: str | None, tasks: Sequence[str], models: Sequence[str]) -> Any:
    from fnmatch import fnmatchcase

    points = store.points(family=family, task=list(tasks) or None)
    if points.num_rows and models:
        import pyarrow as pa

        names = points["name"].to_pylist()
        points = points.filter(
            pa.array([any(fnmatchcase(n or "", m) for m in models) for n in names], pa.bool_())
        )
    if points.num_rows == 0:
        asked = " ".join(
            [
                *([f"--family {family}"] if family else []),
                *(f"--task {task}" for task in tasks),
                *(f"--model {model}" for model in models),
            ]
        )
        if not asked:
            raise UsageError(
                "The store has no scores yet; `saltus run`, `saltus import` or `saltus demo` bring some."
            )
        known = sorted({str(name) for name in store.models()["name"].to_pylist()})
        shown = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
        raise UsageError(
            f"Nothing matches {asked}; `saltus ls tasks` lists the tasks, and the models are {shown}.",
            field="model" if models else "task" if tasks else "family",
        )
    return points


def _interval(change: Change) -> str:
    return f"{magnitude(change.at.value)} [{magnitude(change.at.low)}, {magnitude(change.at.high)}]"
