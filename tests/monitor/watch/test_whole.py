"""A checkpoint is whole only when its last byte is there: cut at any place, it is not."""

from __future__ import annotations

import json
import shutil
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.family import path as shipped
from saltus.monitor.watch.whole import lacking, safetensors_fault, signature

SMALL = shipped("tiro-1x8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SMALL, tmp_path / "step5")
    return tmp_path / "step5"


def test_a_shipped_checkpoint_is_whole(folder: Path) -> None:
    assert lacking(folder) == ""


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_cut_anywhere_it_is_not(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes().rstrip()
    for size in {*range(0, len(whole), max(1, len(whole) // 97)), len(whole) - 1}:
        (folder / name).write_bytes(whole[:size])
        assert lacking(folder), size
    (folder / name).unlink()
    assert name in lacking(folder) or name == "tokenizer.json"


def test_a_file_that_is_too_long_is_not_whole_either(folder: Path) -> None:
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    assert "bytes" in lacking(folder)


@given(st.binary(max_size=64))
def test_any_bytes_are_judged_and_not_stumbled_over(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.safetensors"
    file.write_bytes(data)
    assert isinstance(safetensors_fault(file), str)


@pytest.mark.parametrize("header", [b"[]", b'{"a": 1}', b'{"a": {"data_offsets": []}}', b"\xff\xff"])
def test_a_header_that_is_none(tmp_path: Path, header: bytes) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header)
    assert safetensors_fault(file) == "a.safetensors has no readable header"


def test_all_shards_of_the_index_must_be_there(folder: Path) -> None:
    weights = folder / "model.safetensors"
    names = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    for name in names:
        shutil.copy(weights, folder / name)
    weights.unlink()
    assert "index" in lacking(folder)
    index = folder / "model.safetensors.index.json"
    index.write_text('{"weight_map": ')
    assert "no whole JSON" in lacking(folder)
    index.write_text(json.dumps({"weight_map": {"a": names[0], "b": names[1]}}))
    assert lacking(folder) == ""
    (folder / names[1]).rename(folder / "elsewhere")
    assert lacking(folder) == f"{names[1]} is missing (1 of 2 shards)"
    index.write_text(json.dumps({"weight_map": {"a": "../../other.safetensors"}}))
    assert "no file of weights beside it" in lacking(folder)


def test_pickled_weights_are_whole_with_their_table_of_contents(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    pickled = folder / "pytorch_model.bin"
    with zipfile.ZipFile(pickled, "w") as archive:
        archive.writestr("data.pkl", b"x" * 1000)
    assert lacking(folder) == ""
    pickled.write_bytes(pickled.read_bytes()[:500])
    assert lacking(folder) == "pytorch_model.bin is cut off"


def test_an_adapter_is_named_as_one(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text("{}")
    assert "adapter" in lacking(folder)


def test_without_a_tokenizer_of_its_own(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert "--tokenizer" in lacking(folder)
    assert lacking(folder, tokenizer=False) == ""


def test_the_optimiser_does_not_count(folder: Path) -> None:
    before = signature(folder)
    (folder / "optimizer.pt").write_bytes(b"1")
    assert signature(folder) == before
    (folder / "model.safetensors").touch()
    assert signature(folder) != before
    assert signature(folder / "nowhere") == ()
