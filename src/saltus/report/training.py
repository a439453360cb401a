"""What changes along training, on one axis: change points, onsets and early warnings, one lane a curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saltus.records.changes import EarlyWarning, Timeline
from saltus.records.findings import Finding
from saltus.report.layers import Spec
from saltus.report.rows import Row, axis_values, short
from saltus.report.scales import x_encoding, x_scale
from saltus.report.words import metric_title

SIGNS = {
    "onset": "leaves its floor",
    "level": "jumps",
    "slope": "its rate changes",
    "warning": "early warning",
}
_SHAPES = {"onset": "circle", "level": "square", "slope": "triangle-up", "warning": "diamond"}


def training_pages(
    findings: Sequence[Finding], timelines: Sequence[Timeline], warnings: Sequence[EarlyWarning]
) -> dict[str, dict[str, Any]]:
    """For each model with changes or warnings: the chart of its lanes, and what was said in words."""
    names = dict.fromkeys(
        [t.series or t.family for t in timelines] + [w.series or w.family for w in warnings]
    )
    pages = {}
    for name in names:
        own = [one for one in timelines if name == (one.series or one.family)]
        signs = [one for one in warnings if name == (one.series or one.family)]
        if not signs and not any(one.changes for one in own):
            continue
        places = [
            x for f in findings if f.axis == "step" and name == (f.series or f.family) for x in axis_values(f)
        ]
        pages[name] = {
            "lanes": lanes(own, signs, places),
            "reasons": [reason for one in own for reason in one.reasons[:1]] + [one.reason for one in signs],
        }
    return pages


def lanes(
    timelines: Sequence[Timeline], warnings: Sequence[EarlyWarning], places: Sequence[float] = ()
) -> Spec:
    """One lane a curve, in order of its first change: a sign where it changes, with the interval around it.

    Args:
        timelines: Of one model.
        warnings: Of the same model; each stands in the lane of the score that may jump.
        places: Checkpoints, for the ends of the axis.
    """
    rows: list[Row] = [
        {
            "lane": _lane(one.task, one.metric),
            "sign": change.kind if change.kind in SIGNS else "level",
            "x": short(change.at.value),
            "low": short(change.at.low),
            "high": short(change.at.high),
            "words": f"{SIGNS.get(change.kind, change.kind)}, by {change.size:.3g} (p = {change.p:.2g})",
        }
        for one in timelines
        for change in one.changes
    ]
    rows += [
        {
            "lane": _lane(one.task, one.metric),
            "sign": "warning",
            "x": short(one.at),
            "low": short(one.at),
            "high": short(one.at),
            "words": one.reason,
        }
        for one in warnings
    ]
    first = {lane: min(row["x"] for row in rows if row["lane"] == lane) for lane in {r["lane"] for r in rows}}
    order = sorted(first, key=lambda lane: (first[lane], lane))
    axis = timelines[0].axis if timelines else warnings[0].axis
    scale = x_scale(axis, [*places, *(row[end] for row in rows for end in ("low", "x", "high"))])
    for row in rows:
        row["low"], row["high"] = short(scale.clamp(row["low"])), short(scale.clamp(row["high"]))
    name = {
        "field": "lane",
        "type": "ordinal",
        "sort": order,
        "axis": {"title": None, "grid": True, "labelLimit": 220},
    }
    span = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}
    shape = {
        "field": "sign",
        "type": "nominal",
        "scale": {"domain": list(_SHAPES), "range": list(_SHAPES.values())},
        "legend": None,
    }
    tip = [{"field": "lane", "title": "Curve"}, {"field": "words", "title": "Change"}]
    return {
        "title": {"text": "What changes, and when"},
        "datasets": {"changes": rows},
        "data": {"name": "changes"},
        "width": "container",
        "height": max(24 * len(order), 40),
        "encoding": {"y": {**name, "scale": {"domain": order}}, "x": x_encoding(axis, scale), "tooltip": tip},
        "layer": [
            {"mark": {"type": "rule", "style": "change-bar"}, "encoding": span},
            {
                "transform": [{"filter": "datum.sign !== 'warning'"}],
                "mark": {"type": "point", "style": "change-point", "filled": True},
                "encoding": {"shape": shape},
            },
            {
                "transform": [{"filter": "datum.sign === 'warning'"}],
                "mark": {"type": "point", "style": "warning-point", "filled": True},
                "encoding": {"shape": shape},
            },
        ],
    }


def _lane(task: str, metric: str) -> str:
    return f"{task} · {metric_title(metric).lower()}" if task else metric_title(metric)
