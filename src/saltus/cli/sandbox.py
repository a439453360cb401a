"""`saltus sandbox`: which sandbox works on this machine, and everything it was tried against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from saltus.cli.output import emit, json_option, next_step, say, table
from saltus.records.errors import SandboxError

if TYPE_CHECKING:
    from saltus.tasks.sandbox import SelfTest


@click.command("sandbox")
@click.option(
    "--kind",
    type=click.Choice(["bubblewrap", "runsc", "landlock"]),
    help="Test this kind only.",
)
@click.option("--all", "every", is_flag=True, help="Test every kind, and not only until one holds.")
@json_option
def command(kind: Any, every: bool, as_json: bool) -> int:
    """Try to get out of the sandbox in which code of models is run, in every way Saltus knows.

    The first kind that holds is the one in use; the exit code is 4 when none does.
    """
    from saltus.tasks.sandbox import KINDS

    tested: list[SelfTest] = []
    unusable: dict[str, str] = {}
    for one in (kind,) if kind else KINDS:
        try:
            tested.append(KINDS[one]().self_test())
        except SandboxError as error:
            unusable[one] = error.message
        if tested and tested[-1].passed and not every:
            break
    used = next((test.kind for test in tested if test.passed), None)
    if as_json:
        emit({"kind": used, "tested": [test.as_dict() for test in tested], "unusable": unusable})
    else:
        for test in tested:
            _show(test)
        for one, why in unusable.items():
            say(f"{one}: {why}\n")
        if used:
            say(f"Code of models is run in {used}.")
            next_step("saltus run code -M MODEL")
        else:
            say("No sandbox works here, so code of models is not run.")
            next_step("apt-get install bubblewrap && saltus sandbox")
    return 0 if used else 4


def _show(test: SelfTest) -> None:
    who = "root" if test.user == 0 else f"user {test.user}"
    say(f"{test.kind} {test.version}, {test.python}, {test.system}, started by {who}")
    table(
        ("tried", "", "seen"),
        [(one.name.replace("_", " "), "held" if one.held else "NOT HELD", one.seen) for one in test.checks],
    )
