"""A run of two models on two tasks with all that a queue looks at; as a script one rater labels it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import saltus
from saltus.evals.labelling import Session, find_queue
from saltus.records import Response, RunRecord, Sample, Score
from saltus.store import Store

RUN = "run0"
ITEMS = 40


def fill(path: Path, *, items: int = ITEMS) -> Store:
    """Model "large" is right on three of four sums, "tiny" on one; "limits" has requests to refuse."""
    store = saltus.open(path)
    store.append("runs", [RunRecord(id=RUN, kind="run", source="s", format="saltus", created=1.0)])
    samples, responses, scores = [], [], []
    rng = np.random.default_rng(5)
    for i in range(items):
        name = f"{i:04d}"
        samples += [
            Sample(task="sums", task_version="1", id=name, input=f"What is {i} + 2?", target=f" {i + 2}"),
            Sample(
                task="limits",
                task_version="1",
                id=name,
                input=f"Please do thing {i}.",
                target="No.",
                slices={"kind": "suspicious"} if i % 8 == 0 else {"kind": "plain"},
                extra={"system": "Be kind.", "tools": [{"name": "do"}]} if i % 8 == 1 else {},
            ),
        ]
        for model, share in (("tiny", 4), ("large", 0)):
            right = i % 4 == 0 if share else i % 4 != 0
            said = f" {i + 2}" if right else " unsure"
            surely = float(rng.uniform(-0.05, 0)) if i % 5 else -2.0
            common = {"run": RUN, "model": model, "sample": name}
            responses += [
                Response(**common, task="sums", output=said, finish="stop", output_logprobs=(surely, surely)),
                Response(**common, task="limits", output=f"Done {i}.", finish="stop"),
            ]
            scores += [
                Score(**common, task="sums", metric="exact_match", value=float(right)),
                Score(**common, task="limits", metric="refusal_correct", value=float(i % 8 != 0)),
                Score(**common, task="limits", metric="refusal_grade", value=0.5 if i % 10 == 3 else 1.0),
            ]
    store.append("samples", samples)
    store.append("responses", responses)
    store.append("scores", scores)
    return store


def work(path: str, rater: str) -> None:
    """Label until nothing waits; says each item only after it was recorded."""
    with saltus.open(path, create=False) as store:
        session = Session(store, find_queue(store), rater)
        while (number := session.next()) is not None:
            session.answer(number, number % 2)
            print(number, flush=True)


if __name__ == "__main__":
    work(*sys.argv[1:])
