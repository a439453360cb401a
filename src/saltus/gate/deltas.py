"""How far two runs, or two models of one run, are apart on the samples that both answered.

The store pairs the scores, `saltus.stats.paired_difference` judges each task and metric, and the p-values are
corrected for their number. `saltus diff` prints it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from saltus.records.errors import UsageError
from saltus.records.metrics import metric_info
from saltus.stats import (
    benjamini_hochberg,
    holm,
    minimum_detectable_effect,
    paired_difference,
    samples_needed,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from saltus.store import Store
    from saltus.store.queries import Names


class Side(msgspec.Struct, frozen=True):
    """One of the two that are compared: a model as a run measured it."""

    run: str
    model: str


class Pairing(msgspec.Struct, frozen=True):
    """Who is compared with whom."""

    a: Side
    b: Side


class Flip(msgspec.Struct, frozen=True):
    """A sample on which the two differ; scores are means over its epochs."""

    sample: str
    a: float
    b: float


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """One task and metric: b against a on the samples that both have.

    Attributes:
        task: The task.
        metric: The metric.
        variant: Variant of the prompts; only equal ones are paired.
        a: Who is the first.
        b: Who is the second.
        mean_a: Mean score of a over the pairs.
        mean_b: Mean score of b over the pairs.
        difference: mean_b - mean_a.
        stderr: Its standard error, paired and clustered.
        low: Lower end of the interval, None where no error can be told.
        high: Upper end.
        level: Coverage of the interval.
        n: Pairs.
        clusters: Groups of pairs that belong together.
        df: Degrees of freedom of the interval.
        p: Two-sided p-value of no difference.
        p_holm: The same, corrected for all tests made with it (Holm 1979).
        q: False discovery rate (Benjamini and Hochberg 1995).
        test: "mcnemar", "t", "sign" or "none"; see `saltus.stats.PairedDifference`.
        wins: Samples on which b is better; lower scores are, where the metric says so.
        losses: Samples on which a is better.
        ties: Samples on which they are equal.
        only_a: Samples that b has no score for.
        only_b: Samples that a has no score for.
        better: "a" or "b" where p_holm is at most alpha, else "".
        detectable: The smallest true difference that so many pairs would find with the power asked for.
        needed: Pairs that a true difference as large as this one would need, None where there is none.
        flips: Samples on which they differ, the largest differences first; empty unless asked for.
    """

    task: str
    metric: str
    variant: str
    a: Side
    b: Side
    mean_a: float
    mean_b: float
    difference: float
    stderr: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    clusters: int
    df: float | None
    p: float | None
    p_holm: float | None = None
    q: float | None = None
    test: str
    wins: int
    losses: int
    ties: int
    only_a: int
    only_b: int
    better: str = ""
    detectable: float | None = None
    needed: int | None = None
    flips: tuple[Flip, ...] = ()


class Question(msgspec.Struct, frozen=True):
    """What is asked of a comparison.

    Attributes:
        task: Names or patterns; None takes all.
        metric: See task.
        variant: See task.
        level: Coverage of the intervals.
        alpha: Chance of any false "better" over all tests together.
        power: Chance with which the smallest difference would be found.
        flips: How many samples that differ are listed a task and metric.
    """

    task: Any = None
    metric: Any = None
    variant: Any = None
    level: float = 0.95
    alpha: float = 0.05
    power: float = 0.8
    flips: int = 0


class Comparison(msgspec.Struct, frozen=True):
    """All tasks and metrics that both sides have.

    Attributes:
        pairings: Who was compared with whom.
        deltas: One a task, metric and variant, in the order of their names.
        unpaired: "task metric" of what only one side measured, with the side.
        tests: P-values that were corrected together.
    """

    pairings: tuple[Pairing, ...]
    deltas: tuple[Delta, ...]
    unpaired: tuple[str, ...]
    tests: int


def pairings(store: Store, runs: Sequence[str], models: Sequence[str] = ()) -> tuple[Pairing, ...]:
    """Settle who is compared with whom.

    Two runs are compared on the models that both measured, or, where each measured one, these two. One run
    needs two models.

    Args:
        store: The evidence.
        runs: One or two ids, or the first letters of them.
        models: None, or the model of the first run and that of the second; one name stands for both.

    Raises:
        UsageError: A run or a model is not there, or it is not clear which are meant.
    """
    first, second = (_run(store, name) for name in (runs[0], runs[-1]))
    there = [_models_of(store, run) for run in (first, second)]
    if models:
        names = (models[0], models[-1])
        sides = [
            Side(run, _model(name, known, run))
            for run, name, known in zip((first, second), names, there, strict=True)
        ]
        if sides[0] == sides[1]:
            raise UsageError(
                "both sides are the same model of the same run; name two runs or --model twice", field="model"
            )
        return (Pairing(*sides),)
    if first == second:
        raise UsageError(
            f"run {first[:12]} stands on both sides; name two of its models with --model A --model B, "
            f"it has {_listed(there[0])}",
            field="model",
        )
    common = [model for model in there[0] if model in there[1]]
    if common:
        return tuple(Pairing(Side(first, model), Side(second, model)) for model in common)
    if len(there[0]) == len(there[1]) == 1:
        return (Pairing(Side(first, there[0][0]), Side(second, there[1][0])),)
    raise UsageError(
        f"the runs have no model in common; name one of each with --model A --model B, the first has "
        f"{_listed(there[0])} and the second {_listed(there[1])}",
        field="model",
    )


def compare(store: Store, pairs: Sequence[Pairing], question: Question | None = None) -> Comparison:
    """Compare the sides on every task and metric that both have.

    Args:
        store: The evidence.
        pairs: From `pairings`.
        question: Which tasks and metrics, how sure, which samples.

    Raises:
        UsageError: The sides share no sample of any task.
    """
    asked = question or Question()
    deltas: list[Delta] = []
    unpaired: list[str] = []
    for pair in pairs:
        for rows in _groups(store, pair, asked):
            found = _delta(rows, pair, asked)
            if found is None:
                only = "b" if rows["a"].null_count else "a"
                words = (rows["task"][0].as_py(), rows["metric"][0].as_py(), rows["variant"][0].as_py())
                unpaired.append(f"{' '.join(word for word in words if word)}: only {only}")
            else:
                deltas.append(found)
    if not deltas:
        raise UsageError(
            "the two sides have no scored sample in common; compare runs of the same tasks, and see "
            "`saltus ls tasks`",
            field="task",
        )
    return Comparison(
        tuple(pairs), _corrected(deltas, asked), tuple(unpaired), sum(d.p is not None for d in deltas)
    )


def _groups(store: Store, pair: Pairing, asked: Question) -> Iterator[pa.Table]:
    """The paired rows of each task, metric and variant; one task is in memory at a time."""
    filters: dict[str, Names] = {"task": asked.task, "metric": asked.metric, "variant": asked.variant}
    tasks = store.sql(
        "SELECT DISTINCT task FROM scores WHERE (run = ? AND model = ?) OR (run = ? AND model = ?) "
        "ORDER BY task",
        [pair.a.run, pair.a.model, pair.b.run, pair.b.model],
    )["task"].to_pylist()
    for task in tasks:
        rows = store.pairs((pair.a.run, pair.a.model), (pair.b.run, pair.b.model), only=task, filters=filters)
        if not rows.num_rows:
            continue
        keys = [
            f"{m}\x1f{v}"
            for m, v in zip(rows["metric"].to_pylist(), rows["variant"].to_pylist(), strict=True)
        ]
        ends = [i for i in range(1, len(keys)) if keys[i] != keys[i - 1]]
        for start, end in zip([0, *ends], [*ends, len(keys)], strict=True):
            yield rows.slice(start, end - start)


def _delta(rows: pa.Table, pair: Pairing, asked: Question) -> Delta | None:
    a, b = (np.asarray(rows[side].to_numpy(), float) for side in "ab")  # NaN where a side has no score
    both = ~(np.isnan(a) | np.isnan(b))
    if not both.any():
        return None
    metric = rows["metric"][0].as_py()
    with np.errstate(invalid="ignore"):
        finite = both & np.isfinite(b - a)
    if not finite.any():
        return None
    found = paired_difference(a[finite], b[finite], _clusters(rows, finite), level=asked.level)
    sd = (found.stderr or 0.0) * found.n**0.5
    up = metric_info(metric).higher_is_better
    return Delta(
        task=rows["task"][0].as_py(),
        metric=metric,
        variant=rows["variant"][0].as_py(),
        a=pair.a,
        b=pair.b,
        mean_a=float(a[finite].mean()),
        mean_b=float(b[finite].mean()),
        difference=found.difference,
        stderr=found.stderr,
        low=found.low,
        high=found.high,
        level=found.level,
        n=found.n,
        clusters=found.clusters,
        df=found.df,
        p=found.p,
        test=found.test,
        wins=found.wins if up else found.losses,
        losses=found.losses if up else found.wins,
        ties=found.ties,
        only_a=int((np.isnan(b) & ~np.isnan(a)).sum()),
        only_b=int((np.isnan(a) & ~np.isnan(b)).sum()),
        detectable=minimum_detectable_effect(sd, found.n, alpha=asked.alpha, power=asked.power)
        if sd
        else None,
        needed=samples_needed(sd, found.difference, alpha=asked.alpha, power=asked.power) if sd else None,
        flips=_flips(rows, a, b, finite, asked.flips),
    )


def _clusters(rows: pa.Table, kept: Any) -> Any:
    """What each pair belongs to; None where all stand alone."""
    if rows["cluster"].null_count == rows.num_rows:
        return None
    names = zip(rows["cluster"].to_pylist(), rows["sample"].to_pylist(), strict=True)
    # \x1f keeps the label of a sample that stands alone apart from every cluster's.
    return np.asarray([f"\x1f{sample}" if cluster is None else cluster for cluster, sample in names])[kept]


def _flips(rows: pa.Table, a: Any, b: Any, finite: Any, most: int) -> tuple[Flip, ...]:
    if not most:
        return ()
    gap = np.where(finite, np.abs(b - a), 0.0)
    order = [int(i) for i in np.argsort(-gap, kind="stable")[:most] if gap[i] > 0]
    return tuple(Flip(rows["sample"][i].as_py(), float(a[i]), float(b[i])) for i in order)


def _corrected(deltas: Sequence[Delta], asked: Question) -> tuple[Delta, ...]:
    """Correct the p-values for all tests that were made together, and say who is better."""
    tested = [i for i, delta in enumerate(deltas) if delta.p is not None]
    p = [p for delta in deltas if (p := delta.p) is not None]
    fixed = dict(zip(tested, zip(holm(p), benjamini_hochberg(p), strict=True), strict=True))
    found = []
    for i, delta in enumerate(deltas):
        if i not in fixed:
            found.append(delta)
            continue
        p_holm, q = (float(value) for value in fixed[i])
        better = ""
        if p_holm <= asked.alpha and delta.difference:
            better = "b" if (delta.difference > 0) == metric_info(delta.metric).higher_is_better else "a"
        found.append(msgspec.structs.replace(delta, p_holm=p_holm, q=q, better=better))
    return tuple(found)


_SCORED_RUNS = """
    SELECT s.run FROM (SELECT DISTINCT run FROM scores) s LEFT JOIN runs r ON r.id = s.run
    ORDER BY r.created, s.run"""


def _run(store: Store, name: str) -> str:
    ids = [row["run"] for row in store.sql(_SCORED_RUNS).to_pylist()]
    if name == "last" and ids:
        return str(ids[-1])
    found = [run for run in ids if run == name] or [run for run in ids if run.startswith(name)]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise UsageError(
            f"{name!r} begins the ids of {len(found)} runs: {_listed(found)}; write more of it", field="run"
        )
    there = f"; those that have are {_listed(ids)}" if ids else ""
    raise UsageError(f"no run with scores of samples has the id {name!r}{there}", field="run")


def _models_of(store: Store, run: str) -> list[str]:
    rows = store.sql("SELECT DISTINCT model FROM scores WHERE run = ? ORDER BY model", [run])
    return [str(model) for model in rows["model"].to_pylist()]


def _model(name: str, known: Sequence[str], run: str) -> str:
    found = [model for model in known if model == name] or [m for m in known if m.split("@")[0] == name]
    if len(found) == 1:
        return found[0]
    count = f"{len(found)} models" if found else "no model"
    raise UsageError(f"{name!r} names {count} of run {run[:12]}, which has {_listed(known)}", field="model")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown
