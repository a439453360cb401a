"""`saltus ls`: what the store holds, and which suites are installed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from saltus.cli.output import emit, json_option, next_step, open_store, store_option, table
from saltus.records.errors import SaltusError

_COLUMNS = {
    "models": ("id", "family", "params", "tokens", "flops", "step", "layers", "seed", "role", "source"),
    "tasks": ("task", "models", "samples", "metrics", "runs"),
    "runs": ("id", "kind", "format", "source", "rows", "version", "created"),
}


@click.command("ls")
@click.argument("what", type=click.Choice(["models", "tasks", "runs", "findings", "suites"]))
@store_option
@json_option
def command(what: str, store_path: str, as_json: bool) -> int:
    """List models, tasks, runs or findings of a store, or the installed suites."""
    if what == "suites":
        return _suites(as_json)
    with open_store(store_path) as store:
        if what == "findings":
            return _findings(store, as_json, store_path)
        rows: list[dict[str, Any]] = getattr(store, what)().to_pylist()
    if as_json:
        emit({what: rows})
        return 0
    columns = [name for name in _COLUMNS[what] if any(row.get(name) not in (None, "") for row in rows)]
    for row in rows:
        if "created" in row:
            row["created"] = datetime.fromtimestamp(row["created"]).astimezone().isoformat(" ", "seconds")
    table(columns or _COLUMNS[what], ([row.get(name) for name in columns] for row in rows))
    next_step(f"saltus detect --store {store_path}" if rows else f"saltus demo --store {store_path}")
    return 0


def _suites(as_json: bool) -> int:
    from saltus.tasks.registry import declared_suites

    rows = [_suite(name, value) for name, value in declared_suites().items()]
    broken = int(any(row["error"] for row in rows))
    if as_json:
        emit({"suites": rows})
        return broken
    table(
        ("name", "tasks", "items", "description"),
        ([row["name"], len(row["tasks"]), row["items"], row["description"] or row["error"]] for row in rows),
    )
    next_step(f"saltus validate {rows[0]['name'] if rows else 'FILE'}")
    return broken


def _suite(name: str, made_by: str) -> dict[str, Any]:
    """One row. A suite that cannot be made is listed with the reason, so that it does not hide the others."""
    from saltus.tasks.registry import get_suite

    row: dict[str, Any] = {"name": name, "made_by": made_by, "tasks": [], "items": None, "description": ""}
    try:
        suite = get_suite(name)
    except SaltusError as error:
        return {**row, "error": str(error)}
    # Items are not written only to be counted: a task that knows says so in its config.
    counts = [task.config.get("items") for task in suite.tasks]
    items = sum(count for count in counts if isinstance(count, int))
    known = all(isinstance(count, int) for count in counts)
    tasks = [task.name for task in suite.tasks]
    found = {"tasks": tasks, "items": items if known else None, "description": suite.description}
    return {**row, **found, "error": ""}


def _findings(store: Any, as_json: bool, store_path: str) -> int:
    from saltus.cli.detect import show
    from saltus.store import load_findings

    findings = load_findings(store)
    if as_json:
        emit({"findings": findings})
        return 0
    show(findings)
    next_step(
        f"saltus report --store {store_path} -o report.html"
        if findings
        else f"saltus detect --store {store_path}"
    )
    return 0
