"""A disk that is really full: a file system of one megabyte, mounted for the length of the test."""

import json
import subprocess

import pytest

CODE = """
import json, os, sys
from pathlib import Path
import numpy as np, pyarrow as pa
import saltus
from saltus.records import ModelRecord, StoreError

disk = Path(sys.argv[1])
store = saltus.open(disk / "evidence")
store.append("models", [ModelRecord(name="m", params=1e3)])
store.ledger.append("plan", {"n": 1})
store.cache.put_many({"before": b"x"})

def block(rows):
    values = np.random.default_rng(0).random(rows)
    word = lambda text: pa.repeat(text, rows)
    return pa.table({"run": word("r"), "model": word("m"), "task": word("t"), "metric": word("x"),
                     "sample": pa.array(np.arange(rows)).cast(pa.string()), "value": values})

store.append("scores", block(100), part="first")
said = []

def expect(call):
    try:
        call()
    except StoreError as error:
        said.append(str(error))
    else:
        said.append("no error")

def stream():
    with store.writer("scores") as writer:
        for _ in range(5):
            writer.write(block(140_000))

expect(lambda: store.append("scores", block(400_000)))
expect(stream)
filler = disk / "filler"
with filler.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(b"x" * 512)
    except OSError:
        pass
expect(lambda: store.append("scores", block(50)))
expect(lambda: store.ledger.append("plan", {"n": 2, "text": "y" * 20_000}))
expect(lambda: store.cache.put_many({"after": os.urandom(60_000)}))
expect(lambda: saltus.open(disk / "other"))
result = {"said": said, "files": os.listdir(store.path / "lake" / "scores")}
result["rows"] = store.sql("SELECT count(*) AS n FROM scores")["n"].to_pylist()
result["ledger"] = [store.ledger.verify().ok, len(store.ledger.events())]
result["cache"] = sorted(store.cache.get_many(["before", "after"]))
filler.unlink()
result["added"] = [store.append("scores", block(100)), store.ledger.append("plan", {"n": 2}).seq]
store.cache.put_many({"after": b"y"})
result["models"] = store.models()["id"].to_pylist()
print(json.dumps(result))
"""
MOUNT = 'mount -t tmpfs -o size=1m tmpfs "$1" && shift && exec "$@"'


@pytest.fixture(scope="module")
def on_small_disk(tmp_path_factory):
    """The words before a command that give it a folder with one megabyte, seen by that command only."""
    folder = tmp_path_factory.mktemp("small")
    for unshare in (("unshare", "-rm"), ("unshare", "-m")):
        prefix = (*unshare, "sh", "-c", MOUNT, "sh", str(folder))
        try:
            tried = subprocess.run([*prefix, "true"], capture_output=True, check=False)
        except FileNotFoundError:
            break
        if tried.returncode == 0:
            return folder, prefix
    pytest.skip("needs a mountable small file system")


def test_a_full_disk_is_said_and_nothing_is_half_there(on_small_disk, start):
    folder, prefix = on_small_disk
    process = start(CODE, folder, prefix=prefix)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert errors == ""
    found = json.loads(output)
    appending, streaming, small, ledger, cache, opening = found["said"]
    for sentence in (appending, streaming, small):
        assert "no space left on the disk while appending to scores; nothing was added" in sentence
    assert "the ledger failed" in ledger
    assert "free some space" in ledger
    assert "the response cache failed" in cache
    assert "free some space" in cache
    assert "no space left on the disk while opening the store" in opening
    assert found["files"] == ["first.parquet"]
    assert found["rows"] == [100]
    assert found["ledger"] == [True, 1]
    assert found["cache"] == ["before"]
    assert found["added"] == [100, 2]
    assert found["models"] == ["m"]
