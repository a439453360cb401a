"""`saltus export`: a run as files that other programs read."""

from __future__ import annotations

import click

from saltus.cli.output import emit, json_option, next_step, open_store, progress_bar, say, store_option

_NEXT = {
    "lm-eval": "saltus import lm-eval {}",
    "inspect": "inspect view --log-dir {}",
    "csv": 'python -c "import pandas; print(pandas.read_csv({!r}))"',
    "parquet": 'python -c "import pandas; print(pandas.read_parquet({!r}))"',
}


@click.command("export")
@click.argument("run", metavar="RUN")
@click.option(
    "--format",
    "-f",
    "format",
    required=True,
    type=click.Choice(["lm-eval", "inspect", "csv", "parquet"]),
    help="For whom the files are.",
)
@click.option("--output", "-o", required=True, metavar="PATH", help="File (csv, parquet) or folder to write.")
@click.option(
    "--table",
    default="scores",
    show_default=True,
    type=click.Choice(["scores", "responses", "points"]),
    help="Of csv and parquet: a row a score, a row a response, or the means.",
)
@store_option
@json_option
def command(run: str, format: str, output: str, table: str, store_path: str, as_json: bool) -> int:
    """Write RUN for lm-evaluation-harness, Inspect, pandas or polars.

    A run is an id from `saltus ls runs`, the first letters of it, or `last`.
    """
    from saltus.evals.exporters import export_run

    with open_store(store_path) as store, progress_bar() as bar:
        task = bar.add_task("writing", total=None)
        result = export_run(
            run,
            format,
            output,
            store=store,
            table=table,
            progress=lambda count: bar.advance(task, count),
        )
    if as_json:
        emit(result)
        return 0
    files = f"{len(result.files):,} files" if len(result.files) != 1 else result.files[0]
    say(f"Wrote {result.rows:,} rows of run {result.run[:12]}: {files}.")
    for note in result.notes:
        say(note)
    next_step(_NEXT[format].format(output))
    return 0
