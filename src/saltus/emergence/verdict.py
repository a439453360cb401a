"""The ladder of verdicts: from a tested series and its q-values to one word, with reasons in plain words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.analysis import Analysis, Options
from saltus.emergence.axis import TRAINING
from saltus.emergence.power import what_would_tell
from saltus.records import Interval, QValues
from saltus.records.findings import Sharpness, Verdict
from saltus.stats import SIGMOIDS, Draws, steady_lag

Floats = NDArray[np.float64]

_LAG = (
    0.15  # share of its rise by which a jump in training stays behind steady learning; growth as N^3 has .13
)


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with what was measured on the way.

    Attributes:
        onset: In plain units of the axis.
        rise: On the scale of progress.
        width: Decades (of a logarithmic axis), or plain units.
        floor: Fitted score at the bottom of the axis.
        top: Fitted score at its top.
        draws: The curves behind the intervals.
    """

    verdict: Verdict
    sharpness: Sharpness | None
    onset: Interval | None
    rise: Interval
    width: Interval | None
    floor: float
    top: float
    draws: Draws
    reasons: tuple[str, ...]


def decide(analysis: Analysis, q: QValues, options: Options) -> Decision:
    """Walk down the ladder and stop at the first verdict that holds."""
    assert q.trend is not None and q.acceleration is not None  # noqa: S101, PT018 - both tests were made
    falling = _falls(analysis)
    trend = q.trend <= options.alpha
    draws = analysis.draws(rising=trend and not falling)
    rise = interval(draws.rise, options.level)
    floor, top = float(np.median(draws.floor)), float(np.median(draws.top))
    facts = _Facts(analysis, q, options, draws, rise, floor, top)
    verdict, reasons = _ladder(facts, trend, falling)
    jumps = verdict in ("emergent", "accelerating")
    sharpness: Sharpness | None = None
    if jumps:
        sharpness = "sharp" if q.sharpness is not None and q.sharpness <= options.alpha else "smooth"
        reasons = (*reasons, _sharpness_words(facts, sharpness))
    onset = facts.onset() if jumps else None
    return Decision(
        verdict, sharpness, onset, rise, facts.width() if jumps else None, floor, top, draws, reasons
    )


def interval(draws: Floats, level: float) -> Interval:
    """Median and central interval of draws."""
    tail = (1 - level) / 2
    low, middle, high = np.quantile(draws, [tail, 0.5, 1 - tail], method="nearest")
    return Interval(float(middle), float(low), float(high), level)


@dataclass(frozen=True, slots=True)
class _Facts:
    analysis: Analysis
    q: QValues
    options: Options
    draws: Draws
    rise: Interval
    floor: float
    top: float

    @property
    def chance(self) -> float | None:
        return self.analysis.series.chance if self.analysis.progress.share else None

    @property
    def fragile(self) -> bool:
        """Whether acceleration hangs on the grid of exponents."""
        return self.analysis.p_fine > self.options.alpha

    @property
    def level(self) -> str:
        return f"{self.options.level:.0%} interval".replace("%", " %")

    def onset(self) -> Interval | None:
        at = self.draws.onset(self.options.threshold)
        if np.isinf(np.median(at)):
            return None
        plain = self.analysis.axis.back(np.minimum(at, self.draws.u[-1]))
        return interval(plain, self.options.level)

    def width(self) -> Interval:
        widths = self.draws.width()
        axis = self.analysis.axis
        if not axis.logarithmic:
            widths = widths * (axis.high - axis.low) / (self.draws.u[-1] - self.draws.u[0])
        return interval(widths, self.options.level)

    def score(self, progress: float) -> str:
        return f"{float(self.analysis.progress.back(np.array(progress))):.2f}"

    def ends(self) -> str:
        axis = self.analysis.axis
        low, high = (axis.place(float(v)) for v in axis.back(self.draws.u[[0, -1]]))
        return f"from {self.score(self.floor)} at {low} to {self.score(self.top)} at {high}"

    def span(self) -> str:
        return f"{self.level} of the change {self.rise.low:+.2f} to {self.rise.high:+.2f}"


def _ladder(f: _Facts, trend: bool, falling: bool) -> tuple[Verdict, tuple[str, ...]]:  # noqa: PLR0911
    o = f.options
    turn = _u_shape(f.analysis, o)
    if turn is not None:
        return "u_shaped", (turn,)
    if not trend:
        return "no_change", _no_change(f)
    if falling:
        return _falling(f)
    chance = f.chance
    top_low = float(np.quantile(f.draws.top, (1 - o.level) / 2))
    if chance is not None and (top_low <= chance or f.top - chance < o.threshold):
        much = "" if top_low <= chance else f" by the {o.threshold:g} that counts"
        return "not_above_chance", (
            (
                f"The score moves {f.ends()}, and its top is not above chance ({chance:.2f}){much} "
                f"({f.level} of the top "
                f"from {top_low:.2f}): what it learned is at most to guess."
            ),
            what_would_tell(f.analysis, f.top - chance, o),
        )
    if f.rise.value < o.threshold:
        return "below_threshold", (
            (
                f"The score rises {f.ends()}, by {f.rise.value:.3f} ({f.span()}): a trend (q = "
                f"{f.q.trend:.2g}), but "
                f"smaller than the {o.threshold:g} that counts."
            ),
        )
    assert f.q.acceleration is not None  # noqa: S101 - checked by the caller
    if f.q.acceleration > o.alpha:
        return "gradual", _gradual(f)
    lag = _lag(f.analysis)
    if lag < _LAG:
        return "gradual", (
            (
                f"The score rises {f.ends()} ({f.span()}). Its rate rises too (q = {f.q.acceleration:.2g}), "
                "but it stays "
                f"behind steady learning by no more than {lag:.0%} of its rise; a jump lags by {_LAG:.0%} "
                "or more."
            ),
        )
    if f.fragile and (chance is None or f.floor <= chance + o.threshold):
        return "gradual", (
            (
                f"The score rises {f.ends()} ({f.span()}). On the standard grid it accelerates (q = "
                f"{f.q.acceleration:.2g}), "
                f"but a power law of an exponent between explains it (p = {f.analysis.p_fine:.2g}): no "
                "emergence."
            ),
        )
    return _jump(f, chance)


def _lag(analysis: Analysis) -> float:
    """How far behind steady learning the best accelerating curve stays; infinite off the training axes."""
    if analysis.series.axis not in TRAINING:
        return float("inf")
    fit = analysis.refined.fit
    faster = [c for c in fit.classes if c.kind in (*SIGMOIDS, "step", "hinge") and fit.amplitude[c.row] > 0]
    if not faster:
        return 0.0
    best = min(faster, key=lambda c: c.rss)
    return steady_lag(analysis.u, fit.curve(best.row))


def _no_change(f: _Facts) -> tuple[str, ...]:
    level = f.score(float(f.analysis.fit.mean))
    flat = f"No trend: a level of {level} explains the scores (q = {f.q.trend:.2g})."
    if f.rise.high < f.options.threshold:
        told = f"Absent here: a rise of {f.options.threshold:g} is excluded ({f.span()})."
        return flat, told
    return (
        flat,
        f"Not enough data to say absent: a rise up to {f.rise.high:.2f} is not excluded ({f.span()}).",
        (what_would_tell(f.analysis, f.rise.value, f.options)),
    )


def _falling(f: _Facts) -> tuple[Verdict, tuple[str, ...]]:
    o, chance = f.options, f.chance
    if -f.rise.value < o.threshold:
        return "below_threshold", (
            f"The score falls {f.ends()}, by {-f.rise.value:.3f}: less than the {o.threshold:g} that counts.",
        )
    floor_low = float(np.quantile(f.draws.floor, (1 - o.level) / 2))
    settles = chance is not None and abs(f.top - chance) < o.threshold
    if chance is not None and settles and floor_low < chance + 2 * o.threshold:
        return "not_above_chance", (
            (
                f"The score settles {f.ends()}: it ends at chance ({chance:.2f}) and never stood far from "
                "it; a fixed "
                "answer can score that much on one set of items."
            ),
        )
    words = f"The score falls {f.ends()} ({f.span()}; q = {f.q.trend:.2g}): more scale makes it worse."
    peak = _rise_before_fall(f)
    return "declining", (words,) if peak is None else (words, peak)


def _rise_before_fall(f: _Facts) -> str | None:
    """Say so when the score first rises clearly, and only then falls below where it began."""
    y, u = f.analysis.y, f.analysis.u
    scales = np.unique(u)
    mean = np.array([y[u == s].mean() for s in scales])
    sd = np.sqrt(f.analysis.fit.variance)
    top = int(np.argmax(mean))
    if top == 0:
        return None
    error = float(np.hypot(sd[u == scales[0]].mean(), sd[u == scales[top]].mean()))
    if mean[top] - mean[0] < max(3 * error, f.options.threshold):
        return None
    at = f.analysis.axis.place(float(f.analysis.axis.back(scales[top])))
    return f"It first rises to {f.score(float(mean[top]))} at {at}, then falls below where it began."


def _gradual(f: _Facts) -> tuple[str, ...]:
    kind = f.analysis.refined.fit.best.kind
    rate = "a rate that never rises" if f.analysis.series.axis in ("step", "tokens") else "no acceleration"
    words = (
        f"The score rises {f.ends()} ({f.span()}); curves with {rate} explain it "
        f"(acceleration q = {f.q.acceleration:.2g}): no jump."
    )
    if f.q.acceleration is not None and f.q.acceleration < 0.3 and kind not in ("linear", "saturating"):
        return words, f"A jump is not excluded: more points {_widest_move(f.analysis)} would tell."
    return (words,)


def _widest_move(analysis: Analysis) -> str:
    """The gap between neighbouring scales in which the score moves most."""
    scales = np.unique(analysis.u)
    mean = np.array([analysis.y[analysis.u == s].mean() for s in scales])
    gap = int(np.argmax(np.diff(mean)))
    low, high = (float(v) for v in analysis.axis.back(scales[gap : gap + 2]))
    return f"between {analysis.axis.between(low, high)}, where the score moves most,"


def _jump(f: _Facts, chance: float | None) -> tuple[Verdict, tuple[str, ...]]:
    o = f.options
    onset = f.onset()
    when = (
        ""
        if onset is None
        else f", leaving its floor between {f.analysis.axis.between(onset.low, onset.high)}"
    )
    words = f"The score rises {f.ends()}{when} ({f.level}); "
    words += (
        f"it accelerates against the standard gradual curves (q = {f.q.acceleration:.2g}), but a saturating "
        "power law "
        f"of an exponent between theirs is not excluded (p = {f.analysis.p_fine:.2g})."
        if f.fragile
        else f"no curve without acceleration explains it (q = {f.q.acceleration:.2g})."
    )
    floor_low = float(np.quantile(f.draws.floor, (1 - o.level) / 2))
    if chance is None and f.analysis.progress.share and f.floor <= o.threshold:
        return "emergent", (
            words,
            f"Chance is not recorded; the floor of {f.floor:.2f} is near 0, below any guess.",
        )
    if chance is None:
        told = "Chance is not recorded, so whether it starts from guessing cannot be said; record it."
        return "accelerating", (words, told)
    if f.floor <= chance + o.threshold:
        return "emergent", (
            words,
            f"The fitted floor of {f.floor:.2f} is no better than chance ({chance:.2f}).",
        )
    told = f"It starts above chance: the fitted floor is {f.floor:.2f}, chance {chance:.2f}."
    if floor_low <= chance + o.threshold:
        told += " A floor at chance is not excluded; smaller models would tell."
    return "accelerating", (words, told)


def _sharpness_words(f: _Facts, sharpness: Sharpness) -> str:
    width = f.width()
    unit = (
        "decades"
        if f.analysis.axis.logarithmic
        else {"released": "years", "loss": "nats"}[f.analysis.axis.axis]
    )
    size = f"10 to 90 % of the rise takes {width.value:.2f} {unit} [{width.low:.2f}, {width.high:.2f}]"
    q = "" if f.q.sharpness is None else f" (q = {f.q.sharpness:.2g})"
    if sharpness == "sharp":
        return f"Sharp: {size}, and no change spread over a decade or more explains it{q}."
    return (
        f"Smooth as far as the data tell: {size}; a change spread over a decade or more is not excluded{q}."
    )


def _falls(analysis: Analysis) -> bool:
    """Whether the best curve that is not flat goes down."""
    fit = analysis.refined.fit
    best = min(fit.classes[1:], key=fit.bic)
    return bool(fit.amplitude[best.row] < 0)


def _u_shape(analysis: Analysis, options: Options) -> str | None:
    """A fall and then a rise, both clear, that no one-way curve describes as well."""
    u, y, w = analysis.u, analysis.y, analysis.fit.weight
    scales = np.unique(u)
    if len(scales) < 5:
        return None
    best: tuple[float, float, Floats, Floats] | None = None
    for turn in scales[1:-1]:
        design = np.column_stack([np.ones(len(u)), np.maximum(turn - u, 0), np.maximum(u - turn, 0)])
        cover = np.linalg.pinv(design.T @ (design * w[:, None]))
        beta = cover @ (design.T @ (w * y))
        rss = float(w @ (y - design @ beta) ** 2)
        if best is None or rss < best[0]:
            best = rss, float(turn), beta, np.sqrt(np.diag(cover))
    assert best is not None  # noqa: S101 - there are at least three inner scales
    rss, turn, beta, sd = best
    spread = max(1.0, (rss + 4) / (len(u) - 4 + 4))
    limbs = beta[1] * (turn - scales[0]), beta[2] * (scales[-1] - turn)
    clear = (beta[1:] / (sd[1:] * np.sqrt(spread)) > 3).all() and min(limbs) >= options.threshold
    one_way = analysis.refined.fit.best.rss
    if not clear or one_way - rss < 12 * spread:
        return None
    at = analysis.axis.place(float(analysis.axis.back(np.array(turn))))
    return f"The score falls by {limbs[0]:.2f} up to {at} and then rises by {limbs[1]:.2f}."
