"""The store's own SQL: filters, per-sample rows, points, and the lists behind `saltus ls`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from saltus.records.arrow import POINTS
from saltus.records.metrics import METRICS
from saltus.store.ratios import with_ratios

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


def points(filters: dict[str, Names], *, latest: bool, epochs: bool, clusters: bool) -> Sql:
    """Means over samples, together with the means that came without samples.

    Args:
        filters: See `where`.
        latest: Of several runs that measured the same, keep the one that was made last.
        epochs: Samples were repeated: average each sample first, as its repeats are not independent.
        clusters: Samples say what they belong to: count what belongs together once in the standard error.
    """
    condition, params = where(filters)
    source = f"SELECT run, model, task, metric, variant, sample, value FROM {with_ratios()}"  # noqa: S608 - ours
    if epochs:
        source = (
            f"SELECT run, model, task, metric, variant, sample, avg(value) AS value FROM {with_ratios()} "  # noqa: S608 - ours
            "GROUP BY run, model, task, metric, variant, sample"
        )
    no_chance = ", ".join(f"'{name}'" for name in _NO_CHANCE)
    columns = ", ".join(POINTS.names)
    sql = f"""
    WITH alone AS (
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
    ), {_clustered(source, condition) if clusters else "measured AS (SELECT * FROM alone)"}, reported AS (
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
    return sql, params * (3 if clusters else 2)


def _clustered(source: str, condition: str) -> str:
    """`measured`: the rows of `alone`, with the clustered (CR2) standard error where a task has clusters.

    The same formula as `saltus.stats.clustered_mean`: residuals are summed over each cluster, and the squared
    sums, each divided by 1 - n_c / n, are added up. A sample without a cluster is one of its own.
    """
    return f"""named AS (
        SELECT task, id, {CLUSTER} AS cluster FROM samples
    ), sums AS (
        SELECT t.run, t.model, t.task, t.metric, t.variant, count(*) AS held, sum(t.value) AS total
        FROM ({source}) t
        SEMI JOIN (SELECT DISTINCT task FROM named WHERE cluster IS NOT NULL) c ON c.task = t.task
        LEFT JOIN models m ON m.id = t.model
        LEFT JOIN named s ON s.task = t.task AND s.id = t.sample
        WHERE {condition}
        GROUP BY t.run, t.model, t.task, t.metric, t.variant,
            CASE WHEN s.cluster IS NULL THEN hash('s' || t.sample) ELSE hash('c' || s.cluster) END
    ), sandwich AS (
        SELECT s.run, s.model, s.task, s.metric, s.variant, CASE WHEN count(*) > 1
            THEN sqrt(sum((total - held * a.value) ** 2 / (1 - held / a.n))) / any_value(a.n) END AS stderr
        FROM sums s JOIN alone a USING (run, model, task, metric, variant)
        WHERE isfinite(a.value) GROUP BY s.run, s.model, s.task, s.metric, s.variant
    ), measured AS (
        SELECT a.* REPLACE (CASE WHEN w.run IS NULL THEN a.stderr ELSE w.stderr END AS stderr)
        FROM alone a LEFT JOIN sandwich w USING (run, model, task, metric, variant)
    )"""  # noqa: S608 - as above


_LATEST = """QUALIFY row_number() OVER (
            PARTITION BY model, task, metric, variant, shots, seed ORDER BY created DESC, run DESC) = 1"""

# What a sample belongs to, NULL where it stands alone.
CLUSTER = "nullif(list_extract(map_extract(slices, 'cluster'), 1), '')"

HAS_EPOCHS = "SELECT coalesce(max(epoch), 0) > 0 AS epochs FROM scores"

HAS_CLUSTERS = f"SELECT coalesce(bool_or({CLUSTER} IS NOT NULL), false) AS clusters FROM samples_all"  # noqa: S608 - ours

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
        s.chance, s.slices, s.extra, a.prompt, a.changes, a.output, a.finish, a.error, a.tool_calls, a.turns,
        a.logprobs, a.greedy, a.output_logprobs, a.choice_logprobs, a.prompt_tokens, a.completion_tokens,
        a.latency, a.first_token, a.cost, a.scores
    FROM (SELECT * FROM answers {restrict}) a
    LEFT JOIN samples s ON s.task = a.task AND s.id = a.sample
    ORDER BY a.task, a.sample, a.model, a.run, a.variant, a.epoch"""  # noqa: S608 - as above
    return sql, params


def pairs(a: tuple[str, str], b: tuple[str, str], *, only: str, filters: dict[str, Names]) -> Sql:
    """The scores of two (run, model) on one task side by side, repeats of a sample averaged.

    Args:
        a: Run and model of the first.
        b: Run and model of the second.
        only: The task.
        filters: See `where`.
    """
    condition, params = where(filters)

    def side(name: str) -> str:
        return f"""{name} AS (
        SELECT t.metric, t.variant, t.sample, avg(t.value) AS value FROM scores t
        WHERE t.run = ? AND t.model = ? AND t.task = ? AND {condition}
        GROUP BY t.metric, t.variant, t.sample)"""  # noqa: S608 - as above

    sql = f"""
    WITH {side("first")}, {side("second")}, named AS (
        SELECT id, {CLUSTER} AS cluster FROM samples WHERE task = ?
    )
    SELECT CAST(? AS VARCHAR) AS task, metric, variant, sample, first.value AS a, second.value AS b, s.cluster
    FROM first FULL JOIN second USING (metric, variant, sample) LEFT JOIN named s ON s.id = sample
    ORDER BY metric, variant, sample"""  # noqa: S608 - as above
    return sql, [*a, only, *params, *b, only, *params, only, only]


def answers(
    run: str, model: str, task: str, *, variant: str | None = None, part: tuple[int, int] = (0, 1)
) -> Sql:
    """Question, answer and scores of one model on one task, a row a response.

    Of a response that was asked again the one that did not fail comes first; the others follow it.

    Args:
        run: The run.
        model: Id of the model.
        task: The task.
        variant: Only this one.
        part: Which of how many parts of the samples, told apart by a hash of their ids.
    """
    mine = "run = ? AND model = ? AND task = ? AND hash(sample) % ? = ?"
    key: list[Any] = [run, model, task, part[1], part[0]]
    if variant is not None:
        mine += " AND variant = ?"
        key.append(variant)
    sql = f"""
    WITH marks AS (
        SELECT sample, variant, epoch, list(metric) AS metrics, list(value) AS values
        FROM scores WHERE {mine} GROUP BY sample, variant, epoch
    ), said AS (
        SELECT * EXCLUDE (run, model, task) FROM responses WHERE {mine}
    ), asked AS (
        SELECT * EXCLUDE (task) FROM samples WHERE task = ? AND hash(id) % ? = ?
    )
    SELECT * EXCLUDE (id) FROM said FULL JOIN marks USING (sample, variant, epoch)
    LEFT JOIN asked ON asked.id = sample
    ORDER BY variant, length(sample), sample, epoch, finish = 'error'"""  # noqa: S608 - as above
    return sql, [*key, *key, task, part[1], part[0]]


MEASURED = """
    SELECT run, model, task, variant, count(DISTINCT (sample, epoch)) AS responses
    FROM (SELECT run, model, task, variant, sample, epoch FROM scores WHERE run = ?
        UNION ALL SELECT run, model, task, variant, sample, epoch FROM responses WHERE run = ?)
    GROUP BY run, model, task, variant ORDER BY model, task, variant"""
