"""Is the jump in the model or in the metric? Two metrics of the same answers, one of them continuous.

Schaeffer et al. 2023 (arXiv:2304.15004): exact match over L tokens is about p^L, so smooth progress in p
looks like a jump. Here that explanation is tested, not assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.emergence.analysis import DEFAULT_TAU, Analysis, Options, run_tests
from saltus.emergence.axis import TRAINING
from saltus.emergence.link import Prediction, predict
from saltus.emergence.pace import Pace, pace_of
from saltus.emergence.scores import noise_of, progress_of
from saltus.records import ArtifactCheck, Interval, metric_info
from saltus.records.findings import Artifact
from saltus.stats import CurveFit, RefinedFit, draw_curves, refine, shape_grid

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Check:
    """Outcome of the artifact check: the record in full, and its reasons."""

    record: ArtifactCheck
    reasons: tuple[str, ...]

    @property
    def artifact(self) -> Artifact | None:
        """What it says."""
        return self.record.outcome

    @property
    def partner(self) -> str | None:
        """The continuous metric that it used."""
        return self.record.partner


@dataclass(frozen=True, slots=True)
class _Partner:
    """The continuous metric of the same answers, fitted and tested by itself.

    Attributes:
        there: Points of the series that have it.
        values: As recorded; `z` turned so that up is better.
        p: P-values of its own tests.
    """

    name: str
    there: NDArray[np.bool_]
    values: Floats
    z: Floats
    error: Floats
    refined: RefinedFit
    p: dict[str, float]


def check_artifact(
    analysis: Analysis,
    onset: Interval | None,
    options: Options,
    *,
    from_chance: bool = True,
    jump: bool = True,
) -> Check | None:
    """Decide for one series that jumps, or of which a jump is not excluded.

    Args:
        analysis: The series under the discontinuous metric.
        onset: Where it leaves its floor, plain units.
        options: How to detect.
        from_chance: Whether it starts from chance; one that does not is at most explained, because no
            emergence was claimed that could be false.
        jump: Whether a jump is called. If not, the check says only whether the metric would explain one.

    Returns:
        "jump_persists" when the continuous metric breaks where the other one jumps, or accelerates and no
        link predicts the score; "metric_artifact" when it shows no acceleration and a link fitted up to the
        onset predicts the rest; "metric_explained" when only the link holds; "unresolved" when nothing
        continuous was recorded or the points do not decide. None for a metric that is continuous itself.
    """
    info = metric_info(analysis.series.metric)
    if info.kind == "continuous":
        return None
    partner = _partner(analysis, info.pairs, options)
    if partner is None:
        return _advice(info.pairs) if jump else None
    training = analysis.series.axis in TRAINING
    pace = pace_of(analysis, partner.there, partner.z, partner.values, partner.error)
    prediction = predict(analysis, partner.name, partner.values, partner.there, onset)
    accelerates = partner.p["acceleration"] <= options.alpha
    if pace.ratio is None:  # nothing lies before: the shape of the whole curve has to say it
        breaks = accelerates and pace.sure and partner.p["sharpness"] <= options.alpha
    else:
        breaks = pace.breaks
    departs = _departs(analysis, partner.refined, options) if accelerates else None
    record = ArtifactCheck(
        None,
        partner.name,
        round(partner.p["acceleration"], 6),
        accelerates,
        departs,
        pace.window,
        None if pace.ratio is None else float(f"{pace.ratio:.4g}"),
        breaks,
    )
    if prediction is not None:
        record = prediction.on(record)
    outcome = _outcome(record)
    if outcome == "metric_artifact" and not (from_chance and jump):
        outcome = "metric_explained"
    if not jump and outcome != "metric_explained":
        return None
    record = msgspec.structs.replace(record, outcome=outcome)
    return Check(record, _words(analysis, record, pace, prediction, training=training))


def _outcome(record: ArtifactCheck) -> Artifact:
    """The table of the check."""
    if record.breaks:
        return "jump_persists"
    if record.works:
        return "metric_explained" if record.accelerates else "metric_artifact"
    return "jump_persists" if record.works is False and record.accelerates else "unresolved"


def _advice(pairs: tuple[str, ...]) -> Check:
    wish = pairs[:2]
    words = (
        f"No continuous metric of the same answers is recorded; record {' or '.join(wish)} to tell a jump of "
        "the model from one of the metric."
    )
    return Check(ArtifactCheck("unresolved", advice=wish), (words,))


def _partner(analysis: Analysis, pairs: tuple[str, ...], options: Options) -> _Partner | None:
    """The first continuous metric that enough points have; perfectly constant ones say nothing."""
    for name in pairs:
        column = analysis.series.partners.get(name)
        if column is None:
            continue
        values, errors = (part[analysis.used] for part in column)
        there = np.isfinite(values)
        if len(np.unique(analysis.u[there])) < 3 or there.mean() <= 0.7 or np.ptp(values[there]) == 0:
            continue
        values, errors = values[there], errors[there]
        progress = progress_of(name, values)
        z = progress.forward(values)
        noise, _ = noise_of(progress, values, np.full(len(z), np.nan), errors, DEFAULT_TAU)
        training = analysis.series.axis in TRAINING
        grid = shape_grid(analysis.u[there], training=training, plain=analysis.series.axis == "layers")
        fit = CurveFit(grid, z, noise, concave=training)
        refined = refine(fit)
        tests = run_tests(fit, refined, analysis.seed + 1, options, training=training)
        p = {test: result.p for test, result in tests.items()}
        return _Partner(name, there, values, z, np.sqrt(fit.variance), refined, p)
    return None


def _departs(analysis: Analysis, refined: RefinedFit, options: Options) -> float:
    """Where the continuous metric itself leaves its floor, plain units."""
    draws = draw_curves(refined, np.random.default_rng([analysis.seed, 2]))
    at = float(np.minimum(np.median(draws.onset(options.threshold)), draws.u[-1]))
    return float(f"{float(analysis.axis.back(np.array(at))):.6g}")


def _words(
    analysis: Analysis, record: ArtifactCheck, pace: Pace, prediction: Prediction | None, *, training: bool
) -> tuple[str, ...]:
    axis = analysis.axis
    moved = f"from {pace.values[0]:.2f} to {pace.values[1]:.2f} between {axis.between(*pace.window)}"
    rate = "rate a step" if training else "rate"
    pace_words = "" if pace.ratio is None else f", {_times(pace.ratio)} its {rate} just before"
    link = () if prediction is None else prediction.words(analysis)
    if record.breaks:
        first = (
            f"The jump persists on {record.partner} of the same answers: it goes {moved}{pace_words}. "
            "The jump is in the model, not in the metric."
        )
        return (first, *link[:1])
    same = f"{record.partner} of the same answers"
    if record.departs is not None:
        smooth = (
            f"{same} accelerates too (from {axis.place(record.departs)}, p = {record.acceleration:.2g}), but "
            f"does not break where the score jumps: it goes {moved}{pace_words}."
        )
    else:
        smooth = f"{same} shows no acceleration (p = {record.acceleration:.3g}): it goes {moved}{pace_words}."
    match record.outcome:
        case "metric_artifact" | "metric_explained":
            return (smooth, *link)
        case "jump_persists":
            return (*link[:1], smooth, "So the metric alone does not make the jump.")
        case _ if prediction is None:
            few = "Too few points follow the onset to test whether the metric makes the jump; add scales."
            return (smooth, few)
        case _:
            return (smooth, *link[:1], "Neither explanation holds; look at the samples.")


def _times(ratio: float) -> str:
    return "over 50 times" if ratio >= 49.9 else f"{ratio:.1f} times"
