"""`saltus forecast` on a small store: the table, the JSON contract, the ledger, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import saltus
from saltus.cli import main
from saltus.store import load_forecasts

FIELDS = {"task", "metric", "family", "at", "value", "low", "high", "level", "method", "refused"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("forecast")
    rng = np.random.default_rng(0)
    lines = ["family,model,params,task,metric,score,n,chance"]
    for u in np.linspace(7, 10, 8):
        grown, flat = rng.binomial(1000, 0.2 + 0.15 * (u - 7)) / 1000, rng.binomial(1000, 0.25) / 1000
        lines.append(f"mine,mine-{u:.1f},{10**u:.6g},growing,acc,{grown},1000,0.0")
        lines.append(f"mine,mine-{u:.1f},{10**u:.6g},hidden,acc,{flat},1000,0.25")
    table = folder / "scores.csv"
    table.write_text("\n".join(lines) + "\n")
    path = str(folder / "evidence")
    with saltus.open(path) as opened:
        saltus.import_results("csv", table, store=opened)
    return path


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["forecast", *arguments, "--json"]) == 0
    return dict(json.loads(capfd.readouterr().out))


def test_json_contract_and_ledger(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = run(capfd, "--store", store, "--at", "70B")["forecasts"]
    assert [f["task"] for f in found] == ["growing", "hidden"]
    assert all(set(f) >= FIELDS and f["at"] == 7e10 for f in found)
    growing, hidden = found
    assert growing["refused"] is None
    assert growing["low"] < 0.2 + 0.15 * (np.log10(7e10) - 7) < growing["high"]
    assert hidden["refused"].startswith("Cannot see past an onset")
    with saltus.open(store) as opened:
        assert {(f.task, f.at) for f in load_forecasts(opened)} >= {("growing", 7e10), ("hidden", 7e10)}


def test_people_get_a_table_reasons_and_the_next_step(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["forecast", "--store", store, "--at", "70e9", "--model", "pythia-12b", "--task", "*"]) == 0
    out = capfd.readouterr().out
    assert "cannot be seen" in out
    assert "left open: [" in out
    assert "pythia-12b" in out
    assert out.rstrip().splitlines()[-1].startswith("Next: saltus forecast --backtest")


def test_backtest(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = run(capfd, "--store", store, "--backtest", "--hold", "2", "--task", "grow*")
    assert found["pooled"]["n"] == len(found["held"]) == 2
    assert found["pooled"]["mse"]["forecast"] < found["pooled"]["mse"]["last_value"]
    assert main(["forecast", "--store", store, "--backtest", "--cut", "1B"]) == 0
    out = capfd.readouterr().out
    assert "last value" in out
    assert "Intervals of 90 % held" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--task", "absent"], "Nothing matches --task absent; there are growing, hidden."),
        (["--at", "soon"], "is no number"),
        (["--at", "-5"], "give one above 0"),
        (["--model", "nobody-knows"], "Neither the store nor the registry knows params"),
        (["--hold", "2"], "belong to --backtest"),
        (["--backtest", "--at", "1e9"], "leave out --at"),
        (["--backtest", "--hold", "1", "--cut", "1e9"], "not both"),
        (["--level", "90"], "between 0 and 1"),
        (["--family", "theirs"], "no such scores"),
    ],
)
def test_bad_wishes_are_one_sentence(
    store: str, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(["forecast", "--store", store, *arguments]) == 2
    captured = capfd.readouterr()
    assert says in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_an_empty_store_says_how_to_fill_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    saltus.open(str(tmp_path / "evidence")).close()
    assert main(["forecast", "--store", str(tmp_path / "evidence")]) == 2
    assert "bring some" in capfd.readouterr().err
