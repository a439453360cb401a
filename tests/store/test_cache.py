"""The response cache: what goes in comes out, in any number and from any process."""

import fcntl
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.records import StoreError
from saltus.store import ResponseCache
from saltus.store.journal import Journal, abandoned

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


def test_answers_that_resemble_each_other_take_little_room(store):
    for number in range(2_000):
        store.cache.put(f"{number}", b"The answer to this question, in so many words, is %d." % number)
    store.cache.close()
    taken = sum(file.stat().st_size for file in store.path.glob("cache*") if file.is_file())
    assert taken / 2_000 < 80  # 58 bytes of text and a key of 16
    assert store.cache.get_many(["1234"]) == {
        "1234": b"The answer to this question, in so many words, is 1234."
    }


def test_the_first_value_stays(store):
    store.cache.put_many({"k": b"first"})
    store.cache.put_many({"k": b"second"})
    assert store.cache.get_many(["k"]) == {"k": b"first"}


def test_a_value_is_replaced_only_on_purpose(store):
    for settled in (False, True):
        store.cache.put("k", b"first", replace=True)
        store.cache.put("k", b"second")
        assert store.cache.get_many(["k"]) == {"k": b"first"}
        if settled:
            store.cache.settle()
        store.cache.put("k", b"third", replace=True)
        assert store.cache.get_many(["k"]) == {"k": b"third"}
        store.cache.close()
        assert store.cache.get_many(["k"]) == {"k": b"third"}


KILLED = """
import os, signal, sys, saltus
cache = saltus.open(sys.argv[1]).cache
for number in range(int(sys.argv[2])):
    cache.put(f"{number}", b"value %d" % number)
    os.write(1, b".")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("count", [1, 2_047, 2_048, 5_000])
def test_a_killed_process_loses_no_answer(store, start, count):
    writer = start(KILLED, store.path, str(count))
    said, _ = writer.communicate(timeout=60)
    assert (writer.returncode, len(said)) == (-9, count)
    keys = [f"{number}" for number in range(count)]
    assert store.cache.get_many(keys) == {key: b"value " + key.encode() for key in keys}
    assert list((store.path / "cache.journal").iterdir()) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(), st.binary(max_size=300)), max_size=8), st.data())
def test_a_torn_journal_gives_what_is_whole(tmp_path_factory, items, data):
    folder = tmp_path_factory.mktemp("torn")
    journal = Journal(folder)
    for key, value in items:
        journal.append(key.encode()[:16].ljust(16), value)
    whole = journal.path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    os.truncate(journal.path, cut)
    assert list(abandoned(folder)) == []  # its writer lives
    os.close(journal._fd)
    [(path, entries)] = abandoned(folder)
    ends, size = [], 0
    for _, value in items:
        size += 25 + len(value)
        ends.append(size)
    assert [value for _, value, _ in entries] == [
        v for (_, v), end in zip(items, ends, strict=True) if end <= cut
    ]
    assert path == journal.path


def test_a_journal_that_is_taken_for_a_dead_one_is_made_anew(tmp_path, monkeypatch):
    lock, taken = fcntl.flock, []

    def slow(fd, how):
        if not taken:
            for path in tmp_path.glob("*.log"):  # as another process does that sees no lock on it
                path.unlink()
                taken.append(path)
        lock(fd, how)

    monkeypatch.setattr("saltus.store.journal.fcntl.flock", slow)
    journal = Journal(tmp_path)
    assert taken
    assert journal.path not in taken
    assert journal.path.exists()
    journal.close()


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
