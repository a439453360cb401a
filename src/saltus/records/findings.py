"""What detection says: an interval, a fit, and the finding that carries a verdict with its reasons."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal[
    "too_few_scales",
    "no_change",
    "declining",
    "u_shaped",
    "not_above_chance",
    "below_threshold",
    "gradual",
    "accelerating",
    "emergent",
]
Sharpness = Literal["sharp", "smooth"]
Artifact = Literal["jump_persists", "metric_artifact", "metric_explained", "unresolved"]
Axis = Literal["params", "tokens", "flops", "step", "loss", "released", "layers", "width", "capability"]

# "capability": first principal component of the models' other benchmarks (Ruan et al. 2024).
AXES: tuple[str, ...] = (
    "params",
    "tokens",
    "flops",
    "step",
    "loss",
    "released",
    "layers",
    "width",
    "capability",
)


class Interval(msgspec.Struct, frozen=True):
    """An estimate with its interval, in plain units of whatever it measures."""

    value: float
    low: float
    high: float
    level: float = 0.9


class Fit(msgspec.Struct, frozen=True):
    """One curve that was tried.

    Attributes:
        shape: "flat", "linear", "saturating", "hinge", "step", "logistic", "gompertz", ...
        bic: Bayesian information criterion, smaller is better.
        rss: Weighted residual sum of squares (chi-square units).
        params: Named parameters, axis values in plain units.
        excluded: Whether the data speak clearly against it (BIC worse than the best by more than 10).
        x: Axis values of the drawn curve, plain units.
        y: Fitted scores there.
    """

    shape: str
    bic: float
    rss: float
    params: dict[str, float]
    excluded: bool
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()


class Point(msgspec.Struct, frozen=True):
    """One measured point behind a finding; leads back to the samples by run, model and task."""

    model: str
    run: str
    x: float
    y: float
    low: float
    high: float
    n: float
    used: bool = True  # False: shown, but left out of the fit, for the reason that the finding gives


class QValues(msgspec.Struct, frozen=True):
    """Benjamini-Hochberg q-values of the three tests over all series tested together; None: test not made."""

    trend: float | None = None
    acceleration: float | None = None
    sharpness: float | None = None


class TestRecord(msgspec.Struct, frozen=True):
    """One test of a series, with how its p-value came about.

    Attributes:
        name: "trend", "acceleration" or "sharpness".
        statistic: Gain in weighted RSS (chi-square units); None where an older version did not keep it.
        p: P-value; `q` after the correction for all series tested together.
        draws: Data sets simulated under the null.
        method: How p was read off the draws: "counted", "stopped" (early), "tail" (fitted),
            "concave" (that of the best concave curve of the plain count, the larger one, along training).
    """

    __test__ = False  # not a pytest class

    name: str
    statistic: float | None
    p: float
    q: float | None = None
    draws: int | None = None
    method: str = ""


class Settings(msgspec.Struct, frozen=True):
    """What a verdict was made with.

    Attributes:
        alpha: A q-value at or under it counts.
        threshold: Rise that matters, and distance from chance that counts.
        level: Of all intervals.
        tau: Noise between like models, standard deviation at a score of one half.
        tau_from: "given", "replicates" (models at one place), "checkpoints" or "default".
        dispersion: Scatter about the best curve over what noise explains; at least 1.
        design_effect: Samples over those that would give the same error if independent; None: unknown.
        paired: Whether the models' shared items were counted as such.
        bootstraps: Most data sets simulated a test.
        min_scales: Distinct places that a verdict needs.
    """

    alpha: float
    threshold: float
    level: float
    tau: float
    tau_from: str
    dispersion: float
    design_effect: float | None
    paired: bool
    bootstraps: int
    min_scales: int


class Settle(msgspec.Struct, frozen=True):
    """What would settle an open question, by simulation of the series' own test.

    Attributes:
        question: "trend", "acceleration", "sharpness", "chance" (is the top above it?) or "floor" (is the
            bottom at it?).
        effect: Size that would be found: a rise, or a distance from chance.
        power: Chance of finding it, the series judged alone.
        samples: A model, with the models there are; None where no number of samples would do.
        scales: Points in all, with the samples there are; None where more than 50 times as many are needed.
        text: The same as a sentence.
    """

    question: str
    effect: float
    power: float
    samples: int | None
    scales: int | None
    text: str


class TriedLink(msgspec.Struct, frozen=True):
    """One link from the continuous metric to the score, fitted up to the onset and asked about the rest.

    The numbers are None where the link could not be fitted.

    Attributes:
        name: "power", "stretched" or "hill"; see `saltus.stats.links`.
        rate: The link's L a nat.
        exponent: Its exponent; 1 for "power".
        ceiling: Score at a loss of 0.
        bic: On the points it was fitted to, smaller is better.
        fits: P-value (chi-square) of those points about it, granted two points of score beyond noise.
        rmse: Root mean square error on the points it was asked about.
        r2: Out of sample, against the mean of the fitted points (Campbell and Thompson 2008).
        refused: Why it was not the one that counts; "" for the one that does.
    """

    name: str
    rate: float | None = None
    exponent: float | None = None
    ceiling: float = 1.0
    bic: float | None = None
    fits: float | None = None
    rmse: float | None = None
    r2: float | None = None
    refused: str = ""


class ArtifactCheck(msgspec.Struct, frozen=True):
    """The artifact check in full.

    Attributes:
        outcome: What it says, as `Finding.artifact`.
        partner: The continuous metric of the same answers; None: none was recorded.
        acceleration: P-value of acceleration of the partner itself.
        accelerates: Whether that counts.
        departs: Where the partner leaves its floor, axis value; None where it does not accelerate.
        window: Where the partner moves fastest near the jump, axis values.
        pace: Its rate there over the rate just before; None where nothing lies before.
        breaks: Whether it breaks there.
        link: Name of the link that counts; its parameters are in `links`.
        fitted_to: Last axis value that the link was fitted on.
        fitted: Points it was fitted on.
        asked: Points it was asked about.
        rmse: Error on those.
        r2: Out of sample.
        works: Whether it predicts them.
        chance: Score of guessing, from which the links start.
        links: Every link that was tried, the one that counts first.
        predicted: Axis value and score that the link expects there, to be drawn.
        advice: Metrics to record where no partner is there.
    """

    outcome: Artifact | None
    partner: str | None = None
    acceleration: float | None = None
    accelerates: bool | None = None
    departs: float | None = None
    window: tuple[float, float] | None = None
    pace: float | None = None
    breaks: bool | None = None
    link: str | None = None
    fitted_to: float | None = None
    fitted: int = 0
    asked: int = 0
    rmse: float | None = None
    r2: float | None = None
    works: bool | None = None
    chance: float = 0.0
    links: tuple[TriedLink, ...] = ()
    predicted: tuple[tuple[float, float], ...] = ()
    advice: tuple[str, ...] = ()


class Band(msgspec.Struct, frozen=True):
    """A curve with its pointwise interval, for drawing."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float = 0.9


class FamilyOnset(msgspec.Struct, frozen=True):
    """Where one family of a pooled finding leaves its floor.

    Attributes:
        family: Its name.
        onset: In plain units of the axis, at the level of the finding's own.
        models: Points of this family.
    """

    family: str
    onset: Interval
    models: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict on one series, with everything needed to check it.

    Attributes:
        id: Content hash of the data, the options and the version: same evidence, same id.
        series: What the points share beyond family and task, e.g. the model's name along its steps.
        n_scales: Distinct values on the axis.
        n_samples: Median number of samples behind a point.
        n_tests: Series tested together, the family of the q-values.
        headline: One line for people.
        onset: Where the score leaves its floor; None when it does not, or not sharply enough to date.
        rise: Fitted score at the top of the axis less the one at the bottom.
        width: Decades of the axis (10 to 90 % of the rise) for emergent or accelerating series.
        chance: Score of guessing, None when unknown.
        reasons: Plain sentences, most important first.
        partner: The continuous metric that the artifact check used.
        points: The evidence.
        band: Fitted curve with its interval.
        families: Of a pooled finding with an onset: each family's own, first ones first.
        tests: Every test with its statistic, p, q and draws.
        settings: What the verdict was made with.
        resolution: Largest true share that a score at chance (0 where unknown) at the bottom of the axis
            cannot exclude: upper end of the two-sided 95 % Clopper-Pearson interval; None for other scores.
        open: Names of the fits that could not be excluded, best first.
        settle: What would settle the questions that are open.
        check: The artifact check in full.
    """

    id: str
    family: str
    axis: str
    task: str
    metric: str
    variant: str = ""
    series: str = ""
    n_scales: int
    n_samples: float | None
    n_tests: int = 1
    verdict: Verdict
    sharpness: Sharpness | None = None
    artifact: Artifact | None = None
    headline: str
    onset: Interval | None = None
    rise: Interval | None = None
    width: Interval | None = None
    chance: float | None = None
    q: QValues = QValues()
    reasons: tuple[str, ...] = ()
    fits: tuple[Fit, ...] = ()
    partner: str | None = None
    points: tuple[Point, ...] = ()
    band: Band | None = None
    seed: int = 0
    version: str = ""
    families: tuple[FamilyOnset, ...] = ()
    tests: tuple[TestRecord, ...] = ()
    settings: Settings | None = None
    resolution: float | None = None
    open: tuple[str, ...] = ()
    settle: tuple[Settle, ...] = ()
    check: ArtifactCheck | None = None
