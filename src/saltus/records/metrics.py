"""What each metric means: bounds, direction, and which continuous metric stands beside a discontinuous one.

A discontinuous metric gives full marks or none (exact match, accuracy). It can turn smooth progress into a
cliff (Schaeffer et al. 2023, arXiv:2304.15004), so each one names continuous metrics of the same responses.
"""

from __future__ import annotations

import msgspec

INTERNALS = "internals"  # the task of scalars that belong to none: a norm, an induction score


class MetricInfo(msgspec.Struct, frozen=True):
    """How to read one metric.

    Attributes:
        name: As it stands in the store.
        kind: "discontinuous" or "continuous".
        low: Smallest possible value, or None when unbounded.
        high: Largest possible value, or None when unbounded.
        higher_is_better: Direction of progress.
        unit: "share", "nats", "grade", "count", "perplexity", "bits".
        pairs: Continuous metrics that can stand beside it, best first.
        neutral: Neither direction is progress (how long an answer is).
        ratio: The two per-sample metrics whose sums it is the ratio of; empty for a mean of samples.
        link: What is done to that ratio (nats per something): "exp" a perplexity, "bits" over ln 2.
    """

    name: str
    kind: str
    low: float | None = 0.0
    high: float | None = 1.0
    higher_is_better: bool = True
    unit: str = "share"
    pairs: tuple[str, ...] = ()
    neutral: bool = False
    ratio: tuple[str, ...] = ()
    link: str = ""


_PAIRS = ("target_logprob", "choice_logprob", "token_accuracy", "ppl", "perplexity", "brier")
_TEXT = ("target_logprob", "f1", "token_edit_distance")


def _full(name: str, *pairs: str) -> MetricInfo:
    """Full marks or none."""
    return MetricInfo(name, "discontinuous", pairs=pairs)


def _share(name: str, *, higher_is_better: bool = True, neutral: bool = False) -> MetricInfo:
    """Graded between 0 and 1."""
    return MetricInfo(name, "continuous", higher_is_better=higher_is_better, neutral=neutral)


def _count(name: str, unit: str = "count", *, low: float = 0.0, neutral: bool = True) -> MetricInfo:
    """A number without an upper bound, where more is not better."""
    return MetricInfo(
        name, "continuous", low=low, high=None, higher_is_better=False, unit=unit, neutral=neutral
    )


def _ratio(name: str, below: str, unit: str, link: str) -> MetricInfo:
    """Nats of all targets over something that is counted in them."""
    low = 1.0 if link == "exp" else 0.0
    return MetricInfo(
        name,
        "continuous",
        low=low,
        high=None,
        higher_is_better=False,
        unit=unit,
        ratio=("target_nll", below),
        link=link,
    )


METRICS: dict[str, MetricInfo] = {
    info.name: info
    for info in (
        MetricInfo(
            "exact_match", "discontinuous", pairs=("target_logprob", "token_edit_distance", "token_accuracy")
        ),
        _full("quasi_exact_match", *_TEXT),
        MetricInfo("choice_correct", "discontinuous", pairs=("target_logprob", "brier")),
        MetricInfo("acc", "discontinuous", pairs=_PAIRS),
        MetricInfo("acc_norm", "discontinuous", pairs=_PAIRS),
        MetricInfo("acc_bytes", "discontinuous", pairs=_PAIRS),
        MetricInfo("brier_score", "continuous", low=0.0, high=2.0, higher_is_better=False),
        MetricInfo("accuracy", "discontinuous", pairs=_PAIRS),
        *(MetricInfo(f"pass@{k}", "discontinuous", pairs=_PAIRS) for k in (1, 2, 5, 10, 20, 50, 100)),
        _full("tool_calls", "tool_f1", "tool_arguments"),
        _full("tool_name", "tool_f1"),
        _full("tool_irrelevance", "tool_f1"),
        _full("schema_valid", "schema_share", "json_prefix"),
        _full("schema_repaired", "schema_share", "json_prefix"),
        _full("constraints_strict", "constraints", "target_logprob"),
        _full("refusal_correct", "refusal_grade", "target_logprob"),
        _full("abstention_correct", "target_logprob", "f1", "hedging"),
        _full("pair_consistent", "pair_gap"),
        _full("pair_same_choice", "pair_choice_gap"),
        _full("json_valid", "json_prefix", "target_logprob"),
        _full("json_repaired", "json_prefix", "target_logprob"),
        _full("greedy_match", "target_logprob", "token_accuracy"),
        MetricInfo("token_accuracy", "continuous"),
        MetricInfo("target_logprob", "continuous", low=None, high=0.0, unit="nats"),
        MetricInfo("choice_grade", "continuous"),
        MetricInfo("brier", "continuous", low=0.0, high=2.0, higher_is_better=False),
        MetricInfo(
            "token_edit_distance", "continuous", low=0.0, high=None, higher_is_better=False, unit="count"
        ),
        MetricInfo("ppl", "continuous", low=1.0, high=None, higher_is_better=False, unit="perplexity"),
        MetricInfo("perplexity", "continuous", low=1.0, high=None, higher_is_better=False, unit="perplexity"),
        _ratio("token_perplexity", "target_tokens", "perplexity", "exp"),
        _ratio("word_perplexity", "target_words", "perplexity", "exp"),
        _ratio("byte_perplexity", "target_bytes", "perplexity", "exp"),
        _ratio("bits_per_byte", "target_bytes", "bits", "bits"),
        MetricInfo("loss", "continuous", low=0.0, high=None, higher_is_better=False, unit="nats"),
        MetricInfo("pct_stereotype", "discontinuous", pairs=("likelihood_difference",)),
        MetricInfo(
            "likelihood_difference", "continuous", low=0.0, high=None, unit="nats", higher_is_better=False
        ),
        _share("f1"),
        _share("sentence_bleu"),
        _share("sentence_chrf"),
        _share("rouge_1"),
        _share("rouge_2"),
        _share("rouge_l"),
        _share("tool_f1"),
        _share("tool_arguments"),
        _share("tool_order"),
        _share("schema_share"),
        _share("json_prefix"),
        _share("constraints"),
        _share("refusal_grade"),
        _share("citation_precision"),
        _share("evidence_coverage"),
        _share("cited_sentences"),
        _share("epoch_agreement"),
        _share("variant_agreement"),
        _count("pair_gap", "nats", neutral=False),
        _share("pair_choice_gap", higher_is_better=False),
        _share("refused", neutral=True),
        _share("hedging", neutral=True),
        _share("distinct_1", neutral=True),
        _share("distinct_2", neutral=True),
        _share("self_bleu", neutral=True),
        _share("type_token", neutral=True),
        _share("compression", neutral=True),
        _count("output_words"),
        _count("output_tokens"),
        _count("word_length"),
        _count("sentence_length"),
        _count("target_nll", "nats", neutral=False),
        _count("target_tokens"),
        _count("target_words"),
        _count("target_bytes"),
    )
}
_JUDGED = ("judge:", "pairwise:")  # names that go on with the rubric or reference, and the judge
_RIGHT = "human_correct"  # or not, as people say; other names with human_ are marks by a rubric


def metric_info(name: str) -> MetricInfo:
    """Look a metric up; one that is not known is taken as a share in [0, 1] where higher is better."""
    if name.startswith(_JUDGED):
        return MetricInfo(name, "continuous")
    if name.startswith("human_"):
        return MetricInfo(name, "discontinuous" if name.startswith(_RIGHT) else "continuous")
    plain = METRICS.get(name) or METRICS.get(name.partition(",")[0])  # lm-evaluation-harness: "METRIC,FILTER"
    return plain or MetricInfo(name, "discontinuous", pairs=_PAIRS)
