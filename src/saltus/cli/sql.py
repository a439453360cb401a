"""`saltus sql`: ask the store in DuckDB's SQL, read-only."""

from __future__ import annotations

import click

from saltus.cli.output import emit, json_option, open_store, store_option, table


@click.command("sql")
@click.argument("query")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE: .csv or .parquet.")
@store_option
@json_option
def command(query: str, output: str | None, store_path: str, as_json: bool) -> int:
    """Run one SQL QUERY over models, runs, samples, responses, scores, aggregates and points."""
    from saltus.cli.tables import write_table

    with open_store(store_path) as store:
        answer = store.sql(query)
    if output:
        write_table(answer, output)
    elif as_json:
        emit({"columns": answer.column_names, "rows": answer.to_pylist()})
    else:
        table(answer.column_names, (row.values() for row in answer.to_pylist()))
    return 0
