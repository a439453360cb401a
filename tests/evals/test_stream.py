"""Models that answer out of order: everything is asked once, in bounded memory, whatever happens."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.evals import evaluate
from saltus.evals.blocks import BLOCK
from saltus.records import BudgetError, GenerateRequest, Generation, ModelError, ModelRecord, Sample, ToolCall
from saltus.store import Store
from saltus.tasks import Task


class Streamer:
    """Repeats the last word of what it was told; as many at a time as it is made for, in random order."""

    scores_text = False
    prices = (2.0, 10.0)

    def __init__(self, *, at_once: int = 8, most: int | None = None, trap: str = "") -> None:
        self.record = ModelRecord(name="streamer")
        self.fingerprint = "streamer"
        self.asked: list[GenerateRequest] = []
        self.waiting = 0
        self.at_once, self.most, self.trap = at_once, most, trap
        self._random = random.Random(0)  # noqa: S311

    def stream(
        self, requests: Iterable[Any], deliver: Callable[[int, Generation | ModelError], None]
    ) -> None:
        """Take a few, answer one of them, take the next."""
        held: list[tuple[int, GenerateRequest]] = []
        for place, request in enumerate(self._within_budget(requests)):
            held.append((place, request))
            self.waiting = max(self.waiting, len(held))
            if len(held) >= self.at_once:
                self._answer(held, deliver)
        while held:
            self._answer(held, deliver)
        if self.most is not None and len(self.asked) >= self.most:
            raise BudgetError(f"the budget of {self.most} requests is used up")

    def _within_budget(self, requests: Iterable[Any]) -> Iterator[Any]:
        for request in requests:
            self.asked.append(request)
            yield request
            if self.most is not None and len(self.asked) >= self.most:
                return

    def _answer(self, held: list[Any], deliver: Callable[[int, Any], None]) -> None:
        place, request = held.pop(self._random.randrange(len(held)))
        said = request.prompt or request.messages[-1].content
        if self.trap and self.trap in said:
            deliver(place, ModelError("the server said 500 after 5 tries"))
            return
        calls = (ToolCall("add", '{"a": 1}'),) if request.tools else ()
        answer = Generation(
            said.split()[-1], (-0.5, -0.25), "stop", 5, 2, tool_calls=calls, first_token=0.125
        )
        deliver(place, answer)

    def close(self) -> None:
        """Nothing is held."""

    def generate(self, requests: Any) -> Any:
        """Never called."""
        raise AssertionError

    loglikelihood = generate


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return saltus.open(tmp_path / "evidence")


def echo(count: int, **extra: Any) -> Iterator[Sample]:
    for i in range(count):
        yield Sample(task="echo", task_version="1", id=f"e{i}", input=f"say {i}", target=str(i), extra=extra)


def task(count: int, **more: Any) -> Task:
    given = {"name": "echo", "kind": "generation", "items": partial(echo, count), "metrics": ("exact_match",)}
    return Task(**(given | more))


def rows(store: Store, query: str) -> list[dict[str, Any]]:
    return store.sql(query).to_pylist()


def test_every_sample_is_asked_once_and_in_bounded_memory(store: Store) -> None:
    count = 2 * BLOCK + 100
    model = Streamer()
    summary = evaluate([model], [task(count)], store=store)
    assert (summary.samples, summary.requests, summary.cached) == (count, count, 0)
    assert Counter(request.prompt for request in model.asked) == Counter(f"say {i}" for i in range(count))
    assert model.waiting == 8
    [row] = rows(store, "SELECT count(*) AS n, count(DISTINCT sample) AS d, avg(value) AS v FROM scores")
    assert (row["n"], row["d"], row["v"]) == (count, count, 1.0)
    assert len(store.parts("scores", summary.run)) == 3
    # Rows stand in the order of the suite, whatever came first.
    assert store.sql("SELECT sample FROM responses LIMIT 3")["sample"].to_pylist() == ["e0", "e1", "e2"]


def test_the_same_manifest_gives_the_same_bytes_from_the_cache(tmp_path: Path) -> None:
    import shutil

    def bytes_of(folder: Path) -> dict[str, bytes]:
        parts = [*folder.glob("lake/responses/*"), *folder.glob("lake/scores/*")]
        return {part.name + part.parent.name: part.read_bytes() for part in parts}

    place = tmp_path / "evidence"
    model = Streamer()
    evaluate([model], [task(500)], store=saltus.open(place))
    before = bytes_of(place)
    assert len(before) == 2
    shutil.rmtree(place / "lake")
    again = evaluate([model], [task(500)], store=saltus.open(place))
    assert (again.requests, again.cached, len(model.asked)) == (0, 500, 500)
    assert bytes_of(place) == before


def test_what_a_response_keeps(store: Store) -> None:
    summary = evaluate([Streamer()], [task(1)], store=store)
    [row] = rows(store, "SELECT * FROM responses")
    assert (row["output"], row["output_logprobs"], row["first_token"]) == ("0", [-0.5, -0.25], 0.125)
    assert row["cost"] == pytest.approx((5 * 2.0 + 2 * 10.0) / 1e6)
    assert (summary.cost, summary.tokens) == (row["cost"], (5, 2))


def test_a_budget_stops_cleanly_and_the_same_call_goes_on(store: Store) -> None:
    count = BLOCK + 100
    poor = Streamer(most=1000)
    first = evaluate([poor], [task(count)], store=store)
    assert (first.samples, first.requests) == (1000, 1000)
    assert first.stopped == "the budget of 1000 requests is used up"
    assert rows(store, "SELECT count(*) AS n FROM scores") == [{"n": 1000}]
    rich = Streamer()
    second = evaluate([rich], [task(count)], store=store)
    assert (second.run, second.samples, second.requests) == (first.run, count, count - 1000)
    assert second.stopped == ""
    asked = Counter(request.prompt for request in [*poor.asked, *rich.asked])
    assert set(asked.values()) == {1}
    for table in ("scores", "responses"):
        assert rows(store, f"SELECT count(*) AS n, count(DISTINCT sample) AS d FROM {table}") == [
            {"n": count, "d": count}
        ]


def test_failures_are_kept_apart_from_wrong_answers(store: Store) -> None:
    summary = evaluate([Streamer(trap="say 7")], [task(30)], store=store)
    assert (summary.samples, summary.failed) == (29, 1)
    assert "the server said 500 after 5 tries" in summary.problems[0]
    mended = evaluate([Streamer()], [task(30)], store=store, retry_failed=True)
    assert (mended.run, mended.samples, mended.failed, mended.requests) == (summary.run, 30, 0, 1)
    assert rows(store, "SELECT count(*) AS n FROM scores WHERE sample = 'e7'") == [{"n": 1}]
    # Another start sees the mended one as done.
    again = evaluate([Streamer()], [task(30)], store=store)
    assert (again.samples, again.failed, again.requests) == (30, 0, 0)


def test_epochs_are_asked_apart_where_an_answer_may_differ(store: Store) -> None:
    model = Streamer()
    summary = evaluate([model], [task(10)], store=store, epochs=3)
    assert (summary.samples, len(model.asked)) == (30, 30)
    assert rows(store, "SELECT epoch, count(*) AS n FROM scores GROUP BY epoch ORDER BY epoch") == [
        {"epoch": 0, "n": 10},
        {"epoch": 1, "n": 10},
        {"epoch": 2, "n": 10},
    ]
    [point] = store.points(task="echo").to_pylist()
    assert point["n"] == 10  # repeats of a sample are no samples of their own


def test_epochs_of_a_sampled_answer_have_seeds_of_their_own(store: Store) -> None:
    model = Streamer()
    evaluate([model], [task(2)], store=store, epochs=2, temperature=0.8, seed=5)
    assert sorted({(request.seed, request.temperature) for request in model.asked}) == [(5, 0.8), (6, 0.8)]


def test_samples_that_are_alike_are_asked_once(store: Store) -> None:
    def alike() -> Iterator[Sample]:
        for i in range(50):
            yield Sample(task="echo", task_version="1", id=f"e{i}", input="say yes", target="yes")

    model = Streamer()
    summary = evaluate([model], [task(0, items=alike)], store=store)
    assert (summary.samples, len(model.asked), summary.cached) == (50, 1, 49)


def test_conversations_are_asked_turn_by_turn(store: Store) -> None:
    extra = {"system": "Be brief.", "turns": ["and now say two", "and last say three"]}
    model = Streamer()
    summary = evaluate([model], [task(20, items=partial(echo, 20, **extra))], store=store)
    assert (summary.samples, summary.requests) == (20, 60)
    [row] = rows(store, "SELECT * FROM responses WHERE sample = 'e4'")
    assert (row["turns"], row["output"]) == (["4", "two"], "three")
    last = max(model.asked, key=lambda request: len(request.messages))
    assert [message.role for message in last.messages] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    again = evaluate([model], [task(20, items=partial(echo, 20, **extra))], store=store, limit=10)
    assert (again.samples, again.requests, again.cached) == (10, 0, 30)


def test_tools_go_with_the_request_and_calls_come_back(store: Store) -> None:
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    model = Streamer()
    evaluate([model], [task(1, items=partial(echo, 1, tools=tools))], store=store)
    assert '"add"' in model.asked[0].tools
    [row] = rows(store, "SELECT tool_calls FROM responses")
    assert row["tool_calls"] == '[{"name":"add","arguments":"{\\"a\\": 1}","id":""}]'


def test_multiple_choice_is_asked_by_letter_where_text_cannot_be_scored(store: Store) -> None:
    def choices() -> Iterator[Sample]:
        for i in range(4):
            yield Sample(
                task="mc",
                task_version="1",
                id=f"m{i}",
                input="Which?",
                target="x" if i else "only.",
                choices=("x", "only."),
                answer=int(i == 0),
                chance=0.5,
            )

    model = Streamer()
    asked = Task(name="mc", kind="multiple_choice", items=choices, metrics=("choice_correct", "brier"))
    summary = evaluate([model], [asked], store=store)
    assert (summary.samples, summary.failed) == (4, 0)
    assert summary.notes == (
        "streamer gives no log-probabilities of text, so task mc is asked by letter, without brier",
    )
    assert "A) x\nB) only." in model.asked[0].prompt
    # It says "only.", which are the words of the second choice.
    assert rows(store, "SELECT sample, metric, value FROM scores ORDER BY sample") == [
        {"sample": f"m{i}", "metric": "choice_correct", "value": float(i == 0)} for i in range(4)
    ]


def test_the_same_run_is_not_made_twice_at_a_time(store: Store) -> None:
    model = Streamer()
    first = evaluate([model], [task(1)], store=store)
    with (
        store.claim(f"run-{first.run}"),
        pytest.raises(saltus.SaltusError, match="the same run is under way in process"),
    ):
        evaluate([model], [task(1)], store=store)


def test_samples_that_belong_together_make_one_cluster(store: Store) -> None:
    def pages() -> Iterator[Sample]:
        for i in range(40):
            yield Sample(
                task="echo",
                task_version="1",
                id=f"e{i}",
                input=f"say {i}",
                target=str(i) if i < 20 else "?",
                slices={"page": str(i // 10)},
            )

    errors = []
    for cluster in ("", "page"):
        evaluate([Streamer()], [task(0, items=pages, cluster=cluster)], store=store)
        [point] = store.points(metric="exact_match").to_pylist()
        errors.append(point["stderr"])
    assert errors[1] > 2 * errors[0]  # four pages, on each of which all answers are alike
