"""Simulations with known truth: alpha's interval, and means from a queue that seeks out hard items."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.evals.labelling.draw import PARTS, SHARES, draw
from saltus.evals.labelling.signals import Candidate
from saltus.stats import Stratum, alpha_interval, krippendorff_alpha, stratified_mean

REPEATS = 500
Floats = np.ndarray


def rated(kind: str, items: int, rng: np.random.Generator) -> Floats:
    match kind:
        case "even":  # two raters, each right in 85 % of the items
            truth = rng.random(items) < 0.5
            return np.where(rng.random((2, items)) < 0.85, truth, ~truth).astype(float)
        case "skewed":  # four in five are right, three raters, a fifth of the labels missing
            truth = rng.random(items) < 0.8
            table = np.where(rng.random((3, items)) < 0.9, truth, ~truth).astype(float)
            table[rng.random(table.shape) < 0.2] = np.nan
            return table
        case _:  # marks from 1 to 5 with noise
            quality = rng.normal(3, 1.2, items)
            return np.clip(np.rint(quality + rng.normal(0, 0.8, (2, items))), 1, 5)


@pytest.mark.parametrize(
    ("kind", "scale"), [("even", "nominal"), ("skewed", "nominal"), ("marks", "ordinal")]
)
@pytest.mark.parametrize("items", [40, 150])
def test_intervals_of_alpha_cover(kind: str, scale: str, items: int) -> None:
    rng = np.random.default_rng(11)
    truth = krippendorff_alpha(rated(kind, 200_000, rng), scale=scale)  # type: ignore[arg-type]
    hits = told = 0
    for _ in range(REPEATS):
        found = alpha_interval(rated(kind, items, rng), rng, scale=scale, draws=400)  # type: ignore[arg-type]
        if found.low is not None and found.high is not None:
            told += 1
            hits += found.low <= truth <= found.high
    print(kind, items, "alpha", truth, "coverage", hits / told, "told", told / REPEATS)
    assert told > 0.95 * REPEATS
    assert 0.90 <= hits / told <= 0.985


def population(n: int, rng: np.random.Generator) -> tuple[list[Candidate], Floats]:
    """Responses of which the borderline and the risky are wrong more often, and the truth about each."""
    doubt, risk = rng.random(n) ** 3, np.where(rng.random(n) < 0.15, 0.5, 0.0)
    truth = (rng.random(n) < 0.9 - 0.6 * doubt - 0.4 * risk).astype(float)
    return [
        Candidate("m", "t", str(i), "", 0, float(doubt[i]), "d", float(risk[i]), "r") for i in range(n)
    ], truth


@pytest.mark.parametrize(("n", "size"), [(400, 100), (3000, 150), (300, 40)])
def test_means_from_a_queue_are_unbiased_and_cover(n: int, size: int) -> None:
    rng = np.random.default_rng(12)
    everything, truth = population(n, rng)
    values, plain, hits = [], [], 0
    for _ in range(REPEATS):
        drawn, [group] = draw(everything, size, SHARES, rng)
        labels = {
            part: [truth[int(one.candidate.sample)] for one in drawn if one.part == part] for part in PARTS
        }
        found = stratified_mean([Stratum(labels[part], getattr(group, part)) for part in PARTS])
        values.append(found.value)
        plain.append(np.mean([truth[int(one.candidate.sample)] for one in drawn]))
        hits += found.low <= truth.mean() <= found.high
    error = np.std(values) / np.sqrt(REPEATS)
    print(
        n, size, "truth", truth.mean(), "weighted", np.mean(values), "plain", np.mean(plain), hits / REPEATS
    )
    assert abs(np.mean(values) - truth.mean()) < 4 * error
    assert truth.mean() - np.mean(plain) > 0.05  # what the weights are for
    assert 0.92 <= hits / REPEATS <= 0.99
