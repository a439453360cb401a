"""What a one-way curve does not say of a series: a fall after its peak, a jump that rests on one model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.analysis import Analysis, Options

Floats = NDArray[np.float64]

_CLEAR = 3.0  # standard errors of a difference between two scales
_MISFIT = 1e-4  # chi-square p under which no curve that was tried fits


class Peak(NamedTuple):
    """The highest scale of a series that falls again: its place in words, its score and that of the top."""

    place: str
    score: str
    last: str
    both: bool  # it rises clearly before, too
    unfit: bool  # no curve that was tried fits the points


def peak_of(analysis: Analysis, options: Options) -> Peak | None:
    """The peak of a series that falls clearly after it: by three standard errors and by what counts."""
    scales, mean, error = _by_scale(analysis)
    top = int(np.argmax(mean))
    if top in (0, len(scales) - 1):
        return None
    fall, rise = mean[top] - mean[-1], mean[top] - mean[0]
    clear = (_CLEAR * float(np.hypot(error[top], error[end])) for end in (-1, 0))
    falls, rises = (
        by >= max(least, options.threshold) for by, least in zip((fall, rise), clear, strict=True)
    )
    if not falls:
        return None
    back = analysis.progress.back
    score, last = (f"{float(back(np.array(mean[i]))):.2f}" for i in (top, -1))
    place = analysis.axis.place(float(analysis.axis.back(scales[top])))
    return Peak(place, score, last, bool(rises), misfits(analysis))


def misfits(analysis: Analysis) -> bool:
    """Whether no curve that was tried fits the points, their noise taken at its word."""
    from scipy.special import chdtrc

    best = analysis.refined.fit.best
    return bool(chdtrc(max(analysis.refined.fit.n - best.degrees, 1), best.rss) < _MISFIT)


def last_alone(analysis: Analysis, options: Options) -> str | None:
    """A sentence where the whole rise of a jump is seen in the last place alone, measured once."""
    scales, mean, error = _by_scale(analysis)
    if int((analysis.u == scales[-1]).sum()) > 1 or len(scales) < 3:
        return None
    before = mean[:-1]
    rest = float(np.ptp(before)) < options.threshold + 2 * float(error[:-1].max())
    if not rest or mean[-1] - before.max() < options.threshold:
        return None
    place = analysis.axis.place(float(analysis.axis.back(scales[-1])))
    return f"It rests on the last point alone, at {place}; a second one there or beyond would tell."


def _by_scale(analysis: Analysis) -> tuple[Floats, Floats, Floats]:
    """Distinct coordinates, the mean progress at each, and its standard error."""
    scales, place = np.unique(analysis.u, return_inverse=True)
    count = np.bincount(place)
    variance = np.bincount(place, analysis.fit.variance) / count
    return scales, np.bincount(place, analysis.y) / count, np.sqrt(variance / count)
