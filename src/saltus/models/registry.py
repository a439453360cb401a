"""What is known of published models: parameters, tokens, compute, release date, each with its source.

Importers ask it for the place of a model on a scale axis. The facts lie in `registry.csv`, one row a model;
`params` there counts all parameters, embeddings included, as the models' names do.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from saltus.records.evidence import ModelRecord

_NOISE = frozenset({"hf", "base", "bf16", "fp16", "fp32", "fp8", "float16", "float32", "checkpoint", "pt"})
_TUNED = frozenset({"chat", "instruct", "it", "sft", "dpo", "rlhf", "tuned"})
_STEP = re.compile(r"(?:step|checkpoint)[-_]?(\d+)", re.IGNORECASE)
_STEP_TAIL = re.compile(r"[-_@/]((?:global_?)?step[-_]?\d+|checkpoint-\d+)$", re.IGNORECASE)
_TOKENS = re.compile(r"tokens?(\d+(?:\.\d+)?)([MBT])", re.IGNORECASE)
_SIZE = re.compile(r"(?<![a-z0-9.x])(\d+(?:\.\d+)?)(m|b)(\d*)(?![a-z0-9])")
_SHAPE = re.compile(r"\d+x\d+")
_UNITS = {"m": 1e6, "b": 1e9, "t": 1e12}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the registry.

    Attributes:
        family: The recipe, e.g. "pythia"; a deduplicated twin belongs to the same family.
        name: The name to load it by on the Hugging Face hub, or the paper's name.
        aliases: Other spellings.
        params: All parameters, embeddings included.
        non_embedding: Parameters without embeddings, where the source says.
        active: Parameters used for one token, where that is fewer (mixtures of experts).
        tokens: Training tokens of the finished model.
        flops: Training compute, where the source says; else 6 x active parameters x tokens stands for it.
        released: ISO date.
        tokens_per_step: Tokens of one optimiser step, where checkpoints are public.
        last_step: Step of the finished model.
        source: Where the facts come from.
    """

    family: str
    name: str
    aliases: tuple[str, ...] = ()
    params: float
    non_embedding: float | None = None
    active: float | None = None
    tokens: float | None = None
    flops: float | None = None
    released: str | None = None
    layers: int | None = None
    width: int | None = None
    heads: int | None = None
    tokens_per_step: float | None = None
    last_step: float | None = None
    source: str


def lookup(name: str, revision: str = "") -> ModelRecord | None:
    """What is known of a model, by any usual spelling of its name.

    Args:
        name: With or without organisation, suffixes such as "-hf" or "-bf16", or a checkpoint ("-step3000").
        revision: Checkpoint; "step3000" gives the tokens seen by then where the registry knows the batch
            size.

    Returns:
        A record under the name that was asked for, None when the model is not known.

    Examples:
        >>> lookup("pythia-v1.1-70m-deduped", "step1000").tokens
        2097152000.0
        >>> lookup("EleutherAI/pythia-70m").params
        70426624.0
        >>> lookup("nobody/nothing-7b") is None
        True
    """
    bare, tail = split_step(name)
    revision = revision or tail
    found, tuned = _find(bare)
    if found is None:
        return None
    entry = found
    step, tokens, flops = entry.last_step, entry.tokens, entry.flops
    if (at := step_of(revision)) is not None:
        step, flops = at, None
        tokens = tokens_of(revision)
        if entry.tokens_per_step is not None:
            tokens = at * entry.tokens_per_step
    if flops is None and tokens:
        flops = 6 * (entry.active or entry.params) * tokens
    return ModelRecord(
        name=bare,
        family=f"{entry.family}-{tuned}" if tuned else entry.family,
        revision=revision,
        params=entry.params,
        tokens=tokens,
        flops=flops,
        step=step,
        released=entry.released,
        layers=entry.layers,
        width=entry.width,
        heads=entry.heads,
        parent=entry.name if tuned else None,
        source=f"registry: {entry.source}",
    )


def find(name: str) -> Entry | None:
    """The registry's row of a model, with what a `ModelRecord` has no place for (non-embedding, active)."""
    return _find(split_step(name)[0])[0]


def guess(name: str, revision: str = "") -> ModelRecord:
    """What the name alone says of a model that nobody knows: a size such as "-7b", a step, a family.

    Examples:
        >>> record = guess("acme/wonder-1.3B", "step500")
        >>> record.params, record.step, record.family, record.source
        (1300000000.0, 500.0, 'wonder', 'name')
    """
    bare, tail = split_step(name)
    revision = revision or tail
    params, step = size_in_name(bare), step_of(revision)
    told = params is not None or step is not None
    return ModelRecord(
        name=bare,
        family=family_in_name(bare),
        revision=revision,
        params=params,
        step=step,
        tokens=tokens_of(revision),
        source="name" if told else "",
    )


def describe(name: str, revision: str = "") -> ModelRecord:
    """`lookup`, or `guess` where the registry does not know the model."""
    return lookup(name, revision) or guess(name, revision)


def families() -> dict[str, tuple[Entry, ...]]:
    """The registry by family, each in order of parameters."""
    grouped: dict[str, list[Entry]] = {}
    for entry in _entries():
        grouped.setdefault(entry.family, []).append(entry)
    return {family: tuple(sorted(rows, key=lambda row: row.params)) for family, rows in grouped.items()}


def split_step(name: str) -> tuple[str, str]:
    """A name and the checkpoint at its end, if one is there.

    Examples:
        >>> split_step("pythia-70m-step3000")
        ('pythia-70m', 'step3000')
    """
    found = _STEP_TAIL.search(name)
    return (name[: found.start()], found.group(1)) if found else (name, "")


def step_of(revision: str) -> float | None:
    """Optimiser step that a revision names, None when it names none."""
    found = _STEP.search(revision)
    return float(found.group(1)) if found else None


def tokens_of(revision: str) -> float | None:
    """Training tokens that a revision names ("step1000-tokens4B"), None when it names none."""
    found = _TOKENS.search(revision)
    return float(found.group(1)) * _UNITS[found.group(2).lower()] if found else None


def size_in_name(name: str) -> float | None:
    """Parameters that a name speaks of; context lengths ("8k") and mixtures ("8x7b") do not count.

    Examples:
        >>> size_in_name("bloom-7b1"), size_in_name("stablelm-2-1_6b"), size_in_name("gpt2")
        (7100000000.0, 1600000000.0, None)
    """
    found = _SIZE.search(re.sub(r"(\d)_(\d)", r"\1.\2", _basename(name).lower()))
    if not found:
        return None
    whole, unit, rest = found.groups()
    number = f"{whole}.{rest}" if rest and "." not in whole else whole
    return float(round(float(number) * _UNITS[unit]))


def family_in_name(name: str) -> str:
    """A name without organisation, size, checkpoint and seed: what the models of one series share."""
    bare = re.sub(r"(\d)_(\d)", r"\1.\2", _basename(split_step(name)[0]).lower())
    bare = re.sub(r"[-_]seed\d+$", "", bare)
    for pattern in (_SIZE, _SHAPE):
        bare = pattern.sub("", bare, count=1)
    return re.sub(r"[-_ .]{2,}", "-", bare).strip("-_ .") or _basename(name).lower()


def spelling(name: str) -> str:
    """One spelling for all of a model's: lower case, no organisation, no empty words, "-" between."""
    words = re.split(r"[-_ ]+", _basename(name).lower())
    return "-".join(word for word in words if word and word not in _NOISE)


def _find(name: str) -> tuple[Entry | None, str]:
    """The entry and, for a tuned model of which the base is known, how it was tuned."""
    table = _index()
    key = spelling(name)
    if key in table:
        return table[key], ""
    words = key.split("-")
    tuned = [word for word in words if word in _TUNED]
    if tuned:
        base = table.get("-".join(word for word in words if word not in _TUNED))
        return base, "-".join(tuned) if base else ""
    return None, ""


def _basename(name: str) -> str:
    return name.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1]


@cache
def _index() -> dict[str, Entry]:
    return {spelling(name): entry for entry in _entries() for name in (entry.name, *entry.aliases)}


@cache
def _entries() -> tuple[Entry, ...]:
    text = files("saltus.models").joinpath("registry.csv").read_text(encoding="utf-8")
    rows = []
    for row in csv.DictReader(text.splitlines()):
        given: dict[str, Any] = {column: cell for column, cell in row.items() if cell}
        given["aliases"] = row["aliases"].split()
        rows.append(msgspec.convert(given, Entry, strict=False))
    return tuple(rows)
