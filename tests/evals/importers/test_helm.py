"""Run folders of HELM, as helm-run wrote them (see tests/golden/helm)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from saltus.evals.importers import import_results
from saltus.store import Store

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "helm"
RUNS = GOLDEN / "runs"


def run(name: str) -> Path:
    (path,) = (RUNS / "v1").glob(f"{name}_*")
    return path


def test_counts(store: Store) -> None:
    result = import_results("helm", RUNS, store=store)
    assert (result.failed, result.models, result.tasks, result.files) == ((), 2, 4, 16)
    again = import_results("helm", RUNS, store=store)
    assert (again.added, again.skipped) == (0, result.added)


@pytest.mark.parametrize("name", ["simple_mcqa", "tiro_recall", "tiro_override"])
def test_every_mean_of_the_run_is_a_point(store: Store, name: str) -> None:
    import_results("helm", run(name), store=store)
    points = {(p["metric"], p["variant"]): p["value"] for p in store.points().to_pylist()}
    checked = 0
    for stat in json.loads((run(name) / "stats.json").read_text()):
        perturbation = stat["name"].get("perturbation")
        if perturbation and perturbation["computed_on"] != "perturbed":
            continue
        key = (stat["name"]["name"], "typos(prob=0.5)" if perturbation else "")
        if key in points:
            assert points.pop(key) == pytest.approx(stat["mean"])
            checked += 1
    assert checked >= 1
    assert points == {}


def test_generated_answers(store: Store) -> None:
    import_results("helm", run("tiro_recall"), store=store)
    rows = store.samples("tiro_recall:method=generation").to_pylist()
    assert len(rows) == 6
    assert [row["output"] == row["target"] for row in rows] == [True] * 6
    assert dict(rows[0]["scores"]) == {
        "exact_match": 1, "prefix_exact_match": 1, "quasi_exact_match": 1, "quasi_prefix_exact_match": 1,
    }  # fmt: skip
    assert store.models()["id"].to_pylist() == ["tiro-2x64"]


def test_one_request_a_choice_is_one_response(store: Store) -> None:
    import_results("helm", run("tiro_override"), store=store)
    rows = store.samples("tiro_override:method=multiple_choice_separate_original").to_pylist()
    assert len(rows) == 6
    for row in rows:
        assert dict(row["scores"]) == {"exact_match": float(row["output"] == row["target"])}
        assert row["target"] == row["choices"][row["answer"]]
        assert row["chance"] == 0.5


def test_perturbed_instances_are_variants_of_their_sample(store: Store) -> None:
    import_results("helm", run("simple_mcqa"), store=store)
    assert store.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [2]
    rows = store.samples("simple_mcqa").to_pylist()
    assert [row["variant"] for row in rows] == ["", "typos(prob=0.5)"] * 2
    assert all(row["input"] in row["prompt"] for row in rows if not row["variant"])
    assert all(row["input"] not in row["prompt"] for row in rows if row["variant"])


def test_trials_are_epochs_and_what_instances_lack_is_an_aggregate(store: Store) -> None:
    import_results("helm", run("simple1"), store=store)
    rows = store.samples("simple1").to_pylist()
    assert {row["epoch"] for row in rows} == {0, 1, 2}
    metrics = store.sql("SELECT DISTINCT metric FROM aggregates ORDER BY metric")["metric"].to_pylist()
    assert metrics == ["bits_per_byte", "perplexity"]


def test_broken_runs_are_named_and_cost_nothing_else(store: Store, tmp_path: Path) -> None:
    for name, fault in (("cut", "scenario_state.json"), ("bad", "run_spec.json")):
        shutil.copytree(run("tiro_recall"), tmp_path / name)
        path = tmp_path / name / fault
        path.write_text(path.read_text()[:-20])
    shutil.copytree(run("tiro_override"), tmp_path / "failed")
    for path in (tmp_path / "failed").glob("*stats.json"):
        path.unlink()
    shutil.copytree(run("tiro_override"), tmp_path / "whole")
    (tmp_path / "empty").mkdir()
    result = import_results("helm", [tmp_path, tmp_path / "empty", tmp_path / "x.json"], store=store)
    named = {str(Path(failure.path).relative_to(tmp_path)): failure.error for failure in result.failed}
    assert set(named) == {"cut/scenario_state.json", "bad/run_spec.json", "failed", "empty", "x.json"}
    assert "run it again" in named["failed"]
    tasks = {point["task"] for point in store.points().to_pylist()}
    assert "tiro_override:method=multiple_choice_separate_original" in tasks
