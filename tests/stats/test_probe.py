"""Linear probes: planted directions are found, noise is not, groups and types are kept apart."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.stats.probe import probe


@pytest.mark.parametrize("kind", ["ridge", "logistic"])
def test_a_planted_direction_is_found(kind: str) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 240)
    x = rng.normal(size=(240, 20)) + 4 * np.eye(20)[labels]
    found = probe(x, labels, kind=kind)  # type: ignore[arg-type]
    assert found.accuracy > 0.95
    assert found.low > found.majority
    assert found.classes == 3
    assert found.correct.mean() == pytest.approx(found.accuracy)


def test_more_dimensions_than_samples() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    x = rng.normal(size=(60, 300))
    assert probe(x, labels).low < 0.5 < probe(x, labels).high
    x[:, :40] += 2 * labels[:, None]
    assert probe(x, labels).accuracy > 0.9


def test_a_probe_that_memorises_types_has_no_selectivity() -> None:
    rng = np.random.default_rng(0)
    types = rng.integers(0, 10, 400)
    labels = (types % 2).astype(str)
    codes = np.eye(10)[types] + 0.05 * rng.normal(size=(400, 10))  # the types themselves can be read off
    by_type = probe(codes, labels, types=types)
    assert by_type.accuracy > 0.99
    assert by_type.control is not None
    assert by_type.control > 0.95
    assert by_type.selectivity_high is not None
    assert by_type.selectivity_high < 0.1
    direct = (labels == "1")[:, None] + 0.05 * rng.normal(size=(400, 5))  # only the label can
    by_label = probe(direct, labels, types=types)
    assert by_label.accuracy > 0.99
    assert by_label.selectivity_low is not None
    assert by_label.selectivity_low > 0


def test_groups_are_never_on_both_sides() -> None:
    rng = np.random.default_rng(0)
    own = np.repeat(np.arange(40), 6)
    labels = rng.integers(0, 2, 40)[own]
    x = rng.normal(size=(40, 60))[own] + 0.01 * rng.normal(size=(240, 60))  # a group gives itself away
    assert probe(x, labels).accuracy > 0.95
    held = probe(x, labels, groups=own)
    assert held.low < 0.5 < held.high
    assert held.groups == 40


def test_the_same_seed_gives_the_same_bytes() -> None:
    rng = np.random.default_rng(0)
    x, labels, types = rng.normal(size=(80, 6)), rng.integers(0, 3, 80), rng.integers(0, 9, 80)
    first, second = (probe(x, labels, types=types, seed=4) for _ in range(2))
    assert (first.correct == second.correct).all()
    assert first.selectivity == second.selectivity


def test_bad_input_is_said() -> None:
    x = np.zeros((20, 2))
    with pytest.raises(ValueError, match="two labels"):
        probe(x, [0] * 20)
    with pytest.raises(ValueError, match="5 groups"):
        probe(x, [0, 1] * 10, groups=[0, 1] * 10)
    with pytest.raises(ValueError, match="19 labels"):
        probe(x, [0] * 19)
    with pytest.raises(ValueError, match="no kind of probe"):
        probe(x, [0, 1] * 10, kind="tree")  # type: ignore[arg-type]
