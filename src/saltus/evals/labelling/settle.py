"""How several raters' marks of one item become one value: majority, mean, or an adjudicator's word."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from saltus.evals.labelling.journal import Label
from saltus.evals.labelling.question import Question

Rule = Literal["majority", "mean"]


def settle(
    question: Question, labels: Sequence[Label], *, rule: Rule | None = None, adjudicator: str = ""
) -> float | None:
    """One value between 0 and 1, None where the marks give none.

    Args:
        question: What was asked.
        labels: Of one item, one a rater; skips and "can't tell" are no marks.
        rule: "majority": the mark of more than half, None in a tie; "mean": their mean. Majority for two
            marks and mean for more when None.
        adjudicator: Whose mark, where there is one, decides alone.
    """
    marks = {label.rater: label.mark for label in labels if not label.skipped and label.mark is not None}
    if adjudicator in marks:
        return question.value(marks[adjudicator])
    if not marks:
        return None
    if (rule or ("majority" if question.scale == "nominal" else "mean")) == "mean":
        return math.fsum(map(question.value, marks.values())) / len(marks)
    mark, count = Counter(marks.values()).most_common(1)[0]
    return question.value(mark) if 2 * count > len(marks) else None
