"""Checkpoints from look to look, on a clock that the test turns."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from saltus.family import path as shipped
from saltus.monitor.watch.tracker import Tracker

SMALL = shipped("tiro-1x8")


def land(root: Path, name: str) -> Path:
    """A whole checkpoint; without the family's record, so that its folder names it."""
    shutil.copytree(SMALL, root / name, ignore=shutil.ignore_patterns("family.json"))
    return root / name


def ready(tracker: Tracker, now: float) -> list[str]:
    return [one.candidate.path.name for one in tracker.look(now).ready]


def said(tracker: Tracker, now: float, *, last: bool = False) -> list[tuple[str, str]]:
    return [(event.kind, event.headline) for event in tracker.look(now, last=last).news]


def test_it_must_stay_as_it_is_between_two_looks(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, settle=10)
    place = land(tmp_path, "step5")
    assert ready(tracker, 0) == []
    assert ready(tracker, 9.9) == []
    (place / "config.json").touch()
    assert ready(tracker, 10.1) == []
    assert tracker.look(11).soonest == pytest.approx(9.1)
    assert ready(tracker, 20.2) == ["step5"]


def test_order_is_by_step_and_each_comes_once(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, settle=0)
    for name in ("step9", "step10", "step0"):
        land(tmp_path, name)
    assert ready(tracker, 0) == ["step0", "step9", "step10"]
    for one in tracker.look(1).ready:
        tracker.done(one, 1)
    assert ready(tracker, 2) == []


def test_overwritten_it_is_a_new_one(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, settle=0)
    place = land(tmp_path, "step5")
    [one] = tracker.look(0).ready
    tracker.done(one, 0)
    shutil.copy(shipped("tiro-1x8-seed1") / "model.safetensors", place / "model.safetensors")
    assert ready(tracker, 1) == ["step5"]


def test_one_that_never_gets_whole_is_named_once_and_costs_no_other(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, settle=1, patience=100)
    place = land(tmp_path, "step5")
    (place / "model.safetensors").write_bytes((place / "model.safetensors").read_bytes()[:99])
    land(tmp_path, "step6")
    assert said(tracker, 0) == []
    assert ready(tracker, 1) == ["step6"]
    assert said(tracker, 99) == []
    [(kind, text)] = said(tracker, 100)
    assert kind == "incomplete"
    assert "step5 is still not whole: model.safetensors" in text
    assert said(tracker, 300) == []
    shutil.copy(SMALL / "model.safetensors", place / "model.safetensors")
    tracker.look(301)
    assert ready(tracker, 302) == ["step5", "step6"]


def test_the_last_look_does_not_wait(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, settle=1, patience=100)
    (tmp_path / "step5").mkdir()
    assert said(tracker, 0, last=True) == []
    assert said(tracker, 1, last=True) == [("incomplete", "step5 is still not whole: config.json is missing")]


def test_one_that_is_rotated_away_is_named(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, settle=5)
    for name in ("step5", "step6"):
        land(tmp_path, name)
    (tmp_path / "step7").mkdir()
    tracker.look(0)
    [one, _] = tracker.look(5).ready
    tracker.done(one, 5)
    for name in ("step5", "step6", "step7"):
        shutil.rmtree(tmp_path / name)
    assert said(tracker, 6) == [
        ("skipped", "step6 was deleted before it was evaluated"),
        ("skipped", "step7 was deleted before it was whole"),
    ]
    assert said(tracker, 7) == []


def test_a_second_folder_of_the_same_step_is_left_out(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, settle=0)
    land(tmp_path, "step5")
    land(tmp_path, "checkpoint-5")
    looked = tracker.look(0)
    assert [one.candidate.path.name for one in looked.ready] == ["checkpoint-5"]
    assert [event.kind for event in looked.news] == ["refused"]
    assert tracker.look(1).news == []
    shutil.rmtree(tmp_path / "checkpoint-5")
    assert ready(tracker, 2) == ["step5"]


def test_one_without_a_step_is_refused_when_it_is_there(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, settle=1, patience=10)
    land(tmp_path, "epoch-1")
    assert said(tracker, 0) == []
    [(kind, text)] = said(tracker, 10)
    assert (kind, "an epoch is no step" in text) == ("refused", True)


def test_what_an_earlier_start_evaluated_is_not_ready(tmp_path: Path) -> None:
    place = land(tmp_path, "step5")
    tracker = Tracker(tmp_path, settle=0, knows=lambda path, files: path == place)
    assert ready(tracker, 0) == []
    assert tracker.known == {place}
