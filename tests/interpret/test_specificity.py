"""What an ablation does to other tasks."""

from __future__ import annotations

import pytest

from saltus.interpret.causal.specificity import random_sets_like, specificity
from saltus.records.errors import UsageError
from saltus.records.explanations import parse_components

from .small import prompts, trained


def test_the_hurt_tasks_are_named_and_the_others_not() -> None:
    _, model = trained()
    tasks = {name: prompts(name, 64) for name in ("recall", "facts", "parity")}
    found = specificity(model, tasks, parse_components("L1H0"), random_sets=3)
    by = {one.task: one for one in found.tasks}
    assert by["recall"].hurt
    assert by["recall"].adjusted is not None
    assert by["recall"].adjusted < 0.001
    assert not by["parity"].hurt
    assert by["recall"].random is not None
    assert by["recall"].random_sets == 3
    assert found.text.startswith("Taking out L1H0 hurts recall (1.00 to 0.")
    assert {row.task for row in found.effects} == set(tasks)


def test_random_sets_are_like_the_set_and_apart_from_it() -> None:
    _, model = trained()
    own = parse_components("L1H0+L0H1+MLP0")
    draws = random_sets_like(model, own, 6, seed=1)
    assert len(set(draws)) == 6
    for one in draws:
        assert not set(one) & set(own)
        assert sorted(part.part for part in one) == ["head", "head", "mlp"]
    assert draws == random_sets_like(model, own, 6, seed=1)
    assert random_sets_like(model, parse_components("MLP0+MLP1"), 5) == []


def test_misuse_is_said_in_one_sentence() -> None:
    _, model = trained()
    with pytest.raises(UsageError, match="at least one task"):
        specificity(model, {}, parse_components("L1H0"))
