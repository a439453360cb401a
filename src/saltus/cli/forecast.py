"""`saltus forecast`: the scores expected at a larger scale, or how such forecasts would have done so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.output import (
    emit,
    json_option,
    magnitude,
    next_step,
    open_store,
    progress_bar,
    say,
    store_option,
    table,
)
from saltus.cli.progress import counter
from saltus.records.errors import UsageError
from saltus.records.findings import AXES
from saltus.records.forecasts import Backtest, Forecast, Skill

if TYPE_CHECKING:
    import pyarrow as pa

    from saltus.store import Store

_SIZES = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_SHOWN = 8


@click.command("forecast")
@click.option("--task", "tasks", multiple=True, help="Only these tasks; * is a wildcard.")
@click.option("--at", "places", multiple=True, help="Place on the axis, such as 70e9, 70B or 2027-01.")
@click.option(
    "--model", "models", multiple=True, help="Forecast this model, by its place or its other scores."
)
@click.option("--family", help="From this family of models only.")
@click.option("--axis", type=click.Choice(AXES), help="Scale axis.")
@click.option(
    "--metric", "metrics", multiple=True, help="These metrics instead of each task's headline metric."
)
@click.option("--level", default=0.9, show_default=True, help="Coverage of the intervals.")
@click.option("--samples", type=click.IntRange(min=1), help="Samples behind the new score.")
@click.option("--seed", default=0, show_default=True, help="Seed of the trend test.")
@click.option("--backtest", "backward", is_flag=True, help="Leave out the largest and forecast them.")
@click.option("--hold", type=click.IntRange(min=1), help="Backtest: leave out so many places at the top.")
@click.option("--cut", help="Backtest: leave out all beyond this place.")
@store_option
@json_option
def command(
    tasks: tuple[str, ...],
    places: tuple[str, ...],
    models: tuple[str, ...],
    family: str | None,
    axis: str | None,
    metrics: tuple[str, ...],
    level: float,
    samples: int | None,
    seed: int,
    backward: bool,
    hold: int | None,
    cut: str | None,
    store_path: str,
    as_json: bool,
) -> int:
    """Forecast what the next scale will score, with an interval, and say where nothing can be seen."""
    from saltus.emergence import usable_axes

    _check(backward, places, models, hold, cut)
    with open_store(store_path) as store:
        points = store.points(family=family)
        wanted = _matching(points, tasks)
        along = axis or usable_axes(points)[0]
        shared = {"axis": along, "tasks": wanted, "metrics": metrics or None, "level": level, "seed": seed}
        if backward:
            return _backtest(points, shared, hold, None if cut is None else read_place(cut, along), as_json)
        at = [read_place(text, along) for text in places]
        found = _forecast(store, points, shared, at, models, samples)
    if as_json:
        emit({"forecasts": found})
        return 0
    show(found)
    next_step(f"saltus forecast --backtest --axis {along} --store {store_path}")
    return 0


def read_place(text: str, axis: str) -> float:
    """A place on an axis: 70e9, 70B, 1.5T; a date where the axis is one.

    Raises:
        UsageError: It is no number or date.

    Examples:
        >>> read_place("70B", "params"), read_place("8000", "step"), read_place("2024-07-01", "released")
        (70000000000.0, 8000.0, 2024.498288843258)
    """
    from saltus.emergence.axis import parse_date

    if axis == "released" and text.count("-") in (1, 2):
        return parse_date(text)
    size = _SIZES.get(text[-1:], 1.0)
    try:
        return float(text[:-1] if size > 1 else text) * size
    except ValueError:
        raise UsageError(
            f"The place {text!r} is no number; write for example 70e9, 70B or, along released, 2027-01.",
            field="at",
        ) from None


def show(forecasts: Sequence[Forecast]) -> None:
    """Print forecasts as a table, then what can be said of each: refusals first."""
    from saltus.emergence.axis import count

    table(
        ("task", "metric", "series", "at", "expected", "interval", "method"),
        (
            (
                f.task,
                f.metric,
                f.series or f.family,
                f.model or count(f.axis, f.at) + f" {f.axis}",
                "cannot be seen" if f.refused else _number(f.value),
                f"{'left open: ' if f.refused else ''}[{_number(f.low)}, {_number(f.high)}]",
                f.method if not f.refused else "–",
            )
            for f in forecasts
        ),
    )
    told: set[str] = set()
    for f in sorted(forecasts, key=lambda f: f.refused is None):
        words = f.refused or " ".join(
            r for i, r in enumerate(f.reasons[:2]) if i == 0 or r.startswith("The curves")
        )
        name = " ".join(part for part in (f.task, f.metric, f.series) if part)
        if name in told:
            continue
        told.add(name)
        if len(told) <= _SHOWN:
            say(f"{name}: {words}")
    if len(told) > _SHOWN:
        say(f"{len(told) - _SHOWN} more series; --task T or --json tells all.")


def show_backtest(result: Backtest) -> None:
    """Print how forecasts of the largest would have done, beside the baselines."""
    table(
        ("task", "held out", "MSE", "last value", "linear", "sigmoid", "MAE", "covered", "given", "width"),
        (_skill(skill) for skill in (*result.tasks, *([result.pooled] if result.pooled else []))),
    )
    pooled = result.pooled
    if pooled is None:
        say("Nothing could be left out; evaluate more scales.")
    elif pooled.coverage is not None:
        others = "" if pooled.given == pooled.n else f" ({pooled.given} of {pooled.n}; it refused the others)"
        level, held = f"{result.level * 100:g} %", f"{pooled.coverage * 100:.0f} %"
        say(f"Intervals of {level} held {held} of the scores that were forecast{others}.")
    for line in result.skipped[:3]:
        say(f"Not tested: {line}.")
    if len(result.skipped) > 3:
        say(f"{len(result.skipped) - 3} more series were not tested.")


def _skill(skill: Skill) -> tuple[Any, ...]:
    return (
        skill.task or "all",
        skill.n,
        *(f"{skill.mse[name]:.4f}" for name in ("forecast", "last_value", "linear", "sigmoid")),
        f"{skill.mae['forecast']:.3f}",
        "–" if skill.coverage is None else f"{skill.coverage:.2f}",
        f"{skill.given} of {skill.n}",
        _number(skill.width),
    )


def _check(
    backward: bool, places: Sequence[str], models: Sequence[str], hold: int | None, cut: str | None
) -> None:
    if backward and (places or models):
        raise UsageError(
            "--backtest forecasts scores that are known; leave out --at and --model.", field="backtest"
        )
    if not backward and (hold is not None or cut is not None):
        raise UsageError("--hold and --cut belong to --backtest; add it.", field="backtest")


def _forecast(
    store: Store,
    points: pa.Table,
    shared: dict[str, Any],
    at: Sequence[float],
    models: Sequence[str],
    samples: int | None,
) -> list[Forecast]:
    from saltus.emergence.forecast import forecast_all, observed_forecasts
    from saltus.store import record_forecasts

    found: list[Forecast] = []
    located: dict[str, float] = {}
    if models:
        options = {name: shared[name] for name in ("tasks", "metrics", "level", "seed")}
        found = observed_forecasts(store.points(), models, **options)
        located = _located(store, models, shared["axis"], {f.model for f in found})
    with progress_bar() as bar:
        count_on = counter(bar, "forecast")
        if at or not models:
            found += forecast_all(points, at=at, samples=samples, progress=count_on, **shared)
        for own, group in _by_family(store, points, located):
            found += forecast_all(own, models=group, samples=samples, progress=count_on, **shared)
    record_forecasts(store, found)
    return found


def _by_family(
    store: Store, points: pa.Table, located: dict[str, float]
) -> Iterator[tuple[pa.Table, dict[str, float]]]:
    """Named models with the points of their own family; with all points where that was not scored."""
    import pyarrow.compute as pc

    from saltus.models.registry import describe

    known = {str(row["name"]): str(row["family"] or "") for row in store.models().to_pylist()}
    scored = set(points["family"].to_pylist())
    groups: dict[str, dict[str, float]] = {}
    for name, place in located.items():
        family = known.get(name) or describe(name).family or ""
        groups.setdefault(family if family in scored else "", {})[name] = place
    for family, group in groups.items():
        yield points.filter(pc.equal(points["family"], family)) if family else points, group


def _located(store: Store, models: Sequence[str], axis: str, seen: set[str]) -> dict[str, float]:
    """Places of named models: as the store has them, else as the registry does."""
    known = {str(row["name"]): row for row in store.models().to_pylist()}
    out: dict[str, float] = {}
    for name in models:
        place = _place(known.get(name), name, axis)
        if place is not None:
            out[name] = place
        elif name not in seen:
            raise UsageError(
                f"Neither the store nor the registry knows {axis} of the model {name}, and it has too few "
                "other scores to go by; give its place with --at, or another --axis.",
                field="model",
            )
    return out


def _place(row: dict[str, Any] | None, name: str, axis: str) -> float | None:
    from saltus.emergence.axis import parse_date
    from saltus.models.registry import describe

    value = None if row is None else row.get(axis)
    if value is None:
        value = getattr(describe(name), axis, None)
    if value is None or value == "":
        return None
    return parse_date(str(value)) if axis == "released" else float(value)


def _backtest(
    points: pa.Table, shared: dict[str, Any], hold: int | None, cut: float | None, as_json: bool
) -> int:
    from saltus.emergence.forecast import backtest

    with progress_bar() as bar:
        result = backtest(points, hold=hold, cut=cut, progress=counter(bar, "backtest"), **shared)
    if as_json:
        emit(result)
        return 0
    show_backtest(result)
    next_step(f"saltus forecast --axis {shared['axis']} --at PLACE")
    return 0


def _matching(points: pa.Table, wanted: Sequence[str]) -> list[str] | None:
    there = sorted(set(points["task"].to_pylist()))
    if not there:
        raise UsageError(
            "The store has no such scores yet; `saltus run`, `saltus import` or `saltus demo` bring some."
        )
    if not wanted:
        return None
    for pattern in wanted:
        if not any(fnmatchcase(task, pattern) for task in there):
            shown = ", ".join(there[:8]) + (f" and {len(there) - 8} more" if len(there) > 8 else "")
            raise UsageError(f"Nothing matches --task {pattern}; there are {shown}.", field="task")
    return [task for task in there if any(fnmatchcase(task, pattern) for pattern in wanted)]


def _number(value: float | None) -> str:
    return "–" if value is None else magnitude(value)
