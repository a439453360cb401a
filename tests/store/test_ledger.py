"""The ledger: one chain under many writers, and no change that it does not tell."""

import math
import sqlite3
from contextlib import closing
from itertools import pairwise

import msgspec
import pytest

from saltus.records import Finding, InputError, StoreError, UsageError
from saltus.store import Ledger
from saltus.store.ledger import _hash

APPEND = """
import sys, saltus
ledger = saltus.open(sys.argv[1]).ledger
for number in range(20):
    ledger.append("note", {"number": number}, actor=sys.argv[2])
"""


@pytest.fixture
def ledger(store):
    for number in range(4):
        store.ledger.append(
            "note" if number % 2 else "plan", {"number": number, "a": [1.5, None, "é"]}, actor="me"
        )
    return store.ledger


@pytest.fixture
def tamper(ledger, store):
    """Run SQL on the file itself, as one who wants to rewrite it would."""

    def run(*statements):
        with closing(sqlite3.connect(store.path / "ledger.sqlite")) as connection, connection:
            for statement in ("DROP TRIGGER events_no_update", "DROP TRIGGER events_no_delete", *statements):
                connection.execute(statement)

    return run


def test_events_come_back_in_order(ledger):
    events = ledger.events()
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert events[0].payload == {"number": 0, "a": [1.5, None, "é"]}
    assert [event.seq for event in ledger.events("note")] == [2, 4]
    assert [event.seq for event in ledger.events(limit=2)] == [3, 4]
    assert all(later.prev == earlier.hash for earlier, later in pairwise(events))
    assert ledger.append("note", {}) == ledger.events()[-1]


def test_a_whole_chain_is_ok(ledger, store):
    result = ledger.verify()
    assert (result.ok, result.events, result.broken) == (True, 4, None)
    assert result.head == ledger.events()[-1].hash
    assert ledger.verify(head=ledger.events()[1].hash).ok
    assert Ledger(f"sqlite:///{store.path / 'other.sqlite'}").verify().ok


@pytest.mark.parametrize("statement", ["UPDATE events SET actor = 'you'", "DELETE FROM events WHERE seq = 4"])
def test_the_file_refuses_changes(ledger, store, statement):
    with (
        closing(sqlite3.connect(store.path / "ledger.sqlite")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(statement)
    assert ledger.verify().ok


@pytest.mark.parametrize(
    ("statement", "broken", "reason"),
    [
        ("UPDATE events SET payload = '{\"number\":9}' WHERE seq = 2", 2, "Event 2 was changed"),
        ("UPDATE events SET actor = 'you' WHERE seq = 4", 4, "Event 4 was changed"),
        ("UPDATE events SET time = time + 1 WHERE seq = 1", 1, "Event 1 was changed"),
        ("UPDATE events SET kind = 'plan' WHERE seq = 2", 2, "Event 2 was changed"),
        ("UPDATE events SET prev = hash WHERE seq = 3", 3, "does not follow"),
        ("DELETE FROM events WHERE seq = 2", 2, "Event 2 is missing; the next one is 3"),
        ("DELETE FROM events WHERE seq = 1", 1, "Event 1 is missing"),
        ("DELETE FROM events WHERE seq >= 3", 3, "Events 3 to 4 were appended and are gone"),
        ("DELETE FROM events", 1, "Events 1 to 4 were appended and are gone"),
    ],
)
def test_the_first_broken_event_is_named(ledger, tamper, statement, broken, reason):
    tamper(statement)
    result = ledger.verify()
    assert (result.ok, result.broken) == (False, broken)
    assert reason in result.reason


def test_a_chain_written_anew_lacks_the_head_that_was_noted(ledger, tamper):
    noted = ledger.verify().head
    last = msgspec.structs.asdict(ledger.events()[-1]) | {"payload": '{"number":9}'}
    forged = _hash(last)
    tamper(f"UPDATE events SET payload = '{last['payload']}', hash = '{forged}' WHERE seq = 4")
    assert ledger.verify().ok
    result = ledger.verify(head=noted)
    assert not result.ok
    assert "noted" in result.reason


def test_many_writers_make_one_chain(store, start):
    writers = [start(APPEND, store.path, f"w{number}") for number in range(3)]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors
    result = store.ledger.verify()
    assert (result.ok, result.events) == (True, 60)
    for number in range(3):
        mine = [event.payload["number"] for event in store.ledger.events() if event.actor == f"w{number}"]
        assert mine == list(range(20))


def test_payloads(ledger):
    finding = Finding(
        id="f",
        family="g",
        axis="step",
        task="t",
        metric="m",
        n_scales=3,
        n_samples=None,
        verdict="gradual",
        headline="h",
    )
    event = ledger.append("finding", {"finding": finding, "value": math.inf})
    assert event.payload["finding"]["verdict"] == "gradual"
    assert event.payload["value"] is None
    for payload in ({"x": object()}, [1, 2]):
        with pytest.raises(InputError, match="JSON object"):
            ledger.append("bad", payload)
    assert ledger.verify().events == 5


def test_other_databases_and_broken_files_are_refused(tmp_path):
    with pytest.raises(UsageError, match="postgresql"):
        Ledger("postgresql://host/db")
    (tmp_path / "ledger.sqlite").write_text("this is no database, but long enough to be read as one" * 50)
    with pytest.raises(StoreError, match="the ledger failed"):
        Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}").events()
