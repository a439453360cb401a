"""`lags`: by how much one curve changes before another in the same training runs, and how certain that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from saltus.emergence.axis import count
from saltus.emergence.timeline import timelines
from saltus.emergence.training import curve_name
from saltus.records import Change, Interval, Lag, Timeline, UsageError
from saltus.stats import benjamini_hochberg

Floats = NDArray[np.float64]
Which = Literal["main", "first", "last"]

_DRAWS = 4000
_LEVEL = 0.9


def lags(
    source: Any,
    *,
    axis: str = "step",
    which: Which = "main",
    alpha: float = 0.05,
    seed: int = 0,
) -> list[Lag]:
    """Align the changes of all pairs of curves of a family, over the runs in which both change.

    With one run the interval comes from the intervals of both places; with several runs (sizes, seeds) from
    the scatter of their lags, by Student's t, so two runs say little. The p-value asks whether the two change
    at one place; q corrects it for all pairs.

    Args:
        source: Timelines of `timelines` (or from the store), or points.
        axis: Of the points.
        which: The change that speaks for a curve: its most certain one, its first or its last.
        alpha: For the changes where points are given, and the q-value under which an order is told.
        seed: Of the draws.

    Returns:
        One lag a pair and family, the leader first, by q.

    Raises:
        UsageError: `which` is unknown.
        InputError: When points cannot be used.
    """
    if which not in ("main", "first", "last"):
        raise UsageError(f"which is {which!r}; choose main, first or last.", field="which")
    lines = list(source) if isinstance(source, Sequence) and _are_timelines(source) else None
    if lines is None:
        lines = timelines(source, axis=axis, alpha=alpha)
    places: dict[tuple[str, str], dict[str, dict[str, Change]]] = defaultdict(lambda: defaultdict(dict))
    for line in lines:
        if line.changes:
            curve = curve_name(line.task, line.metric)
            places[line.family, line.axis][curve][line.series] = _speaker(line.changes, which)
    found = [
        _pair(family, along, (a, curves[a]), (b, curves[b]), np.random.default_rng([seed, i]))
        for (family, along), curves in sorted(places.items())
        for i, (a, b) in enumerate(combinations(sorted(curves), 2))
        if curves[a].keys() & curves[b].keys()
    ]
    q = benjamini_hochberg([lag.p or 0.0 for lag in found]).tolist()
    told = [
        msgspec.structs.replace(lag, q=one, reason=_sentence(lag, one, len(found), alpha))
        for lag, one in zip(found, q, strict=True)
    ]
    return sorted(told, key=lambda lag: (lag.family, lag.q, lag.leader, lag.follower))


def _are_timelines(source: Sequence[Any]) -> bool:
    return all(isinstance(one, Timeline) for one in source)


def _speaker(changes: Sequence[Change], which: str) -> Change:
    """The change that stands for a curve; the larger of two that are equally certain."""
    match which:
        case "first":
            return changes[0]
        case "last":
            return changes[-1]
        case _:
            return min(changes, key=lambda c: (c.p, -abs(c.size)))


@dataclass(frozen=True)
class _Side:
    """Places of one curve's change in each run: values (R,) and draws (R, D), plain units."""

    value: Floats
    draws: Floats


def _pair(
    family: str,
    axis: str,
    one: tuple[str, dict[str, Change]],
    other: tuple[str, dict[str, Change]],
    rng: np.random.Generator,
) -> Lag:
    runs = sorted(one[1].keys() & other[1].keys())
    a, b = (_side([curve[1][run] for run in runs], rng) for curve in (one, other))
    lead = np.log(b.value) - np.log(a.value)
    if lead.mean() < 0:
        a, b, one, other, lead = b, a, other, one, -lead
    drawn = np.log(b.draws) - np.log(a.draws)
    ratio, p = _estimate(lead, drawn)
    lag, _ = _estimate(b.value - a.value, b.draws - a.draws)
    share = float((lead > 0).mean()) if len(runs) > 1 else float((drawn > 0).mean())
    return Lag(
        leader=one[0],
        follower=other[0],
        series=tuple(runs),
        axis=axis,
        lag=lag,
        ratio=Interval(float(np.exp(ratio.value)), float(np.exp(ratio.low)), float(np.exp(ratio.high))),
        share=share,
        p=p,
        family=family,
    )


def _side(changes: list[Change], rng: np.random.Generator) -> _Side:
    return _Side(
        np.array([c.at.value for c in changes]), np.stack([draw_places(c.at, _DRAWS, rng) for c in changes])
    )


def draw_places(at: Interval, draws: int, rng: np.random.Generator) -> Floats:
    """Places that an interval allows: even on a log axis on either side of its median, with its tails.

    The median and the ends of the interval are kept; each tail is as long as an even spread makes it.
    """
    tail = (1 - at.level) / 2
    low, middle, high = (float(np.log(max(v, 1e-12))) for v in (at.low, at.value, at.high))
    more = tail / (0.5 - tail)
    ends = [low - more * (middle - low), low, middle, high, high + more * (high - middle)]
    return np.exp(np.interp(rng.random(draws), [0, tail, 0.5, 1 - tail, 1], ends))


def _estimate(value: Floats, draws: Floats) -> tuple[Interval, float]:
    """Mean over runs with its interval, and the p-value of no difference.

    Args:
        value: One difference a run, shape (R,).
        draws: Differences that the places' intervals allow, shape (R, D).
    """
    tail = (1 - _LEVEL) / 2
    middle = float(value.mean())
    if len(value) == 1:
        low, high = (float(v) for v in np.quantile(draws[0], [tail, 1 - tail]))
        over = float((draws[0] > 0).sum() + 1) / (draws.shape[1] + 2)
        return Interval(middle, min(low, middle), max(high, middle), _LEVEL), min(
            1.0, 2 * min(over, 1 - over)
        )
    runs = len(value)
    # Scatter between runs holds the error of each place too; identical runs still have that error.
    variance = max(float(value.var(ddof=1)), float(draws.var(axis=1).mean())) / runs
    error = float(np.sqrt(variance))
    half = float(stdtrit(runs - 1, 1 - tail)) * error
    p = float(2 * stdtr(runs - 1, -abs(middle) / error)) if error > 0 else float(middle == 0)
    return Interval(middle, middle - half, middle + half, _LEVEL), p


def _sentence(lag: Lag, q: float, pairs: int, alpha: float) -> str:
    """The lag in words; without an order where chance could make it."""
    runs = len(lag.series)
    where = f"in {round(lag.share * runs)} of {runs} runs" if runs > 1 else f"in one run ({lag.series[0]})"
    span = f"[{_signed(lag.axis, lag.lag.low)}, {_signed(lag.axis, lag.lag.high)}]"
    among = f"q = {q:.2g} over {pairs} pair{'s' if pairs > 1 else ''}"
    unit = "steps" if lag.axis == "step" else lag.axis
    if q <= alpha:
        return (
            f"{lag.leader} changes {_signed(lag.axis, lag.lag.value)} {unit} {span} before {lag.follower}, "
            f"{where} ({lag.ratio.value:.2g} times as early; {among})."
        )
    return (
        f"Which of {lag.leader} and {lag.follower} changes first cannot be told: the difference is "
        f"{_signed(lag.axis, lag.lag.value)} {unit} {span} {where} ({among})."
    )


def _signed(axis: str, x: float) -> str:
    return f"{'-' if x < 0 else ''}{count(axis, abs(x))}"
