"""Watching a folder in this process: what is evaluated, in which order, and what goes wrong alone."""

from __future__ import annotations

import json
import shutil
from collections import Counter, UserDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.family import path as shipped
from saltus.monitor.watch import Settings, WatchEvent, WatchSummary, watch
from saltus.records import InputError, StoreError, UsageError
from saltus.store import Store
from saltus.tasks import Suite, get_suite

SMALL = shipped("tiro-1x8")
ITEMS = 8


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    rows = [{"id": f"s{i}", "input": f"\n{i}+1=", "target": f"{i + 1}"} for i in range(ITEMS)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return get_suite(str(tmp_path / "sums.jsonl"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with saltus.open(tmp_path / "evidence") as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def land(root: Path, name: str, model: Path = SMALL) -> Path:
    shutil.copytree(model, root / name, ignore=shutil.ignore_patterns("family.json"))
    return root / name


def once(root: Path, suite: Suite, store: Store, **settings: Any) -> tuple[WatchSummary, list[WatchEvent]]:
    said: list[WatchEvent] = []
    progress = settings.pop("progress", None)
    more = {"progress": progress} if progress else {}
    chosen = Settings(**{"once": True, "settle": 0.0, "every": 0.01} | settings)
    return watch(root, suite, store=store, settings=chosen, say=said.append, **more), said


def short(said: list[WatchEvent]) -> list[tuple[str, float | None]]:
    return [(event.kind, event.step) for event in said]


def test_each_checkpoint_once_in_order_and_never_again(root: Path, suite: Suite, store: Store) -> None:
    for name in ("checkpoint-20", "checkpoint-3", "tmp-checkpoint-30"):
        land(root, name)
    summary, said = once(root, suite, store)
    assert short(said) == [("checkpoint", 3), ("checkpoint", 20)]
    assert (summary.evaluated, summary.requests) == (2, 2 * ITEMS)  # both have the same content
    land(root, "checkpoint-40")
    summary, said = once(root, suite, store)
    assert short(said) == [("checkpoint", 40)]
    assert (summary.evaluated, summary.known) == (1, 2)
    rows = store.points(model="run").to_pylist()
    assert {(row["step"], row["params"]) for row in rows} == {(3, 1912), (20, 1912), (40, 1912)}
    [task] = said[0].scores
    assert (task.n, task.moves) == (ITEMS, "same")


def test_the_trainers_state_gives_tokens_and_loss(root: Path, suite: Suite, store: Store) -> None:
    place = land(root, "checkpoint-20")
    log = [{"loss": 3.0, "step": 10}, {"eval_loss": 2.5, "step": 20}, {"loss": 2.0, "step": 20}]
    state = {"global_step": 20, "num_input_tokens_seen": 5_000, "log_history": log}
    (place / "trainer_state.json").write_text(json.dumps(state))
    land(root, "checkpoint-30")
    once(root, suite, store, tokens_per_step=300.0)
    first, second = sorted(store.models().to_pylist(), key=lambda row: row["step"])
    assert (first["tokens"], first["loss"], first["flops"]) == (5_000, 2.5, 6 * 1912 * 5_000)
    assert (second["tokens"], second["loss"]) == (9_000, None)


def test_what_is_overwritten_is_evaluated_again(root: Path, suite: Suite, store: Store) -> None:
    place = land(root, "step5")
    once(root, suite, store)
    for file in place.iterdir():
        file.touch()
    summary, said = once(root, suite, store)
    assert (summary.requests, short(said)) == (0, [])  # the same content
    shutil.copy(shipped("tiro-1x8-seed1") / "model.safetensors", place / "model.safetensors")
    summary, said = once(root, suite, store)
    assert short(said) == [("checkpoint", 5)]
    assert summary.requests > 0


def test_with_more_to_ask_each_checkpoint_is_asked_the_rest(root: Path, suite: Suite, store: Store) -> None:
    land(root, "step5")
    assert once(root, suite, store, how={"limit": 3})[0].requests == 2 * 3  # answer and likelihood
    assert once(root, suite, store, how={"limit": 3})[0].evaluated == 0
    assert once(root, suite, store)[0].requests == 2 * (ITEMS - 3)


def test_a_broken_checkpoint_costs_no_other(root: Path, suite: Suite, store: Store) -> None:
    for step in (1, 2, 3, 4):
        land(root, f"step{step}")
    weights = root / "step2" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    config = json.loads((root / "step3" / "config.json").read_text())
    (root / "step3" / "config.json").write_text(json.dumps(config | {"model_type": "no-such-thing"}))
    summary, said = once(root, suite, store)
    assert sorted(short(said)) == [("checkpoint", 1), ("checkpoint", 4), ("failed", 3), ("incomplete", 2)]
    assert summary.failed == 2
    _, said = once(root, suite, store)
    assert sorted(short(said)) == [("failed", 3), ("incomplete", 2)]  # tried again by each start


def test_one_deleted_while_it_is_evaluated_is_evaluated(root: Path, suite: Suite, store: Store) -> None:
    for step in (1, 2):
        land(root, f"step{step}")
    calls: list[int] = []

    @contextmanager
    def progress() -> Iterator[Callable[..., None]]:
        calls.append(1)
        for step in (1, 2):
            shutil.rmtree(root / f"step{step}", ignore_errors=True)  # as save_total_limit does
        yield lambda event: None

    _, said = once(root, suite, store, progress=progress)
    assert short(said) == [("checkpoint", 1), ("skipped", 2)]
    assert len(calls) == 1


class Deleting(UserDict[str, Any]):
    """Options that delete a folder when they are read, which is when its model is made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        super().__init__(threads=1)

    def keys(self) -> Any:
        shutil.rmtree(self._folder, ignore_errors=True)
        return super().keys()


def test_one_deleted_while_it_is_read_is_skipped(root: Path, suite: Suite, store: Store) -> None:
    land(root, "step1")
    _, said = once(root, suite, store, options=Deleting(root / "step1"))
    assert [(event.kind, event.headline) for event in said] == [
        ("skipped", "step1 was deleted while it was being read")
    ]


def test_a_tokenizer_from_elsewhere(root: Path, suite: Suite, store: Store, tmp_path: Path) -> None:
    place = land(root, "step1")
    spare = tmp_path / "spare"
    spare.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.move(place / name, spare / name)
    _, [event] = once(root, suite, store)
    assert event.kind == "incomplete"
    assert "--tokenizer" in event.headline
    _, [event] = once(root, suite, store, tokenizer=str(spare))
    assert event.kind == "checkpoint"
    [model] = store.models().to_pylist()
    assert model["location"] == str(place)
    with pytest.raises(InputError, match="holds no tokenizer"):
        once(root, suite, store, tokenizer=str(tmp_path))


def test_newest_first_looks_when_none_is_waiting(root: Path, suite: Suite, store: Store) -> None:
    for step in (1, 2, 4, 8, 16):
        land(root, f"step{step}")
    _, said = once(root, suite, store, newest_first=True)
    assert [event.step for event in said] == [16, 8, 4, 2, 1]
    assert {event.look for event in said} == {0}
    land(root, "step32")
    _, [event] = once(root, suite, store)
    assert event.look == 2  # the first was made when the others were done


def test_two_runs_of_one_folder_are_two_series(root: Path, suite: Suite, store: Store) -> None:
    for name in ("small/step1", "large/step1"):
        land(root, name)
    summary, _ = once(root, suite, store)
    assert summary.series == ("large", "small")


def test_another_run_of_the_same_name_is_refused(
    root: Path, suite: Suite, store: Store, tmp_path: Path
) -> None:
    land(root, "step1")
    once(root, suite, store)
    other = tmp_path / "elsewhere" / "run"
    other.mkdir(parents=True)
    land(other, "step1", shipped("tiro-1x8-seed1"))
    with pytest.raises(UsageError, match="another training run called run"):
        once(other, suite, store)
    summary, _ = once(other, suite, store, name="second")
    assert summary.series == ("second",)


def test_it_ends_by_a_step_or_when_nothing_comes(root: Path, suite: Suite, store: Store) -> None:
    for step in (1, 2):
        land(root, f"step{step}")
    assert once(root, suite, store, once=False, until=2.0)[0].why == "until"
    assert once(root, suite, store, once=False, idle=0.05)[0].why == "idle"


def test_a_folder_that_is_not_there(root: Path, suite: Suite, store: Store) -> None:
    with pytest.raises(InputError, match="no folder is here"):
        once(root / "nowhere", suite, store)
    assert once(root / "nowhere", suite, store, once=False, idle=0.05)[0].evaluated == 0


def test_two_watches_of_one_folder_into_one_store(root: Path, suite: Suite, store: Store) -> None:
    land(root, "step1")

    @contextmanager
    def progress() -> Iterator[Callable[..., None]]:
        with pytest.raises(StoreError, match="under way"):
            once(root, suite, store)
        yield lambda event: None

    summary, _ = once(root, suite, store, progress=progress)
    assert summary.evaluated == 1


def test_a_jump_is_found_after_it_happened_recorded_and_told_once(
    root: Path, store: Store, tmp_path: Path
) -> None:
    recall = get_suite("family/recall")
    told: list[WatchEvent] = []
    for step in (64, 128, 200, 300, 350, 400, 450, 500, 550, 600):
        shutil.copytree(shipped("tiro-2x64", step), root / f"tiro-2x64@step{step}")
        told += once(root, recall, store, how={"limit": 128})[1]
    kinds = Counter(event.kind for event in told)
    assert (kinds["checkpoint"], kinds["finding"], kinds["withdrawn"]) == (10, 1, 0)
    [jump] = [event for event in told if event.kind == "finding"]
    assert jump.step in (500, 550)
    assert jump.finding is not None
    assert jump.finding.onset is not None
    assert 400 <= jump.finding.onset.value <= 550
    assert jump.level is not None
    assert jump.level < 0.0024
    recorded = saltus.store.load_findings(store)
    assert [one.headline for one in recorded] == [event.headline for event in told if event.finding][-1:]
    assert any("Found while watching" in reason for reason in jump.reasons)


def test_killed_before_the_journal_is_written_it_says_the_same_again(
    root: Path, store: Store, tmp_path: Path
) -> None:
    recall = get_suite("family/recall")
    told: list[WatchEvent] = []
    for step in (64, 128, 300, 400, 450, 550, 600):
        shutil.copytree(shipped("tiro-2x64", step), root / f"tiro-2x64@step{step}")
        told = once(root, recall, store, how={"limit": 128})[1]
        if any(event.kind == "finding" for event in told):
            break
    [journal] = (store.path / "watch").glob("*.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))
    recorded = store.ledger.events()
    summary, again = once(root, recall, store, how={"limit": 128})
    assert [(event.id, event.headline) for event in again] == [(event.id, event.headline) for event in told]
    assert summary.requests == 0
    assert store.ledger.events() == recorded
