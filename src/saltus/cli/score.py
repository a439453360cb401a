"""`saltus score`: more metrics for a stored run, without asking its models again; a judge may be asked."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.options import key_values
from saltus.cli.output import (
    emit,
    json_option,
    next_step,
    open_store,
    progress_bar,
    say,
    store_option,
    table,
)
from saltus.cli.progress import counter
from saltus.records.errors import UsageError

if TYPE_CHECKING:
    from saltus.evals.agreement import Agreement
    from saltus.evals.judge import Judge
    from saltus.evals.pairwise import Comparison
    from saltus.evals.scoring import ScoreSummary
    from saltus.store import Store


@click.command("score")
@click.argument("run")
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    required=True,
    help="A metric; judge:RUBRIC and pairwise ask the --judge. Repeat it.",
)
@click.option("--task", "tasks", multiple=True, help="Only these tasks.")
@click.option("--model", "-M", "models", multiple=True, help="Only these models.")
@click.option("--again", is_flag=True, help="Compute what is there anew, as a run of its own.")
@click.option("--judge", "judge_name", metavar="MODEL", help="A directory, hf:NAME@REVISION, or a URL.")
@click.option(
    "--model-option",
    "-O",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="For the judge; see docs/models.md.",
)
@click.option("--chat/--no-chat", default=True, help="Ask the judge in its chat template, or in plain text.")
@click.option("--reference", metavar="MODEL", help="For pairwise: whom to compare with, a model of the run.")
@click.option("--reference-run", metavar="RUN", help="For pairwise: where the reference's responses are.")
@click.option("--labels", metavar="METRIC", help="Human labels to measure the judge against.")
@store_option
@json_option
def command(
    run: str,
    metrics: tuple[str, ...],
    tasks: tuple[str, ...],
    models: tuple[str, ...],
    again: bool,
    judge_name: str | None,
    options: tuple[str, ...],
    chat: bool,
    reference: str | None,
    reference_run: str | None,
    labels: str | None,
    store_path: str,
    as_json: bool,
) -> int:
    """Score the responses of RUN (an id, its first letters, or `last`) by more metrics.

    The models are not asked again. What has been scored is not scored twice.
    """
    from saltus.evals.agreement import agreement
    from saltus.evals.pairwise import compare
    from saltus.evals.scoring import score
    from saltus.evals.stored import find_run

    _check(metrics, judge_name, reference)
    if labels and again:
        raise UsageError(
            "--labels reads the labels of RUN, and --again makes another run; give one of them",
            field="labels",
        )
    with open_store(store_path) as store, progress_bar() as bar, ExitStack() as stack:
        source = find_run(store, run)
        judge = _judge(store, judge_name, chat, options) if judge_name else None
        if judge is not None:
            stack.callback(judge.close)
        chosen = [_metric(name, judge) for name in metrics if name != "pairwise"]
        summary = None
        if chosen:
            summary = score(
                source,
                chosen,
                store=store,
                models=models,
                tasks=tasks,
                again=again,
                progress=counter(bar, "scoring"),
            )
        comparisons: list[Comparison] = []
        if judge is not None and reference is not None and "pairwise" in metrics:
            where: dict[str, Any] = {"reference_run": reference_run, "models": models, "tasks": tasks}
            comparisons = compare(source, reference, judge, store=store, **where)
        scored = summary.metrics if summary else ()
        found = (
            [one for name in scored for one in agreement(source, name, labels, store=store)] if labels else []
        )
    target = summary.run if summary else source
    names = [*scored, *dict.fromkeys(one.metric for one in comparisons)]
    _report(target, names, summary, judge, comparisons, found, as_json=as_json)
    if not as_json:
        next_step(f"saltus detect --store {store_path}")
    return 1 if judge is not None and judge.failed else 0


def _check(metrics: tuple[str, ...], judge: str | None, reference: str | None) -> None:
    asks = [name for name in metrics if name == "pairwise" or name.startswith("judge:")]
    if asks and judge is None:
        raise UsageError(f"the metric {asks[0]} asks a judge; name one with --judge MODEL", field="judge")
    if ("pairwise" in metrics) != (reference is not None):
        raise UsageError(
            "the metric pairwise and --reference MODEL go together; give both", field="reference"
        )


def _judge(store: Store, name: str, chat: bool, options: tuple[str, ...]) -> Judge:
    from saltus.evals.judge import Judge
    from saltus.evals.targets import resolve_models
    from saltus.models import load_model

    [record] = resolve_models([name], None)
    return Judge(load_model(record, **key_values(options)), store, chat=chat)


def _metric(name: str, judge: Judge | None) -> Any:
    from saltus.evals.judge import find_rubric, judge_metric

    if judge is None or not name.startswith("judge:"):
        return name
    return judge_metric(judge, find_rubric(name.removeprefix("judge:")))


def _report(
    run: str,
    names: list[str],
    summary: ScoreSummary | None,
    judge: Judge | None,
    comparisons: list[Comparison],
    found: list[Agreement],
    *,
    as_json: bool,
) -> None:
    asked: dict[str, Any] = {
        "requests": judge.asker.sent if judge else 0,
        "cached": judge.asker.known if judge else 0,
        "failed": judge.failed if judge else 0,
        "problems": [f"{text} ({count} times)" for text, count in judge.problems.items()] if judge else [],
    }
    if as_json:
        counts = ("responses", "added", "present", "without", "seconds")
        emit(
            {"run": run, "metrics": names}
            | {name: getattr(summary, name) if summary else 0 for name in counts}
            | asked
            | {"comparisons": comparisons, "agreement": found}
        )
        return
    if summary is not None:
        say(
            f"{summary.responses:,} responses by {', '.join(names)}: {summary.added:,} scores added, "
            f"{summary.present:,} were there, {summary.without:,} do not apply, {summary.seconds:.1f} s."
        )
    if judge is not None:
        say(
            f"{judge.name}: {judge.asker.sent:,} requests, {judge.asker.known:,} from the cache, "
            f"{judge.failed:,} failed."
        )
    for problem in asked["problems"]:
        click.echo(f"saltus: {problem}", err=True)
    _show(comparisons, found)


def _show(comparisons: list[Comparison], found: list[Agreement]) -> None:
    if comparisons:
        table(
            ("model", "reference", "n", "win rate [95 %]", "at equal length", "flips with position"),
            (
                (
                    one.model,
                    one.reference,
                    one.n,
                    _interval(one.win_rate, one.low, one.high),
                    _controlled(one),
                    f"{one.position_bias:.0%}",
                )
                for one in comparisons
            ),
        )
    if found:
        table(
            ("model", "task", "labelled", "same", "kappa", "alpha", "judge", "labels", "corrected"),
            (
                (one.model, one.task, one.n, one.same, one.kappa, one.alpha, *_means(one))
                for one in found
            ),
        )  # fmt: skip


def _controlled(one: Comparison) -> str:
    at = one.length_controlled
    return _interval(at.value, at.low, at.high) if at else "–"


def _means(one: Agreement) -> tuple[str, str, str]:
    if one.mean is None:
        return "–", "–", "–"
    mean = one.mean
    return (
        f"{mean.judge_only:.2f}",
        _interval(mean.labels_only, mean.labels_low, mean.labels_high),
        _interval(mean.value, mean.low, mean.high),
    )


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return "–" if value is None else f"{value:.2f}"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"
