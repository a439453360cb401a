"""Many requests at a time, a server that misbehaves: each is answered once, and none is asked in vain."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.models.http.scripted import Asked, Reply, Scripted, answer_to, ask, completion, prompts

from saltus.models import HttpModel
from saltus.records import BudgetError, GenerateRequest, ModelError

Connect = Callable[..., HttpModel]
BODY = b'{"choices": [{"index": 0, "text": "whole", "finish_reason": "stop"}]}'


def test_each_request_is_sent_once_and_delivered_once(server: Scripted, connect: Connect) -> None:
    delivered = ask(connect(connections=16), prompts(300))
    assert delivered.texts == [f"answer to p{number}" for number in range(300)]
    assert server.tries() == {f"p{number}": 1 for number in range(300)}
    assert server.most_at_once <= 16
    assert len(server.connections) <= 16  # kept alive


def test_generate_keeps_the_order(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(completion(asked.text), delay=0.02 if asked.text == "p0" else 0)
    assert [one.text for one in connect().generate(prompts(9))] == [f"p{number}" for number in range(9)]


@pytest.mark.parametrize(
    "bad",
    [
        Reply({"error": {"message": "out of memory"}}, status=500),
        Reply(b"<html>Bad gateway</html>", status=502, content_type="text/html"),
        Reply(b"", status=503),
        Reply(b"", status=408),
        Reply(b"", status=409),
        Reply(b"", status=425),
        Reply({"error": "slow down"}, status=429),
        Reply(BODY, cut_after=30),
        Reply(BODY, cut_after=0),
        Reply(BODY[:-5]),
        Reply(b"{]"),
        Reply(b"\xff\xfe"),
        Reply(b"<html>Welcome</html>", content_type="text/html"),
        Reply(b""),
        Reply({"choices": []}),
        Reply({"error": {"message": "overloaded"}}),
        Reply(completion("half", finish_reason="abort")),
        Reply(drop=True),
    ],
    ids=lambda bad: f"{bad.status}-{str(bad.body)[:20]}-{bad.cut_after}-{bad.drop}",
)
def test_what_went_wrong_is_tried_again_and_counted_once(
    server: Scripted, connect: Connect, bad: Reply
) -> None:
    server.rule = lambda asked: bad if asked.try_ == 1 else answer_to(asked)
    model = connect(connections=4)
    delivered = ask(model, prompts(12))
    assert delivered.texts == [f"answer to p{number}" for number in range(12)]
    assert server.tries() == {f"p{number}": 2 for number in range(12)}
    assert (model.spent.answers, model.spent.tokens) == (12, (36, 24))


def test_an_answer_of_another_content_type_is_an_answer(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(BODY, content_type="text/plain")
    assert ask(connect(), prompts(1)).texts == ["whole"]


def test_what_is_refused_is_not_tried_again(server: Scripted, connect: Connect) -> None:
    refusal = Reply({"error": {"message": "this prompt is too long", "param": "prompt"}}, status=400)
    server.rule = lambda asked: refusal if asked.text in ("p3", "p7") else answer_to(asked)
    delivered = ask(connect(connections=4), prompts(40))
    assert server.tries() == {f"p{number}": 1 for number in range(40)}
    assert len(delivered.answers) == 38
    assert sorted(delivered.errors) == [3, 7]
    said = f"{server.url} refused the request: 400: this prompt is too long"
    assert {str(error) for error in delivered.errors.values()} == {said}


def test_after_all_tries_there_is_one_sentence(server: Scripted, connect: Connect) -> None:
    broken = Reply({"detail": "no memory left"}, status=500)
    server.rule = lambda asked: broken if asked.text == "p2" else answer_to(asked)
    delivered = ask(connect(connections=4, retries=3), prompts(10))
    assert server.tries() == {f"p{number}": 4 if number == 2 else 1 for number in range(10)}
    assert [str(error) for error in delivered.errors.values()] == [
        f"{server.url} failed: 500: no memory left after 4 tries"
    ]


def test_retry_after_in_seconds_holds_for_all(server: Scripted, connect: Connect) -> None:
    throttled = Reply({"error": "slow down"}, status=429, headers={"Retry-After": "1"})
    server.rule = lambda asked: throttled if asked.text == "p0" and asked.try_ == 1 else answer_to(asked)
    delivered = ask(connect(connections=1), prompts(6))
    assert len(delivered.answers) == 6
    assert server.tries() == {f"p{number}": 2 if number == 0 else 1 for number in range(6)}
    first, *later = [one.at for one in server.asked]
    assert min(later) - first >= 0.99


def test_retry_after_as_a_date(server: Scripted, connect: Connect) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    passed = time.monotonic() + (until - datetime.now(UTC)).total_seconds()
    headers = {"Retry-After": format_datetime(until, usegmt=True)}
    server.rule = lambda asked: (
        Reply(b"", status=503, headers=headers) if asked.try_ == 1 else answer_to(asked)
    )
    assert len(ask(connect(connections=1), prompts(1)).answers) == 1
    assert server.asked[1].at >= passed - 0.02


def test_a_wait_beyond_reason_is_an_error(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(b"", status=429, headers={"Retry-After": "86400"})
    [error] = ask(connect(timeout=60), prompts(1)).errors.values()
    assert "the server asks to wait 86,400 seconds" in str(error)
    assert server.tries() == {"p0": 1}


def test_a_server_that_throttles_gets_everything_answered(server: Scripted, connect: Connect) -> None:
    def rule(asked: Asked) -> Reply:
        if server.under_way > 4:
            return Reply({"error": "too many"}, status=429)
        return Reply(completion(asked.text), delay=0.005)

    server.rule = rule
    model = connect(connections=32, retries=2)
    delivered = ask(model, prompts(200))
    assert delivered.texts == [f"p{number}" for number in range(200)]
    assert model.spent.answers == 200


def test_a_hanging_try_is_given_up_and_made_again(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(hang=asked.try_ == 1 and asked.text != "p1", body=completion("here"))
    delivered = ask(connect(connections=8, timeout=0.25), prompts(5))
    assert delivered.texts == ["here"] * 5
    assert server.tries() == {f"p{number}": 1 if number == 1 else 2 for number in range(5)}


def test_a_server_that_only_hangs_is_an_error(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(hang=True)
    delivered = ask(connect(connections=3, timeout=0.1, retries=1), prompts(3))
    assert server.tries() == {f"p{number}": 2 for number in range(3)}
    assert all("no answer within 0." in str(one) for one in delivered.errors.values())
    assert all("after 2 tries" in str(one) for one in delivered.errors.values())


def test_the_deadline_holds_over_all_tries(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(hang=True)
    [error] = ask(connect(timeout=60, deadline=0.2), prompts(1)).errors.values()
    assert "the deadline of 0.2 seconds" in str(error)
    assert server.tries() == {"p0": 1}


def test_a_server_that_is_not_there(server: Scripted) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    delivered = ask(HttpModel(f"{url}#m", api="completions", retries=2, backoff=0.01), prompts(5_000))
    assert len(delivered.errors) == 5_000
    last = str(delivered.errors[4_999])
    assert last == (
        f"{url} cannot be reached: no connection (Connection refused); start the server or check the "
        "address, then run this again"
    )


def test_a_server_that_goes_away_is_not_asked_for_ever(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(drop=True) if int(asked.text[1:]) >= 50 else answer_to(asked)
    delivered = ask(connect(connections=4, retries=1), prompts(1_000))
    assert sorted(delivered.answers) == list(range(50))
    assert len(delivered.errors) == 950
    assert 50 + 8 * 2 <= len(server.asked) <= 50 + (8 + 4) * 2
    assert "failed 8 requests in a row" in str(delivered.errors[999])


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_lets_nobody_in_is_not_asked_for_ever(
    server: Scripted, connect: Connect, status: int
) -> None:
    server.rule = lambda asked: Reply({"error": {"message": "no entry"}}, status=status)
    delivered = ask(connect(connections=4), prompts(500))
    assert len(delivered.errors) == 500
    assert len(server.asked) <= 8 + 4
    assert str(delivered.errors[499]).endswith(f"refused 8 requests in a row: {status}: no entry")


def test_a_used_up_account_is_not_tried_again(server: Scripted, connect: Connect) -> None:
    spent = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
    server.rule = lambda asked: Reply(spent, status=429)
    delivered = ask(connect(connections=1), prompts(30))
    assert len(server.asked) == 8
    assert "You exceeded your quota" in str(delivered.errors[0])


def test_requests_are_taken_only_as_fast_as_they_are_answered(server: Scripted, connect: Connect) -> None:
    taken = delivered = most = 0

    def endless() -> Iterator[GenerateRequest]:
        nonlocal taken, most
        for number in itertools.count():
            taken += 1
            most = max(most, taken - delivered)
            yield GenerateRequest(f"p{number}")

    class EnoughError(Exception):
        pass

    def deliver(place: int, answer: object) -> None:
        nonlocal delivered
        delivered += 1
        if delivered == 400:
            raise EnoughError

    with pytest.raises(EnoughError):
        connect(connections=8).stream(endless(), deliver)
    assert most <= 8
    assert taken <= 400 + 8


def test_what_the_requests_raise_comes_out(connect: Connect) -> None:
    def broken() -> Iterator[GenerateRequest]:
        yield GenerateRequest("p0")
        raise ModelError("no more")

    with pytest.raises(ModelError, match="no more"):
        ask(connect(), broken())


def test_everything_happens_in_the_callers_thread(server: Scripted, connect: Connect) -> None:
    threads: set[int] = set()

    def requests() -> Iterator[GenerateRequest]:
        for one in prompts(20):
            threads.add(threading.get_ident())
            yield one

    async def notebook() -> list[str]:
        model = connect(connections=4)
        model.stream(requests(), lambda place, answer: threads.add(threading.get_ident()))
        return [one.text for one in model.generate(prompts(3))]

    connect(connections=4).stream(requests(), lambda place, answer: threads.add(threading.get_ident()))
    assert asyncio.run(notebook()) == ["answer to p0", "answer to p1", "answer to p2"]
    assert threads == {threading.get_ident()}


def test_what_is_delivered_may_raise_in_a_notebook_too(connect: Connect) -> None:
    def deliver(place: int, answer: object) -> None:
        raise KeyError(place)

    async def notebook() -> None:
        connect(connections=4).stream(iter(prompts(50)), deliver)

    with pytest.raises(KeyError):
        asyncio.run(notebook())


def test_a_token_budget_ends_the_run_cleanly(server: Scripted, connect: Connect) -> None:
    model = connect(connections=8, max_tokens_total=203)  # each answer takes 5
    with pytest.raises(BudgetError, match="40 answers took 200 tokens") as raised:
        ask(model, prompts(1_000))
    assert raised.value.field == "max_tokens_total"
    assert len(server.asked) == 40
    with pytest.raises(BudgetError):
        ask(model, prompts(1))
    assert len(server.asked) == 40


def test_a_cost_budget_delivers_what_it_took(server: Scripted, connect: Connect) -> None:
    model = connect(connections=8, max_cost=0.001, price_in=10, price_out=20)  # an answer costs 0.00007
    places: list[int] = []
    with pytest.raises(BudgetError, match=r"the budget of 0\.001 is used up: 14 answers .* cost of 0\.00098"):
        model.stream(iter(prompts(100)), lambda place, answer: places.append(place))
    assert sorted(places) == list(range(14))
    assert model.prices == (10, 20)


def test_a_budget_that_is_enough_is_no_error(server: Scripted, connect: Connect) -> None:
    assert len(ask(connect(max_tokens_total=155, connections=8), prompts(30)).answers) == 30


def test_requests_a_minute(server: Scripted, connect: Connect) -> None:
    ask(connect(requests_per_minute=600, connections=8), prompts(16))
    times = [one.at for one in server.asked]
    # A tenth of a second each, after the ten that may go at once.
    assert times[-1] - times[0] >= 0.5


def test_tokens_a_minute(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: Reply(
        {**completion("x"), "usage": {"prompt_tokens": 50, "completion_tokens": 50}}
    )
    ask(connect(tokens_per_minute=12_000, connections=1), prompts(6, max_tokens=50))
    times = [one.at for one in server.asked]
    assert times[-1] - times[0] >= 1.4  # five answers of 100 tokens, less the 200 that may go at once
