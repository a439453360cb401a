"""What a run has stored, read back for scoring: responses with their samples, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.records.errors import UsageError
from saltus.records.evidence import Response, Sample
from saltus.records.requests import ToolCall
from saltus.tasks.metrics import Pair

if TYPE_CHECKING:
    from saltus.store import Store

PAGE = 4_096  # responses, about: a sample's responses are never divided
_ANSWERED = "run = ? AND model = ? AND task = ? AND finish <> 'error'"


class Unit(msgspec.Struct, frozen=True):
    """One model on one task of a run.

    Attributes:
        run: Id of the run.
        model: Id of the model.
        task: Name of the task.
        responses: Those without an error.
    """

    run: str
    model: str
    task: str
    responses: int


def find_run(store: Store, name: str) -> str:
    """The id of a run.

    Args:
        store: Where it is.
        name: The id, the first letters of it, or `last` for the one made last.

    Raises:
        UsageError: No run, or more than one, is meant.
    """
    rows = [row for row in store.runs().to_pylist() if row["kind"] in ("run", "import", "score")]
    ids = [str(row["id"]) for row in rows]
    if name == "last" and ids:
        return ids[-1]
    found = [name] if name in ids else [one for one in ids if one.startswith(name)]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} runs begin with {name!r}" if found else f"no run is called {name!r}"
    mend = "give more of its id" if found else "`saltus ls runs` lists them"
    raise UsageError(f"{what} in the store, and one is needed; {mend}", field="run")


def units(store: Store, run: str, *, models: Sequence[str] = (), tasks: Sequence[str] = ()) -> list[Unit]:
    """What a run has responses for, in order.

    Raises:
        UsageError: The run has no responses, or none of a model or task that is asked for.
    """
    rows = store.query(
        "SELECT model, task, count(*) AS n FROM responses WHERE run = ? AND finish <> 'error' "
        "GROUP BY model, task ORDER BY model, task",
        [run],
    ).to_pylist()
    if not rows:
        raise UsageError(
            f"run {run} has no responses to score: what was imported without samples cannot be scored anew",
            field="run",
        )
    for field, wanted in (("model", models), ("task", tasks)):
        there = sorted({str(row[field]) for row in rows})
        for name in wanted:
            if name not in there:
                raise UsageError(
                    f"run {run} has no responses of {field} {name!r}, it has {', '.join(there)}", field=field
                )
    return [
        Unit(run, row["model"], row["task"], row["n"])
        for row in rows
        if (not models or row["model"] in models) and (not tasks or row["task"] in tasks)
    ]


def pages(store: Store, unit: Unit, *, page: int = PAGE) -> Iterator[list[Pair]]:
    """The responses of a unit with their samples, sorted by sample, variant and epoch.

    Of several responses to one question that were stored (a part that was written twice) one is taken, always
    the same. A response whose sample is not stored is left out.

    Args:
        store: Where they are.
        unit: Which.
        page: Responses that are read at once, about.
    """
    for low, high in _ranges(store, unit, page):
        span = [unit.task, low, high]
        rows = store.query(_PAGE, [unit.run, unit.model, *span, *span])
        yield [(_sample(row), _response(row)) for row in rows.to_pylist()]


def some(store: Store, unit: Unit, samples: Sequence[str]) -> list[Pair]:
    """The responses to some samples of a unit, chosen and sorted as `pages` does.

    Args:
        store: Where they are.
        unit: Which model and task.
        samples: Ids of the samples.
    """
    names = sorted(set(samples))
    rows = store.query(_SOME, [unit.run, unit.model, unit.task, names, unit.task, names])
    return [(_sample(row), _response(row)) for row in rows.to_pylist()]


def existing(store: Store, unit: Unit, metrics: Sequence[str], samples: Sequence[str]) -> set[Key]:
    """Which scores of some metrics are there, between two samples.

    Args:
        store: Where to look.
        unit: Of this model and task.
        metrics: Of these.
        samples: The first and the last sample.
    """
    marks = ", ".join("?" * len(metrics))
    rows = store.query(
        "SELECT DISTINCT metric, sample, variant, epoch FROM scores WHERE run = ? AND model = ? AND task = ? "  # noqa: S608
        f"AND sample BETWEEN ? AND ? AND metric IN ({marks})",
        [unit.run, unit.model, unit.task, samples[0], samples[-1], *metrics],
    )
    columns = [rows[name].to_pylist() for name in ("metric", "sample", "variant", "epoch")]
    return set(zip(*columns, strict=True))


Key = tuple[str, str, str, int]  # metric, sample, variant, epoch

_PAGE = f"""
    SELECT r.*, s.input, s.target, s.choices, s.answer, s.chance, s.slices, s.extra, s.task_version
    FROM (
        SELECT * FROM responses WHERE {_ANSWERED} AND sample BETWEEN ? AND ?
        QUALIFY row_number() OVER (PARTITION BY sample, variant, epoch ORDER BY output, latency) = 1
    ) r
    JOIN (SELECT * FROM samples WHERE task = ? AND id BETWEEN ? AND ?) s ON s.id = r.sample
    ORDER BY r.sample, r.variant, r.epoch"""  # noqa: S608 - only marks

_SOME = _PAGE.replace("BETWEEN ? AND ?", "IN (SELECT unnest(?))")


def _ranges(store: Store, unit: Unit, page: int) -> Iterator[tuple[str, str]]:
    """First and last sample of each page; only the ids are held."""
    rows = store.query(
        f"SELECT sample, count(*) AS n FROM responses WHERE {_ANSWERED} GROUP BY sample ORDER BY sample",  # noqa: S608
        [unit.run, unit.model, unit.task],
    )
    first, size = "", 0
    names, counts = rows["sample"].to_pylist(), rows["n"].to_pylist()
    for place, (name, count) in enumerate(zip(names, counts, strict=True)):
        first = first or name
        size += count
        if size >= page or place == len(names) - 1:
            yield first, name
            first, size = "", 0


def _sample(row: Mapping[str, Any]) -> Sample:
    """The sample as it was asked: the stored one, with what the response's variant changed."""
    sample = Sample(
        task=row["task"],
        task_version=row["task_version"],
        id=row["sample"],
        input=row["input"],
        target=row["target"],
        choices=tuple(row["choices"] or ()),
        answer=row["answer"],
        chance=row["chance"],
        slices=dict(row["slices"] or ()),
        extra=msgspec.json.decode(row["extra"]) if row["extra"] else {},
    )
    if not row["changes"]:
        return msgspec.structs.replace(sample, input=row["prompt"] or sample.input)
    changes = msgspec.json.decode(row["changes"], type=_Changes)
    return msgspec.structs.replace(
        sample,
        input=row["prompt"] or sample.input,
        target=sample.target if changes.target is None else changes.target,
        choices=sample.choices if changes.choices is None else changes.choices,
        answer=sample.answer if changes.answer is None else changes.answer,
        extra={**sample.extra, **changes.extra},
    )


class _Changes(msgspec.Struct, frozen=True):
    """As `Response.changes` has them; of `extra` those keys that differ."""

    target: str | None = None
    choices: tuple[str, ...] | None = None
    answer: int | None = None
    extra: dict[str, Any] = {}


_CALLS = msgspec.json.Decoder(tuple[ToolCall, ...])
_LISTS = (
    "output_tokens",
    "target_tokens",
    "logprobs",
    "greedy",
    "choice_logprobs",
    "output_logprobs",
    "turns",
)
_PLAIN = (
    "run", "model", "task", "sample", "variant", "epoch", "output", "finish", "latency", "error", "prompt",
    "first_token", "cost", "changes",
)  # fmt: skip


def _response(row: Mapping[str, Any]) -> Response:
    fields: dict[str, Any] = {name: row[name] for name in _PLAIN if row[name] is not None}
    fields |= {name: tuple(row[name] or ()) for name in _LISTS}
    return Response(
        **fields,
        usage=(row["prompt_tokens"] or 0, row["completion_tokens"] or 0),
        tool_calls=_CALLS.decode(row["tool_calls"]) if row["tool_calls"] else (),
    )
