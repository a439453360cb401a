import numpy as np
import pytest

from saltus.family.corpus import TASKS
from saltus.family.suite import chance, suite

BY_NAME = {task.name: task for task in suite().tasks}


def test_the_suite_has_its_tasks_in_order():
    found = suite()
    assert found.name == "family"
    assert tuple(task.name for task in found.tasks) == TASKS
    assert len({task.version for task in found.tasks}) == len(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_samples_are_whole(name):
    task = BY_NAME[name]
    samples = task.items()
    assert len(samples) == len({sample.id for sample in samples}) == 256
    assert samples == task.items()
    for sample in samples:
        assert sample.input.startswith("\n")
        assert (sample.task, sample.task_version) == (name, task.version)
        assert len(sample.target) == task.max_tokens
        assert sample.chance == task.chance
        assert len(sample.input) + len(sample.target) < 64


def test_only_override_has_choices_and_their_order_gives_nothing_away():
    for name, task in BY_NAME.items():
        samples = task.items()
        if name != "override":
            assert task.kind == "generation"
            assert all(not sample.choices and sample.answer == -1 for sample in samples)
            continue
        assert task.kind == "multiple_choice"
        assert all(sample.choices[sample.answer] == sample.target for sample in samples)
        assert all(len(set(sample.choices)) == 2 for sample in samples)
        assert np.mean([sample.answer for sample in samples]) == 0.5


def test_recall_does_not_stop_at_a_newline_that_never_comes():
    assert BY_NAME["recall"].stop == ()
    assert all(task.stop == ("\n",) for name, task in BY_NAME.items() if name != "recall")


def test_chance_of_recall_is_what_naming_the_commonest_digit_scores():
    # Ties make single runs differ; a random choice among the commonest digits scores the chance on average.
    rng = np.random.default_rng(0)
    right = []
    for sample in BY_NAME["recall"].items():
        digits = list(sample.input[2:17:2])
        best = max(map(digits.count, digits))
        right += [
            rng.choice([d for d in digits if digits.count(d) == best]) == sample.target for _ in range(50)
        ]
    assert chance("recall") == pytest.approx(0.29, abs=0.005)
    assert np.mean(right) == pytest.approx(chance("recall"), abs=0.06)


@pytest.mark.parametrize(("name", "blind"), [("addition", "90"), ("facts", None), ("parity", "1")])
def test_no_constant_answer_beats_chance_by_more_than_noise(name, blind):
    targets = [sample.target for sample in BY_NAME[name].items()]
    best = max(set(targets), key=targets.count) if blind is None else blind
    share = targets.count(best) / len(targets)
    assert abs(share - chance(name)) < 3 * np.sqrt(chance(name) * (1 - chance(name)) / len(targets))


def test_a_smaller_suite_is_another_version():
    assert suite(8).tasks[0].version != suite().tasks[0].version
    assert len(suite(8).tasks[0].items()) == 8
