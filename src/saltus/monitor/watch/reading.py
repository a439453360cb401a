"""From a whole checkpoint to a model that is loaded, with its place on every axis that its files tell."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from saltus.models.protocol import Model
from saltus.models.registry import describe, family_in_name, tokens_of
from saltus.models.series import Series
from saltus.monitor.watch.folder import STATE, Candidate, read_object
from saltus.monitor.watch.whole import has_tokenizer
from saltus.records import GenerateRequest, ModelRecord, UsageError


def record_of(one: Candidate, *, family: str = "", tokens_per_step: float | None = None) -> ModelRecord:
    """Who a checkpoint is: its training run's name, `stepN`, parameters, tokens, compute and loss.

    Tokens come from `trainer_state.json` where the Trainer counted them, else from `tokens_per_step`, the
    family's own record, the folder's name or the registry of published models. Compute is 6 x parameters x
    tokens where nothing better is known.

    Raises:
        InputError: The configuration or a header of the weights cannot be read.
    """
    assert one.step is not None  # noqa: S101 - the caller takes none without a step
    seen = Series.from_dirs([one.path]).models[0]
    revision = f"step{one.step}"
    known = describe(one.series, revision)
    state = read_object(one.path / STATE)
    tokens = (
        _count(state.get("num_input_tokens_seen"))
        or (None if tokens_per_step is None else one.step * tokens_per_step)
        or (seen.tokens if seen.step == one.step else None)
        or tokens_of(one.path.name)
        or known.tokens
    )
    params = seen.params or known.params
    return msgspec.structs.replace(
        seen,
        name=one.series,
        family=family or seen.family or known.family or family_in_name(one.series),
        revision=revision,
        params=params,
        step=float(one.step),
        tokens=tokens,
        flops=6 * params * tokens if params and tokens else None,
        loss=_loss(state) or seen.loss,
        location=str(one.path),
    )


@contextmanager
def loaded(record: ModelRecord, *, tokenizer: Path | None, options: Mapping[str, Any]) -> Iterator[Model]:
    """The model of a record, with its weights in memory: from here on its folder may be deleted.

    Args:
        record: Its location is a folder.
        tokenizer: Folder whose tokenizer is taken where the checkpoint has none.
        options: For `saltus.models.TransformersModel`.

    Raises:
        ModelError: A file is not there any more, or the model cannot be loaded.
        MissingExtraError: torch or transformers is not installed.
        UsageError: An option is unknown or out of range.
    """
    from saltus.models import TransformersModel

    with _beside(Path(record.location), tokenizer) as place:
        try:
            model = TransformersModel(place, record=record, **options)
        except TypeError as error:
            raise UsageError(f"an option of the model is unknown ({error}); see docs/models.md") from error
        try:
            _ = model.fingerprint  # all files are read once, before any can go away
            model.generate([GenerateRequest("\n", max_tokens=1)])
            yield model
        finally:
            model.close()


@contextmanager
def _beside(folder: Path, tokenizer: Path | None) -> Iterator[Path]:
    """The folder, or one of links to its files and to a tokenizer's where it has no tokenizer itself."""
    if tokenizer is None or has_tokenizer(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="saltus-watch-") as name:
        place = Path(name)
        for source in (tokenizer, folder):
            for file in source.iterdir():
                if file.is_file() and (source == folder or _is_tokenizer(file.name)):
                    link = place / file.name
                    link.unlink(missing_ok=True)
                    link.symlink_to(file.resolve())
        yield place


def _is_tokenizer(name: str) -> bool:
    from saltus.models.checkpoint import TOKENIZER_FILES

    return name in TOKENIZER_FILES


def _count(value: object) -> float | None:
    """A count above 0; the Trainer writes 0 where it did not count."""
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _loss(state: Mapping[str, Any]) -> float | None:
    """The last evaluation loss that the Trainer logged up to the checkpoint, else its training loss."""
    log = state.get("log_history")
    rows = [row for row in log if isinstance(row, dict)] if isinstance(log, list) else []
    for name in ("eval_loss", "loss"):
        found = [row[name] for row in rows if isinstance(row.get(name), int | float)]
        if found:
            return float(found[-1])
    return None
