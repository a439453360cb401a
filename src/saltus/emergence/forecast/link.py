"""Past an onset by way of a continuous metric: forecast that, and push it through the link to the score.

The links are those of the artifact check (`saltus.stats.links`); here all of them count, each with the weight
that the scores so far give it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.forecast.fitted import Fitted
from saltus.emergence.scores import nll_of
from saltus.records import METRICS, metric_info
from saltus.stats import CurveEnsemble, LinkFit, Mixture, Noise, bounded_mixture, chance_band

Floats = NDArray[np.float64]

_FEWEST = 4
_RATES = np.geomspace(0.2, 50, 60)
_EXPONENTS = np.array([0.5, 0.7, 1.0, 1.4, 2.0])
_QUANTILES = (np.arange(25) + 0.5) / 25
_NEGLIGIBLE = 1e-3


@dataclass(frozen=True)
class LinkForecast:
    """What the continuous metric says of the score.

    Attributes:
        partner: The continuous metric.
        mixture: Distribution of a new model's measured score.
        nll: Expected continuous metric at each place, nats.
        informative: Scores so far that stand off the floor; without any, the link is only bounded.
    """

    partner: str
    mixture: Mixture
    nll: Floats
    informative: int


def forecast_by_link(fitted: Fitted, at: Floats, samples: float | None) -> LinkForecast | None:
    """Forecast through the best continuous metric, None where there is none with four values.

    Args:
        fitted: A series of shares.
        at: Coordinates.
        samples: Behind the new score.
    """
    found = _partner(fitted)
    if found is None or fitted.noise.n is None:
        return None
    name, nll, error = found
    there = np.isfinite(nll)
    u, values = fitted.u[there], nll[there]
    span = float(np.ptp(values)) or 1.0
    progress = -values / span
    noise = Noise(None, np.where(np.isfinite(error[there]), error[there], 0.0) / span, 0.02)
    ahead = CurveEnsemble(u, progress, noise).predict(at)
    nlls = np.array([np.maximum(-ahead.quantile(q) * span, 0.0) for q in _QUANTILES])
    floor = fitted.floor or 0.0
    y, n = fitted.y[there], fitted.noise.n[there]
    links, weights = _links(values, y, n, floor)
    size = float(np.median(n)) if samples is None else samples
    mean = np.vstack([link.predict(nlls) for link in links])
    share = np.maximum(mean * (1 - mean), 1 / (size + 2))
    variance = share / size + fitted.noise.tau**2 * np.minimum(1.0, 4 * share)
    weight = np.repeat(weights / len(_QUANTILES), len(_QUANTILES))
    _, upper = chance_band(n, floor)
    return LinkForecast(
        name,
        bounded_mixture(weight, mean, variance, 0.25 / (size + 1)),
        np.maximum(-ahead.quantile(0.5) * span, 0.0),
        int((y > upper).sum()),
    )


def _partner(fitted: Fitted) -> tuple[str, Floats, Floats] | None:
    """The continuous metric that stands best beside the score: its name, values and errors in nats."""
    beside = fitted.series.partners
    listed = [*metric_info(fitted.series.metric).pairs, *METRICS]
    for name in dict.fromkeys(m for m in listed if m in beside and metric_info(m).kind == "continuous"):
        values, errors = beside[name]
        nll = nll_of(name, values)
        if nll is None or metric_info(name).neutral or int(np.isfinite(nll).sum()) < _FEWEST:
            continue
        perplexity = metric_info(name).unit == "perplexity"
        return name, nll, np.asarray(errors / values if perplexity else errors)
    return None


def _links(nll: Floats, y: Floats, n: Floats, floor: float) -> tuple[list[LinkFit], Floats]:
    """Links over a grid with their posterior weights; the three kinds are equally likely beforehand."""
    links, prior = [], []
    for kind in ("power", "stretched", "hill"):
        exponents = np.array([1.0]) if kind == "power" else _EXPONENTS
        links += [LinkFit(kind, float(r), float(b), floor, 0.0) for r in _RATES for b in exponents]
        prior += [-np.log(len(exponents))] * (len(_RATES) * len(exponents))
    mean = np.array([link.predict(nll) for link in links])
    size = 1 / (1 / n + 4 * 0.01**2)  # what differs between models limits what one score can say
    mean = np.clip(mean, 0.5 / (n + 1), 1 - 0.5 / (n + 1))
    loglik = (size * (y * np.log(mean) + (1 - y) * np.log1p(-mean))).sum(axis=1) + np.array(prior)
    weight = np.exp(loglik - loglik.max())
    keep = weight > _NEGLIGIBLE
    return [link for link, kept in zip(links, keep, strict=True) if kept], weight[keep] / weight[keep].sum()
