"""Turns the rows of a table into records, one by one; a row that cannot be right is named and left out."""

from __future__ import annotations

from pathlib import Path
from sys import intern
from typing import Any

import msgspec

from saltus.evals.importers.benchmarks import chance_of
from saltus.evals.importers.checks import (
    check_axis,
    check_chance,
    check_n,
    check_score,
    check_stderr,
    recover_n,
    to_date,
    to_number,
    to_whole,
)
from saltus.evals.importers.mapping import Column, Layout
from saltus.evals.importers.parsed import Failure, Parsed
from saltus.models.registry import split_step
from saltus.records.errors import InputError
from saltus.records.evidence import Aggregate, ModelRecord, Sample, Score
from saltus.records.metrics import INTERNALS, METRICS, metric_info

# Where one model has several values of these and no step, each value is a checkpoint of it.
CHECKPOINT = ("tokens", "loss", "flops", "date")
AXES = ("params", "tokens", "flops", "step", "loss")
EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})
_MOST_FAILURES = 1000
_PERCENT = 0.01
_WORD = (1 << 64) - 1


class RowReader:
    """Turns rows into records, and keeps what is read until it is taken away."""

    def __init__(self, path: Path, run: str, plan: Layout, comma: bool, checkpoints: dict[str, str]) -> None:
        self.path = path
        self.run = run
        self.parsed = Parsed()
        self._plan = plan
        self._comma = comma
        self._checkpoints = checkpoints
        self._facts: dict[str, tuple[int, ModelRecord]] = {}
        self._known_models: dict[tuple[str, ...], str] = {}
        self._rows: dict[int, int] = {}  # hash of what a row measures: its line and a hash of the score
        self._failures = 0
        self._sides: dict[tuple[str, str], list[int]] = {}  # scores up to 1 and from 1 to 100, see _suspect
        self._model_fields = tuple(f for f in ("model", "family", *AXES, "date") if f in plan.fields)

    def take(self, line: int, row: list[str], width: int) -> None:
        """Read one row."""
        try:
            if len(row) > width and any(cell.strip() for cell in row[width:]):
                raise InputError(
                    f"has {len(row)} cells and the header {width}; quote cells that hold the delimiter",
                    field="row",
                )
            model = self._model_id(line, row)
            if self._plan.tasks:
                self._wide(line, row, model)
            else:
                self._long(line, row, model)
        except InputError as error:
            name = self._plan.fields["score"].name if "score" in self._plan.fields else "score"
            self.fail(line, error.message.replace("score=score/100", f"score={name}/100"))

    def fail(self, line: int, message: str) -> None:
        """Note a row that is left out."""
        self._failures += 1
        if self._failures <= _MOST_FAILURES:
            self.parsed.failed.append(Failure(str(self.path), line, message))

    def give(self, *, last: bool = False) -> Parsed:
        """What was read since the last call."""
        if last:
            self._suspect()
        more = self._failures - _MOST_FAILURES
        if last and more > 0:
            self.parsed.failed.append(
                Failure(str(self.path), None, f"{more:,} more rows were left out; mend those above first")
            )
        given, self.parsed = self.parsed, Parsed()
        return given

    def _score(self, cell: str, name: str, factor: float) -> float:
        """A score; a cell that says "57%" is the share .57, whatever its column says of percent."""
        if not cell.endswith("%"):
            return to_number(cell, name, comma=self._comma) * factor
        return to_number(cell[:-1], name, comma=self._comma) * (_PERCENT if factor == 1 else factor)

    def _check(self, column: str, metric: str, value: float) -> None:
        """Refuse a score that its metric cannot have, and count what speaks for a column of percentages."""
        place = 0 if 0 < value <= 1 else 1 if 1 < value <= 100 else None
        if place is not None:
            self._sides.setdefault((column, metric), [0, 0])[place] += 1
        check_score(metric, value, strict=True)

    def _suspect(self) -> None:
        """Name columns of which some scores were refused as percentages and others taken as shares."""
        for (column, metric), (low, high) in self._sides.items():
            if low and high > 1 and metric_info(metric).high == 1:
                self.fail(
                    1,
                    f"{column} has {high} scores from 1 to 100, which were left out, and {low} up to 1, "
                    "which went in as shares; if all are percentages, import again with the --map that the "
                    "rows before name, and the corrected scores will count",
                )

    def model(self, row: list[str]) -> ModelRecord:
        """The model that a row speaks of, with the facts in the row."""
        name = self._text(row, "model")
        if not name:
            raise InputError("model is empty and must be a name; fill the cell", field="model")
        facts: dict[str, Any] = {}
        for axis in AXES:
            cell = self._text(row, axis)
            if cell and cell.lower() not in EMPTY:
                facts[axis] = (
                    to_number(cell, axis, suffix=True, comma=self._comma) * self._plan.fields[axis].factor
                )
                check_axis(axis, facts[axis])
            elif cell.lower() == "nan":
                raise InputError(
                    f"{axis} is {cell} and must be a number; correct it or leave it empty", field=axis
                )
        date = self._text(row, "date")
        bare, revision = split_step(name)
        if not revision and facts.get("step") is not None:
            revision = f"step{facts['step']:.0f}"
        elif not revision and (field := self._checkpoints.get(name)) is not None:
            revision = field + self._text(row, field)
        return ModelRecord(
            name=bare,
            revision=revision,
            family=self._text(row, "family"),
            released=to_date(date) if date and date.lower() not in EMPTY else None,
            source=self.path.name if facts else "",
            **facts,
        )

    def _model_id(self, line: int, row: list[str]) -> str:
        cells = tuple(self._text(row, field) for field in self._model_fields)
        known = self._known_models.get(cells)
        if known is not None:
            return known
        record = self.model(row)
        first, facts = self._facts.setdefault(record.id, (line, record))
        for field in (*AXES, "released", "family"):
            here, there = getattr(record, field), getattr(facts, field)
            if here not in (None, "", there) and there not in (None, ""):
                raise InputError(
                    f"{field} of {record.id} is {here} and in line {first} {there}; a model has one, so "
                    "correct it, or "
                    "give checkpoints a column step",
                    field=field,
                )
        self._known_models[cells] = record.id
        self.parsed.models[record.id] = record
        return record.id

    def _long(self, line: int, row: list[str], model: str) -> None:
        task, metric = intern(self._text(row, "task")), intern(self._text(row, "metric"))
        scalar = bool(metric) and task in ("", INTERNALS) and metric not in METRICS
        task = INTERNALS if scalar else task
        for field, cell in (("task", task), ("metric", metric)):
            if not cell:
                raise InputError(f"{field} is empty and must be a name; fill the cell", field=field)
        value = self._score(self._text(row, "score"), "score", self._plan.fields["score"].factor)
        if not scalar:  # of a network, not of answers: any number
            self._check(metric, metric, value)
        variant, shots, seed = self._text(row, "variant"), self._whole(row, "shots"), self._whole(row, "seed")
        chance = self._number(row, "chance")
        check_chance(chance)
        chance = chance_of(task, metric) if chance is None else chance
        sample = self._text(row, "sample")
        if not sample:
            measured = Aggregate(
                run=self.run,
                model=model,
                task=task,
                metric=metric,
                value=value,
                stderr=self._number(row, "stderr"),
                n=self._number(row, "n"),
                chance=chance,
                variant=variant,
                shots=shots,
                seed=seed,
            )
            self._keep(line, measured)
            return
        if shots:
            variant = " ".join(word for word in (f"{shots}-shot", variant) if word)
        if not self._is_new(line, "\x1f".join((model, task, metric, variant, str(seed), sample)), value):
            return
        score = Score(
            run=self.run, model=model, task=task, sample=sample, metric=metric, value=value, variant=variant,
            epoch=seed or 0,
        )  # fmt: skip
        self.parsed.scores.append(score)
        if chance is not None:
            asked = Sample(task=task, task_version="", id=sample, input="", target="", chance=chance)
            self.parsed.samples.append(asked)

    def _wide(self, line: int, row: list[str], model: str) -> None:
        for place, column in self._plan.tasks:
            cell = row[place].strip() if place < len(row) else ""
            if cell.lower() in EMPTY and cell.lower() != "nan":
                continue
            try:
                value = self._score(cell, column.task, column.scale)
                self._check(column.task, column.metric, value)
                known = chance_of(column.task, column.metric)
                measured = Aggregate(
                    run=self.run,
                    model=model,
                    task=column.task,
                    metric=column.metric,
                    value=value,
                    n=column.n,
                    chance=known if column.chance is None else column.chance,
                    variant=column.variant,
                    shots=column.shots,
                    seed=self._whole(row, "seed"),
                )
                self._keep(line, measured)
            except InputError as error:
                said = error.message.replace("--map score=score/100", "--map tasks=*/100 or tasks=A/100|B")
                self.fail(line, f"{column.task}: {said}")

    def _keep(self, line: int, row: Aggregate) -> None:
        check_stderr(row.stderr)
        check_n(row.n)
        key = (row.model, row.task, row.metric, row.variant, str(row.shots), str(row.seed))
        if not self._is_new(line, "\x1f".join(key), row.value):
            return
        if row.n is None and metric_info(row.metric).unit == "share":
            row = msgspec.structs.replace(row, n=recover_n(row.value, row.stderr))
        self.parsed.aggregates.append(row)

    def _is_new(self, line: int, key: str, value: float) -> bool:
        """Whether a row says something new; one that says again what an earlier line said does not.

        Raises:
            InputError: An earlier line has another score of the same thing; one of the two would be lost in
                silence.
        """
        content = hash(repr(value)) & _WORD
        first = self._rows.setdefault(hash(key), line << 64 | content)
        if first >> 64 == line:
            return True
        if first & _WORD == content:
            self.parsed.repeated += 1
            return False
        raise InputError(
            f"measures the same as line {first >> 64} and scores otherwise; tell them apart by a column "
            "seed, variant or "
            "shots, or delete one",
            field="score",
        )

    def _text(self, row: list[str], field: str) -> str:
        column = self._plan.fields.get(field)
        if column is None:
            return ""
        return _cell(column, row)

    def _number(self, row: list[str], field: str) -> float | None:
        cell = self._text(row, field)
        if cell.lower() in EMPTY:
            if cell.lower() == "nan":
                raise InputError(
                    f"{field} is {cell} and must be a number; correct it or leave it empty", field=field
                )
            return None
        return to_number(cell, field, comma=self._comma) * self._plan.fields[field].factor

    def _whole(self, row: list[str], field: str) -> int | None:
        cell = self._text(row, field)
        return None if cell.lower() in EMPTY else to_whole(cell, field, comma=self._comma)


def _cell(column: Column, row: list[str]) -> str:
    if column.place is None:
        return column.value
    return row[column.place].strip() if column.place < len(row) else ""
