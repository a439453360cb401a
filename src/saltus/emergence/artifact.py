"""Is the jump in the model or in the metric? Two metrics of the same answers, one of them continuous.

Schaeffer et al. 2023 (arXiv:2304.15004): exact match over L tokens is about p^L, so smooth progress in p
looks like a jump. Here that explanation is tested, not assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.analysis import DEFAULT_TAU, Analysis, Options, run_tests
from saltus.emergence.axis import TRAINING
from saltus.emergence.scores import nll_of, noise_of, progress_of
from saltus.records import Interval, metric_info
from saltus.records.findings import Artifact
from saltus.stats import (
    FINE_EXPONENTS,
    CurveFit,
    LinkFit,
    RefinedFit,
    chance_band,
    draw_curves,
    fit_link,
    refine,
    resolution,
    shape_grid,
)

Floats = NDArray[np.float64]

_BREAK = 3.0  # times the rate before: a continuous metric that is so much faster breaks
_R2, _RMSE = 0.9, 0.02
_LINK_WORDS = {
    "power": "power link exp(-{rate:.2g} nll)",
    "stretched": "stretched link exp(-({rate:.2g} nll)^{exponent:.2g})",
    "hill": "Hill link 1 / (1 + ({rate:.2g} nll)^{exponent:.2g})",
}


@dataclass(frozen=True, slots=True)
class Check:
    """Outcome of the artifact check, with the continuous metric it used and its reasons."""

    artifact: Artifact
    partner: str | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Pace:
    """How fast the continuous metric moves where the discontinuous one does."""

    window: tuple[float, float]  # plain axis values
    values: tuple[float, float]
    ratio: float | None  # to the rate before; None where nothing lies before
    sure: bool  # the ratio's lower end is above 1; with nothing before: it all happens in one gap


@dataclass(frozen=True, slots=True)
class _Prediction:
    """A link fitted on the first points, asked about the rest."""

    link: LinkFit
    fitted: int
    asked: int
    until: float  # last fitted coordinate
    rmse: float
    r2: float
    silent: str | None

    @property
    def works(self) -> bool:
        return self.r2 >= _R2 or self.rmse <= _RMSE


def check_artifact(
    analysis: Analysis, onset: Interval | None, options: Options, *, from_chance: bool = True
) -> Check | None:
    """Decide for one emergent or accelerating series.

    Returns:
        "jump_persists" when the continuous metric breaks where the other one jumps; "metric_artifact" when it
        shows no acceleration and a link fitted up to the onset predicts the rest; "metric_explained" when
        only the link holds; "unresolved" when nothing continuous was recorded or the points do not decide.
        None for a metric that is continuous itself. A series that does not start from chance is at most
        explained.
    """
    info = metric_info(analysis.series.metric)
    if info.kind == "continuous":
        return None
    partner = _partner(analysis, info.pairs)
    if partner is None:
        wish = " or ".join(info.pairs[:2])
        return Check(
            "unresolved",
            None,
            (
                (
                    f"No continuous metric of the same answers is recorded; record {wish} to tell a jump of "
                    "the model "
                    "from one of the metric."
                ),
            ),
        )
    values, errors = (column[analysis.used] for column in analysis.series.partners[partner])
    there = np.isfinite(values)
    progress = progress_of(partner, values[there])
    z = progress.forward(values[there])
    noise, _ = noise_of(progress, values[there], np.full(len(z), np.nan), errors[there], DEFAULT_TAU)
    fit = CurveFit(
        shape_grid(
            analysis.u[there],
            training=analysis.series.axis in TRAINING,
            plain=analysis.series.axis == "layers",
            exponents=FINE_EXPONENTS,  # a continuous metric is measured well enough to tell them apart
        ),
        z,
        noise,
        concave=analysis.series.axis in TRAINING,
    )
    refined = refine(fit)
    p = run_tests(fit, refined, analysis.seed + 1, options, training=analysis.series.axis in TRAINING)
    accelerates = p["acceleration"] <= options.alpha
    pace = _pace(analysis, there, z, values[there], _local_error(analysis.u[there], z, np.sqrt(fit.variance)))
    prediction = _predict(analysis, partner, values, there, onset)
    if pace.ratio is None:  # nothing lies before: the shape of the whole curve has to say it
        breaks = accelerates and pace.sure and p["sharpness"] <= options.alpha
    else:
        breaks = pace.ratio >= _BREAK and pace.sure
    departs = _departs(analysis, refined, options) if accelerates else None
    check = _decide(analysis, partner, departs, p["acceleration"], breaks, pace, prediction)
    if check.artifact == "metric_artifact" and not from_chance:
        return Check(
            "metric_explained", partner, check.reasons
        )  # no emergence was claimed that could be false
    return check


def _departs(analysis: Analysis, refined: RefinedFit, options: Options) -> str:
    """Where the continuous metric itself leaves its floor."""
    draws = draw_curves(refined, np.random.default_rng([analysis.seed, 2]))
    at = float(np.minimum(np.median(draws.onset(options.threshold)), draws.u[-1]))
    return analysis.axis.place(float(analysis.axis.back(np.array(at))))


def _decide(
    analysis: Analysis,
    partner: str,
    departs: str | None,
    p: float,
    breaks: bool,
    pace: _Pace,
    prediction: _Prediction | None,
) -> Check:
    where = analysis.axis.between(*pace.window)
    moved = f"from {pace.values[0]:.2f} to {pace.values[1]:.2f} between {where}"
    pace_words = "" if pace.ratio is None else f", {_times(pace.ratio)} its rate just before"
    if breaks:
        return Check(
            "jump_persists",
            partner,
            (
                (
                    f"The jump persists on {partner} of the same answers: it goes {moved}{pace_words}"
                    f". The jump is in the model, not in the metric."
                ),
            ),
        )
    same = f"{partner} of the same answers"
    smooth = (
        f"{same} accelerates too (from {departs}), but does not break where the score jumps: "
        f"it goes {moved}{pace_words}."
        if departs is not None
        else f"{same} shows no acceleration (p = {p:.3g}): it goes {moved}{pace_words}."
    )
    if prediction is None:
        return Check(
            "unresolved",
            partner,
            (
                smooth,
                "Too few points follow the onset to test whether the metric makes the jump; add scales.",
            ),
        )
    link = _LINK_WORDS[prediction.link.name].format(
        rate=prediction.link.rate, exponent=prediction.link.exponent
    )
    told = (
        f"A {link}, fitted on the {prediction.fitted} points up to "
        f"{analysis.axis.place(float(analysis.axis.back(np.array(prediction.until))))}, "
        f"{'predicts' if prediction.works else 'does not predict'} the other {prediction.asked} "
        f"(R2 {prediction.r2:.2f}, RMSE {prediction.rmse:.3f})."
    )
    more = () if prediction.silent is None else (prediction.silent,)
    if prediction.works:
        kind: Artifact = "metric_explained" if departs is not None else "metric_artifact"
        return Check(kind, partner, (smooth, told, *more))
    if departs is not None:
        return Check("jump_persists", partner, (told, smooth, "So the metric alone does not make the jump."))
    return Check("unresolved", partner, (smooth, told, "Neither explanation holds; look at the samples."))


def _partner(analysis: Analysis, pairs: tuple[str, ...]) -> str | None:
    for name in pairs:
        column = analysis.series.partners.get(name)
        if column is None:
            continue
        there = np.isfinite(column[0][analysis.used])
        if len(np.unique(analysis.u[there])) >= 3 and there.mean() > 0.7:
            return name
    return None


def _pace(analysis: Analysis, there: NDArray[np.bool_], z: Floats, raw: Floats, error: Floats) -> _Pace:
    """The continuous metric's rate while the other goes from 20 to 80 % of its rise, and just before."""
    scales = np.unique(analysis.u)
    fit = analysis.refined.fit
    curve = fit.at(fit.best.row, scales)
    share = (curve - curve[0]) / max(curve[-1] - curve[0], 1e-9)
    end = int(np.argmax(share >= 0.8))
    start = max(int(np.flatnonzero(share[: max(end, 1)] < 0.2).max(initial=0)), 0)
    measured = np.unique(analysis.u[there])
    a = int(np.argmin(np.abs(measured - scales[start])))
    b = max(int(np.argmin(np.abs(measured - scales[end]))), min(a + 1, len(measured) - 1))
    mean = np.array([z[analysis.u[there] == s].mean() for s in measured])
    shown = np.array([raw[analysis.u[there] == s].mean() for s in measured])
    sd = np.array(
        [error[analysis.u[there] == s].mean() / np.sqrt((analysis.u[there] == s).sum()) for s in measured]
    )
    x = analysis.axis.back(measured)
    window = (float(x[a]), float(x[b])), (float(shown[a]), float(shown[b]))
    if a == 0:
        return _Pace(*window, None, sure=b == 1)
    place = (
        x if analysis.series.axis in TRAINING else measured
    )  # along training, a rate is one per plain step
    length = place[b] - place[a]
    before = max(int(np.searchsorted(place, place[a] - length, side="right")) - 1, 0)
    rate, rate_error = _rate(place, mean, sd, a, b)
    old, old_error = _rate(place, mean, sd, before, a)
    ratio = rate / max(old, 0.02 * abs(rate), 1e-300)
    low = (rate - 1.645 * rate_error) / max(max(old, 0.0) + 1.645 * old_error, 1e-300)
    return _Pace(*window, float(ratio), sure=bool(low > 1))


def _local_error(u: Floats, z: Floats, error: Floats) -> Floats:
    """Errors of the continuous metric, raised to what neighbours differ by from a straight line (median).

    A fit of the whole curve would not do: where the metric moves in two stages, its misfit is no noise.
    """
    scales = np.unique(u)
    if len(scales) < 6:
        return error
    mean = np.array([z[u == s].mean() for s in scales])
    part = (scales[1:-1] - scales[:-2]) / (scales[2:] - scales[:-2])
    off = mean[1:-1] - (1 - part) * mean[:-2] - part * mean[2:]
    squared = off**2 / (1 + part**2 + (1 - part) ** 2)
    return np.asarray(np.maximum(error, np.sqrt(float(np.median(squared)) / 0.455)))


def _rate(u: Floats, z: Floats, sd: Floats, a: int, b: int) -> tuple[float, float]:
    length = max(float(u[b] - u[a]), 1e-9)
    return float(z[b] - z[a]) / length, float(np.hypot(sd[a], sd[b])) / length


def _predict(
    analysis: Analysis, partner: str, values: Floats, there: NDArray[np.bool_], onset: Interval | None
) -> _Prediction | None:
    """Fit the links up to the onset, and on as few points after it as give them anything to hold on to.

    R2 is out of sample: against the mean of the fitted points (Campbell and Thompson 2008, eq. 1).
    """
    nll = nll_of(partner, values[there])
    if nll is None or not analysis.progress.share or onset is None:
        return None
    u, y = analysis.u[there], analysis.y[there]
    assert analysis.noise.n is not None  # noqa: S101 - shares have sample counts
    n, chance = analysis.noise.n[there], analysis.series.chance or 0.0
    scales = np.unique(u)
    edge = max(float(analysis.axis.forward(np.array(v))) for v in (onset.low, onset.high))
    upto = int(np.searchsorted(scales, edge + 1e-9, side="right"))
    upto = max(upto, min(3, len(scales) // 2))
    above = y > chance_band(n, chance)[1]
    while upto < len(scales) and not above[u <= scales[upto - 1]].any():
        upto += 1
    first = u <= scales[upto - 1]
    if (~first).sum() < 2:
        return None
    link = fit_link(nll[first], y[first], n[first], chance)[0]
    guess = link.predict(nll)
    miss = y[~first] - guess[~first]
    spread = float(((y[~first] - y[first].mean()) ** 2).sum())
    rmse = float(np.sqrt((miss**2).mean()))
    r2 = 1 - float((miss**2).sum()) / max(spread, 1e-9)
    silent = _silent(analysis, u, y, n, guess, chance) if rmse <= _RMSE or r2 >= _R2 else None
    return _Prediction(link, int(first.sum()), int((~first).sum()), float(scales[upto - 1]), rmse, r2, silent)


def _silent(analysis: Analysis, u: Floats, y: Floats, n: Floats, guess: Floats, chance: float) -> str | None:
    """A score of 0 where the link expects less than the samples can show is no evidence of absence."""
    zero = np.flatnonzero((y == 0) & (guess > 0))
    if chance > 0 or not len(zero):
        return None
    last = int(zero[np.argmax(u[zero])])
    limit = resolution(float(n[last]))
    if guess[last] > limit:
        return None
    at = analysis.axis.place(float(analysis.axis.back(np.array(u[last]))))
    return (
        f"The score of 0 at {at} is no evidence of absence: the link expects {guess[last]:.2g} there, and "
        f"{n[last]:.0f} samples cannot exclude less than {limit:.2g}."
    )


def _times(ratio: float) -> str:
    return "over 50 times" if ratio >= 49.9 else f"{ratio:.1f} times"
