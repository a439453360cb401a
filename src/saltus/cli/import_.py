"""`saltus import`: bring in what another harness measured."""

from __future__ import annotations

import click

from saltus.cli.output import emit, json_option, next_step, open_store, progress_bar, say, store_option
from saltus.cli.progress import counter


@click.command("import")
@click.argument("format", metavar="FORMAT")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--family", help="Family to file the models under, where the source does not say.")
@click.option(
    "--axis-from",
    metavar="FILE",
    help="CSV with a model column and params, flops, tokens, step, loss or date.",
)
@click.option(
    "--map", "mapping", metavar="MAP", help="Other column names or wide tables: TOML file, or name=column,..."
)
@store_option
@json_option
def command(
    format: str,
    paths: tuple[str, ...],
    family: str | None,
    axis_from: str | None,
    mapping: str | None,
    store_path: str,
    as_json: bool,
) -> int:
    """Import results. FORMAT is lm-eval, inspect, helm, bigbench, promptfoo, csv or auto.

    A PATH is a file or a folder; auto tells by what the files hold.

    The same file twice adds nothing. A broken file is named and left out, the rest goes in (exit code 1).
    """
    from saltus.evals.importers import import_results

    with open_store(store_path, create=True) as store, progress_bar() as bar:
        result = import_results(
            format,
            paths,
            store=store,
            family=family,
            axis_from=axis_from,
            mapping=mapping,
            progress=counter(bar, "reading"),
        )
    if as_json:
        emit(result)
    else:
        say(
            f"Rows added: {result.added:,}; there already: {result.skipped:,}; "
            f"models: {result.models:,}; tasks: {result.tasks:,}."
        )
        for note in result.notes:
            say(note)
        for failure in result.failed:
            place = ":".join(str(part) for part in (failure.path, failure.line) if part is not None)
            click.echo(f"saltus: {place}: {failure.error}", err=True)
        next_step(f"saltus detect --store {store_path}")
    return 1 if result.failed else 0
