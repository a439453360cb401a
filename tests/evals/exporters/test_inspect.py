"""Exports as Inspect logs: our own importer reads them back, and every key is one that Inspect writes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.evals.exporters import export_run
from saltus.evals.importers import import_results
from saltus.evals.importers.archive import Archive
from saltus.store import Store

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "inspect" / "0.3.285"


def entries(path: Path) -> dict[str, Any]:
    with Archive(path) as archive:
        return {name: json.loads(archive.read(name)) for name in archive.names}


def log(folder: Path, task: str, model: str, variant: str = "") -> dict[str, Any]:
    for path in folder.glob("*.eval"):
        found = entries(path)
        spec = found["header.json"]["eval"]
        if (spec["task"], spec["model"], spec["task_args"].get("variant", "")) == (task, model, variant):
            return found
    raise AssertionError(f"no log of {task}")


def test_importing_it_again_gives_the_same_evidence(store: Store, run: str, tmp_path: Path) -> None:
    result = export_run(run, "inspect", tmp_path / "out", store=store)
    assert (result.rows, len(result.files)) == (70, 7)
    assert result.notes == ("1 tasks have means and no samples; their logs hold the means.",)
    with saltus.open(tmp_path / "again") as other:
        again = import_results("inspect", tmp_path / "out", store=other)
        assert again.failed == ()
        rows = "SELECT model, task, sample, variant, epoch, metric, value FROM scores ORDER BY ALL"
        assert other.sql(rows).to_pylist() == store.sql(rows).to_pylist()
        said = (
            "SELECT model, task, sample, variant, epoch, output, finish, error FROM responses "
            "WHERE task <> 'pick' ORDER BY ALL"
        )
        assert other.sql(said).to_pylist() == store.sql(said).to_pylist()
        asked = "SELECT task, id, input, target, choices, answer, chance, slices FROM samples ORDER BY ALL"
        assert other.sql(asked).to_pylist() == store.sql(asked).to_pylist()
        facts = ("id", "family", "params", "step", "released")
        found, given = (
            [{k: m[k] for k in facts} for m in opened.models().to_pylist()] for opened in (other, store)
        )
        assert found == given
        key = ("model", "task", "metric", "variant", "value", "stderr", "n", "chance")
        points = [[{k: p[k] for k in key} for p in opened.points().to_pylist()] for opened in (other, store)]
        for a, b in zip(*points, strict=True):
            assert a | {"value": 0, "stderr": 0} == b | {"value": 0, "stderr": 0}
            assert a["value"] == pytest.approx(b["value"])
            assert a["stderr"] == pytest.approx(b["stderr"])


def test_every_key_is_one_that_inspect_writes(store: Store, run: str, tmp_path: Path) -> None:
    export_run(run, "inspect", tmp_path, store=store)
    (path,) = GOLDEN.glob("*_sums_*")
    real, ours = entries(path), log(tmp_path, "sums: easy", "plain")
    assert ours.keys() - {n for n in ours if n.startswith("samples/")} == {
        "_journal/start.json",
        "summaries.json",
        "header.json",
    }
    header, theirs = ours["header.json"], real["header.json"]
    assert header.keys() <= theirs.keys()
    assert header["eval"].keys() <= theirs["eval"].keys() | {"metadata"}
    assert header["results"].keys() <= theirs["results"].keys()
    score, other = header["results"]["scores"][0], theirs["results"]["scores"][0]
    assert score.keys() <= other.keys()
    sample, given = ours["samples/s/0_epoch_1.json"], real["samples/s2_epoch_1.json"]
    assert sample.keys() <= given.keys()
    assert sample["output"].keys() <= given["output"].keys()
    assert sample["messages"][0].keys() <= given["messages"][0].keys() | {"source"}
    failed, broken = ours["samples/s/7_epoch_2.json"], real["samples/s5_epoch_1.json"]
    assert failed["error"].keys() == broken["error"].keys()
    assert (failed["error"]["message"], failed["scores"]) == ("the server hung up", {})
    summary = next(s for s in real["summaries.json"] if "error" not in s)
    assert ours["summaries.json"][0].keys() <= summary.keys() | {"choices", "metadata"}


def test_one_sample_in_full(store: Store, run: str, tmp_path: Path) -> None:
    export_run(run, "inspect", tmp_path, store=store)
    found = log(tmp_path, "sums: easy", "org/net", "typos:rate=0.1")
    assert found["header.json"]["eval"]["model_args"] == {"revision": "step10"}
    sample = found["samples/s/2_epoch_1.json"]
    assert [(m["role"], m["content"]) for m in sample["messages"][:2]] == [
        ("system", "Add."),
        ("user", "2+ 1="),
    ]
    assert sample["messages"][2]["tool_calls"] == [
        {"id": "t1", "function": "add", "arguments": {"x": 1}, "type": "function"}
    ]
    assert (sample["input"], sample["target"], sample["metadata"]["cluster"]) == ("2+1=", ["3", "=3"], "c0")
    (choice,) = sample["output"]["choices"]
    assert choice["stop_reason"] == "max_tokens"
    assert [token["logprob"] for token in choice["logprobs"]["content"]] == [-0.5, -0.25]
    picked = log(tmp_path, "pick", "plain")["samples/1_epoch_1.json"]
    assert (picked["choices"], picked["target"]) == (["a", "b"], "B")


def test_it_is_a_plain_zip(store: Store, run: str, tmp_path: Path) -> None:
    result = export_run(run, "inspect", tmp_path, store=store)
    for path in result.files:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".") and path.is_file()]
