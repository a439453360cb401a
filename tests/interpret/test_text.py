"""What is said follows from what was measured: shown, correlated and untested are kept apart."""

from __future__ import annotations

import json

import msgspec
import pytest

from saltus.interpret.circuits.circuit import CircuitFinding
from saltus.interpret.circuits.controls import Gate
from saltus.interpret.subject import Subject
from saltus.interpret.text import as_text, headline, statements
from saltus.records import (
    Circuit,
    Component,
    Effect,
    Explanation,
    Interval,
    ModelRecord,
    Role,
    Statement,
)

MODEL = ModelRecord(name="m", revision="step2000", step=2000.0)
BEFORE = ModelRecord(name="m", revision="step400", step=400.0)
NAMED = (Component(0, 1), Component(1, 0))


def interval(value: float) -> Interval:
    return Interval(value, value - 0.02, value + 0.02)


@pytest.fixture
def explanation() -> Explanation:
    circuit = Circuit(
        components=("L0H0", "L0H1", "MLP0", "L1H0"),
        necessary=("L0H1", "L1H0"),
        kept=interval(0.95),
        removed=interval(0.15),
        random=interval(0.97),
        random_sets=40,
        worst_random=0.9,
        completeness=0.06,
        of=10,
    )
    return Explanation(
        id="x",
        model=MODEL.id,
        before=BEFORE.id,
        task="recall",
        metric="exact_match",
        verdict="carried",
        headline="",
        score=interval(0.97),
        chance=0.2,
        n=256,
        roles=(
            Role(component="L0H1", role="previous_token", score=interval(0.6), baseline=0.1),
            Role(component="L0H0", role="fixed_distance", score=interval(0.9), baseline=0.1, distance=16),
        ),
        circuit=circuit,
    )


@pytest.fixture
def finding(explanation) -> CircuitFinding:
    able = Gate(able=True, score=interval(0.97), chance=0.2, p=1e-9, n=256, reason="It can.")
    return CircuitFinding(
        verdict="carried",
        reasons=("It can.", "Failed: something."),
        able=able,
        whole=interval(0.97),
        named=NAMED,
        circuit=explanation.circuit,
        searched=128,
        tested=128,
    )


def effect(**changes) -> Effect:
    plain = {
        "run": "x",
        "model": MODEL.id,
        "task": "recall",
        "component": "L0H1+L1H0",
        "method": "mean_ablation",
        "metric": "exact_match",
        "effect": -0.8,
        "low": -0.9,
        "high": -0.7,
        "baseline": 1.0,
        "n": 128,
    }
    detail = changes.pop("purpose", None)
    return Effect(**{**plain, **changes}, detail=json.dumps({"purpose": detail}) if detail else "")


def said(explanation, finding, rows, standing):
    subject = Subject(model=MODEL, before=BEFORE, series=(BEFORE, MODEL))
    found = statements(explanation, finding, rows, subject)
    return " ".join(one.text for one in found if one.standing == standing)


def test_an_ablation_is_shown_with_its_controls(explanation, finding):
    text = said(explanation, finding, [], "shown")
    assert (
        "Without L0H1 and L1H0 (replaced by their means) recall goes from 0.97 to 0.15 [0.13, 0.17]" in text
    )
    assert "on the 128 prompts that had no part in choosing them" in text
    assert "40 other sets of equal size leave 0.97 on average" in text
    assert "4 of 10 heads and MLPs by themselves" in text
    assert "Failed" not in text
    assert headline(explanation) == (
        "m@step2000 does recall with L0H1 (a previous-token head) and L1H0: without L0H1 and L1H0 the score "
        "falls to 0.15 [0.13, 0.17]"
    )


def test_other_tasks_are_spared_or_harmed(explanation, finding):
    spared = effect(task="facts", effect=-0.01, low=-0.03, high=0.01, purpose="collateral")
    harmed = effect(task="sort", effect=-0.5, low=-0.6, high=-0.4, purpose="collateral")
    text = said(explanation, finding, [spared, harmed], "shown")
    assert "leaves other tasks as they were: facts 1.00 to 0.99" in text
    assert "It harms others: sort 1.00 to 0.50" in text
    assert "harms" not in said(explanation, finding, [spared], "shown")


def test_the_checkpoint_before_the_onset_is_named(explanation, finding):
    row = effect(model=BEFORE.id, effect=0.0, low=-0.01, high=0.01, baseline=0.28)
    text = said(explanation, finding, [row], "shown")
    assert "At m@step400, before the onset, the same ablation changes 0.28 by +0.00 [-0.01, +0.01]" in text


def test_attention_is_a_correlation_and_a_fixed_distance_is_no_induction(explanation, finding):
    text = said(explanation, finding, [], "correlated")
    assert "L0H1 attends to the token before at every length of probe (0.60 [0.58, 0.62]" in text
    assert "L0H0 looks 16 tokens back whatever stands there" in text
    bare = msgspec.structs.replace(explanation, roles=())
    assert "No head attends as an induction head" in said(bare, finding, [], "correlated")


def test_what_was_not_done_is_said(explanation, finding):
    text = said(explanation, finding, [], "not_tested")
    assert "Nothing was patched" in text
    assert "ways between the components were not traced" in text
    assert "The tuned lens was left out" in text
    assert "limit" not in text
    stopped = msgspec.structs.replace(finding, exhausted=True)
    assert "The search stopped at its limit" in said(explanation, stopped, [], "not_tested")


def test_a_model_that_cannot_do_it_carries_nothing(explanation, finding):
    nothing = msgspec.structs.replace(explanation, verdict="nothing", circuit=None, score=interval(0.2))
    text = said(nothing, finding, [], "shown")
    assert text.startswith("It can. So there is nothing to take apart")
    assert said(nothing, finding, [], "not_tested") == ""
    assert headline(nothing) == "Nothing carries recall in m@step2000: it scores 0.20, and guessing 0.20"


def test_an_unclear_case_says_which_test_failed(explanation, finding):
    unclear = msgspec.structs.replace(explanation, verdict="unclear")
    assert "Failed: something." in said(unclear, finding, [], "shown")
    none = msgspec.structs.replace(unclear, circuit=None)
    assert "No set of heads or MLPs was found" in said(none, finding, [], "shown")
    assert headline(none).startswith("No small set was shown to carry recall")


def test_the_text_has_a_paragraph_each():
    text = as_text([Statement("shown", "A."), Statement("not_tested", "B."), Statement("shown", "C.")])
    assert text == "Shown by intervening: A. C.\n\nNot tested: B."
