"""A series with the ensemble of curves that is asked about places beyond it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.axis import AxisMap
from saltus.emergence.scores import Progress, noise_of, progress_of
from saltus.emergence.series import Series
from saltus.records import metric_info
from saltus.stats import CurveEnsemble, Noise, countable

Floats = NDArray[np.float64]

TAU = 0.01  # noise between like models that is assumed, in units of the score; the scores then speak
_NEARLY_ZERO = 0.05
_NO_CHANCE = 1e-4  # guessing that never comes true counts as a floor of 0


@dataclass(frozen=True)
class Fitted:
    """Scores of a series on the scale of progress, with their noise and the curves through them.

    Attributes:
        floor: Score of guessing, 0 for full-marks metrics that start near it, None where unknown.
        notes: What was assumed.
    """

    series: Series
    axis: AxisMap
    progress: Progress
    u: Floats
    y: Floats
    noise: Noise
    floor: float | None
    notes: tuple[str, ...]

    @cached_property
    def ensemble(self) -> CurveEnsemble:
        """The weighted curves; fitted when first asked for."""
        return CurveEnsemble(self.u, self.y, self.noise, floor=self.floor)

    @property
    def label(self) -> str:
        """What tells the series from others of its family, task and metric: model, shots, variant."""
        return ", ".join(part for part in (self.series.label, self.series.variant) if part)

    @property
    def scales(self) -> int:
        """Distinct places on the axis."""
        return len(np.unique(self.u))

    def beyond(self, at: Floats) -> Floats:
        """How far places lie beyond the last score: decades (or halves of the range) of the axis."""
        return np.asarray(self.axis.forward(at) - self.u.max())

    def measurable(self, low: Floats, high: Floats, samples: float | None) -> tuple[Floats, Floats]:
        """An interval whose ends a new score of so many samples (the median number when None) can take."""
        if self.noise.n is None:
            return low, high
        return countable(low, high, float(np.median(self.noise.n)) if samples is None else samples)

    def recorded(self, progress: Floats) -> Floats:
        """Progress as the metric is recorded."""
        return self.progress.back(progress)


def fit_series(series: Series) -> Fitted:
    """Read a series; nothing is fitted yet."""
    axis = AxisMap(series.axis, float(series.x.min()), float(series.x.max()))
    progress = progress_of(series.metric, series.y)
    y = progress.forward(series.y)
    noise, assumed = noise_of(progress, series.y, series.column("n"), series.column("stderr"), TAU)
    notes = (*((assumed,) if assumed else ()), *series.notes)
    return Fitted(
        series, axis, progress, axis.forward(series.x), y, noise, _floor(series, progress, y), notes
    )


def _floor(series: Series, progress: Progress, y: Floats) -> float | None:
    if not progress.share:
        return None
    if series.chance is not None:
        return series.chance if series.chance > _NO_CHANCE else 0.0
    full_marks = metric_info(series.metric).kind == "discontinuous"
    return 0.0 if full_marks and float(y.min()) <= _NEARLY_ZERO else None
