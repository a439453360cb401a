"""`saltus report`: one self-contained HTML file from the recorded findings and the evidence behind them."""

from __future__ import annotations

import click

from saltus.cli.output import emit, json_option, open_store, say, store_option
from saltus.records.errors import UsageError


@click.command("report")
@click.option(
    "-o", "--output", default="report.html", show_default=True, metavar="FILE", help="Where to write it."
)
@click.option("--samples", default=20, show_default=True, type=click.IntRange(min=0), help="Samples a point.")
@click.option("--title", help="Title of the report.")
@store_option
@json_option
def command(output: str, samples: int, title: str | None, store_path: str, as_json: bool) -> int:
    """Write one HTML file that opens from disk: verdicts, charts, tables, and the samples behind them."""
    from saltus.cli.robust import compare
    from saltus.report import write_report
    from saltus.store import load_explanations, load_findings

    with open_store(store_path) as store:
        findings = load_findings(store)
        explanations = load_explanations(store)
        if not findings and not explanations:
            raise UsageError(
                f"{store_path} has no findings yet; run `saltus detect --store {store_path}` first."
            )
        table = compare(store)
        info = write_report(store, findings, output, samples=samples, title=title, robustness=table)
    if as_json:
        emit(info)
    else:
        many = "" if len(explanations) == 1 else "s"
        explained = f", {len(explanations)} explanation{many}" if explanations else ""
        size = f"{info.bytes / 1e6:.1f} MB"
        say(f"{output}: {len(findings)} findings{explained}, {size}. Open it in any browser.")
    return 0
