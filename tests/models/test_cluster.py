"""Runs spread over two workers of a local Ray cluster: the same bytes, also when a worker is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.models.http.scripted import Scripted

import saltus
from saltus.evals import ProgressEvent, evaluate
from saltus.evals.batches import AT_ONCE
from saltus.family.catalog import path
from saltus.models import load_model
from saltus.models.cluster import Cluster
from saltus.models.cluster.address import BATCH, parse_place
from saltus.records import GenerateRequest, Generation, LoglikelihoodRequest, ModelRecord
from saltus.records.errors import InputError, MissingExtraError, ModelError, UsageError
from saltus.records.ids import content_hash
from saltus.tasks import get_suite

os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # as `Cluster` does, before Ray is imported
ray = pytest.importorskip("ray")
pytest.importorskip("torch")

TASKS = ["recall", "reverse", "sort"]  # 1,536 different requests: two batches of each kind


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    """A cluster that the tests join one after another."""
    place = "ray://local:2"
    with Cluster(place):
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield place


class Deadly:
    """Echoes prompts; one prompt ends the process, another is an error."""

    def __init__(self, record: ModelRecord) -> None:
        self.record = record
        self.fingerprint = content_hash(record.name)

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        prompts = [request.prompt for request in requests]
        if "die" in prompts:
            os.kill(os.getpid(), signal.SIGKILL)
        if "fail" in prompts:
            raise InputError("it is too long")
        return [Generation(prompt) for prompt in prompts]

    def loglikelihood(self, requests: Sequence[LoglikelihoodRequest]) -> list[Any]:
        raise AssertionError("no test asks it to score text")

    def close(self) -> None:
        """Nothing to free."""


def not_there(record: ModelRecord) -> Deadly:
    """A model that loads here and nowhere else."""
    if os.getpid() != int(record.revision):
        raise ModelError("no model directory is here")
    return Deadly(record)


def contents(store: saltus.Store, table: str) -> Any:
    kept = [name for name in store.sql(f"FROM {table} LIMIT 1").column_names if name != "latency"]
    return store.sql(f"SELECT {', '.join(kept)} FROM {table} ORDER BY ALL")


def test_a_spread_run_gives_the_same_bytes_although_a_worker_is_killed(local: str, tmp_path: Path) -> None:
    suite = get_suite("family").only(TASKS)
    chosen = [path("tiro-3x80"), path("tiro-2x64")]
    records = [ModelRecord(name=folder.parent.name, location=str(folder)) for folder in chosen]
    here, there = saltus.open(tmp_path / "here"), saltus.open(tmp_path / "there")
    plain = evaluate(records, suite, store=here, load=partial(load_model, threads=1))
    killed: list[int] = []
    with Cluster(local) as cluster:

        def kill(event: ProgressEvent) -> None:
            if event.requests and cluster.busy and not killed:
                killed.append(cluster.busy[0][1])
                os.kill(killed[0], signal.SIGKILL)

        spread = evaluate(records, suite, store=there, progress=kill, load=partial(cluster.load, threads=1))
        assert killed
        assert killed[0] not in [process for _, process in cluster.workers]
        assert cluster.counts.lost == 1
        assert 0 < cluster.counts.repeated <= BATCH  # the batch that was lost, and no other
        assert cluster.counts.requests == spread.requests + cluster.counts.repeated
        assert cluster.note() == f"1 worker died; {cluster.counts.repeated:,} requests were asked once more"
    assert (spread.run, spread.samples, spread.requests) == (plain.run, plain.samples, plain.requests)
    assert spread.failed == 0
    for table in ("responses", "scores"):
        assert contents(here, table).num_rows > 0
        assert contents(there, table).equals(contents(here, table))


def test_what_kills_or_fails_costs_nothing_else(local: str) -> None:
    prompts = [f"p{i}" for i in range(30)]
    prompts[13], prompts[21] = "die", "fail"
    found: dict[int, Any] = {}
    with Cluster(local + "?batch=8", load=Deadly) as cluster:
        model = cluster.load(ModelRecord(name="deadly"))
        model.stream(
            (GenerateRequest(prompt) for prompt in prompts),
            lambda place, answer, seconds=None: found.update({place: answer}),
        )
        assert cluster.counts.lost == 5  # two for the batch of eight, one for each half after that
    assert sorted(found) == list(range(30))
    assert str(found.pop(13)).startswith("2 workers died while they were asked this (ActorDiedError on ")
    failed = found.pop(21)
    assert str(failed) == "it is too long"
    assert isinstance(failed, InputError)
    assert {place: answer.text for place, answer in found.items()} == {
        place: prompts[place] for place in found
    }


def test_a_model_that_no_worker_can_load_fails_with_the_reason(local: str) -> None:
    with Cluster(local, load=not_there) as cluster:
        model = cluster.load(ModelRecord(name="away", revision=str(os.getpid())))
        with pytest.raises(ModelError, match="no model directory is here"):
            model.generate([GenerateRequest("a")])
        assert cluster.counts.requests == 0


def test_what_deliver_raises_ends_the_stream_and_the_next_one_works(local: str) -> None:
    def stop(place: int, answer: object, seconds: float | None = None) -> None:
        raise KeyboardInterrupt

    with Cluster(local + "?batch=4", load=Deadly) as cluster:
        model = cluster.load(ModelRecord(name="deadly"))
        requests = [GenerateRequest(f"p{i}") for i in range(16)]
        with pytest.raises(KeyboardInterrupt):
            model.stream(requests, stop)
        assert cluster.busy == []
        assert [answer.text for answer in model.generate(requests)] == [one.prompt for one in requests]


def test_a_model_behind_a_server_is_asked_from_the_workers(local: str) -> None:
    server = Scripted()
    try:
        with Cluster(local + "?batch=8") as cluster:
            record = ModelRecord(name="served", location=f"{server.url}#m")
            model = cluster.load(record, api="completions", scoring="none", logprobs=False)
            assert model.repeats
            assert not model.scores_text
            answers = model.generate([GenerateRequest(f"p{i}") for i in range(32)])
            assert len(answers) == 32
            assert all(answer.completion_tokens for answer in answers)
            with pytest.raises(UsageError, match="max_cost cannot be kept to"):
                cluster.load(record, max_cost=1)
    finally:
        server.close()


def test_the_command_line_spreads_a_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "saltus", "run", "family", "-M", str(path("tiro-1x8")), "--task", "sort"]
    command += [
        "--limit",
        "8",
        "--on",
        "ray://local:1",
        "-O",
        "threads=1",
        "--store",
        str(tmp_path),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["samples"] == 8


def test_batches_are_those_of_a_run_on_one_machine() -> None:
    assert BATCH == AT_ONCE


@pytest.mark.parametrize(
    "url", ["ray:/auto", "http://head:1", "ray://local:2?gpu=1", "ray://auto?batch=0", "ray://h:x", "ray://"]
)
def test_what_is_no_place_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"ray://|workers, cpus, gpus and batch"):
        parse_place(url)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"saltus\[ray\]"):
        Cluster("ray://local:2")
