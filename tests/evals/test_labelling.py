"""Human review: queues and how they are drawn, labels by many at once, agreement, and scores from labels."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pandas as pd
import polars as pl
import pytest

import saltus
from saltus.evals.agreement import agreement
from saltus.evals.labelling import Session, find_question, find_queue, label_rows, load_queues, make_queue
from saltus.evals.labelling import queue_status as status_of
from saltus.evals.labelling.apply import Applying, apply_labels
from saltus.evals.labelling.draw import read_shares
from saltus.evals.labelling.export import write_labels
from saltus.evals.labelling.journal import Label
from saltus.evals.labelling.queue import Queue, Wanted
from saltus.evals.labelling.settle import settle
from saltus.evals.labelling.view import view_item
from saltus.records import InputError, StoreError, UsageError
from saltus.records.metrics import metric_info
from saltus.store import Store

from .labelling_world import ITEMS, RUN, fill

SCRIPT = Path(__file__).with_name("labelling_world.py")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return fill(tmp_path / "evidence")


def queue_of(store: Store, **wanted: object) -> Queue:
    return make_queue(store, "last", wanted=Wanted(**({"size": 20} | wanted)))  # type: ignore[arg-type]


def say(mark: int | None, rater: str = "a", *, skipped: bool = False) -> Label:
    return Label(item=1, rater=rater, skipped=skipped, mark=mark, reason="", time=0.0, seq=1, hash="")


def test_a_queue_is_made_once_and_the_same_each_time(store: Store, tmp_path: Path) -> None:
    first = queue_of(store)
    assert queue_of(store) == first
    assert msgspec.structs.replace(queue_of(fill(tmp_path / "other")), created=0.0) == (
        msgspec.structs.replace(first, created=0.0)
    )
    assert queue_of(store, seed=1).id != first.id
    assert len(load_queues(store)) == 2
    assert store.ledger.verify().ok
    assert find_queue(store, first.id[:6]) == first


def test_parts_and_their_probabilities(store: Store) -> None:
    queue = queue_of(store)
    assert Counter(item.part for item in queue.items) == {"borderline": 8, "risk": 6, "random": 6}
    assert [item.number for item in queue.items] == list(range(1, 21))
    everything = 4 * ITEMS
    assert sum(1 / item.probability for item in queue.items) == pytest.approx(everything)
    assert sum(group.borderline + group.risk + group.random for group in queue.groups) == everything
    rest = sum(group.random for group in queue.groups)
    assert {item.probability for item in queue.items if item.part == "random"} == {6 / rest}
    assert {item.probability for item in queue.items if item.part != "random"} == {1.0}
    # Each model and task has its turn in both parts that are ranked.
    ranked = Counter((item.model, item.task) for item in queue.items if item.part == "borderline")
    assert set(ranked.values()) == {2}


def test_signals_find_what_is_close_to_call_and_what_is_risky(store: Store) -> None:
    by = {item.part: set() for item in queue_of(store).items}
    for item in queue_of(store, size=60).items:
        by[item.part].add(item.reason)
    assert by["borderline"] >= {"a score near the threshold", "unlikely words"}
    assert by["risk"] <= {"slice kind=suspicious", "failed refusal_correct", "tools"}
    assert "slice kind=suspicious" in by["risk"] or "failed refusal_correct" in by["risk"]
    only = queue_of(store, tasks=("sums",), models=("tiny",), shares={"random": 1.0}, size=1000)
    assert {(item.model, item.task, item.probability) for item in only.items} == {("tiny", "sums", 1.0)}
    assert len(only.items) == ITEMS


def test_repeats_variants_margins_and_models_make_an_item_borderline(tmp_path: Path) -> None:
    from saltus.evals.labelling.signals import candidates
    from saltus.records import Response, RunRecord, Sample, Score

    store = saltus.open(tmp_path / "e")
    store.append("runs", [RunRecord(id="r", kind="run", source="s", format="saltus")])
    store.append(
        "samples", [Sample(task="t", task_version="1", id=i, input="q", target="a") for i in "abcdz"]
    )
    said, scores = [], []

    def one(sample: str, value: float, **more: object) -> None:
        where = {"run": "r", "model": "m", "task": "t", "sample": sample} | {
            name: more.pop(name) for name in ("model", "variant", "epoch") if name in more
        }
        said.append(Response(**where, output="x", finish="stop", **more))  # type: ignore[arg-type]
        scores.append(Score(**where, metric="exact_match", value=value))  # type: ignore[arg-type]

    one("a", 1.0)
    one("a", 0.0, epoch=1)
    one("b", 1.0)
    one("b", 0.0, variant="typos")
    one("c", 1.0, choice_logprobs=(-1.0, -1.05, -9.0))
    one("d", 1.0)
    one("d", 0.0, model="n")
    one("z", 1.0, choice_logprobs=(-0.1, -9.0, -9.0))
    one("z", 1.0, variant="injection:seed=1")
    store.append("responses", said)
    store.append("scores", scores)
    found = candidates(store, "r")
    doubts = {(one.sample, one.doubt) for one in found}
    assert doubts >= {
        ("a", "repeats disagree"),
        ("b", "variants disagree"),
        ("c", "small margin between choices"),
        ("d", "models disagree"),
    }
    assert max(one.borderline for one in found if one.sample == "z") < 0.01
    assert {one.danger for one in found if one.risk} == {"variant injection:seed=1"}


def test_raters_are_blind_and_meet_items_in_an_order_of_their_own(store: Store) -> None:
    queue = queue_of(store)
    orders = [Session(store, queue, rater).order for rater in ("ann", "bob", "ann")]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(1, 21))
    for item in queue.items:
        text = msgspec.json.encode(view_item(store, queue, item)).decode()
        assert not any(word in text for word in ("tiny", "large", "exact_match", "suspicious", item.part))
    hidden = make_queue(store, RUN, find_question("correct", target=False), Wanted(size=5))
    assert all(view_item(store, hidden, item).reference is None for item in hidden.items)


def test_label_skip_undo_and_go_on(store: Store) -> None:
    queue = queue_of(store, size=4, raters=1)
    session = Session(store, queue, "ann")
    first = session.next()
    assert first == session.order[0]
    session.answer(first, 1)
    session.answer(first, 1)  # the same thing again
    assert len(store.ledger.events(f"label:{queue.id}")) == 1
    session.skip(session.order[1], "not my  field")
    assert session.undo() == session.order[1]
    assert session.next() == session.order[1]
    session.skip(session.order[1], "not my  field")
    again = Session(store, queue, "ann")  # another day
    assert again.next() == session.order[2]
    assert again.mine()[session.order[1]].reason == "not my field"
    assert (again.progress().labelled, again.progress().skipped, again.progress().left) == (1, 1, 2)
    # One answer is enough here, and a skip is none.
    assert first not in Session(store, queue, "bob").waiting()
    assert session.order[1] in Session(store, queue, "bob").waiting()
    again.answer(first, None)  # another word on the same item
    assert again.mine()[first].mark is None
    assert [again.undo(), again.undo(), again.undo()] == [first, session.order[1], None]
    assert len(store.ledger.events(f"label:{queue.id}")) == 7  # nothing is ever taken out


def test_wrong_labels_are_refused(store: Store) -> None:
    queue = queue_of(store)
    session = Session(store, queue, "ann")
    with pytest.raises(UsageError, match="no mark of the question"):
        session.answer(1, 2)
    with pytest.raises(UsageError, match="has no item 21"):
        session.answer(21, 1)
    with pytest.raises(UsageError, match="needs a reason"):
        session.skip(1, " ")
    with pytest.raises(UsageError, match="no name of a rater"):
        Session(store, queue, "a/../b")
    with pytest.raises(UsageError, match="no queue is called"):
        find_queue(store, "zzz")
    with pytest.raises(UsageError, match="no scores of 'bleu'"):
        queue_of(store, metrics=("bleu",))
    with pytest.raises(UsageError, match="no part of a queue"):
        read_shares("borderline,luck")
    with pytest.raises(UsageError, match="no number above 0"):
        read_shares("random=-1")


def test_questions_come_from_rubrics(store: Store, tmp_path: Path) -> None:
    question = find_question("helpfulness")
    assert (question.metric, question.scale, question.target) == ("human_helpfulness", "ordinal", False)
    assert [option.key for option in question.options] == ["1", "2", "3", "4", "5", "c"]
    assert (question.value(1), question.value(3), question.value(5)) == (0.0, 0.5, 1.0)
    ten = tmp_path / "ten.toml"
    ten.write_text('name = "ten"\ncriteria = "c"\nlow = 1\nhigh = 10\n')
    assert find_question(str(ten)).options[9].key == "0"
    ten.write_text('name = "ten"\ncriteria = "c"\nlow = 0\nhigh = 10\n')
    with pytest.raises(UsageError, match="ten keys"):
        find_question(str(ten))
    ten.write_text("name = 3")
    with pytest.raises(InputError, match="no rubric"):
        find_question(str(ten))
    assert metric_info("human_correct:ann").kind == "discontinuous"
    assert metric_info("human_helpfulness").kind == "continuous"


def test_marks_are_settled() -> None:
    correct, helpful = find_question(), find_question("helpfulness")
    assert settle(correct, [say(1, "a"), say(1, "b"), say(0, "c")]) == 1.0
    assert settle(correct, [say(1, "a"), say(0, "b")]) is None
    assert settle(correct, [say(1, "a"), say(0, "b")], adjudicator="b") == 0.0
    assert settle(correct, [say(1, "a"), say(None, "b"), say(None, "c", skipped=True)]) == 1.0
    assert settle(correct, [say(None, "a")]) is None
    assert settle(helpful, [say(1, "a"), say(5, "b")]) == 0.5
    assert settle(helpful, [say(1, "a"), say(5, "b"), say(5, "c")], rule="majority") == 1.0


def test_agreement_disputes_and_what_the_labels_say(store: Store) -> None:
    queue = queue_of(store, size=30, tasks=("sums",))
    ann, bob = Session(store, queue, "ann"), Session(store, queue, "bob")
    for item in queue.items:
        right = item.sample[-1] in "048" if item.model == "tiny" else item.sample[-1] not in "048"
        ann.answer(item.number, int(right))
        bob.answer(item.number, int(right if item.number > 3 else not right))
    before = status_of(store, queue)
    assert (before.complete, before.settled, len(before.disputes)) == (30, 27, 3)
    assert before.alpha.value == pytest.approx(0.8, abs=0.07)
    assert before.alpha.low < before.alpha.value < before.alpha.high
    cleo = Session(store, queue, "cleo", disputed=True)
    assert sorted(cleo.waiting()) == [1, 2, 3]
    for number in cleo.waiting():
        cleo.answer(number, ann.mine()[number].mark)
    after = status_of(store, queue, adjudicator="cleo")
    assert after.settled == 30
    assert after.alpha == before.alpha
    for mean in after.means:
        assert mean.mean.size == ITEMS
        assert mean.mean.low < mean.mean.value < mean.mean.high
    assert status_of(store, queue, seed=0) == status_of(store, queue, seed=0)


def test_labels_become_scores_once(store: Store) -> None:
    queue = queue_of(store, tasks=("sums",), shares={"random": 1.0}, size=60)
    ann, bob = Session(store, queue, "ann"), Session(store, queue, "bob")
    for number in range(1, 61):
        ann.answer(number, number % 2)
        if number > 20:
            bob.answer(number, number % 2 if number > 25 else 1 - number % 2)
    summary = apply_labels(store, queue)
    assert (summary.added, summary.unsettled, summary.metrics) == (35, 25, ["human_correct"])
    assert apply_labels(store, queue).added == 0
    decided = apply_labels(store, queue, Applying(adjudicator="ann", per_rater=True))
    assert decided.added == 25 + 60 + 40
    assert decided.metrics == ["human_correct", "human_correct:ann", "human_correct:bob"]
    rows = store.scores(metric="human_correct").arrow()
    assert rows.num_rows == 60
    assert set(rows["run"].to_pylist()) == {RUN}
    bob.answer(30, 1)
    ann.answer(30, 1)
    changed = apply_labels(store, queue)
    assert (changed.added, changed.changed) == (0, [30])
    assert store.scores(metric="human_correct").arrow().num_rows == 60
    assert apply_labels(store, queue, Applying(metric="human_second")).changed == []
    with pytest.raises(UsageError, match="begin with 'human_'"):
        apply_labels(store, queue, Applying(metric="exact_match"))
    # What the labels are for: how far a metric agrees with people, corrected.
    found = agreement(RUN, "exact_match", "human_correct", store=store)
    assert sum(one.n for one in found) == 60
    assert all(one.mean is not None for one in found)


def test_only_the_random_part(store: Store) -> None:
    queue = queue_of(store, raters=1)
    for number in range(1, 21):
        Session(store, queue, "ann").answer(number, 1)
    assert apply_labels(store, queue, Applying(metric="human_random", random=True)).added == 6


def test_export_opens_elsewhere(store: Store, tmp_path: Path) -> None:
    queue = queue_of(store)
    session = Session(store, queue, "ann")
    session.answer(1, 1)
    session.answer(2, None)
    session.skip(3, "later")
    rows = label_rows(store, queue)
    paths = [tmp_path / f"labels{ending}" for ending in (".csv", ".parquet", ".jsonl")]
    for path in paths:
        write_labels(rows, str(path))
    frames = [
        pd.read_csv(paths[0]),
        pl.read_parquet(paths[1]).to_pandas(),
        pd.read_json(paths[2], lines=True),
    ]
    for frame in frames:
        assert list(frame["answer"]) == ["mark", "cannot_tell", "skipped"]
        assert list(frame["weight"] * frame["probability"]) == pytest.approx([1, 1, 1])
        assert frame["value"].isna().tolist() == [False, True, True]
    assert json.loads(paths[2].read_text().splitlines()[2])["reason"] == "later"
    with pytest.raises(UsageError, match=r"ends in '\.xlsx'"):
        write_labels(rows, str(tmp_path / "labels.xlsx"))
    with pytest.raises(StoreError, match="cannot be written"):
        write_labels(rows, "/proc/labels.csv")


def test_an_answer_that_is_not_the_drawn_one_is_not_shown(store: Store) -> None:
    queue = queue_of(store)
    item = msgspec.structs.replace(queue.items[0], shown="0" * 32)
    with pytest.raises(StoreError, match="not the response"):
        view_item(store, queue, item)


def test_many_raters_at_once_and_one_is_killed(store: Store) -> None:
    queue = queue_of(store, size=60, raters=3)
    names = ("ann", "bob", "cleo")
    command = [sys.executable, str(SCRIPT), str(store.path)]
    doomed = subprocess.Popen([*command, "ann"], stdout=subprocess.PIPE, text=True)
    others = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in names[1:]]
    assert doomed.stdout is not None
    said = [int(doomed.stdout.readline()) for _ in range(10)]
    doomed.kill()
    said += [int(line) for line in doomed.communicate()[0].split()]
    kept = Session(store, queue, "ann").mine()
    assert set(said) <= set(kept)
    assert len(kept) <= len(said) + 1
    again = subprocess.run([*command, "ann"], capture_output=True, text=True, check=True)
    assert not set(map(int, again.stdout.split())) & set(kept)
    for process in others:
        process.communicate()
        assert process.returncode == 0
    labels = label_rows(store, queue)
    assert labels.num_rows == 180
    assert labels["mark"].to_pylist() == [number % 2 for number in labels["item"].to_pylist()]
    assert store.ledger.verify().ok
    assert len(store.ledger.events(f"label:{queue.id}")) == 180
