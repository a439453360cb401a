"""Features at places are the activations themselves, whatever the batches."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from saltus.interpret.geometry import Places, ends, every_token, groups_of, read_features, sources  # noqa: E402
from saltus.interpret.network.hooked import Site  # noqa: E402
from saltus.records.errors import InputError, UsageError  # noqa: E402


def test_features_are_the_activations(recall, model) -> None:
    sites = [Site("resid_post", 0), Site("z", 1), Site("neurons", 1)]
    places = Places(np.array([3, 0, 3, 7]), np.array([2, 5, 1, 0]))
    found = read_features(model, recall, sites, places, batch_tokens=40)
    [batch] = recall.batches(model.device, 10**6)
    whole = model.run(batch, read=sites, logits=False).values
    row = {int(own): i for i, own in enumerate(batch.rows)}
    for site in sites:
        wanted = np.stack(
            [whole[site][row[r], p].flatten().numpy() for r, p in zip(places.rows, places.at, strict=True)]
        )
        np.testing.assert_allclose(found[site], wanted, atol=1e-5)


def test_places_by_name(recall) -> None:
    assert (ends(recall).at == recall.starts).all()
    assert groups_of(recall, ends(recall)) is None
    every = every_token(recall, first=2)
    assert len(every) == int((recall.starts - 1).sum())
    assert len(np.unique(groups_of(recall, every))) == len(recall)
    held = sources(recall)
    answers = recall.answers[held.rows, 0]
    assert (recall.tokens[held.rows, held.at] == answers).all()  # recall's source holds the answer


def test_bad_places_are_said(recall, model) -> None:
    with pytest.raises(UsageError, match=r"place 99 lies outside prompt 1"):
        read_features(model, recall, [Site("resid_post", 0)], Places(np.array([0, 1]), np.array([0, 99])))
    with pytest.raises(UsageError, match="at least one"):
        read_features(model, recall, [Site("resid_post", 0)], Places(np.array([], int), np.array([], int)))
    with pytest.raises(UsageError, match="no features"):
        read_features(model, recall, [Site("pattern", 0)])


def test_a_task_without_sources_is_said(recall) -> None:
    import msgspec

    with pytest.raises(InputError, match="marks no sources"):
        sources(msgspec.structs.replace(recall, sources=None))
