"""The second half of the artifact check: links fitted up to the onset, asked about the scores after it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.emergence.analysis import Analysis
from saltus.emergence.scores import nll_of
from saltus.records import ArtifactCheck, Interval, TriedLink
from saltus.stats import LINKS, LinkFit, chance_band, fit_link, resolution

Floats = NDArray[np.float64]

_R2, _RMSE = 0.9, 0.02
_FITS = 0.01  # a link that misses the points it was fitted on by more than this p-value grants is refused
_DRAWN = 61
_WORDS = {
    "power": "power link exp(-{rate:.2g} nll)",
    "stretched": "stretched link exp(-({rate:.2g} nll)^{exponent:.2g})",
    "hill": "Hill link 1 / (1 + ({rate:.2g} nll)^{exponent:.2g})",
}


@dataclass(frozen=True, slots=True)
class Prediction:
    """Links fitted on the first points, asked about the rest; the first of them counts.

    Attributes:
        links: Every link with its errors.
        best: The one that counts.
        until: Last fitted coordinate.
        fitted: Points behind the fit, `asked` those that it was asked about.
        at_ceiling: Points that gave the ceiling and were not asked.
        silent: A sentence on scores of 0 that say nothing.
        predicted: Axis value and expected score, for drawing.
    """

    links: tuple[TriedLink, ...]
    best: LinkFit
    until: float
    fitted: int
    asked: int
    at_ceiling: int
    silent: str | None
    predicted: tuple[tuple[float, float], ...]

    @property
    def works(self) -> bool:
        """Whether the link that counts predicts the rest."""
        return _works(self.links[0])

    def on(self, record: ArtifactCheck) -> ArtifactCheck:
        """The record with this in it."""
        first = self.links[0]
        return msgspec.structs.replace(
            record,
            link=first.name,
            fitted_to=self.until,
            fitted=self.fitted,
            asked=self.asked,
            rmse=first.rmse,
            r2=first.r2,
            works=self.works,
            chance=self.best.chance,
            links=self.links,
            predicted=self.predicted,
        )

    def words(self, analysis: Analysis) -> tuple[str, ...]:
        """What was found, in sentences."""
        first = self.links[0]
        link = _WORDS[first.name].format(rate=first.rate, exponent=first.exponent)
        told = f"A {link}, fitted on the {self.fitted} points up to {analysis.axis.place(self.until)}, "
        if first.fits is not None and first.fits < _FITS:
            told += (
                f"does not fit even these (p = {first.fits:.2g}), whatever it says of the other {self.asked}"
            )
        else:
            told += f"{'predicts' if self.works else 'does not predict'} the other {self.asked}"
        told += f" (R2 {first.r2:.2f}, RMSE {first.rmse:.3f})."
        out = [told]
        if self.at_ceiling:
            out.append(
                f"It ends at a ceiling of {first.ceiling:.2f}, read off the last {self.at_ceiling} points, "
                "which were not asked."
            )
        if self.silent is not None:
            out.append(self.silent)
        return tuple(out)


@dataclass(frozen=True, slots=True)
class _Points:
    """The scores with their losses, in order of the axis."""

    u: Floats
    y: Floats
    n: Floats
    nll: Floats
    chance: float


def predict(
    analysis: Analysis, partner: str, values: Floats, there: NDArray[np.bool_], onset: Interval | None
) -> Prediction | None:
    """Fit every link up to the onset, and on as few points after it as give them anything to hold on to.

    Which link counts is decided on the fitted points alone. None where fewer than two points are left to ask
    about, or the metric has no reading as a loss.
    """
    nll = nll_of(partner, values)
    if nll is None or not analysis.progress.share or onset is None:
        return None
    assert analysis.noise.n is not None  # noqa: S101 - shares have sample counts
    # What differs between models bounds the information of a point like so many samples.
    n = 1 / (1 / analysis.noise.n[there] + 4 * analysis.noise.tau**2)
    points = _Points(analysis.u[there], analysis.y[there], n, nll, analysis.series.chance or 0.0)
    first = _fitted(analysis, points, onset)
    asked = ~first
    if asked.sum() < 2:
        return None
    links = _links(points, first, None)
    ceiling, top = _ceiling(points, asked, links[0])
    if top.any():
        links, asked = _links(points, first, ceiling), asked & ~top
    tried = _tried(points, first, asked, links)
    guess = links[0].predict(nll)
    return Prediction(
        tried,
        links[0],
        float(f"{float(analysis.axis.back(np.array(points.u[first].max()))):.6g}"),
        int(first.sum()),
        int(asked.sum()),
        int(top.sum()),
        _silent(analysis, points, guess) if _works(tried[0]) else None,
        _drawn(analysis, points, links[0]),
    )


def _fitted(analysis: Analysis, points: _Points, onset: Interval) -> NDArray[np.bool_]:
    """Points up to the onset, further only until one score is more than guessing gives."""
    u = points.u
    scales = np.unique(u)
    edge = max(float(analysis.axis.forward(np.array(v))) for v in (onset.low, onset.high))
    upto = int(np.searchsorted(scales, edge + 1e-9, side="right"))
    upto = max(upto, min(3, len(scales) // 2))
    above = points.y > chance_band(points.n, points.chance)[1]
    while upto < len(scales) and not above[u <= scales[upto - 1]].any():
        upto += 1
    return np.asarray(u <= scales[upto - 1])


def _links(points: _Points, first: NDArray[np.bool_], ceiling: float | None) -> list[LinkFit]:
    return fit_link(points.nll[first], points.y[first], points.n[first], points.chance, ceiling, 0.0)


def _ceiling(points: _Points, asked: NDArray[np.bool_], link: LinkFit) -> tuple[float, NDArray[np.bool_]]:
    """A plateau under full marks: the last scales agree with each other, and all lie clearly under the link.

    Slips and wrong labels keep a score from 1 however small the loss. The scores before the onset say nothing
    of that, so it is read off the top; two points at least must be left to ask about.
    """
    none = 1.0, np.zeros_like(asked)
    scales = np.unique(points.u[asked])
    guess = link.predict(points.nll)
    error = np.sqrt(np.maximum(points.y * (1 - points.y), 1 / (points.n + 2)) / points.n)
    for first in scales:
        top = asked & (points.u >= first)
        if (asked & ~top).sum() < 2 or len(np.unique(points.u[top])) < 2:
            continue
        weight = 1 / error[top] ** 2
        level = float(np.average(points.y[top], weights=weight))
        same = float((weight * (points.y[top] - level) ** 2).sum()) <= top.sum() + 2 * np.sqrt(2 * top.sum())
        under = (guess[top] - points.y[top] > 2 * error[top]).all() and guess[top].min() > 0.9 * link.ceiling
        moved = points.nll[top].max() > 1.2 * points.nll[top].min() or guess[top].min() > 0.97
        if same and under and moved:
            return level, top
    return none


def _tried(
    points: _Points, first: NDArray[np.bool_], asked: NDArray[np.bool_], links: list[LinkFit]
) -> tuple[TriedLink, ...]:
    """Errors of every link on the points asked; R2 is against the mean of the fitted ones."""
    y = points.y[asked]
    spread = max(float(((y - points.y[first].mean()) ** 2).sum()), 1e-9)
    out = []
    for place, link in enumerate(links):
        miss = float(((y - link.predict(points.nll[asked])) ** 2).sum())
        worse = link.bic - links[0].bic
        why = ""
        if place:
            why = (
                f"fits the points up to the onset worse (BIC by {worse:.1f})"
                if worse > 0
                else f"not clearly better up to the onset than the power link (BIC by {-worse:.1f} only)"
            )
        out.append(
            TriedLink(
                link.name,
                float(f"{link.rate:.4g}"),
                float(f"{link.exponent:.4g}"),
                round(link.ceiling, 4),
                round(link.bic, 3),
                float(f"{_fits(points, first, link):.4g}"),
                round(float(np.sqrt(miss / asked.sum())), 5),
                round(1 - miss / spread, 5),
                why,
            )
        )
    fewer = "not tried: under three scores to fit two parameters to"
    missing = [name for name in LINKS if name not in {link.name for link in links}]
    out += [TriedLink(name, refused=fewer) for name in missing]
    return tuple(out)


def _works(link: TriedLink) -> bool:
    """It fits where it was fitted, and has an R2 of .9 out of sample or an RMSE of .02.

    The first keeps a steep link that no score obeys from passing for an explanation: after a jump, any curve
    that goes up has an R2 of .9.
    """
    if link.fits is None or link.r2 is None or link.rmse is None:
        return False
    return link.fits >= _FITS and (link.r2 >= _R2 or link.rmse <= _RMSE)


def _fits(points: _Points, first: NDArray[np.bool_], link: LinkFit) -> float:
    """P-value of the fitted points about a link, by chi-square with what noise and a link's grain allow."""
    from scipy.special import chdtrc

    mean, n = link.predict(points.nll[first]), points.n[first]
    variance = np.maximum(mean * (1 - mean), 1 / (n + 2)) / n + _RMSE**2
    free = 1 if link.name == "power" else 2
    chi = float(((points.y[first] - mean) ** 2 / variance).sum())
    return float(chdtrc(max(int(first.sum()) - free, 1), chi))


def _drawn(analysis: Analysis, points: _Points, link: LinkFit) -> tuple[tuple[float, float], ...]:
    """What the link expects along the axis, the loss taken as straight between its means by scale."""
    scales = np.unique(points.u)
    mean = np.array([points.nll[points.u == s].mean() for s in scales])
    u = np.unique(np.concatenate([np.linspace(scales[0], scales[-1], _DRAWN), scales]))
    y = link.predict(np.interp(u, scales, mean))
    x = analysis.axis.back(u)
    order = np.argsort(x)
    return tuple((float(f"{x[i]:.6g}"), float(f"{y[i]:.5g}")) for i in order)


def _silent(analysis: Analysis, points: _Points, guess: Floats) -> str | None:
    """A score of 0 where the link expects less than the samples can show is no evidence of absence."""
    assert analysis.noise.n is not None  # noqa: S101 - shares have sample counts
    zero = np.flatnonzero((points.y == 0) & (guess > 0))
    if points.chance > 0 or not len(zero):
        return None
    last = int(zero[np.argmax(points.u[zero])])
    n = 1 / (1 / points.n[last] - 4 * analysis.noise.tau**2)
    limit = resolution(n)
    if guess[last] > limit:
        return None
    at = analysis.axis.place(float(analysis.axis.back(np.array(points.u[last]))))
    return (
        f"The score of 0 at {at} is no evidence of absence: the link expects {guess[last]:.2g} there, and "
        f"{n:,.0f} samples cannot exclude less than {limit:.2g}."
    )
