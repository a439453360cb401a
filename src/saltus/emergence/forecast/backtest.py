"""Would it have worked? Leave out the largest models, forecast them, and look at what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saltus._version import __version__
from saltus.emergence.axis import check_axis
from saltus.emergence.forecast.baselines import baselines
from saltus.emergence.forecast.fitted import Fitted, fit_series
from saltus.emergence.forecast.floor import at_floor, left_open
from saltus.emergence.forecast.forecast import check_level
from saltus.emergence.forecast.link import forecast_by_link
from saltus.emergence.series import Series, build_series
from saltus.records import Backtest, HeldOut, Skill, UsageError

Floats = NDArray[np.float64]

_FEWEST_SCALES = 3


def backtest(  # noqa: PLR0913 - each is an option of the command line
    points: Any,
    *,
    axis: str,
    hold: int | None = None,
    cut: float | None = None,
    tasks: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    level: float = 0.9,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Backtest:
    """Forecast the largest models of every series from the smaller ones.

    Args:
        points: As `detect_all` takes them.
        axis: One of `saltus.records.AXES`.
        hold: Places left out at the top of each series (models of one size stand at one place); a quarter of
            them when neither this nor `cut` is given.
        cut: Leave out all beyond this place instead.
        tasks: Only these tasks.
        metrics: These metrics; by default the one that speaks for each task.
        level: Of the intervals.
        seed: Of the trend test.
        progress: Called with the number of series done and their total.

    Raises:
        UsageError: For `hold` and `cut` together, `hold` below 1, or an unknown axis.
        InputError: When the points cannot be used.
    """
    check_axis(axis)
    check_level(level)
    if hold is not None and cut is not None:
        raise UsageError("Give --hold or --cut, not both.", field="hold")
    if hold is not None and hold < 1:
        raise UsageError(f"hold is {hold}; at least 1 place must be left out.", field="hold")
    held: list[HeldOut] = []
    skipped: list[str] = []
    series = build_series(points, axis=axis, tasks=tasks, metrics=metrics)
    series = [one for one in series if len(one.x)]
    for done, one in enumerate(series, 1):
        found = held_out(one, hold=hold, cut=cut, level=level, seed=seed)
        held += found
        if not found:
            skipped.append(_skipped(one, cut))
        if progress is not None:
            progress(done, len(series))
    kinds = dict.fromkeys((h.task, h.metric) for h in held)
    return Backtest(
        axis=axis,
        level=level,
        hold=hold,
        cut=cut,
        pooled=skill(held) if held else None,
        tasks=tuple(
            skill([h for h in held if (h.task, h.metric) == kind], task=kind[0], metric=kind[1])
            for kind in kinds
        ),
        held=tuple(held),
        skipped=tuple(skipped),
        seed=seed,
        version=__version__,
    )


def held_out(
    series: Series, *, hold: int | None, cut: float | None, level: float, seed: int
) -> list[HeldOut]:
    """Forecasts of the largest scores of one series; none where under three scales would be left."""
    whole = fit_series(series)
    knots = np.unique(whole.u)
    if cut is not None:
        limit = float(whole.axis.forward(np.array([cut]))[0])
        train = whole.u <= limit + 1e-9
    else:
        out = max(1, round(len(knots) / 4)) if hold is None else hold
        train = whole.u < knots[-min(out, len(knots))]
    if train.all() or len(np.unique(whole.u[train])) < _FEWEST_SCALES:
        return []
    fitted = fit_series(part(series, train))
    # A linear axis is stretched to the range of what was fitted: places are turned into coordinates anew.
    at = series.x[~train]
    middle, low, high, method, refused = expected(fitted, fitted.axis.forward(at), level, seed)
    expect = baselines(fitted, fitted.axis.forward(at))
    back = fitted.recorded
    lines = np.sort([back(low), back(high)], axis=0)
    return [
        HeldOut(
            task=series.task,
            metric=series.metric,
            family=series.family,
            series=fitted.label,
            model=str(series.rows[i].get("model") or series.rows[i]["name"]),
            at=float(series.x[i]),
            actual=float(series.y[i]),
            value=float(back(middle)[j]),
            low=float(lines[0, j]),
            high=float(lines[1, j]),
            method=method,
            refused=refused,
            baselines={name: float(back(values)[j]) for name, values in expect.items()},
        )
        for j, i in enumerate(np.flatnonzero(~train).tolist())
    ]


def expected(fitted: Fitted, u: Floats, level: float, seed: int) -> tuple[Floats, Floats, Floats, str, bool]:
    """Median, low, high, method and refusal at coordinates beyond the last score, as progress."""
    floored = at_floor(fitted, seed=seed) is not None
    link = forecast_by_link(fitted, u, None) if floored else None
    if link is not None:
        low, high = fitted.measurable(*link.mixture.interval(level), None)
        return link.mixture.quantile(0.5), low, high, f"link from {link.partner}", False
    mixture = fitted.ensemble.predict(u)
    low, high = left_open(fitted, u, level, None) if floored else mixture.interval(level)
    low, high = fitted.measurable(low, high, None)
    return mixture.quantile(0.5), low, high, "ensemble", floored


def part(series: Series, keep: NDArray[np.bool_]) -> Series:
    """Some of the points of a series."""
    return replace(
        series,
        rows=tuple(row for row, kept in zip(series.rows, keep, strict=True) if kept),
        x=series.x[keep],
        y=series.y[keep],
        partners={name: (value[keep], error[keep]) for name, (value, error) in series.partners.items()},
    )


def skill(held: Iterable[HeldOut], *, task: str = "", metric: str = "") -> Skill:
    """Errors and coverage over some left-out scores."""
    rows = list(held)
    actual = np.array([h.actual for h in rows])
    guesses = {"forecast": np.array([h.value for h in rows])}
    for name in rows[0].baselines:
        guesses[name] = np.array([h.baselines[name] for h in rows])
    inside = np.array([h.low - 1e-12 <= h.actual <= h.high + 1e-12 for h in rows])
    refused = np.array([h.refused for h in rows])
    width = np.array([h.high - h.low for h in rows])
    return Skill(
        task=task,
        metric=metric,
        n=len(rows),
        mse={name: float(((guess - actual) ** 2).mean()) for name, guess in guesses.items()},
        mae={name: float(np.abs(guess - actual).mean()) for name, guess in guesses.items()},
        coverage=float(inside[~refused].mean()) if (~refused).any() else None,
        given=int((~refused).sum()),
        coverage_refused=float(inside[refused].mean()) if refused.any() else None,
        width=float(width[~refused].mean()) if (~refused).any() else None,
    )


def _skipped(series: Series, cut: float | None) -> str:
    name = " ".join(p for p in (series.family, series.task, series.metric, series.label) if p)
    scales = len(np.unique(series.x))
    where = "" if cut is None else f", or none above {cut:g}"
    return f"{name}: {scales} scales leave under {_FEWEST_SCALES} to fit{where}"
