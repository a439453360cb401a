"""`saltus watch`: evaluate each checkpoint of a training run as it lands, and say at once what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from saltus.cli.options import key_values
from saltus.cli.output import emit, magnitude, next_step, open_store, say, store_option

if TYPE_CHECKING:
    from saltus.monitor.watch import TaskScore, WatchEvent, WatchSummary

_GLYPHS = {
    "checkpoint": "·",
    "finding": "▲",
    "changed": "△",
    "withdrawn": "▽",
    "early_warning": "!",
    "failed": "✗",
    "skipped": "✗",
    "incomplete": "?",
    "refused": "✗",
    "webhook": "✗",
}
_ARROWS = {"up": "↑", "down": "↓", "same": "→", "": ""}
_SHOWN = 6  # scores in a line
_REASONS = 2  # of a finding


@click.command("watch")
@click.argument("folder", metavar="DIR")
@click.option(
    "--suite", "suites", multiple=True, required=True, help="What to ask: a name, or a file; repeat it."
)
@click.option(
    "-T",
    "--task-argument",
    "arguments",
    multiple=True,
    metavar="KEY=VALUE",
    help="For a suite that takes some.",
)
@click.option("--task", "tasks", multiple=True, help="Only these tasks of the suites.")
@click.option("--metric", "metrics", multiple=True, help="Only these metrics.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many samples a task.")
@click.option("--epochs", type=click.IntRange(min=1), help="How often each sample is asked.")
@click.option("--temperature", type=click.FloatRange(min=0), help="Of generated answers.")
@click.option("--chat", is_flag=True, help="Put each prompt as a user's message.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of sampled answers and of the tests.")
@click.option(
    "-O",
    "--model-option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="For every checkpoint; see docs/models.md.",
)
@click.option("--name", default="", help="Of the training run; by default that of its folder.")
@click.option("--family", default="", help="To file the checkpoints under.")
@click.option("--pattern", metavar="REGEX", help="Of folders with unusual names, with a group (?P<step>...).")
@click.option("--tokenizer", default="", metavar="DIR", help="For checkpoints without one; by default DIR.")
@click.option(
    "--tokens-per-step", type=click.FloatRange(min=0, min_open=True), help="Training tokens of one step."
)
@click.option(
    "--every",
    default=30.0,
    show_default=True,
    type=click.FloatRange(min=0.01),
    help="Seconds between looks at DIR.",
)
@click.option(
    "--settle",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Seconds for which files must not change.",
)
@click.option(
    "--patience",
    default=600.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Seconds before a checkpoint that is not whole is named.",
)
@click.option("--newest-first", is_flag=True, help="Take the newest checkpoint first.")
@click.option("--once", is_flag=True, help="Evaluate what is there and end.")
@click.option("--until", type=click.FloatRange(min=0), metavar="STEP", help="End after this step.")
@click.option(
    "--idle", type=click.FloatRange(min=0), metavar="SECONDS", help="End when nothing comes for so long."
)
@click.option(
    "--webhook",
    default="",
    metavar="URL",
    envvar="SALTUS_WEBHOOK",
    show_envvar=True,
    help="Post findings, warnings and failures as JSON.",
)
@click.option(
    "--bootstraps", default=1000, show_default=True, type=click.IntRange(min=99), help="Draws a test."
)
@click.option(
    "--alpha",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0, 0.5, min_open=True),
    help="Chance that a run without a jump ever has one announced.",
)
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: one document an event.")
def command(
    folder: str,
    suites: tuple[str, ...],
    arguments: tuple[str, ...],
    tasks: tuple[str, ...],
    metrics: tuple[str, ...],
    limit: int | None,
    epochs: int | None,
    temperature: float | None,
    chat: bool,
    seed: int,
    options: tuple[str, ...],
    name: str,
    family: str,
    pattern: str | None,
    tokenizer: str,
    tokens_per_step: float | None,
    every: float,
    settle: float,
    patience: float,
    newest_first: bool,
    once: bool,
    until: float | None,
    idle: float | None,
    webhook: str,
    bootstraps: int,
    alpha: float,
    store_path: str,
    as_json: bool,
) -> int:
    """Evaluate each checkpoint that lands in DIR, and say at once what is new.

    Half-written checkpoints are waited for. Interrupt it when you like: the same command goes on, and asks
    nothing twice.
    """
    import gc
    from functools import partial
    from pathlib import Path

    import pyarrow as pa

    from saltus.cli.progress import evaluation_panel
    from saltus.monitor.watch import Manner, Settings, watch
    from saltus.tasks import get_suite
    from saltus.tasks.suites.arguments import parse_arguments

    gc.set_threshold(50_000, 20, 100)  # as in `saltus run`
    pa.set_memory_pool(pa.system_memory_pool())
    suite = get_suite(",".join(suites), parse_arguments(arguments)).only(tasks)
    how: dict[str, Any] = {
        "metrics": metrics or None,
        "limit": limit,
        "epochs": epochs,
        "seed": seed,
        "temperature": temperature,
        "chat": chat,
    }
    settings = Settings(
        pattern=pattern,
        name=name,
        family=family,
        tokenizer=tokenizer,
        tokens_per_step=tokens_per_step,
        every=every,
        settle=settle,
        patience=patience,
        newest_first=newest_first,
        once=once,
        until=until,
        idle=idle,
        webhook=webhook,
        manner=Manner(alpha=alpha, bootstraps=bootstraps, seed=seed),
        how=how,
        options=key_values(options),
    )
    with open_store(store_path, create=True) as store:
        if not as_json:
            there = "" if Path(folder).expanduser().is_dir() else ", which is not there yet"
            say(f"Watching {folder}{there}: {len(suite.tasks)} task{'s' if len(suite.tasks) > 1 else ''}.")
        summary = watch(
            folder,
            suite,
            store=store,
            settings=settings,
            say=emit if as_json else show,
            progress=partial(evaluation_panel, quiet=as_json),
        )
    if as_json:
        emit({"summary": summary})
    else:
        _end(summary, store_path)
    return 1 if summary.failed or summary.undelivered else 0


def show(event: WatchEvent) -> None:
    """Print one event: a line, and the first reasons of a finding."""
    where = " ".join(part for part in (event.series, _step(event.step)) if part)
    if event.kind == "checkpoint":
        cost = f"{event.seconds or 0:.1f} s"
        say(f"{_GLYPHS[event.kind]} {where}  {_scores(event.scores)}  ({cost})")
        return
    line = f"{_GLYPHS[event.kind]} {where + ': ' if where else ''}{event.headline}"
    if event.was and event.kind != "withdrawn":
        line += f" (before: {event.was})"
    say(line)
    for reason in event.reasons[:_REASONS]:
        say(f"    {reason}")


def _scores(scores: tuple[TaskScore, ...]) -> str:
    """Scores with an arrow each; those that moved come first where there are too many for a line."""
    chosen = scores
    if len(scores) > _SHOWN:
        chosen = tuple(sorted(scores, key=lambda one: one.moves not in ("up", "down")))[:_SHOWN]
    words = [f"{one.task} {magnitude(one.value)}{_arrow(one)}" for one in chosen]
    more = len(scores) - len(chosen)
    return "  ".join(words) + (f"  and {more} more" if more else "")


def _arrow(one: TaskScore) -> str:
    return f" {_ARROWS[one.moves]}" if one.moves else ""


def _step(step: float | None) -> str:
    return "" if step is None else f"step {step:,.0f}"


def _end(summary: WatchSummary, store_path: str) -> None:
    words = [
        f"{summary.evaluated} checkpoint{'' if summary.evaluated == 1 else 's'} evaluated",
        f"{summary.known} known before" if summary.known else "",
        f"{summary.findings} jump{'' if summary.findings == 1 else 's'} announced",
        f"{summary.warnings} early warning{'s' if summary.warnings > 1 else ''}" if summary.warnings else "",
        f"{summary.failed} problem{'s' if summary.failed > 1 else ''}" if summary.failed else "",
        f"{summary.undelivered} not delivered yet" if summary.undelivered else "",
    ]
    say(f"{', '.join(word for word in words if word)}; {summary.seconds:.1f} s.")
    if summary.undelivered:
        next_step("the same command, which delivers what the webhook did not take")
    elif summary.evaluated or summary.known:
        next_step(f"saltus report --store {store_path} -o report.html")
    else:
        next_step("saltus watch DIR --suite S without --once, which waits for the first checkpoint")
