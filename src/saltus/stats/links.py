"""Links from a continuous metric to a discontinuous one, fitted on part of a curve and asked about the rest.

Does smooth progress, seen through a steep link, look like the cliff?
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LINKS = ("power", "stretched", "hill")
_RATES = np.geomspace(0.02, 50, 240)
_LAPSE = 0.06  # largest lapse that is thought possible beforehand
_CLEARLY = 10.0  # by which a second parameter must improve the information criterion: x has noise of its own


@dataclass(frozen=True, slots=True)
class LinkFit:
    """One link with its parameters, fitted on some points.

    Attributes:
        name: "power": exp(-L nll), the p^L of L tokens (Schaeffer et al. 2023, eq. 2); "stretched":
            exp(-(L nll)^b), which items of unequal difficulty give; "hill": 1 / (1 + (L nll)^b).
        rate: L.
        exponent: b; 1 for "power".
        chance: Score of guessing, from which the link starts.
        bic: Binomial deviance on the fitted points plus log(n) a parameter.
        ceiling: Score at a loss of 0: 1, or less where slips keep a model from full marks.
        cells: What the fitted points allow, shape (k, 4): rate, exponent, ceiling and weight; the three above
            are its means. None: just these.
    """

    name: str
    rate: float
    exponent: float
    chance: float
    bic: float
    ceiling: float = 1.0
    cells: Floats | None = field(default=None, repr=False, compare=False)

    def predict(self, nll: Floats) -> Floats:
        """Expected scores where the continuous metric is `nll` (nats), over all `cells`."""
        cells = self.cells
        if cells is None:
            cells = np.array([[self.rate, self.exponent, self.ceiling, 1.0]])
        rate, exponent, ceiling, weight = cells.T[:, :, None]
        scores = self.chance + (ceiling - self.chance) * _link(self.name, np.ravel(nll), rate, exponent)
        return np.asarray((weight * scores).sum(0).reshape(np.shape(nll)))


def fit_link(
    nll: Floats, y: Floats, n: Floats, chance: float = 0.0, ceiling: float | None = None, tau: float = 0.01
) -> list[LinkFit]:
    """Fit every link by binomial likelihood on a grid; its parameters are posterior means over the grid.

    Args:
        nll: Negative log-likelihood of the target, nats, shape (m,), at least 0.
        y: Shares of right answers at the same points.
        n: Effective samples behind them.
        chance: Score of guessing.
        ceiling: Score at a loss of 0. None: not known; lapses of 0 to 6 % are equally likely beforehand
            (Wichmann and Hill 2001, section on lapse rates of psychometric functions).
        tau: Between-model standard deviation at one half; it bounds what many samples of one model can say.

    Returns:
        One fit a link, the best first; the power link unless another is clearly better. Two-parameter links
        are only tried where at least three points stand off the bottom, since fewer cannot tell them apart.
        Rates and exponents are equally likely on a logarithmic scale.
    """
    n = 1 / (1 / n + 4 * tau**2)
    tops = np.linspace(1 - _LAPSE, 1, 4) if ceiling is None else np.array([ceiling])
    _, upper = chance_band(n, chance)
    informative = int((y > upper).sum())
    out = []
    for name in LINKS:
        exponents = np.array([1.0]) if name == "power" else np.geomspace(0.4, 4, 48)
        if name != "power" and informative < 3:
            continue
        grid = _link(name, nll[None, None], _RATES[:, None, None], exponents[None, :, None])
        deviance = np.stack([_deviance(y, chance + (top - chance) * grid, n) for top in tops])
        weight = np.exp(-(deviance - deviance.min()) / 2)
        weight /= weight.sum()
        degrees = 1 if name == "power" else 2
        out.append(
            LinkFit(
                name,
                float(np.exp(weight.sum((0, 2)) @ np.log(_RATES))),
                float(np.exp(weight.sum((0, 1)) @ np.log(exponents))),
                chance,
                float(deviance.min() + degrees * np.log(len(y))),
                float(weight.sum((1, 2)) @ tops),
                _cells(weight, tops, exponents),
            )
        )
    return sorted(out, key=lambda f: f.bic + (0.0 if f.name == "power" else _CLEARLY))


def _cells(weight: Floats, tops: Floats, exponents: Floats) -> Floats:
    """The cells of the grid that matter, each with its parameters and its weight."""
    i, j, k = np.nonzero(weight > 1e-3 * weight.max())
    kept = weight[i, j, k]
    return np.column_stack([_RATES[j], exponents[k], tops[i], kept / kept.sum()])


def chance_band(n: Floats, chance: float) -> tuple[Floats, Floats]:
    """Scores that guessing alone gives in 95 of 100 cases, about; shape of n."""
    half = 1.96 * np.sqrt(np.maximum(chance * (1 - chance), 1 / (n + 2)) / n)
    return np.maximum(chance - half, 0), np.minimum(chance + half, 1)


def _link(name: str, nll: Floats, rate: Floats | float, exponent: Floats | float) -> Floats:
    scaled = (np.maximum(nll, 0) * rate) ** exponent
    return np.asarray(1 / (1 + scaled) if name == "hill" else np.exp(-np.minimum(scaled, 700)))


def _deviance(y: Floats, mean: Floats, n: Floats) -> Floats:
    """Binomial deviance with a floor on the mean, so that one lucky answer does not weigh infinitely."""
    floor = 0.5 / (n + 1)
    m = np.clip(mean, floor, 1 - floor)
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = np.where(y > 0, y * np.log(y / m), 0.0)
        miss = np.where(y < 1, (1 - y) * np.log((1 - y) / (1 - m)), 0.0)
    return np.asarray(2 * (n * (hit + miss)).sum(-1))
