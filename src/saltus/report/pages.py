"""What the pages show, as plain data: rows of the verdict list, groups, tables of models and runs."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from saltus.records.findings import Finding, Interval
from saltus.records.metrics import metric_info
from saltus.report.record import record
from saltus.report.scales import x_scale, y_scale
from saltus.report.words import (
    ARTIFACTS,
    AXIS_TITLES,
    KINDS,
    answer,
    group_title,
    kind,
    metric_title,
    number,
    onset_text,
    q_text,
    quantity,
    rank,
    rise_text,
)

Group = tuple[str, str, str]  # family, series, axis

_SPARK = (84.0, 20.0)  # width and height of a row's small picture, pixels


def finding_row(finding: Finding) -> dict[str, Any]:
    """One finding in words: what a row of the verdict list and the head of its page need."""
    unit = metric_info(finding.metric).unit
    return {
        "id": finding.id,
        "kind": kind(finding),
        "word": KINDS[kind(finding)],
        "verdict": finding.verdict.replace("_", " ")
        + (f", {finding.sharpness}" if finding.sharpness else ""),
        "artifact": ARTIFACTS[finding.artifact] if finding.artifact else "–",  # noqa: RUF001
        "title": answer(finding),
        "headline": finding.headline,
        "task": finding.task,
        "metric": finding.metric,
        "metric_title": metric_title(finding.metric),
        "variant": finding.variant,
        "family": finding.family,
        "series": finding.series,
        "axis": finding.axis,
        "axis_title": AXIS_TITLES[finding.axis].split(",")[0],
        "group": group_title(finding),
        "onset": onset_text(finding),
        "onset_level": _percent(finding.onset),
        "rise": rise_text(finding),
        "rise_level": _percent(finding.rise),
        "width": _width_text(finding.width),
        "chance": None if finding.chance is None else number(finding.chance, unit),
        "q": [q_text(q) for q in (finding.q.trend, finding.q.acceleration, finding.q.sharpness)],
        "n_scales": finding.n_scales,
        "n_samples": finding.n_samples,
        "n_tests": finding.n_tests,
        "reasons": list(finding.reasons),
        "fits": [
            [
                fit.shape,
                f"{fit.bic:.1f}",
                f"{fit.rss:.1f}",
                fit.excluded,
                ", ".join(f"{k} {v:.4g}" for k, v in fit.params.items()),
            ]
            for fit in sorted(finding.fits, key=lambda fit: fit.bic)
        ],
        "band_level": None if finding.band is None else f"{finding.band.level:.0%}".replace("%", " %"),
        "seed": finding.seed,
        "version": finding.version,
        **record(finding),
    }


def sparkline(finding: Finding) -> dict[str, Any]:
    """A row's small picture: an SVG path of the points as dots, never joined, and the height of chance."""
    points = [point for point in finding.points if math.isfinite(point.y)]
    if not points:
        return {"path": "", "chance": None}
    width, height = _SPARK
    x = x_scale(finding.axis, [point.x for point in points])
    y = y_scale(finding.metric, [point.y for point in points])

    def up(value: float) -> float:
        return round(height - 2 - (height - 4) * y.place(y.clamp(value)), 1)

    def across(value: float) -> float:
        place = 1 - x.place(value) if x.reverse else x.place(value)
        return round(2 + (width - 4) * place, 1)

    path = "".join(f"M{across(point.x):g} {up(point.y):g}h0" for point in points)
    inside = finding.chance is not None and y.low <= finding.chance <= y.high
    return {"path": path, "chance": up(finding.chance) if inside and finding.chance is not None else None}


def groups(findings: Sequence[Finding]) -> dict[Group, list[Finding]]:
    """Findings that share family, series and axis, in the order of their first row in the verdict list."""
    found: dict[Group, list[Finding]] = {}
    for finding in sorted(findings, key=rank):
        found.setdefault((finding.family, finding.series, finding.axis), []).append(finding)
    return found


def comparable(findings: Sequence[Finding]) -> list[Finding]:
    """Those findings whose scores one colour scale can show: shares, or else the commonest metric."""
    shares = [finding for finding in findings if metric_info(finding.metric).unit == "share"]
    if shares:
        headline = [finding for finding in shares if metric_info(finding.metric).kind == "discontinuous"]
        return headline or shares
    metrics = [finding.metric for finding in findings]
    commonest = max(sorted(set(metrics)), key=metrics.count)
    return [finding for finding in findings if finding.metric == commonest]


def figures(findings: Sequence[Finding]) -> list[tuple[int, str]]:
    """The headline figures of the overview: how many findings of which sort."""
    kinds = [kind(finding) for finding in findings]
    sorts = {
        "breakthroughs": ("breakthrough",),
        "jumps to resolve": ("unresolved", "emergent"),
        "due to the metric": ("metric_artifact", "metric_explained"),
        "gradual or falling": ("accelerating", "gradual", "declining", "u_shaped"),
        "without a change": ("below_threshold", "not_above_chance", "no_change", "too_few_scales"),
    }
    counts = [(sum(map(kinds.count, members)), name) for name, members in sorts.items()]
    return [(count, name) for place, (count, name) in enumerate(counts) if count or place == 0]


def table_of(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, Any]:
    """A table for people: only the columns that hold something, every value as text."""
    used = {
        name: title for name, title in columns.items() if any(row.get(name) not in (None, "") for row in rows)
    }
    body = [[_cell(name, row.get(name)) for name in used] for row in rows]
    return {"columns": list(used.values()), "keys": list(used), "rows": body}


MODEL_COLUMNS = {
    "name": "Model",
    "revision": "Revision",
    "family": "Family",
    "role": "Role",
    "params": "Parameters",
    "tokens": "Tokens",
    "flops": "FLOPs",
    "step": "Step",
    "loss": "Loss",
    "released": "Released",
    "layers": "Layers",
    "width": "Width",
    "heads": "Heads",
    "seed": "Seed",
    "source": "Source",
}
RUN_COLUMNS = {
    "id": "Run",
    "kind": "Kind",
    "source": "Source",
    "format": "Format",
    "rows": "Rows",
    "content": "Content hash",
    "version": "Saltus",
    "created": "Created",
}
NUMERIC = {"params", "tokens", "flops", "step", "loss", "layers", "width", "heads", "seed", "rows"}


def day_and_time(seconds: float | None) -> str:
    """Seconds since the epoch as UTC, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds)) if seconds else ""


def _cell(name: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if name == "created":
        return day_and_time(float(value))
    if name in ("params", "tokens", "flops", "step", "loss"):
        return quantity(float(value), name)
    return f"{value:,}" if name == "rows" else str(value)


def _width_text(width: Interval | None) -> str | None:
    return None if width is None else f"{width.value:.2g} [{width.low:.2g}, {width.high:.2g}] decades"


def _percent(interval: Interval | None) -> str | None:
    return None if interval is None else f"{interval.level * 100:g} %"
