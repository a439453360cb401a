"""`saltus demo`: the whole pipeline on the embedded family, in the order a user would call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from saltus.cli.output import emit, json_option, next_step, open_store, say, store_option

if TYPE_CHECKING:
    from saltus.interpret.explanation import Explained
    from saltus.records.findings import Finding
    from saltus.store import Store
    from saltus.tasks import Suite

AXES = ("step", "layers", "params")


@click.command("demo")
@click.option("-o", "--output", default="report.html", show_default=True, metavar="FILE", help="The report.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many samples a task.")
@store_option
@json_option
def command(output: str, limit: int | None, store_path: str, as_json: bool) -> int:
    """Evaluate the embedded models live, detect, forecast, explain, and write a report; a minute or two."""
    from saltus.cli.detect import explain, show
    from saltus.cli.explain import GLYPHS, document
    from saltus.cli.progress import evaluation_panel
    from saltus.emergence import detect_all
    from saltus.emergence.forecast import forecast_all
    from saltus.emergence.timeline import timelines
    from saltus.emergence.warning import early_warnings
    from saltus.evals import evaluate
    from saltus.family import series
    from saltus.report import write_report
    from saltus.store import Items, record_findings, record_forecasts, record_timelines, record_warnings
    from saltus.tasks import get_suite

    suite = get_suite("family")
    models = series(seed=0)
    with open_store(store_path, create=True) as store:
        if not as_json:
            say(
                f"Evaluating {len(models)} checkpoints of the embedded family on {len(suite.tasks)} tasks ..."
            )
        with evaluation_panel(quiet=as_json) as progress:
            summary = evaluate(models, suite, store=store, limit=limit, progress=progress)
        if not as_json:
            say(
                f"{summary.samples:,} samples, {summary.requests:,} requests, {summary.cached:,} cached, "
                f"{summary.seconds:.0f} s."
            )
        points, items = store.points(family="tiro"), Items(store)
        findings = [finding for axis in AXES for finding in detect_all(points, axis=axis, items=items)]
        record_findings(store, findings)
        record_timelines(store, timelines(points))
        record_warnings(store, early_warnings(points))
        record_forecasts(store, forecast_all(points, axis="params"))
        explained = _explained(store, findings, suite)
        info = write_report(store, findings, output, title="The embedded family")
    if as_json:
        told = [document(one) for one in explained]
        emit({"run": summary, "findings": findings, "explanations": told, "report": info})
        return 1 if summary.failed else 0
    say()
    explain(findings)
    say()
    show(findings)
    for one in explained:
        say(f"\n{GLYPHS[one.explanation.verdict]} {one.explanation.headline}")
    for problem in summary.problems:
        click.echo(f"saltus: {problem}", err=True)
    say(f"\nReport: {output} ({info.bytes / 1e6:.1f} MB), opens in any browser.")
    next_step(f"saltus ls findings --store {store_path}")
    return 1 if summary.failed else 0


def _explained(store: Store, findings: Sequence[Finding], suite: Suite) -> list[Explained]:
    """What carries recall, whose jump is in the model and not in the metric; one is enough here."""
    from saltus.cli.explain import explain_finding

    return [
        explain_finding(store, finding, suite)
        for finding in findings
        if (finding.task, finding.axis, finding.artifact) == ("recall", "step", "jump_persists")
    ]
