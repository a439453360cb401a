"""A model that answers from a rule, without torch, and small tasks; as a script it evaluates and may die."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial

import pytest

import saltus
from saltus.evals import evaluate
from saltus.records import (
    Continuation,
    GenerateRequest,
    Generation,
    Loglikelihood,
    LoglikelihoodRequest,
    ModelRecord,
    Sample,
)
from saltus.records.ids import content_hash
from saltus.tasks import Suite, Task


class RuleModel:
    """Gets an item right when its number is below the model's size; counts what it is asked."""

    def __init__(self, record: ModelRecord, *, trap: str = "", broken: bool = False) -> None:
        self._record = record
        self.asked = 0
        self.closed = 0
        self.trap, self.broken = trap, broken
        self.log: list[tuple[str, int]] = []

    @property
    def record(self) -> ModelRecord:
        """Who this is."""
        return self._record

    @property
    def fingerprint(self) -> str:
        """Hash of the rule."""
        return content_hash([self._record.name, self._record.params])

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """The number in the prompt, or a wrong one."""
        self._receive("generate", [request.prompt for request in requests])
        return [
            Generation(text=request.prompt[1:] if self._knows(request.prompt) else "?", finish="stop")
            for request in requests
        ]

    def loglikelihood(self, requests: Sequence[LoglikelihoodRequest]) -> list[Loglikelihood]:
        """High for what is right if it is known."""
        self._receive("loglikelihood", [request.context for request in requests])
        return [
            Loglikelihood(
                tuple(self._score(request.context, text) for text in request.continuations), prompt_tokens=2
            )
            for request in requests
        ]

    def close(self) -> None:
        """Count it."""
        self.closed += 1

    def _score(self, context: str, text: str) -> Continuation:
        if context == "#nan":
            return Continuation((float("nan"),), (False,))
        right = self._knows(context) and text == context[1:]
        value = -0.125 if right else -2.0 - len(text)
        return Continuation(tuple([value] * len(text)), tuple([right] * len(text)))

    def _knows(self, prompt: str) -> bool:
        return prompt[1:].isdigit() and int(prompt[1:]) < (self._record.params or 0)

    def _receive(self, kind: str, prompts: list[str]) -> None:
        self.log.append((kind, len(prompts)))
        if self.broken:
            raise RuntimeError("no weights")
        if self.trap and self.trap in prompts:
            raise ValueError(f"cannot read {self.trap}")
        self.asked += len(prompts)


def items(kind: str, n: int) -> list[Sample]:
    """Samples "g0", "g1", ... whose answer is the number."""
    choices = kind == "multiple_choice"
    return [
        Sample(
            task=kind,
            task_version="1",
            id=f"{kind}-{i}",
            input=f"{kind[0]}{i}",
            target=str(i),
            choices=(str(i), "x") if choices else (),
            answer=0 if choices else -1,
            chance=0.5 if choices else None,
        )
        for i in range(n)
    ]


METRICS = {
    "generation": ("exact_match", "target_logprob", "token_accuracy", "token_edit_distance"),
    "multiple_choice": ("choice_correct", "choice_grade", "brier", "target_logprob"),
    "loglikelihood": ("greedy_match", "target_logprob"),
}


def suite(n: int = 12) -> Suite:
    """One task of each kind, with its kind as its name."""
    return Suite(
        "numbers",
        tuple(
            Task(name=kind, kind=kind, items=partial(items, kind, n), metrics=metrics)  # type: ignore[arg-type]
            for kind, metrics in METRICS.items()
        ),
    )


def models(count: int = 3) -> list[RuleModel]:
    """Models of growing size."""
    return [RuleModel(ModelRecord(name=f"rule-{i}", family="rule", params=3.0 * i)) for i in range(count)]


@pytest.fixture
def numbers() -> Suite:
    """The suite."""
    return suite()


@pytest.fixture
def rules() -> list[RuleModel]:
    """The models."""
    return models()


@pytest.fixture
def rule_model() -> type[RuleModel]:
    """The class, for models with faults."""
    return RuleModel


def main(path: str, table: str, at: str, when: str) -> None:
    """Evaluate into a store and die by SIGKILL before or after the n-th part of a table."""
    store = saltus.open(path)
    append: Callable[..., int] = store.append
    seen = 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def deadly(name: str, *args: object, **options: object) -> int:
        nonlocal seen
        seen += name == table
        if name == table and seen == int(at) and when == "before":
            die()
        added = append(name, *args, **options)
        if name == table and seen == int(at) and when == "after":
            die()
        return added

    store.append = deadly  # type: ignore[method-assign, assignment]
    evaluate(models(), suite(), store=store)


if __name__ == "__main__":
    main(*sys.argv[1:])
