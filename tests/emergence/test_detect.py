"""The ladder of verdicts on made series: each rung, its reasons, and the parts of a finding."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from saltus.emergence import detect, detect_all
from saltus.records import Finding

X = np.geomspace(1e8, 1.2e10, 10)
U = np.linspace(0, 1, 10)


def noisy(mean: np.ndarray, n: int = 1000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).binomial(n, np.clip(mean, 0, 1)) / n


@pytest.mark.parametrize(
    ("mean", "verdict", "sharpness"),
    [
        (np.full(10, 0.4), "no_change", None),
        (0.3 + 0.4 * U, "gradual", None),
        (np.where(U < 0.5, 0.25, 0.7), "emergent", "sharp"),
        (0.25 + 0.6 * np.exp(-np.log(2) * 10 ** (-1.34 / 1.4 * (U - 0.6) * 2.08)), "emergent", "smooth"),
        (np.where(U < 0.5, 0.5, 0.9), "accelerating", "sharp"),
        (0.8 - 0.6 * U, "declining", None),
        (0.2 + 2.2 * (U - 0.5) ** 2, "u_shaped", None),
        (np.where(U < 0.5, 0.1, 0.25), "not_above_chance", None),
        (0.5 + 0.035 * U, "below_threshold", None),
    ],
)
def test_each_rung_of_the_ladder(made: Any, mean: np.ndarray, verdict: str, sharpness: str | None) -> None:
    n = 20000 if verdict == "below_threshold" else 1000
    finding = detect(made(X, noisy(mean, n), n=n), axis="params", tau=0.002 if n > 1000 else None)
    assert (finding.verdict, finding.sharpness) == (verdict, sharpness)
    assert finding.reasons
    assert (finding.onset is not None) == (verdict in ("emergent", "accelerating"))
    assert msgspec.json.decode(msgspec.json.encode(finding), type=Finding) == finding


def test_a_no_says_whether_it_is_absence_or_too_little_data(made: Any) -> None:
    much = detect(made(X, noisy(np.full(10, 0.4), 10000), n=10000), axis="params", tau=0.0)
    little = detect(made(X, noisy(np.full(10, 0.4), 50, seed=2), n=50), axis="params")
    assert "Absent here" in " ".join(much.reasons)
    text = " ".join(little.reasons)
    assert "Not enough data" in text
    assert "would settle" in text


def test_rise_before_fall_is_declining_and_says_so(made: Any) -> None:
    mean = np.array([0.5, 0.7, 0.8, 0.7, 0.55, 0.4, 0.3, 0.2, 0.1, 0.05])
    finding = detect(made(X, mean), axis="params")
    assert finding.verdict == "declining"
    assert any("It first rises to" in r for r in finding.reasons)


def test_a_finding_is_the_same_again_and_changes_with_the_data(made: Any) -> None:
    rows = made(X, noisy(np.where(U < 0.5, 0.25, 0.7)))
    one, two = detect(rows, axis="params", seed=3), detect(rows, axis="params", seed=3)
    assert one == two
    rows[0]["value"] += 0.001
    assert detect(rows, axis="params", seed=3).id != one.id
    assert detect(rows, axis="params", seed=4).id != one.id


def test_a_series_is_judged_alike_whatever_stands_beside_it_but_for_q(made: Any) -> None:
    jump = made(X, noisy(np.where(U < 0.5, 0.25, 0.7)))
    flat = [{**r, "task": f"flat{i}"} for i in range(3) for r in made(X, noisy(np.full(10, 0.4), seed=i))]
    alone = detect(jump, axis="params")
    together = next(f for f in detect_all(jump + flat, axis="params") if f.task == "task")
    assert together.n_tests == 4
    assert together.onset == alone.onset
    assert together.q.trend is not None
    assert alone.q.trend is not None
    assert together.q.trend >= alone.q.trend


def test_one_emergent_task_among_a_hundred_is_still_found(made: Any) -> None:
    jump = made(X, noisy(np.where(U < 0.5, 0.25, 0.7)))
    rows = [
        {**r, "task": f"flat{i:02d}"} for i in range(60) for r in made(X, noisy(np.full(10, 0.4), seed=i))
    ]
    found = [f.task for f in detect_all(jump + rows, axis="params") if f.verdict == "emergent"]
    assert found == ["task"]


def test_curves_band_and_bars_cover_the_axis(made: Any) -> None:
    finding = detect(made(X, noisy(np.where(U < 0.5, 0.25, 0.7))), axis="params")
    best = finding.fits[0]
    assert not best.excluded
    assert {f.shape for f in finding.fits} >= {
        "flat",
        "linear",
        "saturating",
        "hinge",
        "step",
        "logistic",
        "gompertz",
    }
    assert [f.bic for f in finding.fits] == sorted(f.bic for f in finding.fits)
    assert finding.band is not None
    for x in (best.x, finding.band.x):
        assert x[0] == pytest.approx(X[0], rel=1e-4)
        assert x[-1] == pytest.approx(X[-1], rel=1e-4)
    assert all(a <= b + 1e-9 for a, b in zip(finding.band.low, finding.band.high, strict=True))
    assert all(p.low <= p.y <= p.high for p in finding.points)


def test_a_metric_where_less_is_better_rises_when_it_falls(made: Any) -> None:
    loss = np.where(U < 0.5, 3.0, 1.0) + 0.02 * np.random.default_rng(0).standard_normal(10)
    rows = [{**r, "metric": "loss", "chance": None, "stderr": 0.02} for r in made(X, loss)]
    finding = detect(rows, axis="params")
    assert finding.verdict == "accelerating"
    assert finding.artifact is None
    assert finding.band is not None
    assert finding.band.y[0] > finding.band.y[-1]


def test_without_samples_or_errors_a_number_is_assumed_and_said(made: Any) -> None:
    rows = [{**r, "n": None} for r in made(X, noisy(np.where(U < 0.5, 0.25, 0.7)))]
    finding = detect(rows, axis="params")
    assert finding.n_samples is None
    assert any("taken as 100 samples" in r for r in finding.reasons)


def test_chance_unknown_is_said(made: Any) -> None:
    step = np.where(U < 0.5, 0.3, 0.7)
    high = detect(made(X, noisy(step), chance=None), axis="params")
    assert high.verdict == "accelerating"
    assert any("Chance is not recorded" in r for r in high.reasons)
    zero = detect(made(X, noisy(step - 0.3), chance=None), axis="params")
    assert zero.verdict == "emergent"


@pytest.mark.parametrize("axis", ["flops", "tokens", "width", "loss", "released"])
def test_every_axis_of_scale_works(made: Any, axis: str) -> None:
    places = {"loss": np.linspace(4, 2, 10), "released": np.arange(2015, 2025)}.get(axis, X)
    rows = made(places, noisy(np.where(U < 0.5, 0.25, 0.7)), axis=axis)
    if axis == "released":
        rows = [{**r, "released": f"{int(r['released'])}-01-01"} for r in rows]
    finding = detect(rows, axis=axis)
    assert finding.verdict == "emergent"
    assert finding.onset is not None
    assert finding.onset.low <= finding.onset.value <= finding.onset.high
    edges = sorted(places[4:6])
    assert edges[0] * 0.999 <= finding.onset.value <= edges[1] * 1.001


def test_progress_is_told(made: Any) -> None:
    told: list[tuple[int, int]] = []
    detect_all(
        made(X, noisy(0.3 + 0.4 * U)), axis="params", progress=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 1)]
