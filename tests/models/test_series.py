"""Series: models in order along an axis, from the hub, folders and files."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from saltus.models.series import Series, count_parameters
from saltus.records import InputError, ModelRecord, UsageError


def checkpoint(path: Path, *, layers: int = 2, width: int = 8, shape: tuple[int, ...] = (10, 8)) -> Path:
    """A folder in the Hugging Face layout with a safetensors header and no more weights than that needs."""
    path.mkdir(parents=True)
    config = {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": 2,
        "model_type": "gpt_neox",
    }
    (path / "config.json").write_text(json.dumps(config))
    header = {
        "__metadata__": {"format": "pt"},
        "w": {"dtype": "F16", "shape": list(shape), "data_offsets": [0, 0]},
    }
    text = json.dumps(header).encode()
    (path / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    return path


def test_hub_models_stand_in_order_of_parameters() -> None:
    series = Series.from_hf("EleutherAI/pythia-{}", ["1b", "70m", "410m", "160m"])
    assert (series.name, series.family, series.axis, len(series)) == (
        "EleutherAI/pythia-{}",
        "pythia",
        "params",
        4,
    )
    assert [model.location for model in series.models] == [
        f"hf:EleutherAI/pythia-{size}" for size in ("70m", "160m", "410m", "1b")
    ]
    assert series.models[0].params == 70426624


def test_checkpoints_of_one_model() -> None:
    series = Series.from_hf(
        "EleutherAI/pythia-70m", axis="step", revisions=["step1000", "step8", "step143000"]
    )
    assert [model.step for model in series.models] == [8, 1000, 143000]
    assert series.models[0].location == "hf:EleutherAI/pythia-70m@step8"
    assert series.models[0].id == "EleutherAI/pythia-70m@step8"


def test_unknown_models_take_their_size_from_the_name() -> None:
    series = Series.from_hf("acme/wonder-{}", ["7b", "1.3b"])
    assert [(model.params, model.source) for model in series.models] == [(1.3e9, "name"), (7e9, "name")]


@pytest.mark.parametrize(
    ("template", "sizes", "axis", "said"),
    [
        ("acme/{}", ["ant", "bee"], "params", "acme/ant, acme/bee has no params"),
        ("acme/{}", [], "params", "no sizes"),
        ("acme/wonder", ["7b"], "params", "1 sizes"),
        ("acme/w-{}", ["7b"], "volume", "no axis is called 'volume'"),
        ("acme/w-{}", ["7b", "7b"], "params", "twice"),
    ],
)
def test_hub_series_that_cannot_be(template: str, sizes: list[str], axis: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Series.from_hf(template, sizes, axis=axis)


def test_folders_are_read_without_loading_them(tmp_path: Path) -> None:
    big = checkpoint(tmp_path / "net-big", layers=4, shape=(100, 8))
    small = checkpoint(tmp_path / "net-small" / "step500")
    series = Series.from_dirs([big, small])
    assert [(model.name, model.revision, model.params) for model in series.models] == [
        ("net-small", "step500", 80),
        ("net-big", "", 800),
    ]
    first = series.models[0]
    assert (first.layers, first.width, first.heads, first.step, first.location) == (2, 8, 2, 500, str(small))


def test_folders_of_the_embedded_family_speak_for_themselves(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "x")
    record = {"name": "tiro-1x8", "family": "tiro", "params": 1912, "role": "control", "seed": 3}
    (folder / "family.json").write_text(json.dumps({"recipe": "r", "record": record}))
    (model,) = Series.from_dirs([folder]).models
    assert model == ModelRecord(**record, location=str(folder))  # type: ignore[arg-type]


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        Series.from_dirs([tmp_path])
    with pytest.raises(UsageError, match="no models"):
        Series.from_dirs([])
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="no JSON"):
        Series.from_dirs([tmp_path])


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, struct.pack("<Q", 4) + b"{}", struct.pack("<Q", 2) + b"[]"]
)
def test_weights_that_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="no safetensors file"):
        count_parameters(tmp_path)


def test_a_folder_without_safetensors_has_no_count(tmp_path: Path) -> None:
    assert count_parameters(tmp_path) is None


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_series_file_with_a_template(tmp_path: Path) -> None:
    text = """
        name = "pythia"
        axis = "tokens"
        template = "EleutherAI/pythia-{}"
        sizes = ["70m"]
        revisions = ["step8", "step1"]
    """
    series = Series.from_file(write(tmp_path / "s.toml", text))
    assert (series.name, series.axis) == ("pythia", "tokens")
    assert [model.tokens for model in series.models] == [2097152, 8 * 2097152]


def test_series_file_with_models(tmp_path: Path) -> None:
    checkpoint(tmp_path / "net" / "step10")
    members: list[Any] = [
        "hf:EleutherAI/pythia-70m@step8",
        "net/step10",
        {"name": "mine", "params": 5, "location": "https://example.org/v1"},
        {"location": "net/step10", "name": "renamed", "loss": 2.5},
        {"name": "EleutherAI/pythia-160m"},
    ]
    series = Series.from_file(write(tmp_path / "s.json", json.dumps({"models": members, "family": "mixed"})))
    assert [(model.id, model.params) for model in series.models] == [
        ("mine", 5),
        ("net@step10", 80),
        ("renamed@step10", 80),
        ("EleutherAI/pythia-70m@step8", 70426624),
        ("EleutherAI/pythia-160m", 162322944),
    ]
    assert {model.family for model in series.models} == {"mixed"}
    assert series.models[2].location == str(tmp_path / "net" / "step10")
    assert series.models[2].loss == 2.5


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("s.toml", "= 1", "neither TOML nor JSON"),
        ("s.json", "[1]", "does not hold a table"),
        ("s.json", "{}", "names no models"),
        ("s.json", '{"modles": []}', "'modles' is no part"),
        ("s.json", '{"models": [{"name": "x", "params": "big"}]}', "does not fit"),
        ("s.json", '{"models": [{"params": 5}]}', "does not fit"),
        ("s.json", '{"models": ["nowhere"]}', r"no config\.json"),
        ("s.json", '{"models": [{"name": "x", "params": 1}], "axis": "volume"}', "no axis"),
    ],
)
def test_series_files_that_cannot_be(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = write(tmp_path / name, text)
    with pytest.raises(InputError, match=said) as caught:
        Series.from_file(path)
    assert str(tmp_path) in str(caught.value)


def test_a_series_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Series.from_file(tmp_path / "no.toml")


def test_no_heavy_package_is_needed() -> None:
    program = (
        "import sys; from saltus.models.series import Series;"
        "Series.from_hf('EleutherAI/pythia-{}', ['70m']);"
        "print(sorted({'torch', 'transformers', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
