"""Rows on answers that come in clusters (passages, templates): ten times fewer independent samples."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

import saltus
from saltus.emergence import detect
from saltus.records import ModelRecord, RunRecord, Sample
from saltus.stats import clustered_mean

from .detector_rows import Call, call_of, share
from .harness import Bar, Plan, Rate, measures
from .truths import Design, Truth, any_null, rows_of

KINDS = ("flat", "linear", "saturating")
EFFECT, CLUSTER = 10.0, 20  # variance over that of independent answers; answers a cluster
_WITHIN = (EFFECT - 1) / (CLUSTER - 1)  # correlation within clusters that gives this effect (Kish 1965)
_CLUSTERS = 50


def _answers(truth: Truth, scales: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scales and answers of shape (scales, clusters, answers): beta-binomial clusters, new for each model."""
    u = Design(scales).places(truth, rng)
    mean = np.clip(truth.curve(u), 1e-3, 1 - 1e-3)[:, None]
    precision = 1 / _WITHIN - 1
    rate = rng.beta(mean * precision, (1 - mean) * precision, (len(u), _CLUSTERS))
    return u, rng.random((len(u), _CLUSTERS, CLUSTER)) < rate[:, :, None]


def _with_errors(rng: np.random.Generator, i: int) -> tuple[Call, Call]:
    kind = KINDS[i % 3]
    truth = any_null(kind, rng)
    u, right = _answers(truth, int(rng.choice([5, 8, 12])), rng)
    flat = right.reshape(len(u), -1).astype(float)
    label = np.repeat(np.arange(_CLUSTERS), CLUSTER)
    errors = [clustered_mean(row, label).stderr for row in flat]
    both = []
    for stderr in (errors, [None] * len(u)):
        rows = rows_of(u, flat.mean(1), n=float(flat.shape[1]), chance=truth.chance, stderr=stderr)
        both.append(call_of(kind, detect(rows, axis="params", seed=i)))
    return both[0], both[1]


@measures(
    Bar("emergent", "clustered nulls (design effect 10), clustered errors given: emergent", most=0.05),
    Bar("sharp", "the same called sharp", most=0.02),
    Bar("unknown", "the same with clusters unknown: emergent"),
    seed=201,
)
def errors_given(plan: Plan) -> dict[str, Rate]:
    found = plan.map(_with_errors, 900)
    known, unknown = [a for a, _ in found], [b for _, b in found]
    return {
        "emergent": share(known, "emergent"),
        "sharp": share(known, "sharp"),
        "unknown": share(unknown, "emergent"),
    }


@measures(
    Bar("emergent", "clustered nulls as rows a sample in a store, slice `cluster`: emergent", most=0.05),
    seed=202,
    quick=0.2,
)
def rows_in_a_store(plan: Plan) -> dict[str, Rate]:
    size = plan.size(150, 15)
    with tempfile.TemporaryDirectory() as folder:
        store = saltus.open(folder)
        store.append("runs", [RunRecord(id="r", kind="run", source="simulation", format="saltus")])
        truths = list(_fill(store, size, plan.seed))
        points = store.points().to_pylist()
    by_task: dict[str, list[dict[str, Any]]] = {}
    for row in points:
        by_task.setdefault(row["task"], []).append(row)
    calls = [
        call_of(truth.kind, detect(by_task[f"t{i}"], axis="params", seed=i)) for i, truth in enumerate(truths)
    ]
    return {"emergent": share(calls, "emergent")}


def _fill(store: Any, size: int, seed: int) -> Iterator[Truth]:
    """Models, samples and scores of `size` tasks, each on eight models."""
    span = np.linspace(8, 10, 8)
    models = [ModelRecord(name=f"m{i}", family="made", params=float(10**u)) for i, u in enumerate(span)]
    store.append("models", models)
    labels = [f"c{i // CLUSTER}" for i in range(_CLUSTERS * CLUSTER)]
    for i in range(size):
        rng = np.random.default_rng([seed, i])
        truth = any_null(KINDS[i % 3], rng)
        # Its own span is laid over that of the eight models.
        moved = Truth(
            truth.kind,
            lambda u, t=truth: t.curve(t.low + (u - 8) / 2 * (t.high - t.low)),
            truth.chance,
            8.0,
            10.0,
        )
        _, right = _answers(moved, 8, rng)
        ids = [f"s{j}" for j in range(len(labels))]
        store.append(
            "samples",
            [
                Sample(
                    task=f"t{i}",
                    task_version="1",
                    id=name,
                    input=name,
                    target="",
                    chance=truth.chance,
                    slices={"cluster": label},
                )
                for name, label in zip(ids, labels, strict=True)
            ],
        )
        values = right.reshape(8, -1).astype(float)
        store.append(
            "scores",
            pa.table(
                {
                    "run": ["r"] * values.size,
                    "model": np.repeat([m.id for m in models], values.shape[1]).tolist(),
                    "task": [f"t{i}"] * values.size,
                    "sample": ids * 8,
                    "metric": ["exact_match"] * values.size,
                    "value": values.ravel(),
                }
            ),
        )
        yield truth
