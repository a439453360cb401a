"""A task: named items, how to ask them, how to score the answers. A suite is a named list of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from saltus.records.errors import UsageError
from saltus.records.evidence import Sample
from saltus.records.ids import content_hash

if TYPE_CHECKING:
    from saltus.tasks.metrics.base import AnyMetric

Kind = Literal["generation", "multiple_choice", "loglikelihood", "perplexity"]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked and how it is scored.

    Attributes:
        name: Unique in a suite, e.g. "recall".
        kind: "generation" continues the prompt (and scores the target's log-probability beside it when a
            metric needs it), "multiple_choice" compares the choices' log-probabilities, "loglikelihood"
            scores the target given the prompt, "perplexity" scores the target as a text of its own, in
            windows where it is longer than the model's context.
        items: Gives the samples, in the same order each time it is called. They are read one by one and not
            held, so a generator over a large file is welcome.
        metrics: Names from `saltus.tasks.metrics`; the first one is the headline.
        chance: Score of guessing on the first metric, None when unknown.
        description: One sentence for people.
        max_tokens: Most tokens to generate.
        stop: Strings that end a generated answer.
        temperature: Of generated answers; 0 is greedy.
        top_p: Nucleus sampling of generated answers; 1 draws from all tokens.
        epochs: How often each sample is asked, with a seed of its own each time.
        cluster: The slice whose samples belong together (questions about one text), empty when they are
            independent; standard errors are clustered by it.
        config: Whatever else defines the items (seed, size); part of the version.
        scorers: Metrics that belong to this task alone; a name in `metrics` is looked up here first.
    """

    name: str
    kind: Kind
    items: Callable[[], Iterable[Sample]]
    metrics: tuple[str, ...]
    chance: float | None = None
    description: str = ""
    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    epochs: int = 1
    cluster: str = ""
    config: dict[str, str | int | float] = msgspec.field(default_factory=dict)
    scorers: tuple[AnyMetric, ...] = ()

    @property
    def version(self) -> str:
        """Content hash of everything that can change an answer; the metrics cannot."""
        asked = [self.name, self.kind, self.max_tokens, self.stop, self.config, self.description]
        if self.temperature or self.top_p != 1.0:
            asked += [self.temperature, self.top_p]
        return content_hash(asked, length=16)


class Suite(msgspec.Struct, frozen=True):
    """A named list of tasks that are run together."""

    name: str
    tasks: tuple[Task, ...]
    description: str = ""

    def only(self, names: Sequence[str]) -> Suite:
        """The suite with these tasks only, in their own order; all of them when no name is given.

        Raises:
            UsageError: A task is not in the suite.
        """
        there = [task.name for task in self.tasks]
        for name in names:
            if name not in there:
                raise UsageError(
                    f"suite {self.name} has no task {name!r}, it has {', '.join(there)}", field="task"
                )
        if not names:
            return self
        return Suite(self.name, tuple(task for task in self.tasks if task.name in names), self.description)
