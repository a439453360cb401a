"""What holds for every built-in suite: distinct items, even bands, honest chances, no short cuts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest

from saltus.family.suite import suite as family
from saltus.records import Sample
from saltus.records.ids import content_hash
from saltus.records.metrics import metric_info
from saltus.tasks import get_suite, list_suites
from saltus.tasks.builtin.guide import SUITES
from saltus.tasks.builtin.recipe import BANDS, Plan, Recipe
from saltus.tasks.metrics import check_constraint, metrics_for

HASHES = Path(__file__).with_name("hashes.json")
PLANS: dict[str, Plan] = {name: import_module(module).PLAN for name, module in SUITES.items()}
RECIPES = [
    pytest.param(name, recipe, id=f"{name}-{recipe.name}") for name in PLANS for recipe in PLANS[name].recipes
]
Built = Callable[[str], dict[str, tuple[Sample, ...]]]
SHARE = 0.12  # how far a share of 200 items may lie from its chance: 3.4 standard errors at one half


def test_all_are_installed() -> None:
    assert set(SUITES) <= set(list_suites())


def test_task_names_are_unique_over_all_suites() -> None:
    names = [task.name for suite in (*map(get_suite, SUITES), family()) for task in suite.tasks]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", SUITES)
def test_the_items_have_not_changed(name: str, built: Built) -> None:
    """A change of items needs a new `revision` of the recipe, and the new hash in hashes.json."""
    items = [
        [s.id, s.input, s.target, s.choices, s.answer, s.extra] for task in built(name).values() for s in task
    ]
    assert content_hash(items, length=16) == json.loads(HASHES.read_text())[name]


@pytest.mark.parametrize(("name", "recipe"), RECIPES)
def test_items_are_whole_and_distinct(name: str, recipe: Recipe, built: Built) -> None:
    samples = built(name)[recipe.name]
    task = get_suite(f"{name}/{name}-{recipe.name}").tasks[0]
    assert len(samples) == len({sample.id for sample in samples}) == 200
    shown = {(s.input, json.dumps(s.extra.get("tools", ""), sort_keys=True)) for s in samples}
    assert len(shown) == 200
    for sample in samples:
        assert (sample.task, sample.task_version) == (task.name, task.version)
        assert sample.target.strip()
        assert sample.input == sample.input.rstrip(" ")
        assert not sample.target.endswith(" ")
        assert "  " not in sample.input
        assert "{" not in sample.input or name in ("format", "tools")
        assert json.loads(json.dumps(sample.extra)) == sample.extra
        if sample.choices:
            assert sample.choices[sample.answer] == sample.target
            assert len(set(sample.choices)) == len(sample.choices)
        if task.stop and recipe.kind == "generation":
            assert not any(stop in sample.target.strip() for stop in task.stop)
        for constraint in sample.extra.get("constraints", ()):
            check_constraint(constraint)


@pytest.mark.parametrize(("name", "recipe"), RECIPES)
def test_metrics_fit_and_a_continuous_one_stands_beside(name: str, recipe: Recipe) -> None:
    task = get_suite(f"{name}/{name}-{recipe.name}").tasks[0]
    metrics_for(task)
    assert metric_info(recipe.scored_by()[0]).kind == "discontinuous"
    assert any(metric_info(metric).kind == "continuous" for metric in task.metrics)


@pytest.mark.parametrize(("name", "recipe"), RECIPES)
def test_bands_grow_in_the_stated_quantity(name: str, recipe: Recipe, built: Built) -> None:
    samples = built(name)[recipe.name]
    means = [
        mean(float(s.slices[recipe.quantity]) for s in samples if s.slices["difficulty"] == str(band))
        for band in range(1, BANDS + 1)
    ]
    assert all(low < high for low, high in pairwise(means))


@pytest.mark.parametrize(("name", "recipe"), RECIPES)
def test_no_constant_answer_beats_chance(name: str, recipe: Recipe, built: Built) -> None:
    samples = built(name)[recipe.name]
    for band in range(1, BANDS + 1):
        chosen = [s for s in samples if s.slices["difficulty"] == str(band)]
        commonest = Counter(s.target for s in chosen).most_common(1)[0][1] / len(chosen)
        # Of 40 answers the commonest of many comes up four times without any fault.
        assert commonest <= max(recipe.chance_at(band) + SHARE, 0.125), band


@pytest.mark.parametrize(
    ("name", "recipe"),
    [one for one in RECIPES if one.values[1].kind == "multiple_choice"],  # type: ignore[union-attr]
)
def test_choices_give_nothing_away(name: str, recipe: Recipe, built: Built) -> None:
    samples = built(name)[recipe.name]
    n = len(samples[0].choices)
    assert all(len(sample.choices) == n for sample in samples)
    places = Counter(sample.answer for sample in samples)
    assert all(abs(places[i] / len(samples) - 1 / n) < 0.06 for i in range(n))
    for pick in (max, min):
        right = []
        for sample in samples:
            lengths = [len(choice) for choice in sample.choices]
            best = [i for i, length in enumerate(lengths) if length == pick(lengths)]
            right.append((sample.answer in best) / len(best))
        assert abs(mean(right) - 1 / n) <= SHARE, pick


@pytest.mark.parametrize("name", SUITES)
def test_two_choices_are_told_apart_by_the_question_alone(name: str, built: Built) -> None:
    """Where the answer is one of two words, neither of them comes with longer prompts."""
    for task, samples in built(name).items():
        answers = Counter(s.target for s in samples)
        if len(answers) != 2 or task == "urns":
            continue
        one, other = answers
        lengths = [[len(s.input) for s in samples if s.target == target] for target in (one, other)]
        median = sorted(len(s.input) for s in samples)[len(samples) // 2]
        longer = [mean(length > median for length in some) for some in lengths]
        assert abs(longer[0] - longer[1]) < 0.3, task
