"""Probes, similarity, dimension, separation and pictures on the family: what arrives before recall does."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from saltus.interpret.development.follow import follow  # noqa: E402
from saltus.interpret.geometry import (  # noqa: E402
    Places,
    answer_target,
    checkpoint_similarity,
    dimension_measure,
    layer_separation,
    layer_similarity,
    pca_path,
    probe_effects,
    probe_layers,
    probe_measure,
    read_features,
    separation_measure,
    similarity_measure,
    token_target,
)
from saltus.interpret.network.checkpoints import open_checkpoints, random_models  # noqa: E402
from saltus.interpret.network.hooked import Site  # noqa: E402
from saltus.records.errors import UsageError  # noqa: E402


def digits(prompts) -> Places:
    """Where recall's digits stand, each after its letter."""
    rows = np.arange(len(prompts))
    return Places(np.repeat(rows, 7), np.tile(np.arange(2, 16, 2), len(rows)))


def test_the_previous_token_arrives_before_recall(recall, records) -> None:
    target = token_target(recall, digits(recall))
    answer = answer_target(recall)
    found = follow(records, [probe_measure(recall, target), probe_measure(recall, answer)], draws=2)
    start, middle, end = found.readings
    name = "previous token probe:L0"
    assert start[name].high < middle[name].low  # step 400: recall still stands at its chance
    assert middle[name].high < end[name].low
    assert end[name].value > 0.98
    assert middle["answer probe:L1"].value < 0.35
    assert end["answer probe:L1"].value > 0.9
    assert end["answer probe:L0"].value < 0.35  # the first layer does not know the answer
    best = end["answer probe"]
    assert (best.of, best.component) == (2, "L1")
    assert best.baseline is not None
    assert best.baseline < 0.35  # the best layer of networks that learned nothing
    assert {row.component for row in found.effects("r")} == {"L0", "L1"}


def test_probes_with_their_controls_become_rows(recall, model, records) -> None:
    target = token_target(recall, digits(recall))
    probes = probe_layers(model, recall, target, untrained=random_models(records[-1], 2))
    assert [one.site for one in probes] == [Site("resid_post", 0), Site("resid_post", 1)]
    first = probes[0]
    assert first.score.selectivity_low is not None
    assert first.score.selectivity_low > 0.5
    assert len(first.untrained) == 2
    assert max(first.untrained) < 0.6
    rows = probe_effects(probes, recall, target, run="r", model=model.name)
    assert [(row.component, row.method, row.metric) for row in rows] == [
        ("L0", "probe", "accuracy"),
        ("L1", "probe", "accuracy"),
    ]
    assert rows[0].baseline == first.score.control
    assert json.loads(rows[0].detail)["target"] == "previous token"


def test_layers_and_checkpoints_are_alike_where_they_should_be(recall, model, records) -> None:
    own = layer_similarity(model, model, recall, batch_tokens=300)
    assert own.rows == ("L0", "L1")
    assert own.cells[0][0].value == pytest.approx(1)
    assert own.cells[0][1].value == pytest.approx(own.cells[1][0].value)
    across = own.cells[0][1]
    assert across.low is not None
    assert across.high is not None
    assert 0 < across.low < across.value < across.high < 0.9
    site = Site("resid_post", 1)
    for measure in ("cka", "procrustes"):
        found = checkpoint_similarity(
            open_checkpoints(records), recall, site, measure=measure, permutations=19
        )
        values = np.array([[cell.value for cell in row] for row in found.cells])
        np.testing.assert_allclose(values, values.T)
        np.testing.assert_allclose(np.diag(values), measure == "cka", atol=1e-6)
        assert found.rows == tuple(record.id for record in records)


def test_everything_follows_training(recall, model, records) -> None:
    sites = [Site("resid_post", 0), Site("resid_post", 1)]
    reference = read_features(model, recall, sites)
    answers = recall.answers[:, 0]
    measures = [
        similarity_measure(reference, recall, permutations=5),
        similarity_measure(reference, recall, measure="procrustes", permutations=5),
        dimension_measure(recall),
        separation_measure(recall, answers),
    ]
    found = follow(records, measures, draws=0)
    start, _, end = found.readings
    assert start["cka:L1"].high < 0.5
    assert end["cka:L1"].value == pytest.approx(1, abs=1e-5)
    assert end["procrustes:L1"].value == pytest.approx(0, abs=1e-5)
    assert start["between_share:L1"].high < 0.05
    assert end["between_share:L1"].low > 0.4
    assert 1 < end["participation_ratio:L1"].value < end["participation_ratio:L1"].baseline
    split = layer_separation(model, recall, answers, sites=sites[1:], measure="silhouette")
    assert split[sites[1]].p == pytest.approx(1 / 101)


def test_pictures_share_their_axes(recall, records) -> None:
    site = Site("resid_post", 1)
    for fit in ("last", "joint"):
        path = pca_path(open_checkpoints(records), recall, site, axes=3, fit=fit)
        assert path.coordinates.shape == (3, len(recall), 3)
        np.testing.assert_allclose(path.basis.T @ path.basis, np.eye(3), atol=1e-9)
        np.testing.assert_allclose(path.coordinates.mean(1), 0, atol=1e-4)
        for share, most in zip(path.explained, path.own, strict=True):
            assert share.low <= share.value <= share.high
            assert share.value <= most + 1e-9
        assert path.steps == (0, 400, 2000)
        assert set(path.labels) == {str(one) for one in recall.answers[:, 0]}
    last = pca_path(open_checkpoints(records), recall, site)
    assert last.explained[-1].value == pytest.approx(last.own[-1])
    assert last.explained[-1].low > last.chance


def test_bad_questions_are_said(recall, model, records) -> None:
    with pytest.raises(UsageError, match="no token 3 before"):
        token_target(recall, digits(recall), back=3)
    with pytest.raises(UsageError, match="no similarity"):
        checkpoint_similarity([], recall, Site("resid_post", 0), measure="svcca")
    with pytest.raises(UsageError, match="two classes or more"):
        layer_separation(model, recall, ["a"] * len(recall))
    with pytest.raises(UsageError, match="axes at most"):
        pca_path(open_checkpoints(records[:1]), recall, Site("resid_post", 0), axes=1000)
    with pytest.raises(UsageError, match="one basis needs"):
        pca_path([], recall, Site("resid_post", 0))
    few = recall.take(range(4))
    with pytest.raises(UsageError, match="5 groups"):
        probe_layers(model, few, answer_target(few))
