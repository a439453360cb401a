"""Every variant on real items of every suite that Saltus ships: what must not change does not."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import pytest

import saltus.tasks.builtin
from saltus.family.suite import suite as family
from saltus.records import Sample
from saltus.tasks import Suite, Task
from saltus.tasks.variants import get_variant, list_variants
from saltus.tasks.variants.novelty import evaluate

ITEMS = 8
NAMES = [
    f"{info.name}:{one.name}={value}"
    for info in list_variants()
    for one in info.parameters[:1] or [None]
    for value in ((one.allowed or (one.default,)) if one else ())
] + [info.name for info in list_variants() if not info.parameters]
NEW_TARGET = ("rename", "renumber", "nonce", "tools", "reorder:what=choices")


def suites() -> Iterator[Suite]:
    yield family(16)
    for module in pkgutil.iter_modules(saltus.tasks.builtin.__path__):
        made = importlib.import_module(f"saltus.tasks.builtin.{module.name}")
        if hasattr(made, "suite"):
            yield made.suite()


TASKS = [task for suite in suites() for task in suite.tasks]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_variant_keeps_the_item_and_its_answer(task: Task) -> None:
    pool = list(islice(task.items(), ITEMS))
    for name in NAMES:
        variant = get_variant(name)
        for sample in pool:
            asked = variant.apply(sample, pool)
            if asked is None:
                continue
            assert (asked.task, asked.id, asked.task_version) == (sample.task, sample.id, sample.task_version)
            assert asked == variant.apply(sample, pool)
            keeps(name, sample, asked)


def keeps(name: str, sample: Sample, asked: Sample) -> None:
    """What holds for every variant but those that say otherwise."""
    if not name.startswith(NEW_TARGET):
        assert asked.target == sample.target
        assert asked.choices == sample.choices
        assert asked.extra.get("calls") == sample.extra.get("calls")
    if sample.choices:
        assert asked.target.strip() == asked.choices[asked.answer].strip()
        assert len(asked.choices) == len(sample.choices)
    if not name.startswith(("zero_shot", "renumber")):
        gone = Counter(re.findall(r"\d+", sample.input)) - Counter(re.findall(r"\d+", asked.input))
        assert not gone, f"{name} lost {gone} of {sample.id}"
    if not name.startswith(("rename", "nonce", "renumber")):
        for quoted in re.findall(r'"[^"\n]*"', sample.input):
            assert quoted in asked.input
    for key in ("tests", "entry_point", "schema", "constraints", "refusal", "answerable", "pair"):
        assert asked.extra.get(key) == sample.extra.get(key) or name.startswith("rename")


@pytest.mark.parametrize("name", NAMES)
def test_sums_stay_right(name: str) -> None:
    tasks = [
        task for task in TASKS if re.fullmatch(r"arithmetic-(addition|subtraction|multiplication)", task.name)
    ]
    assert len(tasks) == 3
    for task in tasks:
        pool = list(islice(task.items(), 40))
        for sample in pool:
            asked = get_variant(name).apply(sample, pool)
            if asked is None:
                continue
            expressions = re.findall(r"-?\d+ [-+*] \d+", asked.input)
            assert str(evaluate(expressions[-1])) == asked.target.strip()


def test_every_kind_applies_to_some_real_item() -> None:
    """All but what no shipped item has: worked examples, documents, premises on lines of their own."""
    used = set()
    for task in TASKS:
        pool = list(islice(task.items(), ITEMS))
        for info in list_variants():
            if info.name not in used and any(get_variant(info.name).apply(sample, pool) for sample in pool):
                used.add(info.name)
    assert {info.name for info in list_variants()} - used <= {"zero_shot"}
