"""`saltus label`: draw responses for people to review, label them, measure agreement, score by labels."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Any, Literal

import click

from saltus.cli.output import emit, json_option, next_step, open_store, say, store_option, table

if TYPE_CHECKING:
    from saltus.evals.labelling.queue import Queue
    from saltus.evals.labelling.status import QueueStatus

_LOOPBACK = "127.0.0.1"
_RULES = click.Choice(["majority", "mean"])


@click.group("label")
def command() -> None:
    """Review responses by people: draw a queue, label it blind, score by the labels."""


@command.command("queue")
@click.argument("run", metavar="RUN")
@click.option("--question", default="correct", show_default=True, help="correct, a rubric's name or file.")
@click.option("--task", "tasks", multiple=True, help="Only this task; repeat it.")
@click.option("--model", "-M", "models", multiple=True, help="Only this model; repeat it.")
@click.option("--metric", "-m", "metrics", multiple=True, help="Whose scores say what is close to call.")
@click.option(
    "--threshold", default=0.5, show_default=True, help="Of a metric's range, where it is closest to call."
)
@click.option("--size", default=100, show_default=True, type=click.IntRange(min=1), help="Items.")
@click.option(
    "--raters", default=2, show_default=True, type=click.IntRange(min=1), help="Answers each item needs."
)
@click.option(
    "--by", default="borderline,risk,random", show_default=True, help="Parts, with shares as in risk=0.5."
)
@click.option("--reference/--no-reference", default=None, help="Show raters the right answer, or not.")
@click.option("--seed", default=0, show_default=True, help="Of the draw.")
@store_option
@json_option
def queue_(
    run: str,
    question: str,
    tasks: tuple[str, ...],
    models: tuple[str, ...],
    metrics: tuple[str, ...],
    threshold: float,
    size: int,
    raters: int,
    by: str,
    reference: bool | None,
    seed: int,
    store_path: str,
    as_json: bool,
) -> int:
    """Draw a queue from RUN (an id, first letters of one, or last): borderline, risky and random items."""
    from saltus.evals.labelling.draw import read_shares
    from saltus.evals.labelling.question import find_question
    from saltus.evals.labelling.queue import Wanted, make_queue

    wanted = Wanted(
        models=models,
        tasks=tasks,
        metrics=metrics,
        threshold=threshold,
        size=size,
        raters=raters,
        shares=read_shares(by),
        seed=seed,
    )
    with open_store(store_path) as store:
        queue = make_queue(store, run, find_question(question, target=reference), wanted, actor=_user())
    if as_json:
        emit(queue)
        return 0
    say(
        f"Queue {queue.id}: {len(queue.items)} responses of run {queue.run}, {queue.raters} "
        f"{'answers' if queue.raters > 1 else 'answer'} each."
    )
    table(("part", "items", "why"), _parts(queue))
    next_step(f"saltus label serve --store {store_path}   (or: saltus label next --rater {_user()})")
    return 0


@command.command("next")
@click.argument("queue_id", metavar="[QUEUE]", default="last")
@click.option("--rater", required=True, metavar="NAME", help="Who labels.")
@click.option("--disputed", is_flag=True, help="Only what other raters disagree on.")
@click.option("--item", type=int, help="Label this item and end; with --mark or --skip.")
@click.option("--mark", metavar="MARK", help="A mark of the question, or none where it cannot be told.")
@click.option("--skip", metavar="REASON", help="Leave the item to others.")
@store_option
@json_option
def next_(
    queue_id: str,
    rater: str,
    disputed: bool,
    item: int | None,
    mark: str | None,
    skip: str | None,
    store_path: str,
    as_json: bool,
) -> int:
    """Label QUEUE (by default the last one) in the terminal; stop and go on whenever you like.

    With --json it prints the next item, as blind as the terminal is, and ends; --item with --mark or --skip
    labels one item.
    """
    from saltus.cli.label_terminal import label_here, label_one, show_one
    from saltus.evals.labelling.queue import find_queue
    from saltus.evals.labelling.session import Session

    with open_store(store_path) as store:
        session = Session(store, find_queue(store, queue_id), rater, disputed=disputed)
        if item is not None or mark is not None or skip is not None:
            label_one(session, item, mark, skip)
        if as_json:
            emit(show_one(store, session))
        elif item is None:
            label_here(store, session)
        progress, queue = session.progress(), session.queue
    if not as_json:
        say(f"{progress.labelled} labelled, {progress.skipped} skipped, {progress.left} wait for {rater}.")
        again = f"saltus label next {queue.id} --rater {rater} --store {store_path}"
        next_step(again if progress.left else f"saltus label status {queue.id} --store {store_path}")
    return 0


@command.command("serve")
@click.option("--host", default=_LOOPBACK, show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8750, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--token", envvar="SALTUS_TOKEN", help="What raters show; made up where one is needed.")
@store_option
@json_option
def serve(host: str, port: int, token: str | None, store_path: str, as_json: bool) -> int:
    """Label in the browser. Listens on this machine only; anywhere else raters need the token."""
    from saltus.report.label_web import bind, make_app, run_app

    with open_store(store_path) as store, bind(host, port) as listener:
        guarded = make_app(store, listener, token=token)
        if as_json:
            emit({"url": guarded.url})
        else:
            say(f"Label at {guarded.url}   (Ctrl-C ends; every label is kept at once)")
        run_app(guarded, listener)
    return 0


@command.command("status")
@click.argument("queue_id", metavar="[QUEUE]", required=False)
@click.option("--rule", type=_RULES, help="How several marks become one value.")
@click.option("--adjudicator", default="", metavar="NAME", help="Whose mark decides a dispute.")
@click.option("--level", default=0.95, show_default=True, type=click.FloatRange(0.5, 0.999), help="Coverage.")
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@store_option
@json_option
def status(
    queue_id: str | None,
    rule: Literal["majority", "mean"] | None,
    adjudicator: str,
    level: float,
    seed: int,
    store_path: str,
    as_json: bool,
) -> int:
    """Show who is how far, agreement, disputes, and what QUEUE says of the run; without QUEUE all queues."""
    from saltus.evals.labelling.queue import find_queue, load_queues
    from saltus.evals.labelling.status import queue_status

    with open_store(store_path) as store:
        queues = load_queues(store) if queue_id is None else [find_queue(store, queue_id)]
        found = [
            queue_status(store, queue, rule=rule, adjudicator=adjudicator, level=level, seed=seed)
            for queue in queues
        ]
    if as_json:
        emit(found[0] if queue_id is not None else {"queues": found})
    elif queue_id is None and len(found) != 1:
        table(
            ("queue", "run", "question", "items", "complete", "settled", "disputed", "raters"),
            (
                (one.queue, one.run, one.question, one.items, one.complete, one.settled, len(one.disputes),
                 ", ".join(rater.rater for rater in one.progress))
                for one in found
            ),
        )  # fmt: skip
        next_step(f"saltus label status {found[-1].queue}" if found else "saltus label queue last")
    else:
        _show(found[0], store_path)
    return 0


@command.command("export")
@click.argument("queue_id", metavar="[QUEUE]", default="last")
@click.option("--output", "-o", required=True, metavar="FILE", help=".csv, .parquet or .jsonl")
@store_option
@json_option
def export(queue_id: str, output: str, store_path: str, as_json: bool) -> int:
    """Write the labels of QUEUE, one row a rater and item, with the weights of the draw."""
    from saltus.evals.labelling.export import label_rows, write_labels
    from saltus.evals.labelling.queue import find_queue

    with open_store(store_path) as store:
        queue = find_queue(store, queue_id)
        rows = label_rows(store, queue)
    write_labels(rows, output)
    if as_json:
        emit({"queue": queue.id, "labels": rows.num_rows, "path": output})
        return 0
    say(f"{rows.num_rows} labels of queue {queue.id} in {output}.")
    next_step(f"saltus label apply {queue.id} --store {store_path}")
    return 0


@command.command("apply")
@click.argument("queue_id", metavar="[QUEUE]", default="last")
@click.option("--metric", default="", metavar="NAME", help="Name of the scores; human_correct, human_RUBRIC.")
@click.option("--rule", type=_RULES, help="How several marks become one value.")
@click.option("--adjudicator", default="", metavar="NAME", help="Whose mark decides alone.")
@click.option("--least", type=click.IntRange(min=1), help="Answers an item must have; all of its raters.")
@click.option("--random-only", is_flag=True, help="Only what was drawn at random.")
@click.option("--per-rater", is_flag=True, help="Also score NAME:RATER for each rater.")
@store_option
@json_option
def apply(
    queue_id: str,
    metric: str,
    rule: Literal["majority", "mean"] | None,
    adjudicator: str,
    least: int | None,
    random_only: bool,
    per_rater: bool,
    store_path: str,
    as_json: bool,
) -> int:
    """Write the labels of QUEUE as scores of its run; the same call again adds nothing."""
    from saltus.evals.labelling.apply import Applying, apply_labels
    from saltus.evals.labelling.queue import find_queue

    how = Applying(
        metric=metric,
        rule=rule,
        adjudicator=adjudicator,
        least=least,
        random=random_only,
        per_rater=per_rater,
    )
    with open_store(store_path) as store:
        summary = apply_labels(store, find_queue(store, queue_id), how)
    if as_json:
        emit(summary)
    else:
        names = ", ".join(summary.metrics) or "nothing"
        say(
            f"Run {summary.run}: {names}; {summary.added} scores added, {summary.present} were there, "
            f"{summary.unsettled} items not settled."
        )
        if summary.selected:
            say(
                f"{summary.selected} of the items were sought out, not drawn at random: the plain mean of "
                "these scores is not that of the run. `saltus label status` has the weighted one."
            )
        if summary.changed:
            click.echo(
                f"saltus: the labels of {len(summary.changed)} items changed after they were applied "
                f"({_some(summary.changed)}), and their scores stay; apply under another --metric",
                err=True,
            )
        next_step(
            f"saltus score {summary.run} -m METRIC --labels {(summary.metrics or ['human_correct'])[0]}"
        )
    return 1 if summary.changed else 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run a user that has no name
        return f"user{os.getuid()}"


def _parts(queue: Queue) -> list[tuple[Any, ...]]:
    rows = []
    for part in ("borderline", "risk", "random"):
        items = [item for item in queue.items if item.part == part]
        reasons = sorted({item.reason for item in items})
        more = ", ..." if len(reasons) > 4 else ""
        rows.append((part, len(items), ", ".join(reasons[:4]) + more))
    return rows


def _show(found: QueueStatus, store_path: str) -> None:
    say(
        f"Queue {found.queue} of run {found.run}, question {found.question}: {found.complete} of "
        f"{found.items} items have {found.raters} answers, {found.settled} are settled, "
        f"{len(found.disputes)} disputed."
    )
    if found.progress:
        table(
            ("rater", "labelled", "can't tell", "skipped"),
            ((one.rater, one.labelled, one.cannot_tell, one.skipped) for one in found.progress),
        )
    alpha = found.alpha
    if alpha.value is None:
        say("Krippendorff's alpha: not defined yet (it needs items with two marks, and more than one mark).")
    else:
        bounds = "" if alpha.low is None else f" [{alpha.low:.2f}, {alpha.high:.2f}]"
        say(f"Krippendorff's alpha: {alpha.value:.2f}{bounds} over {alpha.items} items.")
    if found.disputes:
        table(
            ("item", "task", "sample", "model", "marks"),
            (
                (one.item, one.task, one.sample, one.model, _marks(one.marks))
                for one in found.disputes[:20]
            ),
            title=f"Disputed{': first 20' if len(found.disputes) > 20 else ''}",
        )  # fmt: skip
    if found.settled:
        table(
            ("model", "task", "labelled", "of", "weighted mean", "unweighted"),
            (
                (one.model, one.task, one.mean.n, one.mean.size, _mean(one.mean), one.unweighted)
                for one in found.means
            ),
        )
    flag = f" --store {store_path}"
    if found.disputes:
        next_step(f"saltus label next {found.queue} --rater ADJUDICATOR --disputed{flag}")
    else:
        next_step(f"saltus label {'apply' if found.settled else 'serve'}{flag}")


def _mean(mean: Any) -> str:
    if mean.value is None:
        return "– (nothing of the random part is labelled)"
    return f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def _marks(marks: dict[str, int]) -> str:
    return ", ".join(f"{rater} {mark}" for rater, mark in marks.items())


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
