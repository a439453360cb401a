"""From a model and a task to what carries the ability: all of this room's methods, in one order.

Checkpoints are scored (`development`), the last is taken apart (`dissect`, which calls `circuit`), those
around the onset are tried with the same sets, and `text` says what follows from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from saltus._version import __version__
from saltus.interpret.attention.heads import HeadScores, head_scores
from saltus.interpret.attention.probes import Probes, make_probes, probe_vocabulary
from saltus.interpret.attention.views import attention_views
from saltus.interpret.causal.adapter import Adapter, save_adapter
from saltus.interpret.circuits.bench import LEAST
from saltus.interpret.circuits.circuit import Bystander, CircuitFinding
from saltus.interpret.development.follow import development_sentences, follow, record_development
from saltus.interpret.development.measures import head_measure, layer_measure, score_measure
from saltus.interpret.development.tracks import Development
from saltus.interpret.dissect import around, dissect
from saltus.interpret.network.checkpoints import Opened, open_model
from saltus.interpret.network.prompts import Prompts, make_prompts
from saltus.interpret.subject import Subject
from saltus.interpret.text import TELLING, as_text, by_standing, headline, statements
from saltus.records.changes import Lag
from saltus.records.errors import InputError, UsageError
from saltus.records.evidence import ModelRecord, RunRecord
from saltus.records.explanations import Effect, Explanation, Statement, View, parse_components
from saltus.records.findings import Finding
from saltus.records.ids import content_hash

if TYPE_CHECKING:
    from saltus.store import Store
    from saltus.tasks import Suite, Task

FORMAT = "saltus-explain"
_VIEWS = 4  # prompts whose attention can be looked at
_HEADS_SHOWN = 6
_UNMARKED = (
    "How much heads look at the place of the answer was not scored, because the items do not mark it "
    "(`sources`, docs/tasks.md)."
)
_ORDERED = 0.05  # q-value at which one curve counts as first

Report = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and how much there is."""
Dating = Callable[[Sequence[dict[str, Any]]], Finding | None]
"""From scores of the checkpoints, as `saltus.emergence` takes points, to what is found in them."""


class ExplainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to explain.

    Attributes:
        others: Tasks of the suite on which ablations are tried too; all that the model can do when None.
        limit: Most samples of a task.
        counterfactual: Which corrupted prompts of the items to patch from; their first when None.
        seed: Of probes, halves, random sets and resampling.
        device: "auto" takes the GPU where there is one.
        dtype: "auto" computes in float32 on a CPU and in the stored type elsewhere.
    """

    others: tuple[str, ...] | None = None
    limit: int = 256
    counterfactual: str | None = None
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """An explanation with the evidence behind it, not yet in a store.

    Attributes:
        explanation: What is said.
        effects: Every number, as rows.
        subject: What was explained.
        circuit: What was found in the model, with each test in words.
        heads: Scores of heads at each checkpoint; None when the series has one model.
        scores: The ability at each checkpoint, likewise.
        adapter: What suppresses the named set; None when no set was found.
        problems: Checkpoints that could not be used, and why.
    """

    explanation: Explanation
    effects: tuple[Effect, ...]
    subject: Subject
    circuit: CircuitFinding
    heads: Development | None = None
    scores: Development | None = None
    adapter: Adapter | None = None
    problems: tuple[str, ...] = ()

    def record(self, store: Store) -> None:
        """Write models, effects and the curves of heads; what is there already is not written again."""
        run = self.explanation.id
        part = f"explain-{run}"
        store.append("models", list(self.subject.series), part=part)
        store.append("effects", list(self.effects), part=part)
        rows = len(self.effects)
        if self.heads is not None:
            record_development(store, self.heads, run=run)
            rows += len(self.heads.effects(run))
        known = RunRecord(
            id=run,
            kind="explain",
            source=self.explanation.task,
            format=FORMAT,
            content=run,
            rows=rows,
            version=__version__,
            created=time.time(),
        )
        store.append("runs", [known], part=part)

    def curves(self) -> list[dict[str, Any]]:
        """Curves of the ability and of the heads that are spoken of, as `saltus.emergence` takes points."""
        if self.scores is None or self.heads is None:
            return []
        told = self._told()
        heads = [row for row in curves(self.heads, self.explanation.id, told) if row["metric"] in told]
        return [*curves(self.scores, self.explanation.id), *heads]

    def with_lags(self, lags: Sequence[Lag]) -> Explained:
        """Set the curves of heads beside the onset, and say which came first."""
        onset = self.subject.onset
        if onset is None or self.heads is None or self.subject.axis not in ("step", "tokens", "params"):
            return self
        told = self._told()
        tracks = [one for one in self.heads.tracks(self.subject.axis) if one.name in told]
        score = f"{self.explanation.task} {self.explanation.metric}"
        telling = [
            one
            for one in lags
            if (one.q is not None and one.q <= _ORDERED) or score in (one.leader, one.follower)
        ]
        found = development_sentences(tracks, onset, telling, task=self.explanation.task)
        whole = by_standing((*self.explanation.statements, *found))
        changed = msgspec.structs.replace(self.explanation, statements=whole, text=as_text(whole))
        return msgspec.structs.replace(self, explanation=changed)

    def write_adapter(self, path: str | Path) -> None:
        """Write a file that suppresses the named set in this model, to be applied and removed.

        Raises:
            UsageError: No set was found.
        """
        if self.adapter is None:
            raise UsageError(
                f"no set of components was found for {self.explanation.task}, so there is nothing to "
                "suppress",
                field="adapter",
            )
        save_adapter(self.adapter, path)

    def _told(self) -> list[str]:
        """Curves that the text speaks of: of heads such as "induction:L1H0"; over sizes, of the strongest."""
        if self.subject.axis == "params":
            return [name for name in TELLING if name != "source"]
        roles = [role for role in self.explanation.roles if role.role in TELLING]
        return [f"{role.role}:{role.component}" for role in roles][:_HEADS_SHOWN]


_AXES = ("params", "tokens", "flops", "step", "loss", "released", "layers", "width", "heads")


def curves(
    development: Development, run: str = "", named: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """What was measured at each checkpoint, as `saltus.emergence` takes points."""
    records = {record.id: record for record in development.records}
    chances = {
        (record.id, reading.task): reading.baseline
        for record, readings in zip(development.records, development.readings, strict=True)
        for reading in readings.values()
        if not reading.component
    }
    rows: list[dict[str, Any]] = []
    for one in development.aggregates(run, named):
        record = records[one.model]
        row = {name: getattr(record, name) for name in ("name", "family", "role", *_AXES)}
        row |= {name: getattr(one, name) for name in ("model", "run", "task", "metric", "variant")}
        row |= {name: getattr(one, name) for name in ("value", "stderr", "n", "shots")}
        rows.append(row | {"model_seed": record.seed, "chance": chances.get((one.model, one.task))})
    return rows


def explain(
    subject: Subject,
    suite: Suite,
    task: str,
    settings: ExplainSettings | None = None,
    report: Report | None = None,
    dating: Dating | None = None,
) -> Explained:
    """Find what carries an ability in a model, and when it formed.

    Args:
        subject: The model and its series; see `subject.find_subject`.
        suite: Holds the task and the others.
        task: The ability.
        settings: How.
        report: Told of progress.
        dating: Finds the onset in the scores of the series where no finding is recorded.

    Raises:
        UsageError: The suite has no such task, or it is not one whose answers can be fed in.
        InputError: A mark of the task does not fit the model's tokens, or there are too few samples.
        ModelError: The model cannot be loaded, or there is no path table for it.
    """
    settings = settings or ExplainSettings()
    recorded = subject.finding.id if subject.finding else ""  # one that is only found here leads nowhere
    tell: Report = report or (lambda stage, done, total: None)
    [wanted] = suite.only([task]).tasks
    opened = open_model(subject.model, device=settings.device, dtype=settings.dtype)
    prompts = _prompts(wanted, opened, settings)
    problems: list[str] = []
    bystanders = _bystanders(suite, task, opened, settings, problems)
    probes = _probes(opened, prompts, settings.seed)
    heads, scores = _develop(subject, opened, prompts, wanted, probes, settings, tell, problems)
    if subject.finding is None and scores is not None and dating is not None:
        subject = subject.dated(dating(curves(scores)))
    measured = heads.records if heads else (subject.model,)
    run = _identity(subject, wanted, settings, measured)
    own = head_scores(opened.model, probes, prompts if prompts.sources is not None else None)
    taken = dissect(opened, prompts, wanted.chance, bystanders, seed=settings.seed, run=run, report=tell)
    near = [one for one in (subject.before, subject.after) if one is not None]
    beside = around(near, opened, prompts, taken.circuit, settings, run=run, problems=problems)
    effects = (*taken.effects, *beside)
    explanation = Explanation(
        id=run,
        model=subject.model.id,
        before=subject.before.id if subject.before else "",
        checkpoints=tuple(one.id for one in measured),
        family=subject.model.family,
        series=subject.model.name,
        axis=subject.axis,
        task=task,
        metric=prompts.metric,
        finding=recorded,
        onset=subject.onset,
        verdict=taken.circuit.verdict,
        headline="",
        score=taken.circuit.able.score,
        chance=wanted.chance,
        n=len(prompts.samples),
        roles=own.roles(),
        circuit=taken.circuit.circuit,
        views=_views(opened, prompts, own, taken.circuit),
        examples=taken.examples,
        seed=settings.seed,
        version=__version__,
    )
    found = statements(explanation, taken.circuit, effects, subject)
    if prompts.sources is None and taken.circuit.verdict != "nothing":
        found = (*found, Statement("not_tested", _UNMARKED))
    explanation = msgspec.structs.replace(
        explanation, headline=headline(explanation), statements=found, text=as_text(found)
    )
    return Explained(
        explanation=explanation,
        effects=effects,
        subject=subject,
        circuit=taken.circuit,
        heads=heads,
        scores=scores,
        adapter=taken.adapter,
        problems=tuple(problems),
    )


def _prompts(task: Task, opened: Opened, settings: ExplainSettings) -> Prompts:
    if task.kind == "perplexity":
        raise UsageError(
            f"task {task.name} asks for the probability of whole texts, which has no one answer to follow; "
            "choose a task of questions and answers",
            field="task",
        )
    samples = list(islice(task.items(), settings.limit))
    if len(samples) < LEAST:
        raise InputError(
            f"task {task.name} has {len(samples)} samples, and half of them find what the other half tests; "
            f"give {LEAST} at least",
            field="limit",
        )
    return make_prompts(
        samples,
        opened.encoder,
        metric="choice_correct" if task.kind == "multiple_choice" else "exact_match",
        counterfactual=settings.counterfactual,
        context=opened.context,
        cluster=task.cluster,
    )


def _bystanders(
    suite: Suite, task: str, opened: Opened, settings: ExplainSettings, problems: list[str]
) -> list[Bystander]:
    """The other tasks; one that does not fit the model is left out, and said so where it was asked for."""
    wanted = [one for one in suite.tasks if one.name != task and one.kind != "perplexity"]
    if settings.others is not None:
        wanted = [one for one in suite.only(settings.others).tasks if one.name != task]
    plain = msgspec.structs.replace(settings, counterfactual=None)
    found = []
    for one in wanted:
        try:
            found.append(Bystander(_prompts(one, opened, plain), one.chance))
        except (InputError, UsageError) as error:
            if settings.others is not None:
                problems.append(f"{one.name}: {error}")
    return found


def _probes(opened: Opened, prompts: Prompts, seed: int) -> Probes:
    vocabulary = probe_vocabulary(opened.encoder, prompts)
    return make_probes(vocabulary, context=opened.context or 512, seed=seed)


def _develop(
    subject: Subject,
    opened: Opened,
    prompts: Prompts,
    task: Task,
    probes: Probes,
    settings: ExplainSettings,
    tell: Report,
    problems: list[str],
) -> tuple[Development | None, Development | None]:
    """Heads and ability at every checkpoint, in one pass over them."""
    if len(subject.series) < 2:
        return None, None
    done: list[str] = []

    def count(name: str) -> None:
        done.append(name)
        tell("checkpoints", len(done), len(subject.series))

    both = follow(
        subject.series,
        [
            head_measure(probes, prompts if prompts.sources is not None else None),
            layer_measure(prompts),
            score_measure(prompts, task.chance),
        ],
        device=settings.device,
        dtype=settings.dtype,
        encoder=opened.encoder,
        seed=settings.seed,
        progress=count,
    )
    problems += both.problems
    score = f"{prompts.task} {prompts.metric}"
    heads = [{k: v for k, v in one.items() if k != score} for one in both.readings]
    return (
        msgspec.structs.replace(both, readings=tuple(heads)),
        msgspec.structs.replace(both, readings=tuple({score: one[score]} for one in both.readings)),
    )


def _views(opened: Opened, prompts: Prompts, scores: HeadScores, circuit: CircuitFinding) -> tuple[View, ...]:
    """Attention of the heads that are spoken of: the named set, then those with a role."""
    names = [str(one) for one in circuit.named if one.part == "head"]
    names += [role.component for role in scores.roles()]
    names += [str(scores.ranked(name)[0]) for name in ("source", "induction") if name in scores.scores]
    heads = [parse_components(name)[0] for name in dict.fromkeys(names)][:_HEADS_SHOWN]
    return attention_views(opened.model, prompts, opened.encoder, heads, rows=range(_VIEWS))


def _identity(
    subject: Subject, task: Task, settings: ExplainSettings, measured: Sequence[ModelRecord]
) -> str:
    """Hash of everything that decides the numbers."""
    from saltus.models.local import TransformersModel

    def files(record: ModelRecord) -> str:
        return TransformersModel(record.location, record=record).fingerprint

    near = [one for one in (subject.model, subject.before, subject.after) if one is not None]
    return content_hash(
        {
            "models": [one.id for one in measured],
            "files": [files(one) for one in near],
            "task": task.version,
            "finding": subject.finding.id if subject.finding else "",
            "settings": settings,
            "version": __version__,
        }
    )
