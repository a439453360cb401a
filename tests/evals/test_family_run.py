"""The embedded family, run for real: the numbers that the store holds are those of the plain computation."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

import saltus
from saltus.evals import evaluate
from saltus.family.catalog import checkpoints
from saltus.models import load_model
from saltus.tasks import get_suite

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LIMIT = 24


def test_the_family_scores_as_transformers_says(tmp_path: Path) -> None:
    store = saltus.open(tmp_path / "evidence")
    chosen = [*checkpoints("2x64", steps=[450, 2000]), *checkpoints("1x48", steps=[2000])]
    suite = get_suite("family")
    summary = evaluate(chosen, suite, store=store, limit=LIMIT, load=partial(load_model, threads=1))
    assert (summary.samples, summary.failed) == (3 * 8 * LIMIT, 0)
    points = {
        (row["model"], row["task"]): row["value"]
        for row in store.points().to_pylist()
        if row["metric"] == ("choice_correct" if row["task"] == "override" else "exact_match")
    }
    assert points["tiro-2x64@step2000", "recall"] > 0.9
    assert points["tiro-2x64@step450", "recall"] < 0.6
    assert points["tiro-1x48@step2000", "recall"] < 0.6  # one layer never gets it
    assert points["tiro-2x64@step2000", "override"] < 0.2
    model = transformers.AutoModelForCausalLM.from_pretrained(chosen[1].location, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(chosen[1].location)
    for task in suite.tasks:
        for sample in task.items()[:4]:
            prompt, target = (tokenizer(text)["input_ids"] for text in (sample.input, sample.target))
            with torch.inference_mode():
                rows = (
                    model(torch.tensor([prompt + target[:-1]])).logits[0, len(prompt) - 1 :].log_softmax(-1)
                )
            [kept] = store.sql(
                "SELECT logprobs FROM responses WHERE model = ? AND task = ? AND sample = ?",
                [chosen[1].id, task.name, sample.id],
            )["logprobs"].to_pylist()
            expected = [float(row[token]) for row, token in zip(rows, target, strict=True)]
            np.testing.assert_allclose(kept, expected, atol=1e-4)
    assert evaluate(chosen, suite, store=store, limit=LIMIT).requests == 0
