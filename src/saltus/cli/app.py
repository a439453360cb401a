"""The root command: finds the verb, runs it, and turns every error into one sentence and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from saltus._version import __version__
from saltus.records.errors import SaltusError

# verb -> (module under saltus.cli, line of help). The help stands here so that `saltus --help` loads no verb.
VERBS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "The whole pipeline on the embedded model family; writes a report."),
    "run": ("run", "Evaluate a series of models on a suite; resumes by itself."),
    "validate": ("validate", "Check suites: every fault with its line, and what would be asked."),
    "import": ("import_", "Bring in what another harness measured."),
    "ls": ("ls", "List models, tasks, runs, findings or installed suites."),
    "sql": ("sql", "Ask the evidence store in SQL."),
    "score": ("score", "Score a stored run by more metrics, or by a judge."),
    "label": ("label", "Have people label responses, blind, and score by what they say."),
    "diff": ("diff", "Compare two runs or models, sample by sample."),
    "export": ("export", "Write a run for lm-eval, Inspect, pandas or polars."),
    "detect": ("detect", "Find the jumps, date them, and doubt them."),
    "timeline": ("timeline", "Date every change along training, and say what changes first."),
    "forecast": ("forecast", "What the next scale will score, with an interval."),
    "watch": ("watch", "Evaluate each checkpoint of a training run as it lands."),
    "explain": ("explain", "Which heads and MLPs carry an ability, and when they formed."),
    "robust": ("robust", "Say how much the scores depend on how the questions are put."),
    "report": ("report", "Write one self-contained HTML file."),
    "family": ("family", "Train, list or find the embedded model family."),
    "sandbox": ("sandbox", "Try the sandbox in which code of models is run."),
    "audit": ("audit", "Check the chain of recorded findings."),
}


class VerbGroup(click.Group):
    """A group whose commands are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order people use them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        command = import_module(f"saltus.cli.{VERBS[cmd_name][0]}").command
        assert isinstance(command, click.Command)  # noqa: S101 - a verb module without a command is our bug
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without loading them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="saltus")
def root() -> None:
    """Find the jumps in what language models can do.

    Every verb takes --store DIR (default: the variable SALTUS_STORE, or ./evidence) and --json.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        Exit code: 0 done, 1 done but something was left out, 2 usage or bad input, 4 could not go on,
        130 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = root.main(args=arguments, prog_name="saltus", standalone_mode=False)
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away, as `head` does; Python would complain about it at exit
        return 0
    except (
        SaltusError,
        click.ClickException,
        click.Abort,
        click.exceptions.Exit,
        KeyboardInterrupt,
    ) as error:
        return _explain(error, as_json="--json" in arguments)
    return code if isinstance(code, int) else 0


def _explain(error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong, in one sentence or one document, and give the exit code."""
    match error:
        case click.exceptions.Exit():  # --help and --version end this way
            return error.exit_code
        case SaltusError():
            _say(error.as_dict(), as_json, str(error))
            return error.exit_code
        case click.ClickException():
            context = getattr(error, "ctx", None)
            mend = f" Try: {context.command_path} --help" if context is not None else ""
            _say({"kind": "usage", "message": error.format_message().rstrip() + mend}, as_json)
            return 2
        case _:
            _say({"kind": "interrupted", "message": "Interrupted; the same command goes on."}, as_json)
            return 130


def _say(error: dict[str, Any], as_json: bool, text: str | None = None) -> None:
    if as_json:
        from saltus.cli.output import emit

        emit({"error": {"path": None, "line": None, "field": None} | error})
    else:
        click.echo(f"saltus: {text or error['message']}", err=True)
