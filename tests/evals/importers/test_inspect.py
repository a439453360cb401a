"""Logs of Inspect, as several of its versions wrote them (see tests/golden/inspect)."""

from __future__ import annotations

import json
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import saltus
from saltus.evals.importers import import_results
from saltus.evals.importers.archive import Archive
from saltus.evals.importers.inspect_log import open_log
from saltus.evals.importers.inspect_samples import to_value
from saltus.records.errors import InputError
from saltus.store import Store

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "inspect"
NEW = GOLDEN / "0.3.285"


def log(task: str, version: str = "0.3.285") -> Path:
    (path,) = (GOLDEN / version).glob(f"*_{task}_*")
    return path


def header(path: Path) -> dict[str, Any]:
    with Archive(path) as archive:
        found: dict[str, Any] = json.loads(archive.read("header.json"))
    return found


@pytest.mark.parametrize("task", ["sums", "capitals", "tools", "recall"])
def test_means_are_those_that_inspect_reports(store: Store, task: str) -> None:
    result = import_results("inspect", log(task), store=store)
    assert result.failed == ()
    points = {point["metric"]: point["value"] for point in store.points().to_pylist()}
    checked = 0
    for score in header(log(task))["results"]["scores"]:
        for name, metric in score["metrics"].items():
            if name in ("accuracy", "mean"):
                names = (score["name"], f"{score['scorer']}/{score['name']}")
                value = next(points[n] for n in names if n in points)
                assert value == pytest.approx(metric["value"])
                checked += 1
    assert checked == {"sums": 5, "capitals": 1, "tools": 1, "recall": 1}[task]
    assert store.sql("SELECT count(*) AS n FROM aggregates")["n"][0].as_py() == 0


def test_epochs_scorers_grades_and_failures(store: Store) -> None:
    import_results("inspect", log("sums"), store=store)
    rows = store.samples("sums", sample="s4").to_pylist()
    assert [(row["epoch"], row["output"], dict(row["scores"])) for row in rows] == [
        (0, "5", {"graded": 0.5, "includes": 0, "match": 0, "two_numbers/right": 0, "two_numbers/words": 1}),
        (
            1,
            "nothing",
            {"graded": 0, "includes": 0, "match": 0, "two_numbers/right": 0, "two_numbers/words": 1},
        ),
    ]
    assert rows[0]["prompt"] == "Answer with a number.\n\n2+4="
    assert (rows[0]["prompt_tokens"], rows[0]["completion_tokens"]) == (5, 1)
    assert dict(rows[0]["slices"]) == {"cluster": "high", "hard": "true"}
    failed = store.samples("sums", sample="s5").to_pylist()
    assert [(row["finish"], row["error"], row["scores"]) for row in failed] == [
        ("error", "ValueError('no answer to s5')", None)
    ] * 2


def test_choices_and_right_answers(store: Store) -> None:
    import_results("inspect", [log("capitals"), log("tools")], store=store)
    (row,) = store.samples("capitals", sample="1").to_pylist()
    assert (row["choices"], row["answer"], row["target"]) == (["Rome", "Paris", "Bonn"], 1, "Paris")
    assert row["chance"] == pytest.approx(1 / 3)
    (row,) = store.samples("tools", sample="2").to_pylist()
    assert (row["target"], json.loads(row["extra"])) == ("3", {"references": ["three"]})
    (call,) = json.loads(row["tool_calls"])
    assert (call["name"], json.loads(call["arguments"])) == ("add", {"x": 1, "y": 2})
    assert (row["output"], row["turns"]) == ("It is 3.", ["tool call for tool add"])


def test_a_model_of_the_hugging_face_provider(store: Store) -> None:
    import_results("inspect", log("recall"), store=store)
    assert store.models()["id"].to_pylist() == ["tiro-2x64"]
    rows = store.samples("recall").to_pylist()
    assert [len(row["output_logprobs"]) for row in rows] == [2] * 4
    assert all(row["output_logprobs"][0] <= 0 and row["latency"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("task", "status", "scored"),
    [("errored", "error", 2), ("cancelled", "cancelled", 2), ("killed", "started", 2)],
)
def test_logs_that_end_early_give_what_they_have_and_are_named(
    store: Store, task: str, status: str, scored: int
) -> None:
    result = import_results("inspect", log(task), store=store)
    (failure,) = result.failed
    assert f"status {status}" in failure.error
    assert result.added == scored
    assert store.points().to_pylist()[0]["value"] == 1.0
    again = import_results("inspect", log(task), store=store)
    assert (again.added, again.skipped, len(again.failed)) == (0, scored, 1)


@pytest.mark.parametrize("version", ["0.3.40", "0.3.70"])
def test_older_versions(store: Store, version: str) -> None:
    result = import_results("inspect", GOLDEN / version, store=store)
    assert (result.failed, result.added, result.tasks, result.files) == ((), 10, 2, 2)
    assert {(p["task"], p["metric"]): (p["value"], p["n"]) for p in store.points().to_pylist()} == {
        ("capitals", "choice"): (0.5, 2),
        ("sums", "includes"): (0.75, 2),
        ("sums", "match"): (0.5, 2),
    }


def test_published_logs(store: Store, shared: Path) -> None:
    result = import_results("inspect", shared / "data" / "inspect", store=store)
    assert (result.failed, result.added, result.files) == ((), 1, 2)
    assert store.sql("SELECT count(*) AS n FROM responses")["n"][0].as_py() == 11
    (row,) = store.samples("input_task").to_pylist()
    assert (dict(row["scores"]), row["completion_tokens"]) == ({"model_graded_fact": 1.0}, 202)


def test_a_log_without_samples_gives_its_means(store: Store, tmp_path: Path) -> None:
    document = {"status": "success"} | json.loads(log("sums", "0.3.40").read_text())
    document.pop("samples")
    (tmp_path / "log.json").write_text(json.dumps(document))
    assert import_results("inspect", tmp_path / "log.json", store=store).added == 2
    found = {p["metric"]: (p["value"], p["stderr"]) for p in store.points().to_pylist()}
    assert found == {"match": (0.5, 0.5), "includes": (0.75, 0.25)}


def test_metrics_that_are_no_means_and_words_that_are_no_numbers(store: Store, tmp_path: Path) -> None:
    document = json.loads(log("sums", "0.3.40").read_text())
    document["results"]["scores"][0]["metrics"]["f1"] = {"name": "f1", "value": 0.4}
    document["samples"][0]["scores"]["mood"] = {"value": "cheerful"}
    document["samples"][1]["scores"]["match"]["value"] = float("nan")
    (tmp_path / "log.json").write_text(json.dumps(document))
    result = import_results("inspect", tmp_path / "log.json", store=store)
    assert ["mood are no numbers, such as 'cheerful'" in failure.error for failure in result.failed] == [True]
    aggregates = store.sql("SELECT metric, value FROM aggregates ORDER BY metric").to_pylist()
    assert {"metric": "match/f1", "value": 0.4} in aggregates


def test_arguments_of_a_task_are_its_variant(store: Store, tmp_path: Path) -> None:
    document = json.loads(log("sums", "0.3.40").read_text())
    document["eval"]["task_args"] = {"shots": 5, "style": "plain"}
    (tmp_path / "log.json").write_text(json.dumps(document))
    import_results("inspect", tmp_path / "log.json", store=store)
    assert {p["variant"] for p in store.points().to_pylist()} == {"shots=5 style=plain"}


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("C", 1),
        ("I", 0),
        ("P", 0.5),
        ("N", 0),
        (True, 1),
        ("yes", 1),
        ("No", 0),
        ("2.5", 2.5),
        (3, 3),
        ("?", None),
        ([], None),
    ],
)
def test_values_as_inspect_reads_them(given: Any, value: float | None) -> None:
    assert to_value(given) == value


def test_broken_logs_are_named_and_cost_nothing_else(store: Store, tmp_path: Path) -> None:
    whole, folder = log("capitals").read_bytes(), tmp_path / "logs"
    folder.mkdir()
    (folder / "cut.eval").write_bytes(whole[:-300])
    (folder / "empty.eval").write_bytes(b"")
    (folder / "other.json").write_text('{"a": 1}')
    (folder / "list.json").write_text("[1]")
    with zipfile.ZipFile(folder / "no-log.eval", "w") as archive:
        archive.writestr("readme", "hello")
    shutil.copy(log("tools"), folder / "whole.eval")
    result = import_results("inspect", [folder, folder / "gone.eval"], store=store)
    assert {Path(failure.path).name for failure in result.failed} == {
        "cut.eval", "empty.eval", "other.json", "list.json", "no-log.eval", "gone.eval",
    }  # fmt: skip
    assert all(failure.error.count("\n") == 0 and ";" in failure.error for failure in result.failed)
    assert result.added == 2


def test_a_damaged_sample_costs_that_sample(store: Store, tmp_path: Path) -> None:
    with Archive(log("capitals")) as archive, zipfile.ZipFile(tmp_path / "log.eval", "w") as other:
        for name in archive.names:
            content = archive.read(name)
            other.writestr(name, content[:50] if name == "samples/1_epoch_1.json" else content)
    result = import_results("inspect", tmp_path / "log.eval", store=store)
    assert "samples/1_epoch_1.json" in result.failed[0].error
    assert store.sql("SELECT sample FROM responses")["sample"].to_pylist() == ["2"]


def test_the_last_entry_of_a_name_counts(tmp_path: Path) -> None:
    """Inspect appends a sample again when it was retried."""
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "old")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", "new")
    with Archive(path) as opened:
        assert (opened.names, opened.read("a")) == (["a"], b"new")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 7757), byte=st.integers(0, 255))
def test_damaged_bytes_never_raise_anything_but_a_sentence(tmp_path: Path, place: int, byte: int) -> None:
    data = bytearray(log("capitals").read_bytes())
    data[place] = byte
    path = tmp_path / "damaged.eval"
    path.write_bytes(data)
    with suppress(InputError):
        assert sum(part.measured for part in open_log(path).parse()) <= 2


def test_a_large_log_is_written_in_parts_and_each_row_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source of more rows than are held back, interrupted after its first part."""
    monkeypatch.setattr("saltus.evals.importers.writing._ENOUGH", 100)
    document = json.loads(log("sums", "0.3.40").read_text())
    sample = document["samples"][0]
    document["samples"] = [sample | {"id": i} for i in range(600)]
    (tmp_path / "log.json").write_text(json.dumps(document))
    append, seen = store.append, 0

    def failing(table: str, rows: Any, *, part: str | None = None) -> int:
        nonlocal seen
        seen += 1
        if seen == 5:
            raise KeyboardInterrupt
        return append(table, rows, part=part)

    monkeypatch.setattr(store, "append", failing)
    with pytest.raises(KeyboardInterrupt):
        import_results("inspect", tmp_path / "log.json", store=store)
    monkeypatch.setattr(store, "append", append)
    with saltus.open(store.path) as opened:
        import_results("inspect", tmp_path / "log.json", store=opened)
        assert opened.sql("SELECT count(*) AS n FROM responses")["n"].to_pylist() == [600]
        assert opened.sql("SELECT count(*) AS n FROM scores")["n"].to_pylist() == [1200]
        assert len(opened.parts("scores", "import-")) > 1
