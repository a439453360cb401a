"""What a format hands to the importer: rows of one source, and the rows left out, with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from saltus.records.errors import InputError, SaltusError
from saltus.records.evidence import Aggregate, ModelRecord, Response, Sample, Score

T = TypeVar("T")


class Failure(msgspec.Struct, frozen=True):
    """Something that was left out: a whole file, or one row of it.

    Attributes:
        path: The file.
        line: Line in it, counted from 1; None when the whole file is meant or lines say nothing (JSON).
        error: One sentence: what was found, what was expected, the mend.
    """

    path: str
    line: int | None
    error: str


class ImportResult(msgspec.Struct, frozen=True):
    """What an import did.

    Attributes:
        added: Scores and aggregates that are new in the store.
        skipped: Scores and aggregates that were there already.
        failed: Files and rows that were left out.
        models: Different models in the files.
        tasks: Different tasks in the files.
        files: Files that were read, those that added nothing included.
        notes: Sentences for the user, such as the question for a missing scale.
    """

    added: int
    skipped: int
    failed: tuple[Failure, ...]
    models: int
    tasks: int
    files: int
    notes: tuple[str, ...] = ()


@dataclass
class Parsed:
    """Rows of one source, or of a stretch of it; scores and aggregates carry the id of their run.

    Attributes:
        repeated: Rows that say again what an earlier row of the source said.
    """

    models: dict[str, ModelRecord] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    aggregates: list[Aggregate] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    repeated: int = 0

    @property
    def measured(self) -> int:
        """Scores and aggregates."""
        return len(self.scores) + len(self.aggregates)


@dataclass(frozen=True)
class Source:
    """One act of measuring that is about to be read.

    Attributes:
        run: Content hash of the bytes, the format and the options that change a row.
        path: The file, as the user named it.
        format: As the run records it, e.g. "lm-eval-0.3".
        parse: Gives the rows; raises InputError before the first ones when the file cannot be used at all.
        content: Hash of the bytes alone.
        config: Facts about the run that no row holds.
        row_wise: Rows stand for themselves: one that the store already holds is left out.
        files: Files that it is made of.
        family: Where to file models that neither the source nor their names give a family; "" for nowhere.
    """

    run: str
    path: str
    format: str
    parse: Callable[[], Iterator[Parsed]]
    content: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    row_wise: bool = False
    files: int = 1
    family: str = ""


@dataclass(frozen=True)
class Job:
    """A file that may hold a source; opening it can fail with one InputError and costs no other file."""

    path: Path
    open: Callable[[], Source]


def failure(path: Path | str, error: SaltusError, line: int | None = None) -> Failure:
    """An error as the result lists it: the sentence without the place, which stands beside it."""
    return Failure(error.path or str(path), error.line if error.line is not None else line, error.message)


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror}); check the path and its permissions", path=str(path)
        ) from error


def decode_object(data: bytes, path: Path, *, of: str = "lm-evaluation-harness") -> dict[str, Any]:
    """Decode a JSON object; NaN and Infinity, which Python writes and JSON forbids, come out as such.

    Args:
        data: The file's content.
        path: The file, for messages.
        of: The program whose file is expected, for messages.

    Raises:
        InputError: It is not UTF-8, no JSON, or no object.
    """
    try:
        given = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as first:
        try:
            given = json.loads(data.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise InputError("is not UTF-8 text; copy the file again", path=str(path)) from error
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None)
            raise InputError(
                f"is no whole JSON document ({first}); copy the file again or evaluate again",
                path=str(path),
                line=line,
            ) from error
    if not isinstance(given, dict):
        raise InputError(f"holds no JSON object; name a result file of {of}", path=str(path))
    return given


def read_as(data: bytes, kind: type[T], path: Path, *, of: str) -> T:
    """Decode JSON of a known layout, also with NaN and Infinity, which Python writes and JSON forbids.

    Args:
        data: The file's content, or a part of it.
        kind: The layout.
        path: The file, for messages.
        of: The program that writes it, for messages.

    Raises:
        InputError: It is no JSON, or laid out otherwise.
    """
    try:
        try:
            return msgspec.json.decode(data, type=kind, strict=False)
        except (msgspec.ValidationError, UnicodeDecodeError):
            raise
        except msgspec.DecodeError:
            return msgspec.convert(_with_raw(json.loads(data.decode("utf-8-sig")), kind), kind, strict=False)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise InputError(
            f"is not laid out as {of} lays it out ({error}); name a file that {of} wrote, or make it again",
            path=str(path),
            line=getattr(error, "lineno", None),
        ) from error


def _with_raw(given: Any, kind: type[Any]) -> Any:
    """What JSON gave, with parts that the layout decodes later encoded again."""
    if not isinstance(given, dict) or not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        return given
    held = {field.encode_name for field in msgspec.structs.fields(kind) if "Raw" in str(field.type)}
    return {
        key: [msgspec.Raw(json.dumps(one).encode()) for one in value]
        if key in held and isinstance(value, list)
        else value
        for key, value in given.items()
    }


def broken_job(path: Path, message: str) -> Job:
    """A job that fails with a sentence, in its turn."""

    def fail() -> Source:
        raise InputError(message, path=str(path))

    return Job(path, fail)
