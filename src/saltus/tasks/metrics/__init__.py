"""From responses to numbers: a file a kind of metric, `registry` finds them, `applying` makes score rows."""

from saltus.tasks.metrics.applying import (
    applies,
    couple,
    given,
    score_groups,
    score_pairs,
    score_responses,
)
from saltus.tasks.metrics.base import AnyMetric, GroupMetric, Metric, Need, Pair, PairMetric
from saltus.tasks.metrics.constraints import CONSTRAINTS, Constraint, check_constraint
from saltus.tasks.metrics.language import normalised
from saltus.tasks.metrics.likelihood import (
    brier,
    choice_correct,
    choice_grade,
    choice_probabilities,
    greedy_match,
    target_logprob,
    token_accuracy,
)
from saltus.tasks.metrics.match import edit_distance, exact_match, f1, quasi_exact_match, token_edit_distance
from saltus.tasks.metrics.registry import (
    GROUP_METRICS,
    METRICS,
    PAIR_METRICS,
    RATIOS,
    all_metrics,
    fits,
    get_metric,
    ingredients,
    metrics_for,
    with_partners,
)

__all__ = [
    "CONSTRAINTS",
    "GROUP_METRICS",
    "METRICS",
    "PAIR_METRICS",
    "RATIOS",
    "AnyMetric",
    "Constraint",
    "GroupMetric",
    "Metric",
    "Need",
    "Pair",
    "PairMetric",
    "all_metrics",
    "applies",
    "brier",
    "check_constraint",
    "choice_correct",
    "choice_grade",
    "choice_probabilities",
    "couple",
    "edit_distance",
    "exact_match",
    "f1",
    "fits",
    "get_metric",
    "given",
    "greedy_match",
    "ingredients",
    "metrics_for",
    "normalised",
    "quasi_exact_match",
    "score_groups",
    "score_pairs",
    "score_responses",
    "target_logprob",
    "token_accuracy",
    "token_edit_distance",
    "with_partners",
]
