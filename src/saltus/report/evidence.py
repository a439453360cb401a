"""What the report takes from the store: partner points, models, runs, and a few samples behind each point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.records.findings import Finding
from saltus.records.metrics import metric_info
from saltus.report.rows import PartnerPoint

if TYPE_CHECKING:
    from saltus.store import Store

LONGEST_INPUT = 6000
LONGEST_OUTPUT = 2000
MOST_LOGPROBS = 48


class TaskSamples(msgspec.Struct, frozen=True):
    """The samples of one task that the report shows, and what each model said to them.

    Attributes:
        ids: Sample ids, the same for every model.
        samples: One a sample: input, target, choices, answer, slices, and in how many versions it is stored.
        metrics: Names of the scores.
        responses: "run|model|variant" -> one a sample: output, scores in the order of `metrics`,
            log-probabilities, greedy flags, choices, error; or None where the model was not asked.
        totals: "run|model|variant" -> samples that were scored in all.
    """

    ids: list[str]
    samples: list[dict[str, Any]]
    metrics: list[str]
    responses: dict[str, list[dict[str, Any] | None]]
    totals: dict[str, int]


def partner_points(store: Store, findings: Sequence[Finding]) -> dict[str, list[PartnerPoint]]:
    """The continuous metric of every finding's points, by finding id; the point's own run is preferred.

    It is the one that the artifact check used, or where none was made, the best that was measured.
    """
    wanted = {(finding.task, metric) for finding in findings for metric in _partner_metrics(finding)}
    if not wanted:
        return {}
    columns = ("model", "task", "metric", "variant", "run", "value", "stderr", "n")
    tasks, metrics = (sorted(names) for names in map(set, zip(*wanted, strict=True)))
    table = store.points(task=tasks, metric=metrics, latest=False).select(columns)
    rows: dict[tuple[str, str, str, str], list[tuple[Any, ...]]] = {}
    for model, task, metric, variant, *rest in zip(
        *(table[name].to_pylist() for name in columns), strict=True
    ):
        if (task, metric) in wanted:
            rows.setdefault((model, task, metric, variant or ""), []).append(tuple(rest))
    found: dict[str, list[PartnerPoint]] = {}
    for finding in findings:
        for metric in _partner_metrics(finding):
            points = [
                PartnerPoint(metric, point.model, run, point.x, value, stderr, n)
                for point in finding.points
                for run, value, stderr, n in _own_run_first(
                    rows.get((point.model, finding.task, metric, finding.variant), []), point.run
                )[:1]
                if value is not None
            ]
            if points:
                found[finding.id] = points
                break
    return found


def _partner_metrics(finding: Finding) -> tuple[str, ...]:
    return (finding.partner,) if finding.partner else metric_info(finding.metric).pairs


def _own_run_first(rows: list[tuple[Any, ...]], run: str) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: row[0] != run)


def rows_of(store: Store, table: str, ids: Iterable[str], order: str) -> list[dict[str, Any]]:
    """The rows of the models or runs table with these ids, in this order."""
    query = f"select * from {table} where id in (select unnest(?)) order by {order}"  # noqa: S608 - fixed names
    return [dict(row) for row in store.sql(query, [sorted(set(ids))]).to_pylist()]


def sample_rows(store: Store, findings: Sequence[Finding], limit: int) -> dict[str, TaskSamples]:
    """At most `limit` samples of each task, those that most models answered, with every answer to them.

    Args:
        store: Where the evidence is.
        findings: Their points say which runs and models are shown.
        limit: Samples a task.
    """
    points = [(finding.task, point) for finding in findings for point in finding.points]
    runs = sorted({point.run for _, point in points})
    models = sorted({point.model for _, point in points})
    if not runs or limit < 1:
        return {}
    picked = store.sql(_PICK, [runs, models, limit]).to_pylist()
    chosen: dict[str, list[str]] = {}
    for row in picked:
        chosen.setdefault(row["task"], []).append(row["sample"])
    if not chosen:
        return {}
    tasks = sorted(chosen)
    ids = sorted({sample for samples in chosen.values() for sample in samples})
    samples = _group(store.sql(_SAMPLES, [tasks, ids]).to_pylist())
    responses = _group(store.sql(_RESPONSES, [runs, models, tasks, ids]).to_pylist())
    scores = _group(store.sql(_SCORES, [runs, models, tasks, ids]).to_pylist())
    totals = _group(store.sql(_TOTALS, [runs, models, tasks]).to_pylist())
    return {
        task: _task_samples(
            sorted(chosen[task]),
            samples.get(task, []),
            responses.get(task, []),
            scores.get(task, []),
            totals.get(task, []),
        )
        for task in tasks
    }


# What `saltus sql` is given to print every sample behind a point; the page fills in the names.
ALL_SAMPLES = (
    "select s.id, s.input, s.target, r.output from responses r "
    "join samples s on s.task = r.task and s.id = r.sample "
    "where r.task = $task and r.model = $model and r.run = $run order by s.id"
)

# Which samples to show: those that most models answered, ties broken by a hash, so that the first items of a
# file have no advantage.
_PICK = """
select task, sample from (
  select task, sample,
    row_number() over (partition by task order by count(distinct model) desc, md5(sample)) as place
  from responses where run in (select unnest(?)) and model in (select unnest(?)) and epoch = 0
  group by task, sample)
where place <= ? order by task, sample
"""
_SAMPLES = """
with known as (
  select task, id, count(distinct task_version) as versions
  from samples_all where task in (select unnest(?)) and id in (select unnest(?)) group by task, id)
select s.task, s.id, s.input, s.target, s.choices, s.answer, s.slices, known.versions
from samples s join known using (task, id) order by s.task, s.id
"""
_RESPONSES = """
select task, run, model, variant, sample, output, logprobs, greedy, choice_logprobs, error
from responses where run in (select unnest(?)) and model in (select unnest(?)) and task in (select unnest(?))
and sample in (select unnest(?)) and epoch = 0 order by task, run, model, variant, sample
"""
_SCORES = """
select task, run, model, variant, sample, metric, value
from scores where run in (select unnest(?)) and model in (select unnest(?)) and task in (select unnest(?))
and sample in (select unnest(?)) and epoch = 0 order by task, metric
"""
_TOTALS = """
select task, run, model, variant, count(distinct sample) as n
from responses where run in (select unnest(?)) and model in (select unnest(?)) and task in (select unnest(?))
group by all order by all
"""


def _group(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["task"], []).append(row)
    return grouped


def _task_samples(
    ids: list[str],
    samples: Sequence[Mapping[str, Any]],
    responses: Sequence[Mapping[str, Any]],
    scores: Sequence[Mapping[str, Any]],
    totals: Sequence[Mapping[str, Any]],
) -> TaskSamples:
    place = {sample: index for index, sample in enumerate(ids)}
    metrics = list(dict.fromkeys(row["metric"] for row in scores))
    answers: dict[str, list[dict[str, Any] | None]] = {}
    for row in responses:
        if row["sample"] in place:
            slots = answers.setdefault(_key(row), [None] * len(ids))
            slots[place[row["sample"]]] = _answer(row, len(metrics))
    for row in scores:
        slot = (
            answers.get(_key(row), [None] * len(ids))[place[row["sample"]]]
            if row["sample"] in place
            else None
        )
        if slot is not None:
            slot["s"][metrics.index(row["metric"])] = _digits(row["value"])
    known: dict[str, dict[str, Any]] = {}
    for row in samples:
        if row["id"] in place:
            known[row["id"]] = _sample(row)
    return TaskSamples(
        ids=ids,
        samples=[known.get(sample, {"input": None, "target": None, "versions": 0}) for sample in ids],
        metrics=metrics,
        responses=answers,
        totals={_key(row): int(row["n"]) for row in totals},
    )


def _key(row: Mapping[str, Any]) -> str:
    return f"{row['run']}|{row['model']}|{row['variant'] or ''}"


def _sample(row: Mapping[str, Any]) -> dict[str, Any]:
    slices = row["slices"] or []
    pairs = slices.items() if isinstance(slices, Mapping) else slices
    return {
        "input": _cut(row["input"], LONGEST_INPUT),
        "target": _cut(row["target"], LONGEST_OUTPUT),
        "choices": [_cut(choice, LONGEST_OUTPUT) for choice in row["choices"] or []],
        "answer": row["answer"],
        "slices": {str(name): str(value) for name, value in pairs},
        "versions": row["versions"],
    }


def _answer(row: Mapping[str, Any], metrics: int) -> dict[str, Any]:
    """One response: o output, s scores, l log-probs, g greedy, c choices, e error. Many, so short."""
    answer: dict[str, Any] = {"o": _cut(row["output"], LONGEST_OUTPUT), "s": [None] * metrics}
    if row["logprobs"]:
        answer["l"] = [_digits(value) for value in row["logprobs"][:MOST_LOGPROBS]]
        answer["g"] = "".join("1" if hit else "0" for hit in (row["greedy"] or [])[:MOST_LOGPROBS])
    if row["choice_logprobs"]:
        answer["c"] = [_digits(value) for value in row["choice_logprobs"]]
    if row["error"]:
        answer["e"] = _cut(row["error"], LONGEST_OUTPUT)
    return answer


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _cut(text: str | None, longest: int) -> str:
    """Keep both ends of a long text: questions stand at the end of few-shot prompts."""
    if text is None or len(text) <= longest:
        return text or ""
    head = longest // 3
    left_out = len(text) - longest
    return (
        f"{text[:head]}\n[... {left_out:,} characters left out ...]\n{text[len(text) - (longest - head) :]}"
    )
