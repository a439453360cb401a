"""Collects what a model says into blocks, each of which is scored and becomes one part of the lake.

A block is a fixed stretch of everything that is asked of a model, so its name says what it holds: a run that
goes on sees from the names what is there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import msgspec

from saltus.evals.plan import Asked, Plan
from saltus.evals.unit import Manner, Unit, what_is_missing
from saltus.records.evidence import Response, Sample, Score
from saltus.tasks import Task
from saltus.tasks.metrics import Metric, couple, score_groups, score_pairs, score_responses

BLOCK = 4_096  # responses of a block, about
_PAIRS_APART = 4  # blocks; partners that are further apart are not scored together

Later = tuple[Task, Metric, Sample, Response]


class Found(msgspec.Struct):
    """Evidence to be written.

    Attributes:
        responses: With an error those that have no scores.
        scores: Of the others.
        failures: Those that have an error.
    """

    responses: list[Response] = []
    scores: list[Score] = []
    failures: list[Response] = []


class Group:
    """Everything that is asked about one sample: its variants and epochs."""

    __slots__ = ("answers", "asked", "open", "plan")

    def __init__(self, plan: Plan, asked: Sequence[Asked]) -> None:
        self.plan = plan
        self.asked = asked
        self.open = len(asked)
        self.answers: list[tuple[Response, tuple[Metric, ...]] | None] = [None] * len(asked)


class Block:
    """A stretch of what is asked of one model.

    Args:
        number: Its place among the model's blocks.
        groups: Its samples.
        only: Write only these (task, sample, variant, epoch), where the rest is written already.
    """

    def __init__(
        self, number: int, groups: list[Group], only: frozenset[tuple[str, str, str, int]] | None = None
    ) -> None:
        self.number = number
        self.groups = groups
        self.open = len(groups)
        self._only = only

    def units(self, manner: Manner, finished: Callable[[Block, Response], None]) -> Iterator[Unit]:
        """The block's units; `finished` is called with each one's response."""
        for group in self.groups:
            for place, asked in enumerate(group.asked):
                yield Unit(group.plan, asked, manner, _Done(self, group, place, finished))

    def found(self) -> Found:
        """Responses and scores of the samples that are complete, in the order in which they were asked."""
        found = Found()
        later: dict[str, list[Later]] = {}
        for group in self.groups:
            if group.open == 0:
                self._collect(group, found, later)
        for waiting in later.values():
            task, metric, _, _ = waiting[0]
            found.scores += score_responses(
                task, [metric], [(sample, response) for _, _, sample, response in waiting]
            )
        found.scores += self._pair_scores()
        return found

    def _pair_scores(self) -> Iterator[Score]:
        """Scores of samples that belong together; `blocks` keeps partners in one block."""
        for plan, groups in itertools.groupby(self.groups, key=lambda group: group.plan):
            if plan.pairs and self._only is None:
                whole = [
                    (asked.sample, answer[0])
                    for group in groups
                    if group.open == 0
                    for asked, answer in zip(group.asked, group.answers, strict=True)
                    if answer is not None and answer[0].finish != "error"
                ]
                yield from score_pairs(plan.pairs, couple(whole))

    def _collect(self, group: Group, found: Found, later: dict[str, list[Later]]) -> None:
        """Score one by one; what is scored many at a time goes to `later`."""
        whole = True
        wanted = False
        for asked, answer in zip(group.asked, group.answers, strict=True):
            assert answer is not None  # noqa: S101 - only complete groups come here
            response, metrics = answer
            failed = response.finish == "error"
            whole = whole and not failed
            if self._only is not None:
                key = (response.task, response.sample, response.variant, response.epoch)
                if key not in self._only or failed:
                    found.failures += [response] if key in self._only else []
                    continue
            wanted = True
            try:
                scores = [] if failed else _scores(asked.sample, response, metrics)
            except Exception as error:  # noqa: BLE001 - a metric of a user's own: it costs this response only
                response = msgspec.structs.replace(
                    response, finish="error", error=f"it cannot be scored ({type(error).__name__}: {error})"
                )
                scores, failed, whole = [], True, False
            found.responses.append(response)
            found.scores += scores
            if failed:
                found.failures.append(response)
                continue
            for metric in metrics:
                if metric.batch is not None:
                    later.setdefault(f"{response.task} {metric.name}", []).append(
                        (group.plan.task, metric, asked.sample, response)
                    )
        if whole and wanted and group.plan.groups:
            found.scores += _group_scores(group)


class _Done:
    """Called when a unit has its answers."""

    __slots__ = ("block", "finished", "group", "place")

    def __init__(
        self, block: Block, group: Group, place: int, finished: Callable[[Block, Response], None]
    ) -> None:
        self.block, self.group, self.place, self.finished = block, group, place, finished

    def __call__(self, unit: Unit) -> None:
        response = unit.response()
        metrics = unit.metrics()
        if response.finish != "error" and (problem := what_is_missing(response, metrics)):
            response = msgspec.structs.replace(response, finish="error", error=problem)
        self.group.answers[self.place] = (response, metrics)
        self.group.open -= 1
        if self.group.open == 0:
            self.block.open -= 1
        self.finished(self.block, response)


def _scores(sample: Sample, response: Response, metrics: Sequence[Metric]) -> list[Score]:
    """One row for each metric that has a score for the response."""
    values = [(metric.name, metric.compute(sample, response)) for metric in metrics if metric.batch is None]
    return [
        Score(
            run=response.run,
            model=response.model,
            task=response.task,
            sample=response.sample,
            metric=name,
            value=float(value),
            variant=response.variant,
            epoch=response.epoch,
        )
        for name, value in values
        if not math.isnan(value)
    ]


def _group_scores(group: Group) -> Iterator[Score]:
    """Scores over the epochs of each variant, and over the variants of the first epoch."""
    sample = group.asked[0].sample
    by_variant: dict[str, list[Response]] = {}
    for answer in group.answers:
        if answer is not None:
            by_variant.setdefault(answer[0].variant, []).append(answer[0])
    yield from score_groups(
        group.plan.groups, ((sample, repeats) for repeats in by_variant.values()), "epochs"
    )
    firsts = [repeats[0] for repeats in by_variant.values()]
    if len(firsts) > 1:
        yield from score_groups(group.plan.groups, [(sample, firsts)], "variants")


def blocks(plans: Sequence[Plan]) -> Iterator[Block]:
    """All that is asked of a model, a block at a time; samples that are a pair come into the same one."""
    groups: list[Group] = []
    size = number = 0
    alone: set[str] = set()
    for plan in plans:
        for asked in plan.asked():
            if not asked:
                continue  # no variant applies to this sample
            groups.append(Group(plan, asked))
            size += len(asked)
            if plan.pairs:
                _match(asked[0].sample, alone)
            if size >= BLOCK and (not alone or size >= _PAIRS_APART * BLOCK):
                yield Block(number, groups)
                groups, size, number, alone = [], 0, number + 1, set()
    if groups:
        yield Block(number, groups)


def _match(sample: Sample, alone: set[str]) -> None:
    """Keep account of the samples whose partner has not come yet."""
    partner = sample.extra.get("pair")
    if partner in alone:
        alone.discard(partner)
    elif partner:
        alone.add(sample.id)
