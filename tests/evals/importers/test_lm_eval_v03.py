"""Result files of lm-evaluation-harness v0.3."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from saltus.evals.importers import import_results
from saltus.records import UsageError
from saltus.store import Store


def rows(store: Store, table: str = "aggregates") -> list[dict[str, Any]]:
    return store.sql(f"SELECT * FROM {table}").to_pylist()


def test_one_file_gives_exactly_these_rows(store: Store, old_file: Callable[..., Path]) -> None:
    path = old_file()
    result = import_results("lm-eval", path, store=store)
    assert (result.added, result.skipped, result.failed, result.models, result.tasks, result.files) == (
        1, 0, (), 1, 1, 1,
    )  # fmt: skip
    (row,) = rows(store)
    run = row.pop("run")
    assert row == {
        "model": "EleutherAI/pythia-70m@step1000",
        "task": "piqa",
        "metric": "acc",
        "variant": "",
        "value": 0.6,
        "stderr": (0.6 * 0.4 / 1834) ** 0.5,
        "n": 1835.0,
        "chance": 0.5,
        "shots": 0,
        "seed": None,
    }
    (model,) = rows(store, "models")
    assert (model["name"], model["revision"], model["family"]) == (
        "EleutherAI/pythia-70m",
        "step1000",
        "pythia",
    )
    assert (model["params"], model["step"], model["tokens"]) == (70426624, 1000, 1000 * 2097152)
    assert model["flops"] == 6 * 70426624 * 1000 * 2097152
    assert "arXiv:2304.01373" in model["source"]
    (record,) = rows(store, "runs")
    assert (record["id"], record["kind"], record["format"], record["source"]) == (
        run, "import", "lm-eval-0.3", str(path),
    )  # fmt: skip
    assert json.loads(record["config"])["model_args"] == "pretrained=EleutherAI/pythia-70m,revision=step1000"


def test_step_comes_from_the_file_name_where_nothing_else_has_it(
    store: Store, old_file: Callable[..., Path]
) -> None:
    config = {"model": "hf-causal", "model_args": "pretrained=EleutherAI/pythia-160m"}
    import_results("lm-eval", old_file("160m_step512.json", config=config), store=store)
    (model,) = rows(store, "models")
    assert (model["revision"], model["step"], model["tokens"]) == ("step512", 512, 512 * 2097152)


def test_few_shot_prompts_are_a_variant(store: Store, old_file: Callable[..., Path]) -> None:
    config = {"model_args": "pretrained=EleutherAI/pythia-70m", "num_fewshot": 5}
    import_results("lm-eval", old_file("five.json", config=config), store=store)
    (row,) = rows(store)
    assert (row["shots"], row["variant"]) == (5, "5-shot")


def test_n_of_the_other_metric_of_the_task_and_of_the_benchmark(
    store: Store, old_file: Callable[..., Path]
) -> None:
    results = {
        "lambada_openai": {"ppl": 80297.5, "ppl_stderr": 3978.0, "acc": 0.0, "acc_stderr": 0.0},
        "crows_pairs_english_age": {
            "likelihood_difference": 3.2,
            "likelihood_difference_stderr": 0.3,
            "pct_stereotype": 0.5,
            "pct_stereotype_stderr": (0.25 / 89) ** 0.5,
        },
        "mine": {"acc": 1.0, "acc_stderr": 0.0},
    }
    import_results("lm-eval", old_file(results=results), store=store)
    found = {(row["task"], row["metric"]): (row["n"], row["chance"]) for row in rows(store)}
    assert found == {
        ("lambada_openai", "ppl"): (5153, None),
        ("lambada_openai", "acc"): (5153, 0),
        ("crows_pairs_english_age", "likelihood_difference"): (90, None),
        ("crows_pairs_english_age", "pct_stereotype"): (90, 0.5),
        ("mine", "acc"): (None, None),
    }


def test_a_limit_means_that_the_size_of_the_benchmark_says_nothing(
    store: Store, old_file: Callable[..., Path]
) -> None:
    config = {"model_args": "pretrained=EleutherAI/pythia-70m", "limit": 10}
    import_results(
        "lm-eval", old_file(config=config, results={"piqa": {"acc": 1.0, "acc_stderr": 0.0}}), store=store
    )
    assert rows(store)[0]["n"] is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"results": {"piqa": {"acc": 0.6', "no whole JSON"),
        (b"\xff\xfe{}", "UTF-8"),
        (b"[1, 2]", "no JSON object"),
        (b"{}", "no results"),
        (b'{"results": {}, "config": {}}', "empty table of results"),
        (b'{"results": {"piqa": {"acc": 0.6}}, "config": {}}', "names no model"),
        (b'{"results": {"piqa": [1]}, "config": {"model_args": "pretrained=x"}}', "not laid out"),
        (b"", "no whole JSON"),
        (b'{"results": {"piqa"', "no whole JSON"),
    ],
)
def test_a_broken_file_is_named_and_the_rest_goes_in(
    store: Store, old_file: Callable[..., Path], tmp_path: Path, content: bytes, said: str
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_bytes(content)
    result = import_results("lm-eval", [broken, old_file()], store=store)
    assert result.added == 1
    (failure,) = result.failed
    assert failure.path == str(broken)
    assert said in failure.error
    assert ";" in failure.error, "the sentence ends with the mend"


def test_a_score_that_cannot_be_costs_only_itself(store: Store, old_file: Callable[..., Path]) -> None:
    results = {
        "piqa": {"acc": float("nan"), "acc_norm": 1.2},
        "sciq": {"acc": 0.5, "acc_stderr": -1},
        "wsc": {"acc": 0.5},
    }
    path = old_file(results=results)
    result = import_results("lm-eval", path, store=store)
    assert result.added == 1
    assert [failure.path for failure in result.failed] == [str(path)] * 3
    assert "results.piqa.acc" in result.failed[0].error
    assert "nan" in result.failed[0].error
    assert "between 0 and 1" in result.failed[1].error
    assert "stderr" in result.failed[2].error


def test_missing_files_and_empty_folders_are_named(
    store: Store, old_file: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    result = import_results("lm-eval", [tmp_path / "no.json", tmp_path / "empty", old_file()], store=store)
    assert result.added == 1
    assert [Path(failure.path).name for failure in result.failed] == ["no.json", "empty"]


def test_the_same_file_twice_adds_nothing_whatever_it_is_called(
    store: Store, old_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = old_file()
    copy = tmp_path / "copy.json"
    copy.write_bytes(path.read_bytes())
    assert import_results("lm-eval", [path, copy], store=store).added == 1
    again = import_results("lm-eval", str(copy), store=store)
    assert (again.added, again.skipped, again.models, again.tasks) == (0, 1, 1, 1)
    assert len(rows(store)) == 1


def test_the_size_of_unknown_models_is_asked_for_once_it_is_given(
    store: Store, old_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = old_file("mine.json", config={"model_args": "pretrained=/data/checkpoints/wonder"})
    first = import_results("lm-eval", path, store=store)
    (note,) = first.notes
    assert "wonder" in note
    assert "--axis-from" in note
    axis = tmp_path / "axis.csv"
    axis.write_text("model,params,tokens\nWonder,1.3B,300B\n")
    second = import_results("lm-eval", path, store=store, axis_from=axis, family="marvels")
    assert (second.added, second.skipped, second.notes) == (0, 1, ())
    (model,) = rows(store, "models")
    assert (model["name"], model["family"]) == ("wonder", "marvels")
    assert (model["params"], model["tokens"], model["flops"]) == (1.3e9, 3e11, 6 * 1.3e9 * 3e11)
    assert "axis.csv" in model["source"]


def test_a_size_in_the_name_is_taken_and_says_so(store: Store, old_file: Callable[..., Path]) -> None:
    import_results(
        "lm-eval", old_file("m.json", config={"model_args": "pretrained=acme/wonder-1.3B"}), store=store
    )
    (model,) = rows(store, "models")
    assert (model["params"], model["family"], model["source"]) == (1.3e9, "wonder", "name")


def test_a_mapping_is_refused(store: Store, old_file: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="leave it out"):
        import_results("lm-eval", old_file(), store=store, mapping="score=acc")


def test_an_unknown_format_names_the_known_ones(store: Store) -> None:
    with pytest.raises(UsageError, match="lm-eval, inspect, helm, bigbench, promptfoo, csv"):
        import_results("nowhere", "x", store=store)


def test_an_interrupted_import_is_taken_up_without_doubling(
    store: Store, old_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, append = old_file(), store.append

    def stop_before_the_run(table: str, given: Any, *, part: str | None = None) -> int:
        if table == "runs":
            raise KeyboardInterrupt
        return append(table, given, part=part)

    monkeypatch.setattr(store, "append", stop_before_the_run)
    with pytest.raises(KeyboardInterrupt):
        import_results("lm-eval", path, store=store)
    monkeypatch.undo()
    assert len(rows(store)) == 1
    assert rows(store, "runs") == []
    import_results("lm-eval", path, store=store)
    assert len(rows(store)) == 1
    assert len(rows(store, "runs")) == 1


def test_pythia_as_published(store: Store, shared: Path) -> None:
    seen: list[tuple[int, int]] = []
    result = import_results(
        "lm-eval",
        shared / "data" / "pythia",
        store=store,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (result.added, result.failed, result.models, result.tasks, result.files, result.notes) == (
        74304, (), 432, 87, 432, (),
    )  # fmt: skip
    assert seen[0] == (0, 432)
    assert seen[-1] == (432, 432)
    counts = store.sql("SELECT task, min(n) AS low, max(n) AS high FROM aggregates GROUP BY task").to_pylist()
    sizes = {row["task"]: row["low"] for row in counts if row["low"] == row["high"]}
    assert len(sizes) == 87, "every task has one size, the same in all files"
    known = {
        "lambada_openai": 5153,
        "arc_easy": 2376,
        "winogrande": 1267,
        "piqa": 1838,
        "sciq": 1000,
        "logiqa": 651,
    }
    assert {task: sizes[task] for task in known} == known
    assert sizes["wsc"] == 104
    mmlu = [n for task, n in sizes.items() if task.startswith("hendrycksTest")]
    assert (len(mmlu), min(mmlu), max(mmlu)) == (57, 100, 1534)
    chance = store.sql("SELECT task FROM aggregates WHERE metric = 'acc' AND chance IS NULL").to_pylist()
    assert chance == []
    points = store.points(
        task="lambada_openai", metric="acc", model="EleutherAI/pythia-v1.1-12b@step143000"
    ).to_pylist()
    assert [(p["family"], p["params"], p["step"], p["n"]) for p in points] == [
        ("pythia", 11846072320, 143000, 5153)
    ]
    again = import_results("lm-eval", shared / "data" / "pythia", store=store)
    assert (again.added, again.skipped, again.models, again.tasks) == (0, 74304, 432, 87)
