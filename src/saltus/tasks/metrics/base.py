"""What a metric is: from one response, from several to one sample, or from the two of a pair, to one number.

What the numbers mean (bounds, direction, partners) stands in `saltus.records.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import msgspec

from saltus.records.evidence import Response, Sample

Need = Literal["output", "target_logprobs", "choice_logprobs"]
Pair = tuple[Sample, Response]


class Metric(msgspec.Struct, frozen=True):
    """How one response is scored.

    Attributes:
        name: As it stands in the store.
        needs: "output" (generated text and its tokens), "target_logprobs" (those of the target's tokens, with
            the tokens and greedy flags), "choice_logprobs" (the sum of each choice).
        compute: The score of one response; NaN where it has none (the precision of no citations).
        extra: Keys of `Sample.extra` that it reads; a sample without one of them is not scored by it.
        batch: Scores many responses at once, as a sandbox does; called instead of `compute`.
    """

    name: str
    needs: tuple[Need, ...]
    compute: Callable[[Sample, Response], float]
    extra: tuple[str, ...] = ()
    batch: Callable[[Sequence[Pair]], list[float]] | None = None


class GroupMetric(msgspec.Struct, frozen=True):
    """How several responses to one sample are scored together.

    Attributes:
        name: As it stands in the store.
        over: "epochs" groups the repeats of one variant of a sample (the score keeps that variant),
            "variants" all variants of a sample (the score's variant is "*").
        compute: The score of one group, in the order of epochs, or of variants with the plain one first; NaN
            where it has none.
        extra: Keys of `Sample.extra` that it reads; a sample without one of them is not scored by it.
    """

    name: str
    over: Literal["epochs", "variants"]
    compute: Callable[[Sample, Sequence[Response]], float]
    extra: tuple[str, ...] = ()


class PairMetric(msgspec.Struct, frozen=True):
    """How the responses to two samples that belong together are scored: `extra["pair"]` names the partner.

    Attributes:
        name: As it stands in the store. The score stands at the sample whose id comes first.
        needs: As for `Metric`, of both.
        compute: The score of two responses, that of the first sample first; NaN where it has none.
        extra: Keys of `Sample.extra` that it reads, of both samples.
    """

    name: str
    needs: tuple[Need, ...]
    compute: Callable[[Pair, Pair], float]
    extra: tuple[str, ...] = ("pair",)


AnyMetric: TypeAlias = Metric | GroupMetric | PairMetric
