"""A store with one run that has what an export meets: choices, epochs, variants, failures, tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import saltus
from saltus.records import Aggregate, ModelRecord, Response, RunRecord, Sample, Score, ToolCall
from saltus.store import Store

RUN = "abcdef0123456789"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with saltus.open(tmp_path / "evidence") as opened:
        fill(opened)
        yield opened


def fill(store: Store) -> None:
    store.append("runs", [RunRecord(id=RUN, kind="run", source="mine", format="saltus", created=1.7e9)])
    store.append(
        "models",
        [
            ModelRecord(
                name="org/net", revision="step10", family="net", params=1e6, step=10, released="2024-05-01"
            ),
            ModelRecord(name="plain", family="net", params=2e6),
        ],
    )
    for model in ("org/net@step10", "plain"):
        _generation(store, model)
        _choice(store, model)
    store.append(
        "aggregates", [Aggregate(run=RUN, model="plain", task="text", metric="ppl", value=9.5, n=12)]
    )


def _generation(store: Store, model: str) -> None:
    samples, responses, scores = [], [], []
    for i in range(8):
        samples.append(
            Sample(
                task="sums: easy", task_version="v", id=f"s/{i}", input=f"{i}+1=", target=str(i + 1),
                chance=0.1, slices={"cluster": f"c{i // 3}", "hard": "no"},
                extra={"system": "Add.", "references": [f"={i + 1}"]},
            )
        )  # fmt: skip
        for epoch in range(2):
            for variant in ("", "typos:rate=0.1"):
                failed = i == 7 and epoch == 1
                said = str(i + 1) if (i + epoch + len(variant)) % 3 else "no, it is\n„5“"
                responses.append(
                    Response(
                        run=RUN, model=model, task="sums: easy", sample=f"s/{i}", variant=variant,
                        epoch=epoch, output="" if failed else said, output_tokens=() if failed else (7, 8),
                        output_logprobs=() if failed else (-0.5, -0.25), usage=(4, 2), latency=0.25,
                        finish="error" if failed else "length", error="the server hung up" if failed else "",
                        prompt=f"{i}+ 1=" if variant else "",
                        tool_calls=(ToolCall("add", '{"x": 1}', "t1"),) if i == 2 else (),
                    )
                )  # fmt: skip
                if not failed:
                    right = float(said == str(i + 1))
                    base = {"run": RUN, "model": model, "task": "sums: easy", "sample": f"s/{i}"}
                    more = {"variant": variant, "epoch": epoch}
                    scores += [
                        Score(**base, **more, metric="exact_match", value=right),
                        Score(**base, **more, metric="target_logprob", value=-1.5 * i - epoch),
                    ]
    for table, rows in (("samples", samples), ("responses", responses), ("scores", scores)):
        store.append(table, rows)


def _choice(store: Store, model: str) -> None:
    for i in range(3):
        answer = i % 2
        store.append(
            "samples",
            [
                Sample(
                    task="pick", task_version="v", id=str(i), input="Which?", target="ab"[answer],
                    choices=("a", "b"), answer=answer, chance=0.5,
                )
            ],
        )  # fmt: skip
        store.append(
            "responses",
            [
                Response(
                    run=RUN, model=model, task="pick", sample=str(i), output="a",
                    choice_logprobs=(-0.5, -1.0), logprobs=(-0.5,), greedy=(True,),
                )
            ],
        )  # fmt: skip
        base = {"run": RUN, "model": model, "task": "pick", "sample": str(i)}
        logprob = Score(**base, metric="target_logprob", value=(-0.5, -1.0)[answer])
        store.append("scores", [Score(**base, metric="choice_correct", value=float(answer == 0)), logprob])


@pytest.fixture
def run() -> str:
    return RUN
