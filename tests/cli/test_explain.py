"""`saltus explain`: what it prints, what it records, and one clear sentence where it cannot go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import saltus
from saltus.cli import main
from saltus.family import path
from saltus.store import load_explanations, load_timelines

FEW = ["--limit", "64", "--other", "facts", "--only-model"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)


def run(capfdbinary, *arguments: str) -> tuple[int, str, str]:
    capfdbinary.readouterr()
    code = main(["explain", *arguments])
    out, err = capfdbinary.readouterr()
    return code, out.decode(), err.decode()


def test_a_model_is_explained_and_recorded(tmp_path: Path, capfdbinary) -> None:
    store = str(tmp_path / "store")
    adapter = tmp_path / "adapter.json"
    code, out, err = run(
        capfdbinary, "tiro-2x64", "--task", "recall", *FEW, "--store", store, "--adapter", str(adapter)
    )
    assert (code, err) == (0, "")
    assert "tiro-2x64@step2000 does recall with L1H0 (an induction head), fed by L0H1" in out
    assert "Shown:" in out
    assert "Only correlated:" in out
    assert "Not tested:" in out
    assert out.rstrip().endswith(f"Next: saltus report --store {store} -o report.html")
    assert json.loads(adapter.read_text())["components"][0]["component"] == "L1H0"
    with saltus.open(store) as opened:
        [one] = load_explanations(opened)
        rows = opened.sql("SELECT * FROM effects WHERE run = ?", [one.id]).to_pylist()
        assert {row["model"] for row in rows} == {"tiro-2x64@step2000"}
        assert {"mean_ablation", "activation_patching", "tuned_lens"} <= {row["method"] for row in rows}
        ablated = {row["component"] for row in rows if row["method"] == "mean_ablation"}
        assert {"L1H0", "MLP0", "L1"} <= ablated
        before = len(rows)
        assert load_timelines(opened) == []
    assert run(capfdbinary, "tiro-2x64", "--task", "recall", *FEW, "--store", store)[0] == 0
    with saltus.open(store) as opened:
        assert opened.sql("SELECT count(*) AS n FROM effects")["n"][0].as_py() == before
        assert len(load_explanations(opened)) == 1


def test_json_is_the_contract(tmp_path: Path, capfdbinary) -> None:
    code, out, _ = run(
        capfdbinary, "tiro-1x48", "--task", "recall", *FEW, "--json", "--store", str(tmp_path / "store")
    )
    document = json.loads(out)
    assert code == 0
    assert {"effects", "circuit", "text", "verdict", "statements"} <= set(document)
    assert set(document["effects"][0]) >= {
        "component",
        "task",
        "method",
        "effect",
        "low",
        "high",
        "baseline",
        "n",
    }
    assert (document["verdict"], document["circuit"]) == ("nothing", None)


def test_items_without_marks_are_explained_as_far_as_that_goes(tmp_path: Path, capfdbinary) -> None:
    few = ["--limit", "64", "--other", "recall", "--only-model"]
    code, out, _ = run(
        capfdbinary, "tiro-2x64", "--task", "facts", *few, "--json", "--store", str(tmp_path / "store")
    )
    document = json.loads(out)
    assert (code, document["verdict"]) == (0, "carried")
    assert not [role for role in document["roles"] if role["role"] == "source"]
    assert "the items do not mark it (`sources`, docs/tasks.md)" in document["text"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tiro-2x64"], "tiro-2x64 is a model, so say which ability is meant with --task"),
        (["nobody", "--task", "recall"], "no finding and no model is called 'nobody'"),
        (["tiro-2x64", "--task", "flying"], "no installed suite has a task 'flying'"),
        (["tiro-2x64", "--task", "recall", "--suite", "family", "--other", "flying"], "no task 'flying'"),
        (["tiro-2x64", "--task", "recall", "--counterfactual", "none"], "no counterfactual 'none'"),
        (["tiro-2x64", "--task", "recall", "--limit", "10"], "give 20 at least"),
        (["tiro-2x64", "--task", "recall", "--device", "moon"], "the device 'moon' cannot be used"),
    ],
)
def test_a_wrong_call_is_one_sentence(tmp_path: Path, capfdbinary, arguments: list[str], said: str) -> None:
    code, out, err = run(capfdbinary, *arguments, "--store", str(tmp_path / "store"))
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def test_a_model_that_cannot_be_opened_is_one_sentence(tmp_path: Path, capfdbinary) -> None:
    model = tmp_path / "model"
    shutil.copytree(path("tiro-2x16"), model)
    (model / "family.json").unlink()
    config = json.loads((model / "config.json").read_text())

    def attempt(**changes: object) -> tuple[int, str]:
        (model / "config.json").write_text(json.dumps({**config, **changes}))
        store = str(tmp_path / "store")
        code, _, err = run(capfdbinary, str(model), "--task", "recall", "--suite", "family", "--store", store)
        return code, err

    code, err = attempt(model_type="bloom", architectures=["BloomForCausalLM"])
    assert code == 4
    assert err.count("\n") == 1
    code, err = attempt(max_position_embeddings=12)
    assert code == 2
    assert "has 18 tokens and the model reads 12 at most" in err


def test_a_broken_checkpoint_is_named_and_costs_nothing_else(tmp_path: Path, capfdbinary) -> None:
    for step in (400, 450, 500, 2000):
        shutil.copytree(path("tiro-2x64", step), tmp_path / "mine" / f"step{step}")
    weights = tmp_path / "mine" / "step450" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    store = str(tmp_path / "store")
    code, out, err = run(
        capfdbinary,
        str(tmp_path / "mine" / "step2000"),
        *("--task", "recall", "--suite", "family", "--limit", "64", "--other", "facts", "--store", store),
    )
    assert code == 1
    assert "step450" in err
    assert err.count("\n") == 1
    assert "does recall with L1H0" in out


def test_a_model_that_counts_places_is_not_called_an_induction_head(tmp_path: Path, capfdbinary) -> None:
    """Trained on letters that repeat after twelve: looking back by distance there looks like induction."""
    import numpy as np
    import torch

    from saltus.family.catalog import find_size
    from saltus.family.checkpoint import new_model, write_configs, write_tokenizer
    from saltus.family.corpus import LETTER, decode

    period, rng = 12, np.random.default_rng(0)
    model = new_model(find_size("2x32"), 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0)
    for _ in range(250):
        part = rng.integers(LETTER, LETTER + 26, (32, period))
        tokens = torch.from_numpy(np.concatenate([np.zeros((32, 1), np.int64), part, part, part], axis=1))
        logits = model(tokens[:, :-1]).logits[:, period + 1 :]
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]), tokens[:, period + 2 :].reshape(-1)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    folder = tmp_path / "trap"
    model.save_pretrained(folder)
    write_configs(folder, model)
    write_tokenizer(folder)
    lines = ["tasks:", "  - name: again", "    kind: generation", "    metrics: [exact_match]", "    items:"]
    for _ in range(64):
        part = decode(rng.integers(LETTER, LETTER + 26, period))
        shown = int(rng.integers(2, period))
        text, target = part + part[:shown], part[shown]
        source = f"[[{1 + shown}, {2 + shown}]]"  # after the newline
        lines.append(f'      - {{input: "\\n{text}", target: "{target}", sources: {source}}}')
    suite = tmp_path / "suite.yaml"
    suite.write_text("\n".join(["name: trap", *lines]))
    code, out, err = run(
        capfdbinary, str(folder), "--task", "again", "--suite", str(suite), "--store", str(tmp_path / "store")
    )
    assert (code, err) == (0, "")
    assert "does again with" in out
    assert "tokens back" in out
    assert "induction head)" not in out
    assert "as an induction head" not in out.replace("No head attends as an induction head", "")
