"""Scores as progress: which metric speaks for a task, and how any metric is turned so that up is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saltus.records import METRICS, InputError, metric_info
from saltus.stats import Noise, effective_n

Floats = NDArray[np.float64]

ASSUMED_N = 100.0  # samples behind a share of which neither n nor a standard error is known


def is_perplexity(metric: str) -> bool:
    """Whether a metric is read on the scale of its logarithm."""
    return metric_info(metric).unit == "perplexity"


def is_share(metric: str) -> bool:
    """Whether a metric is a share between 0 and 1 where more is better."""
    info = metric_info(metric)
    return info.low == 0 and info.high == 1 and info.higher_is_better


def choose_metrics(values: Mapping[str, Sequence[Any]], wanted: Sequence[str] | None) -> list[str]:
    """The metrics to test: those wanted, or the one that speaks for the task.

    By default the first discontinuous metric in the order of `METRICS` (exact match before accuracy), else an
    unknown one whose values are shares, else a known share, else whatever there is.
    """
    if wanted is not None:
        return [name for name in wanted if name in values]
    known = [name for name, info in METRICS.items() if name in values and info.kind == "discontinuous"]
    if known:
        return known[:1]
    unknown = sorted(name for name in values if name not in METRICS)
    inside = [n for n in unknown if not any(v is not None and (v < 0 or v > 1) for v in values[n])]
    shares = [name for name in METRICS if name in values and is_share(name)]
    rest = [name for name in METRICS if name in values]
    return (inside or shares or unknown or rest)[:1]


@dataclass(frozen=True, slots=True)
class Progress:
    """A metric turned so that up is better, on a scale from 0 to 1.

    Shares stay as they are. Other metrics are turned round where less is better (perplexity through its
    logarithm) and scaled to the range of the series.
    """

    metric: str
    offset: float
    scale: float

    @property
    def share(self) -> bool:
        """Whether the scale is the metric's own."""
        return is_share(self.metric)

    def forward(self, y: Floats) -> Floats:
        """Recorded scores to progress."""
        return np.asarray((self._turned(y) - self.offset) / self.scale)

    def back(self, p: Floats) -> Floats:
        """Progress to recorded scores."""
        turned = p * self.scale + self.offset
        if is_perplexity(self.metric):
            return np.asarray(np.exp(-turned))
        return np.asarray(turned if metric_info(self.metric).higher_is_better else -turned)

    def error(self, y: Floats, stderr: Floats) -> Floats:
        """Standard errors on the scale of progress."""
        slope = 1 / y if is_perplexity(self.metric) else np.ones_like(y)
        return np.asarray(stderr * slope / self.scale)

    def _turned(self, y: Floats) -> Floats:
        if is_perplexity(self.metric):
            return np.asarray(-np.log(y))
        return np.asarray(y if metric_info(self.metric).higher_is_better else -y)


def progress_of(metric: str, y: Floats) -> Progress:
    """How to read a metric whose recorded scores are `y`.

    Raises:
        InputError: For a perplexity that is not above 0.
    """
    if is_share(metric):
        return Progress(metric, 0.0, 1.0)
    if is_perplexity(metric) and (y <= 0).any():
        raise InputError(f"Metric {metric} holds {float(y.min()):g}; a perplexity is above 0.", field="value")
    turned = Progress(metric, 0.0, 1.0).forward(y)
    span = float(np.ptp(turned))
    return Progress(metric, float(turned.min()), span if span > 0 else 1.0)


def noise_of(
    progress: Progress, y: Floats, n: Floats, stderr: Floats, tau: float, *, blur: Floats | None = None
) -> tuple[Noise, str | None]:
    """The noise of recorded scores, and a sentence where something had to be assumed.

    Args:
        progress: How the metric is read.
        y: Recorded scores.
        n: Samples behind them, NaN where unknown.
        stderr: Standard errors, NaN where unknown.
        tau: Between-model noise.
        blur: Variance on the scale of progress that comes from not knowing the place on the axis; see
            `blur_of`.
    """
    noise, note = _recorded(progress, y, n, stderr, tau)
    if blur is None or not blur.any():
        return noise, note
    if noise.n is None:
        return Noise(None, np.sqrt((noise.se if noise.se is not None else 0.0) ** 2 + blur), tau), note
    spread = np.maximum(y * (1 - y), 1 / (noise.n + 2))
    return Noise(np.maximum(spread / (spread / noise.n + blur), 1.0), None, tau), note


def blur_of(x: Floats, y: Floats, error: float) -> Floats:
    """Variance of progress that an error of the place on the axis brings: (slope times error) squared.

    The effective variance of a point with errors in both coordinates (Orear 1982, doi:10.1119/1.12972), with
    the slope of a local line (Gaussian kernel of a tenth of the range, or of two errors if that is more).

    Args:
        x: Places, shape (n,).
        y: Progress, shape (n,).
        error: Standard error of a place; 0 where places are known.
    """
    span = float(np.ptp(x)) if len(x) else 0.0
    if error <= 0 or span <= 0:
        return np.zeros(len(x))
    weight = np.exp(-0.5 * ((x[:, None] - x[None, :]) / max(0.1 * span, 2 * error)) ** 2)
    weight /= weight.sum(1, keepdims=True)
    mean, middle = weight @ x, weight @ y
    spread = weight @ x**2 - mean**2
    slope = (weight @ (x * y) - mean * middle) / np.maximum(spread, 1e-12 * span**2)
    return np.asarray((slope * error) ** 2)


def _recorded(
    progress: Progress, y: Floats, n: Floats, stderr: Floats, tau: float
) -> tuple[Noise, str | None]:
    if not progress.share:
        error = progress.error(y, stderr)
        known = np.isfinite(error)
        fill = float(np.median(error[known])) if known.any() else 0.0
        note = (
            None
            if known.any()
            else "No standard errors are recorded: the scatter about the curve stands for them."
        )
        return Noise(None, np.where(known, error, fill), tau), note
    effective = effective_n(y, np.where(n > 0, n, np.nan), stderr)
    if np.isfinite(effective).all():
        return Noise(np.maximum(effective, 1.0), None, tau), None
    note = (
        f"Neither sample counts nor standard errors are recorded: taken as {ASSUMED_N:.0f} samples a point."
    )
    return Noise(np.full(len(y), ASSUMED_N), None, tau), note


def nll_of(metric: str, y: Floats) -> Floats | None:
    """A continuous metric as a negative log-likelihood in nats, None where there is no such reading."""
    if is_perplexity(metric):
        return np.log(np.maximum(y, 1.0))
    match metric:
        case "target_logprob" | "choice_logprob":
            return np.maximum(-y, 0.0)
        case "loss" | "bits_per_byte" | "token_edit_distance":
            return np.maximum(y, 0.0)
        case "brier":
            return -np.log(np.clip(1 - y / 2, 1e-6, 1.0))
        case _ if is_share(metric):
            return -np.log(np.clip(y, 1e-6, 1.0))
        case _:
            return None
