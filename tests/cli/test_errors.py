"""Bad input at the command line: one sentence on stderr, or one JSON document on stdout, and an exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from saltus.cli import main

GOOD = """family,model,params,task,metric,score,n
f,f-1,1e7,t,acc,0.25,1000
f,f-2,1e8,t,acc,0.26,1000
f,f-3,1e9,t,acc,0.24,1000
f,f-4,1e10,t,acc,0.60,1000
f,f-5,1e11,t,acc,0.90,1000
"""

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Run the command line on a store of its own; gives exit code, stdout, stderr."""

    def run(*arguments: str, store: Path | None = None) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([*arguments, "--store", str(store or tmp_path / "evidence")])
        out, err = capfd.readouterr()
        return code, out, err

    return run


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def one_sentence(err: str) -> str:
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1, err
    return lines[0]


def test_truncated_json_is_named_and_the_rest_goes_in(call: Call, tmp_path: Path) -> None:
    good = {
        "results": {"piqa": {"acc": 0.6, "acc_stderr": 0.0114}},
        "versions": {},
        "config": {"model": "hf-causal", "model_args": "pretrained=EleutherAI/pythia-70m", "num_fewshot": 0},
    }
    results = tmp_path / "results"
    results.mkdir()
    write(results / "good.json", json.dumps(good))
    broken = write(results / "broken.json", json.dumps(good)[:60])
    code, _, err = call("import", "lm-eval", broken, str(results / "good.json"))
    assert code == 1
    assert "broken.json" in one_sentence(err)
    code, out, _ = call("import", "lm-eval", str(results), "--json")
    document = json.loads(out)
    assert code == 1
    assert document["added"] == 0
    assert document["skipped"] == 1
    assert [Path(failure["path"]).name for failure in document["failed"]] == ["broken.json"]


def test_result_file_with_no_results(call: Call, tmp_path: Path) -> None:
    path = write(
        tmp_path / "none.json",
        json.dumps({"results": {}, "versions": {}, "config": {"model_args": "pretrained=x"}}),
    )
    code, _, err = call("import", "lm-eval", path)
    assert code == 1
    assert "none.json" in one_sentence(err)
    assert "result" in err


def test_csv_with_a_missing_column(call: Call, tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", GOOD.replace("score", "points"))
    code, out, _ = call("import", "csv", path, "--json")
    assert code == 1
    (failure,) = json.loads(out)["failed"]
    assert "score" in failure["error"]
    assert failure["path"] == path


def test_nan_and_out_of_range_scores_cost_their_rows_only(call: Call, tmp_path: Path) -> None:
    text = GOOD.replace("0.26", "nan").replace("0.24", "1.7")
    code, out, _ = call("import", "csv", write(tmp_path / "s.csv", text), "--json")
    document = json.loads(out)
    assert code == 1
    assert document["added"] == 3
    assert [failure["line"] for failure in document["failed"]] == [3, 4]


def test_model_with_no_scale_gets_a_clear_question(call: Call, tmp_path: Path) -> None:
    rows = "\n".join(
        f"mystery-{name},t,acc,0.{i}5,1000" for i, name in enumerate(("ant", "bee", "cat", "dog", "elk"), 1)
    )
    code, out, _ = call("import", "csv", write(tmp_path / "s.csv", "model,task,metric,score,n\n" + rows))
    assert code == 0
    assert "--axis-from" in out
    code, out, _ = call("detect", "--axis", "params", "--json")
    assert code == 2
    error = json.loads(out)["error"]
    assert "mystery-ant" in error["message"]
    assert "--axis-from" in error["message"]
    assert set(error) == {"kind", "message", "path", "line", "field"}


def test_store_path_that_is_a_file(call: Call, tmp_path: Path) -> None:
    file = Path(write(tmp_path / "file", "x"))
    code, _, err = call("detect", store=file)
    assert code in (2, 4)
    assert "file" in one_sentence(err)
    assert file.read_text() == "x"


def test_no_store_at_all_is_not_made_by_a_reading_verb(call: Call, tmp_path: Path) -> None:
    code, _, err = call("detect")
    assert code != 0
    assert one_sentence(err)
    assert not (tmp_path / "evidence").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("detect", "--axis", "weight"),
        ("run",),
        ("run", "family"),
        ("ls", "cats"),
        ("import", "xml", "a.xml"),
    ],
)
def test_usage_errors_are_json_too(call: Call, arguments: tuple[str, ...]) -> None:
    code, out, err = call(*arguments, "--json")
    assert code == 2
    assert json.loads(out)["error"]["message"]
    assert err == ""
    code, _, err = call(*arguments)
    assert code == 2
    assert one_sentence(err)


def test_sql_error_is_one_sentence_and_writing_is_refused(call: Call, tmp_path: Path) -> None:
    assert call("import", "csv", write(tmp_path / "s.csv", GOOD))[0] == 0
    code, _, err = call("sql", "select nonsense from scores")
    assert code == 2
    assert "nonsense" in one_sentence(err)
    target = tmp_path / "stolen.csv"
    code, _, err = call("sql", f"copy (select 1) to '{target}'")
    assert code == 2
    assert one_sentence(err)
    assert not target.exists()


def test_a_filter_that_matches_nothing_names_what_there_is(call: Call, tmp_path: Path) -> None:
    assert call("import", "csv", write(tmp_path / "s.csv", GOOD))[0] == 0
    code, _, err = call("detect", "--family", "g", "--task", "u*")
    assert code == 2
    assert "--family g --task u*" in one_sentence(err)
    assert "the families f and the tasks t" in err


def test_report_without_findings_names_the_verb_to_run_first(call: Call, tmp_path: Path) -> None:
    assert call("import", "csv", write(tmp_path / "s.csv", GOOD))[0] == 0
    code, _, err = call("report", "-o", str(tmp_path / "r.html"))
    assert code == 2
    assert "saltus detect" in one_sentence(err)


def test_report_into_a_folder_that_is_not_there(call: Call, tmp_path: Path) -> None:
    assert call("import", "csv", write(tmp_path / "s.csv", GOOD))[0] == 0
    assert call("detect")[0] == 0
    code, _, err = call("report", "-o", str(tmp_path / "no" / "r.html"))
    assert code in (2, 4)
    assert "r.html" in one_sentence(err)


def test_two_processes_import_the_same_file_at_once(tmp_path: Path) -> None:
    path, store = write(tmp_path / "s.csv", GOOD), str(tmp_path / "evidence")
    command = [sys.executable, "-m", "saltus", "import", "csv", path, "--store", store, "--json"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    documents = [json.loads(run.communicate()[0]) for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert sum(document["added"] for document in documents) == 5
    assert sum(document["skipped"] for document in documents) == 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A real file system of 2 MB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root to mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"needs a mountable small file system ({mounted.stderr.strip()})")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_one_sentence_and_loses_nothing(call: Call, tmp_path: Path, small_disk: Path) -> None:
    store = small_disk / "evidence"
    assert call("import", "csv", write(tmp_path / "s.csv", GOOD), store=store)[0] == 0
    header, *_ = GOOD.splitlines()
    rows = (f"f,f-{i % 7},1e{7 + i % 7},task-{i},acc,0.{i * 7919 % 99991:05d},1000" for i in range(20000))
    many = write(tmp_path / "many.csv", "\n".join([header, *rows]))
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free - 16_384)
    code, _, err = call("import", "csv", many, store=store)
    assert code == 4
    assert "full" in one_sentence(err)
    filler.unlink()
    code, out, _ = call("sql", "select count(*) as n from aggregates", "--json", store=store)
    assert code == 0
    assert json.loads(out)["rows"] == [{"n": 5}]
    assert call("import", "csv", many, store=store)[0] == 0
