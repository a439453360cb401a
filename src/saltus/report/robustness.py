"""The page on robustness: what each variant of the prompts changes, from rows that were computed before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from saltus.records.findings import Interval
from saltus.report.layers import Spec
from saltus.report.rows import Row, short
from saltus.report.scales import AxisScale, linear_ticks
from saltus.report.theme import theme
from saltus.report.words import interval_text, metric_title, number, q_text, task_title

if TYPE_CHECKING:
    from saltus.emergence import RobustnessTable
    from saltus.records.robustness import Robustness, WorstVariant

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_ACROSS = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}


def variant_scores(rows: Sequence[Robustness]) -> Spec:
    """The score of each variant as a dot with its interval, worst first; the plain score as a dashed line.

    Args:
        rows: Of one model and task.

    Returns:
        A Vega-Lite spec, rows in `datasets`, the answer as its title.
    """
    ordered = _ordered(rows)
    plain = {"y": short(ordered[0].plain.value)}
    data = [_dot(row, row.score) for row in ordered]
    line = {"mark": {"type": "rule", "style": "chance"}, "encoding": {"x": _channel("y"), "y": None}}
    word = {
        "mark": {
            "type": "text",
            "style": "chance-label",
            "text": "plain",
            "dy": -7,
            "dx": 0,
            "align": "center",
        },
        "encoding": {"x": _channel("y"), "y": {"value": 0}},
    }
    ends = [end for row in ordered for end in (row.score.low, row.score.high, row.plain.value)]
    return {
        **_frame(_score_title(ordered[0]), {"scores": data, "plain": [plain]}, ordered, ends),
        "layer": [
            {"data": {"name": "plain"}, **line},
            {"data": {"name": "plain"}, **word},
            *_dots("scores", "point"),
        ],
    }


def variant_flips(rows: Sequence[Robustness]) -> Spec:
    """Share of answers that flip in each variant, with intervals; hollow dots for the plain noise floor."""
    ordered = _ordered(rows)
    data = [_dot(row, row.flips) for row in ordered]
    floors = [_dot(row, row.floor) for row in ordered if row.floor is not None]
    ends = [0.0, *(row.flips.high for row in ordered), *(row.floor.high for row in ordered if row.floor)]
    layers = _dots("flips", "point")
    if floors:
        layers = [*_dots("floors", "unused")[1:], *layers]
    return {
        **_frame(_flip_title(ordered), {"flips": data, "floors": floors}, ordered, ends, title="Flips →"),
        "layer": layers,
    }


def robustness_page(table: RobustnessTable) -> list[dict[str, Any]]:
    """What the page shows: one entry a model, task and metric, those that lose most first."""
    groups: dict[tuple[str, str, str], list[Robustness]] = {}
    for row in table.rows:
        groups.setdefault((row.task, row.model, row.metric), []).append(row)
    worst = {(one.task, one.model, one.metric): one for one in table.worst}
    order = sorted(groups, key=lambda key: (-max(row.drop.value for row in groups[key]), key))
    return [_entry(groups[key], worst.get(key)) for key in order]


def _entry(rows: Sequence[Robustness], worst: WorstVariant | None) -> dict[str, Any]:
    ordered = _ordered(rows)
    first = ordered[0]
    return {
        "task": first.task,
        "model": first.model,
        "metric": metric_title(first.metric),
        "n": first.n,
        "level": f"{first.flips.level * 100:g} %",
        "plain": interval_text(first.plain),
        "lost": interval_text(first.drop, sign=False),
        "worst": None if worst is None else worst.variant,
        "score": None if worst is None else interval_text(worst.score),
        "always": None if worst is None else interval_text(worst.always),
        "compared": len(ordered),
        "scores": _bare(variant_scores(rows)),
        "flips": _bare(variant_flips(rows)),
        "rows": [_cells(row) for row in ordered],
    }


def _cells(row: Robustness) -> dict[str, Any]:
    slice_ = "–" if row.worst is None else f"{row.worst.name} {interval_text(row.worst.score)}"  # noqa: RUF001
    return {
        "variant": row.variant,
        "n": row.n,
        "plain": number(row.plain.value),
        "score": interval_text(row.score),
        "flips": interval_text(row.flips),
        "lost": number(row.lost.value),
        "gained": number(row.gained.value),
        "floor": number(None if row.floor is None else row.floor.value),
        "excess": interval_text(row.excess),
        "worst": slice_,
        "worst_p": q_text(None if row.worst is None else row.worst.p),
        "p": q_text(row.p),
        "q": q_text(row.q),
    }


def _ordered(rows: Sequence[Robustness]) -> list[Robustness]:
    return sorted(rows, key=lambda row: (-row.drop.value, row.variant))


def _score_title(lowest: Robustness) -> str:
    who = f"{task_title(lowest.task)}, {lowest.model}"
    if lowest.drop.value <= 0:
        return f"{who}: no variant lowers the score"
    tell = "" if lowest.drop.low > 0 else ", within the noise"
    return f"{who}: {lowest.variant} costs {interval_text(lowest.drop)}{tell}"


def _flip_title(rows: Sequence[Robustness]) -> str:
    most = max(rows, key=lambda row: (row.flips.value, row.variant))
    noise = "" if most.floor is None else f", against {number(most.floor.value)} by chance alone"
    return f"{most.variant} flips {interval_text(most.flips)} of the answers{noise}"


def _dot(row: Robustness, value: Interval) -> Row:
    ends = {"y": short(value.value), "low": short(value.low), "high": short(value.high)}
    return {"variant": row.variant, **ends, "n": row.n}


def _dots(data: str, style: str) -> list[Spec]:
    tip = [{"field": "variant", "title": "Variant"}, {"field": "y", "type": "quantitative", "title": "Share"}]
    rows = {"name": data}
    y = {"field": "variant"}
    bar = {"data": rows, "mark": {"type": "rule", "style": "bar"}, "encoding": {"y": _rank(y), **_ACROSS}}
    dot = {
        "data": rows,
        "mark": {"type": "point", "style": style, "filled": style == "point"},
        "encoding": {"y": _rank(y), "x": _channel("y"), "tooltip": tip},
    }
    return [bar, dot]


def _rank(channel: dict[str, Any]) -> dict[str, Any]:
    return {**channel, "type": "ordinal"}


def _channel(field: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative"}


def _frame(
    answer: str,
    datasets: dict[str, list[Row]],
    rows: Sequence[Robustness],
    ends: Sequence[float],
    title: str = "Score →",
) -> Spec:
    """Title, size and both axes: variants down, a share across."""
    names = [row.variant for row in rows]
    scale = _share_scale(ends)
    x_axis = {"title": title, "values": list(scale.ticks), "labelExpr": "format(datum.value, '~g')"}
    y_axis = {"title": None, "grid": True, "domain": False, "labelLimit": 190}
    ordinal = {"type": "ordinal", "sort": names, "scale": {"domain": names, "padding": 0.06}, "axis": y_axis}
    return {
        "$schema": _SCHEMA,
        "title": {"text": answer},
        "config": theme(),
        "datasets": datasets,
        "width": "container",
        "height": len(names) * 24,
        "encoding": {
            "y": {"field": "variant", **ordinal},
            "x": {"type": "quantitative", "scale": scale.spec(), "axis": x_axis},
        },
    }


def _share_scale(ends: Sequence[float]) -> AxisScale:
    """From 0, or from below the lowest end where all are high, to the first round value above the highest."""
    low = 0.0 if min(ends) < 0.5 else 0.5
    high = next(top for top in (0.1, 0.25, 0.5, 1.0) if max(ends) <= top + 1e-9)
    return AxisScale("linear", low, high, linear_ticks(low, high, 5))


def _bare(spec: Spec) -> Spec:
    return {key: value for key, value in spec.items() if key not in ("config", "$schema")}
