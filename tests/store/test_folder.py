"""Opening: what is no store says so in one sentence."""

import json
import os
import subprocess
import sys

import pytest

import saltus
from saltus.records import StoreError


def test_a_new_folder_becomes_a_store(tmp_path):
    store = saltus.open(tmp_path / "deep" / "evidence")
    assert json.loads((store.path / "store.json").read_text())["format"] == 1
    assert saltus.open(store.path, create=False).path == store.path
    assert [path.name for path in store.path.iterdir()] == ["store.json"]


def test_a_file_is_no_store(tmp_path):
    path = tmp_path / "file"
    path.write_text("x")
    with pytest.raises(StoreError, match="is a file, but a store is a folder"):
        saltus.open(path)
    with pytest.raises(StoreError, match="lies below a file, not a folder"):
        saltus.open(path / "below")


def test_without_create_a_folder_must_be_a_store(tmp_path):
    with pytest.raises(StoreError, match="holds no evidence store"):
        saltus.open(tmp_path, create=False)
    with pytest.raises(StoreError, match="does not exist"):
        saltus.open(tmp_path / "nowhere", create=False)
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written(tmp_path):
    if os.geteuid() != 0:  # permissions do not bind root
        tmp_path.chmod(0o500)
        with pytest.raises(StoreError, match="may not be written"):
            saltus.open(tmp_path / "evidence")
        tmp_path.chmod(0o700)
    with pytest.raises(StoreError, match="choose another --store"):
        saltus.open("/proc/saltus-evidence")


def test_a_newer_format_asks_for_an_upgrade(tmp_path):
    (tmp_path / "store.json").write_text('{"format": 99, "version": "9.1", "new": true}')
    with pytest.raises(StoreError, match=r"format 99, written by Saltus 9\.1.*pip install -U saltus"):
        saltus.open(tmp_path)


@pytest.mark.parametrize("text", ["", "{", '{"format": "one"}', "[]"])
def test_a_broken_marker_is_named(tmp_path, text):
    (tmp_path / "store.json").write_text(text)
    with pytest.raises(StoreError, match=r"store\.json: does not say which format"):
        saltus.open(tmp_path)


def test_opening_imports_nothing_heavy_before_it_is_called():
    code = (
        "import sys, saltus.store;"
        "heavy = {'duckdb', 'pyarrow', 'sqlalchemy', 'numpy', 'pandas'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_closed_store_opens_itself_again(store, make_scores):
    store.append("scores", make_scores(2))
    store.cache.put_many({"k": b"v"})
    assert store.points().num_rows == 1
    store.close()
    assert store.points().num_rows == 1
    assert store.cache.get_many(["k"]) == {"k": b"v"}
