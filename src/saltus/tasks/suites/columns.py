"""Reads the rows of a source: columns renamed, templates filled in, and an `Item` out of what is left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from saltus.tasks.suites.problems import Fault, did_you_mean, shown
from saltus.tasks.suites.schema import ITEM_KEYS, Item, TaskSettings
from saltus.tasks.suites.sources import Part
from saltus.tasks.suites.templates import Template, compile_template, compile_value

OF_TASK = ("tools", "schema", "documents")  # keys that a task can give to each of its items
_JSON_COLUMNS = frozenset(
    (
        *("choices", "slices", "turns", "tools", "schema", "calls", "constraints", "documents", "evidence"),
        *("references", "sources", "counterfactuals", "extra"),
    )
)
_KNOWN = frozenset(ITEM_KEYS)
_DECODE = msgspec.json.Decoder(Item).decode
_DECODE_ROW = msgspec.json.Decoder(dict[str, Any]).decode
Values = Callable[[Mapping[str, Any]], Any]


def template_faults(settings: TaskSettings) -> Iterator[Fault]:
    """Every template of a task that is none."""
    for key in ("prompt", "system", "target", "choices", "answer", "turns"):
        written = getattr(settings, key)
        for number, text in enumerate(written if isinstance(written, list) else [written]):
            field = f"{key}[{number}]" if isinstance(written, list) else key
            try:
                compile_template(text or "", field)
            except Fault as fault:
                yield fault


class Columns:
    """Reads rows: what each key of an item is made of.

    Args:
        settings: Of the task.

    Raises:
        Fault: A template is wrong.
    """

    def __init__(self, settings: TaskSettings) -> None:
        self._renamed = dict(settings.columns)
        if settings.id is not None:
            self._renamed["id"] = settings.id
        for ours in self._renamed:
            if ours not in ITEM_KEYS:
                raise Fault(
                    f"columns gives a column to {ours!r}, which is no key of an item; "
                    f"{did_you_mean(ours, ITEM_KEYS)}",
                    f"columns.{ours}",
                )
        named = settings.slices
        self._slices = dict(named) if isinstance(named, dict) else {name: name for name in named}
        self._made: dict[str, Values] = {}
        sources = set(self._renamed.values())
        for key in ("target", "answer", "system", "choices", "turns"):
            written = getattr(settings, key)
            if written is not None:
                self._made[key], columns = _maker(key, written)
                sources |= columns
        # A column that something is made of means nothing by itself: an `answer` that gives the target.
        self._kept = _KNOWN - (sources - self._renamed.keys() - {"input", "id"})
        self._given = {key: getattr(settings, key) for key in OF_TASK if getattr(settings, key) is not None}
        used = compile_template(settings.prompt or "{input}", "prompt").columns
        self.others = bool(self._renamed or self._slices or self._made or not used <= set(ITEM_KEYS))
        self.plain = not (self.others or self._given)

    def read(self, row: Any, part: Part) -> tuple[Item, Mapping[str, Any] | None]:
        """One item, and the row with our names added, for templates; None where the item is all there is.

        Args:
            row: As the part gives it.
            part: Where it stands.

        Raises:
            Fault: The row is no item.
        """
        if part.encoded and self.plain:
            return _decoded(row), None
        whole = _mapping(row) if part.encoded else row
        if not isinstance(whole, Mapping):
            raise Fault(
                f"this item is {shown(whole)}, a mapping with input and target was expected; write it so"
            )
        context = self._context(whole)
        nothing = (None, "") if part.lax else (None,)
        known = {key: value for key, value in context.items() if key in self._kept and value not in nothing}
        if not (part.foreign or self.others) and not _KNOWN.issuperset(context):
            raise _unknown_key(next(str(key) for key in context if key not in _KNOWN))
        if part.lax:
            for key in _JSON_COLUMNS.intersection(known):
                if isinstance(known[key], str):
                    known[key] = context[key] = _json_cell(key, known[key])
        for key, make in self._made.items():
            known[key] = make(context)
        item = _converted(known, lax=part.lax)
        for ours, theirs in self._slices.items():
            if theirs not in whole:
                raise _no_column(theirs, whole, "slices")
            if whole[theirs] not in nothing:
                item.slices = {**item.slices, ours: str(whole[theirs])}
        return item, context

    def _context(self, whole: Mapping[str, Any]) -> dict[str, Any]:
        context = {**self._given, **whole}
        for ours, theirs in self._renamed.items():
            if not theirs:
                context.pop(ours, None)
                continue
            if theirs not in whole:
                raise _no_column(theirs, whole, f"columns.{ours}")
            context[ours] = whole[theirs]
        return context


def _decoded(line: bytes) -> Item:
    try:
        return _DECODE(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_item(error) from error


def _mapping(line: bytes) -> dict[str, Any]:
    try:
        return _DECODE_ROW(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_item(error) from error


def _converted(known: Mapping[str, Any], *, lax: bool) -> Item:
    try:
        return msgspec.convert(known, Item, strict=not lax)
    except msgspec.ValidationError as error:
        raise _no_item(error) from error


def _no_item(error: Exception) -> Fault:
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    unknown = reason.partition("unknown field `")[2].rstrip("`")
    if unknown:
        return _unknown_key(unknown)
    field = reason.partition("`$.")[2].rstrip("`")
    return Fault(
        f"this is no item ({reason}); an item is a JSON object with input and target, or with input, choices "
        "and answer",
        field,
    )


def _unknown_key(key: str) -> Fault:
    return Fault(
        f"this is no item, {key!r} is no key of one; {did_you_mean(key, ITEM_KEYS)} Columns of other names "
        "need `columns`, `slices` or a template in the task",
        key,
    )


def _no_column(name: str, row: Mapping[str, Any], field: str) -> Fault:
    return Fault(
        f"{field} names the column {name!r}, which this item does not have; {did_you_mean(name, row)}", name
    )


def _json_cell(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise Fault(
            f'{key} is {shown(text)}, JSON was expected in this cell, such as ["a", "b"]; mend it', key
        ) from (error)


def _maker(key: str, written: str | list[str]) -> tuple[Values, frozenset[str]]:
    """Fills in a template, or each of a list of templates; with the columns they name."""
    if isinstance(written, str):
        made = compile_value(written, key) or compile_template(written, key)
        return (_as_text(made) if key in ("target", "system") else made.render), made.columns
    parts = [compile_template(text, key) for text in written]
    columns = frozenset(name for part in parts for name in part.columns)
    return (lambda row: [part.render(row) for part in parts]), columns


def _as_text(template: Template) -> Values:
    def make(row: Mapping[str, Any]) -> Any:
        value = template.render(row)
        return None if value is None else str(value)

    return make
