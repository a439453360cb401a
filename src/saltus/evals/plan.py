"""What one task asks of every model: its samples, in which variants, how often, and what scores them."""

from __future__ import annotations

import hashlib
import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from saltus.records.errors import UsageError
from saltus.records.evidence import Sample
from saltus.tasks import Suite, Task
from saltus.tasks.metrics import (
    AnyMetric,
    GroupMetric,
    Metric,
    Need,
    PairMetric,
    all_metrics,
    metrics_for,
    with_partners,
)

if TYPE_CHECKING:
    from saltus.tasks.variants import Variant

CLUSTER = "cluster"  # the slice by which the store clusters standard errors
POOL = 256  # samples that variants may draw examples and distractors from
_HELD = 2_000  # samples of a task that are kept in memory; a larger task is read again
_HASHED_AT_ONCE = 1_000
_ENCODE = msgspec.json.Encoder(order="deterministic").encode


class Asked(msgspec.Struct, frozen=True):
    """One sample as it is asked.

    Attributes:
        sample: With the changes of the variant.
        variant: Canonical name of the variant, empty for the plain sample.
        epoch: Which repetition.
        prompt: The input where it is not the sample's own.
        changes: What else the variant changed, as `Response.changes` has it.
    """

    sample: Sample
    variant: str = ""
    epoch: int = 0
    prompt: str = ""
    changes: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What is asked of every model for one task.

    Attributes:
        task: The task.
        samples: Gives those that are asked, in order.
        count: How many they are.
        digest: Content hash of them.
        metrics: What the answers are scored by, one by one.
        groups: What the answers to one sample are scored by together.
        pairs: What the answers to two samples that belong together are scored by.
        variants: Besides the plain sample, or instead of it.
        plain: Whether the plain sample is asked.
        epochs: How often each is asked.
        pool: The first samples, for variants.
    """

    task: Task
    samples: Callable[[], Iterable[Sample]]
    count: int
    digest: str
    metrics: tuple[Metric, ...]
    groups: tuple[GroupMetric, ...] = ()
    pairs: tuple[PairMetric, ...] = ()
    variants: tuple[Variant, ...] = ()
    plain: bool = True
    epochs: int = 1
    pool: tuple[Sample, ...] = ()

    @property
    def generates(self) -> bool:
        """Whether the prompt is continued."""
        if self.task.kind != "generation":
            return False
        return bool(self.groups) or any(set(needs) != {"target_logprobs"} for needs in self._needs)

    @property
    def scores_text(self) -> bool:
        """Whether the log-probability of the target, or of the choices, is asked."""
        return self.task.kind != "generation" or any("target_logprobs" in needs for needs in self._needs)

    @property
    def _needs(self) -> list[tuple[Need, ...]]:
        return [metric.needs for metric in self.metrics] + [metric.needs for metric in self.pairs]

    @property
    def per_sample(self) -> int:
        """How often each sample is asked at most; variants may not apply to some."""
        return (self.plain + len(self.variants)) * self.epochs

    def asked(self) -> Iterator[tuple[Asked, ...]]:
        """Everything that is asked, grouped by sample."""
        for sample in self.samples():
            yield tuple(self._of(sample))

    def _of(self, sample: Sample) -> Iterator[Asked]:
        if self.plain:
            for epoch in range(self.epochs):
                yield Asked(sample, epoch=epoch)
        for variant in self.variants:
            changed = variant.apply(sample, self.pool) if self.task.kind in variant.kinds else None
            if changed is not None:
                prompt = changed.input if changed.input != sample.input else ""
                changes = _changes(sample, changed)
                for epoch in range(self.epochs):
                    yield Asked(changed, variant.name, epoch, prompt, changes)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How the tasks of a suite are asked.

    Attributes:
        metrics: Only these, each for the tasks whose kind it fits; the tasks' own when None.
        limit: At most so many samples of each task, the first ones.
        variants: As `saltus.tasks.variants.get_variant` reads them.
        plain: Whether the unchanged samples are asked as well.
        epochs: How often each sample is asked; the task's own number when None.
        seed: Of variants and of sampled answers.
        temperature: Of generated answers; the task's own when None.
    """

    metrics: tuple[str, ...] | None = None
    limit: int | None = None
    variants: tuple[str, ...] = ()
    plain: bool = True
    epochs: int | None = None
    seed: int = 0
    temperature: float | None = None


def make_plans(suite: Suite, wanted: Wanted) -> list[Plan]:
    """Look at every sample of a suite once.

    Raises:
        UsageError: There is nothing to measure, a name stands twice, or an option is out of range.
    """
    for name in ("limit", "epochs"):
        value = getattr(wanted, name)
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}, it must be 1 or more", field=name)
    check_names([task.name for task in suite.tasks], "task")
    variants = _variants(wanted)
    if not variants and not wanted.plain:
        raise UsageError("nothing is left to ask without plain samples and variants", field="variants")
    plans = []
    scorers = {scorer.name for task in suite.tasks for scorer in task.scorers}
    for task in suite.tasks:
        chosen = metrics_for(task, _names_for(task, wanted.metrics, scorers))
        if wanted.metrics is None:
            chosen = _with_free_partners(task, chosen)
        if chosen:
            plans.append(_plan(task, chosen, variants, wanted))
    if not plans:
        names = ", ".join(wanted.metrics or ())
        reason = f"none of its tasks can be scored by {names}" if names else "it has no tasks"
        raise UsageError(f"suite {suite.name} gives nothing to measure: {reason}", field="metrics")
    return plans


def _names_for(task: Task, names: tuple[str, ...] | None, scorers: set[str]) -> tuple[str, ...] | None:
    """The wanted names, without those that only other tasks of the suite bring."""
    if names is None:
        return None
    own = {scorer.name for scorer in task.scorers}
    return tuple(name for name in names if name in own or name not in scorers or name in all_metrics())


def _with_free_partners(task: Task, chosen: tuple[AnyMetric, ...]) -> tuple[AnyMetric, ...]:
    """A continuous metric beside each discontinuous one that has none, where it needs no further request."""
    asked = {need for metric in chosen if not isinstance(metric, GroupMetric) for need in metric.needs}
    return tuple(
        metric
        for metric in with_partners(task, chosen)
        if metric in chosen or (not isinstance(metric, GroupMetric) and asked.issuperset(metric.needs))
    )


def check_names(names: Sequence[str], what: str = "model") -> None:
    """Refuse an empty list, and a name that stands for two."""
    field = what.partition(" ")[0]
    if not names:
        raise UsageError(f"there is no {what} to measure; give one at least", field=field)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"{twice!r} names more than one {what}; give each its own name", field=field)


def _plan(
    task: Task,
    chosen: Sequence[AnyMetric],
    variants: tuple[Variant, ...],
    wanted: Wanted,
) -> Plan:
    if wanted.temperature is not None:
        task = msgspec.structs.replace(task, temperature=wanted.temperature)
    samples = _source(task, wanted.limit)
    count, digest = _scan(samples, task.name)
    return Plan(
        task=task,
        samples=samples,
        count=count,
        digest=digest,
        metrics=tuple(metric for metric in chosen if isinstance(metric, Metric)),
        groups=tuple(metric for metric in chosen if isinstance(metric, GroupMetric)),
        pairs=tuple(metric for metric in chosen if isinstance(metric, PairMetric)),
        variants=variants,
        plain=wanted.plain,
        epochs=wanted.epochs or task.epochs,
        pool=tuple(itertools.islice(task.items(), POOL)) if variants else (),
    )


def _changes(sample: Sample, changed: Sample) -> str:
    """What a variant changed besides the input, as JSON; the extra keys that differ only."""
    found: dict[str, object] = {
        name: getattr(changed, name)
        for name in ("target", "choices", "answer")
        if getattr(changed, name) != getattr(sample, name)
    }
    extra = {key: value for key, value in changed.extra.items() if sample.extra.get(key) != value}
    if extra:
        found["extra"] = extra
    return _ENCODE(found).decode() if found else ""


def _variants(wanted: Wanted) -> tuple[Variant, ...]:
    if not wanted.variants:
        return ()
    from saltus.tasks.variants import get_variant

    found = tuple(get_variant(text, seed=wanted.seed) for text in wanted.variants)
    check_names([variant.name for variant in found], "variant")
    return found


def _source(task: Task, limit: int | None) -> Callable[[], Iterable[Sample]]:
    """The samples that are asked: held where they are few, else read again each time."""

    def items() -> Iterator[Sample]:
        return _with_cluster(task, itertools.islice(task.items(), limit))

    head = tuple(itertools.islice(items(), _HELD + 1))
    return items if len(head) > _HELD else lambda: head


def _with_cluster(task: Task, samples: Iterator[Sample]) -> Iterator[Sample]:
    """Where samples belong together, say so where the store looks for it."""
    if not task.cluster:
        return samples
    return (
        msgspec.structs.replace(sample, slices={**sample.slices, CLUSTER: sample.slices[task.cluster]})
        if task.cluster in sample.slices
        else sample
        for sample in samples
    )


def _scan(samples: Callable[[], Iterable[Sample]], task: str) -> tuple[int, str]:
    """Count and hash the samples in bounded memory, and see that no id stands twice."""
    digest = hashlib.sha256()
    ids = array("Q")
    source = iter(samples())
    while chunk := list(itertools.islice(source, _HASHED_AT_ONCE)):
        digest.update(_ENCODE(chunk))
        for sample in chunk:
            ids.append(int.from_bytes(hashlib.blake2b(sample.id.encode(), digest_size=8).digest(), "little"))
    if not ids:
        raise UsageError(f"there is no sample of task {task} to measure; give one at least", field="sample")
    if len(np.unique(np.frombuffer(ids, dtype=np.uint64))) < len(ids):
        seen: set[str] = set()
        twice = next(sample.id for sample in samples() if sample.id in seen or seen.add(sample.id))  # type: ignore[func-returns-value]
        raise UsageError(
            f"{twice!r} names more than one sample of task {task}; give each its own name", field="sample"
        )
    return len(ids), digest.hexdigest()[:32]
