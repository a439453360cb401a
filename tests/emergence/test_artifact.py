"""The artifact check on made pairs of metrics whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saltus.emergence import detect
from saltus.records import Finding

X = np.geomspace(1e8, 1.2e10, 12)
U = np.linspace(0, 2.08, 12)


def finding_for(
    made: Any,
    nll: np.ndarray | None,
    y: np.ndarray,
    metric: str = "target_logprob",
    seed: int = 0,
    **more: Any,
) -> Finding:
    rng = np.random.default_rng(seed)
    rows = made(X, rng.binomial(1000, np.clip(y, 0, 1)) / 1000, chance=0.0, **more)
    if nll is not None:
        noise = 0.01 * rng.standard_normal(12)
        value = np.exp(nll + noise) if metric == "ppl" else -(nll + noise)
        rows += [
            {**r, "metric": metric, "value": float(v), "stderr": 0.01}
            for r, v in zip(rows, value, strict=True)
        ]
        if metric == "ppl":
            rows = [{**r, "metric": "acc"} if r["metric"] == "exact_match" else r for r in rows]
            for row in rows:
                if row["metric"] == "ppl":
                    row["stderr"] = 0.01 * row["value"]
    return detect(rows, axis="params")


@pytest.mark.parametrize("metric", ["target_logprob", "ppl"])
@pytest.mark.parametrize("length", [5, 10])
def test_smooth_progress_through_p_to_the_l_is_an_artifact(made: Any, length: int, metric: str) -> None:
    nll = 0.02 + 1.2 * 10 ** (-0.66 * U)
    finding = finding_for(made, nll, np.exp(-length * nll), metric)
    assert finding.verdict == "emergent"
    assert finding.artifact == "metric_artifact"
    assert finding.partner == metric
    assert "artifact" in finding.headline
    assert any("power link" in r and "predicts the other" in r for r in finding.reasons)


def test_a_break_of_the_continuous_metric_persists(made: Any) -> None:
    there = U > 1.1
    finding = finding_for(made, np.where(there, 0.05, 2.0) - 0.05 * U + 0.1, np.where(there, 0.93, 0.0))
    assert finding.artifact == "jump_persists"
    assert "breakthrough" in finding.headline


def test_a_continuous_metric_that_bends_but_does_not_break_explains(made: Any) -> None:
    nll = 0.05 + 1.5 / (1 + np.exp((U - 0.9) * 3.0))
    finding = finding_for(made, nll, np.exp(-6 * nll))
    assert finding.artifact in ("metric_explained", "metric_artifact")


def test_a_jump_that_no_link_reaches_is_not_explained(made: Any) -> None:
    finding = finding_for(made, 2.0 - 0.3 * U, np.where(U > 1.1, 0.9, 0.0))
    assert finding.artifact == "unresolved"


def test_without_a_continuous_metric_it_says_what_to_record(made: Any) -> None:
    finding = finding_for(made, None, np.where(U > 1.1, 0.9, 0.0))
    assert finding.artifact == "unresolved"
    assert finding.partner is None
    assert any("record target_logprob or token_edit_distance" in r for r in finding.reasons)


def test_zero_is_no_evidence_of_absence_where_the_link_expects_less_than_can_be_seen(made: Any) -> None:
    nll = 0.02 + 1.2 * 10 ** (-0.66 * U)
    finding = finding_for(made, nll, np.exp(-10 * nll))
    assert any("no evidence of absence" in r for r in finding.reasons)
