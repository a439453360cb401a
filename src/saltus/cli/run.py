"""`saltus run`: evaluate a series of models on a suite."""

from __future__ import annotations

import click

from saltus.cli.output import emit, json_option, next_step, open_store, progress_bar, say, store_option


@click.command("run")
@click.argument("suite")
@click.option(
    "-M", "--model", "models", multiple=True, metavar="MODEL", help="A directory, or hf:NAME@REVISION."
)
@click.option("--series", metavar="FILE", help="A series file (TOML or JSON), or `family`, the embedded one.")
@click.option("--task", "tasks", multiple=True, help="Only these tasks of the suite.")
@click.option("--metric", "metrics", multiple=True, help="Only these metrics.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many samples a task.")
@click.option("--refresh", is_flag=True, help="Ask the models again, cached or not.")
@store_option
@json_option
def command(
    suite: str,
    models: tuple[str, ...],
    series: str | None,
    tasks: tuple[str, ...],
    metrics: tuple[str, ...],
    limit: int | None,
    refresh: bool,
    store_path: str,
    as_json: bool,
) -> int:
    """Evaluate SUITE (a name, or a TOML file) on a series of models.

    The same command goes on where an interrupted one stopped, and asks nothing twice.
    """
    from saltus.cli.progress import evaluation_progress
    from saltus.evals import evaluate
    from saltus.evals.targets import resolve_models
    from saltus.tasks import get_suite

    chosen = resolve_models(models, series)
    asked = get_suite(suite).only(tasks)
    with open_store(store_path, create=True) as store, progress_bar() as bar:
        summary = evaluate(
            chosen,
            asked,
            metrics=metrics or None,
            store=store,
            limit=limit,
            refresh=refresh,
            progress=evaluation_progress(bar),
        )
    if as_json:
        emit(summary)
    else:
        say(
            f"{summary.samples:,} samples of {len(chosen)} models and {len(asked.tasks)} tasks: "
            f"{summary.requests:,} requests, {summary.cached:,} from the cache, {summary.failed:,} failed, "
            f"{summary.seconds:.1f} s."
        )
        for problem in summary.problems:
            click.echo(f"saltus: {problem}", err=True)
        next_step(f"saltus detect --store {store_path}")
    return 1 if summary.failed else 0
