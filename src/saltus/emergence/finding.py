"""Put a finding together: verdict, artifact check, headline, evidence and drawn curves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from saltus._version import __version__
from saltus.emergence.analysis import Analysis, Options
from saltus.emergence.artifact import Check, check_artifact
from saltus.emergence.axis import AxisMap
from saltus.emergence.evidence import JUMPS, resolution_of, settings_of, tests_of
from saltus.emergence.facts import EXCLUDED
from saltus.emergence.headline import headline
from saltus.emergence.scores import is_share
from saltus.emergence.series import Series, number
from saltus.emergence.shape import last_alone, peak_of
from saltus.emergence.verdict import Decision, decide
from saltus.records import Band, Finding, Fit, Interval, Point, QValues, content_hash
from saltus.stats import SIGMOIDS, clopper_pearson

Floats = NDArray[np.float64]

_DRAWN = 61
_FIRST_NAMES = {
    "capped": "end",
    "saturating": "exponent",
    "exponential": "scale",
    "ramp": "end",
    "step": "at",
    "hinge": "knot",
}


def finding_of(analysis: Analysis, q: QValues, tested: int, options: Options) -> Finding:
    """The finding on a series that was tested."""
    series = analysis.series
    decision = decide(analysis, q, options)
    check: Check | None = None
    if decision.onset is not None or decision.verdict in JUMPS or decision.open_jump:
        check = check_artifact(
            analysis,
            decision.leaves,
            options,
            from_chance=decision.verdict == "emergent",
            jump=decision.verdict in JUMPS,
        )
    fits = drawn_fits(analysis)
    reasons = list(decision.reasons)
    if check is not None:
        reasons[1:1] = check.reasons
    if analysis.outlier is not None:
        reasons[1:1] = analysis.outlier.reasons
    reasons += [*_open_words(fits), *analysis.notes, *series.notes]
    if analysis.fit.dispersion > 3 and analysis.refined.fit.dispersion > 3:
        reasons.append(
            f"The scores scatter {np.sqrt(analysis.refined.fit.dispersion):.1f} times as far about the best "
            "curve as "
            "their noise explains; intervals and tests allow for that."
        )
    reasons[1:1] = _remarks(analysis, decision, options)
    n = series.column("n")
    back = analysis.progress.back
    rise = decision.rise
    scale = analysis.progress.scale
    return Finding(
        id=_id(series, options, analysis.noise.correlation),
        family=series.family,
        axis=series.axis,
        task=series.task,
        metric=series.metric,
        variant=series.variant,
        series=series.label,
        n_scales=len(np.unique(series.x)),
        n_samples=float(np.nanmedian(n)) if np.isfinite(n).any() else None,
        n_tests=tested,
        verdict=decision.verdict,
        sharpness=decision.sharpness,
        artifact=None if check is None else check.artifact,
        headline=headline(analysis, decision, check, options),
        onset=decision.onset,
        rise=Interval(rise.value * scale, rise.low * scale, rise.high * scale, rise.level),
        width=decision.width,
        chance=series.chance,
        q=q,
        reasons=tuple(reasons),
        fits=fits,
        partner=None if check is None else check.partner,
        points=points_of(series, set(analysis.used.tolist())),
        band=_band(analysis, decision, back, options.level),
        seed=options.seed,
        version=__version__,
        tests=tests_of(analysis, q),
        settings=settings_of(analysis, options),
        resolution=resolution_of(analysis),
        open=tuple(fit.shape for fit in fits if not fit.excluded),
        settle=decision.settle,
        check=None if check is None else check.record,
    )


def _remarks(analysis: Analysis, decision: Decision, options: Options) -> list[str]:
    """What the verdict's own words do not say: a fall after the peak, a jump seen in one place alone."""
    out = []
    peak = peak_of(analysis, options)
    if peak is not None and decision.verdict in (*JUMPS, "gradual"):
        out.append(
            f"It does not stay there: it falls from {peak.score} at {peak.place} to {peak.last} at the top."
        )
    alone = last_alone(analysis, options) if decision.verdict in JUMPS else None
    return out if alone is None else [*out, alone]


def too_few(series: Series, options: Options) -> Finding:
    """The finding on a series with too few scales to test."""
    n = series.column("n")
    distinct = len(np.unique(series.x))
    name = " ".join(p for p in (series.task, f"({series.label})" if series.label else "") if p)
    noun = "place" if distinct == 1 else "places"
    missing = max(options.min_scales - distinct, 1)
    return Finding(
        id=_id(series, options),
        family=series.family,
        axis=series.axis,
        task=series.task,
        metric=series.metric,
        variant=series.variant,
        series=series.label,
        n_scales=distinct,
        n_samples=float(np.nanmedian(n)) if np.isfinite(n).any() else None,
        n_tests=0,
        verdict="too_few_scales",
        headline=f"{name}: too few scales to tell ({distinct} of {options.min_scales})",
        chance=series.chance,
        reasons=(
            (
                f"{len(series.x)} usable scores at {distinct} {noun} along {series.axis}; a verdict needs "
                f"{options.min_scales}. Evaluate at {missing} more."
            ),
            *series.notes,
        ),
        points=points_of(series, set(range(len(series.x)))),
        seed=options.seed,
        version=__version__,
    )


def points_of(series: Series, used: set[int]) -> tuple[Point, ...]:
    """The evidence, with 95 % intervals; points that were not fitted are marked."""
    everything = [
        (row, float(x), i in used) for i, (row, x) in enumerate(zip(series.rows, series.x, strict=True))
    ]
    everything += [(row, x, False) for row, x in series.aside]
    out = []
    for row, x, fitted in sorted(everything, key=lambda p: p[1]):
        y, n, se = number(row["value"]), number(row.get("n")), number(row.get("stderr"))
        low, high = _bar(series.metric, y, n, se)
        model = str(row.get("model") or row["name"])
        count = n if np.isfinite(n) else 0.0
        out.append(Point(model, str(row.get("run") or ""), x, y, low, high, count, fitted))
    return tuple(out)


def _bar(metric: str, y: float, n: float, se: float) -> tuple[float, float]:
    if is_share(metric) and np.isfinite(n) and n >= 1:
        low, high = clopper_pearson(y * n, n)
        return float(low), float(high)
    half = 1.96 * se if np.isfinite(se) else 0.0
    return y - half, y + half


def drawn_fits(analysis: Analysis) -> tuple[Fit, ...]:
    """The best curve of each kind, best first, drawn in plain units."""
    fit, axis = analysis.refined.fit, analysis.axis
    u = np.linspace(fit.grid.low, fit.grid.high, _DRAWN)
    classes = sorted(fit.classes, key=fit.bic)
    best = fit.bic(classes[0])
    out = []
    for one in classes:
        curve = fit.at(one.row, u)
        order = slice(None, None, -1) if axis.axis == "loss" else slice(None)
        out.append(
            Fit(
                shape=one.kind,
                bic=round(fit.bic(one), 6),
                rss=round(one.rss, 6),
                params=_params(analysis, one.kind, one.row, curve),
                excluded=bool(fit.bic(one) - best > EXCLUDED),
                x=_rounded(axis.back(u)[order]),
                y=_rounded(analysis.progress.back(curve)[order]),
            )
        )
    return tuple(out)


def _params(analysis: Analysis, kind: str, row: int, curve: Floats) -> dict[str, float]:
    axis, fit = analysis.axis, analysis.refined.fit
    ends = analysis.progress.back(curve[[0, -1]])
    out = {"floor": float(ends[0]), "top": float(ends[1])}
    if row < 0 or kind in ("linear", "proportional"):
        return _plain(out)
    first, second, third = fit.grid.theta[row]
    if kind == "saturating":
        out["exponent"] = float(first)
    elif kind in SIGMOIDS:
        out |= {"midpoint": _plain_place(axis, first), "width": float(second)}
    else:
        out[_FIRST_NAMES[kind]] = _plain_place(axis, first)
    if kind == "ramp" and third < 1:
        out |= {"second_end": _plain_place(axis, second), "first_share": float(third)}
    return _plain(out)


def _plain(values: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in values.items()}


def _plain_place(axis: AxisMap, u: Any) -> float:
    return float(axis.back(np.array(float(u))))


def _rounded(values: Floats) -> tuple[float, ...]:
    """Six significant digits, as the decimal number reads."""
    v = np.asarray(values, float)
    size = np.where((v == 0) | ~np.isfinite(v), 1.0, np.abs(v))
    digits = 5 - np.floor(np.log10(size))
    up, down = 10.0 ** np.clip(digits, 0, 300), 10.0 ** np.maximum(-digits, 0)
    return tuple((np.rint(v * up / down) / up * down).tolist())


def _band(analysis: Analysis, decision: Decision, back: Any, level: float) -> Band:
    draws = decision.draws
    step = max((len(draws.u) - 1) // (_DRAWN - 1), 1)
    tail = (1 - level) / 2
    some = draws.y[:, ::step]
    low, middle, high = (back(v) for v in np.quantile(some, [tail, 0.5, 1 - tail], axis=0))
    x = analysis.axis.back(draws.u[::step])
    if analysis.axis.axis == "loss":
        x, low, middle, high = (v[::-1] for v in (x, low, middle, high))
    lower, upper = np.minimum(low, high), np.maximum(low, high)
    return Band(_rounded(x), _rounded(middle), _rounded(lower), _rounded(upper), level)


def _open_words(fits: tuple[Fit, ...]) -> list[str]:
    rest = [f.shape for f in fits[1:] if not f.excluded]
    if not rest:
        return [f"Best curve: {fits[0].shape}; every other shape is excluded (BIC worse by more than 10)."]
    return [f"Best curve: {fits[0].shape}; not excluded: {', '.join(rest)}."]


def _id(series: Series, options: Options, correlation: Floats | None = None) -> str:
    """Content hash of the evidence (with how its errors hang together), the options and the version."""
    kept = (
        "model",
        "name",
        "run",
        "value",
        "stderr",
        "n",
        "chance",
        "layers",
        "width",
        "heads",
        "model_seed",
    )
    rows = [
        [x, *(_cell(row.get(k)) for k in kept)] for row, x in zip(series.rows, series.x.tolist(), strict=True)
    ]
    aside = [[x, *(_cell(row.get(k)) for k in kept)] for row, x in series.aside]
    names = [series.family, series.task, series.metric, series.variant, series.axis, series.label]
    partners = {
        name: [[_cell(v) for v in column.tolist()] for column in columns]
        for name, columns in series.partners.items()
    }
    shared = None if correlation is None else np.round(correlation, 6).tolist()
    return content_hash([names, rows, aside, partners, shared, options, __version__])


def _cell(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain
