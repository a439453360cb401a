"""The reference solutions pass their own tests; with a step left out they fail. Run by plain Python."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

from saltus.records import Sample

Built = Callable[[str], dict[str, tuple[Sample, ...]]]

# Runs many small programs in one process and prints which of them passed.
RUNNER = """
import json, sys
passed = []
for program in json.load(sys.stdin):
    try:
        exec(program, {})
        passed.append(True)
    except Exception:
        passed.append(False)
print(json.dumps(passed))
"""


def run(programs: Sequence[str]) -> list[bool]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUNNER],
        input=json.dumps(list(programs)),
        capture_output=True,
        text=True,
        check=True,
    )
    passed: list[bool] = json.loads(done.stdout)
    return passed


def mutants(sample: Sample) -> list[str]:
    """The reference with each of its steps left out."""
    lines = sample.extra["reference"].splitlines()
    return ["\n".join([*lines[:i], *lines[i + 1 :]]) + "\n" for i in range(1, len(lines) - 1)]


@pytest.mark.parametrize("task", ["lists", "texts"])
def test_the_reference_passes_and_every_mutant_fails(task: str, built: Built) -> None:
    samples = built("code")[task]
    assert all(run([sample.extra["reference"] + sample.extra["tests"] for sample in samples]))
    wrong = [mutant + sample.extra["tests"] for sample in samples for mutant in mutants(sample)]
    assert len(wrong) >= 3 * len(samples)
    assert not any(run(wrong))
    argument = "numbers" if task == "lists" else "text"
    lazy = [f"def solve({argument}):\n    return {value}\n" for value in (argument, "0", "[]", "''", "None")]
    assert not any(run([one + sample.extra["tests"] for sample in samples for one in lazy]))


@pytest.mark.parametrize("task", ["lists", "texts"])
def test_the_prompt_says_what_the_tests_ask(task: str, built: Built) -> None:
    for sample in built("code")[task]:
        assert sample.target == sample.extra["reference"]
        shown = sample.input.partition("For example, ")[2].partition(".\n")[0]
        call, _, result = shown.partition(" returns ")
        assert f"assert {call} == {result}\n" in sample.extra["tests"]
        steps = [line for line in sample.input.splitlines() if line[2:3].isdigit()]
        assert len(steps) == int(sample.slices["steps"]) == sample.target.count("\n") - 2
        assert sample.extra["tests"].count("assert ") == 8
