"""Answers that are programs: taken from what a model said, run against tests in a sandbox, scored."""

from saltus.tasks.code.extract import extract_code
from saltus.tasks.code.judge import Case, Verdict, judge, judge_many
from saltus.tasks.code.metrics import CODE_METRICS, code_case, pass_at, passes

__all__ = [
    "CODE_METRICS",
    "Case",
    "Verdict",
    "code_case",
    "extract_code",
    "judge",
    "judge_many",
    "pass_at",
    "passes",
]
