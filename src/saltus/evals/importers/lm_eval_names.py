"""Which model a result file of lm-evaluation-harness speaks of, from its `model_args` and its file name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saltus.models.registry import split_step, step_of
from saltus.records.errors import InputError
from saltus.records.evidence import ModelRecord

# In this order; a fine-tuned part (peft, delta) is given together with the model it sits on.
_NAMES = ("peft", "delta", "pretrained", "model", "engine", "path")
_STEP_IN_FILE = re.compile(r"step[-_]?(\d+)", re.IGNORECASE)
_SEED = re.compile(r"[-_]seed(\d+)$")
_FINISHED = ("main", "master", "none")


def model_of(config: Mapping[str, Any], path: Path, *, name: str = "") -> ModelRecord:
    """The model of a result file.

    Args:
        config: The file's `config`.
        path: The file; its name gives the step where nothing else does.
        name: `model_name`, where the file has it.

    Raises:
        InputError: Nothing names a model.
    """
    args = arguments(config.get("model_args"))
    told = next((args[key] for key in _NAMES if args.get(key)), "") or name or str(config.get("model") or "")
    if not told:
        raise InputError(
            "names no model; model_args must hold pretrained=NAME, so evaluate again or import it as CSV",
            path=str(path),
            field="config.model_args",
        )
    bare, revision = split_step(told)
    given = args.get("revision") or str(config.get("model_revision") or "")
    if given and given.lower() not in _FINISHED:
        revision = given
    if not revision and (found := _STEP_IN_FILE.search(path.stem)):
        revision = f"step{found.group(1)}"
    bare = neutral(bare)
    seed = _SEED.search(bare)
    params = config.get("model_num_parameters")
    counted = isinstance(params, int) and params > 0
    return ModelRecord(
        name=bare,
        revision=revision,
        params=float(params) if counted and isinstance(params, int) else None,
        step=step_of(revision),
        seed=int(seed.group(1)) if seed else None,
        source="lm-eval: model_num_parameters" if counted else "",
    )


def arguments(given: Any) -> dict[str, str]:
    """`model_args` as a dictionary; older files hold "key=value,key=value"."""
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items() if value is not None}
    pairs = (part.partition("=") for part in str(given or "").split(","))
    return {key.strip(): value.strip() for key, sign, value in pairs if sign}


def neutral(name: str) -> str:
    """A name without the folders of the machine that measured it; "organisation/model" stays.

    Examples:
        >>> neutral("/data/models/tiro-2x64"), neutral("EleutherAI/pythia-70m")
        ('tiro-2x64', 'EleutherAI/pythia-70m')
    """
    plain = name.replace("\\", "/").rstrip("/")
    local = plain.startswith(("/", ".", "~")) or plain.count("/") > 1 or ":" in plain
    return plain.rsplit("/", 1)[-1] if local or plain.startswith("models/") else plain
