"""The store's own SQL: filters, per-sample rows, points, and the lists behind `saltus ls`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from saltus.records.arrow import POINTS
from saltus.records.metrics import METRICS

Names: TypeAlias = str | Sequence[str] | None
Sql: TypeAlias = tuple[str, list[Any]]

_AXES = ("params", "tokens", "flops", "step", "loss", "released", "layers", "width", "heads")
_MODEL_COLUMNS = ", ".join(f"m.{name}" for name in _AXES)
# Guessing scores `chance` on full-marks-or-none metrics and on the grade, not on nats or distances.
_NO_CHANCE = tuple(
    info.name for info in METRICS.values() if info.kind == "continuous" and info.name != "choice_grade"
)


def where(filters: dict[str, Names]) -> Sql:
    """A condition over `t` (evidence) and `m` (models); names may be patterns with * ? [.

    Args:
        filters: Values of task, family, model, metric, run, variant; None does not filter.
    """
    conditions, params = ["true"], []
    for name, wanted in filters.items():
        if wanted is None:
            continue
        columns = {"family": ["coalesce(m.family, '')"], "model": ["t.model", "m.name"]}.get(
            name, [f"t.{name}"]
        )
        choices = []
        for value in [wanted] if isinstance(wanted, str) else wanted:
            for column in columns:
                choices.append(f"{column} = ?")
                params.append(value)
                if name != "sample" and any(sign in value for sign in "*?["):
                    choices.append(f"{column} GLOB ?")
                    params.append(value)
        conditions.append(f"({' OR '.join(choices) or 'false'})")
    return " AND ".join(conditions), params


def score_rows(filters: dict[str, Names]) -> Sql:
    """Per-sample rows joined with what is known of the models."""
    condition, params = where(filters)
    return (
        f"""SELECT coalesce(m.family, '') AS family, coalesce(m.name, t.model) AS name, t.model,
            coalesce(m.role, '') AS role, m.seed AS model_seed, t.run, t.task, t.sample, t.variant, t.epoch,
            t.metric, t.value, {_MODEL_COLUMNS}
        FROM scores t LEFT JOIN models m ON m.id = t.model WHERE {condition}""",  # noqa: S608 - names are ours, values are parameters
        params,
    )


def points(filters: dict[str, Names], *, latest: bool, epochs: bool) -> Sql:
    """Means over samples, together with the means that came without samples.

    Args:
        filters: See `where`.
        latest: Of several runs that measured the same, keep the one that was made last.
        epochs: Samples were repeated: average each sample first, as its repeats are not independent.
    """
    condition, params = where(filters)
    source = "SELECT run, model, task, metric, variant, sample, value FROM scores"
    if epochs:
        source = (
            "SELECT run, model, task, metric, variant, sample, avg(value) AS value FROM scores "
            "GROUP BY run, model, task, metric, variant, sample"
        )
    no_chance = ", ".join(f"'{name}'" for name in _NO_CHANCE)
    columns = ", ".join(POINTS.names)
    sql = f"""
    WITH measured AS (
        SELECT t.run, t.model, t.task, t.metric, t.variant, CAST(NULL AS INTEGER) AS shots,
            CAST(NULL AS BIGINT) AS seed, avg(t.value) AS value,
            CASE WHEN bool_and(isfinite(t.value))
                THEN stddev_samp(t.value) FILTER (isfinite(t.value)) / sqrt(count(*)) END AS stderr,
            CAST(count(*) AS DOUBLE) AS n,
            CASE WHEN t.metric NOT IN ({no_chance}) THEN avg(s.chance) END AS chance
        FROM ({source}) t
        LEFT JOIN models m ON m.id = t.model
        LEFT JOIN (SELECT task, id, chance FROM samples) s ON s.task = t.task AND s.id = t.sample
        WHERE {condition}
        GROUP BY t.run, t.model, t.task, t.metric, t.variant
    ), reported AS (
        SELECT t.run, t.model, t.task, t.metric, t.variant, t.shots, t.seed, t.value, t.stderr, t.n, t.chance
        FROM aggregates t
        LEFT JOIN models m ON m.id = t.model
        ANTI JOIN measured USING (run, model, task, metric, variant)
        WHERE {condition}
    ), everything AS (
        SELECT p.*, coalesce(r.created, 0) AS created
        FROM (SELECT * FROM measured UNION ALL SELECT * FROM reported) p LEFT JOIN runs r ON r.id = p.run
    ), chosen AS (
        SELECT * FROM everything
        {_LATEST if latest else ""}
    )
    SELECT {columns} FROM (
        SELECT coalesce(m.family, '') AS family, coalesce(m.name, t.model) AS name,
            coalesce(m.role, '') AS role, m.seed AS model_seed, t.*, {_MODEL_COLUMNS}
        FROM chosen t LEFT JOIN models m ON m.id = t.model
    ) ORDER BY family, task, metric, variant, shots, params, step, model, seed, created, run, value"""  # noqa: S608 - as above
    return sql, [*params, *params]


_LATEST = """QUALIFY row_number() OVER (
            PARTITION BY model, task, metric, variant, shots, seed ORDER BY created DESC, run DESC) = 1"""

HAS_EPOCHS = "SELECT coalesce(max(epoch), 0) > 0 AS epochs FROM scores"

MODELS = "SELECT * FROM models ORDER BY family, role, name, params, step, id"

RUNS = """
    SELECT r.*, coalesce(c.models, 0) AS models, coalesce(c.tasks, 0) AS tasks
    FROM runs r LEFT JOIN (
        SELECT run, count(DISTINCT model) AS models, count(DISTINCT task) AS tasks
        FROM (SELECT run, model, task FROM scores UNION SELECT run, model, task FROM aggregates) GROUP BY run
    ) c ON c.run = r.id
    ORDER BY r.created, r.id"""

TASKS = """
    SELECT task, list_sort(list(DISTINCT metric)) AS metrics, count(DISTINCT model) AS models,
        count(DISTINCT run) AS runs, coalesce(any_value(s.samples), 0) AS samples
    FROM (SELECT DISTINCT task, metric, model, run FROM scores
        UNION SELECT task, metric, model, run FROM aggregates) t
    LEFT JOIN (SELECT task, count(*) AS samples FROM samples GROUP BY task) s USING (task)
    GROUP BY task ORDER BY task"""


def samples(filters: dict[str, Names], *, sample: Names, limit: int | None) -> Sql:
    """What was asked, what came back and how it was scored: one row a response.

    Args:
        filters: See `where`.
        sample: Only these samples.
        limit: At most so many different samples, the first by id.
    """
    condition, params = where(filters | {"sample": sample})
    restrict = ""
    if limit is not None:
        params = [*params, *params, limit]
        restrict = (
            "SEMI JOIN (SELECT DISTINCT task, sample FROM answers ORDER BY task, sample LIMIT ?) "
            "USING (task, sample)"
        )
    else:
        params = [*params, *params]
    sql = f"""
    WITH marks AS (
        SELECT t.run, t.model, t.task, t.sample, t.variant, t.epoch,
            map(list(t.metric ORDER BY t.metric), list(t.value ORDER BY t.metric)) AS scores
        FROM (SELECT DISTINCT ON (run, model, task, sample, variant, epoch, metric) * FROM scores) t
        LEFT JOIN models m ON m.id = t.model
        WHERE {condition} GROUP BY ALL
    ), said AS (
        SELECT t.* FROM responses t LEFT JOIN models m ON m.id = t.model WHERE {condition}
    ), answers AS (
        SELECT * FROM said FULL JOIN marks USING (run, model, task, sample, variant, epoch)
    )
    SELECT a.task, a.sample, a.model, a.run, a.variant, a.epoch, s.input, s.target, s.choices, s.answer,
        s.chance, s.slices, s.extra, a.prompt, a.output, a.finish, a.error, a.tool_calls, a.turns, a.logprobs,
        a.greedy, a.output_logprobs, a.choice_logprobs, a.prompt_tokens, a.completion_tokens, a.latency,
        a.first_token, a.cost, a.scores
    FROM (SELECT * FROM answers {restrict}) a
    LEFT JOIN samples s ON s.task = a.task AND s.id = a.sample
    ORDER BY a.task, a.sample, a.model, a.run, a.variant, a.epoch"""  # noqa: S608 - as above
    return sql, params
