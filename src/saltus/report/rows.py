"""Rows of the charts: points, curves and cells as flat dicts, which the page also shows as tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from saltus.records.findings import Finding, Fit
from saltus.records.forecasts import Forecast
from saltus.report.scales import AxisScale, outline
from saltus.report.words import quantity

Row = dict[str, Any]

Z95 = 1.959964  # bars of the partner metric: value and 1.96 standard errors each way


class PartnerPoint(msgspec.Struct, frozen=True):
    """One point of the continuous metric that stands beside a discontinuous one: same model, same x."""

    metric: str
    model: str
    run: str
    x: float
    y: float
    stderr: float | None = None
    n: float | None = None


def point_rows(finding: Finding | Forecast) -> list[Row]:
    """The measured points along the axis."""
    return [
        {
            "model": point.model,
            "run": point.run,
            "x": short(point.x),
            "y": short(point.y),
            "low": short(point.low),
            "high": short(point.high),
            "n": point.n,
            "used": point.used,
        }
        for point in sorted(finding.points, key=lambda point: (point.x, point.model))
        if math.isfinite(point.y)
    ]


def partner_rows(points: Sequence[PartnerPoint]) -> list[Row]:
    """The points of the partner metric, with bars of 1.96 standard errors each way."""
    rows = []
    for point in sorted(points, key=lambda point: (point.x, point.model)):
        if not math.isfinite(point.y):
            continue
        half = Z95 * (point.stderr or 0.0)
        row = {"model": point.model, "run": point.run, "x": short(point.x), "y": short(point.y)}
        rows.append({**row, "low": short(point.y - half), "high": short(point.y + half), "n": point.n})
    return rows


def band_rows(finding: Finding, scale: AxisScale, height: float) -> list[Row]:
    """The fitted curve with its band, as few vertices as look the same."""
    band = finding.band
    if band is None:
        return []
    rows = [
        row for row in zip(band.x, band.y, band.low, band.high, strict=True) if all(map(math.isfinite, row))
    ]
    if not rows:
        return []
    x, y, low, high = zip(*rows, strict=True)
    return [
        {"x": short(x[i]), "y": short(y[i]), "low": short(low[i]), "high": short(high[i])}
        for i in outline(scale, x, (y, low, high), height)
    ]


def expected_rows(finding: Finding) -> list[Row]:
    """The score that the link of the artifact check expects along the axis."""
    pairs = () if finding.check is None else sorted(finding.check.predicted)
    return [{"x": short(x), "y": short(y)} for x, y in pairs]


def fit_rows(fit: Fit, scale: AxisScale, height: float) -> list[Row]:
    """One fitted curve, as few vertices as look the same."""
    rows = [row for row in zip(fit.x, fit.y, strict=True) if all(map(math.isfinite, row))]
    if not rows:
        return []
    x, y = zip(*rows, strict=True)
    return [{"shape": fit.shape, "x": short(x[i]), "y": short(y[i])} for i in outline(scale, x, (y,), height)]


def curves(finding: Finding) -> tuple[Fit | None, list[Fit]]:
    """The fit to draw in colour (None: the band carries it), and the rivals that the data do not exclude."""
    drawn = [fit for fit in finding.fits if fit.x]
    best = min(drawn, key=lambda fit: fit.bic, default=None)
    rivals = [fit for fit in drawn if fit is not best and not fit.excluded]
    return (None if finding.band is not None else best), rivals


def axis_values(finding: Finding) -> list[float]:
    """Where the points stand, plain units."""
    return [point.x for point in finding.points]


def extent(rows: Iterable[Row]) -> list[float]:
    """Every score that has to fit on the y axis."""
    return [row[key] for row in rows for key in ("y", "low", "high") if row[key] is not None]


def row_names(findings: Sequence[Finding]) -> list[str]:
    """Task names, with metric, variant and id added as far as it takes to tell them apart."""
    names = [finding.task for finding in findings]
    for part in ("metric", "variant", "series", "id"):
        again = {name for name in names if names.count(name) > 1}
        for place, finding in enumerate(findings):
            extra = str(getattr(finding, part))
            if names[place] in again and extra:
                names[place] = f"{names[place]} · {extra}"
    return names


def column_names(models: Sequence[str], places: dict[str, float], axis: str) -> list[str]:
    """Short unique labels: places on the axis where those differ, else what model names do not share."""
    labels = [quantity(places[model], axis) for model in models]
    if len(set(labels)) == len(labels):
        return labels
    names, _, revisions = zip(*(model.partition("@") for model in models), strict=True)
    if len(set(revisions)) == 1 and len(set(names)) == len(names):
        models = names
    start = 0
    while len(models) > 1 and len({model[: start + 1] for model in models}) == 1:
        start += 1
    while start and models[0][start - 1].isalnum():
        start -= 1
    return [model[start:] or model for model in models]


def short(value: float) -> float | None:
    """Six significant digits: more would not show, and would make the file larger. JSON has no infinity."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
