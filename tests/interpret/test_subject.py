"""From a name to what is explained: findings, models of the store, the family, directories."""

from __future__ import annotations

import shutil

import msgspec
import pytest

import saltus
from saltus.family import checkpoints, finals, path
from saltus.interpret.subject import find_subject, find_suite
from saltus.records import Finding, Interval, ModelError, ModelRecord, Point, RunRecord, UsageError
from saltus.store import record_findings

STEPS = (300, 400, 450, 500, 550, 2000)


@pytest.fixture
def store(tmp_path):
    with saltus.open(tmp_path / "store") as found:
        yield found


@pytest.fixture
def measured(store):
    """A store with some checkpoints of the family and a finding of recall along their steps."""
    models = checkpoints("2x64", 0, STEPS)
    store.append("models", models)
    points = tuple(Point(one.id, "r", one.step, 0.5, 0.4, 0.6, 256.0) for one in models)
    finding = Finding(
        id="abcd1234",
        family="tiro",
        series="tiro-2x64",
        axis="step",
        task="recall",
        metric="exact_match",
        n_scales=len(points),
        n_samples=256.0,
        verdict="emergent",
        headline="",
        onset=Interval(470.0, 440.0, 490.0),
        points=points,
    )
    record_findings(store, [finding])
    return store


def test_a_finding_leads_to_both_sides_of_its_onset(measured):
    subject, task = find_subject(measured, "abcd")
    assert task == "recall"
    assert subject.model.step == 2000
    assert (subject.before.step, subject.after.step) == (400, 500)
    assert [one.step for one in subject.series] == list(STEPS)
    assert subject.onset == Interval(470.0, 440.0, 490.0)


def test_a_model_of_the_store_brings_its_checkpoints_and_its_finding(measured):
    for name in ("tiro-2x64", "tiro-2x64@step2000"):
        subject, _ = find_subject(measured, name, "recall")
        assert (subject.model.step, subject.before.step) == (2000, 400)
    early, _ = find_subject(measured, "tiro-2x64@step450", "recall")
    assert [one.step for one in early.series] == [300, 400, 450]
    other, _ = find_subject(measured, "tiro-2x64", "facts")
    assert other.finding is None
    assert other.before is None


def test_the_family_needs_no_store(store):
    subject, _ = find_subject(store, "tiro-2x64", "recall")
    assert len(subject.series) == 20
    assert subject.finding is None
    alone, _ = find_subject(store, "tiro-3x80", "recall")
    assert alone.series == (alone.model,)
    assert subject.alone().series == (subject.model,)


def test_directories_of_one_run_are_a_series(store, tmp_path):
    for step in (400, 500):
        shutil.copytree(path("tiro-2x64", step), tmp_path / "mine" / f"step{step}")
        (tmp_path / "mine" / f"step{step}" / "family.json").unlink()
    (tmp_path / "mine" / "notes.txt").write_text("not a checkpoint")
    subject, _ = find_subject(store, str(tmp_path / "mine" / "step500"), "recall")
    assert [one.step for one in subject.series] == [400, 500]
    assert subject.model.step == 500
    assert find_subject(store, str(tmp_path / "mine"), "recall")[0] == subject


def test_weights_that_are_elsewhere_are_found_again_or_missed(store):
    [model] = checkpoints("2x64", 0, [2000])
    store.append("models", [msgspec.structs.replace(model, location="gone/with/the/wind")])
    subject, _ = find_subject(store, "tiro-2x64", "recall")
    assert subject.model.location != "gone/with/the/wind"
    store.append("models", [ModelRecord(name="other", location="gone"), ModelRecord(name="bare")])
    store.append("models", [ModelRecord(name="served", location="http://127.0.0.1:1/v1#served")])
    with pytest.raises(ModelError, match="the weights of other are not at gone"):
        find_subject(store, "other", "recall")
    with pytest.raises(ModelError, match="not at any place the store knows"):
        find_subject(store, "bare", "recall")
    with pytest.raises(ModelError, match="answers through a server"):
        find_subject(store, "served", "recall")


def test_what_is_wrong_is_said(measured):
    with pytest.raises(UsageError, match="--task is facts; leave --task out"):
        find_subject(measured, "abcd", "facts")
    with pytest.raises(UsageError, match="say which ability is meant with --task"):
        find_subject(measured, "tiro-2x64")
    with pytest.raises(
        UsageError, match="no finding and no model is called 'nobody'; the store has tiro-2x64"
    ):
        find_subject(measured, "nobody", "recall")
    with pytest.raises(UsageError, match="no checkpoint of step 7"):
        find_subject(measured, "tiro-2x64@step7", "recall")


def test_the_suite_is_the_one_that_was_run_or_the_only_one(store):
    assert find_suite(store, "recall", "family").name == "family"
    assert find_suite(store, "parity", None).name == "family"
    store.append("runs", [RunRecord(id="r", kind="run", source="family", format="saltus")])
    assert find_suite(store, "recall", None).name == "family"
    with pytest.raises(UsageError, match="no installed suite has a task 'flying'"):
        find_suite(store, "flying", None)
    with pytest.raises(UsageError, match="has no task 'flying'"):
        find_suite(store, "flying", "family")


def test_of_models_at_one_place_the_largest_stands_before_the_onset(store):
    models = finals(0)
    store.append("models", models)
    points = tuple(Point(one.id, "r", float(one.layers), 0.5, 0.4, 0.6, 256.0) for one in reversed(models))
    finding = Finding(
        id="beef5678",
        family="tiro",
        axis="layers",
        task="recall",
        metric="exact_match",
        n_scales=3,
        n_samples=256.0,
        verdict="emergent",
        headline="",
        onset=Interval(1.5, 1.2, 1.9),
        points=points,
    )
    record_findings(store, [finding])
    subject, _ = find_subject(store, "beef")
    assert (subject.model.name, subject.before.name, subject.after.name) == (
        "tiro-3x80",
        "tiro-1x48",
        "tiro-2x16",
    )
