"""`saltus sandbox`."""

from __future__ import annotations

import json

import pytest

from saltus.cli.app import main


def test_it_says_what_was_tried(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox"]) == 0
    said = capsys.readouterr().out
    assert "fork bomb" in said
    assert "NOT HELD" not in said
    assert said.rstrip().splitlines()[-1] == "Next: saltus run code -M MODEL"


def test_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"kind", "tested", "unusable"}
    assert document["tested"][-1]["kind"] == document["kind"]
    assert document["tested"][-1]["passed"] is True


def test_nothing_works_where_nothing_is_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["sandbox", "--kind", "bubblewrap"]) == 4
    said = capsys.readouterr().out
    assert "bwrap is not installed" in said
    assert "apt-get install bubblewrap" in said.splitlines()[-1]
    assert main(["sandbox", "--kind", "bubblewrap", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["kind"] is None


def test_an_unknown_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "--kind", "docker"]) == 2
    assert "bubblewrap" in capsys.readouterr().err
