"""From a record to a model that answers: the location says which implementation."""

from __future__ import annotations

from typing import Any

from saltus.models.protocol import Model
from saltus.records.errors import ModelError
from saltus.records.evidence import ModelRecord


def load_model(record: ModelRecord, **options: Any) -> Model:
    """Make the model that a record speaks of.

    Args:
        record: Its `location` is a directory, "hf:NAME@REVISION", `http(s)://HOST:PORT/v1#MODEL-NAME`, or
            `inspect/PROVIDER/MODEL`.
        options: For the implementation; see `saltus.models.TransformersModel`, `saltus.models.HttpModel` and
            `saltus.models.InspectModel`.

    Raises:
        ModelError: The record has no location, its files are not there or not whole, or it is of a kind that
            cannot be loaded.
        MissingExtraError: The packages that this kind needs are not installed.
        UsageError: An option is unknown to this kind of model, or out of range.
    """
    if not record.location:
        raise ModelError(
            f"{record.id} has no location, so it cannot be asked; give a directory, hf:NAME@REVISION or the "
            "URL of a server",
            field="location",
        )
    if record.location.startswith(("http://", "https://")):
        from saltus.models.http import HttpModel

        return HttpModel(record.location, record=record, **options)
    if record.location.startswith("inspect/"):
        from saltus.models.inspect import InspectModel

        return InspectModel(record.location, record=record, **options)
    from saltus.models.local import TransformersModel

    return TransformersModel(record.location, record=record, **options)
