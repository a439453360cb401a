"""Gives imported models their place on the axes: from the file, `--axis-from`, the registry, the name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from saltus.models.registry import describe, find, spelling
from saltus.records.evidence import ModelRecord

PLACES = ("params", "tokens", "flops", "step", "loss", "released")
_NAMED = 3


class Scale:
    """Fills in what is known of models.

    Args:
        family: Family to file models under where the source does not say.
        axis_from: CSV with a column for the model and some of params, flops, tokens, step, loss, date,
            family.

    Raises:
        InputError: The CSV cannot be used.
    """

    def __init__(self, family: str | None = None, axis_from: str | Path | None = None) -> None:
        self._family = family or ""
        self._table: dict[tuple[str, float | None], ModelRecord] = {}
        self.given = bool(family or axis_from)
        if axis_from is not None:
            from saltus.evals.importers.table import read_models

            for record in read_models(Path(axis_from)):
                self._table[spelling(record.name), record.step] = record

    def complete(self, record: ModelRecord) -> ModelRecord:
        """A record with its gaps filled: by `--axis-from` first, then the source, then the registry."""
        known = describe(record.name, record.revision)
        key = spelling(known.name)
        said = self._table.get((key, record.step or known.step)) or self._table.get((key, None))
        if said is not None and record.revision and said.step is None:
            said = msgspec.structs.replace(said, tokens=None, flops=None, loss=None)  # of the finished model
        facts: dict[str, Any] = {}
        told: list[str] = []
        for source in (said, record, known):
            if source is None:
                continue
            new = {
                name: value
                for name in source.__struct_fields__
                if name not in ("name", "revision", "source", "family")
                and (value := getattr(source, name)) not in (None, "")
                and name not in facts
            }
            if source is known and {"params", "tokens"} & facts.keys():
                new.pop("flops", None)  # it belongs to other parameters or tokens than those already known
            if new.keys() & set(PLACES) and source.source:
                told.append(source.source)
            facts |= new
        entry = find(record.name)
        params, tokens = (
            (entry.active if entry and entry.active else facts.get("params")),
            facts.get("tokens"),
        )
        if "flops" not in facts and params and tokens:
            facts["flops"] = 6 * params * tokens
            told.append("flops = 6 x params x tokens")
        family = record.family or self._family or (said.family if said else "") or known.family
        return ModelRecord(
            name=record.name,
            revision=record.revision,
            family=family,
            source="; ".join(dict.fromkeys(told)),
            **facts,
        )


def unplaced(models: Iterable[ModelRecord]) -> str | None:
    """The question for models that have no place on any axis, None when all have one."""
    names = sorted({m.name for m in models if all(getattr(m, place) is None for place in PLACES)})
    if not names:
        return None
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    models_are = "model" if len(names) == 1 else f"{len(names)} models"
    return (
        f"How big is the {models_are} {shown}? Import again with --axis-from FILE, a CSV with the columns "
        "model and "
        "params (or flops, tokens, step, loss, date); until then no axis can hold the scores."
    )


def merge(old: ModelRecord | None, new: ModelRecord) -> ModelRecord:
    """Two statements about one model; the first one's facts stay."""
    if old is None:
        return new
    gaps = {
        name: value
        for name in new.__struct_fields__
        if getattr(old, name) in (None, "") and (value := getattr(new, name)) not in (None, "")
    }
    return msgspec.structs.replace(old, **gaps) if gaps else old
