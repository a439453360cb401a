"""What a tested series shows, in numbers: ends, intervals, onset, turns. The ladder of verdicts reads it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.analysis import Analysis, Options
from saltus.emergence.axis import TRAINING
from saltus.records import Interval, QValues
from saltus.stats import SIGMOIDS, Draws, steady_lag

Floats = NDArray[np.float64]

FASTER = (*SIGMOIDS, "step", "hinge")  # kinds of shapes that accelerate
EXCLUDED = 10.0  # BIC worse than the best by this: clearly excluded (Kass and Raftery 1995)


def interval(draws: Floats, level: float) -> Interval:
    """Median and central interval of draws."""
    tail = (1 - level) / 2
    low, middle, high = np.quantile(draws, [tail, 0.5, 1 - tail], method="nearest")
    return Interval(float(middle), float(low), float(high), level)


@dataclass(frozen=True)
class Facts:
    """One series with its q-values and the curves that its data allow.

    Attributes:
        falling: Whether the best curve that is not flat goes down.
        draws: Curves behind the intervals.
    """

    analysis: Analysis
    q: QValues
    options: Options
    falling: bool
    draws: Draws

    @classmethod
    def of(cls, analysis: Analysis, q: QValues, options: Options) -> Facts:
        """Draw the curves; only rising ones where there is a trend upwards."""
        falling = _falls(analysis)
        trend = q.trend is not None and q.trend <= options.alpha
        return cls(analysis, q, options, falling, analysis.draws(rising=trend and not falling))

    @property
    def trend(self) -> bool:
        """Whether the score moves at all."""
        return self.q.trend is not None and self.q.trend <= self.options.alpha

    @property
    def training(self) -> bool:
        """Whether the axis runs along training."""
        return self.analysis.series.axis in TRAINING

    @property
    def chance(self) -> float | None:
        """Score of guessing, None where unknown or where the metric is no share."""
        return self.analysis.series.chance if self.analysis.progress.share else None

    @cached_property
    def bottom(self) -> Interval:
        """Score at the bottom of the axis, on the scale of progress."""
        return interval(self.draws.floor, self.options.level)

    @cached_property
    def top(self) -> Interval:
        """Score at its top."""
        return interval(self.draws.top, self.options.level)

    @cached_property
    def rise(self) -> Interval:
        """Top less bottom."""
        return interval(self.draws.rise, self.options.level)

    @property
    def level(self) -> str:
        """The level of the intervals in words."""
        return f"{self.options.level:.0%} interval".replace("%", " %")

    @cached_property
    def flat_high(self) -> float:
        """Upper end of the one level that a flat line through all points has."""
        from scipy.special import ndtri

        fit = self.analysis.fit
        z = float(ndtri((1 + self.options.level) / 2))
        return float(fit.mean + z * np.sqrt(fit.dispersion / fit.sum_weight))

    def onset(self) -> Interval | None:
        """Where the curves leave their floor, plain units; None where half of them do not."""
        at = self.draws.onset(self.options.threshold)
        if np.isinf(np.median(at)):
            return None
        plain = self.analysis.axis.back(np.minimum(at, self.draws.u[-1]))
        return interval(plain, self.options.level)

    def width(self) -> Interval:
        """From 10 to 90 % of the rise: decades, or plain units of an axis without them."""
        widths = self.draws.width()
        axis = self.analysis.axis
        if not axis.logarithmic:
            widths = widths * (axis.high - axis.low) / (self.draws.u[-1] - self.draws.u[0])
        return interval(widths, self.options.level)

    def score(self, progress: float) -> str:
        """A score in words."""
        return f"{float(self.analysis.progress.back(np.array(progress))):.2f}"

    def ends(self) -> str:
        """From where to where the score goes, in words."""
        axis = self.analysis.axis
        low, high = (axis.place(float(v)) for v in axis.back(self.draws.u[[0, -1]]))
        return f"from {self.score(self.bottom.value)} at {low} to {self.score(self.top.value)} at {high}"

    def span(self) -> str:
        """The interval of the change in words."""
        return f"{self.level} of the change {self.rise.low:+.2f} to {self.rise.high:+.2f}"

    def open_jump(self) -> bool:
        """Whether a rising curve that accelerates is not clearly worse than the best one."""
        fit = self.analysis.refined.fit
        faster = [fit.bic(c) for c in fit.classes if c.kind in FASTER and fit.amplitude[c.row] > 0]
        return bool(faster) and min(faster) - min(fit.bic(c) for c in fit.classes) <= EXCLUDED

    def lag(self) -> float:
        """How far behind steady learning the best accelerating curve stays; infinite off training."""
        if not self.training:
            return float("inf")
        fit = self.analysis.refined.fit
        faster = [c for c in fit.classes if c.kind in FASTER and fit.amplitude[c.row] > 0]
        if not faster:
            return 0.0
        best = min(faster, key=lambda c: c.rss)
        return steady_lag(self.analysis.u, fit.curve(best.row))

    def widest_move(self) -> str:
        """The gap between neighbouring scales in which the score moves most, in words."""
        scales = np.unique(self.analysis.u)
        mean = np.array([self.analysis.y[self.analysis.u == s].mean() for s in scales])
        gap = int(np.argmax(np.diff(mean)))
        low, high = (float(v) for v in self.analysis.axis.back(scales[gap : gap + 2]))
        return self.analysis.axis.between(low, high)

    def rise_before_fall(self) -> str | None:
        """Say so when the score first rises clearly, and only then falls below where it began."""
        y, u = self.analysis.y, self.analysis.u
        scales = np.unique(u)
        mean = np.array([y[u == s].mean() for s in scales])
        sd = np.sqrt(self.analysis.fit.variance)
        top = int(np.argmax(mean))
        if top == 0:
            return None
        error = float(np.hypot(sd[u == scales[0]].mean(), sd[u == scales[top]].mean()))
        if mean[top] - mean[0] < max(3 * error, self.options.threshold):
            return None
        at = self.analysis.axis.place(float(self.analysis.axis.back(scales[top])))
        return f"It first rises to {self.score(float(mean[top]))} at {at}, then falls below where it began."

    def turn(self) -> str | None:
        """A fall and then a rise, both clear, that no one-way curve describes as well; None without one."""
        u, y, w = self.analysis.u, self.analysis.y, self.analysis.fit.weight
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
        clear = (beta[1:] / (sd[1:] * np.sqrt(spread)) > 3).all() and min(limbs) >= self.options.threshold
        one_way = self.analysis.refined.fit.best.rss
        if not clear or one_way - rss < 12 * spread:
            return None
        at = self.analysis.axis.place(float(self.analysis.axis.back(np.array(turn))))
        return f"The score falls by {limbs[0]:.2f} up to {at} and then rises by {limbs[1]:.2f}."


def _falls(analysis: Analysis) -> bool:
    fit = analysis.refined.fit
    best = min(fit.classes[1:], key=fit.bic)
    return bool(fit.amplitude[best.row] < 0)
