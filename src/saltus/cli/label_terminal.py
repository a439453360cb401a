"""Labelling in the terminal: one item on the screen, one key an answer. Piped input is read line by line."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.output import console, say
from saltus.evals.labelling.view import View, view_item
from saltus.records.errors import UsageError

if TYPE_CHECKING:
    from saltus.evals.labelling.question import Question
    from saltus.evals.labelling.session import Session
    from saltus.store import Store

# Everything that moves the cursor, changes colours or reorders text: an answer may not repaint the screen.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNTOLD = ("none", "c")


def label_one(session: Session, item: int | None, mark: str | None, skip: str | None) -> None:
    """Record one label that was given on the command line.

    Raises:
        UsageError: The options do not fit together, or the mark is none.
    """
    if item is None or (mark is None) == (skip is None):
        raise UsageError("to label one item give --item N and one of --mark and --skip", field="item")
    if skip is not None:
        session.skip(item, skip)
        return
    session.answer(item, read_mark(str(mark)))


def show_one(store: Store, session: Session) -> dict[str, Any]:
    """The next item as a document, blind; `item` is None when nothing waits."""
    number, question = session.next(), session.queue.question
    view = view_item(store, session.queue, session.queue.item(number)) if number is not None else None
    return {
        "queue": session.queue.id,
        "rater": session.rater,
        "progress": session.progress(),
        "criteria": question.criteria,
        "options": question.options,
        "item": number,
        "view": view,
    }


def label_here(store: Store, session: Session) -> None:
    """Show item after item until nothing waits or the rater stops."""
    question = session.queue.question
    back: int | None = None
    while True:
        number = back or session.next()
        back = None
        if number is None:
            say("Nothing waits.")
            return
        _show(session, view_item(store, session.queue, session.queue.item(number)))
        word = _ask(question)
        match word:
            case "q":
                return
            case "u":
                back = session.undo()
                if back is None:
                    say("There is nothing to take back.")
            case _ if word.startswith("s"):
                reason = word[1:].strip() or _reason()
                if reason:
                    session.skip(number, reason)
            case _:
                keys = {option.key: option.mark for option in question.options}
                session.answer(number, keys[word])


def read_mark(text: str) -> int | None:
    """A mark from the command line; None for `none`.

    Raises:
        UsageError: It is no number.
    """
    if text in _UNTOLD:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise UsageError(
            f"--mark is {text!r}; give a whole number, or none where it cannot be told", field="mark"
        ) from error


def plain(text: str) -> str:
    r"""Text without what a terminal would obey.

    Examples:
        >>> plain("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _show(session: Session, view: View) -> None:
    from rich.rule import Rule
    from rich.text import Text

    screen = console()
    progress = session.progress()
    if sys.stdout.isatty():
        screen.clear()
    done = progress.labelled + progress.skipped
    screen.print(Rule(f"{session.rater}: {done} done, {progress.left} left", align="left"))
    screen.print(Text(session.queue.question.criteria, "dim"))
    parts = [
        ("System prompt", view.system),
        ("Tools", view.tools),
        ("Question", view.question),
        ("Choices", "\n".join(view.choices)),
        ("Answer", view.answer),
        ("Right answer", view.reference or ""),
    ]
    for title, text in parts:
        if text:
            screen.print(Text(f"\n{title}", "bold"))
            screen.print(Text(plain(text)))


def _ask(question: Question) -> str:
    """A key that means something; `q` when the input ends."""
    keys = [option.key for option in question.options]
    say()
    say("  ".join(f"[{option.key}] {option.text}" for option in question.options))
    say("[s] skip  [u] undo  [q] stop")
    while True:
        word = _read()
        if word in (*keys, "q", "u") or word.startswith("s"):
            return word
        say(f"There is no {plain(word)!r} here; press one of {' '.join(keys)} s u q.")


def _read() -> str:
    """One key of a terminal, or one line of anything else; Ctrl-D and the end of input stop."""
    if sys.stdin.isatty():
        try:
            key = click.getchar()
        except EOFError:
            return "q"
        return "q" if key in ("\x04", "\x1b") else key.lower()
    line = sys.stdin.readline()
    return line.strip() if line else "q"


def _reason() -> str:
    if not sys.stdin.isatty():
        say("A skipped item needs a reason: write it behind the s.")
        return ""
    return str(click.prompt("Why? (empty goes back)", default="", show_default=False)).strip()
