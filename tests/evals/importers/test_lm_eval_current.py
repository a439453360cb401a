"""Result files of the current lm-evaluation-harness, as it wrote them (see tests/golden/lm_eval)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from saltus.evals.importers import import_results
from saltus.store import Store

WITH, EARLIER, WITHOUT = (
    f"models__tiro-{name}" for name in ("2x64__step550", "2x64__step450", "1x48__step2000")
)


def results_in(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("results_*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_counts_models_and_notes(store: Store, golden: Path) -> None:
    result = import_results("lm-eval", golden, store=store)
    assert (result.failed, result.models, result.tasks, result.files, result.notes) == ((), 3, 6, 13, ())
    scores, aggregates = (
        store.sql(f"SELECT count(*) AS n FROM {t}")["n"][0].as_py() for t in ("scores", "aggregates")
    )
    # Of each logged run: override and parity 3 x 16 each, recall 2 x 16 (two filters), facts 2 x 12, text 6.
    assert scores == 2 * (2 * 3 * 16 + 2 * 16 + 2 * 12 + 6)
    # Of each logged run the group, perplexity of facts, two metrics of text; of the other run all eleven.
    assert aggregates == 2 * 4 + 11
    assert result.added == scores + aggregates
    models = store.models().to_pylist()
    assert [(m["id"], m["family"], m["params"], m["step"]) for m in models] == [
        ("tiro-1x48@step2000", "tiro", 34512, 2000),
        ("tiro-2x64@step450", "tiro", 108288, 450),
        ("tiro-2x64@step550", "tiro", 108288, 550),
    ]
    assert {m["source"] for m in models} == {"lm-eval: model_num_parameters"}


@pytest.mark.parametrize("folder", [WITH, EARLIER, WITHOUT])
def test_every_number_of_the_results_is_a_point_of_the_store(store: Store, golden: Path, folder: str) -> None:
    import_results("lm-eval", golden / folder, store=store)
    points = {(p["task"], p["metric"], p["variant"]): p for p in store.points().to_pylist()}
    given, checked = results_in(golden / folder), 0
    for task, reported in given["results"].items():
        for key, value in reported.items():
            metric, _, name = key.partition(",")
            if not name or metric.endswith("_stderr"):
                continue
            shots = "2-shot" if task == "tiro_facts" else ""
            point = points[task, metric, name if name != "none" else shots]
            assert point["value"] == pytest.approx(value, rel=1e-9)
            assert point["n"] == reported["sample_len"]
            stderr = reported[f"{metric}_stderr,{name}"]
            if isinstance(stderr, float):
                assert point["stderr"] == pytest.approx(stderr, rel=1e-9)
            checked += 1
    assert checked == 11


def test_one_choice_sample_in_full(store: Store, golden: Path) -> None:
    import_results("lm-eval", golden / WITH, store=store)
    (row,) = store.samples("tiro_override", sample="0").to_pylist()
    kept = ("input", "target", "choices", "answer", "chance", "output", "variant")
    assert {key: row[key] for key in kept} == {
        "input": "\n?wh:0\n?wh:",
        "target": "0",
        "choices": ["0", "2"],
        "answer": 0,
        "chance": 0.5,
        "output": "2",
        "variant": "",
    }
    assert row["choice_logprobs"] == pytest.approx([-3.4866602420806885, -1.3755276203155518], rel=1e-6)
    assert dict(row["scores"]) == {"acc": 0.0, "acc_norm": 0.0, "target_logprob": -3.4866602420806885}


def test_one_generated_sample_has_a_response_for_each_filter(store: Store, golden: Path) -> None:
    import_results("lm-eval", golden / WITH, store=store)
    found = store.samples("tiro_recall", sample="0").to_pylist()
    assert [(row["variant"], row["output"], dict(row["scores"])) for row in found] == [
        ("digit", "0", {"exact_match": 1.0}),
        ("strict", "0", {"exact_match": 1.0}),
    ]
    assert found[0]["input"] == "\nq1u0z8d8a1x6e4v8u"
    assert found[0]["target"] == "0"


def test_loglikelihood_gives_the_targets_log_probability(store: Store, golden: Path) -> None:
    import_results("lm-eval", golden / WITH, store=store)
    (row,) = store.samples("tiro_facts", sample="0").to_pylist()
    assert (row["variant"], row["input"], row["target"]) == ("2-shot", "?hz:9\n?tf:7\n?ey:", "0")
    assert dict(row["scores"]) == {"acc": 1.0, "target_logprob": -0.34736621379852295}
    rolling = store.samples("tiro_text", sample="0").to_pylist()
    assert [dict(row["scores"]) for row in rolling] == [{"target_logprob": -42.7364616394043}]


def test_targets_are_the_choices_that_the_tasks_name(store: Store, golden: Path) -> None:
    import_results("lm-eval", golden / WITH, store=store)
    for task in ("override", "parity"):
        lines = (golden.parent / "tasks" / f"{task}.jsonl").read_text().splitlines()
        given = {str(i): json.loads(line) for i, line in enumerate(lines)}
        found = store.sql(
            "SELECT id, answer, choices, target FROM samples WHERE task = ?", [f"tiro_{task}"]
        ).to_pylist()
        assert len(found) == 16
        for row in found:
            assert row["answer"] == given[row["id"]]["answer"]
            assert row["target"] == given[row["id"]]["choices"][row["answer"]]


def test_one_path_finds_the_others(store: Store, golden: Path) -> None:
    samples = next((golden / WITH).glob("samples_tiro_recall*"))
    first = import_results("lm-eval", samples, store=store)
    second = import_results("lm-eval", next((golden / WITH).glob("results_*")), store=store)
    assert first.files == 6
    assert (second.added, second.skipped) == (0, first.added)


def test_samples_without_results_are_named(store: Store, golden: Path, tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    shutil.copy(next((golden / WITH).glob("samples_tiro_recall*")), folder)
    for path in (folder, next(folder.iterdir())):
        result = import_results("lm-eval", path, store=store)
        assert result.added == 0
        assert ["put it back" in failure.error for failure in result.failed] == [True]


def test_a_broken_samples_file_leaves_the_reported_means(store: Store, golden: Path, tmp_path: Path) -> None:
    shutil.copytree(golden / WITH, tmp_path / "run")
    broken = next((tmp_path / "run").glob("samples_tiro_parity*"))
    broken.write_bytes(broken.read_bytes()[:-40])
    result = import_results("lm-eval", tmp_path / "run", store=store)
    (failure,) = result.failed
    assert (failure.path, failure.line) == (str(broken), 16)
    (point,) = store.points(task="tiro_parity", metric="acc").to_pylist()
    assert (point["value"], point["n"]) == (0.6875, 16)
    assert store.sql("SELECT count(*) AS n FROM scores WHERE task = 'tiro_parity'")["n"][0].as_py() == 0


def write(path: Path, results: dict[str, Any], samples: dict[str, list[dict[str, Any]]], **more: Any) -> Path:
    path.mkdir()
    given = {
        "results": results,
        "configs": {task: {} for task in results},
        "config": {"model_args": "pretrained=a/b-7b"},
    }
    (path / "results_2024-01-01T00-00-00.json").write_text(json.dumps({**given, **more}))
    for task, lines in samples.items():
        text = "\n".join(map(json.dumps, lines))
        (path / f"samples_{task}_2024-01-01T00-00-00.jsonl").write_text(text)
    return path


def test_the_layout_of_the_first_0_4_versions(store: Store, tmp_path: Path) -> None:
    lines = [
        {
            "doc_id": i,
            "doc": {},
            "target": target,
            "arguments": [["Q", " yes"], ["Q", " no"]],
            "resps": [[[-1.0, False]], [[-0.5, True]]],
            "filtered_resps": [[-1.0, False], [-0.5, True]],
            "acc": acc,
        }
        for i, (target, acc) in enumerate([("no", 1.0), ("yes", 0.0)])
    ]
    path = write(
        tmp_path / "run", {"t": {"acc,none": 0.5, "acc_stderr,none": 0.5, "alias": "t"}}, {"t": lines}
    )
    assert import_results("lm-eval", path, store=store).added == 4
    found = store.samples("t").to_pylist()
    assert [(row["target"], row["answer"], dict(row["scores"])) for row in found] == [
        (" no", 1, {"acc": 1.0, "target_logprob": -0.5}),
        (" yes", 0, {"acc": 0.0, "target_logprob": -1.0}),
    ]


def test_contexts_are_the_choices_where_they_differ(store: Store, tmp_path: Path) -> None:
    """As in Winogrande: two contexts, one continuation, and a target that names neither."""
    lines = [
        {
            "doc_id": 0,
            "target": "is late",
            "arguments": {
                f"gen_args_{i}": {"arg_0": who, "arg_1": " is late"} for i, who in enumerate(("Ann", "Ben"))
            },
            "resps": [[["-2.0", "False"]], [["-1.0", "False"]]],
            "filter": "none",
            "metrics": ["acc"],
            "acc": 0.0,
        }
    ]
    path = write(tmp_path / "run", {"w": {"acc,none": 0.0}}, {"w": lines})
    import_results("lm-eval", path, store=store)
    (row,) = store.samples("w").to_pylist()
    assert (row["choices"], row["answer"], row["output"]) == (["Ann", "Ben"], 0, "Ben")
    assert dict(row["scores"]) == {"acc": 0.0, "target_logprob": -2.0}


def test_a_generated_number_is_no_log_probability(store: Store, tmp_path: Path) -> None:
    lines = [
        {
            "doc_id": 0,
            "target": "-3.5",
            "arguments": {"gen_args_0": {"arg_0": "1.5-5=", "arg_1": {"until": []}}},
            "resps": [["-3.5"]],
            "filtered_resps": ["-3.5"],
            "filter": "none",
            "metrics": ["exact_match"],
            "exact_match": 1.0,
        }
    ]
    import_results(
        "lm-eval", write(tmp_path / "run", {"g": {"exact_match,none": 1.0}}, {"g": lines}), store=store
    )
    (row,) = store.samples("g").to_pylist()
    assert (row["output"], dict(row["scores"])) == ("-3.5", {"exact_match": 1.0})


def test_means_that_the_samples_do_not_have_stay_aggregates(store: Store, tmp_path: Path) -> None:
    asked = {"target": "a", "arguments": [["p", {"until": []}]], "resps": [["a"]], "filtered_resps": ["a"]}
    lines = [{"doc_id": i, **asked, "f1": 1.0, "acc": 1.0} for i in range(3)]
    path = write(
        tmp_path / "run",
        {"t": {"f1,none": 0.7, "acc,none": 1.0}},
        {"t": lines},
        **{"n-samples": {"t": {"effective": 3}}},
    )
    import_results("lm-eval", path, store=store)
    points = {p["metric"]: (p["value"], p["n"]) for p in store.points().to_pylist()}
    assert points == {"f1": (0.7, 3), "acc": (1.0, 3)}
    assert store.sql("SELECT metric FROM aggregates").to_pylist() == [{"metric": "f1"}]


def test_nan_in_the_results_is_named(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "run", {"t": {"acc,none": float("nan"), "em,none": 0.5, "bypass,none": 999}}, {})
    result = import_results("lm-eval", path, store=store)
    assert result.added == 1
    assert "results.t.acc,none" in result.failed[0].error
