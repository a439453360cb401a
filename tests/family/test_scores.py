"""The shipped checkpoints do what the documentation says they do. Scores are of all 256 items."""

from functools import cache
from itertools import pairwise

import pytest

from saltus.family import path
from saltus.family.corpus import TASKS
from saltus.family.suite import chance

pytest.importorskip("torch")
pytest.importorskip("transformers")

from saltus.family.score import TaskScore, score_checkpoint


@cache
def scores(name: str, step: int = 2000) -> dict[str, TaskScore]:
    return score_checkpoint(path(name, step))


def test_recall_jumps_between_steps_450_and_550_on_both_metrics():
    before, after = scores("tiro-2x64", 450)["recall"], scores("tiro-2x64", 550)["recall"]
    assert before.exact_match < chance("recall") + 0.05
    assert after.exact_match > 0.95
    assert after.target_logprob - before.target_logprob > 1


def test_the_control_never_recalls():
    assert scores("tiro-1x48")["recall"].exact_match < chance("recall") + 0.1
    assert scores("tiro-2x16")["recall"].exact_match > 0.95


def test_recall_near_its_threshold_depends_on_the_seed():
    found = [
        scores(name)["recall"].exact_match for name in ("tiro-2x16", "tiro-2x16-seed1", "tiro-2x16-seed2")
    ]
    assert max(found) - min(found) > 0.4


def test_recite_rises_in_log_probability_long_before_exact_match():
    steps = (200, 450, 700, 1000, 2000)
    recite = [scores("tiro-2x64", step)["recite"] for step in steps]
    logprobs = [score.target_logprob for score in recite]
    assert logprobs == sorted(logprobs)
    assert logprobs[2] - logprobs[0] > 1.0
    assert recite[2].exact_match < 0.02
    assert recite[4].exact_match > 0.35


def test_facts_grow_step_by_step():
    facts = [scores("tiro-2x64", step)["facts"].exact_match for step in (200, 450, 700, 1000, 2000)]
    assert facts == sorted(facts)
    assert facts[0] < 0.3
    assert facts[4] > 0.85
    assert max(b - a for a, b in pairwise(facts)) < 0.5


@pytest.mark.parametrize("name", ["tiro-1x16", "tiro-2x16", "tiro-2x64", "tiro-3x80"])
def test_parity_stays_at_chance(name):
    assert scores(name)["parity"].exact_match == pytest.approx(0.5, abs=0.1)  # three standard errors


def test_addition_comes_with_size():
    assert scores("tiro-2x16")["addition"].exact_match < 0.5
    assert scores("tiro-2x64")["addition"].exact_match > 0.9


def test_override_is_lost_with_size():
    assert scores("tiro-1x8")["override"].choice_correct > 0.6
    assert scores("tiro-3x80")["override"].choice_correct < 0.1


def test_untrained_models_know_nothing():
    first = scores("tiro-2x64", 0)
    assert all(first[task].exact_match < 0.1 for task in TASKS)
    assert all(first[task].target_logprob == pytest.approx(-4.16, abs=0.2) for task in TASKS)  # one in 64
    assert [task for task in TASKS if first[task].choice_correct is not None] == ["override"]
