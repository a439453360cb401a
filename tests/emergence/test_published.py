"""Verdicts on real scores: the embedded family as it was first trained, and the published Pythia results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saltus.emergence import detect_all
from saltus.records import Finding
from saltus.stats import fit_link


def by_task(
    points: list[dict[str, Any]], axis: str, name: str | None = None, **options: Any
) -> dict[str, Finding]:
    rows = points if name is None else [p for p in points if p["name"] == name]
    return {f.task: f for f in detect_all(rows, axis=axis, **options)}


def test_the_family_by_step(family_points: Any) -> None:
    found = by_task(family_points(), "step", "tiro-2x64")
    recall = found["recall"]
    assert (recall.verdict, recall.sharpness, recall.artifact) == ("emergent", "sharp", "jump_persists")
    assert recall.onset is not None
    assert 430 <= recall.onset.low <= recall.onset.high <= 550
    assert "breakthrough" in recall.headline
    recite = found["recite"]
    assert recite.verdict == "emergent"
    assert recite.artifact in ("metric_artifact", "metric_explained")
    assert found["facts"].verdict == "gradual"
    assert found["sort"].verdict == "gradual"
    assert found["parity"].verdict in ("not_above_chance", "no_change")
    assert found["override"].verdict == "declining"
    assert found["add1"].artifact == "jump_persists"


def test_facts_are_gradual_in_every_model_and_the_control_never_learns_recall(family_points: Any) -> None:
    points = [p for p in family_points() if p["task"] in ("facts", "recall")]
    findings = detect_all(points, axis="step")
    assert {f.verdict for f in findings if f.task == "facts"} <= {"gradual", "no_change"}
    one_layer = [f.verdict for f in findings if f.task == "recall" and f.series.startswith("tiro-1x")]
    assert len(one_layer) == 3
    assert set(one_layer) <= {"no_change", "not_above_chance"}


def test_the_family_by_size_names_the_control(family_points: Any) -> None:
    found = by_task(family_points(), "params")
    recall = found["recall"]
    assert (recall.verdict, recall.artifact) == ("emergent", "jump_persists")
    assert [p.model for p in recall.points if not p.used] == ["tiro-1x48@step2000"]
    text = " ".join(recall.reasons)
    assert (
        "tiro-1x48 (recorded as a control) scores 0.32 where the curve through the others says 1.00" in text
    )
    assert "Layers order them" in text
    assert found["facts"].verdict == "gradual"
    assert found["override"].verdict == "declining"
    assert found["parity"].verdict in ("not_above_chance", "no_change")


def test_the_family_by_layers(family_points: Any) -> None:
    found = by_task(family_points(), "layers")
    recall = found["recall"]
    assert (recall.verdict, recall.artifact) == ("emergent", "jump_persists")
    assert "between 1 and 2 layers" in recall.headline
    assert found["override"].verdict == "declining"


@pytest.mark.parametrize("seed", range(4))
def test_other_items_give_the_same_verdicts(family_points: Any, seed: int) -> None:
    points = family_points(rng=np.random.default_rng(seed))
    step = by_task(points, "step", "tiro-2x64")
    assert step["recall"].artifact == "jump_persists"
    assert step["recite"].artifact in ("metric_artifact", "metric_explained")
    assert step["facts"].verdict == "gradual"
    assert step["override"].verdict == "declining"
    size = by_task([p for p in points if p["task"] == "recall"], "params")["recall"]
    assert size.artifact == "jump_persists"
    assert "recorded as a control" in " ".join(size.reasons)


def test_bimodal_seeds_do_not_hide_the_jump_by_size(family_points: Any) -> None:
    points = [p for p in family_points(seeds=(0, 1, 2)) if p["task"] in ("recall", "add1")]
    found = by_task(points, "params")
    assert found["add1"].verdict == "emergent"
    assert found["recall"].verdict in ("emergent", "gradual")


def test_pythia_by_size(pythia_points: Any) -> None:
    findings = detect_all(pythia_points(), axis="params")
    assert len(findings) == 87
    emergent = [f for f in findings if f.verdict == "emergent"]
    assert len(emergent) <= 2
    assert not [f for f in emergent if f.sharpness == "sharp"]
    lambada = next(f for f in findings if f.task == "lambada_openai")
    # A saturating power law of exponent .43 describes it; the metric explains its rise all the same.
    assert (lambada.verdict, lambada.artifact) == ("gradual", "metric_explained")
    assert lambada.check is not None
    assert (lambada.check.works, lambada.check.partner) == (True, "ppl")
    mmlu = {f.verdict for f in findings if f.task.startswith("hendrycks")}
    assert mmlu <= {"no_change", "not_above_chance", "below_threshold", "gradual", "declining"}
    flat = [
        f
        for f in findings
        if f.task.startswith("hendrycks") and f.verdict in ("no_change", "not_above_chance")
    ]
    assert len(flat) >= 45


def test_obscaling_pythia(obscaling_points: Any) -> None:
    found = by_task(obscaling_points("Pythia"), "params")
    for task in ("arithmetic_2dm_2", "arithmetic_3ds_2"):
        finding = found[task]
        assert finding.verdict == "emergent"
        assert finding.onset is not None
        assert 1.2e9 <= finding.onset.low <= finding.onset.high <= 2.9e9
        assert finding.artifact == "unresolved"
    words = found["word_unscrambling_2"]
    assert words.verdict == "not_above_chance"
    assert words.resolution == pytest.approx(0.0362, abs=1e-4)
    assert "0.0362" in words.reasons[0]


def test_lambada_link_from_small_models(pythia_points: Any) -> None:
    rows = [row for row in pythia_points() if row["task"] == "lambada_openai"]
    share = {row["name"]: row for row in rows if row["metric"] == "acc"}
    loss = {row["name"]: float(np.log(row["value"])) for row in rows if row["metric"] == "ppl"}
    names = sorted(share, key=lambda name: share[name]["params"])
    size, y = (np.array([share[name][key] for name in names]) for key in ("params", "value"))
    nll, first, last = np.array([loss[name] for name in names]), size < 0.5e9, size > 2e9
    link = fit_link(nll[first], y[first], np.full(int(first.sum()), 5153.0))[0]
    assert np.sqrt(np.mean((link.predict(nll[last]) - y[last]) ** 2)) <= 0.015
