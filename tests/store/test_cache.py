"""The response cache: what goes in comes out, in any number and from any process."""

import os
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.records import StoreError
from saltus.store import ResponseCache

PUT = """
import sys, saltus
cache = saltus.open(sys.argv[1]).cache
for number in range(40):
    keys = range(number * 5, number * 5 + 10)
    cache.put_many({f"{key}": bytes(f"value {key}", "ascii") * 40 for key in keys})
    assert len(cache.get_many(str(key) for key in range(number * 5 + 10))) == number * 5 + 10
"""


def test_beyond_the_variable_limit(store):
    items = {f"{number:064x}": bytes([number % 256]) * (number % 300) for number in range(40_000)}
    store.cache.put_many(items)
    assert store.cache.get_many([*items, "unknown", next(iter(items))]) == items
    assert len(store.cache) == len(items)
    assert store.cache.get_many([]) == {}
    store.cache.put_many([])


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), st.binary(max_size=2000), max_size=5))
def test_any_bytes_come_back(tmp_path_factory, items):
    cache = ResponseCache(tmp_path_factory.mktemp("cache") / "cache.sqlite")
    cache.put_many(items.items())
    assert cache.get_many(items) == items
    cache.close()


def test_compressed_where_it_pays(store):
    store.cache.put_many({"text": b"-1.25, " * 1000, "noise": os.urandom(1000), "short": b"1"})
    with closing(sqlite3.connect(store.path / "cache.sqlite")) as file:
        sizes = dict(file.execute("SELECT key, length(value) FROM responses"))
    assert sizes["text"] < 200
    assert (sizes["noise"], sizes["short"]) == (1000, 1)


def test_the_first_value_stays(store):
    store.cache.put_many({"k": b"first"})
    store.cache.put_many({"k": b"second"})
    assert store.cache.get_many(["k"]) == {"k": b"first"}


def test_many_processes_share_it(store, start):
    writers = [start(PUT, store.path) for _ in range(3)]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors
    assert len(store.cache) == 205


def test_a_broken_file_may_be_deleted(tmp_path):
    path = tmp_path / "cache.sqlite"
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(StoreError, match="delete the file, it only saves time"):
        ResponseCache(path).get_many(["k"])
