from __future__ import annotations

import json

import numpy as np
import pytest

from saltus.cli.app import main


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["model,family,step,task,metric,score,n"]
    for step in range(200, 6200, 200):
        lines.append(f"a,f,{step},internals,induction_score,{rng.normal(0, 0.03) + 0.6 * (step > 2100):.4f},")
        lines.append(f"a,f,{step},,weight_norm,{100 + 30 * np.log(step) + rng.normal():.3f},")
        lines.append(
            f"a,f,{step},recall,exact_match,{rng.binomial(500, 0.1 + 0.7 * (step > 3300)) / 500},500"
        )
    table = tmp_path / "scores.csv"
    table.write_text("\n".join(lines))
    assert main(["import", "csv", str(table), "--store", str(tmp_path / "store")]) == 0
    return str(tmp_path / "store")


def test_changes_and_lags_of_imported_scores_and_scalars(store, capfdbinary) -> None:
    capfdbinary.readouterr()
    assert main(["timeline", "--lags", "--json", "--store", store]) == 0
    document = json.loads(capfdbinary.readouterr().out)
    found = {line["metric"]: line["changes"] for line in document["timelines"]}
    assert [(c["at"]["low"], c["at"]["high"]) for c in found["induction_score"]] == [(2000, 2200)]
    assert found["weight_norm"] == []
    assert [(c["at"]["low"], c["at"]["high"]) for c in found["exact_match"]] == [(3200, 3400)]
    (lag,) = document["lags"]
    assert (lag["leader"], lag["follower"]) == ("induction_score", "recall exact_match")


def test_people_read_a_table_and_the_next_step(store, capsys) -> None:
    capsys.readouterr()
    assert main(["timeline", "--store", store, "--model", "a", "--task", "recall"]) == 0
    out = capsys.readouterr().out
    assert "jumps" in out
    assert out.rstrip().endswith(f"Next: saltus timeline --lags --store {store}")
    assert main(["timeline", "--store", store, "--lags"]) == 0
    out = capsys.readouterr().out
    assert "before recall exact_match" in out
    assert "saltus report" in out


def test_a_filter_that_leaves_nothing_names_what_there_is(store, capsys) -> None:
    assert main(["timeline", "--store", store, "--model", "zz"]) == 2
    assert "Nothing matches --model zz" in capsys.readouterr().err
