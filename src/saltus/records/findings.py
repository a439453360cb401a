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


class Band(msgspec.Struct, frozen=True):
    """A curve with its pointwise interval, for drawing."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float = 0.9


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
