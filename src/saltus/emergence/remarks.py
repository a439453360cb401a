"""Sentences on what was left out of a series or taken for granted, for its notes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names in a sentence, the last ones as a count."""
    shown = ", ".join(str(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def without(axis: str, names: Sequence[str]) -> str:
    """Models that have no place."""
    mend = "" if axis == "capability" else "; give it with --axis-from"
    return f"No value of {axis} is known for {listed(names)}, left out{mend}."


def infinite(axis: str, names: Sequence[str]) -> str:
    """Models with an infinite place."""
    return f"The value of {axis} of {listed(names)} is infinite, left out; mend the models table."


def partly(axis: str, names: Sequence[str], count: int) -> str:
    """Points without a place of models that have others."""
    points = "1 point" if count == 1 else f"{count:,} points"
    return f"{points} of {listed(names)} without a value of {axis} left out."


def derived(axis: str, names: Sequence[str], how: str) -> str:
    """Places that follow from others."""
    return f"{axis.capitalize()} of {listed(names)} {'is' if axis == 'loss' else 'are'} taken as {how}."


def earlier(names: Sequence[str], count: int) -> str:
    """Checkpoints before the last."""
    points = "1 earlier point" if count == 1 else f"{count:,} earlier points"
    return f"Each model counts at its last checkpoint: {points} of {listed(names)} left out."


def single(axis: str, names: Sequence[str]) -> str:
    """Models with one checkpoint where a series is one model."""
    return f"{listed(names)} {'was' if len(names) == 1 else 'were'} scored at one {axis} only, left out."


def twice(names: Sequence[str], count: int) -> str:
    """The same checkpoint measured more than once."""
    points = "1 repeated measurement" if count == 1 else f"{count:,} repeated measurements"
    return f"{points} of {listed(names)} left out: the largest sample counts, then the latest row."


def other_shots(names: Sequence[str], shots: Sequence[int | None]) -> str:
    """Models of the family that were scored with other shots."""
    how = listed(["unknown" if s is None else str(s) for s in shots])
    return f"{listed(names)} stand in another series of this task: they were scored with {how} shots."


def absent(names: Sequence[str]) -> str:
    """Models of the family that were not scored on the task."""
    return f"Of this family {listed(names)} have no score on this task."


def no_place(axis: str, names: Sequence[str], notes: Sequence[str]) -> str:
    """The sentence when nothing has a place."""
    if axis == "capability":
        return f"No model has a place on the capability axis: {listed(names)}. " + " ".join(notes)
    mend = "Give it with --axis-from FILE, or choose another axis."
    return f"No model has a value for the axis {axis}: {listed(names)}. {mend}"


def no_chance(task: str, metric: str, who: str, chance: float) -> str:
    """The sentence on a chance that no share can have."""
    return (
        f"Task {task}, metric {metric}, model {who}: chance is {chance:g}, and the share that guessing gets "
        "right lies from 0 to 1; mend it in the table."
    )


def no_share(
    task: str, metric: str, who: str, value: float, rows: NDArray[np.int64], values: NDArray[np.float64]
) -> str:
    """The sentence on a score outside [0, 1]."""
    inside = int(((values >= 0) & (values <= 1)).sum())
    mixed = f" ({inside} of {len(rows)} scores lie inside)" if inside else ""
    return (
        f"Task {task}, metric {metric}, model {who}: the score {value:g} is outside [0, 1]; give shares, not "
        f"percent{mixed}."
    )
