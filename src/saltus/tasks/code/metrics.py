"""pass@1 of each response and pass@k of the responses to one sample: does the code pass the tests?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache

from saltus.records.evidence import Response, Sample
from saltus.tasks.code.extract import extract_code
from saltus.tasks.code.judge import Case, judge_many
from saltus.tasks.metrics.base import GroupMetric, Metric, Pair

_REMEMBERED = 100_000  # verdicts; a metric over epochs asks again for what pass@1 has found out
_TRIES = (2, 5, 10, 20, 50, 100)


def code_case(sample: Sample, response: Response) -> Case:
    """The code of a response with the tests of its sample."""
    entry_point = str(sample.extra.get("entry_point", ""))
    code = extract_code(response.output, response.prompt or sample.input, entry_point)
    return Case(code, str(sample.extra["tests"]), entry_point)


def passes(pairs: Sequence[Pair]) -> list[float]:
    """1 for each response whose code passes the tests, else 0; each runs in a sandbox of its own.

    The same code with the same tests is run once a process.

    Raises:
        SandboxError: No sandbox works here.
    """
    cases = [code_case(*pair) for pair in pairs]
    known = _verdicts()
    if len(known) > _REMEMBERED:
        known.clear()
    new = [case for case in dict.fromkeys(cases) if case not in known]
    for case, verdict in zip(new, judge_many(new), strict=True):
        known[case] = verdict.passed
    return [float(known[case]) for case in cases]


def passed(sample: Sample, response: Response) -> float:
    """1 when the response's code passes the tests of its sample, else 0."""
    return passes([(sample, response)])[0]


def pass_at(k: int) -> GroupMetric:
    """The metric pass@k over epochs; a sample that was asked fewer than k times has no score."""

    def compute(sample: Sample, responses: Iterable[Response]) -> float:
        from saltus.stats.passk import pass_at_k  # SciPy comes with it

        found = passes([(sample, response) for response in responses])
        return float(pass_at_k(len(found), int(sum(found)), k)) if len(found) >= k else math.nan

    return GroupMetric(f"pass@{k}", "epochs", compute, extra=("tests",))


@cache
def _verdicts() -> dict[Case, bool]:
    return {}


CODE_METRICS = (
    Metric("pass@1", ("output",), passed, extra=("tests",), batch=passes),
    *(pass_at(k) for k in _TRIES),
)
