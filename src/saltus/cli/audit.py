"""`saltus audit`: check the ledger's chain."""

from __future__ import annotations

import click

from saltus.cli.output import emit, json_option, open_store, say, store_option


@click.group("audit")
def command() -> None:
    """Check the chain of recorded findings."""


@command.command("verify")
@store_option
@json_option
def verify(store_path: str, as_json: bool) -> int:
    """Walk the hash chain; exit code 1 when an event was changed, removed or put in between."""
    with open_store(store_path) as store:
        result = store.ledger.verify()
    if as_json:
        emit(result)
    else:
        say(result.reason)
    return 0 if result.ok else 1
