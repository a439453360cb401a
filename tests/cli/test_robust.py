"""`saltus robust` on a store of variants: the table, the JSON contract, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.cli import main

WORLD = Path(__file__).parents[1] / "report" / "variants_world.py"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    spec = importlib.util.spec_from_file_location("variants_world", WORLD)
    assert spec is not None
    assert spec.loader is not None
    world: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(world)
    path = tmp_path_factory.mktemp("robust") / "evidence"
    opened = world.variant_store(str(path))
    world.add_variants(opened, task="riddles", epochs=3)
    opened.close()
    return str(path)


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["robust", *arguments, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert set(document) == {"robustness", "worst"}
    return dict(document)


def test_json_contract(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = run(capfd, "--store", store)
    assert len(found["robustness"]) == 2 * 2 * 4
    row = next(row for row in found["robustness"] if row["variant"] == "override" and row["task"] == "sums")
    fields = (
        "model task metric variant run plain_run n plain score flips lost gained drop p q floor excess worst"
    )
    assert set(row) == set(fields.split())
    assert set(row["flips"]) == {"value", "low", "high", "level"}
    assert row["drop"]["value"] == pytest.approx(row["lost"]["value"] - row["gained"]["value"])
    assert row["drop"]["low"] > 0.1
    assert row["q"] < 0.01
    assert row["floor"] is None
    assert row["worst"]["name"].startswith("difficulty=")
    assert all(one["variant"] == "override" for one in found["worst"])
    assert all(row["floor"] for row in found["robustness"] if row["task"] == "riddles")


def test_filters_slices_and_clusters(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = run(capfd, "--store", store, "--task", "su*", "--model", "tiny-1", "--by", "difficulty")
    assert {(row["task"], row["model"]) for row in found["robustness"]} == {("sums", "tiny-1")}
    one = run(capfd, "--store", store, "--run", "variants-riddles")["robustness"]
    assert {row["run"] for row in one} == {"variants-riddles"}
    clustered = run(capfd, "--store", store, "--task", "sums", "--model", "tiny-1", "--cluster", "text")
    pairs = zip(found["robustness"], clustered["robustness"], strict=True)
    assert any(one["flips"]["high"] != other["flips"]["high"] for one, other in pairs)


def test_people_get_a_table_and_the_next_command(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["robust", "--store", store, "--task", "riddles"]) == 0
    out = capfd.readouterr().out
    assert "noise floor" in out
    assert "tiny-0 on riddles: worst is override with" in out
    assert out.rstrip().endswith(f"Next: saltus detect --store {store}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--task", "nothing"), "Nothing can be compared for --task nothing"),
        (("--metric", "target_logprob"), "a metric of full marks or none"),
        (("--by", "lenght"), "no sample has a slice 'lenght'; there is difficulty, text"),
        (("--cluster", "page"), "no sample has a slice 'page'"),
    ],
)
def test_what_cannot_be_compared_is_said(
    store: str, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert main(["robust", "--store", store, *arguments]) == 2
    assert words in capfd.readouterr().err


def test_a_store_without_variants_says_how_to_get_some(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    saltus.open(tmp_path / "evidence").close()
    assert main(["robust", "--store", str(tmp_path / "evidence")]) == 2
    assert "--variant typos" in capfd.readouterr().err
