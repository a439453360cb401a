"""How long it takes to ask 20,000 samples in each variant: CPU seconds, and how many it applies to."""

from __future__ import annotations

import time

from saltus.records import Sample
from saltus.tasks.variants import get_variant

N = 20_000
NAMES = (
    "typos",
    "casing",
    "punctuation",
    "synonyms",
    "truncated",
    "few_shot:k=5",
    "few_shot:k=5,same=yes",
    "paraphrased",
    "language:to=fr",
    "distractor",
    "misleading",
    "override",
    "rename",
    "nonce",
    "few_shot:k=5+typos",
)


def main() -> None:
    samples = [
        Sample(
            task="apples",
            task_version="1",
            id=str(i),
            input=f"Q: Tom has {i} apples and buys 7 more apples at the shop on the corner. "
            "How many apples does Tom have in the end?\nA:",
            target=str(i + 7),
        )
        for i in range(N)
    ]
    for name in NAMES:
        variant = get_variant(name)
        start = time.process_time()
        applied = sum(variant.apply(sample, samples) is not None for sample in samples)
        print(f"{name:24s} {time.process_time() - start:6.2f} s   {applied:,} of {N:,}")


if __name__ == "__main__":
    main()
