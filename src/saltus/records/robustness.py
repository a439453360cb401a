"""What a comparison of prompt variants says: one row a variant, and the worst of them by model and task."""

from __future__ import annotations

import msgspec

from saltus.records.findings import Interval


class WorstSlice(msgspec.Struct, frozen=True):
    """The slice of a task's samples with the lowest score.

    Attributes:
        name: The slice and its value, "difficulty=hard".
        score: Its score, with an interval for the lowest true score of all slices compared.
        shrunk: Its score drawn towards the others as far as they differ by chance alone.
        p: P-value, corrected for the choice, of this slice being below the whole by chance; None where it was
            not tested.
        n: Samples in it.
        compared: Slices that were compared.
    """

    name: str
    score: Interval
    shrunk: float
    p: float | None
    n: int
    compared: int


class Robustness(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one task, asked plainly and in one variant.

    Attributes:
        model: Id of the model.
        task: Name of the task.
        metric: Of full marks or none.
        variant: How else it was asked.
        run: Of the variant's scores.
        plain_run: Of the plain scores.
        n: Samples that were scored both ways.
        plain: Score of the plain prompt on these samples.
        score: Score of the variant.
        flips: Share of samples whose mark differs.
        lost: The part of it that was right and is wrong.
        gained: The part that was wrong and is right.
        drop: Plain score less the variant's.
        p: Two-sided p-value of no drop, None where nothing can be told.
        q: Benjamini-Hochberg over all rows that were compared together.
        floor: Chance that two responses to the plain prompt differ; None without epochs.
        excess: Flips beyond that; None without epochs.
        worst: The lowest slice of the variant's scores; None where the samples have no slices to compare.
    """

    model: str
    task: str
    metric: str
    variant: str
    run: str
    plain_run: str
    n: int
    plain: Interval
    score: Interval
    flips: Interval
    lost: Interval
    gained: Interval
    drop: Interval
    p: float | None
    q: float | None = None
    floor: Interval | None = None
    excess: Interval | None = None
    worst: WorstSlice | None = None


class WorstVariant(msgspec.Struct, frozen=True, kw_only=True):
    """The variant in which a model does worst on a task, over samples that were asked every way.

    Attributes:
        model: Id of the model.
        task: Name of the task.
        metric: Of full marks or none.
        variant: The one with the lowest score.
        plain: Score of the plain prompt on the same samples.
        score: Its score, with an interval for the lowest true score of all variants compared.
        always: Share of samples that are right in every variant and plainly (epochs averaged).
        p: Holm-corrected over the variants: p-value of no drop.
        n: Samples that were scored every way.
        compared: Variants that were compared.
    """

    model: str
    task: str
    metric: str
    variant: str
    plain: Interval
    score: Interval
    always: Interval
    p: float | None
    n: int
    compared: int
