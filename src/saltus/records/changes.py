"""Change points along training, how those of two curves lie to each other, and warnings before a jump."""

from __future__ import annotations

import msgspec

from saltus.records.findings import Interval


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a curve.

    Attributes:
        kind: "level" (a jump of the mean), "slope" (the rate changes) or "onset" (it leaves its floor).
        at: Where, plain units of the axis, with an interval.
        size: By how much, in units of the metric (perplexities on their logarithm): of the level; the rise
            from a floor; or the change of the mean rate a decade.
        p: P-value of this change given the others.
    """

    kind: str
    at: Interval
    size: float
    p: float


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """All changes along training of one curve: a score, a loss, or any scalar measured at checkpoints.

    Attributes:
        family: Of the model; `series` is its name (with its seed where several share the name).
        task: What was measured; empty for a scalar that belongs to no task.
        metric: Name of the score or scalar.
        axis: "step" or "tokens".
        changes: In order of place; empty when nothing changes beyond the noise.
        reasons: Plain sentences.
        n_points: Checkpoints behind it.
    """

    family: str
    series: str
    task: str
    metric: str
    axis: str = "step"
    changes: tuple[Change, ...] = ()
    reasons: tuple[str, ...] = ()
    n_points: int = 0
    seed: int = 0
    version: str = ""


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """By how much the change of one curve comes before that of another, in the same training runs.

    Attributes:
        leader: "task metric" (or scalar) that changes first when `value` is above 0.
        follower: The other.
        series: The runs that were aligned.
        lag: Follower's place less leader's, plain units of the axis, with an interval.
        ratio: Follower's place over leader's, with an interval.
        share: Share of runs (or draws, for one run) in which the leader comes first.
        p: Of the order: how often chance would put the two places as far apart, or farther; None where old.
        q: The same over all pairs of curves looked at together (Benjamini and Hochberg).
        family: Of the runs.
        reason: One plain sentence.
    """

    leader: str
    follower: str
    series: tuple[str, ...]
    axis: str = "step"
    lag: Interval
    ratio: Interval
    share: float
    p: float | None = None
    q: float | None = None
    family: str = ""
    reason: str = ""


class EarlyWarning(msgspec.Struct, frozen=True, kw_only=True):
    """A sign, at a checkpoint, that a jump may be near.

    Attributes:
        family: Of the model; `series` is its name.
        task: The task that may jump.
        metric: The score that may jump.
        indicator: "continuous", "progress:<scalar>", "flicker", "flicker:epochs", "variance" or
            "autocorrelation".
        at: Checkpoint at which it was raised, plain units of the axis.
        statistic: The indicator's value there.
        p: P-value of the indicator against its own past, corrected for all looks so far.
        false_alarms: Measured rate of false alarms of this indicator a task and training run, where known.
        lead: Measured lead (jump's place over the warning's place) with an interval, where known.
        reason: One plain sentence.
    """

    family: str
    series: str
    task: str
    metric: str
    axis: str = "step"
    indicator: str
    at: float
    statistic: float
    p: float
    false_alarms: float | None = None
    lead: Interval | None = None
    reason: str
    seed: int = 0
    version: str = ""
