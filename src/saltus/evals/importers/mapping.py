"""`--map`: which column of a table means what, in which unit, and which columns are tasks.

Short form: `score=acc,model=Model,params=Model Size (B)*1e9,tasks=MMLU|GSM8K/100`. Long form: a TOML or JSON
file with the tables `columns`, `scale`, `fixed` and `tasks`. Without a mapping, headers are understood by
their usual names.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from saltus.records.errors import InputError, UsageError
from saltus.records.metrics import METRICS

# Field: the headers that mean it, in lower case with "_" for spaces and without a unit in brackets.
FIELDS: dict[str, tuple[str, ...]] = {
    "model": ("model", "model_name", "model_id"),
    "family": ("family", "model_family"),
    "params": (
        *("params", "parameters", "n_params", "num_params", "num_parameters", "model_size", "size"),
        *("n_parameters", "param_count", "parameter_count", "model_params", "model_parameters", "nparams"),
    ),
    "tokens": (
        *("tokens", "training_tokens", "n_tokens", "pretraining_data_size", "pretraining_tokens"),
        *("train_tokens", "num_tokens", "tokens_seen"),
    ),
    "flops": (
        *("flops", "training_flops", "compute", "training_compute", "train_flops", "pretraining_flops"),
        *("train_compute", "pretraining_compute"),
    ),
    "step": ("step", "steps", "training_step"),
    "loss": ("loss", "val_loss", "validation_loss", "training_loss", "train_loss"),
    "date": ("date", "released", "release_date"),
    "task": ("task", "benchmark", "task_name", "dataset"),
    "metric": ("metric", "metric_name"),
    "score": ("score", "value"),
    "n": ("n", "n_samples", "num_samples", "n_examples", "num_examples", "n_items", "n_questions"),
    "stderr": ("stderr", "score_stderr", "std_err", "standard_error", "se"),
    "chance": ("chance", "baseline", "random_baseline", "chance_level"),
    "variant": ("variant", "filter"),
    "shots": ("shots", "num_fewshot", "n_shot", "fewshot"),
    "sample": ("sample", "sample_id", "doc_id", "item"),
    "seed": ("seed",),
}
REQUIRED = ("model", "task", "metric", "score")
_COUNTED = ("params", "tokens")
_NOT_IN_WIDE = ("task", "metric", "score", "n", "stderr", "sample")
_UNIT = re.compile(r"^(.*?)\s*[(\[]\s*([^)\]]*)\s*[)\]]$")
_FACTOR = re.compile(r"^(.*?)\s*([*/])\s*([0-9.eE+-]+)$")
_TAIL = re.compile(r"^(.*?)_([kmbt]|thousands?|millions?|billions?|trillions?)$")
_UNITS = {
    "k": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "million": 1e6,
    "b": 1e9,
    "billion": 1e9,
    "t": 1e12,
    "trillion": 1e12,
    "%": 0.01,
    "percent": 0.01,
    "pct": 0.01,
    "pf-days": 8.64e19,  # a day of 1e15 FLOPs a second
    "pflop/s-days": 8.64e19,
    "petaflop/s-days": 8.64e19,
    "exaflops": 1e18,
    "zettaflops": 1e21,
}
_METRIC_TAILS = ("exact_match", "acc_norm", "accuracy", "acc", "multiple_choice_grade", "brier", "f1")


class TaskColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column of a wide table that holds one task's scores."""

    task: str = ""
    metric: str = ""
    chance: float | None = None
    n: float | None = None
    shots: int | None = None
    variant: str = ""
    scale: float = 1.0


class Mapping(msgspec.Struct, frozen=True):
    """What the user says about the columns.

    Attributes:
        columns: Field to column name.
        scale: Field to the factor that its cells are multiplied by.
        fixed: Field to a value that every row has.
        tasks: Column to what it holds; "*" alone means every column with no other meaning.
    """

    columns: dict[str, str] = {}
    scale: dict[str, float] = {}
    fixed: dict[str, str] = {}
    tasks: dict[str, TaskColumn] = {}


class Column(msgspec.Struct, frozen=True):
    """Where one field comes from: a place in the row with its header, or one value for all rows."""

    place: int | None
    factor: float = 1.0
    value: str = ""
    name: str = ""


class Layout(msgspec.Struct, frozen=True):
    """How to read the rows of one table: the fields, and in a wide table the tasks with their places."""

    fields: dict[str, Column]
    tasks: tuple[tuple[int, TaskColumn], ...] = ()


def read_mapping(given: str | Path | MappingType[str, Any] | None) -> Mapping:
    """Read `--map`.

    Args:
        given: The short form, the path of a TOML or JSON file, its content as a dictionary, or None.

    Raises:
        UsageError: The short form cannot be read, or names a field that does not exist.
        InputError: The file cannot be read.
    """
    if given is None:
        return Mapping()
    if isinstance(given, MappingType):
        return _from_table(dict(given), "mapping")
    text = str(given)
    if text.lower().endswith((".toml", ".json")):
        return _from_table(_load(Path(text)), text)
    return _from_short(text)


def layout(
    header: Sequence[str], mapping: Mapping, *, path: str, required: Sequence[str] = REQUIRED
) -> Layout:
    """Find the fields in a table's header.

    Raises:
        InputError: A column that is needed, or that the mapping names, is missing.
    """
    names = [cell.strip() for cell in header]
    fields: dict[str, Column] = {}
    for field, value in mapping.fixed.items():
        fields[field] = Column(None, value=value)
    for field, column in mapping.columns.items():
        place = _place(column, names, path)
        factor = mapping.scale.get(field)
        factor = _unit(names[place], field) if factor is None else factor
        fields[field] = Column(place, factor, name=names[place])
    wide, every = bool(mapping.tasks), mapping.tasks.keys() == {"*"}
    tasks = (
        []
        if every
        else [(_place(name, names, path), _task_column(name, what)) for name, what in mapping.tasks.items()]
    )
    taken = {column.place for column in fields.values()} | {place for place, _ in tasks}
    for field, headers in FIELDS.items():
        if field in fields or (wide and field in _NOT_IN_WIDE):
            continue
        found = [
            i
            for word in headers
            for i, name in enumerate(names)
            if i not in taken and _plain(name, field) == word
        ]
        if found:
            name = names[found[0]]
            fields[field] = Column(found[0], mapping.scale.get(field, _unit(name, field)), name=name)
            taken.add(found[0])
    if not wide:
        fields |= _score_column(fields, names, taken, mapping)
    if every:
        left = [i for i, name in enumerate(names) if name and i not in taken]
        tasks = [(i, _task_column(names[i], mapping.tasks["*"])) for i in left]
    factor = mapping.scale.get("score", 1.0)
    tasks = [(i, msgspec.structs.replace(what, scale=what.scale * factor)) for i, what in tasks]
    wanted = ("model",) if wide else required
    missing = [field for field in wanted if field not in fields]
    if missing:
        raise InputError(_missing(missing, names, fields), path=path, line=1, field=missing[0])
    return Layout(fields, tuple(tasks))


def _task_column(column: str, given: TaskColumn) -> TaskColumn:
    """Fill in what the column's name says: "unscrambling_exact_match" is exact match on unscrambling."""
    percent = _unit(column) == _UNITS["%"]
    unit = _UNIT.match(column) if percent else None
    bare = unit.group(1) if unit else column
    task, metric = given.task or bare, given.metric
    if not given.task and not metric:
        for tail in _METRIC_TAILS:
            if bare.lower().endswith(f"_{tail}"):
                task, metric = bare[: -len(tail) - 1], tail
                break
    scale = _UNITS["%"] if percent and given.scale == 1 else given.scale
    return msgspec.structs.replace(given, task=task, metric=metric or "score", scale=scale)


def _score_column(
    fields: dict[str, Column], names: list[str], taken: set[int | None], mapping: Mapping
) -> dict[str, Column]:
    """Score and metric of a long table that names a metric where others write `score`, or names none."""
    out: dict[str, Column] = {}
    if "score" not in fields:
        found = [i for i, name in enumerate(names) if i not in taken and _metric_of(name)]
        if len(found) == 1:
            factor = mapping.scale.get("score", _unit(names[found[0]]))
            out["score"] = Column(found[0], factor, name=names[found[0]])
    score = (fields | out).get("score")
    if score is not None and "metric" not in fields and {"model", "task"} <= fields.keys():
        out["metric"] = Column(None, value=_metric_of(score.name) or "score")
    return out


def _metric_of(name: str) -> str:
    """The metric that a header names, "" if none."""
    plain = _plain(name)
    return plain if plain in METRICS else ""


def _place(column: str, names: list[str], path: str) -> int:
    for same in (str, str.strip, str.casefold, _plain):
        for i, name in enumerate(names):
            if same(name) == same(column):
                return i
    raise InputError(
        f"has no column {column!r}, which --map names; its columns are {', '.join(names)}",
        path=path,
        line=1,
        field=column,
    )


def _plain(name: str, field: str = "") -> str:
    found = _UNIT.match(name)
    plain = re.sub(
        r"[\s_-]+", "_", (found.group(1) if found else name).strip().lower().lstrip("#").rstrip(".")
    )
    tail = _TAIL.match(plain) if field in _COUNTED and plain not in FIELDS[field] else None
    return tail.group(1) if tail else plain


def _unit(name: str, field: str = "") -> float:
    """The factor that a header states, such as (B) or (1E21), or for counts `_b` at its end."""
    found = _UNIT.match(name)
    if not found:
        plain = re.sub(r"[\s_-]+", "_", name.strip().lower())
        tail = _TAIL.match(plain) if field in _COUNTED and plain not in FIELDS[field] else None
        return _UNITS[tail.group(2).rstrip("s")] if tail else 1.0
    unit = found.group(2).strip().lower()
    if unit in _UNITS:
        return _UNITS[unit]
    try:
        factor = float(unit)
    except ValueError:
        return 1.0
    return factor if factor > 0 else 1.0


def _missing(missing: list[str], names: list[str], fields: dict[str, Column]) -> str:
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    what = f"has no column {missing[0]}" if len(missing) == 1 else f"has no columns {', '.join(missing)}"
    mend = f'name it with --map "{missing[0]}=YOUR COLUMN"'
    if {"task", "score"} <= set(missing) and "model" in fields:
        mend = 'if each task is a column of its own, add --map "tasks=*" or --map "tasks=A|B"'
    return f"{what}; its columns are {shown}; {mend}"


def _from_short(text: str) -> Mapping:
    columns: dict[str, str] = {}
    scale: dict[str, float] = {}
    fixed: dict[str, str] = {}
    tasks: dict[str, TaskColumn] = {}
    for part in text.split(","):
        name, sign, expression = (piece.strip() for piece in part.partition("="))
        if not sign or not expression:
            raise UsageError(
                f"--map cannot read {part.strip()!r}; write FIELD=COLUMN, FIELD=COLUMN*1e9, FIELD='value' or "
                "tasks=A|B, "
                "with commas between, or name a TOML file",
                field="map",
            )
        if name == "tasks":
            named = [_factor(column.strip()) for column in expression.split("|") if column.strip()]
            tasks = {column: TaskColumn(scale=factor or 1.0) for column, factor in named}
        elif len(expression) > 1 and expression[0] == expression[-1] and expression[0] in "'\"":
            fixed[_known(name)] = expression[1:-1]
        else:
            columns[_known(name)], factor = _factor(expression)
            if factor is not None:
                scale[name] = factor
    return Mapping(columns, scale, fixed, tasks)


def _factor(expression: str) -> tuple[str, float | None]:
    found = _FACTOR.match(expression)
    if not found:
        return expression, None
    try:
        number = float(found.group(3))
    except ValueError:
        return expression, None
    if number <= 0:
        raise UsageError(f"--map multiplies by {number:g}; the factor must be above 0", field="map")
    return found.group(1), number if found.group(2) == "*" else 1 / number


def _known(field: str) -> str:
    if field not in FIELDS:
        raise UsageError(
            f"--map names {field!r}, which is no field; the fields are {', '.join(FIELDS)}, tasks",
            field="map",
        )
    return field


def _load(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
        found = tomllib.loads(data.decode()) if path.suffix.lower() == ".toml" else json.loads(data)
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror}); check the path after --map", path=str(path)
        ) from error
    except ValueError as error:
        raise InputError(f"is neither TOML nor JSON ({error}); mend the mapping", path=str(path)) from error
    if not isinstance(found, dict):
        raise InputError("does not hold a table; write [columns], [scale], [fixed] or tasks", path=str(path))
    return found


def _from_table(given: dict[str, Any], place: str) -> Mapping:
    unknown = sorted(given.keys() - {"columns", "scale", "fixed", "tasks"})
    if unknown:
        raise UsageError(
            f"the mapping {place} has {unknown[0]!r}; its parts are columns, scale, fixed and tasks",
            field="map",
        )
    tasks = given.get("tasks", {})
    if isinstance(tasks, str):
        tasks = [tasks]
    if isinstance(tasks, list):
        tasks = dict.fromkeys(map(str, tasks), "")
    if not isinstance(tasks, dict):
        raise UsageError(
            f"the mapping {place} has a strange `tasks`; give a list of columns or a table", field="map"
        )
    named = {
        column: {"task": what} if isinstance(what, str) and what else what or {}
        for column, what in tasks.items()
    }
    columns = dict(given.get("columns", {}))
    scale = dict(given.get("scale", {}))
    for field, column in columns.items():
        if isinstance(column, str):
            columns[field], factor = _factor(column)
            if factor is not None:
                scale.setdefault(field, factor)
    fixed = {field: str(value) for field, value in dict(given.get("fixed", {})).items()}
    for field in (*columns, *scale, *fixed):
        _known(field)
    try:
        return msgspec.convert({"columns": columns, "scale": scale, "fixed": fixed, "tasks": named}, Mapping)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"the mapping {place} does not fit: {error}; see docs/import.md", field="map"
        ) from error
