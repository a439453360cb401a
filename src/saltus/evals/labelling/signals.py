"""Which responses are borderline, and which carry a risk: signals from stored evidence, no model is asked.

Each signal lies between 0 and 1. `draw` puts the highest into a queue.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.records.errors import UsageError
from saltus.records.metrics import metric_info

if TYPE_CHECKING:
    from saltus.store import Store

_GATES = (
    "constraints_strict",
    "schema_valid",
    "tool_calls",
    "tool_irrelevance",
    "refusal_correct",
    "abstention_correct",
    "json_valid",
)
_RISKY = re.compile(
    r"refus|suspicious|near.?boundary|kind=near\b|inject|overrid|jailbreak|harm|unsafe|attack|risk",
    re.IGNORECASE,
)
_BETWEEN_MODELS = 0.5  # a weak and a strong model differ on most items that tell them apart


class Candidate(msgspec.Struct, frozen=True):
    """One response that may be labelled.

    Attributes:
        model: Whose.
        task: Of which task.
        sample: To which sample.
        variant: How it was asked.
        epoch: Which repeat.
        borderline: How close to call it is, 0 to 1.
        doubt: The strongest reason for that.
        risk: How much a mistake could cost, 0 to 1.
        danger: The strongest reason for that.
    """

    model: str
    task: str
    sample: str
    variant: str
    epoch: int
    borderline: float
    doubt: str
    risk: float
    danger: str


class _Extra(msgspec.Struct, frozen=True):
    """What of a sample's extra makes it a risk; other keys are ignored."""

    tools: Any = None
    refusal: str | None = None


_DECODE = msgspec.json.Decoder(_Extra).decode


def candidates(
    store: Store,
    run: str,
    *,
    models: Sequence[str] = (),
    tasks: Sequence[str] = (),
    metrics: Sequence[str] = (),
    threshold: float = 0.5,
) -> list[Candidate]:
    """All answered responses of a run with their signals, sorted by model, task, sample, variant and epoch.

    Args:
        store: Where they are.
        run: Id of the run.
        models: Only these.
        tasks: Only these.
        metrics: Whose scores say what is close to call; all that have bounds when empty.
        threshold: On the metric's range, 0 lowest to 1 highest, where a score is closest to call.

    Raises:
        UsageError: The run has no such metric.
    """
    found = store.query("SELECT DISTINCT metric FROM scores WHERE run = ?", [run])["metric"].to_pylist()
    for name in metrics:
        if name not in found:
            raise UsageError(
                f"run {run} has no scores of {name!r}, it has {', '.join(sorted(found)) or 'none at all'}",
                field="metric",
            )
    rows = store.query(*_signals(run, _meanings(metrics or found), models, tasks, threshold)).to_pylist()
    risks = _sample_risks(store, sorted({row["task"] for row in rows}))
    return [_candidate(row, risks.get((row["task"], row["sample"]), (0.0, ""))) for row in rows]


def _meanings(metrics: Sequence[str]) -> list[tuple[str, float, float, bool, bool]]:
    """Name, lowest, range, whether full marks or none, whether neutral; of metrics with bounds."""
    infos = [(name, metric_info(name)) for name in sorted(metrics) if not name.startswith("human_")]
    return [
        (name, info.low, info.high - info.low, info.kind == "discontinuous", info.neutral)
        for name, info in infos
        if info.low is not None and info.high is not None
    ]


def _signals(
    run: str,
    meanings: Sequence[tuple[str, float, float, bool, bool]],
    models: Sequence[str],
    tasks: Sequence[str],
    threshold: float,
) -> tuple[str, list[Any]]:
    known = ", ".join(["(?, CAST(? AS DOUBLE), CAST(? AS DOUBLE), ?, ?)"] * len(meanings)) or (
        "('', 0.0, 1.0, false, false)"
    )
    gates = ", ".join(f"'{name}'" for name in _GATES)
    reach = max(threshold, 1 - threshold)
    sql = f"""
    WITH meaning(metric, low, span, full_marks, neutral) AS (VALUES {known}),
    said AS (
        SELECT model, task, sample, variant, epoch, output_logprobs AS spoken,
            list_reverse_sort(choice_logprobs) AS chosen
        FROM responses WHERE run = ? AND finish <> 'error'
        QUALIFY row_number()
            OVER (PARTITION BY model, task, sample, variant, epoch ORDER BY output, latency) = 1
    ), marks AS (
        SELECT DISTINCT ON (model, task, sample, variant, epoch, metric)
            model, task, sample, variant, epoch, metric, (value - low) / span AS u, full_marks, neutral
        FROM scores JOIN meaning USING (metric) WHERE run = ? AND isfinite(value)
    ), spread AS (
        SELECT *, 4 * var_pop(u) OVER (PARTITION BY metric, task, sample, model, variant) AS repeats,
            4 * var_pop(u) OVER (PARTITION BY metric, task, sample, model) AS wordings,
            4 * var_pop(u) OVER (PARTITION BY metric, task, sample, variant) AS others
        FROM marks
    ), scored AS (
        SELECT model, task, sample, variant, epoch,
            max(greatest(0, 1 - abs(u - ?) / ?)) FILTER (NOT full_marks AND NOT neutral) AS near,
            max(repeats) FILTER (full_marks) AS repeats, max(wordings) FILTER (full_marks) AS wordings,
            max(others) FILTER (full_marks) AS others,
            min(metric) FILTER (metric IN ({gates}) AND u < 0.5) AS failed
        FROM spread GROUP BY ALL
    )
    SELECT model, task, sample, variant, epoch, near, repeats, wordings, others, failed,
        CASE WHEN len(spoken) > 0 THEN 1 - exp(list_avg(spoken)) END AS unsure,
        CASE WHEN len(chosen) > 1 THEN
            1 - (1 - exp(chosen[2] - chosen[1])) / list_sum([exp(x - chosen[1]) for x in chosen])
        END AS torn
    FROM said SEMI JOIN (SELECT task, id AS sample FROM samples) s USING (task, sample)
    LEFT JOIN scored USING (model, task, sample, variant, epoch)
    WHERE (len(?::VARCHAR[]) = 0 OR list_contains(?::VARCHAR[], model))
        AND (len(?::VARCHAR[]) = 0 OR list_contains(?::VARCHAR[], task))
    ORDER BY model, task, sample, variant, epoch"""  # noqa: S608 - names are ours, values are parameters
    flat = [field for meaning in meanings for field in meaning]
    chosen = [list(models), list(models), list(tasks), list(tasks)]
    return sql, [*flat, run, run, threshold, reach, *chosen]


def _sample_risks(store: Store, tasks: Sequence[str]) -> dict[tuple[str, str], tuple[float, str]]:
    rows = store.query(
        "SELECT task, id, slices, extra FROM samples WHERE task IN (SELECT unnest(?::VARCHAR[]))",
        [list(tasks)],
    )
    return {
        (row["task"], row["id"]): _risk(dict(row["slices"] or ()), row["extra"]) for row in rows.to_pylist()
    }


def _risk(slices: Mapping[str, str], extra: str) -> tuple[float, str]:
    """Of an item, whoever answers it."""
    for name, value in slices.items():
        if _RISKY.search(f"{name}={value}"):
            return 0.5, f"slice {name}={value}"
    known = _DECODE(extra) if extra else _Extra()
    if known.refusal:
        return 0.4, f"should {known.refusal}"
    return (0.3, "tools") if known.tools else (0.0, "")


def _candidate(row: Mapping[str, Any], item: tuple[float, str]) -> Candidate:
    doubts = {
        "a score near the threshold": row["near"],
        "small margin between choices": row["torn"],
        "repeats disagree": row["repeats"],
        "variants disagree": row["wordings"],
        "models disagree": None if row["others"] is None else _BETWEEN_MODELS * row["others"],
        "unlikely words": row["unsure"],
    }
    dangers = {item[1]: item[0], f"failed {row['failed']}": 0.5 if row["failed"] else 0.0}
    if _RISKY.search(row["variant"]):
        dangers[f"variant {row['variant']}"] = 0.5
    return Candidate(
        row["model"],
        row["task"],
        row["sample"],
        row["variant"],
        row["epoch"],
        *_together(doubts),
        *_together(dangers),
    )


def _together(signals: Mapping[str, float | None]) -> tuple[float, str]:
    """All signals as one, as independent reasons would add up, and the strongest by name."""
    real = {
        name: min(1.0, value)
        for name, value in signals.items()
        if value is not None and math.isfinite(value) and value > 0
    }
    if not real:
        return 0.0, ""
    return 1 - math.prod(1 - value for value in real.values()), max(real, key=lambda name: real[name])
