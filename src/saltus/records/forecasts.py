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


class HeldOut(msgspec.Struct, frozen=True, kw_only=True):
    """One score that was left out, and what was expected of it.

    Attributes:
        task: What was measured, with `metric`, `family` and `series`.
        model: Whose score it is.
        at: Its place, plain units.
        actual: The score that was measured.
        value: What was forecast from the smaller ones, with `low` and `high`.
        method: What gave the forecast.
        refused: The forecast said that it cannot see past an onset; its interval is the range left open.
        baselines: What "last_value", "linear" and "sigmoid" expected.
    """

    task: str
    metric: str
    family: str
    series: str = ""
    model: str
    at: float
    actual: float
    value: float
    low: float
    high: float
    method: str
    refused: bool = False
    baselines: dict[str, float] = {}


class Skill(msgspec.Struct, frozen=True, kw_only=True):
    """How good the forecasts of some left-out scores were.

    Attributes:
        task: Of which task and metric; both empty for all together.
        n: Left-out scores.
        mse: Mean squared error by method: "forecast", "last_value", "linear", "sigmoid".
        mae: Mean absolute error by method.
        coverage: Share of given forecasts whose interval held the score; None where none was given.
        given: How many forecasts were given; the others were refused.
        coverage_refused: Share of refused ones whose open range held the score.
        width: Mean width of the intervals of given forecasts.
    """

    task: str = ""
    metric: str = ""
    n: int
    mse: dict[str, float]
    mae: dict[str, float]
    coverage: float | None
    given: int
    coverage_refused: float | None
    width: float | None


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """Forecasts of the largest models from the smaller ones, against what was measured.

    Attributes:
        axis: Along which the largest were left out.
        level: Of the intervals.
        hold: Places left out at the top of each series; None where a cut was given.
        cut: Scores above it were left out.
        pooled: All tasks together.
        tasks: Each task and metric.
        held: Every left-out score.
        skipped: Series with too few scales to leave any out, in words.
    """

    axis: str
    level: float
    hold: int | None = None
    cut: float | None = None
    pooled: Skill | None
    tasks: tuple[Skill, ...] = ()
    held: tuple[HeldOut, ...] = ()
    skipped: tuple[str, ...] = ()
    seed: int = 0
    version: str = ""
