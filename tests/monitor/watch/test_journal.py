"""The journal holds whatever was appended, also when its writer was killed in the middle of a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from saltus.monitor.watch.events import WatchEvent
from saltus.monitor.watch.journal import Checked, Entry, Journal
from saltus.records import StoreError


def event(number: int) -> WatchEvent:
    return WatchEvent(kind="failed", headline=f"event {number}").named("w", 1.0)


def checked(step: int, failed: int = 0) -> Checked:
    files = (("config.json", 1, 2),)
    return Checked(
        path=f"/run/step{step}", signature=files, model=f"m@step{step}", series="m", step=step, failed=failed
    )


def test_it_is_read_again_as_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "watch" / "a.jsonl")
    journal.append(
        Entry(checkpoint=checked(1), series="m", look=1, looked=True, events=(event(1),), send=True)
    )
    journal.append(Entry(checkpoint=checked(2, failed=3), events=(event(2),), send=True))
    journal.append(Entry(delivered=event(1).id))
    again = Journal(tmp_path / "watch" / "a.jsonl")
    assert (again.checked, again.looks, again.events) == (journal.checked, {"m": 1}, journal.events)
    assert again.pending == {"m"}
    assert again.undelivered("hook") == [event(2)]
    assert again.knows(Path("/run/step1"), (("config.json", 1, 2),), asked="")
    assert not again.knows(Path("/run/step1"), (("config.json", 1, 2),), asked="more")
    assert not again.knows(Path("/run/step1"), (("config.json", 1, 3),), asked="")
    assert not again.knows(Path("/run/step2"), (("config.json", 1, 2),), asked="")  # some of it failed


def test_a_line_torn_at_any_byte_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal = Journal(path)
    journal.append(Entry(events=(event(1),), send=True))
    first = path.stat().st_size
    journal.append(Entry(events=(event(2),), send=True))
    whole = path.read_bytes()
    for size in range(first, len(whole)):
        path.write_bytes(whole[:size])
        again = Journal(path)
        assert list(again.events) == [event(1).id]
        again.append(Entry(events=(event(3),), send=True))
        assert list(Journal(path).events) == [event(1).id, event(3).id]


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{}\n{"look": "many"}\n')
    with pytest.raises(StoreError, match=r"a\.jsonl:2: is no line of a watch"):
        Journal(path)


def test_what_one_address_refused_another_may_take(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.jsonl")
    journal.append(Entry(events=(event(1), event(2)), send=True))
    journal.append(Entry(refused=event(1).id, by="old"))
    assert journal.undelivered("old") == [event(2)]
    assert Journal(tmp_path / "a.jsonl").undelivered("new") == [event(1), event(2)]


def test_without_a_webhook_nothing_waits_for_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.jsonl")
    journal.append(Entry(events=(event(1),)))
    assert journal.undelivered("any") == []
