"""From a record to a model that answers: the location says which implementation."""

from __future__ import annotations

from typing import Any

from saltus.models.protocol import Model
from saltus.records.errors import ModelError
from saltus.records.evidence import ModelRecord


def load_model(record: ModelRecord, **options: Any) -> Model:
    """Make the model that a record speaks of.

    Args:
        record: Its `location` is a directory, or "hf:NAME@REVISION".
        options: For the implementation; see `saltus.models.TransformersModel`.

    Raises:
        ModelError: The record has no location, its files are not there or not whole, or it is of a kind that
            cannot be loaded.
        MissingExtraError: The packages that this kind needs are not installed.
    """
    if not record.location:
        raise ModelError(
            f"{record.id} has no location, so it cannot be asked; give a directory or hf:NAME@REVISION",
            field="location",
        )
    if record.location.startswith(("http://", "https://")):
        raise ModelError(
            f"{record.id} is at {record.location}, and models behind a URL cannot be run yet; "
            "give a directory or hf:NAME@REVISION",
            field="location",
        )
    from saltus.models.local import TransformersModel

    return TransformersModel(record.location, record=record, **options)
