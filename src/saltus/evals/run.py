"""`evaluate`: asks every model every task, scores the answers and writes the evidence, block by block.

The id of a run is a hash of what is measured, and what is written is named after it. So the same command goes
on where an interrupted one stopped, and a second one finds everything done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypedDict, Unpack

import msgspec

from saltus.evals.asking import Asker
from saltus.evals.manifest import manifest
from saltus.evals.plan import Wanted, check_names, make_plans
from saltus.evals.session import ProgressEvent, Session
from saltus.evals.unit import Manner
from saltus.models import load_model
from saltus.models.protocol import Model
from saltus.records.errors import BudgetError, MissingExtraError, SaltusError
from saltus.records.evidence import ModelRecord
from saltus.tasks import Suite, Task, get_suite

if TYPE_CHECKING:
    from saltus.models.series import Series
    from saltus.store import Store

__all__ = ["How", "ProgressEvent", "RunSummary", "evaluate"]


class RunSummary(msgspec.Struct, frozen=True):
    """What an evaluation did.

    Attributes:
        run: Id of the run, a content hash of suite, models, decoding and versions.
        samples: Responses with scores, those of an earlier start of the same run included: one for each
            model, sample, variant and epoch.
        failed: Those without scores.
        cached: Requests that were not sent because their answer was known.
        requests: Requests sent to models.
        seconds: Wall-clock time.
        problems: One sentence for each different thing that went wrong.
        cost: Of the responses of this start, in the currency of the models' prices.
        tokens: Prompt and completion tokens of the requests that were sent.
        stopped: Why the run ended before its end, empty when it did not; the same call goes on.
        notes: What a model could not be asked as the suite says.
    """

    run: str
    samples: int
    failed: int
    cached: int
    requests: int
    seconds: float
    problems: tuple[str, ...] = ()
    cost: float = 0.0
    tokens: tuple[int, int] = (0, 0)
    stopped: str = ""
    notes: tuple[str, ...] = ()


class How(TypedDict, total=False):
    """How samples are asked; see `saltus.evaluate`."""

    metrics: Sequence[str] | None
    limit: int | None
    variants: Sequence[str]
    plain: bool
    epochs: int | None
    seed: int
    temperature: float | None
    chat: bool


def evaluate(
    series: Series | Sequence[ModelRecord | Model],
    tasks: Suite | str | Sequence[str | Task],
    *,
    store: Store,
    progress: Callable[[ProgressEvent], None] | None = None,
    refresh: bool = False,
    retry_failed: bool = False,
    load: Callable[[ModelRecord], Model] = load_model,
    **how: Unpack[How],
) -> RunSummary:
    """Measure models on tasks.

    A model that cannot be loaded, or a sample that fails, never costs the others. What failed is kept as
    failed, apart from what is wrong.

    Args:
        series: Models in order, or their records.
        tasks: A suite, its name or file, or single tasks and names of suites.
        store: Where the evidence goes; its response cache is asked before a model is.
        progress: Called as responses come.
        refresh: Ask the models again, known or not, as a run of its own.
        retry_failed: Ask again what failed at an earlier start of this run.
        load: Makes a model from a record.
        how: `metrics`, only these, each for the tasks whose kind it fits (the tasks' own by default);
            `limit`, at most so many samples of each task; `variants` such as "typos:rate=0.1" or
            "few_shot:k=3", besides the plain samples, or without them where `plain` is false; `epochs`, how
            often each sample is asked; `seed` of variants and sampled answers; `temperature`; `chat`, to put
            prompts as a user's message.

    Returns:
        Counts, and the id of the run under which the evidence stands.

    Raises:
        UsageError: There is nothing to measure, or a metric, variant or suite does not exist.
        StoreError: The evidence cannot be written (what was written before stays), or the same run is under
            way elsewhere.
    """
    started = time.perf_counter()
    suite = _suite(tasks)
    chat = how.pop("chat", False)
    wanted = Wanted(**{name: tuple(value) if _is_list(value) else value for name, value in how.items()})  # type: ignore[arg-type]
    plans = make_plans(suite, wanted)
    given = series if isinstance(series, Sequence) else series.models
    subjects = [_subject(one, load) for one in given]
    check_names([subject.record.id for subject in subjects])
    run = manifest(
        suite.name,
        plans,
        [(subject.record.id, subject.fingerprint) for subject in subjects],
        wanted,
        chat=chat,
        refreshed=started if refresh else None,
    )
    asker = Asker(store.cache, refresh=refresh)
    names = tuple(subject.record.id for subject in subjects)
    sizes = {plan.task.name: plan.count * plan.per_sample for plan in plans}
    stopped = ""
    with store.claim(f"run-{run.id}"):
        ahead = ThreadPoolExecutor(1, thread_name_prefix="saltus-ahead")
        session = Session(run, store, asker, models=names, sizes=sizes, progress=progress)
        try:
            session.describe(run, plans, [subject.record for subject in subjects])
            for place, subject in enumerate(subjects):
                session.tell(subject.record.id, plans[0].task.name)
                _prepare(subjects[place + 1 : place + 2], ahead)
                if subject.model is None:
                    session.give_up(subject.record.id, plans, subject.problem)
                    continue
                manner = Manner.of(
                    run.id,
                    subject.model,
                    seed=wanted.seed,
                    chat=chat,
                    scores_text=asker.scores_text(subject.model),
                )
                try:
                    session.ask(subject.model, manner, plans, retry_failed=retry_failed)
                finally:
                    if subject.ours:
                        subject.model.close()
                session.tell(subject.record.id, plans[-1].task.name, now=True)
        except BudgetError as error:
            stopped = str(error)
        finally:
            ahead.shutdown(wait=False, cancel_futures=True)
            session.close()
            store.cache.settle()
    return RunSummary(
        run=run.id,
        samples=session.scored,
        failed=session.failed,
        cached=asker.known + session.skipped,
        requests=asker.sent,
        seconds=time.perf_counter() - started,
        problems=session.problems(),
        cost=session.cost,
        tokens=(asker.prompt_tokens, asker.completion_tokens),
        stopped=stopped,
        notes=tuple(session.notes),
    )


class _Subject(msgspec.Struct):
    """A model, or the sentence that says why there is none."""

    record: ModelRecord
    model: Model | None = None
    fingerprint: str = "missing"
    problem: str = ""
    ours: bool = True  # made here, so closed here


def _prepare(next_one: Sequence[_Subject], ahead: ThreadPoolExecutor) -> None:
    """Let the next model fetch its files while this one is asked; what goes wrong, it will say when asked."""
    for subject in next_one:
        prepare = getattr(subject.model, "prepare", None)
        if prepare is not None:
            ahead.submit(prepare)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _suite(tasks: Suite | str | Sequence[str | Task]) -> Suite:
    if isinstance(tasks, Suite):
        return tasks
    if isinstance(tasks, str):
        return get_suite(tasks)
    suites = [Suite(one.name, (one,)) if isinstance(one, Task) else get_suite(one) for one in tasks]
    return Suite(
        "+".join(suite.name for suite in suites), tuple(task for suite in suites for task in suite.tasks)
    )


def _subject(one: ModelRecord | Model, load: Callable[[ModelRecord], Model]) -> _Subject:
    if not isinstance(one, ModelRecord):
        return _Subject(one.record, one, one.fingerprint, ours=False)
    try:
        model = load(one)
        return _Subject(one, model, model.fingerprint)
    except MissingExtraError:
        raise  # no model could be loaded without it
    except SaltusError as error:
        return _Subject(one, problem=str(error))
    except Exception as error:  # noqa: BLE001 - files of others: whatever goes wrong costs this model only
        return _Subject(one, problem=f"{type(error).__name__}: {error}")
