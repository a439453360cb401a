"""Result files of BIG-bench, as its code wrote them (see tests/golden/bigbench)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from saltus.evals.importers import import_results
from saltus.store import Store

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "bigbench"
LOG = GOLDEN / "override" / "results" / "full-log_tiro_2x64.json"


def test_counts_and_the_model(store: Store) -> None:
    result = import_results("bigbench", GOLDEN, store=store)
    assert (result.failed, result.models, result.tasks, result.files, result.notes) == ((), 1, 3, 3, ())
    (model,) = store.models().to_pylist()
    assert (model["id"], model["family"], model["params"]) == ("tiro/2x64", "tiro", 108288)
    again = import_results("bigbench", GOLDEN, store=store)
    assert (again.added, again.skipped) == (0, result.added)


@pytest.mark.parametrize("kind", ["full-log", "scores"])
def test_every_score_of_the_files_is_a_point(store: Store, kind: str) -> None:
    files = sorted(GOLDEN.rglob(f"{kind}_*.json"))
    import_results("bigbench", files, store=store)
    points = {(p["task"], p["metric"], p["variant"]): p for p in store.points().to_pylist()}
    checked = 0
    for file in files:
        for given in json.loads(file.read_text())["scores"]:
            variant = f"{given['number_of_shots']}-shot" if given["number_of_shots"] else ""
            for metric, value in given["score_dict"].items():
                if metric == "normalized_aggregate_score":
                    continue
                point = points[given["subtask_description"], metric, variant]
                assert point["value"] == pytest.approx(value)
                assert kind == "scores" or point["n"] in (15, 16)
                checked += 1
    assert checked == 6
    assert points["override", "multiple_choice_grade", ""]["chance"] == 0.5


def test_one_choice_and_one_generated_sample(store: Store) -> None:
    import_results("bigbench", GOLDEN, store=store)
    (row,) = store.samples("override", sample="0").to_pylist()
    kept = ("input", "target", "choices", "answer", "chance", "output")
    assert [row[name] for name in kept] == ["\n?wh:5\n?wh:", "5", ["5", "2"], 0, 0.5, "2"]
    assert row["choice_logprobs"] == pytest.approx([-17.97386360168457, -0.012417793273925781])
    assert dict(row["scores"]) == {"multiple_choice_grade": 0.0, "target_logprob": -17.97386360168457}
    plain, shots = store.samples("recall", sample="0").to_pylist()
    assert (plain["variant"], plain["output"], plain["target"], plain["prompt"]) == ("", "7", "7", "")
    assert (shots["variant"], shots["output"]) == ("2-shot", "8")
    assert shots["prompt"].endswith(plain["input"])


def test_a_log_that_was_cut_keeps_the_reported_means(store: Store, tmp_path: Path) -> None:
    document = json.loads(LOG.read_text())
    document["scores"][0]["score_dict"]["multiple_choice_grade"] = 0.25
    (tmp_path / "full-log_x.json").write_text(json.dumps(document))
    import_results("bigbench", tmp_path, store=store)
    (point,) = store.points(metric="multiple_choice_grade").to_pylist()
    assert (point["value"], point["n"]) == (0.25, 16)


def test_subtasks_stand_apart(store: Store, tmp_path: Path) -> None:
    document: dict[str, Any] = json.loads(LOG.read_text())
    document.pop("queries")
    document["scores"].append(
        {"score_dict": {"bleu": 12.5, "lost": None}, "preferred_score": "bleu", "number_of_shots": 3,
         "low_score": 0, "high_score": 100, "subtask_description": "part"}
    )  # fmt: skip
    (tmp_path / "scores_x.json").write_text(json.dumps(document))
    import_results("bigbench", tmp_path, store=store)
    (point,) = store.points(metric="bleu").to_pylist()
    assert (point["task"], point["variant"], point["value"]) == ("override:part", "3-shot", 12.5)


def test_broken_files_are_named_and_cost_nothing_else(store: Store, tmp_path: Path) -> None:
    shutil.copy(LOG, tmp_path / "full-log_whole.json")
    (tmp_path / "scores_cut.json").write_text(LOG.read_text()[:900])
    (tmp_path / "scores_other.json").write_text('{"results": {}}')
    document = json.loads(LOG.read_text())
    document["queries"][0]["samples"][3]["absolute_scores"] = [0.5, -1]
    (tmp_path / "full-log_bad.json").write_text(json.dumps(document))
    (tmp_path / "empty").mkdir()
    result = import_results("bigbench", [tmp_path, tmp_path / "empty", tmp_path / "gone.json"], store=store)
    named = sorted(Path(failure.path).name for failure in result.failed)
    assert named == ["empty", "full-log_bad.json", "gone.json", "scores_cut.json", "scores_other.json"]
    assert any("sample 3" in failure.error for failure in result.failed)
    assert store.points(metric="multiple_choice_grade").num_rows == 1
