"""Multiple choice on local models: samples a second, and how much of the time is not the network itself.

The floor beside it is a plain padded batch: one row for each choice, right padding, the same network. Two
subjects: a random GPT-NeoX with 30 million parameters, and the embedded family end to end.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

import saltus
from saltus.evals import evaluate
from saltus.family.catalog import finals, path
from saltus.models import TransformersModel, load_model
from saltus.models.network import Network
from saltus.records import LoglikelihoodRequest
from saltus.tasks import get_suite

SHAPES = {"4 choices of 8 tokens, context 96": (96, 4, 8), "4 choices of 1 token, context 96": (96, 4, 1)}
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
ITEMS = 64


def random_model(folder: Path) -> TransformersModel:
    """30 million parameters with the family's tokenizer."""
    torch.manual_seed(0)
    config = transformers.GPTNeoXConfig(
        vocab_size=8192,
        hidden_size=512,
        num_hidden_layers=7,
        num_attention_heads=8,
        intermediate_size=2048,
        max_position_embeddings=512,
    )
    model = transformers.GPTNeoXForCausalLM(config)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(path("tiro-2x64")).save_pretrained(folder)
    print(f"random GPT-NeoX, {sum(p.numel() for p in model.parameters()) / 1e6:.0f}M parameters, one thread")
    return TransformersModel(folder, threads=1)


def items(context: int, choices: int, length: int) -> list[LoglikelihoodRequest]:
    """Random texts; contexts differ in length by up to a quarter."""
    random = np.random.default_rng(0)

    def text(size: int) -> str:
        return "".join(random.choice(list(LETTERS), size))

    return [
        LoglikelihoodRequest(
            text(int(random.integers(context * 3 // 4, context + 1))),
            tuple(text(length) for _ in range(choices)),
        )
        for _ in range(ITEMS)
    ]


def padded(
    model: TransformersModel, requests: list[LoglikelihoodRequest], rows: int = 128
) -> list[list[float]]:
    """The floor: every choice with its whole context, all logits of the batch."""
    pairs = model._encoder.pairs([r.context for r in requests], [r.continuations for r in requests])
    flat = [(i, context + ids, len(ids)) for i, (context, rest) in enumerate(pairs) for ids in rest]
    totals: list[list[float]] = [[] for _ in requests]
    for start in range(0, len(flat), rows):
        batch = flat[start : start + rows]
        ids = torch.zeros(len(batch), max(len(row) for _, row, _ in batch), dtype=torch.long)
        for place, (_, row, _) in enumerate(batch):
            ids[place, : len(row)] = torch.tensor(row)
        with torch.inference_mode():
            logprobs = model._network.model(ids, use_cache=False).logits.float().log_softmax(-1)
        for place, (owner, row, length) in enumerate(batch):
            at = range(len(row) - length, len(row))
            totals[owner].append(sum(float(logprobs[place, i - 1, row[i]]) for i in at))
    return totals


class Stopwatch:
    """Adds up the time inside forward passes."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._logits = Network.logits

    def __enter__(self) -> Stopwatch:
        watch, original = self, self._logits

        def timed(network: Network, *args: Any, **inputs: Any) -> Any:
            start = time.perf_counter()
            try:
                return original(network, *args, **inputs)
            finally:
                watch.seconds += time.perf_counter() - start

        Network.logits = timed  # type: ignore[method-assign]
        return self

    def __exit__(self, *error: object) -> None:
        Network.logits = self._logits  # type: ignore[method-assign]


def main() -> None:
    """Print the figures."""
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        model = random_model(Path(folder) / "model")
        for name, shape in SHAPES.items():
            requests = items(*shape)
            model.loglikelihood(requests[:4])
            with Stopwatch() as watch:
                start = time.perf_counter()
                answers = model.loglikelihood(requests)
                ours = time.perf_counter() - start
            start = time.perf_counter()
            plain = padded(model, requests)
            floor = time.perf_counter() - start
            found = np.array([[one.total for one in answer.continuations] for answer in answers])
            print(
                f"  {name}: {ITEMS / ours:6.1f} samples/s "
                f"({100 * (1 - watch.seconds / ours):.1f} % outside forward passes), "
                f"padded {ITEMS / floor:6.1f}, {floor / ours:.1f} times as fast; "
                f"largest difference {np.abs(found - np.array(plain)).max():.1e} nats"
            )
        store = saltus.open(Path(folder) / "evidence")
        with Stopwatch() as watch:
            summary = evaluate(
                finals(), get_suite("family"), store=store, load=partial(load_model, threads=1)
            )
        print(
            f"family, {len(finals())} final checkpoints x 8 tasks x 256 items: {summary.seconds:.1f} s, "
            f"{summary.samples / summary.seconds:.0f} samples/s, "
            f"{summary.requests / summary.seconds:.0f} requests/s, "
            f"{100 * (1 - watch.seconds / summary.seconds):.0f} % outside forward passes"
        )
        again = evaluate(finals(), get_suite("family"), store=store, load=partial(load_model, threads=1))
        print(f"  the same again: {again.seconds:.2f} s, {again.requests} requests")


if __name__ == "__main__":
    main()
