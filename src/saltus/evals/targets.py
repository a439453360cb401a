"""Turns what a user names on the command line (`-M`, `--series`) into model records in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from saltus.records.errors import UsageError
from saltus.records.evidence import ModelRecord


def resolve_models(models: Sequence[str], series: str | None) -> tuple[ModelRecord, ...]:
    """Models named one by one, a series file, or the embedded family.

    Args:
        models: Directories, `hf:NAME@REVISION`, URLs of servers, or `inspect/PROVIDER/MODEL`.
        series: `family` for the embedded one, a folder of `saltus family train`, or a TOML or JSON file.

    Raises:
        UsageError: When neither or both are given, or a name leads nowhere.
    """
    from saltus.models.series import Series

    if bool(models) == bool(series):
        raise UsageError(
            "Name the models with -M MODEL (repeat it) or with --series FILE, one of the two.", field="series"
        )
    if models:
        return Series.from_dirs(models).models
    assert series is not None  # noqa: S101 - the check above leaves only this
    if series == "family":
        from saltus.family import series as embedded

        return embedded(seed=0)
    path = Path(series)
    if path.is_dir():
        from saltus.family import series as retrained

        return retrained(path)
    if not path.exists():
        raise UsageError(
            f"--series {series} is neither `family` nor a file or folder here; name a TOML or JSON file.",
            field="series",
        )
    return Series.from_file(path).models
