"""What raters are asked about each answer: right or wrong, or a mark by a rubric that a judge may share."""

from __future__ import annotations

from typing import Literal

import msgspec

from saltus.evals.judge import find_rubric
from saltus.records.errors import UsageError

_KEYS = 10  # a mark is one key


class Option(msgspec.Struct, frozen=True):
    """One thing a rater can say.

    Attributes:
        key: Which key says it.
        mark: What is stored; None for "can't tell".
        text: In words.
    """

    key: str
    mark: int | None
    text: str


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question, the same for all items of a queue.

    Attributes:
        name: "correct", or the name of the rubric.
        criteria: What raters read.
        low: Worst mark.
        high: Best mark; scores are stored as (mark - low) / (high - low).
        target: Whether raters see the right answer.
        metric: Name of the scores that labels become.
    """

    name: str
    criteria: str
    low: int
    high: int
    target: bool
    metric: str

    @property
    def scale(self) -> Literal["nominal", "ordinal"]:
        """How far two marks are apart when agreement is measured."""
        return "nominal" if self.high - self.low == 1 else "ordinal"

    @property
    def options(self) -> list[Option]:
        """What can be said, in the order it is shown."""
        if self.name == "correct":
            return [Option("1", 1, "Correct"), Option("2", 0, "Incorrect"), Option("3", None, "Can't tell")]
        marks = [Option(str(mark % 10), mark, str(mark)) for mark in range(self.low, self.high + 1)]
        return [*marks, Option("c", None, "Can't tell")]

    def value(self, mark: int) -> float:
        """A mark as a score between 0 and 1."""
        return (mark - self.low) / (self.high - self.low)

    def check(self, mark: int | None) -> None:
        """Refuse a mark that the question does not have.

        Raises:
            UsageError: It is outside low to high.
        """
        if mark is not None and not self.low <= mark <= self.high:
            raise UsageError(
                f"{mark} is no mark of the question {self.name!r}; give {self.low} to {self.high}, or none "
                "where it cannot be told",
                field="mark",
            )


_CORRECT = (
    "Is the answer right? Other words for the same thing are right. What is incomplete in what was asked, or "
    "also says something wrong, is not."
)


def find_question(name: str = "correct", *, target: bool | None = None) -> Question:
    """A question by its name: "correct", a judge's rubric, or a TOML file of a rubric.

    Args:
        name: Which.
        target: Show the right answer or not; None leaves it to the question.

    Raises:
        UsageError: There is no such rubric, or its marks are more than there are keys.
        InputError: The file is no rubric.
    """
    if name == "correct":
        shown = True if target is None else target
        return Question(name=name, criteria=_CORRECT, low=0, high=1, target=shown, metric="human_correct")
    rubric = find_rubric(name)
    if rubric.high - rubric.low >= _KEYS or rubric.low < 0:
        raise UsageError(
            f"the rubric {rubric.name!r} has the marks {rubric.low} to {rubric.high}, and a rater has ten "
            "keys; use ten marks at most, none below 0",
            field="question",
        )
    return Question(
        name=rubric.name,
        criteria=rubric.criteria,
        low=rubric.low,
        high=rubric.high,
        target=rubric.target if target is None else target,
        metric=f"human_{rubric.name}",
    )
