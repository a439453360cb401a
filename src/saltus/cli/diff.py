"""`saltus diff`: two runs, or two models of one run, on the samples that both answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from saltus.cli.output import (
    cell,
    emit,
    json_option,
    next_step,
    open_store,
    say,
    store_option,
    table,
)
from saltus.records.errors import UsageError
from saltus.records.metrics import metric_info

if TYPE_CHECKING:
    from saltus.gate import Comparison, Delta

_LISTED = 20


@click.command("diff")
@click.argument("run_a", metavar="RUN_A")
@click.argument("run_b", metavar="[RUN_B]", required=False)
@click.option(
    "--model", "-M", "models", multiple=True, metavar="MODEL", help="Compare this model; twice: A and B."
)
@click.option("--task", "tasks", multiple=True, help="Only these tasks; * is a wildcard.")
@click.option("--metric", "metrics", multiple=True, help="Only these metrics.")
@click.option("--variant", "variants", multiple=True, help="Only these variants of the prompts.")
@click.option("--samples", "samples", is_flag=True, help="List the samples on which the two differ.")
@click.option("--limit", default=_LISTED, show_default=True, type=click.IntRange(1), help="Samples listed.")
@click.option(
    "--level", default=0.95, show_default=True, type=click.FloatRange(0.5, 0.9999), help="Of the intervals."
)
@click.option(
    "--alpha",
    default=0.05,
    show_default=True,
    type=click.FloatRange(1e-6, 0.5),
    help="Chance of a false call.",
)
@click.option(
    "--power", default=0.8, show_default=True, type=click.FloatRange(0.5, 0.999), help="For sample sizes."
)
@store_option
@json_option
def command(
    run_a: str,
    run_b: str | None,
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    metrics: tuple[str, ...],
    variants: tuple[str, ...],
    samples: bool,
    limit: int,
    level: float,
    alpha: float,
    power: float,
    store_path: str,
    as_json: bool,
) -> int:
    """Compare RUN_B with RUN_A, sample by sample.

    A run is an id from `saltus ls runs`, the first letters of it, or `last`. With one run, name two of its
    models.
    """
    from saltus.gate import Question, compare, pairings

    if len(models) > 2:
        raise UsageError(
            f"--model is given {len(models)} times; give it at most twice, for A and B", field="model"
        )
    question = Question(
        task=list(tasks) or None,
        metric=list(metrics) or None,
        variant=list(variants) or None,
        level=level,
        alpha=alpha,
        power=power,
        flips=limit if samples else 0,
    )
    with open_store(store_path) as store:
        pairs = pairings(store, [run_a] if run_b is None else [run_a, run_b], models)
        found = compare(store, pairs, question)
    if as_json:
        emit({"level": level, "alpha": alpha, "power": power, "comparison": found})
        return 0
    _show(found, question.power, alpha)
    if samples:
        _show_flips(found.deltas)
    again = f"saltus diff {run_a}{f' {run_b}' if run_b else ''}" + "".join(f" -M {m}" for m in models)
    next_step(
        f"saltus export {run_a} --format csv -o scores.csv --store {store_path}"
        if samples
        else f"{again} --samples --store {store_path}"
    )
    return 0


def _show(found: Comparison, power: float, alpha: float) -> None:
    several = len(found.pairings) > 1
    for pair in found.pairings:
        say(f"A: {pair.a.model} in run {pair.a.run[:12]}. B: {pair.b.model} in run {pair.b.run[:12]}.")
    level = f"{100 * found.deltas[0].level:g} %"
    table(
        (
            *(("model",) if several else ()),
            "task",
            "metric",
            "A",
            "B",
            f"B - A [{level}]",
            "p (Holm)",
            "B wins/loses/ties",
            "pairs",
            "verdict",
        ),
        (
            (
                *((delta.b.model,) if several else ()),
                delta.task,
                f"{delta.metric}{f' ({delta.variant})' if delta.variant else ''}",
                delta.mean_a,
                delta.mean_b,
                _difference(delta),
                "–" if delta.p_holm is None else f"{delta.p_holm:.2g}",
                f"{delta.wins}/{delta.losses}/{delta.ties}",
                _pairs(delta),
                _verdict(delta, power),
            )
            for delta in found.deltas
        ),
    )
    say(
        f"{found.tests} test{'s' if found.tests != 1 else ''}; the chance of any false call is at most "
        f"{100 * alpha:g} % (Holm)."
    )
    left = [delta for delta in found.deltas if delta.only_a or delta.only_b]
    if left:
        say(
            f"Left out as only one side has them: {sum(d.only_a for d in left):,} scores of A, "
            f"{sum(d.only_b for d in left):,} of B."
        )
    for line in found.unpaired[:5]:
        say(f"Not compared: {line} has scores.")


def _difference(delta: Delta) -> str:
    if delta.low is None or delta.high is None:
        return f"{delta.difference:+.3g}"
    return f"{delta.difference:+.3g} [{delta.low:+.3g}, {delta.high:+.3g}]"


def _pairs(delta: Delta) -> str:
    return f"{delta.n:,}" if delta.clusters == delta.n else f"{delta.n:,} in {delta.clusters:,} clusters"


def _verdict(delta: Delta, power: float) -> str:
    if delta.better:
        return f"{delta.better.upper()} is better"
    if not delta.difference and not delta.wins:
        return "the same"
    info = metric_info(delta.metric)
    bounded = info.low is not None and info.high is not None
    span = info.high - info.low if info.low is not None and info.high is not None else 0.0
    if delta.detectable is None or (bounded and delta.detectable > span):
        return "too few pairs to tell"
    found = f"not told apart; {delta.detectable:.2g} would be found with {100 * power:g} %"
    if delta.needed is not None and delta.needed > delta.n:
        found += f", this difference in {cell(float(delta.needed))} pairs"
    return found


def _show_flips(deltas: Sequence[Delta]) -> None:
    rows = [
        (
            delta.task,
            delta.metric,
            flip.sample,
            flip.a,
            flip.b,
            "better" if _up(delta, flip.b - flip.a) else "worse",
        )
        for delta in deltas
        for flip in delta.flips
    ]
    if rows:
        table(("task", "metric", "sample", "A", "B", "B is"), rows, title="Samples that differ most")


def _up(delta: Delta, gap: float) -> bool:
    return (gap > 0) == metric_info(delta.metric).higher_is_better
