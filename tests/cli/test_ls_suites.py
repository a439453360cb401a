"""`saltus ls suites`: what is installed, with the broken ones named."""

from __future__ import annotations

import json

import pytest

from saltus.cli import main


def test_the_built_in_suites_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "suites", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["suites"]}
    assert {"family", "arithmetic", "needle", "word-problems"} <= set(rows)
    assert rows["arithmetic"]["items"] == 800
    assert rows["arithmetic"]["tasks"][0] == "arithmetic-addition"
    assert rows["arithmetic"]["made_by"] == "saltus.tasks.builtin.arithmetic:suite"
    assert not any(row["error"] for row in rows.values())
    assert all(row["description"].endswith(".") or row["description"].endswith("?") for row in rows.values())


def test_people_see_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "suites"]) == 0
    shown = capsys.readouterr().out
    assert "arithmetic" in shown
    assert shown.rstrip().splitlines()[-1] == "Next: saltus validate ambiguous"


def test_a_suite_that_cannot_be_made_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    declared = {"arithmetic": "saltus.tasks.builtin.arithmetic:suite", "nowhere": "no.such:suite"}
    monkeypatch.setattr("saltus.tasks.registry.declared_suites", lambda: declared)
    assert main(["ls", "suites", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["suites"]
    assert [row["name"] for row in rows] == ["arithmetic", "nowhere"]
    assert "nowhere" in rows[1]["error"]
