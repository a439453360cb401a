"""Linear probes: what can be read off features by a linear map, held out, against controls.

Every sample is judged by a probe that saw neither it nor its group; how strongly the probe is held back is
chosen inside its own training samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.stats.errorbars import clustered_mean
from saltus.stats.intervals import clopper_pearson
from saltus.stats.jackknife import blocks_of, group_numbers

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Values = Sequence[Any] | NDArray[Any]
Kind = Literal["ridge", "logistic"]

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
FOLDS = 5
_INNER = 3
_INFLATION = 1 + FOLDS / (FOLDS - 1)  # of the variance; see `probe`


class ProbeScore(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe gets right on samples it did not see.

    Attributes:
        accuracy: Held-out share of right labels.
        low: Lower end of its interval over samples (groups count together).
        high: Upper end.
        level: Of all intervals here.
        majority: What naming the commonest label of the training samples gets right on the same folds.
        control: Mean held-out accuracy of probes for random labels; None without types.
        selectivity: Accuracy less control (Hewitt and Liang 2019, section 2.3).
        selectivity_low: Lower end of its interval.
        selectivity_high: Upper end.
        penalty: The middle one of those chosen, a sample.
        correct: Whether each sample was named right.
        n: Samples.
        groups: Groups of samples that belong together.
        classes: Labels there are.
    """

    accuracy: float
    low: float
    high: float
    level: float
    majority: float
    control: float | None = None
    selectivity: float | None = None
    selectivity_low: float | None = None
    selectivity_high: float | None = None
    penalty: float
    correct: NDArray[np.bool_]
    n: int
    groups: int
    classes: int


def probe(
    features: NDArray[Any],
    labels: Values,
    *,
    types: Values | None = None,
    groups: Values | None = None,
    kind: Kind = "ridge",
    controls: int = 5,
    level: float = 0.9,
    seed: int = 0,
) -> ProbeScore:
    """Train and judge a linear probe by nested cross-validation.

    Probes of different folds share training samples, so that the errors of samples are not independent: the
    variance is multiplied by 1 + folds x held out / trained on (Nadeau and Bengio 2003, section 4.1, for
    folds by Bouckaert and Frank 2004), which is 2.25 for five folds.

    The control task gives each type of input one label at random, in the proportions of the true labels
    (Hewitt and Liang 2019, section 2): a probe that does well on it memorises types and its accuracy says
    little about the features. Types must come back in other groups, else no probe can learn the control.

    Args:
        features: Samples x width.
        labels: What to read off, one a sample.
        types: The input that a control label belongs to (a token, a pair of tokens); None for no control.
        groups: What samples belong together (a prompt); a group is never on both sides of a split.
        kind: "ridge" (least squares on one-hot labels, fast) or "logistic" (multinomial, L2).
        controls: Sets of random labels.
        level: Of the intervals.
        seed: Of folds and controls.

    Raises:
        ValueError: The lengths differ, there is one label only, or fewer than five groups.
    """
    x = np.asarray(features, float)
    n = len(x)
    if x.ndim != 2 or len(labels) != n:
        raise ValueError(f"features have the shape {x.shape} and there are {len(labels)} labels")
    own, clusters = group_numbers(n, labels), group_numbers(n, groups)
    if own.max() == 0 or clusters.max() + 1 < FOLDS:
        raise ValueError(
            f"a probe needs two labels and {FOLDS} groups; there are {own.max() + 1} labels and "
            f"{clusters.max() + 1} groups"
        )
    if kind not in ("ridge", "logistic"):
        raise ValueError(f"{kind!r} is no kind of probe; choose ridge or logistic")
    rng = np.random.default_rng(seed)
    fold = _folds(own, clusters, groups is not None, rng)
    drawn = [] if types is None else [_control(own, group_numbers(n, types), rng) for _ in range(controls)]
    named, penalty = _held_out(x, np.stack([own, *drawn]), clusters, fold, kind, rng)
    right = named[0] == own
    majority = np.empty(n)
    for one in range(FOLDS):
        majority[fold == one] = np.bincount(own[fold != one]).argmax()
    score = ProbeScore(
        accuracy=float(right.mean()),
        **_share(right, None if groups is None else clusters, level),
        level=level,
        majority=float((majority == own).mean()),
        penalty=penalty,
        correct=right,
        n=n,
        groups=int(clusters.max()) + 1,
        classes=int(own.max()) + 1,
    )
    if types is None:
        return score
    controlled = named[1:] == np.stack(drawn)
    unit = group_numbers(n, types) if groups is None else clusters
    return msgspec.structs.replace(score, **_selectivity(right, controlled, unit, level))


def _share(right: NDArray[np.bool_], clusters: Ints | None, level: float) -> dict[str, Any]:
    if clusters is None:
        low, high = clopper_pearson(right.sum() / _INFLATION, len(right) / _INFLATION, level)
        return {"low": float(low), "high": float(high)}
    found = clustered_mean(right.astype(float), clusters, level=level)
    half = 1.0 if found.low is None else (found.mean - found.low) * math.sqrt(_INFLATION)
    return {"low": max(found.mean - half, 0.0), "high": min(found.mean + half, 1.0)}


def _selectivity(
    right: NDArray[np.bool_], controlled: NDArray[np.bool_], unit: Ints, level: float
) -> dict[str, Any]:
    """Accuracy less control; the error has a part from the samples and one from the draws of labels."""
    from scipy.special import stdtrit

    gap = clustered_mean(right - controlled.mean(0), unit, level=level)
    draws = controlled.mean(1)
    half = 2.0 if gap.low is None else (gap.mean - gap.low) * math.sqrt(_INFLATION)
    if len(draws) > 1:
        quantile = float(stdtrit(len(draws) - 1, 0.5 + level / 2))
        half = math.hypot(half, quantile * float(draws.std(ddof=1)) / math.sqrt(len(draws)))
    return {
        "control": float(draws.mean()),
        "selectivity": gap.mean,
        "selectivity_low": gap.mean - half,
        "selectivity_high": gap.mean + half,
    }


def _control(own: Ints, types: Ints, rng: np.random.Generator) -> Ints:
    return np.asarray(rng.choice(own, size=int(types.max()) + 1)[types])


def _folds(own: Ints, clusters: Ints, grouped: bool, rng: np.random.Generator) -> Ints:
    """A fold for each sample: each label dealt evenly, or whole groups."""
    if grouped:
        return blocks_of(len(own), clusters, rng, FOLDS)
    order = np.lexsort((rng.random(len(own)), own))
    fold = np.empty(len(own), np.int64)
    fold[order] = (np.arange(len(own)) + rng.integers(FOLDS)) % FOLDS
    return fold


def _held_out(
    x: Floats, labels: Ints, clusters: Ints, fold: Ints, kind: Kind, rng: np.random.Generator
) -> tuple[Ints, float]:
    """Labels named for each sample, a row for each set of labels; and the true set's middle penalty."""
    named = np.empty_like(labels)
    chosen = []
    for one in range(int(fold.max()) + 1):
        rows = np.flatnonzero(fold != one)
        hits = np.zeros((len(labels), len(PENALTIES)))
        inner = blocks_of(len(rows), clusters[rows], rng, _INNER)
        for part in range(int(inner.max()) + 1):
            train, test = rows[inner != part], rows[inner == part]
            for s, found in enumerate(_fitted(x[train], x[test], labels[:, train], kind)):
                hits[s] += (found == labels[s, test]).sum(1)
        best = len(PENALTIES) - 1 - hits[:, ::-1].argmax(1)  # of equals, the stronger
        chosen.append(PENALTIES[best[0]])
        out = np.flatnonzero(fold == one)
        for s, found in enumerate(_fitted(x[rows], x[out], labels[:, rows], kind)):
            named[s, out] = found[best[s]]
    return named, float(np.median(chosen))


def _fitted(train: Floats, test: Floats, labels: Ints, kind: Kind) -> Iterator[Ints]:
    """For each set of labels, what a probe of each penalty says of the test samples."""
    mean, scale = train.mean(0), train.std(0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    a, b = (train - mean) / scale, (test - mean) / scale
    if kind == "ridge":
        yield from _ridge(a, b, labels)
    else:
        for own in labels:
            yield _logistic(a, b, own)


def _ridge(train: Floats, test: Floats, labels: Ints) -> Iterator[Ints]:
    n, width = train.shape
    wide = width > n
    values, vectors = np.linalg.eigh(train @ train.T if wide else train.T @ train)
    values = np.maximum(values, 0)
    seen = (test @ train.T if wide else test) @ vectors
    for own in labels:
        hot = np.eye(int(labels.max()) + 1)[own]
        mean = hot.mean(0)
        target = vectors.T @ ((hot - mean) if wide else train.T @ (hot - mean))
        yield np.stack([(seen @ (target / (values + p * n)[:, None]) + mean).argmax(1) for p in PENALTIES])


def _logistic(train: Floats, test: Floats, own: Ints) -> Ints:
    """Multinomial logistic regression, the strongest penalty first, each fit started at the one before."""
    from scipy.optimize import minimize

    n, classes = len(train), int(own.max()) + 1
    a, b = (np.hstack([one, np.ones((len(one), 1))]) for one in (train, test))
    hot = np.eye(classes)[own]
    weights = np.zeros(a.shape[1] * classes)
    free = np.ones((a.shape[1], 1))
    free[-1] = 0  # the intercept is not held back

    def loss(flat: Floats, penalty: float) -> tuple[float, Floats]:
        w = flat.reshape(-1, classes)
        scores = a @ w
        scores -= scores.max(1, keepdims=True)
        odds = np.exp(scores)
        total = odds.sum(1, keepdims=True)
        value = float((np.log(total[:, 0]) - (scores * hot).sum(1)).mean())
        slope = a.T @ (odds / total - hot) / n + penalty * free * w
        return value + penalty / 2 * float((free * w * w).sum()), slope.ravel()

    named = []
    for penalty in reversed(PENALTIES):
        weights = minimize(loss, weights, (penalty,), method="L-BFGS-B", jac=True, options={"maxiter": 200}).x
        named.append((b @ weights.reshape(-1, classes)).argmax(1))
    return np.stack(named[::-1])
