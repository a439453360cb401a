"""Every verb and option stands in the command-line reference, and nothing there does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from saltus.cli.app import VERBS, root

DOCS = Path(__file__).resolve().parents[1] / "docs"
REFERENCE = (DOCS / "cli.md").read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(root)
    for verb in root.list_commands(context):
        command = root.get_command(context, verb)
        assert command is not None
        if isinstance(command, click.Group):
            for name, child in command.commands.items():
                yield f"{verb} {name}", child
        else:
            yield verb, command


@pytest.mark.parametrize(("verb", "command"), [pytest.param(v, c, id=v) for v, c in commands()])
def test_verb_and_its_options_are_in_the_reference(verb: str, command: click.Command) -> None:
    match = re.search(
        rf"^## `saltus {re.escape(verb)}`$(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL
    )
    assert match, f"docs/cli.md has no section '## `saltus {verb}`'"
    section = match.group(1)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for name in parameter.opts:
                assert f"`{name}" in section, f"docs/cli.md, saltus {verb}: option {name} is missing"


def test_every_section_is_a_verb() -> None:
    known = {verb for verb, _ in commands()}
    assert set(re.findall(r"^## `saltus ([^`]+)`$", REFERENCE, re.MULTILINE)) == known


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_line_is_a_sentence(verb: str) -> None:
    assert VERBS[verb][1].endswith(".")


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md"]
    for page in pages:
        for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
