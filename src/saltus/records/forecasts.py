"""What a forecast says: the score expected at a place on an axis, or why it cannot be told."""

from __future__ import annotations

import msgspec

from saltus.records.findings import Band, Point


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The score that a model at `at` will have, with a predictive interval.

    Attributes:
        task: What is forecast, with `metric`, `family` and `series` (a model's name along its steps).
        axis: Of `saltus.records.AXES`.
        at: Place on the axis, plain units.
        model: The named model that was asked for, empty when only a place was.
        value: Expected score (median of the predictive distribution).
        low: Lower end of the interval of a new model's measured score.
        high: Upper end.
        level: Coverage of the interval.
        method: What gave it, e.g. "ensemble", "components PC2", "link from target_logprob".
        weights: Share of each member of the ensemble.
        refused: Why no forecast is given (it cannot see past an onset, ...), with what would let it; None
            when one is. `value`, `low` and `high` then say what is left: the range that cannot be excluded.
        reasons: Plain sentences, most important first.
        n_points: Points behind it.
        chance: Score of guessing, None when unknown.
        points: The measured points that it was made from.
        band: Predictive median and interval of a measured score along the axis, from the first point to `at`.
    """

    task: str
    metric: str
    family: str
    series: str = ""
    axis: str
    at: float
    model: str = ""
    value: float | None
    low: float | None
    high: float | None
    level: float = 0.9
    method: str
    weights: dict[str, float] = {}
    refused: str | None = None
    reasons: tuple[str, ...] = ()
    n_points: int = 0
    chance: float | None = None
    points: tuple[Point, ...] = ()
    band: Band | None = None
    seed: int = 0
    version: str = ""
