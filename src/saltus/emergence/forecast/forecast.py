"""`forecast_all`: from points to the scores expected at places that no model has reached yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saltus._version import __version__
from saltus.emergence.axis import LOGARITHMIC, check_axis
from saltus.emergence.finding import points_of
from saltus.emergence.forecast.fitted import Fitted, fit_series
from saltus.emergence.forecast.floor import at_floor, left_open, what_would_let_it
from saltus.emergence.forecast.link import forecast_by_link
from saltus.emergence.series import Series, build_series
from saltus.records import Band, Forecast, UsageError
from saltus.stats import MEMBERS

Floats = NDArray[np.float64]

DEFAULT_REACH = (2.0, 10.0)
_FEWEST_SCALES = 3
_DRAWN = 25
_COUNTS = 0.1  # weight from which a member's own forecast is told
_APART = 0.1  # by which members must differ for it to be said


def forecast_all(  # noqa: PLR0913 - each is an option of the command line
    points: Any,
    *,
    axis: str,
    at: Sequence[float] = (),
    models: Mapping[str, float] | None = None,
    tasks: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    level: float = 0.9,
    samples: float | None = None,
    seed: int = 0,
    bands: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> list[Forecast]:
    """Forecast every series of the points at every place.

    Args:
        points: As `detect_all` takes them.
        axis: One of `saltus.records.AXES`.
        at: Places, plain units; twice and ten times the largest scale of each series when nothing is asked.
        models: Places of named models, by name.
        tasks: Only these tasks.
        metrics: These metrics; by default the one that speaks for each task.
        level: Of the interval of a new model's measured score.
        samples: Behind the new score; as many as behind the median one when None.
        seed: Of the trend test.
        bands: Draw each forecast's predictive band along the axis.
        progress: Called with the number of series done and their total.

    Returns:
        One forecast a series and place, in the order of the series. Where the scores lie at their floor and
        no continuous metric stands beside them, `refused` says why nothing can be seen.

    Raises:
        UsageError: For an unknown axis, a place it cannot have, or a level out of range.
        InputError: When the points cannot be used.
    """
    check_axis(axis)
    check_level(level)
    places = [(x, "") for x in at] + [(x, name) for name, x in (models or {}).items()]
    for x, name in places:
        if not np.isfinite(x) or (axis in LOGARITHMIC and x <= 0):
            where = f"model {name}" if name else "--at"
            raise UsageError(
                f"The place {x:g} of {where} is no value of {axis}; give one above 0.", field="at"
            )
    out: list[Forecast] = []
    series = build_series(points, axis=axis, tasks=tasks, metrics=metrics)
    series = [
        one for one in series if len(one.x)
    ]  # one whose points all lie aside has no place to start from
    for done, one in enumerate(series, 1):
        out += forecast_series(one, places, level=level, samples=samples, seed=seed, bands=bands)
        if progress is not None:
            progress(done, len(series))
    return out


def check_level(level: float) -> None:
    """Refuse a level of intervals that is none.

    Raises:
        UsageError: It does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise UsageError(f"level is {level:g}; it must lie between 0 and 1.", field="level")


def forecast_series(
    series: Series,
    places: Sequence[tuple[float, str]],
    *,
    level: float,
    samples: float | None,
    seed: int,
    bands: bool,
) -> list[Forecast]:
    """Forecasts of one series at places (with the name of the model that stands there, or nothing)."""
    fitted = fit_series(series)
    where = list(places) or [(float(x), "") for x in default_places(fitted)]
    if fitted.scales < _FEWEST_SCALES:
        return [_too_few(fitted, x, name, level, seed) for x, name in where]
    at = np.array([x for x, _ in where])
    u = fitted.axis.forward(at)
    floored = at_floor(fitted, seed=seed) if (u > fitted.u.max() + 1e-9).any() else None
    link = forecast_by_link(fitted, u, samples) if floored else None
    mixture = fitted.ensemble.predict(u, samples=samples) if link is None else link.mixture
    middle, (low, high) = mixture.quantile(0.5), mixture.interval(level)
    if floored and link is None:
        low, high = left_open(fitted, u, level, samples)
    low, high = fitted.measurable(low, high, samples)
    out = []
    for i, (x, name) in enumerate(where):
        unseen = floored if floored and u[i] > fitted.u.max() + 1e-9 else None
        reasons = [_reach(fitted, x)]
        refused = None
        if unseen and link is None:
            refused = _refusal(fitted, unseen, x, float(fitted.recorded(high[i : i + 1])[0]))
        elif unseen and link is not None:
            reasons = [_by_link(unseen, link.partner, float(link.nll[i]), link.informative), *reasons]
        else:
            reasons += _disagreement(fitted, u[i : i + 1])
        value, a, b = (float(fitted.recorded(v[i : i + 1])[0]) for v in (middle, low, high))
        out.append(
            Forecast(
                **_shared(fitted, level, seed),
                at=x,
                model=name,
                value=value,
                low=min(a, b),
                high=max(a, b),
                method="ensemble" if link is None else f"link from {link.partner}",
                weights={} if link else {k: round(v, 4) for k, v in fitted.ensemble.weights.items()},
                refused=refused,
                reasons=(*reasons, *fitted.notes),
                band=_band(fitted, x, level, samples) if bands and link is None and not refused else None,
            )
        )
    return out


def default_places(fitted: Fitted) -> Floats:
    """Twice and ten times the largest scale; on other axes, as far in units of their range."""
    return fitted.axis.back(fitted.u.max() + np.log10(np.array(DEFAULT_REACH)))


def _shared(fitted: Fitted, level: float, seed: int) -> dict[str, Any]:
    series = fitted.series
    return {
        "task": series.task,
        "metric": series.metric,
        "family": series.family,
        "series": fitted.label,
        "axis": series.axis,
        "level": level,
        "n_points": len(series.x),
        "chance": series.chance,
        "points": points_of(series, set(range(len(series.x)))),
        "seed": seed,
        "version": __version__,
    }


def _too_few(fitted: Fitted, x: float, name: str, level: float, seed: int) -> Forecast:
    noun = "place" if fitted.scales == 1 else "places"
    return Forecast(
        **_shared(fitted, level, seed),
        at=x,
        model=name,
        value=None,
        low=None,
        high=None,
        method="none",
        refused=(
            f"The scores stand at {fitted.scales} {noun} along {fitted.series.axis}; a forecast needs "
            f"{_FEWEST_SCALES}. Evaluate at {_FEWEST_SCALES - fitted.scales} more."
        ),
        reasons=fitted.notes,
    )


def _refusal(fitted: Fitted, why: str, x: float, high: float) -> str:
    place = fitted.axis.place(x)
    return (
        f"Cannot see past an onset: {why}. If one comes before {place}, a score of up to {high:.2g} is left "
        f"open. {what_would_let_it(fitted)}"
    )


def _by_link(why: str, partner: str, nll: float, informative: int) -> str:
    bounded = "" if informative else " No score stands off the floor yet, so the link is only bounded."
    return (
        f"The scores alone cannot see past an onset: {why}. So {partner} is forecast, at {nll:.3g} nats, and "
        f"pushed through the link; scores off the floor that it rests on: {informative}.{bounded}"
    )


def _reach(fitted: Fitted, x: float) -> str:
    beyond = float(fitted.beyond(np.array([x]))[0])
    last = fitted.axis.place(float(fitted.axis.back(np.array([fitted.u.max()]))[0]))
    base = f"{len(fitted.y)} scores at {fitted.scales} scales up to {last}"
    if beyond <= 0:
        return f"{base}; {fitted.axis.place(x)} lies within."
    far = f"{beyond:.2g}"
    one, many = ("decade", "decades") if fitted.axis.logarithmic else ("half", "halves")
    unit = (one if far == "1" else many) + ("" if fitted.axis.logarithmic else " of the observed range")
    return f"{base}; {fitted.axis.place(x)} lies {far} {unit} beyond."


def _disagreement(fitted: Fitted, u: Floats) -> list[str]:
    """What the members expect, where those that count differ."""
    ensemble = fitted.ensemble
    told = {
        name: float(fitted.recorded(ensemble.predict(u, members=(name,)).quantile(0.5))[0])
        for name in MEMBERS
        if ensemble.weights[name] >= _COUNTS
    }
    if not told or max(told.values()) - min(told.values()) < _APART * fitted.progress.scale:
        return []
    listed = ", ".join(
        f"{name} {value:.2g} (weight {ensemble.weights[name]:.2f})"
        for name, value in sorted(told.items(), key=lambda pair: -ensemble.weights[pair[0]])
    )
    return [f"The curves disagree there: {listed}."]


def _band(fitted: Fitted, x: float, level: float, samples: float | None) -> Band:
    """The predictive median and interval from the first score to the place."""
    end = float(fitted.axis.forward(np.array([x]))[0])
    u = np.linspace(float(fitted.u.min()), max(end, float(fitted.u.max())), _DRAWN)
    mixture = fitted.ensemble.predict(u, samples=samples)
    low, high = mixture.interval(level)
    curves = np.sort([fitted.recorded(v) for v in (low, mixture.quantile(0.5), high)], axis=0)
    plain = fitted.axis.back(u)
    order = np.argsort(plain)
    drawn = [tuple(np.round(row[order], 6).tolist()) for row in (plain, *curves)]
    return Band(x=drawn[0], y=drawn[2], low=drawn[1], high=drawn[3], level=level)
