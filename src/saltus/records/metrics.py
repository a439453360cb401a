"""What each metric means: bounds, direction, and which continuous metric stands beside a discontinuous one.

A discontinuous metric gives full marks or none (exact match, accuracy). It can turn smooth progress into a
cliff (Schaeffer et al. 2023, arXiv:2304.15004), so each one names continuous metrics of the same responses.
"""

from __future__ import annotations

import msgspec


class MetricInfo(msgspec.Struct, frozen=True):
    """How to read one metric.

    Attributes:
        name: As it stands in the store.
        kind: "discontinuous" or "continuous".
        low: Smallest possible value, or None when unbounded.
        high: Largest possible value, or None when unbounded.
        higher_is_better: Direction of progress.
        unit: "share", "nats", "grade", "count", "perplexity".
        pairs: Continuous metrics that can stand beside it, best first.
    """

    name: str
    kind: str
    low: float | None = 0.0
    high: float | None = 1.0
    higher_is_better: bool = True
    unit: str = "share"
    pairs: tuple[str, ...] = ()


_PAIRS = ("target_logprob", "choice_logprob", "token_accuracy", "ppl", "perplexity", "brier")

METRICS: dict[str, MetricInfo] = {
    info.name: info
    for info in (
        MetricInfo(
            "exact_match", "discontinuous", pairs=("target_logprob", "token_edit_distance", "token_accuracy")
        ),
        MetricInfo("choice_correct", "discontinuous", pairs=("target_logprob", "brier")),
        MetricInfo("acc", "discontinuous", pairs=_PAIRS),
        MetricInfo("acc_norm", "discontinuous", pairs=_PAIRS),
        MetricInfo("accuracy", "discontinuous", pairs=_PAIRS),
        MetricInfo("pass@1", "discontinuous", pairs=_PAIRS),
        MetricInfo("token_accuracy", "continuous"),
        MetricInfo("target_logprob", "continuous", low=None, high=0.0, unit="nats"),
        MetricInfo("choice_grade", "continuous"),
        MetricInfo("brier", "continuous", low=0.0, high=2.0, higher_is_better=False),
        MetricInfo(
            "token_edit_distance", "continuous", low=0.0, high=None, higher_is_better=False, unit="count"
        ),
        MetricInfo("ppl", "continuous", low=1.0, high=None, higher_is_better=False, unit="perplexity"),
        MetricInfo("perplexity", "continuous", low=1.0, high=None, higher_is_better=False, unit="perplexity"),
        MetricInfo(
            "word_perplexity", "continuous", low=1.0, high=None, higher_is_better=False, unit="perplexity"
        ),
        MetricInfo(
            "byte_perplexity", "continuous", low=1.0, high=None, higher_is_better=False, unit="perplexity"
        ),
        MetricInfo("bits_per_byte", "continuous", low=0.0, high=None, higher_is_better=False, unit="bits"),
        MetricInfo("loss", "continuous", low=0.0, high=None, higher_is_better=False, unit="nats"),
        MetricInfo("pct_stereotype", "discontinuous", pairs=("likelihood_difference",)),
        MetricInfo(
            "likelihood_difference", "continuous", low=0.0, high=None, unit="nats", higher_is_better=False
        ),
    )
}


def metric_info(name: str) -> MetricInfo:
    """Look a metric up; one that is not known is taken as a share in [0, 1] where higher is better."""
    return METRICS.get(name) or MetricInfo(name, "discontinuous", pairs=_PAIRS)
