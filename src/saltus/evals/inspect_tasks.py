"""`run_inspect_task`: a task of Inspect, run by Inspect itself on Saltus models; its log becomes evidence.

The task's own solvers and scorers run. Requests go through the store's cache, and the log is read by the
importer of Inspect's logs, so that running a task here and importing a log of it give the same rows.
"""

from __future__ import annotations

import ast
import inspect
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from saltus._version import __version__
from saltus.evals.asking import Asker
from saltus.evals.importers.inspect_log import open_log
from saltus.evals.importers.parsed import Parsed
from saltus.evals.manifest import environment
from saltus.evals.run import RunSummary
from saltus.evals.session import part_name
from saltus.models import load_model
from saltus.models.protocol import Model
from saltus.records.errors import InputError, MissingExtraError, SaltusError, UsageError
from saltus.records.evidence import ModelRecord, RunRecord
from saltus.records.ids import bytes_hash, content_hash

if TYPE_CHECKING:
    from saltus.models.series import Series
    from saltus.store import Store


class InspectSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How Inspect runs a task; what is None is left to the task.

    Attributes:
        arguments: Of the function that makes the task, as `-T` gives them.
        limit: At most so many samples.
        epochs: How often each sample is asked.
        temperature: Of answers; 0 is greedy, and what is taken where the task does not say.
        max_tokens: Most tokens of an answer.
        stop: Strings that end an answer.
        seed: Of sampled answers.
        chat: Put single questions as messages too, in the model's chat template.
    """

    arguments: Mapping[str, Any] = {}
    limit: int | None = None
    epochs: int | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    chat: bool = False


def run_inspect_task(
    spec: str | Path,
    models: Series | Sequence[ModelRecord | Model],
    *,
    store: Store,
    settings: InspectSettings = InspectSettings(),  # noqa: B008 - frozen
    refresh: bool = False,
    load: Callable[[ModelRecord], Model] = load_model,
    log_dir: str | Path | None = None,
) -> RunSummary:
    """Run a task of Inspect on models.

    Running it again sends no request that was answered and writes nothing that is there. A sample whose
    solver or scorer fails is kept as failed.

    Args:
        spec: `FILE.py@TASK`, `FILE.py` for all its tasks, or the name of a task of an installed package.
        models: Models in order, or their records.
        store: Where the evidence goes; its response cache is asked before a model is.
        settings: How it is run.
        refresh: Ask the models again, known or not, as a run of its own.
        load: Makes a model from a record.
        log_dir: Keeps Inspect's own logs, for `inspect view`; they are not kept when None.

    Returns:
        Counts, and the id of the run under which the evidence stands.

    Raises:
        MissingExtraError: inspect-ai is not installed.
        UsageError: There is no model.
        InputError: There is no such task, or it cannot be made.
        StoreError: The evidence cannot be written.
    """
    if find_spec("inspect_ai") is None:
        raise MissingExtraError(
            f"{spec} is a task of Inspect, and inspect-ai is not installed; install it with: "
            'pip install "saltus[inspect]"'
        )
    given = list(models if isinstance(models, Sequence) else models.models)
    if not given:
        raise UsageError("there is no model to measure; give one at least", field="model")
    started = time.perf_counter()
    _check_file(str(spec))
    asker = Asker(store.cache, refresh=refresh)
    with tempfile.TemporaryDirectory(prefix="saltus-inspect-") as folder:
        logs = Path(log_dir) if log_dir is not None else Path(folder)
        found = [_evaluate(str(spec), one, settings, asker, load, logs) for one in given]
        store.cache.settle()
        run = _run_record(str(spec), settings, found, refreshed=started if refresh else None)
        samples = failed = 0
        for subject in found:
            for sample, fault in _write(subject, run, store):
                samples += sample
                failed += fault
        store.append("runs", [run], part=run.id)
    return RunSummary(
        run=run.id,
        samples=samples,
        failed=failed,
        cached=asker.known,
        requests=asker.sent,
        seconds=time.perf_counter() - started,
        problems=tuple(
            f"{subject.record.id}: {problem}" for subject in found for problem in subject.problems
        ),
        tokens=(asker.prompt_tokens, asker.completion_tokens),
    )


class _Evaluated(msgspec.Struct):
    """One model and the logs of its evaluation."""

    record: ModelRecord
    fingerprint: str = ""
    logs: list[Path] = []
    problems: list[str] = []


def _evaluate(
    spec: str,
    given: ModelRecord | Model,
    settings: InspectSettings,
    asker: Asker,
    load: Callable[[ModelRecord], Model],
    logs: Path,
) -> _Evaluated:
    ours = isinstance(given, ModelRecord)
    found = _Evaluated(given if isinstance(given, ModelRecord) else given.record)
    try:
        model = load(given) if isinstance(given, ModelRecord) else given
        found.fingerprint = model.fingerprint
    except MissingExtraError:
        raise
    except SaltusError as error:
        found.problems.append(str(error))
        return found
    try:
        for log in _inspect(spec, model, settings, asker, logs):
            if log.status != "success" and log.error is not None:
                raise InputError(
                    f"the task {log.eval.task} ended with an error ({_line(log.error.message)}); mend it",
                    path=_file(spec),
                )
            found.logs.append(Path(str(log.location)))
    finally:
        if ours:
            model.close()
    return found


def _inspect(spec: str, model: Model, settings: InspectSettings, asker: Asker, logs: Path) -> list[Any]:
    """Let Inspect run; the heads of its logs."""
    import inspect_ai
    from inspect_ai.model import GenerateConfig
    from inspect_ai.model import Model as InspectModel

    from saltus.evals.inspect_provider import AT_ONCE, SaltusProvider

    api: Any = SaltusProvider(model_name=model.record.id)
    api.use(model, asker, chat=settings.chat)
    options: dict[str, Any] = {
        "task_args": dict(settings.arguments),
        "limit": settings.limit,
        "epochs": settings.epochs,
        "temperature": settings.temperature,
        "max_tokens": settings.max_tokens,
        "stop_seqs": list(settings.stop) or None,
        "seed": settings.seed,
    }
    fixed: dict[str, Any] = {
        "display": "none",
        "log_dir": str(logs),
        "log_format": "eval",
        "log_level": "error",
        "fail_on_error": False,
        "max_samples": AT_ONCE,
        "acp_server": False,
        "ctl_server": False,
        "log_header_only": True,
    }
    known = inspect.signature(inspect_ai.eval).parameters
    call = {name: value for name, value in options.items() if value not in (None, {})}
    call |= {name: value for name, value in fixed.items() if name in known}
    try:
        return list(inspect_ai.eval(_specs(spec), model=InspectModel(api, GenerateConfig()), **call))
    except SaltusError:
        raise
    except Exception as error:  # the task's own code, and Inspect's ways of saying what is wrong
        reason = _line(getattr(error, "message", error))
        raise InputError(
            f"Inspect cannot run this task ({type(error).__name__}: {reason}); check its name, "
            "its arguments and its code",
            path=_file(spec),
        ) from error


def _write(subject: _Evaluated, run: RunRecord, store: Store) -> Iterator[tuple[int, int]]:
    """Put the logs of one model into the store; counts of scored and failed samples as they come."""
    store.append("models", [subject.record], part=f"run-{content_hash([subject.record])}")
    number = 0
    for log in subject.logs:
        for parsed in open_log(log).parse():
            subject.problems += [failure.error for failure in parsed.failed]
            part = f"{part_name(run.id, subject.record.id)}{number:05d}"
            _append(parsed, run.id, subject.record.id, part, store)
            number += 1
            failed = sum(response.finish == "error" for response in parsed.responses)
            subject.problems += sorted({one.error for one in parsed.responses if one.finish == "error"})
            yield len(parsed.responses) - failed, failed


def _append(parsed: Parsed, run: str, model: str, part: str, store: Store) -> None:
    if parsed.samples:
        once = list({sample.id: sample for sample in parsed.samples}.values())  # they stand once an epoch
        name = f"task-{content_hash(once)}"
        if not store.has_part("samples", name):
            store.append("samples", once, part=name)
    for table in ("responses", "scores", "aggregates"):
        rows = [msgspec.structs.replace(row, run=run, model=model) for row in getattr(parsed, table)]
        if rows:
            store.append(table, rows, part=part)


def _run_record(
    spec: str, settings: InspectSettings, found: Sequence[_Evaluated], refreshed: float | None
) -> RunRecord:
    """What was measured: the file, its samples, the settings and the models."""
    file = Path(_file(spec))
    samples = [
        sample
        for subject in found[:1]
        for log in subject.logs
        for parsed in open_log(log).parse()
        for sample in parsed.samples
    ]
    config: dict[str, Any] = {
        "inspect": version("inspect_ai"),
        "task": Path(spec).name if file.is_file() else spec,
        "file": bytes_hash(file.read_bytes()) if file.is_file() else "",
        "items": content_hash(samples),
        "settings": msgspec.to_builtins(settings),
        "models": [{"id": one.record.id, "fingerprint": one.fingerprint} for one in found],
        "version": __version__,
    }
    if refreshed is not None:
        config["refreshed"] = refreshed
    content = content_hash(config)
    return RunRecord(
        id=content,
        kind="run",
        source=Path(spec).name,
        format="inspect",
        content=content,
        rows=len(samples) * len(found),
        config=json.dumps(config | {"environment": environment()}, sort_keys=True),
        version=__version__,
        created=time.time(),
    )


def _specs(spec: str) -> list[str]:
    """One spec a task; a file without a name stands for all of its tasks."""
    file = Path(spec)
    if file.suffix != ".py":
        return [spec]
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError) as error:
        raise InputError(
            f"this is no Python ({_line(getattr(error, 'msg', error))}); mend this line",
            path=spec,
            line=getattr(error, "lineno", None),
        ) from error
    found = [
        f"{spec}@{node.name}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any(map(_is_task, node.decorator_list))
    ]
    if not found:
        raise InputError("no function in this file has Inspect's @task; name another file", path=spec)
    return found


def _is_task(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return getattr(called, "id", getattr(called, "attr", "")) == "task"


def _check_file(spec: str) -> None:
    file = _file(spec)
    if file.endswith(".py") and not Path(file).is_file():
        raise InputError("there is no such file; check the path", path=file)


def _file(spec: str) -> str:
    """The file of a task; the name itself where it is of a package."""
    return spec.rpartition("@")[0] or spec


def _line(text: Any) -> str:
    return " ".join(str(text).split())[:300]
