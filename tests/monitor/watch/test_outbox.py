"""Events reach a real server over loopback: it fails, hangs, is down for long, refuses or redirects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.monitor.watch.receiver import Receiver, Rule

from saltus.monitor.watch.events import WatchEvent
from saltus.monitor.watch.journal import Entry, Journal
from saltus.monitor.watch.outbox import Outbox
from saltus.monitor.watch.webhook import Webhook
from saltus.records import UsageError

Start = Callable[..., Receiver]


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[Receiver] = []

    def receiver(rule: Rule = lambda number, body: 200, port: int = 0) -> Receiver:
        made.append(Receiver(rule, port))
        return made[-1]

    yield receiver
    for one in made:
        one.close()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "a.jsonl")


def events(*numbers: int) -> tuple[WatchEvent, ...]:
    return tuple(WatchEvent(kind="failed", headline=f"event {n}").named("w", 1.0) for n in numbers)


def deliver(webhook: Webhook, journal: Journal, *, grace: float = 20.0) -> tuple[int, list[str]]:
    """What is left when the outbox has had its time, and what it said."""
    said: list[str] = []
    outbox = Outbox(webhook, journal, lambda event: said.append(event.headline), pause=0.01)
    return outbox.close(grace), said


def test_a_server_that_fails_twice_gets_it_once(journal: Journal, start: Start) -> None:
    server = start(lambda number, body: 503 if number <= 2 else 200)
    journal.append(Entry(events=events(1, 2), send=True))
    left, said = deliver(Webhook(server.url), journal)
    assert left == 0
    assert [body["headline"] for body in server.taken] == ["event 1", "event 2"]
    assert len(server.bodies) == 4
    assert len(said) == 1
    assert "(status 503); it is tried again" in said[0]
    first = server.taken[0]
    assert {"id", "kind", "headline", "text", "time", "version"} <= set(first)
    assert server.keys == [body["id"] for body in server.bodies]
    assert server.keys[0] == server.keys[1] == server.keys[2]


def test_a_server_that_hangs_is_given_up_and_tried_again(journal: Journal, start: Start) -> None:
    server = start(lambda number, body: 1.0 if number == 1 else 200)
    journal.append(Entry(events=events(1), send=True))
    left, said = deliver(Webhook(server.url, timeout=0.2), journal)
    assert (left, len(server.taken)) == (0, 1)
    assert "no answer within 0.2 s" in said[0]


def test_a_server_that_is_down_gets_it_after_the_restart(tmp_path: Path, start: Start) -> None:
    first = start()
    url, port = first.url, first.port
    first.close()
    journal = Journal(tmp_path / "a.jsonl")
    journal.append(Entry(events=events(1, 2), send=True))
    left, said = deliver(Webhook(url), journal, grace=0.2)
    assert left == 2
    assert "is tried again" in said[0]
    second = start(port=port)
    left, _ = deliver(Webhook(url), Journal(tmp_path / "a.jsonl"))
    assert left == 0
    assert [body["headline"] for body in second.taken] == ["event 1", "event 2"]
    assert deliver(Webhook(url), Journal(tmp_path / "a.jsonl")) == (0, [])
    assert len(second.bodies) == 2


def test_what_is_refused_is_named_and_holds_nothing_up(journal: Journal, start: Start) -> None:
    server = start(lambda number, body: 404 if body["headline"] == "event 1" else 200)
    journal.append(Entry(events=events(1, 2), send=True))
    left, said = deliver(Webhook(f"{server.url}/services/T0/B0/secret?key=hidden"), journal)
    assert left == 0
    assert [body["headline"] for body in server.bodies] == ["event 1", "event 2"]
    assert len(said) == 1
    assert "(status 404); it is not tried again until the address changes" in said[0]
    assert "secret" not in said[0]
    assert "hidden" not in said[0]
    other = start()
    assert deliver(Webhook(other.url), journal) == (0, [])
    assert [body["headline"] for body in other.taken] == ["event 1"]


def test_redirects_stay_on_the_host(journal: Journal, start: Start) -> None:
    other = start()
    server = start()
    server.rule = lambda number, body: (307, {"Location": "/there"}) if number == 1 else 200
    journal.append(Entry(events=events(1), send=True))
    assert deliver(Webhook(server.url), journal) == (0, [])
    assert len(server.bodies) == 2
    server.rule = lambda number, body: (307, {"Location": other.url})
    journal.append(Entry(events=events(2), send=True))
    _, said = deliver(Webhook(server.url), journal)
    assert "redirects to another host" in said[0]
    assert other.bodies == []
    server.rule = lambda number, body: (307, {"Location": "/again"})
    journal.append(Entry(events=events(3), send=True))
    _, said = deliver(Webhook(server.url), journal)
    assert "redirects more than 3 times" in said[0]


def test_it_waits_as_long_as_it_is_asked_to(journal: Journal, start: Start) -> None:
    moments: list[float] = []

    def rule(number: int, body: dict[str, object]) -> int | tuple[int, dict[str, str]]:
        moments.append(time.monotonic())
        return (429, {"Retry-After": "0.3"}) if number == 1 else 200

    journal.append(Entry(events=events(1), send=True))
    deliver(Webhook(start(rule).url), journal)
    assert moments[1] - moments[0] >= 0.3  # never sooner; later is the machine's affair


def test_what_comes_while_it_runs_is_delivered(journal: Journal, start: Start) -> None:
    server = start()
    outbox = Outbox(Webhook(server.url), journal, lambda event: None)
    for number in range(20):
        journal.append(Entry(events=events(number), send=True))
        outbox.wake()
    assert outbox.close(20.0) == 0
    assert [body["headline"] for body in server.taken] == [f"event {n}" for n in range(20)]


@pytest.mark.parametrize(
    "url", ["", "ftp://a/b", "file:///etc/passwd", "https://", "example.org/x", "http://[::1"]
)
def test_only_web_addresses(url: str) -> None:
    with pytest.raises(UsageError, match="http://"):
        Webhook(url)


def test_its_name_holds_no_secret() -> None:
    webhook = Webhook("https://user:word@hooks.example.org:8443/services/token?key=1")
    assert webhook.name == "https://hooks.example.org:8443"
    assert "word" not in repr(webhook)
    assert "token" not in repr(webhook)
