"""From a rule to a task: prefixes, bands, seeds, and what happens when a band runs dry."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from saltus.records import UsageError
from saltus.tasks import get_suite
from saltus.tasks.builtin.arithmetic import suite as arithmetic
from saltus.tasks.builtin.bias import suite as bias
from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import Item, Plan, Recipe, Slot, build


def plan(kinds: int, group: int = 1) -> Plan:
    def make(draw: Draw, slot: Slot) -> tuple[Item, ...]:
        first = draw.below(kinds)
        return tuple(Item(input=f"{slot.difficulty}:{first}:{i}", target="x") for i in range(group))

    recipe = Recipe(name="t", make=make, quantity="q", description="d", group=group, paired=group == 2)
    return Plan(name="p", description="d", limits="l", recipes=(recipe,))


def test_a_longer_task_begins_with_the_shorter_one() -> None:
    def asked(items: int) -> list[tuple[str, str]]:
        return [(sample.id, sample.input) for sample in arithmetic(items=items).tasks[0].items()]

    assert asked(200)[:37] == asked(37)


def test_every_band_is_there_from_the_start() -> None:
    for task in arithmetic(items=50).tasks:
        bands = [sample.slices["difficulty"] for sample in task.items()]
        assert bands[:5] == ["1", "2", "3", "4", "5"]
        assert set(Counter(bands).values()) == {10}


def test_seeds_differ_and_versions_tell_them_apart() -> None:
    one, other = (arithmetic(seed=seed).tasks[0] for seed in (0, 1))
    assert one.version != other.version
    assert [s.input for s in one.items()] != [s.input for s in other.items()]
    assert [s.input for s in one.items()] == [s.input for s in arithmetic().tasks[0].items()]


def test_a_suite_takes_arguments_on_the_way() -> None:
    made = get_suite("arithmetic", {"items": 10, "seed": 7})
    assert len(list(made.tasks[0].items())) == 10
    assert made.tasks[0].config["seed"] == 7


def test_a_band_that_runs_dry_says_so() -> None:
    task = build(plan(kinds=3), 0, 20).tasks[0]
    with pytest.raises(UsageError, match=r"p-t has about 3 different items of difficulty 1 .* ask for fewer"):
        list(task.items())
    assert len(list(build(plan(kinds=3), 0, 15).tasks[0].items())) == 15


def test_no_items_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one item a task, 0 were asked for"):
        arithmetic(items=0)


def test_partners_name_each_other_and_a_lone_one_names_none() -> None:
    samples = list(bias(items=21).tasks[0].items())
    assert len(samples) == 21
    for i in range(0, 20, 2):
        assert samples[i].extra["pair"] == samples[i + 1].id
        assert samples[i + 1].extra["pair"] == samples[i].id
    assert "pair" not in samples[20].extra


def test_balanced_outcomes_come_equally_often_and_do_not_follow_each_other() -> None:
    slots = [Slot(0, "t", 1, turn) for turn in range(240)]
    for n in (2, 3, 4):
        assert set(Counter(slot.balanced(n) for slot in slots).values()) == {240 // n}
    pairs = Counter((slot.balanced(2, "a"), slot.balanced(2, "b")) for slot in slots)
    assert min(pairs.values()) > 40


def test_items_are_written_when_they_are_asked_for() -> None:
    def make(draw: Draw, slot: Slot) -> Item:
        raise AssertionError("nobody asked")

    recipe = Recipe(name="t", make=make, quantity="q", description="d")
    task = build(Plan(name="p", description="d", limits="l", recipes=(recipe,)), 0, 5).tasks[0]
    with pytest.raises(AssertionError, match="nobody asked"):
        list(task.items())


def test_chance_is_the_mean_over_the_items() -> None:
    recipe = msgspec.structs.replace(plan(9).recipes[0], chance=(0.5, 0.4, 0.3, 0.2, 0.1))
    made = build(msgspec.structs.replace(plan(9), recipes=(recipe,)), 0, 7).tasks[0]
    assert made.chance == pytest.approx(sum(sample.chance or 0 for sample in made.items()) / 7)
