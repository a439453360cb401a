"""Exports in lm-evaluation-harness's layout: our importer reads them back, and the keys are the harness's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.evals.exporters import export_run
from saltus.evals.importers import import_results
from saltus.store import Store

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "lm_eval" / "current"


def document(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("results_*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_importing_it_again_gives_the_same_scores(store: Store, run: str, tmp_path: Path) -> None:
    result = export_run(run, "lm-eval", tmp_path / "out", store=store)
    assert (result.rows, len(result.files)) == (70, 6)
    assert result.notes == ()
    with saltus.open(tmp_path / "again") as other:
        again = import_results("lm-eval", tmp_path / "out", store=other)
        assert (again.failed, again.models, again.tasks) == ((), 2, 3)
        key = ("model", "task", "metric", "variant")
        found, given = (
            {tuple(p[name] for name in key): p for p in opened.points().to_pylist()}
            for opened in (other, store)
        )
        assert found.keys() == given.keys()
        for name, point in given.items():
            assert found[name]["value"] == pytest.approx(point["value"])
            assert found[name]["n"] == point["n"]
        means = "SELECT sample, metric, variant, avg(value) AS value FROM scores GROUP BY ALL ORDER BY ALL"
        assert other.sql(means).to_pylist() == store.sql(means).to_pylist()


def test_the_layout_is_the_harness_s(store: Store, run: str, tmp_path: Path) -> None:
    export_run(run, "lm-eval", tmp_path, store=store)
    folder = tmp_path / "org__net@step10"
    real = next(GOLDEN.glob("*step550"))
    ours, theirs = document(folder), document(real)
    assert {
        "results",
        "configs",
        "versions",
        "n-shot",
        "higher_is_better",
        "n-samples",
        "config",
    } <= ours.keys()
    assert ours.keys() - theirs.keys() == {"saltus_version", "saltus_run"}
    assert ours["config"]["model_args"] == "pretrained=org/net,revision=step10"
    assert ours["results"]["pick"]["choice_correct,none"] == pytest.approx(2 / 3)
    assert ours["higher_is_better"]["sums: easy"] == {"exact_match": True, "target_logprob": True}
    metrics = {"exact_match", "target_logprob", "choice_correct"}
    for mine, other in (
        ("samples_pick_*", "samples_tiro_override_*"),
        ("samples_sums__easy_*", "samples_tiro_recall_*"),
    ):
        (path,) = folder.glob(mine)
        line = json.loads(path.read_text().splitlines()[0])
        given = json.loads(next(real.glob(other)).read_text().splitlines()[0])
        assert line.keys() - metrics == given.keys() - {"acc", "acc_norm", "exact_match"}
        assert [type(line[name]) for name in ("arguments", "resps", "filtered_resps", "metrics")] == [
            dict,
            list,
            list,
            list,
        ]


def test_repeats_are_one_line_with_all_outputs(store: Store, run: str, tmp_path: Path) -> None:
    export_run(run, "lm-eval", tmp_path, store=store)
    (path,) = (tmp_path / "plain").glob("samples_sums__easy_*")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 16
    first, last = lines[0], lines[7]
    assert (first["doc_id"], first["filter"], len(first["resps"][0])) == ("s/0", "none", 2)
    assert (last["doc_id"], len(last["resps"][0])) == ("s/7", 1)  # the other repeat failed
    assert first["target_logprob"] == -0.5
    assert first["doc"]["slices"] == {"cluster": "c0", "hard": "no"}
    assert {line["filter"] for line in lines} == {"none", "typos:rate=0.1"}


def test_what_was_imported_can_be_exported(tmp_path: Path) -> None:
    """Results of the harness go through the store and come out with the same numbers."""
    with saltus.open(tmp_path / "evidence") as store:
        import_results("lm-eval", next(GOLDEN.glob("*step550")), store=store)
        export_run(store.runs()["id"][0].as_py(), "lm-eval", tmp_path / "out", store=store)
    (folder,) = (tmp_path / "out").iterdir()
    ours, theirs = document(folder)["results"], document(next(GOLDEN.glob("*step550")))["results"]
    for task, reported in theirs.items():
        for name, value in reported.items():
            metric, _, variant = name.partition(",")
            if not variant or metric.endswith("_stderr"):
                continue
            variant = "2-shot" if task == "tiro_facts" else variant
            assert ours[task][f"{metric},{variant}"] == pytest.approx(value)
