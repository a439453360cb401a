"""`saltus ls`: what the store holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from saltus.cli.output import emit, json_option, next_step, open_store, store_option, table

_COLUMNS = {
    "models": ("id", "family", "params", "tokens", "flops", "step", "layers", "seed", "role", "source"),
    "tasks": ("task", "models", "samples", "metrics", "runs"),
    "runs": ("id", "kind", "format", "source", "rows", "version", "created"),
}


@click.command("ls")
@click.argument("what", type=click.Choice(["models", "tasks", "runs", "findings"]))
@store_option
@json_option
def command(what: str, store_path: str, as_json: bool) -> int:
    """List models, tasks, runs or findings."""
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
