"""What would tell: roughly how many samples or models an open question still needs."""

from __future__ import annotations

import math

import numpy as np

from saltus.emergence.analysis import Analysis, Options


def what_would_tell(analysis: Analysis, seen: float, options: Options) -> str:
    """Say what would settle a change of `options.threshold`.

    The standard error of the difference between the upper and the lower half of the points has to come under
    a third of the threshold. Samples shrink the sampling part only; the noise between models shrinks with
    their number.

    Args:
        analysis: The fitted series.
        seen: Effect found so far, on the scale of scores; a larger one needs less.
        options: Gives the threshold.
    """
    size = max(options.threshold, abs(seen))
    noise, mean = analysis.noise, np.array([float(np.clip(analysis.fit.mean, 0.02, 0.98))])
    points = len(analysis.y)
    allowed = (size / 3) ** 2 * points / 4  # variance a point may have
    if noise.n is None:
        models = math.ceil(
            4 * float(analysis.fit.variance.mean()) * analysis.fit.dispersion / (size / 3) ** 2
        )
        return f"About {max(models, points + 2)} models or checkpoints in all would settle it."
    share = float(mean[0] * (1 - mean[0]))
    between = noise.tau**2 * min(1.0, 4 * share) * analysis.fit.dispersion
    now = float(np.median(noise.n))
    if allowed > between:
        samples = share / (allowed - between)
        if samples > now:
            much = f"About {_round(samples):,} samples a model instead of {now:,.0f}"
            return f"{much} would settle a change of {size:.2f}."
    needed = 4 * (between + share / now) / (size / 3) ** 2
    more = max(math.ceil(needed) - points, 2)
    return f"About {more} more models or checkpoints would settle a change of {size:.2f}."


def _round(value: float) -> int:
    digits = max(int(math.log10(max(value, 1))) - 1, 0)
    return int(math.ceil(value / 10**digits) * 10**digits)
