"""Gives imported models their place on the axes: from the file, `--axis-from`, the registry, the name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from saltus.models.registry import describe, find, spelling
from saltus.records.evidence import ModelRecord

PLACES = ("params", "tokens", "flops", "step", "loss", "released")
_NAMED = 3
_SIZED = re.compile(
    r"^(.+?)[-_ ](?:x{0,3}s|small|mini|tiny|nano|m|medium|b|base|l|large|x{1,3}l|xlarge|huge|giant|\d+)$"
)


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
        self._filed: dict[str, list[str]] = {}
        self.given = bool(family or axis_from)
        if axis_from is not None:
            from saltus.evals.importers.table import read_models

            for record in read_models(Path(axis_from)):
                self._table[spelling(record.name), record.step] = record

    def complete(self, record: ModelRecord, table: str = "") -> ModelRecord:
        """A record with its gaps filled: by `--axis-from` first, then the source, then the registry.

        Args:
            record: What the source says.
            table: Family of models of which neither that nor the name gives one; "" for the name itself.
        """
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
        family = record.family or self._family or (said.family if said else "")
        if not family:
            family = known.family
            if table and entry is None and family == bare_name(record.name):  # the name is all that it says
                family = leading_word(record.name) or table
                self._filed.setdefault(family, []).append(record.name)
        return ModelRecord(
            name=record.name,
            revision=record.revision,
            family=family,
            source="; ".join(dict.fromkeys(told)),
            **facts,
        )

    def filed(self) -> str | None:
        """What to know of models that were filed under a family that nobody named, None without any."""
        told = [f"{_few(names)} under {family!r}" for family, names in self._filed.items() if len(names) > 1]
        if not told:
            return None
        return (
            f"No family is given: {'; '.join(told)}. Models are compared within a family; a column family or "
            "--family NAME says it otherwise."
        )


def unplaced(models: Iterable[ModelRecord]) -> str | None:
    """The question for models that have no place on any axis, None when all have one."""
    names = sorted({m.name for m in models if all(getattr(m, place) is None for place in PLACES)})
    if not names:
        return None
    shown = _few(names)
    models_are = "model" if len(names) == 1 else f"{len(names)} models"
    return (
        f"How big is the {models_are} {shown}? Import again with --axis-from FILE, a CSV with the columns "
        "model and "
        "params (or flops, tokens, step, loss, date); until then no axis can hold the scores."
    )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def bare_name(name: str) -> str:
    """A name in lower case without organisation, as `family_in_name` gives it back when it says nothing."""
    return name.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1].lower()


def leading_word(name: str) -> str:
    """What stands before a size in words or a number: "gpt" of "GPT-XL", "t5" of "T5-small"; "" of "ada"."""
    found = _SIZED.match(bare_name(name))
    return found.group(1).strip("-_ .") if found else ""


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
