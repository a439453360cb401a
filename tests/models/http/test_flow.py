"""The arithmetic of flow: how the limit moves, what a minute lets through, what a budget has room for."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.models.http.budget import Budget
from saltus.models.http.gate import Gate
from saltus.models.http.limit import Limit
from saltus.models.http.options import Flow
from saltus.models.http.rates import Bucket


def round_trips(limit: Limit, count: int, latency: float = 0.2) -> list[int]:
    """The limit after each round trip of a server whose latency does not depend on the load."""
    seen = []
    for _ in range(count):
        for _ in range(int(limit.now)):
            limit.succeeded(latency)
        seen.append(int(limit.now))
    return seen


def test_the_limit_doubles_until_it_is_there() -> None:
    assert round_trips(Limit(16, 1, 200), 5) == [32, 64, 128, 200, 200]


def test_the_limit_stops_growing_when_latency_rises() -> None:
    limit = Limit(16, 1, 1000)
    for _ in range(40):
        for _ in range(int(limit.now)):
            limit.succeeded(max(0.2, limit.now / 64 * 0.2))  # 64 at a time is all the server can do
    assert 64 <= limit.now <= 260


def test_the_limit_halves_once_a_round_trip() -> None:
    limit = Limit(64, 1, 64)
    for _ in range(30):
        limit.pushed_back(sent=1.0, now=2.0)
    assert limit.now == 32
    limit.pushed_back(sent=1.9, now=2.1)  # sent before the cut
    assert limit.now == 32
    limit.pushed_back(sent=2.5, now=3.0)
    assert limit.now == 16


def test_the_limit_grows_by_a_fixed_step_after_it_fell() -> None:
    limit = Limit(64, 1, 64)
    limit.pushed_back(sent=1.0, now=2.0)
    grown = round_trips(limit, 3)
    assert grown[0] in (35, 36)
    assert grown[2] in (43, 44)


@given(
    st.lists(st.one_of(st.floats(0.01, 10), st.none()), max_size=200), st.integers(1, 8), st.integers(8, 99)
)
def test_the_limit_keeps_within_its_bounds(what: list[float | None], least: int, most: int) -> None:
    limit = Limit(most, least, most)
    for now, latency in enumerate(what):
        if latency is None:
            limit.pushed_back(sent=now, now=now)
        else:
            limit.succeeded(latency)
        assert least <= limit.now <= most


@given(
    st.floats(1, 5000),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 40)), min_size=1, max_size=120),
)
def test_no_minute_lets_more_through_than_it_may(per_minute: float, calls: list[tuple[float, float]]) -> None:
    bucket, now, used = Bucket(per_minute), 0.0, []
    size = max(1.0, per_minute / 60)
    for pause, wanted in calls:
        now += pause
        units = min(wanted, size)
        used.append((now + bucket.reserve(units, now), units))
    assert [at for at, _ in used] == sorted(at for at, _ in used)
    slack = 1.0 if per_minute <= 2 * size else 0.0  # a rate of one a minute may fall on both ends
    for start, _ in used:
        within = sum(units for at, units in used if start <= at <= start + 59.999)
        assert within <= per_minute + slack + 1e-6 * per_minute


def test_a_request_larger_than_the_bucket_waits_for_a_full_one_and_holds_up_the_next() -> None:
    bucket = Bucket(600)  # 10 at once, then 9.83 a second
    assert bucket.reserve(5, 0.0) == 0
    assert bucket.reserve(100, 0.0) == pytest.approx(5 / 9.8333, rel=1e-3)
    assert bucket.reserve(1, 0.0) == pytest.approx(96 / 9.8333, rel=1e-3)
    bucket.give_back(96)
    assert bucket.reserve(1, 0.0) == pytest.approx(1 / 9.8333, rel=1e-2)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=60), st.integers(100, 400), st.integers(1, 16))
def test_a_token_budget_is_met_closely(sizes: list[int], most: int, at_once: int) -> None:
    budget, under_way = Budget(Flow(max_tokens_total=most)), 0
    for size in sizes:
        while under_way < at_once and budget.has_room(under_way):
            under_way += 1
        if not under_way:
            break
        under_way -= 1
        budget.count(size, 0)
    # What was under way may be larger than the answers before it, by no more than it is itself.
    assert sum(budget.tokens) <= most + at_once * max(sizes)


def test_a_gate_lets_retries_through_first() -> None:
    async def main() -> list[str]:
        gate, seen = Gate(Limit(1, 1, 1), lambda under_way: True), list[str]()

        async def work(name: str, *, again: bool) -> None:
            if again:
                await gate.enter_again()
            else:
                assert await gate.enter()
            seen.append(name)
            gate.leave(answered=True)

        assert await gate.enter()
        gate.under_way += 1  # of the one that will be tried again
        tasks = [asyncio.create_task(work(name, again=name == "again")) for name in ("new", "again")]
        await asyncio.sleep(0)
        gate.leave(answered=True)
        await asyncio.gather(*tasks)
        return seen

    assert asyncio.run(main()) == ["again", "new"]


def test_a_gate_that_breaks_off_wakes_everybody() -> None:
    async def main() -> bool:
        gate = Gate(Limit(1, 1, 1), lambda under_way: True)
        assert await gate.enter()
        gate.pause(3600)
        waiting = [asyncio.create_task(gate.nap(3600)), asyncio.create_task(gate.enter_again())]
        new = asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
        gate.break_off()
        await asyncio.gather(*waiting)
        return await new

    assert asyncio.run(main()) is False
