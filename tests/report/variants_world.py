"""Scores of variants beside the plain ones, drawn with known chances of a flip."""

from __future__ import annotations

import numpy as np

import saltus
from saltus.records import ModelRecord, RunRecord, Sample, Score
from saltus.store import Store

LOSS = {"typos:kind=mixed,rate=0.1": 0.15, "casing:mode=upper": 0.04, "language:to=de": 0.02, "override": 0.4}


def add_variants(
    store: Store, *, task: str = "sums", epochs: int = 1, n: int = 120, models: int = 2, seed: int = 0
) -> None:
    """Append samples and scores: every variant loses a share of what was right, and gains a little."""
    rng = np.random.default_rng(seed)
    names = [f"tiny-{place}" for place in range(models)]
    store.append("models", [ModelRecord(name=name, family="tiny", params=1e6) for name in names])
    run = RunRecord(id=f"variants-{task}", kind="run", source="sums", format="saltus", created=1.75e9)
    store.append("runs", [run])
    samples = [
        Sample(
            task=task,
            task_version="1",
            id=f"{task}-{i:03d}",
            input=f"What is {i} + 1?",
            target=str(i + 1),
            slices={"difficulty": "hard" if i % 3 == 0 else "easy", "text": str(i // 4)},
        )
        for i in range(n)
    ]
    store.append("samples", samples)
    scores: list[Score] = []
    for place, name in enumerate(names):
        ability = rng.beta(4, 1 + place, n) if epochs > 1 else (rng.random(n) < 0.8).astype(float)
        ability[::3] *= 0.5 if epochs > 1 else 1.0
        for variant, loss in {"": 0.0, **LOSS}.items():
            chance = np.where(rng.random(n) < loss, 0.05 * (epochs > 1), ability)
            for epoch in range(epochs):
                marks = (rng.random(n) < chance) * 1.0
                scores += [
                    Score(
                        run=run.id,
                        model=name,
                        task=task,
                        sample=sample.id,
                        metric="exact_match",
                        value=float(mark),
                        variant=variant,
                        epoch=epoch,
                    )
                    for sample, mark in zip(samples, marks, strict=True)
                ]
    store.append("scores", scores)


def variant_store(path: str, **options: int) -> Store:
    """A store that holds variants of one task."""
    store = saltus.open(path)
    add_variants(store, **options)  # type: ignore[arg-type]
    return store
