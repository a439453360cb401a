"""Does a judge agree with people? Agreement on labelled responses, and a mean that the labels correct."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from saltus.evals.stored import find_run
from saltus.records.errors import UsageError
from saltus.stats.agreement import cohen_kappa, krippendorff_alpha
from saltus.stats.ppi import PPIMean, ppi_mean

if TYPE_CHECKING:
    from saltus.store import Store

_LEAST_LABELS, _LEAST_OTHERS = 3, 2


class Agreement(msgspec.Struct, frozen=True):
    """A judge, or any metric, beside human labels of the same responses.

    Attributes:
        model: Whose responses they are.
        task: Of which task.
        metric: That of the judge.
        labels: That of the people.
        n: Responses with both.
        same: Share of them where both are equal.
        kappa: Cohen's kappa, None where it is not defined.
        alpha: Krippendorff's alpha with squared distances, None likewise.
        mean: The mean label of all judged samples, by prediction-powered inference; None for fewer than three
            labelled samples or two others.
    """

    model: str
    task: str
    metric: str
    labels: str
    n: int
    same: float
    kappa: float | None
    alpha: float | None
    mean: PPIMean | None


def agreement(run: str, metric: str, labels: str, *, store: Store, level: float = 0.95) -> list[Agreement]:
    """Compare two metrics of a run, response by response; one row a model and task.

    Repeats of a sample are averaged before the mean is corrected. That the mean's interval holds takes
    labelled samples that are a random draw of all.

    Args:
        run: Id of the run, the first letters of it, or "last".
        metric: That of the judge, as it stands in the store.
        labels: That of the people, on the same scale.
        store: Where the scores are.
        level: Coverage of the corrected mean.

    Raises:
        UsageError: No response has both.
    """
    source = find_run(store, run)
    rows = store.query(
        "SELECT model, task, sample, avg(value) FILTER (metric = ?) AS judged, "
        "avg(value) FILTER (metric = ?) AS label FROM scores WHERE run = ? AND metric IN (?, ?) "
        "GROUP BY model, task, sample, variant, epoch ORDER BY model, task, sample, variant, epoch",
        [metric, labels, source, metric, labels],
    ).to_pylist()
    groups: dict[tuple[str, str], list[tuple[str, float, float | None]]] = defaultdict(list)
    for row in rows:
        if row["judged"] is not None:
            groups[row["model"], row["task"]].append((row["sample"], row["judged"], row["label"]))
    found = [
        _agreement(*where, metric, labels, scores, level)
        for where, scores in groups.items()
        if any(label is not None for _, _, label in scores)
    ]
    if not found:
        raise UsageError(
            f"no response of run {source} has both {metric} and {labels}; label some, or name another metric",
            field="labels",
        )
    return found


def _agreement(
    model: str,
    task: str,
    metric: str,
    labels: str,
    scores: list[tuple[str, float, float | None]],
    level: float,
) -> Agreement:
    both = [(judged, label) for _, judged, label in scores if label is not None]
    judged, said = [one for one, _ in both], [one for _, one in both]
    return Agreement(
        model=model,
        task=task,
        metric=metric,
        labels=labels,
        n=len(both),
        same=sum(one == other for one, other in both) / len(both),
        kappa=_defined(cohen_kappa(judged, said)),
        alpha=_defined(krippendorff_alpha([judged, said], scale="interval")),
        mean=_mean(scores, level),
    )


def _mean(scores: list[tuple[str, float, float | None]], level: float) -> PPIMean | None:
    judged: dict[str, list[float]] = defaultdict(list)
    labelled: dict[str, list[float]] = defaultdict(list)
    for sample, value, label in scores:
        judged[sample].append(value)
        if label is not None:
            labelled[sample].append(label)
    others = [sample for sample in judged if sample not in labelled]
    if len(labelled) < _LEAST_LABELS or len(others) < _LEAST_OTHERS:
        return None
    return ppi_mean(
        [np.mean(values) for values in labelled.values()],
        [np.mean(judged[sample]) for sample in labelled],
        [np.mean(judged[sample]) for sample in others],
        level=level,
    )


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
