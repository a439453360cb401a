"""Filters, metrics, aggregations and draws of lm-evaluation-harness, against what the harness itself gave."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

from saltus.records import InputError
from saltus.tasks.lm_eval.aggregation import AGGREGATIONS
from saltus.tasks.lm_eval.config import Config, FilterStep, Pipeline
from saltus.tasks.lm_eval.definition import read_definition
from saltus.tasks.lm_eval.docs import ListDocs
from saltus.tasks.lm_eval.filters import make_filter
from saltus.tasks.lm_eval.known import exact_match
from saltus.tasks.lm_eval.prompts import Prompter
from saltus.tasks.lm_eval.reading import read_config

GOLDEN = Path(__file__).parents[2] / "golden" / "lm_eval_tasks"
UNITS: dict[str, Any] = json.loads((GOLDEN / "units.json").read_text())


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path, "output_type: generate_until")


def make_config(folder: Path, more: str) -> Config:
    path = folder / "one.yaml"
    path.write_text(f"task: one\ndoc_to_text: '{{{{n}}}}'\ndoc_to_target: a\n{more}\n")
    return read_config(read_definition(path), functions=False, num_fewshot=None)


@pytest.mark.parametrize("case", UNITS["filters"], ids=lambda case: case["name"])
def test_filters(case: dict[str, Any], config: Config) -> None:
    pipeline = Pipeline("it", (FilterStep(case["name"], case["options"]),))
    assert make_filter(pipeline, config)(case["answers"], UNITS["doc"]) == case["found"]


@pytest.mark.parametrize("case", UNITS["exact_match"])
def test_exact_match(case: dict[str, Any]) -> None:
    assert exact_match(*case["pair"], **case["options"]) == case["found"]


@pytest.mark.parametrize("case", UNITS["aggregations"], ids=lambda case: case["name"])
def test_aggregations(case: dict[str, Any]) -> None:
    values = [tuple(value) if isinstance(value, list) else value for value in case["values"]]
    assert AGGREGATIONS[case["name"]](values) == pytest.approx(case["found"], abs=1e-9, rel=1e-9)


def test_aggregations_at_their_edges() -> None:
    assert math.isnan(AGGREGATIONS["nanmean"]([math.nan]))
    assert AGGREGATIONS["nanmean"]([1.0, math.nan]) == 1.0
    assert AGGREGATIONS["matthews_corrcoef"]([(1, 1), (1, 1)]) == 0.0
    with pytest.raises(InputError, match="two choices"):
        AGGREGATIONS["f1"]([(0, 2)])


@pytest.mark.parametrize("case", UNITS["draws"], ids=lambda case: f"{case['count']} of {case['size']}")
def test_the_draw_of_examples(case: dict[str, Any], tmp_path: Path) -> None:
    """The first three items are no examples, the others are taken out of their own."""
    pool = ListDocs([{"n": n} for n in range(case["size"])], "")
    plain = make_config(tmp_path, f"num_fewshot: {case['count']}\nfewshot_split: train\ntest_split: test")
    apart = make_config(tmp_path, f"num_fewshot: {case['count']}\nfewshot_split: test\ntest_split: test")
    prompter = Prompter(plain, ("n",), pool)
    later = Prompter(apart, ("n",), pool)
    found = [_examples(prompter.prompt({"n": -1})) for _ in range(3)]
    assert prompter._sampler is not None
    assert later._sampler is not None
    later._sampler._random = prompter._sampler._random
    found += [_examples(later.prompt({"n": n})) for n in range(3)]
    assert found == case["found"]


def _examples(prompt: str) -> list[int]:
    return [int(part.split()[0]) for part in prompt.split("\n\n")[:-1]]


def test_a_draw_that_finds_its_item_twice_is_made_again(tmp_path: Path) -> None:
    pool = ListDocs([{"n": 0}] * 5 + [{"n": 1}, {"n": 2}], "")
    config = make_config(tmp_path, "num_fewshot: 2\nfewshot_split: test\ntest_split: test")
    prompter = Prompter(config, ("n",), pool)
    for _ in range(20):
        assert sorted(_examples(prompter.prompt({"n": 0}))) == [1, 2]


def test_seed_is_that_of_the_harness() -> None:
    assert UNITS["draws"][0]["found"][0] == Random(1234).sample(range(10), 3)  # noqa: S311
