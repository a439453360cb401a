"""Evidence: the lake of Parquet parts, the ledger, and the response cache.

Start at `open`; `store.Store` is what it gives. Nothing heavy is imported before the first use.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltus.store.cache import ResponseCache
    from saltus.store.findings import (
        load_explanations,
        load_findings,
        load_forecasts,
        load_timelines,
        load_warnings,
        record_explanations,
        record_findings,
        record_forecasts,
        record_timelines,
        record_warnings,
    )
    from saltus.store.items import Items
    from saltus.store.ledger import Event, Ledger, VerifyResult
    from saltus.store.query import Query
    from saltus.store.store import Store

_HOME = {
    "Event": "ledger",
    "Items": "items",
    "Ledger": "ledger",
    "Query": "query",
    "ResponseCache": "cache",
    "Store": "store",
    "VerifyResult": "ledger",
    "load_explanations": "findings",
    "load_timelines": "findings",
    "load_findings": "findings",
    "load_forecasts": "findings",
    "load_warnings": "findings",
    "record_explanations": "findings",
    "record_timelines": "findings",
    "record_findings": "findings",
    "record_forecasts": "findings",
    "record_warnings": "findings",
}

__all__ = [
    "Event",
    "Items",
    "Ledger",
    "Query",
    "ResponseCache",
    "Store",
    "VerifyResult",
    "load_explanations",
    "load_findings",
    "load_forecasts",
    "load_timelines",
    "load_warnings",
    "open",
    "record_explanations",
    "record_findings",
    "record_forecasts",
    "record_timelines",
    "record_warnings",
]


def open(path: str | os.PathLike[str], *, create: bool = True) -> Store:
    """Open an evidence store, a folder; made when it is not there.

    Args:
        path: The folder. `~` stands for the home directory.
        create: False refuses a folder that is no store yet.

    Raises:
        StoreError: The path is a file, cannot be written, holds no store (with `create=False`), or is of a
            newer version of Saltus.

    Examples:
        >>> import tempfile
        >>> with open(tempfile.mkdtemp()) as store:
        ...     store.scores(task="addition").arrow().num_rows
        0
    """
    from saltus.store.folder import open_folder
    from saltus.store.store import Store

    return Store(open_folder(path, create=create))


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
