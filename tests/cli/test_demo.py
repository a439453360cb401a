"""The demo says what is known to be true of the embedded family, from a live evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from saltus.cli import main

Findings = dict[tuple[str, str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The demo, run once in full; its folder and its JSON document."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("demo")
    capture = pytest.MonkeyPatch()
    documents: list[Any] = []
    capture.setattr("saltus.cli.demo.emit", documents.append)
    try:
        code = main(
            ["demo", "--store", str(folder / "evidence"), "-o", str(folder / "report.html"), "--json"]
        )
    finally:
        capture.undo()
    assert code == 0
    import msgspec

    (document,) = documents
    return folder, json.loads(msgspec.json.encode(document))


@pytest.fixture(scope="module")
def findings(demo: tuple[Path, dict[str, Any]]) -> Findings:
    return {(f["task"], f["axis"], f["series"]): f for f in demo[1]["findings"]}


def test_every_sample_was_scored(demo: tuple[Path, dict[str, Any]]) -> None:
    run = demo[1]["run"]
    assert run["failed"] == 0
    assert run["samples"] == 46 * 8 * 256


def test_recall_is_a_breakthrough_by_step(findings: Findings) -> None:
    finding = findings["recall", "step", "tiro-2x64"]
    assert finding["verdict"] == "emergent"
    assert finding["artifact"] == "jump_persists"
    assert 400 <= finding["onset"]["low"] <= finding["onset"]["high"] <= 550
    assert finding["rise"]["low"] > 0.5


def test_recall_is_explained(demo: tuple[Path, dict[str, Any]], findings: Findings) -> None:
    (one,) = demo[1]["explanations"]
    assert (one["model"], one["before"], one["verdict"]) == (
        "tiro-2x64@step2000",
        "tiro-2x64@step450",
        "carried",
    )
    assert one["finding"] == findings["recall", "step", "tiro-2x64"]["id"]
    assert {(role["component"], role["role"]) for role in one["roles"]} >= {
        ("L0H1", "previous_token"),
        ("L1H0", "induction"),
    }
    assert one["circuit"]["necessary"] == ["L1H0"]
    assert one["circuit"]["removed"]["value"] <= 0.2
    assert one["circuit"]["random"]["value"] >= 0.9
    assert "L0H1 into the keys of L1H0" in one["text"]
    assert "stood at" in one["text"]
    patched = {
        effect["component"]: effect["effect"]
        for effect in one["effects"]
        if effect["method"] == "activation_patching"
    }
    assert patched["L1H0"] >= 0.9
    facts = [e for e in one["effects"] if e["task"] == "facts" and e["component"] == "L1H0"]
    assert all(effect["baseline"] + effect["effect"] >= 0.95 for effect in facts[:1])
    assert facts


def test_recall_is_a_breakthrough_by_depth(findings: Findings) -> None:
    finding = findings["recall", "layers", ""]
    assert finding["verdict"] == "emergent"
    assert finding["artifact"] == "jump_persists"
    assert 1 <= finding["onset"]["low"] <= finding["onset"]["high"] <= 2


def test_the_control_is_named_as_the_model_that_breaks_the_parameter_axis(findings: Findings) -> None:
    finding = findings["recall", "params", ""]
    assert finding["verdict"] == "emergent"
    assert finding["artifact"] == "jump_persists"
    assert any("1x48" in reason for reason in finding["reasons"])
    assert any("layers" in reason for reason in finding["reasons"])
    assert [point["model"] for point in finding["points"] if not point["used"]] == ["tiro-1x48@step2000"]


def test_the_control_never_gets_recall(findings: Findings) -> None:
    assert findings["recall", "step", "tiro-1x48"]["verdict"] in (
        "not_above_chance",
        "gradual",
        "no_change",
        "below_threshold",
    )


def test_recite_is_the_metric(findings: Findings) -> None:
    finding = findings["recite", "step", "tiro-2x64"]
    assert finding["verdict"] == "emergent"
    assert finding["artifact"] in ("metric_artifact", "metric_explained")


@pytest.mark.parametrize(("axis", "series"), [("step", "tiro-2x64"), ("params", "")])
def test_facts_are_gradual(findings: Findings, axis: str, series: str) -> None:
    assert findings["facts", axis, series]["verdict"] == "gradual"


@pytest.mark.parametrize(("axis", "series"), [("step", "tiro-2x64"), ("params", "")])
def test_parity_is_flat_at_chance(findings: Findings, axis: str, series: str) -> None:
    assert findings["parity", axis, series]["verdict"] in ("not_above_chance", "no_change")


@pytest.mark.parametrize(("axis", "series"), [("step", "tiro-2x64"), ("params", "")])
def test_override_declines(findings: Findings, axis: str, series: str) -> None:
    assert findings["override", axis, series]["verdict"] == "declining"


def test_every_finding_has_reasons_and_leads_to_its_points(findings: Findings) -> None:
    for finding in findings.values():
        assert finding["reasons"]
        assert finding["points"]
        assert finding["headline"]


def test_a_second_demo_asks_nothing(
    demo: tuple[Path, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    folder, first = demo
    assert main(["run", "family", "--series", "family", "--store", str(folder / "evidence"), "--json"]) == 0
    second = json.loads(capfd.readouterr().out)
    assert second["requests"] == 0
    assert second["run"] == first["run"]["run"]


def test_the_report_is_one_file_without_addresses(demo: tuple[Path, dict[str, Any]]) -> None:
    page = (demo[0] / "report.html").read_text(encoding="utf-8")
    assert "recall" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_the_terminal_says_reasons_then_the_table_the_report_and_the_next_command(
    demo: tuple[Path, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    folder, _ = demo
    assert main(["demo", "--store", str(folder / "evidence"), "-o", str(folder / "again.html")]) == 0
    text = capfd.readouterr().out
    words, _, rest = text.partition("q trend/accel/sharp")
    assert "tiro-1x48 (recorded as a control)" in words
    assert " facts rises gradually" in words
    assert "curves with a rate that never rises explain it" in words
    assert "▼ override declines" in words
    assert "(90 % interval of the change" in words
    assert rest.index("again.html") < rest.index("Next: saltus")
