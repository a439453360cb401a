"""`saltus validate`: check suites, and say what they would ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from saltus.cli.output import emit, json_option, next_step, say, table
from saltus.records.errors import InputError

if TYPE_CHECKING:
    from saltus.tasks.validate import SuiteReport

_SHOWN = 50  # faults of one suite that people see; --json has a thousand


@click.command("validate")
@click.argument("suites", nargs=-1, metavar="SUITE...")
@click.option(
    "-T",
    "arguments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Argument of a suite or task in Python; repeat it.",
)
@click.option(
    "--schema", "print_schema", is_flag=True, help="Print the JSON schema of a suite file, for editors."
)
@json_option
def command(suites: tuple[str, ...], arguments: tuple[str, ...], print_schema: bool, as_json: bool) -> int:
    """Check each SUITE: a YAML, TOML or Python file, a file of items, or the name of an installed suite.

    Every fault is named with its line, and the exit code is 2 if there is one.
    """
    if print_schema:
        from saltus.tasks.suites import json_schema

        emit(json_schema())
        return 0
    if not suites:
        raise click.UsageError("Name a suite to check, or ask for --schema.", click.get_current_context())
    from saltus.tasks.suites.arguments import parse_arguments
    from saltus.tasks.validate import check_suite

    given = parse_arguments(arguments)
    reports = [check_suite(suite, given) for suite in suites]
    faults = sum(len(report.problems) + report.left_out for report in reports)
    if as_json:
        emit({"valid": not faults, "faults": faults, "suites": reports})
        return 2 if faults else 0
    for report in reports:
        _show(report)
    if faults:
        next_step(f"mend {'this' if faults == 1 else 'these'}, then: saltus validate {' '.join(suites)}")
        return 2
    next_step(f"saltus run {suites[0]} -M MODEL")
    return 0


def _show(report: SuiteReport) -> None:
    if report.tasks:
        count = f"{len(report.tasks)} task" + ("s" if len(report.tasks) > 1 else "")
        say(f"{report.suite}: {count}, {sum(task.items for task in report.tasks):,} items ({report.path})")
        table(
            ("task", "kind", "items", "chance", "metrics", "prompt characters: median", "90 %", "longest"),
            [
                (
                    task.name,
                    task.kind,
                    f"{task.items:,}",
                    task.chance,
                    task.metrics,
                    *_lengths(task.characters),
                )
                for task in report.tasks
            ],
        )
        for task in report.tasks:
            if task.first:
                say(f"{task.name}, first item:")
                say("\n".join(f"    {line}" for line in task.first.splitlines()) + "\n")
    for problem in report.problems[:_SHOWN]:
        error = InputError(problem["message"], path=problem["path"], line=problem["line"])
        click.echo(f"saltus: {error}", err=True)
    more = len(report.problems) - _SHOWN + report.left_out
    if more > 0:
        click.echo(f"saltus: and {more:,} other faults in {report.path}", err=True)


def _lengths(lengths: Any) -> tuple[Any, Any, Any]:
    return (None, None, None) if lengths is None else (lengths.median, lengths.p90, lengths.max)
