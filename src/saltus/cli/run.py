"""`saltus run`: evaluate a series of models on a suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from saltus.cli.options import key_values
from saltus.cli.output import emit, json_option, next_step, open_store, say, store_option
from saltus.records.errors import UsageError


@click.command("run")
@click.argument("suite")
@click.option(
    "-M",
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="A directory, hf:NAME@REVISION, http://HOST:PORT/v1#NAME, or inspect/PROVIDER/NAME.",
)
@click.option("--series", metavar="FILE", help="A series file (TOML or JSON), or `family`, the embedded one.")
@click.option(
    "-O",
    "--model-option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="For every model; see docs/models.md.",
)
@click.option(
    "-T",
    "--task-argument",
    "arguments",
    multiple=True,
    metavar="KEY=VALUE",
    help="For a suite that takes some.",
)
@click.option("--task", "tasks", multiple=True, help="Only these tasks of the suite.")
@click.option("--metric", "metrics", multiple=True, help="Only these metrics.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many samples a task.")
@click.option("--variant", "variants", multiple=True, help="Ask this variant too, e.g. typos:rate=0.1.")
@click.option("--no-plain", is_flag=True, help="Ask the variants only.")
@click.option("--epochs", type=click.IntRange(min=1), help="How often each sample is asked.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of variants and sampled answers.")
@click.option("--temperature", type=click.FloatRange(min=0), help="Of generated answers.")
@click.option("--chat", is_flag=True, help="Put each prompt as a user's message.")
@click.option("--retry-failed", is_flag=True, help="Ask again what failed at an earlier start.")
@click.option("--refresh", is_flag=True, help="Ask the models again, cached or not.")
@click.option(
    "--on", metavar="URL", help="Spread over workers of Ray: ray://local:2, ray://auto, ray://HOST:PORT."
)
@store_option
@json_option
def command(
    suite: str,
    models: tuple[str, ...],
    series: str | None,
    options: tuple[str, ...],
    arguments: tuple[str, ...],
    tasks: tuple[str, ...],
    metrics: tuple[str, ...],
    limit: int | None,
    variants: tuple[str, ...],
    no_plain: bool,
    epochs: int | None,
    seed: int,
    temperature: float | None,
    chat: bool,
    retry_failed: bool,
    refresh: bool,
    on: str | None,
    store_path: str,
    as_json: bool,
) -> int:
    """Evaluate SUITE (a name, or a file) on a series of models.

    The same command goes on where an interrupted one stopped, and asks nothing twice.
    """
    import gc
    from functools import partial

    import pyarrow as pa

    from saltus.cli.progress import evaluation_panel
    from saltus.evals import evaluate
    from saltus.evals.targets import resolve_models
    from saltus.tasks.suites.arguments import parse_arguments

    gc.set_threshold(50_000, 20, 100)  # answers hold no cycles; looking for some took a fifth of a quick run
    pa.set_memory_pool(pa.system_memory_pool())  # it gives back what a long run no longer needs
    chosen = resolve_models(models, series)
    given = parse_arguments(arguments)
    load = partial(_loader(on), **key_values(options))
    how: dict[str, Any] = {
        "limit": limit,
        "epochs": epochs,
        "seed": seed,
        "temperature": temperature,
        "chat": chat,
    }
    if _is_inspect(suite):
        _refuse(metrics=metrics, variants=variants, no_plain=no_plain, retry_failed=retry_failed, task=tasks)
        with open_store(store_path, create=True) as store:
            summary = _run_inspect(
                suite, chosen, store=store, refresh=refresh, load=load, given=given, how=how
            )
    else:
        from saltus.tasks import get_suite

        asked = get_suite(suite, given).only(tasks)
        how |= {"metrics": metrics or None, "variants": variants, "plain": not no_plain}
        with open_store(store_path, create=True) as store, evaluation_panel(quiet=as_json) as progress:
            summary = evaluate(
                chosen,
                asked,
                store=store,
                refresh=refresh,
                retry_failed=retry_failed,
                progress=progress,
                load=load,
                **how,
            )
    if as_json:
        emit(summary)
        return 1 if summary.failed or summary.stopped else 0
    cost = f"cost {summary.cost:.4g}, " if summary.cost else ""
    say(
        f"{summary.samples:,} samples of {len(chosen)} model{'s' if len(chosen) > 1 else ''}: "
        f"{summary.requests:,} requests, {summary.cached:,} from the cache, {summary.failed:,} failed, {cost}"
        f"{summary.seconds:.1f} s.\nRun {summary.run}"
    )
    for problem in (*summary.notes, *summary.problems):
        click.echo(f"saltus: {problem}", err=True)
    if summary.stopped:
        click.echo(f"saltus: {summary.stopped}", err=True)
    _say_next(summary, store_path, retry_failed)
    return 1 if summary.failed or summary.stopped else 0


def _is_inspect(suite: str) -> bool:
    """Whether the suite is a Python file whose tasks are Inspect's."""
    from pathlib import Path

    from saltus.tasks.suites.python import uses_inspect

    path = Path(suite.partition("@")[0])
    return path.suffix == ".py" and path.is_file() and uses_inspect(path)


def _run_inspect(
    spec: str, models: Any, *, store: Any, refresh: bool, load: Any, given: Any, how: dict[str, Any]
) -> Any:
    from saltus.evals.inspect_tasks import InspectSettings, run_inspect_task

    settings = InspectSettings(arguments=given, **how)
    return run_inspect_task(spec, models, store=store, settings=settings, refresh=refresh, load=load)


def _refuse(**options: Any) -> None:
    for name, value in options.items():
        if value:
            raise UsageError(
                f"--{name.replace('_', '-')} does not go with a task of Inspect, which Inspect itself runs; "
                "leave it out",
                field=name,
            )


def _loader(on: str | None) -> Callable[..., Any]:
    """What makes a model: one that is asked here, or one that the workers of a cluster are asked."""
    if on is None:
        from saltus.models import load_model

        return load_model
    from saltus.models.cluster import Cluster

    context = click.get_current_context()
    cluster = context.with_resource(Cluster(on))
    context.call_on_close(
        lambda: click.echo(f"saltus: {note}", err=True) if (note := cluster.note()) else None
    )
    return cluster.load


def _say_next(summary: Any, store_path: str, retried: bool) -> None:
    if summary.stopped:
        next_step("the same command, which goes on from here")
    elif summary.failed and not retried:
        next_step("the same command with --retry-failed, which asks again what failed")
    else:
        next_step(f"saltus detect --store {store_path}")
