"""Results of promptfoo, versions 2 and 3 of its format (see tests/golden/promptfoo)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from saltus.evals.importers import import_results
from saltus.store import Store

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "promptfoo"
NEW, OLD = GOLDEN / "0.121.20", GOLDEN / "0.58.0"


def test_counts(store: Store) -> None:
    result = import_results("promptfoo", NEW / "results.json", store=store)
    assert (result.failed, result.models, result.tasks) == ((), 2, 1)
    # Of 24 answers 4 are errors; 20 have pass and score, 16 "right", 8 "length".
    assert result.added == 20 * 2 + 16 + 8
    again = import_results("promptfoo", NEW / "results.json", store=store)
    assert (again.added, again.skipped) == (0, result.added)


def test_means_are_those_that_promptfoo_reports(store: Store) -> None:
    import_results("promptfoo", NEW / "results.json", store=store)
    head = json.loads((NEW / "results.json").read_text())["results"]["prompts"]
    for prompt in head:
        values = {
            row["metric"]: row["total"]
            for row in store.sql(
                "SELECT metric, sum(value) AS total FROM scores WHERE model = ? AND variant = ? GROUP BY ALL",
                [prompt["provider"], prompt["label"]],
            ).to_pylist()
        }
        assert values["score"] == pytest.approx(prompt["metrics"]["score"])
        assert values["pass"] == prompt["metrics"]["testPassCount"]
        assert values["right"] == pytest.approx(prompt["metrics"]["namedScores"]["right"])


def test_repeats_are_epochs_prompts_are_variants_errors_are_failed(store: Store) -> None:
    import_results("promptfoo", NEW / "results.json", store=store)
    rows = store.samples("Capitals", model="answers").to_pylist()
    assert {(row["variant"], row["epoch"]) for row in rows} == {
        (v, e) for v in ("plain", "asked") for e in (0, 1)
    }
    (france, *_) = [row for row in rows if row["target"] == "Paris" and row["variant"] == "asked"]
    assert france["prompt"] == "What is the capital of France?"
    assert france["output"] == "Paris, of course."
    assert (france["prompt_tokens"], france["completion_tokens"], france["cost"]) == (6, 3, 0.0001)
    assert dict(france["scores"]) == {"length": 0.425, "pass": 1, "right": 1, "score": 0.7125}
    assert json.loads(france["extra"]) == {"vars": {"country": "France"}}
    failed = [row for row in rows if row["finish"] == "error"]
    assert [(row["error"], row["scores"]) for row in failed] == [("no such country", None)] * 4
    italy = next(row for row in rows if row["target"] == "Rome")
    assert dict(italy["slices"]) == {"region": "south"}


def test_lines_say_the_same_as_the_document(store: Store, tmp_path: Path) -> None:
    import_results("promptfoo", NEW / "results.jsonl", store=store)
    points = {(p["model"], p["metric"], p["variant"]): p["value"] for p in store.points().to_pylist()}
    import_results("promptfoo", NEW / "results.json", store=store)
    of_document = store.points(task="Capitals").to_pylist()
    assert {(p["model"], p["metric"], p["variant"]): p["value"] for p in of_document} == points


def test_version_2(store: Store) -> None:
    result = import_results("promptfoo", OLD / "results.json", store=store)
    assert (result.failed, result.models, result.added) == ((), 1, 4 * 2 + 4 + 2)
    variants = {p["variant"] for p in store.points().to_pylist()}
    assert variants == {"The capital of {{country}} is", "What is the capital of {{country}}?"}
    assert store.sql("SELECT count(*) AS n FROM responses WHERE finish = 'error'")["n"].to_pylist() == [2]


def test_broken_files_and_rows_are_named(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    shutil.copy(OLD / "results.json", folder / "whole.json")
    (folder / "cut.json").write_text((OLD / "results.json").read_text()[:500])
    lines = (NEW / "results.jsonl").read_text().splitlines()
    (folder / "some.jsonl").write_text("\n".join([lines[0], "{broken", '{"provider": {}}', lines[1]]))
    result = import_results("promptfoo", [folder, folder / "gone.json"], store=store)
    named = sorted((Path(failure.path).name, failure.line) for failure in result.failed)
    assert named == [("cut.json", 1), ("gone.json", None), ("some.jsonl", 2), ("some.jsonl", 3)]
    assert store.sql("SELECT count(*) AS n FROM responses WHERE task = 'some'")["n"].to_pylist() == [2]
