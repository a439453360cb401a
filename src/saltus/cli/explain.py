"""`saltus explain`: which parts of a network carry an ability, and when they formed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

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
from saltus.records.explanations import Effect, Explanation
from saltus.records.metrics import INTERNALS

if TYPE_CHECKING:
    from rich.progress import Progress

    from saltus.interpret.explanation import Explained
    from saltus.records.changes import Lag, Timeline
    from saltus.records.findings import Finding
    from saltus.store import Store
    from saltus.tasks import Suite

GLYPHS = {"carried": "◆", "nothing": "○", "unclear": "?"}
_STANDING = {"shown": "shown", "correlated": "only correlated", "not_tested": "not tested"}
_SHOWN = 12  # rows of a table of effects


@click.command("explain")
@click.argument("target", metavar="MODEL|FINDING")
@click.option("--task", help="The ability; a finding brings its own.")
@click.option("--suite", help="Where the task is: a suite or a file; looked for when not given.")
@click.option(
    "--other", "others", multiple=True, help="Try ablations on these other tasks of the suite, not all."
)
@click.option(
    "--limit",
    default=256,
    show_default=True,
    type=click.IntRange(min=8),
    help="At most so many samples a task.",
)
@click.option(
    "--counterfactual", metavar="NAME", help="Which corrupted prompts of the items to patch from; the first."
)
@click.option(
    "--only-model", is_flag=True, help="Only this model and those at the onset, no others of the series."
)
@click.option("--adapter", metavar="FILE", help="Write what suppresses the components found, for this model.")
@click.option("--seed", default=0, show_default=True, help="Of probes, random sets and resampling.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps.")
@click.option("--dtype", default="auto", show_default=True, help="float32, bfloat16, float16, float64.")
@store_option
@json_option
def command(
    target: str,
    task: str | None,
    suite: str | None,
    others: tuple[str, ...],
    limit: int,
    counterfactual: str | None,
    only_model: bool,
    adapter: str | None,
    seed: int,
    device: str,
    dtype: str,
    store_path: str,
    as_json: bool,
) -> int:
    """Name the heads and MLPs that carry an ability, show it by taking them out, and say when they formed."""
    from saltus.interpret.explanation import ExplainSettings, explain
    from saltus.interpret.subject import find_subject, find_suite

    settings = ExplainSettings(
        others=others or None,
        limit=limit,
        counterfactual=counterfactual,
        seed=seed,
        device=device,
        dtype=dtype,
    )
    with open_store(store_path, create=True) as store:
        subject, name = find_subject(store, target, task)
        tasks = find_suite(store, name, suite)
        if only_model:
            subject = subject.alone()
        with progress_bar() as bar:
            found = explain(subject, tasks, name, settings, _stages(bar), dating)
        found = dated(store, found)
    if adapter is not None:
        found.write_adapter(adapter)
    if as_json:
        emit(document(found))
        return 1 if found.problems else 0
    show(found.explanation, found.effects)
    for problem in found.problems:
        click.echo(f"saltus: {problem}", err=True)
    if adapter is not None:
        say(f"Adapter: {adapter}; `saltus.interpret.load_adapter` reads it.")
    next_step(f"saltus report --store {store_path} -o report.html")
    return 1 if found.problems else 0


def explain_finding(store: Store, finding: Finding, suite: Suite) -> Explained:
    """Explain a recorded finding, and record that."""
    from saltus.interpret.explanation import explain
    from saltus.interpret.subject import find_subject

    subject, task = find_subject(store, finding.id)
    return dated(store, explain(subject, suite, task))


def dating(points: Sequence[dict[str, Any]]) -> Finding | None:
    """What the scores of the checkpoints say about the onset; nothing where they are too few."""
    from saltus.emergence import detect_all

    axis = "step" if all(point["step"] is not None for point in points) else "params"
    found = detect_all(points, axis=axis)
    return found[0] if found else None


def dated(store: Store, found: Explained) -> Explained:
    """Record what was found, date the changes of its curves, and set them beside the onset."""
    from saltus.emergence.lags import lags
    from saltus.emergence.timeline import timelines
    from saltus.store import record_explanations, record_timelines

    found.record(store)
    lines: list[Timeline] = []
    order: list[Lag] = []
    if found.subject.axis in ("step", "tokens") and found.heads is not None and len(found.heads.records) > 2:
        points = found.curves()
        lines = timelines(points, seed=found.explanation.seed)
        order = lags(points, seed=found.explanation.seed)
    # The ability's own changes are those of its samples, which `saltus timeline` dates.
    record_timelines(store, [line for line in lines if line.task == INTERNALS])
    found = found.with_lags(order)
    record_explanations(store, [found.explanation])
    return found


def document(found: Explained) -> dict[str, Any]:
    """What --json prints."""
    import msgspec

    one = found.explanation
    whole: dict[str, Any] = msgspec.to_builtins(one)
    views = whole.pop("views")
    return {
        "effects": found.effects,
        **whole,
        "views": len(views),
        "problems": list(found.problems),
    }


def show(one: Explanation, effects: Sequence[Effect]) -> None:
    """Print an explanation: the headline, what heads do, what taking parts out does, and the statements."""
    say(f"{GLYPHS[one.verdict]} {one.headline}\n")
    if one.roles:
        table(
            ("head", "role", "attention", "interval", "uniform"),
            (
                (
                    r.component,
                    r.role.replace("_", " "),
                    f"{r.score.value:.2f}",
                    _ends(r.score.low, r.score.high),
                    f"{r.baseline:.2f}",
                )
                for r in one.roles[:_SHOWN]
            ),
            title=f"What heads of {one.model} attend to",
        )
    rows = _ablations(one, effects)
    table(
        ("without", "task", "before", "after", "change", "interval", "n"),
        (
            (
                e.component,
                e.task,
                _share(e.baseline),
                _share((e.baseline or 0) + e.effect),
                f"{e.effect:+.2f}",
                _ends(e.low, e.high),
                e.n,
            )
            for e in rows[:_SHOWN]
        ),
        title="What taking parts out does (mean ablation)",
    )
    for standing in ("shown", "correlated", "not_tested"):
        own = [s.text for s in one.statements if s.standing == standing]
        if own:
            say(f"\n{_STANDING[standing].capitalize()}:")
            for text in own:
                say(f"  - {text}")


def _ablations(one: Explanation, effects: Sequence[Effect]) -> list[Effect]:
    """One row a component and task, those on held-out prompts first; the named set on top, then by harm."""
    kept: dict[tuple[str, str], Effect] = {}
    for row in effects:
        held_out = '"purpose"' in row.detail
        if row.method != "mean_ablation" or row.model != one.model or '"kept"' in row.detail:
            continue
        if row.metric in (one.metric, "choice_correct", "exact_match") and '"given"' not in row.detail:
            key = (row.component, row.task)
            if key not in kept or (held_out and '"purpose"' not in kept[key].detail):
                kept[key] = row
    named = "+".join(sorted(one.circuit.necessary)) if one.circuit else ""
    shown = [row for row in kept.values() if row.task == one.task or row.component == named]
    return sorted(shown, key=lambda row: (row.component != named, row.task != one.task, row.effect))


def _stages(bar: Progress) -> Any:
    """One bar a stage of the work."""
    known: dict[str, Any] = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in known:
            known[stage] = bar.add_task(stage, total=total)
        bar.update(known[stage], completed=done, total=total)

    return report


def _ends(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"[{low:.2f}, {high:.2f}]"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
