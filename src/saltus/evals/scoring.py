"""`score`: computes metrics of a stored run from its responses, without asking the models again.

The scores stand under the run's own id. What is there is not computed anew, so the same call adds nothing,
and one that was interrupted goes on.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from saltus._version import __version__
from saltus.evals.stored import Key, Unit, existing, find_run, pages, units
from saltus.records.evidence import Response, RunRecord, Sample, Score
from saltus.records.ids import content_hash
from saltus.tasks.metrics import (
    AnyMetric,
    GroupMetric,
    Metric,
    Pair,
    PairMetric,
    couple,
    get_metric,
    ingredients,
    score_groups,
    score_pairs,
    score_responses,
)

if TYPE_CHECKING:
    from saltus.store import Store

_FLUSH = 65_536  # scores of a part


class ScoreSummary(msgspec.Struct, frozen=True):
    """What scoring did.

    Attributes:
        run: Id under which the scores stand.
        metrics: Their names in the store.
        responses: Responses that were looked at.
        added: Scores that were added.
        present: Scores that were there.
        without: Responses times metrics that have no score: the metric does not apply to them.
        seconds: Wall-clock time.
    """

    run: str
    metrics: tuple[str, ...]
    responses: int
    added: int
    present: int
    without: int
    seconds: float


def score(
    run: str,
    metrics: Sequence[str | AnyMetric],
    *,
    store: Store,
    models: Sequence[str] = (),
    tasks: Sequence[str] = (),
    again: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ScoreSummary:
    """Score the responses of a stored run by more metrics.

    Args:
        run: Id of the run, the first letters of it, or "last".
        metrics: Names, or metrics themselves (a judge's: see `saltus.evals.judge.judge_metric`).
        store: Where the run is and the scores go.
        models: Only these models.
        tasks: Only these tasks.
        again: Compute what is there anew, as a run of its own with a copy of the responses, so that nothing
            that was stored changes.
        progress: Called with the responses done and in all.

    Raises:
        UsageError: There is no such run or metric, or nothing to score.
        StoreError: The scores cannot be written; those that were written before stay.
    """
    started = time.perf_counter()
    chosen = _chosen(metrics)
    source = find_run(store, run)
    wanted = units(store, source, models=models, tasks=tasks)
    target = _run_again(store, source, chosen) if again else source
    scorer = _Scorer(store, target, chosen)
    total = sum(unit.responses for unit in wanted)
    for unit in wanted:
        for page in pages(store, unit):
            scorer.page(unit, page)
            if progress is not None:
                progress(scorer.responses, total)
        scorer.end_of(unit)
    scorer.flush()
    return ScoreSummary(
        run=target,
        metrics=tuple(metric.name for metric in chosen),
        responses=scorer.responses,
        added=scorer.added,
        present=scorer.present,
        without=scorer.without,
        seconds=time.perf_counter() - started,
    )


def _chosen(metrics: Sequence[str | AnyMetric]) -> tuple[AnyMetric, ...]:
    found: dict[str, AnyMetric] = {}
    for metric in metrics:
        if isinstance(metric, str):
            found.update({part: get_metric(part) for part in ingredients(metric)})
        else:
            found[metric.name] = metric
    return tuple(found.values())


def _run_again(store: Store, source: str, metrics: Sequence[AnyMetric]) -> str:
    now = time.time()
    names = [metric.name for metric in metrics]
    config = {"of": source, "metrics": names, "version": __version__}
    run = RunRecord(
        id=content_hash(config | {"made": now}),
        kind="score",
        source=source,
        format="saltus",
        content=content_hash(config),
        config=json.dumps(config, sort_keys=True),
        version=__version__,
        created=now,
    )
    store.append("runs", [run], part=run.id)
    return run.id


class _Scorer:
    """Computes what is missing, page by page, and writes it in large parts."""

    def __init__(self, store: Store, run: str, metrics: Sequence[AnyMetric]) -> None:
        self.responses = self.added = self.present = self.without = 0
        self._store, self._run, self._metrics = store, run, metrics
        self._names = [metric.name for metric in metrics]
        self._pairs = any(isinstance(metric, PairMetric) for metric in metrics)
        self._waiting: list[Pair] = []  # samples that have a partner
        self._scores: list[tuple[Unit, Score]] = []

    def page(self, unit: Unit, page: list[Pair]) -> None:
        """Score one page of responses."""
        self.responses += len(page)
        if not page:
            return
        if self._run != unit.run:
            page = [(sample, msgspec.structs.replace(said, run=self._run)) for sample, said in page]
            self._copy([said for _, said in page])
        unit = msgspec.structs.replace(unit, run=self._run)
        there = existing(self._store, unit, self._names, [page[0][0].id, page[-1][0].id])
        self.present += len(there)
        for metric in self._metrics:
            self._take(unit, self._scored(metric, page, there))
        if self._pairs:
            self._waiting += [pair for pair in page if "pair" in pair[0].extra]
        if len(self._scores) >= _FLUSH:
            self.flush()

    def end_of(self, unit: Unit) -> None:
        """Score the pairs of samples of one model and task."""
        pairs, self._waiting = self._waiting, []
        if pairs:
            unit = msgspec.structs.replace(unit, run=self._run)
            ids = sorted(sample.id for sample, _ in pairs)
            names = [metric.name for metric in self._metrics if isinstance(metric, PairMetric)]
            there = existing(self._store, unit, names, [ids[0], ids[-1]])
            couples = list(couple(pairs))
            for name, metric in zip(self._names, self._metrics, strict=True):
                missing = [one for one in couples if (name, *_place(one[0][1])) not in there]
                self._take(unit, score_pairs([metric], missing))

    def flush(self) -> None:
        """Write what was computed and is not there; nobody else may write in between."""
        waiting, self._scores = self._scores, []
        if not waiting:
            return
        with self._store.exclusive():
            fresh: list[Score] = []
            for unit, group in itertools.groupby(waiting, key=lambda one: one[0]):
                scores = [one for _, one in group]
                samples = sorted(one.sample for one in scores)
                there = existing(self._store, unit, self._names, [samples[0], samples[-1]])
                fresh += [one for one in scores if (one.metric, *_place(one)) not in there]
            keys = [(one.model, one.task, one.metric, *_place(one)) for one in fresh]
            part = f"{self._run}-score-{content_hash(keys, length=16)}"
            self.added += self._store.append("scores", fresh, part=part) if fresh else 0

    def _scored(self, metric: AnyMetric, page: list[Pair], there: set[Key]) -> Iterator[Score]:
        match metric:
            case Metric():
                missing = [pair for pair in page if (metric.name, *_place(pair[1])) not in there]
                scores = list(score_responses(None, [metric], missing))
                self.without += len(missing) - len(scores)
                yield from scores
            case GroupMetric():
                groups = list(_groups(metric, page))
                missing_groups = [
                    one for one in groups if (metric.name, *_group(metric, one[1])) not in there
                ]
                yield from score_groups([metric], missing_groups, metric.over)
            case PairMetric():
                return  # the partner may be on another page

    def _take(self, unit: Unit, scores: Iterable[Score]) -> None:
        self._scores += [(unit, one) for one in scores]

    def _copy(self, responses: Sequence[Response]) -> None:
        keys = [(one.model, one.task, *_place(one)) for one in responses]
        part = f"{self._run}-{content_hash(keys, length=16)}"
        self._store.append("responses", responses, part=part)


def _place(one: Response | Score) -> tuple[str, str, int]:
    return one.sample, one.variant, one.epoch


def _group(metric: GroupMetric, responses: Sequence[Response]) -> tuple[str, str, int]:
    variant = "*" if metric.over == "variants" else responses[0].variant
    return responses[0].sample, variant, 0


def _groups(metric: GroupMetric, page: Sequence[Pair]) -> Iterator[tuple[Sample, list[Response]]]:
    """The groups of a page, which is sorted; over variants the first epoch of each counts."""
    for _, repeats in itertools.groupby(page, key=lambda pair: pair[1].sample):
        pairs = list(repeats)
        if metric.over == "variants":
            firsts = [pair for pair in pairs if pair[1].epoch == 0]
            if len(firsts) > 1:
                yield firsts[0][0], [said for _, said in firsts]
            continue
        for _, same in itertools.groupby(pairs, key=lambda pair: pair[1].variant):
            group = list(same)
            yield group[0][0], [said for _, said in group]
