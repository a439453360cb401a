"""Simulations with known truth and fixed seeds: do intervals of robustness hold, and who is called worst?"""

from __future__ import annotations

import numpy as np
import pytest

from saltus.stats import excess_flips, flips, worst_group, worst_variant

RUNS = 300


@pytest.mark.parametrize(("n", "lost", "gained"), [(40, 0.1, 0.02), (256, 0.02, 0.02), (256, 0.2, 0.2)])
def test_flips_are_covered_and_no_drop_is_not_called_one(n: int, lost: float, gained: float) -> None:
    rng = np.random.default_rng(1)
    covered, called = np.zeros(3), 0
    for _ in range(RUNS):
        fate = rng.random(n)
        plain = np.where(fate < lost, 1, np.where(fate < lost + gained, 0, rng.random(n) < 0.6))
        variant = np.where(fate < lost, 0, np.where(fate < lost + gained, 1, plain))
        found = flips(plain, variant)
        truths = ((found.rate, lost + gained), (found.lost, lost), (found.drop, lost - gained))
        covered += [part.low <= truth <= part.high for part, truth in truths]
        called += found.p is not None and found.p <= 0.05
    print(n, lost, gained, "covered", covered / RUNS, "called", called / RUNS)
    assert (covered / RUNS >= 0.925).all()
    if lost == gained:
        assert called / RUNS <= 0.06


@pytest.mark.parametrize("clusters", [12, 40])
def test_clustered_flips_are_covered(clusters: int) -> None:
    rng = np.random.default_rng(2)
    covered, called, naive = np.zeros(2), 0, 0
    for _ in range(RUNS):
        label = np.repeat(np.arange(clusters), 5)
        flipped = rng.random(label.size) < rng.beta(1, 4, clusters)[label]
        side = (rng.random(clusters) < 0.5)[label]  # what flips in one cluster flips the same way
        plain = np.where(flipped, side, rng.random(label.size) < 0.5).astype(float)
        variant = np.where(flipped, ~side, plain).astype(float)
        found = flips(plain, variant, label)
        covered += [found.rate.low <= 0.2 <= found.rate.high, found.drop.low <= 0 <= found.drop.high]
        called += found.p is not None and found.p <= 0.05
        unclustered = flips(plain, variant).p
        naive += unclustered is not None and unclustered <= 0.05
    print(clusters, "covered", covered / RUNS, "called", called / RUNS, "without clusters", naive / RUNS)
    assert (covered / RUNS >= 0.92).all()
    assert called / RUNS <= 0.08
    assert naive > called


@pytest.mark.parametrize("epochs", [(4, 1), (4, 4), (2, 2)])
@pytest.mark.parametrize("loss", [0.0, 0.15])
def test_the_excess_over_noise_is_covered(epochs: tuple[int, int], loss: float) -> None:
    rng = np.random.default_rng(3)
    many = rng.beta(0.5, 0.5, 400_000)
    fewer = np.clip(many - loss * (many > 0.3), 0, 1)
    own, theirs = 2 * many * (1 - many), 2 * fewer * (1 - fewer)
    floor = own if epochs[1] == 1 else (own + theirs) / 2
    truths = float(floor.mean()), float((many + fewer - 2 * many * fewer - floor).mean())
    covered = np.zeros(2)
    for _ in range(RUNS):
        p = rng.beta(0.5, 0.5, 128)
        q = np.clip(p - loss * (p > 0.3), 0, 1)
        plain = (rng.random((128, epochs[0])) < p[:, None]).astype(float)
        variant = (rng.random((128, epochs[1])) < q[:, None]).astype(float)
        found = excess_flips(plain, variant)
        assert found is not None
        parts = (found.floor, found.excess)
        covered += [part.low <= truth <= part.high for part, truth in zip(parts, truths, strict=True)]
    print(epochs, loss, "truth", truths, "covered", covered / RUNS)
    assert (covered / RUNS >= 0.92).all()


@pytest.mark.parametrize(("groups", "size"), [(4, 30), (12, 25)])
@pytest.mark.parametrize("cluster", [1, 5])
def test_no_group_is_called_worst_where_none_is(groups: int, size: int, cluster: int) -> None:
    rng = np.random.default_rng(4)
    label = np.repeat(np.arange(groups), size)
    places = [np.flatnonzero(label == group) for group in range(groups)]
    clusters = None if cluster == 1 else np.arange(label.size) // cluster
    covered, called, found_it = 0, 0, 0
    for _ in range(RUNS):
        y = np.repeat(rng.random(label.size // cluster) < 0.8, cluster).astype(float)
        found = worst_group(y, places, clusters)
        called += found.p is not None and found.p <= 0.05
        covered += found.mean.low <= 0.8 <= found.mean.high
        worse = np.where(label[::cluster] == 0, 0.35, 0.8)
        y = np.repeat(rng.random(label.size // cluster) < worse, cluster).astype(float)
        found = worst_group(y, places, clusters)
        found_it += found.place == 0 and found.p is not None and found.p <= 0.05
        covered += found.mean.low <= 0.35 <= found.mean.high
    print(
        groups,
        size,
        cluster,
        "called",
        called / RUNS,
        "covered",
        covered / RUNS / 2,
        "power",
        found_it / RUNS,
    )
    assert called / RUNS <= 0.06
    assert covered / RUNS / 2 >= 0.95
    if cluster == 1:
        assert found_it / RUNS >= 0.7


def test_the_worst_variant_is_covered() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(RUNS):
        skill = rng.beta(4, 2, 100)
        marks = [(rng.random(100) < skill * keep).astype(float) for keep in (1.0, 0.97, 0.95, 0.95)]
        found = worst_variant(marks)
        covered += found.mean.low <= 4 / 6 * 0.95 <= found.mean.high
    print("covered", covered / RUNS)
    assert covered / RUNS >= 0.95
