"""`saltus detect`: what it prints for people at several widths, long lists, and `--why`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from saltus.cli import main

SIZES = (1e7, 3e7, 1e8, 3e8, 1e9, 3e9, 1e10)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*arguments: str, columns: int = 100) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        capfd.readouterr()
        code = main(list(arguments))
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def stores(tmp_path: Path, run: Run) -> Callable[[int], str]:
    def make(tasks: int) -> str:
        lines = ["family,model,params,task,metric,score,n,chance"]
        for k in range(tasks):
            for i, size in enumerate(SIZES):
                score = 0.25 + 0.001 * ((7 * i + k) % 5) + (0.5 if k == 0 and i > 3 else 0)
                lines.append(f"f,f-{i},{size:g},a_task_with_a_rather_long_name_{k},acc,{score:.3f},1000,0.25")
        (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
        store = str(tmp_path / "evidence")
        assert run("import", "csv", str(tmp_path / "s.csv"), "--store", store)[0] == 0
        return store

    return make


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_one_line_a_finding_at_any_width(stores: Callable[[int], str], run: Run, columns: int) -> None:
    code, out, _ = run("detect", "--bootstraps", "99", "--store", stores(3), columns=columns)
    assert code == 0
    lines = out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("verdict"))
    rows = lines[head + 2 : head + 5]
    assert rows[0].startswith("▲ emergent")
    assert "unresolved" in rows[0]
    assert all(len(line) <= columns for line in lines[head : head + 5])
    assert "3 findings: 1 emergent, 2 not above chance." in out


def test_a_long_list_shows_jumps_and_counts(stores: Callable[[int], str], run: Run) -> None:
    store = stores(45)
    code, out, _ = run("detect", "--store", store, "--no-items", columns=160)
    assert code == 0
    assert out.count("▲") == 2  # in words and in the table
    assert "─ not above chance" not in out
    assert "--all lists everything" in out
    assert "45 findings: 1 emergent, 44 not above chance." in out
    _, out, _ = run("detect", "--store", store, "--all", columns=160)
    assert out.count("─ not above chance") == 44


def test_why_takes_an_id_or_a_task_and_tells_all(stores: Callable[[int], str], run: Run) -> None:
    store = stores(2)
    _, out, _ = run("detect", "--json", "--tau", "0.005", "--min-scales", "5", "--store", store)
    finding = next(f for f in json.loads(out)["findings"] if f["verdict"] == "emergent")
    assert finding["settings"]["tau"] == 0.005
    assert finding["settings"]["min_scales"] == 5
    assert finding["check"]["advice"] == ["target_logprob", "choice_logprob"]
    for asked in (finding["id"][:8], finding["task"]):
        code, out, _ = run("detect", "--why", asked, "--store", store)
        assert code == 0
        for part in ("What was tested", "What fits", "Artifact check", "What it assumes", "given with --tau"):
            assert part in out
    code, _, err = run("detect", "--why", "nothing", "--store", store)
    assert code == 2
    assert "names 0 findings" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--min-scales", "9"), ""),
        (("--metric", "nonsense"), "nonsense"),
        (("--tau", "2"), "tau"),
        (("--min-scales", "1"), "min-scales"),
    ],
)
def test_odd_requests(stores: Callable[[int], str], run: Run, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = run("detect", "--store", stores(1), *arguments)
    if words:
        assert code == 2
        assert words in err
        assert len(err.strip().splitlines()) == 1
    else:
        assert code == 0
        assert "too few scales" in out
