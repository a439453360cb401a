"""Items from Hugging Face datasets: `hf:NAME[/CONFIG]@REVISION`, or `hf:` and a folder or file of data.

The extra `datasets` does the loading, into its own cache on disk, from which rows are read in batches.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from saltus.records.errors import MissingExtraError
from saltus.tasks.suites.problems import Fault, did_you_mean
from saltus.tasks.suites.sources import item_format

_BATCH = 512
_NAME = re.compile(r"(?P<name>[^/@]+(/[^/@]+)?)(/(?P<config>[^/@]+))?(@(?P<revision>[^@]+))?")
_BUILDERS = {"jsonl": "json", "json": "json", "csv": "csv", "parquet": "parquet"}


class HubPart:
    """One split of a dataset.

    Args:
        path: How the suite names it.
        dataset: What `datasets.load_dataset` gave for the split.
    """

    unit = "row"
    encoded = lax = False
    foreign = True

    def __init__(self, path: str, dataset: Any) -> None:
        self.path = path
        self._dataset = dataset

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each row with its number."""
        number = 0
        for batch in self._dataset.with_format("arrow").iter(batch_size=_BATCH):
            for row in batch.to_pylist():
                number += 1
                yield number, row

    def digest(self) -> str:
        """SHA-256 of the rows as JSON: the same wherever and however they are stored."""
        found = hashlib.sha256()
        encoder = msgspec.json.Encoder(order="deterministic")
        for _, row in self.rows():
            found.update(encoder.encode(row))
        return found.hexdigest()[:32]


def hub_part(source: str, folder: Path, *, split: str, config: str) -> HubPart:
    """Load one split of a dataset.

    Args:
        source: `hf:NAME`, `hf:NAME/CONFIG`, each perhaps with `@REVISION`; or `hf:PATH` of a folder or file.
        folder: Where a relative PATH starts.
        split: Which one; may be left out where there is one only.
        config: Which one, where NAME does not say it.

    Raises:
        MissingExtraError: The package `datasets` is not installed.
        Fault: There is no such dataset, configuration or split.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError(
            f'{source} needs the package datasets; pip install "saltus[datasets]"', field="items"
        ) from error
    datasets.disable_progress_bars()
    arguments = _arguments(source.removeprefix("hf:"), folder, config)
    try:
        found = datasets.load_dataset(**arguments)
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise Fault(
            f"items is {source!r}, which cannot be loaded ({reason}); check the name and the config", "items"
        ) from (error)
    names = [str(name) for name in found]
    wanted = split or (names[0] if len(names) == 1 else "")
    if wanted not in names:
        what = f"split is {split!r}, which {source} has not" if split else f"{source} has more than one split"
        raise Fault(f"{what}; {did_you_mean(split, names)}", "split")
    return HubPart(source, found[wanted])


def _arguments(name: str, folder: Path, config: str) -> dict[str, Any]:
    place = folder / name
    if place.is_dir():
        return {"path": str(place), "name": config or None}
    if place.is_file():
        builder = _BUILDERS.get(item_format(place))
        if builder is None:
            raise Fault(f"items is 'hf:{name}', a file of JSON lines, CSV or Parquet was expected", "items")
        return {"path": builder, "data_files": {"train": str(place)}}
    parts = _NAME.fullmatch(name)
    if parts is None or name.startswith((".", "/")):
        raise Fault(
            f"items is 'hf:{name}', which is neither a path nor hf:NAME[/CONFIG]@REVISION; mend it",
            "items",
        )
    return {
        "path": parts["name"],
        "name": config or parts["config"],
        "revision": parts["revision"],
    }
