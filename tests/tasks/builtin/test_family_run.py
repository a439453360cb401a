"""Built-in suites asked of the embedded family: small models, a small alphabet, 64 characters of context.

Nothing is learned from the scores but that guessing scores chance; what counts is that every sample is either
scored or named as failed.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

import saltus
from saltus.evals import evaluate
from saltus.family.catalog import checkpoints
from saltus.models import load_model
from saltus.tasks import get_suite

pytest.importorskip("torch")

LIMIT = 60


def test_an_untrained_model_guesses_at_chance(tmp_path: Path) -> None:
    store = saltus.open(tmp_path / "evidence")
    for name in ("bias", "refusal/refusal-judgement"):
        summary = evaluate(
            checkpoints("2x64", steps=[0]),
            get_suite(name),
            store=store,
            limit=LIMIT,
            load=partial(load_model, threads=1),
        )
        assert summary.failed == 0
    points = [row for row in store.points().to_pylist() if row["metric"] == "choice_correct"]
    assert len(points) == 3
    for row in points:
        assert abs(row["value"] - row["chance"]) < 0.19, row[
            "task"
        ]  # three standard errors of 60 at one half


def test_what_is_too_long_is_named(tmp_path: Path) -> None:
    store = saltus.open(tmp_path / "evidence")
    suite = get_suite("recall,arithmetic/arithmetic-addition")
    summary = evaluate(
        checkpoints("2x64", steps=[2000]), suite, store=store, limit=5, load=partial(load_model, threads=1)
    )
    assert summary.samples + summary.failed == 5 * len(suite.tasks)
    # Its longest targets do not fit: they are not scored, what the model wrote is.
    short = (
        "SELECT count(*) AS n FROM responses WHERE task = 'recall-copy' AND error LIKE '%a continuation has%'"
    )
    assert store.sql(short)["n"][0].as_py() > 0
    asked = store.sql(
        "SELECT count(*) AS n FROM responses WHERE task = 'arithmetic-addition' AND finish <> 'error'"
    )
    assert asked["n"].to_pylist() == [5]
    assert (
        store.sql("SELECT count(*) AS n FROM responses WHERE error LIKE 'The prompt was cut%'")["n"][
            0
        ].as_py()
        > 5
    )
