"""`saltus robust`: how much the scores depend on how the questions are put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.output import emit, json_option, next_step, open_store, say, store_option, table
from saltus.records.errors import UsageError

if TYPE_CHECKING:
    from saltus.emergence import RobustnessTable
    from saltus.records.findings import Interval
    from saltus.records.robustness import Robustness, WorstSlice, WorstVariant
    from saltus.store import Store

_COLUMNS = (
    "model",
    "task",
    "variant",
    "n",
    "plain > score",
    "flips [95 %]",
    "lost / gained",
    "noise floor",
    "beyond it [95 %]",
    "worst slice [95 %]",
    "p / q",
)


@click.command("robust")
@click.option("--run", "run", metavar="RUN", help="Only this run.")
@click.option("--task", "tasks", multiple=True, help="Only these tasks; * is a wildcard.")
@click.option("--model", "models", multiple=True, help="Only these models; * is a wildcard.")
@click.option("--by", metavar="SLICE", help="Compare the values of this slice only.")
@click.option("--cluster", metavar="SLICE", help="Samples with the same value of this slice belong together.")
@click.option("--metric", "metrics", multiple=True, help="These metrics instead of the headline metric.")
@store_option
@json_option
def command(
    run: str | None,
    tasks: tuple[str, ...],
    models: tuple[str, ...],
    by: str | None,
    cluster: str | None,
    metrics: tuple[str, ...],
    store_path: str,
    as_json: bool,
) -> int:
    """Compare each variant of the prompts with the plain ones: flips, their noise floor, the worst slice."""
    filters: dict[str, Any] = {"run": run, "task": list(tasks) or None, "model": list(models) or None}
    from saltus.store import load_findings

    with open_store(store_path) as store:
        detected = bool(load_findings(store))
        found = compare(store, filters, metrics=metrics or None, by=by, cluster=cluster)
        if not found.rows:
            raise _nothing(store, filters, metrics)
    if as_json:
        emit({"robustness": found.rows, "worst": found.worst})
        return 0
    table(_COLUMNS, (_cells(row) for row in found.rows))
    for worst in found.worst:
        say(_sentence(worst))
    # A report needs findings; it has a page for this table too.
    next_step(
        f"saltus report --store {store_path} -o report.html"
        if detected
        else f"saltus detect --store {store_path}"
    )
    return 0


def compare(
    store: Store,
    filters: Mapping[str, Any] | None = None,
    *,
    metrics: Sequence[str] | None = None,
    by: str | None = None,
    cluster: str | None = None,
) -> RobustnessTable:
    """Read what a store knows of variants and compare; no rows where it has none.

    Args:
        store: Where the scores are.
        filters: As for `Store.scores`.
        metrics: See `saltus.emergence.compare_variants`, as for the rest.
        by: See metrics.
        cluster: See metrics.

    Raises:
        UsageError: No sample has the slice of `by` or `cluster`.
    """
    from saltus.emergence import RobustnessTable, compare_variants

    varied = "select distinct task from scores where variant not in ('', '*') order by task"
    names = [str(name) for name in store.sql(varied)["task"].to_pylist()]
    if not names:
        return RobustnessTable([], [])
    chosen = dict(filters or {})
    scores = store.scores(**{**chosen, "task": chosen.get("task") or names}).arrow()
    created = {row["id"]: row["created"] for row in store.runs().to_pylist()}
    slices = _slices(store, names)
    for option, name in (("by", by), ("cluster", cluster)):
        there = sorted({key for task in slices.values() for tags in task.values() for key in tags})
        if name is not None and name not in there:
            mend = f"there is {', '.join(there)}" if there else "the samples have no slices"
            raise UsageError(f"no sample has a slice {name!r}; {mend}", field=option)
    return compare_variants(scores, metrics=metrics, slices=slices, by=by, cluster=cluster, created=created)


def _slices(store: Store, tasks: Sequence[str]) -> dict[str, dict[str, dict[str, str]]]:
    query = "select task, id, slices from samples where task in (select unnest(?))"
    found: dict[str, dict[str, dict[str, str]]] = {}
    for row in store.sql(query, [list(tasks)]).to_pylist():
        found.setdefault(row["task"], {})[row["id"]] = dict(row["slices"] or [])
    return found


def _nothing(store: Store, filters: Mapping[str, Any], metrics: Sequence[str]) -> UsageError:
    """What to say when there is nothing to compare."""
    query = "select distinct variant from scores where variant not in ('', '*')"
    if not store.sql(query).num_rows:
        return UsageError(
            "The store has no scores of a variant; `saltus run SUITE --variant typos` adds some."
        )
    asked = [f" --{name} {value}" for name, values in filters.items() for value in _listed(values)]
    asked += [f" --metric {name}" for name in metrics]
    return UsageError(
        f"Nothing can be compared{' for' * bool(asked)}{''.join(asked)}: it takes the same samples asked "
        "plainly and in a variant, and a metric of full marks or none, such as exact_match."
    )


def _listed(values: Any) -> list[str]:
    return [values] if isinstance(values, str) else list(values or [])


def _cells(row: Robustness) -> tuple[Any, ...]:
    return (
        row.model,
        row.task,
        row.variant,
        row.n,
        f"{row.plain.value:.2f} > {row.score.value:.2f}",
        _interval(row.flips),
        f"{row.lost.value:.2f} / {row.gained.value:.2f}",
        "–" if row.floor is None else f"{row.floor.value:.2f}",
        _interval(row.excess),
        _slice(row.worst),
        f"{_p(row.p)} / {_p(row.q)}",
    )


def _sentence(worst: WorstVariant) -> str:
    many = f"{worst.compared} variant{'s' * (worst.compared > 1)} on {worst.n} samples"
    sure = "" if worst.p is None else f", p {_p(worst.p)} after Holm"
    return (
        f"{worst.model} on {worst.task}: worst is {worst.variant} with {_interval(worst.score)} against "
        f"{worst.plain.value:.2f} plainly ({many}{sure}); right every way: {_interval(worst.always)}."
    )


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _slice(worst: WorstSlice | None) -> str:
    if worst is None:
        return "–"
    return f"{worst.name} {_interval(worst.score)} p {_p(worst.p)}"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
